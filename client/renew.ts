/** Private images come with URLs that end. While one is shown, another is asked for before they do. */
import type { Darkroom } from "./create.ts";
import type { Image } from "./image.ts";

/** Before the end; the clock of this computer may be as much ahead of the server's. In milliseconds. */
const LEAD = 60_000;
/** Between two of them, whatever the clock says. */
const LEAST = 15_000;
/** What a timer takes. */
const MOST = 2 ** 31 - 1;

/**
 * Hands over the image again with URLs that go on opening, as often as it takes. An image that is public never ends.
 * @returns what ends it
 */
export function renewing(
  darkroom: Pick<Darkroom, "waitUntilReady">,
  image: Image,
  show: (image: Image) => void,
): () => void {
  const leaving = new AbortController();
  const { signal } = leaving;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const arm = ({ signedUntil }: Image) => {
    if (signedUntil === undefined || signal.aborted) return;
    const left = Date.parse(signedUntil) - Date.now() - LEAD;
    timer = setTimeout(renew, Math.min(MOST, Math.max(LEAST, left)));
  };
  const renew = () =>
    darkroom.waitUntilReady(image.id, { signal }).then(
      (renewed) => {
        if (signal.aborted) return;
        show(renewed);
        arm(renewed);
      },
      // Deleted meanwhile, or no longer this user's: it ends as it is.
      () => {},
    );
  arm(image);
  return () => {
    clearTimeout(timer);
    leaving.abort();
  };
}
