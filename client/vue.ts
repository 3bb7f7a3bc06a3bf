/** `<Picture>`, `useUpload` and `useImages` for Vue 3. */
import { type FunctionalComponent, h, onMounted, onScopeDispose, type ShallowRef, shallowRef } from "vue";
import type { Darkroom } from "./create.ts";
import type { Image } from "./image.ts";
import { type Images, type ImagesOptions, type ImagesState, imagesOf } from "./images.ts";
import { type PictureOptions, pictureData } from "./picture.ts";
import type { Actions, Opened } from "./store.ts";
import { type FileUpload, type Uploads, type UploadsOptions, uploadsOf } from "./uploads.ts";

export type { ImagesOptions, ImagesState } from "./images.ts";
export type { FileOptions, FileUpload, UploadsOptions } from "./uploads.ts";

export interface UseUpload extends Actions<Uploads> {
  readonly uploads: Readonly<ShallowRef<readonly FileUpload[]>>;
}

/** Uploads and how they are doing, in the order they were begun. They end with the component, but for `resume`. */
export function useUpload(
  darkroom: Pick<Darkroom, "upload" | "waitUntilReady" | "remove">,
  options: UploadsOptions = {},
): UseUpload {
  const uploads = uploadsOf(darkroom, options);
  const { upload, choose, cancel, remove, retry } = uploads;
  return { uploads: useStore(uploads), upload, choose, cancel, remove, retry };
}

export interface UseImages extends Actions<Images> {
  readonly images: Readonly<ShallowRef<ImagesState>>;
}

/** The caller's images, newest first and page by page; those in development become ready, new ones appear. */
export function useImages(
  darkroom: Pick<Darkroom, "list" | "waitUntilReady" | "remove">,
  options: ImagesOptions = {},
): UseImages {
  const images = imagesOf(darkroom, options);
  const { more, reload, remove } = images;
  return { images: useStore(images), more, reload, remove };
}

function useStore<T>({ state, subscribe, open }: Opened<T>) {
  const now = shallowRef(state());
  const ends = [
    subscribe(() => {
      now.value = state();
    }),
  ];
  // Not on a server: there nobody would end it.
  onMounted(() => ends.push(open()));
  onScopeDispose(() => {
    for (const end of ends) end();
  });
  return now;
}

export interface PictureProps extends Omit<PictureOptions, "class"> {
  readonly image: Image;
}

const OPTIONS = ["image", "alt", "sizes", "loading", "variants", "placeholder"];

/** The `<picture>` of an image that is ready. All else that it is given goes to the `<img>`: `class`, `onLoad`, `fetchpriority`. */
export const Picture: FunctionalComponent<PictureProps> = ({ image, ...options }, { attrs }) => {
  const { sources, img } = pictureData(image, options);
  const { background, srcset, ...attributes } = img;
  return h("picture", [
    ...sources.map((source) => h("source", { ...source })),
    // `src` must be the last that is set.
    h("img", { ...attrs, style: [background && { background }, attrs["style"]], srcset, ...attributes }),
  ]);
};
Picture.props = OPTIONS;
Picture.inheritAttrs = false;
