/** `useUpload`, `useImages` and `picture` for Svelte 5: what they give is reactive wherever it is read. */
import { createSubscriber } from "svelte/reactivity";
import type { Darkroom } from "./create.ts";
import { type Images, type ImagesOptions, type ImagesState, imagesOf } from "./images.ts";
import type { Actions, Opened } from "./store.ts";
import { type FileUpload, type Uploads, type UploadsOptions, uploadsOf } from "./uploads.ts";

export type { ImagesOptions, ImagesState } from "./images.ts";
export type { FileOptions, FileUpload, UploadsOptions } from "./uploads.ts";

export interface UseUpload extends Actions<Uploads> {
  readonly uploads: readonly FileUpload[];
}

/** Uploads and how they are doing, in the order they were begun. They end when nobody shows them, but for `resume`. */
export function useUpload(
  darkroom: Pick<Darkroom, "upload" | "waitUntilReady" | "remove">,
  options: UploadsOptions = {},
): UseUpload {
  const uploads = uploadsOf(darkroom, options);
  const now = reactive(uploads);
  const { upload, choose, cancel, remove, retry } = uploads;
  return {
    get uploads() {
      return now();
    },
    ...{ upload, choose, cancel, remove, retry },
  };
}

export interface UseImages extends ImagesState, Actions<Images> {}

/** The caller's images, newest first and page by page; those in development become ready, new ones appear. */
export function useImages(
  darkroom: Pick<Darkroom, "list" | "waitUntilReady" | "remove">,
  options: ImagesOptions = {},
): UseImages {
  const images = imagesOf(darkroom, options);
  const now = reactive(images);
  const { more, reload, remove } = images;
  return {
    get images() {
      return now().images;
    },
    get hasMore() {
      return now().hasMore;
    },
    get loading() {
      return now().loading;
    },
    get error() {
      return now().error;
    },
    ...{ more, reload, remove },
  };
}

/** Open as long as an effect of Svelte's reads it. */
function reactive<T>({ state, subscribe, open }: Opened<T>): () => T {
  const read = createSubscriber((update) => {
    const ends = [subscribe(update), open()];
    return () => {
      for (const end of ends) end();
    };
  });
  return () => {
    read();
    return state();
  };
}
