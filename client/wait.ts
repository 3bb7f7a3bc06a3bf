/** Waiting for an image to be developed. */
import type { Api } from "./api.ts";
import { DarkroomError } from "./errors.ts";
import type { Image } from "./image.ts";
import { later, limiter, retrying } from "./patience.ts";
import type { Transport } from "./transport.ts";

export interface WaitOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds. Without it, as long as the API says that the image is on its way: it knows of queues and outages. */
  readonly timeout?: number | undefined;
}

type State =
  | Image
  | {
      readonly status: "processing" | "held" | "rejected" | "failed";
      readonly error?: { readonly code: string; readonly message: string };
    };

/** Where the API does not say when. */
const ASK_AGAIN_MS = 1000;
/** Requests at once, so that a thousand images that are waited for leave the browser's connections to uploads. */
const MAX_REQUESTS = 4;

export function waiter(
  api: Pick<Api, "call">,
  { pause, now = () => performance.now() }: Pick<Transport, "pause"> & { readonly now?: () => number },
) {
  const oneOfFew = limiter(MAX_REQUESTS);

  /**
   * Asks until the image is ready, when the API says; an API that is away is sat out for a quarter of an hour.
   * @throws DarkroomError with the code and sentence of the rejection or failure; `gone`, `not-found`;
   *   `held` where it is shown once somebody has released it; `still-processing` after the time-out
   */
  return async function waitUntilReady(
    id: string,
    { signal, timeout = Number.POSITIVE_INFINITY }: WaitOptions = {},
  ): Promise<Image> {
    // Not by the clock on the wall: that one may be set while we wait.
    const deadline = now() + timeout;
    const path = `/images/${encodeURIComponent(id)}`;
    const ask = () => oneOfFew(() => api.call<State>("GET", path, { signal, once: true }), signal);
    for (;;) {
      const left = deadline - now();
      const { json: state, retryAfter } = await retrying(ask, pause, signal, Number.POSITIVE_INFINITY, left);
      if (state?.status === "ready") return state;
      // For days, perhaps: nobody waits for that.
      if (state?.status === "held") throw new DarkroomError("held");
      if (state?.status !== "processing") {
        throw new DarkroomError(state?.error?.code ?? "bad-answer", state?.error?.message);
      }
      if (left <= 0) throw new DarkroomError("still-processing", undefined, { retryable: true });
      await pause(Math.min(later(retryAfter ?? ASK_AGAIN_MS), left), signal);
    }
  };
}
