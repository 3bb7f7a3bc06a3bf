/** The client, over whatever sends bytes: a page (`darkroom.ts`), Node (`node.ts`), a phone. */
import { type Api, connect, type Token } from "./api.ts";
import type { Image } from "./image.ts";
import { type ListedImages, type ListOptions, list } from "./list.ts";
import { limiter } from "./patience.ts";
import type { Transport } from "./transport.ts";
import { type Original, original, remove, sendFile, type UploadOptions } from "./upload.ts";
import { type WaitOptions, waiter } from "./wait.ts";

export interface Settings {
  /** Of the API: `https://abc.execute-api.eu-central-1.amazonaws.com`. */
  readonly endpoint: string;
  /** A JWT with the scope `upload`, or what fetches one; the function is asked again after a 401. */
  readonly token: Token;
  /** Files on their way at once, 4 by default; the others wait in line. */
  readonly concurrency?: number;
}

/** A file that S3 has. */
export interface Uploaded {
  readonly id: string;
  /** Resolves when the image is developed. Waiting starts when this is first read. */
  readonly ready: Promise<Image>;
}

export interface Darkroom {
  /**
   * Sends one file; call it for as many as there are. Resolves when S3 has all of it.
   * @throws DarkroomError; the reason of `signal` when that aborts
   */
  upload(file: Blob, options?: UploadOptions): Promise<Uploaded>;
  /**
   * @throws DarkroomError with the code and sentence of a rejection or failure; `held` where all is well and somebody has to
   *   release it first; `still-processing` at the time-out
   */
  waitUntilReady(id: string, options?: WaitOptions): Promise<Image>;
  /** The caller's images, newest first, a page at a time. */
  list(options?: ListOptions): Promise<ListedImages>;
  /** Deletes an image and everything made of it. */
  remove(id: string): Promise<void>;
  /**
   * A URL that downloads the file as it was uploaded, under its own name; for five minutes. The token needs the scope
   * `original`.
   */
  original(id: string): Promise<Original>;
  /** The API itself, for what this client does not know. */
  readonly api: Api;
}

export function createWith(transport: Transport, { endpoint, token, concurrency = 4 }: Settings): Darkroom {
  const api = connect(endpoint, token, transport);
  const inLine = limiter(concurrency);
  const waitUntilReady = waiter(api, transport);
  return {
    api,
    waitUntilReady,
    list: (options) => list(api, options),
    remove: (id) => remove(api, id),
    original: (id) => original(api, id),
    upload: async (file, options = {}) => {
      const { signal, onState } = options;
      // A copy, as `resume` may change while we are at it.
      const id = await inLine(() => sendFile(api, file, { ...options }), signal).catch((error: unknown) => {
        // Also for whoever leaves while waiting in line.
        if (signal?.aborted) void onState?.(undefined);
        throw error;
      });
      let ready: Promise<Image> | undefined;
      return {
        id,
        get ready() {
          if (!ready) {
            ready = waitUntilReady(id, { signal });
            // Taken out now and awaited later, it must not count as unhandled in between.
            ready.catch(() => {});
          }
          return ready;
        },
      };
    },
  };
}
