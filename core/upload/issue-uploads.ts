/** `POST /uploads`: from a request to signed uploads, by computation alone. */
import * as v from "valibot";
import type { Caller } from "../caller.ts";
import { DarkroomError, type ErrorCode } from "../errors.ts";
import { extensionsOf, typesOf } from "../formats.ts";
import { newId, originalKey, ownerOf } from "../keys.ts";
import { type Config, isSamePreset, type Preset, presetOf } from "../preset.ts";
import { isRef, writeUploadMetadata } from "../upload-metadata.ts";
import { type Agreement, partSizeOf, uppyPartSizeOf } from "./multipart.ts";
import type { Seal } from "./seal.ts";

/** Of one request. */
export const MAX_FILES = 50;

/** Base64 of 32 bytes: 43 characters and one `=`. The last character carries only 4 bits. */
const sha256 = v.pipe(v.string(), v.regex(/^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/, "base64 of a SHA-256"));
const share = v.pipe(v.number(), v.minValue(0), v.maxValue(1));

const REF = "1 to 256 characters, at most 512 bytes in UTF-8";

export const FocusPoint = v.strictObject({ x: share, y: share });
/** What an application calls an image. */
export const Reference = v.pipe(v.string(), v.check(isRef, REF));
/** Whose it is, as a token's `sub` says it. */
export const OwnerName = v.pipe(
  v.string(),
  v.minLength(1),
  v.maxLength(1024),
  v.check((owner) => owner.isWellFormed(), "not Unicode"),
);

const File = v.strictObject({
  /** Of any length: what does not fit is cut off. */
  name: v.string(),
  /** As the browser says; content decides in the end. */
  type: v.pipe(v.string(), v.maxLength(255)),
  size: v.pipe(v.number(), v.integer(), v.minValue(0)),
  sha256: v.optional(sha256),
  focus: v.optional(FocusPoint),
  /** What the page calls this upload, as trusted as its name. */
  ref: v.optional(Reference),
});

export const UploadRequest = v.strictObject({
  preset: v.optional(v.pipe(v.string(), v.maxLength(64))),
  /** `MULTIPART` is also the answer to a PUT of a file above the preset's threshold. */
  method: v.optional(v.picklist(["PUT", "POST", "MULTIPART"]), "PUT"),
  /** For another owner; needs the admin scope. */
  owner: v.optional(OwnerName),
  files: v.pipe(
    v.array(File),
    v.minLength(1, "at least one file"),
    v.maxLength(MAX_FILES, `at most ${MAX_FILES} files in one request`),
  ),
});
export type UploadRequest = v.InferOutput<typeof UploadRequest>;
type UploadFile = UploadRequest["files"][number];

/** What S3 is to hold the upload to. */
export interface UploadTerms {
  readonly key: string;
  readonly type: string;
  /** Exact, in bytes; absent where the client cannot say, and then `maxBytes` bounds it. */
  readonly size?: number | undefined;
  readonly maxBytes: number;
  readonly sha256?: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
}

/** A request S3 accepts once, as it stands, until `expiresAt` (ISO 8601). */
export type SignedUpload = { readonly expiresAt: string; readonly url: string } & (
  | { readonly method: "PUT"; readonly headers: Readonly<Record<string, string>> }
  | { readonly method: "POST"; readonly fields: Readonly<Record<string, string>> }
);

export type SignUpload = (method: "PUT" | "POST", terms: UploadTerms) => Promise<SignedUpload>;

/** What the multipart routes exchange for an upload in parts. */
export interface MultipartTicket {
  readonly method: "MULTIPART";
  readonly ticket: string;
  /** Of every part but the last, in bytes. */
  readonly partSize: number;
  readonly expiresAt: string;
}

export type IssuedUpload = (SignedUpload | MultipartTicket) & { readonly id: string; readonly key: string };

export interface IssueDeps {
  readonly config: Config;
  readonly sign: SignUpload;
  readonly tickets: Seal;
  readonly validitySeconds: number;
  readonly now: () => Date;
  readonly random: (bytes: number) => Uint8Array;
}

/**
 * Signs every file of the request or, where the preset refuses one, none.
 * @throws DarkroomError `forbidden`, `bad-request`, `type-not-accepted`, `file-too-large`, `file-empty`
 */
export async function issueUploads(
  deps: IssueDeps,
  caller: Caller,
  request: UploadRequest,
): Promise<IssuedUpload[]> {
  if (request.owner !== undefined && !caller.scopes.has("admin")) {
    throw new DarkroomError("forbidden", "Only an admin token may name an owner.");
  }
  const owner = request.owner === undefined ? caller.owner : ownerOf(request.owner);
  const preset = choosePreset(deps.config, caller, request.preset);
  const refusals = request.files.flatMap((file, index) => {
    const refusal = refuse(file, preset, caller);
    return refusal ? [{ index, ...refusal }] : [];
  });
  const [first] = refusals;
  if (first) {
    throw new DarkroomError(
      first.code,
      refusals.map(({ index, detail }) => `files[${index}]: ${detail}`).join(" "),
    );
  }
  return Promise.all(
    request.files.map(async (file) => {
      const terms = termsFor(deps, caller, owner, preset, file);
      const { id, key } = terms;
      const { method } = request;
      // Without a secret to seal tickets with, whatever S3 takes in one piece goes in one piece.
      const large = file.size > preset.multipartAbove && deps.tickets.ready;
      if (method === "MULTIPART" || (method === "PUT" && large)) {
        return { id, key, ...ticketFor(deps, owner, terms) };
      }
      return { id, key, ...(await deps.sign(method, terms)) };
    }),
  );
}

