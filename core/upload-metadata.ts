/**
 * The signed object metadata of an original: what presign writes and the worker reads. Values are ASCII, as S3
 * asks of `x-amz-meta-*`.
 */
import { type Home, homeOf, isOwner, PUBLIC } from "./keys.ts";
import type { Focus } from "./plan.ts";

export interface UploadMetadata {
  readonly owner: string;
  readonly preset: string;
  /** As the user named it, without control characters; may be cut. */
  readonly filename?: string;
  readonly focus?: Focus;
  /** Base64. */
  readonly sha256?: string;
  /** What the application calls this upload: as its token says, and as the page does. */
  readonly ref?: string;
  readonly clientRef?: string;
  /** Seconds after which the image goes, unless it is attached. */
  readonly attachWithin?: number;
  /** What the owner may have: images, and bytes of originals. */
  readonly maxImages?: number;
  readonly maxOwnerBytes?: number;
  /** As its preset said when it was signed for; absent where everybody may see it. */
  readonly access?: "private";
}

/** The bounds of `attachWithin`: a form takes a minute at least, and what nobody wants is not kept for ever. */
export const ATTACH_WITHIN = { from: 60, to: 30 * 86_400 } as const;

/** Longest `filename` value. */
const MAX_FILENAME_BYTES = 1024;
/** S3's bound for the names and values of all user metadata together. */
const MAX_METADATA_BYTES = 2048;

export function writeUploadMetadata(upload: UploadMetadata): Record<string, string> {
  const values = {
    owner: upload.owner,
    preset: upload.preset,
    ...(upload.access ? { access: upload.access } : {}),
    ...(upload.focus ? { focus: `${upload.focus.x},${upload.focus.y}` } : {}),
    ...(upload.sha256 ? { sha256: upload.sha256 } : {}),
    ...(upload.ref ? { ref: encodeRef(upload.ref) } : {}),
    ...(upload.clientRef ? { "client-ref": encodeRef(upload.clientRef) } : {}),
    ...(upload.attachWithin ? { "attach-within": String(upload.attachWithin) } : {}),
    ...(upload.maxImages === undefined ? {} : { "max-images": String(upload.maxImages) }),
    ...(upload.maxOwnerBytes === undefined ? {} : { "max-owner-bytes": String(upload.maxOwnerBytes) }),
  };
  const taken = Object.entries({ ...values, filename: "" })
    .flat()
    .join("").length;
  const filename = encodeFilename(upload.filename ?? "", MAX_METADATA_BYTES - taken);
  return { ...values, ...(filename ? { filename } : {}) };
}

/** A reference as it is accepted: short enough that two of them leave room for a file's name. */
export const isRef = (text: string) =>
  text !== "" && [...text].length <= 256 && text.isWellFormed() && Buffer.byteLength(text) <= 512;

const encodeRef = (ref: string) => Buffer.from(ref, "utf8").toString("base64url");
function decodeRef(encoded: string | undefined): string | undefined {
  const ref = Buffer.from(encoded ?? "", "base64url").toString("utf8");
  return isRef(ref) && encodeRef(ref) === encoded ? ref : undefined;
}

/** Whose an image is and what for: told to its owner, admins and webhooks, and never public. */
export interface Context {
  readonly owner?: string | undefined;
  readonly ref?: string | undefined;
  readonly clientRef?: string | undefined;
  /** The file's name. */
  readonly name?: string | undefined;
}

/** @param metadata of the original */
export function contextOf(metadata: Readonly<Record<string, string>>): Context {
  const { owner, ref, clientRef, filename: name } = readUploadMetadata(metadata);
  return { owner, ref, clientRef, name };
}

/** Never throws: an object written past us may hold anything, and what does not fit counts as absent. */
export function readUploadMetadata(metadata: Readonly<Record<string, string>>): Partial<UploadMetadata> {
  const { owner, preset, filename, focus, sha256 } = metadata as Partial<
    Record<keyof UploadMetadata, string>
  >;
  const [ref, clientRef] = [decodeRef(metadata["ref"]), decodeRef(metadata["client-ref"])];
  const attachWithin = Number(/^[0-9]{1,7}$/.exec(metadata["attach-within"] ?? "")?.[0] ?? 0);
  const [maxImages, maxOwnerBytes] = [limitOf(metadata["max-images"]), limitOf(metadata["max-owner-bytes"])];
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
    ...(ref ? { ref } : {}),
    ...(clientRef ? { clientRef } : {}),
    ...(attachWithin >= ATTACH_WITHIN.from ? { attachWithin } : {}),
    ...(maxImages === undefined ? {} : { maxImages }),
    ...(maxOwnerBytes === undefined ? {} : { maxOwnerBytes }),
    ...(metadata["access"] === "private" ? { access: "private" } : {}),
  };
}

/** Where the first document of an image lies; whatever its preset says by then, as two workers may know two presets. */
export function firstHomeOf(metadata: Readonly<Record<string, string>>): Home {
  const { owner = "", access } = readUploadMetadata(metadata);
  return access === "private" ? homeOf(owner) : PUBLIC;
}

const limitOf = (text = "") => (/^[0-9]{1,15}$/.test(text) ? Number(text) : undefined);
const isShare = (value: number) => value >= 0 && value <= 1;

/** Percent-encoded UTF-8 of the NFC form without control characters, at most 1,024 bytes, cut between characters. */
export function encodeFilename(name: string, bytes = MAX_FILENAME_BYTES): string {
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
    if (encoded.length + next.length > Math.min(bytes, MAX_FILENAME_BYTES)) break;
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
