/** Waiting for an image to be developed. */
import type { Api } from "./api.ts";
import { DarkroomError } from "./errors.ts";
import type { Image } from "./image.ts";
import { backOff, limiter, retrying } from "./patience.ts";
import type { Transport } from "./transport.ts";

export interface WaitOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds, 15 minutes by default: a queue may be long after a mass upload. */
  readonly timeout?: number | undefined;
}

type State =
  | Image
  | {
      readonly status: "processing" | "rejected" | "failed" | "deleted";
      readonly error?: { readonly code: string; readonly message: string };
    };

/** About a minute and a half of an API that cannot be reached. */
const MAX_TRIES = 20;
/** Requests at once, so that a thousand images that are waited for leave the browser's connections to uploads. */
const MAX_REQUESTS = 4;

export function waiter(
  api: Pick<Api, "call">,
  { pause, now = () => performance.now() }: Pick<Transport, "pause"> & { readonly now?: () => number },
) {
  const oneOfFew = limiter(MAX_REQUESTS);
  let waiting = 0;

  /**
   * Asks gently until the image is ready.
   * @throws DarkroomError with the code and sentence of the rejection or failure; `gone`, `not-found`;
   *   `still-processing` after the time-out
   */
  return async function waitUntilReady(
    id: string,
    { signal, timeout = 900_000 }: WaitOptions = {},
  ): Promise<Image> {
    // Not by the clock on the wall: that one may be set while we wait.
    const deadline = now() + timeout;
    const path = `/images/${encodeURIComponent(id)}`;
    const ask = () => oneOfFew(() => api.call<State>("GET", path, { signal, once: true }), signal);
    waiting++;
    try {
      for (let asked = 1; ; asked++) {
        const { json: state, retryAfter = 0 } = await retrying(ask, pause, signal, MAX_TRIES);
        if (state?.status === "ready") return state;
        if (state?.status === "deleted") throw new DarkroomError("gone", "This image was deleted.");
        if (state?.status !== "processing") {
          throw new DarkroomError(state?.error?.code ?? "bad-answer", state?.error?.message);
        }
        // One second is what the API says each time; for the first few that is too long. Ten milliseconds for everyone
        // who waits keep a page below a hundred requests a second.
        const ms = Math.max(backOff(asked), asked > 2 ? retryAfter : 0) + 10 * (waiting - 1);
        if (now() + ms > deadline)
          throw new DarkroomError("still-processing", undefined, { retryable: true });
        await pause(ms, signal);
      }
    } finally {
      waiting--;
    }
  };
}
