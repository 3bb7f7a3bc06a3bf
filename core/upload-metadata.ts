/**
 * The signed object metadata of an original: what presign writes and the worker reads. Values are ASCII, as S3
 * asks of `x-amz-meta-*`.
 */
import { isOwner } from "./keys.ts";
import type { Focus } from "./plan.ts";

export interface UploadMetadata {
  readonly owner: string;
  readonly preset: string;
  /** As the user named it, without control characters; may be cut. */
  readonly filename?: string;
  readonly focus?: Focus;
  /** Base64. */
  readonly sha256?: string;
}

/** Longest `filename` value: S3 allows 2 KB for all user metadata together. */
const MAX_FILENAME_BYTES = 1024;

export function writeUploadMetadata(upload: UploadMetadata): Record<string, string> {
  const filename = encodeFilename(upload.filename ?? "");
  return {
    owner: upload.owner,
    preset: upload.preset,
    ...(filename ? { filename } : {}),
    ...(upload.focus ? { focus: `${upload.focus.x},${upload.focus.y}` } : {}),
    ...(upload.sha256 ? { sha256: upload.sha256 } : {}),
  };
}

/** Never throws: an object written past us may hold anything, and what does not fit counts as absent. */
export function readUploadMetadata(metadata: Readonly<Record<string, string>>): Partial<UploadMetadata> {
  const { owner, preset, filename, focus, sha256 } = metadata as Partial<
    Record<keyof UploadMetadata, string>
  >;
  const point = focus?.split(",").map(Number) ?? [];
  const [x, y] = point;
  return {
    ...(isOwner(owner) ? { owner } : {}),
    ...(preset ? { preset } : {}),
    ...(filename ? { filename: decodeFilename(filename) } : {}),
    ...(x !== undefined && y !== undefined && point.length === 2 && isShare(x) && isShare(y)
      ? { focus: { x, y } }
      : {}),
    ...(sha256 ? { sha256 } : {}),
  };
}

const isShare = (value: number) => value >= 0 && value <= 1;

/** Percent-encoded UTF-8 of the NFC form without control characters, at most 1,024 bytes, cut between characters. */
export function encodeFilename(name: string): string {
  let encoded = "";
  // \p{Cc} are the control characters; a lone surrogate has no UTF-8 and becomes U+FFFD.
  for (const character of name
    .toWellFormed()
    .normalize("NFC")
    .replaceAll(/\p{Cc}/gu, "")) {
    // encodeURIComponent leaves !'()* alone, which some signers encode and others do not.
    const next = encodeURIComponent(character).replaceAll(
      /[!'()*]/g,
      (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
    );
    if (encoded.length + next.length > MAX_FILENAME_BYTES) break;
    encoded += next;
  }
  return encoded;
}

function decodeFilename(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
}
