/** The caller's images, newest first. */
import type { Api } from "./api.ts";
import type { Image } from "./image.ts";

/** An image, or one that is not ready. */
export type ListedImage =
  | Image
  | {
      readonly id: string;
      /** `held`: somebody has to look at it first. */
      readonly status: "processing" | "held" | "rejected" | "failed";
      readonly uploadedAt?: string | undefined;
      /** Of one that was rejected or failed: for programs, and a sentence for people. */
      readonly error?: { readonly code: string; readonly message: string } | undefined;
    };

export interface ListOptions {
  /** 1 to 100; 24 by default. */
  readonly limit?: number | undefined;
  /** Of the page before. */
  readonly cursor?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ListedImages {
  readonly images: readonly ListedImage[];
  /** Of the next page; absent at the end. */
  readonly cursor?: string;
}

export async function list(
  api: Api,
  { limit = 24, cursor = "", signal }: ListOptions = {},
): Promise<ListedImages> {
  const from = cursor && `&cursor=${encodeURIComponent(cursor)}`;
  return (await api.call<ListedImages>("GET", `/images?limit=${limit}${from}`, { signal })).json;
}