/**
 * The terms of one upload as Uppy asks for it, which says a size only where it is told to.
 * @throws DarkroomError as `issueUploads` does
 */
export function agreeOnUpload(
  deps: Pick<IssueDeps, "config" | "random">,
  caller: Caller,
  file: Pick<UploadFile, "name" | "type"> & {
    readonly size?: number | undefined;
    readonly ref?: string | undefined;
  },
): UploadTerms & { readonly id: string; readonly owner: string; readonly partSize?: number } {
  const preset = choosePreset(deps.config, caller, undefined);
  const { size, ref } = file;
  if (ref !== undefined && !isRef(ref)) throw new DarkroomError("bad-request", `ref: ${REF}.`);
  const refusal = refuse({ ...file, size }, preset, caller);
  if (refusal) throw new DarkroomError(refusal.code, refusal.detail);
  const terms = termsFor(deps, caller, caller.owner, preset, file);
  return {
    ...terms,
    owner: caller.owner,
    ...(size === undefined ? {} : { partSize: uppyPartSizeOf(size) }),
  };
}

function termsFor(
  deps: Pick<IssueDeps, "random">,
  caller: Caller,
  owner: string,
  preset: Preset,
  {
    name,
    type,
    size,
    sha256,
    focus,
    ref,
  }: Pick<UploadFile, "name" | "type"> & {
    readonly [K in keyof UploadFile]?: UploadFile[K] | undefined;
  },
): UploadTerms & { readonly id: string } {
  const id = newId(deps.random);
  const metadata = writeUploadMetadata({
    owner,
    preset: preset.name,
    filename: name,
    ...(preset.access === "private" ? { access: preset.access } : {}),
    ...(focus ? { focus } : {}),
    ...(sha256 ? { sha256 } : {}),
    ...(caller.ref ? { ref: caller.ref } : {}),
    ...(ref ? { clientRef: ref } : {}),
    ...(caller.attachWithin ? { attachWithin: caller.attachWithin } : {}),
    ...(caller.maxImages === undefined ? {} : { maxImages: caller.maxImages }),
    ...(caller.maxOwnerBytes === undefined ? {} : { maxOwnerBytes: caller.maxOwnerBytes }),
  });
  // A browser sends no Content-Type for a file without one, and a signed header must be there.
  return {
    id,
    key: originalKey(id),
    type: type || "application/octet-stream",
    size,
    maxBytes: maxBytesOf(preset, caller),
    sha256,
    metadata,
  };
}

function ticketFor(deps: IssueDeps, owner: string, terms: UploadTerms): MultipartTicket {
  const { key, type, metadata, size = 0, maxBytes } = terms;
  const partSize = partSizeOf(size);
  const expiresAt = new Date(deps.now().getTime() + deps.validitySeconds * 1000);
  const agreement: Agreement = { key, owner, type, metadata: { ...metadata }, size, maxBytes, partSize };
  return {
    method: "MULTIPART",
    ticket: deps.tickets.close(agreement, expiresAt.getTime()),
    partSize,
    expiresAt: expiresAt.toISOString(),
  };
}

const maxBytesOf = (preset: Preset, caller: Caller) =>
  Math.min(preset.maxBytes, caller.maxBytes ?? Number.POSITIVE_INFINITY);

/** What stands for a type that a browser does not know. */
const UNKNOWN_TYPES = ["", "application/octet-stream"];

function choosePreset(config: Config, caller: Caller, wanted: string | undefined): Preset {
  if (caller.preset !== undefined && wanted !== undefined && !isSamePreset(config, wanted, caller.preset))
    throw new DarkroomError("forbidden", `This token is for the preset "${caller.preset}".`);
  const preset = presetOf(config, wanted ?? caller.preset ?? config.defaultPreset);
  if (preset) return preset;
  throw new DarkroomError(
    "bad-request",
    `preset: there is none of that name; there are ${[...config.presets.keys()].join(", ")}.`,
  );
}

/** Why this file may not be uploaded, in words that do not repeat the user's own. */
function refuse(
  file: Pick<UploadFile, "name" | "type"> & { readonly size: number | undefined },
  preset: Preset,
  caller: Caller,
): { code: ErrorCode; detail: string } | undefined {
  const maxBytes = maxBytesOf(preset, caller);
  if (file.size === 0) return { code: "file-empty", detail: "the file is empty." };
  if (file.size !== undefined && file.size > maxBytes) {
    return { code: "file-too-large", detail: `it has ${file.size} bytes; at most ${maxBytes} are accepted.` };
  }
  const types = typesOf(preset.accept);
  if (types.includes(file.type)) return undefined;
  // Browsers do not know HEIC and AVIF everywhere: then the extension stands in for the type.
  if (UNKNOWN_TYPES.includes(file.type) && extensionsOf(preset.accept).includes(extensionOf(file.name)))
    return undefined;
  return { code: "type-not-accepted", detail: `its type is not one of ${types.join(", ")}.` };
}

const extensionOf = (name: string) => /\.([A-Za-z0-9]+)$/.exec(name)?.[1]?.toLowerCase() ?? "";
