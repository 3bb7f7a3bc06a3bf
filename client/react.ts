/** `<Picture>`, `useUpload` and `useImages` for React 18 and later. */
import {
  createElement,
  type ReactElement,
  useEffect,
  useLayoutEffect,
  useMemo,
  useState,
  useSyncExternalStore,
} from "react";
import type { Darkroom } from "./create.ts";
import type { Image } from "./image.ts";
import { type Images, type ImagesOptions, type ImagesState, imagesOf } from "./images.ts";
import { Picture, type PictureProps } from "./react-picture.ts";
import { renewing } from "./renew.ts";
import type { Actions, Store } from "./store.ts";
import { type FileUpload, type Uploads, type UploadsOptions, uploadsOf } from "./uploads.ts";

export type { ImagesOptions, ImagesState } from "./images.ts";
export { Picture, type PictureProps } from "./react-picture.ts";
export type { FileOptions, FileUpload, UploadsOptions } from "./uploads.ts";

/** What `useUpload` gives. */
export interface UseUpload extends Actions<Uploads> {
  readonly uploads: readonly FileUpload[];
}

/** Uploads and how they are doing, in the order they were begun. They end with the component, but for `resume`. */
export function useUpload(
  darkroom: Pick<Darkroom, "upload" | "waitUntilReady" | "remove">,
  { resume, everywhere }: UploadsOptions = {},
): UseUpload {
  const uploads = useMemo(() => uploadsOf(darkroom, { resume, everywhere }), [darkroom, resume, everywhere]);
  useShown(() => uploads.open(), [uploads]);
  const { upload, choose, cancel, remove, retry } = uploads;
  return { uploads: useStore(uploads), upload, choose, cancel, remove, retry };
}

/** What `useImages` gives. */
export interface UseImages extends ImagesState, Actions<Images> {}

/** The caller's images, newest first and page by page; those in development become ready, new ones appear. */
export function useImages(
  darkroom: Pick<Darkroom, "list" | "waitUntilReady" | "remove">,
  { pageSize }: ImagesOptions = {},
): UseImages {
  const images = useMemo(() => imagesOf(darkroom, { pageSize }), [darkroom, pageSize]);
  useEffect(() => images.open(), [images]);
  const { more, reload, remove } = images;
  return { ...useStore(images), more, reload, remove };
}

/** `<Picture>` of a private image, whose URLs are renewed before they end, as long as it is shown. */
export function PrivatePicture({
  darkroom,
  ...props
}: PictureProps & { readonly darkroom: Pick<Darkroom, "waitUntilReady"> }): ReactElement {
  return createElement(Picture, { ...props, image: useRenewed(darkroom, props.image) });
}

/** The image with URLs that open, now and later. */
export function useRenewed(darkroom: Pick<Darkroom, "waitUntilReady">, image: Image): Image {
  const [renewed, show] = useState<{ of: Image; image: Image }>();
  useEffect(() => renewing(darkroom, image, (next) => show({ of: image, image: next })), [darkroom, image]);
  return renewed?.of === image ? renewed.image : image;
}

/**
 * With what is shown, as a drop that comes before anybody listens replaces the page: an effect is late on a busy machine.
 * React 18 warns of a layout effect on a server, where neither runs.
 */
const useShown = globalThis.document ? useLayoutEffect : useEffect;

const useStore = <T>({ subscribe, state }: Store<T>) => useSyncExternalStore(subscribe, state, state);
