/** Darkroom in the browser: upload images, wait until they are ready, show them. */
import { browser } from "./browser.ts";
import { createWith, type Darkroom, type Settings } from "./create.ts";

export { type Explained, explain, type Limits } from "./advice.ts";
export type { Token } from "./api.ts";
export type { Darkroom, Settings, Uploaded } from "./create.ts";
export { type Credit, creditOf } from "./credit.ts";
export { edit } from "./edit.ts";
export { type ClientErrorCode, DarkroomError } from "./errors.ts";
export type { Crop, Edit, Image, Rights, Variant } from "./image.ts";
export type { ListedImage, ListedImages, ListOptions } from "./list.ts";
export {
  type PictureData,
  type PictureImg,
  type PictureOptions,
  type PictureSource,
  picture,
  srcset,
  variantFor,
} from "./picture.ts";
export { placeholderUrl } from "./placeholder.ts";
export { renewing } from "./renew.ts";
export type { Original, UploadOptions, UploadState } from "./upload.ts";
export { imageIdFromKey, type UppySigner, uppySigner } from "./uppy.ts";
export type { WaitOptions } from "./wait.ts";

export const createDarkroom = (settings: Settings): Darkroom => createWith(browser, settings);
