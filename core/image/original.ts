/** Originals come back: to their owner, or an admin, by a URL of the bucket itself that is good for five minutes. */
import type { Caller } from "../caller.ts";
import { DarkroomError } from "../errors.ts";
import { originalKey } from "../keys.ts";
import { readUploadMetadata } from "../upload-metadata.ts";
import { find, type ImageDeps } from "./images.ts";

/** Of the signed URL. A bucket policy says the same, whatever is signed. */
export const ORIGINAL_SECONDS = 300;

/** Signs a GET of `key`, to be answered with this `Content-Disposition`. */
export type SignDownload = (key: string, disposition: string) => Promise<{ url: string; expiresAt: string }>;

export interface OriginalUrl {
  readonly id: string;
  readonly url: string;
  readonly expiresAt: string;
  /** As the file was called where it came from. */
  readonly name: string;
}

/** @throws DarkroomError `not-found`; `gone` after a delete; `original-gone`; `archived` */
export async function originalUrl(
  deps: ImageDeps,
  sign: SignDownload,
  caller: Caller,
  id: string,
): Promise<OriginalUrl> {
  const { document, original } = await find(deps, caller, id);
  if (document?.status === "deleted") throw new DarkroomError("gone");
  if (!original) throw new DarkroomError("original-gone");
  if (original.archived) throw new DarkroomError("archived");
  const { filename } = readUploadMetadata(original.metadata);
  const name = filename || id;
  return { id, name, ...(await sign(originalKey(id), attachment(name))) };
}

/**
 * A `Content-Disposition` (RFC 6266) that saves under this name in every browser: in UTF-8 as RFC 8187 has it, with an
 * ASCII likeness before it for those who know no better. Without control characters; a lone surrogate has no UTF-8.
 */
export function attachment(name: string): string {
  const clean = name.toWellFormed().replaceAll(/\p{Cc}/gu, "");
  // A percent sign or a backslash there is read in two ways.
  const likeness = clean.replaceAll(/[^ -~]|["%\\]/gu, "_");
  // RFC 8187 3.2.1: `attr-char` lacks what encodeURIComponent leaves alone of these.
  const encoded = encodeURIComponent(clean).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${likeness}"; filename*=UTF-8''${encoded}`;
}
