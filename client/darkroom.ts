/** Darkroom in the browser: upload images, wait until they are ready, show them. */
import { type Api, connect, type Token } from "./api.ts";
import { browser } from "./browser.ts";
import type { Image } from "./image.ts";
import { limiter } from "./patience.ts";
import { type Original, original, remove, sendFile, type UploadOptions } from "./upload.ts";
import { type WaitOptions, waiter } from "./wait.ts";

export type { Token } from "./api.ts";
export { type Credit, creditOf } from "./credit.ts";
export { type ClientErrorCode, DarkroomError } from "./errors.ts";
export type { Image, Rights, Variant } from "./image.ts";
export {
  type PictureData,
  type PictureImg,
  type PictureOptions,
  type PictureSource,
  picture,
  srcset,
} from "./picture.ts";
export { placeholderUrl } from "./placeholder.ts";
export type { Original, UploadOptions, UploadState } from "./upload.ts";
export { imageIdFromKey, type UppySigner, uppySigner } from "./uppy.ts";
export type { WaitOptions } from "./wait.ts";

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

export function createDarkroom({ endpoint, token, concurrency = 4 }: Settings): Darkroom {
  const api = connect(endpoint, token, browser);
  const inLine = limiter(concurrency);
  const waitUntilReady = waiter(api, browser);
  return {
    api,
    waitUntilReady,
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
