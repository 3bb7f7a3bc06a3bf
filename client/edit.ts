/** Editing an image that is ready: turn, crop, what crops keep, and what it shows in words. */
import type { Api } from "./api.ts";
import { DarkroomError } from "./errors.ts";
import type { Edit, Image } from "./image.ts";
import { later, sleep } from "./patience.ts";
import { tell } from "./store.ts";
import type { WaitOptions } from "./wait.ts";

const [FIRST_PAUSE_MS, LONGEST_PAUSE_MS] = [300, 3000];
const PATIENCE_MS = 120_000;

/** What `createDarkroom` gives. */
interface Editable {
  readonly api: Api;
  readonly waitUntilReady: (id: string, options?: WaitOptions) => Promise<Image>;
}

/**
 * Resolves with the image once it shows the edit, or a later one; lists of this client on this page show it, too.
 * @throws DarkroomError with the API's code and sentence; `still-processing` after the time-out, two minutes by default: the
 *   edit is not lost
 */
export async function edit(
  darkroom: Editable,
  id: string,
  changes: Edit,
  { signal, timeout = PATIENCE_MS }: WaitOptions = {},
): Promise<Image> {
  const { api, waitUntilReady } = darkroom;
  const path = `/images/${encodeURIComponent(id)}`;
  const { json } = await api.call<{ rev: number }>("PATCH", path, { json: changes, signal });
  const deadline = performance.now() + timeout;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(LONGEST_PAUSE_MS, 1.5 * pause)) {
    const image = await waitUntilReady(id, { signal, timeout });
    if ((image.edit?.rev ?? 0) >= json.rev) {
      tell(darkroom, { id, is: "edited", image });
      return image;
    }
    if (performance.now() > deadline)
      throw new DarkroomError("still-processing", undefined, { retryable: true });
    await sleep(later(pause), signal);
  }
}
