/**
 * Uploads in parts, as Uppy's Companion protocol has them: S3's own upload id never leaves us, and a client can do
 * with ours only what was agreed at the start.
 */
import * as v from "valibot";
import type { Caller } from "../caller.ts";
import { DarkroomError } from "../errors.ts";
import { readUploadMetadata } from "../upload-metadata.ts";
import type { Seal } from "./seal.ts";

/** S3's limits: there are 10,000 parts at most, and every one but the last has 5 MiB at least. */
const [MAX_PARTS, MIN_PART_BYTES] = [10_000, 5_242_880];

/** Uppy sends metadata of its own along. What has a meaning here is a size, which it leaves out unless it is told, and `ref`. */
export const CreateRequest = v.union([
  v.object({ ticket: v.string() }),
  v.object({
    filename: v.string(),
    type: v.optional(v.nullable(v.string())),
    metadata: v.optional(
      v.object({
        size: v.optional(v.pipe(v.unknown(), v.transform(Number), v.integer(), v.minValue(0))),
        ref: v.optional(v.string()),
      }),
    ),
  }),
]);

/** The parts as the client has them. */
export const CompleteRequest = v.object({
  parts: v.pipe(
    v.array(
      v.pipe(
        // An ETag has quotes where it comes from our list, and perhaps none where S3 answered a PUT.
        v.object({ PartNumber: v.pipe(v.number(), v.integer()), ETag: v.string() }),
        v.transform(({ PartNumber, ETag }) => ({ number: PartNumber, etag: ETag.replaceAll('"', "") })),
      ),
    ),
    v.minLength(1, "at least one part"),
    v.maxLength(MAX_PARTS, `at most ${MAX_PARTS} parts`),
  ),
});

const Limits = v.object({
  key: v.string(),
  owner: v.string(),
  /** Exact where the client said it. */
  size: v.optional(v.number()),
  maxBytes: v.number(),
  /** Of every part but the last, where the size is known. */
  partSize: v.optional(v.number()),
});

/** What was agreed when the upload was signed: stands in the ticket. */
const Agreement = v.object({
  ...Limits.entries,
  type: v.string(),
  metadata: v.record(v.string(), v.string()),
});
export type Agreement = v.InferOutput<typeof Agreement>;

/** Stands in the upload id that we give out: only what is checked later on, as it becomes part of URLs. */
const Upload = v.object({ ...Limits.entries, uploadId: v.string() });
type Upload = v.InferOutput<typeof Upload>;

export interface Part {
  readonly number: number;
  /** Without quotes. */
  readonly etag: string;
  readonly size: number;
}

/** By computation alone. `size` is signed where it is given; the URL holds for `seconds`. */
export type SignPart = (
  key: string,
  uploadId: string,
  part: number,
  size: number | undefined,
) => Promise<{ url: string; seconds: number }>;

/** S3's multipart calls on the uploads bucket. An upload that is not there is undefined, or false. */
export interface MultipartStore {
  create(terms: Pick<Agreement, "key" | "type" | "metadata">): Promise<string>;
  /** The upload ids that are open for the key, in S3's order: the first that was begun is the first. */
  begun(key: string): Promise<string[]>;
  listParts(key: string, uploadId: string): Promise<Part[] | undefined>;
  /** False over an object that is there, too. @throws DarkroomError `bad-request` for parts S3 refuses */
  complete(
    key: string,
    uploadId: string,
    parts: readonly Omit<Part, "size">[],
    size: number,
  ): Promise<boolean>;
  abort(key: string, uploadId: string): Promise<void>;
  /** `x-amz-meta-*` of an original that is there. */
  metadata(key: string): Promise<Readonly<Record<string, string>> | undefined>;
}

export interface MultipartDeps {
  readonly store: MultipartStore;
  readonly sign: SignPart;
  readonly tickets: Seal;
  readonly uploads: Seal;
  readonly passes: Seal;
  readonly now: () => Date;
  /** Counts an upload that is begun. @throws DarkroomError `rate-limited` */
  readonly count: (caller: Caller) => void;
}

/** An upload in parts may take as long as S3 keeps them; the lifecycle rule removes them after a day. */
const UPLOAD_MS = 24 * 3600 * 1000;

/** The size of a part for a file: 8 MiB, more only where 10,000 of them would not do. */
export function partSizeOf(size: number, least = 8 * 1_048_576): number {
  return Math.max(least, Math.ceil(size / MAX_PARTS));
}

/** As Uppy cuts a file where nobody has told it otherwise. */
export const uppyPartSizeOf = (size: number) => partSizeOf(size, MIN_PART_BYTES);

/** Reads the ticket of `POST /uploads`. @throws DarkroomError `not-found` where it is another's, or too old */
export function openTicket(
  { tickets }: Pick<MultipartDeps, "tickets">,
  caller: Caller,
  ticket: string,
): Agreement {
  return mine(caller, v.parse(Agreement, tickets.open(ticket)));
}

/**
 * Begins what was agreed on, once: repeated, it names the upload that is open. S3 would begin another each time, and knows
 * no condition. Of several that are begun at once the first stays, as each looks again at what is open, and ends the rest.
 * @throws DarkroomError `not-found` where the original is there, `rate-limited`
 */
export async function createUpload(
  deps: MultipartDeps,
  caller: Caller,
  agreement: Agreement,
): Promise<{ key: string; uploadId: string; pass: string }> {
  const { store, uploads, passes, now } = deps;
  const { key } = agreement;
  const [there] = await store.begun(key);
  const uploadId = there ?? (await beginUpload(deps, caller, agreement));
  const until = now().getTime() + UPLOAD_MS;
  return {
    key,
    uploadId: uploads.close(v.parse(Upload, { ...agreement, uploadId }), until),
    pass: passes.close(uploadId, until),
  };
}

/**
 * Who holds an upload's pass may do with this upload what its owner may: a service worker, which goes on when the page is gone, has no
 * token. It never stands in a URL, as an upload id does. Undefined for everything that is no pass, or another's.
 */
export function holderOf(
  { passes, uploads }: Pick<MultipartDeps, "passes" | "uploads">,
  pass: string,
  sealed: string | undefined,
): Caller | undefined {
  try {
    const passed = passes.open(pass);
    const { uploadId, owner } = v.parse(Upload, uploads.open(sealed ?? ""));
    return passed === uploadId ? { owner, scopes: new Set(["upload"]) } : undefined;
  } catch {
    return undefined;
  }
}

async function beginUpload({ store, count }: MultipartDeps, caller: Caller, agreement: Agreement) {
  const { key } = agreement;
  if (await store.metadata(key)) throw new DarkroomError("not-found", "This upload is over: it is complete.");
  count(caller);
  const own = await store.create(agreement);
  const [first = own, ...others] = await store.begun(key);
  await Promise.all(others.map((other) => store.abort(key, other)));
  return first;
}

/** @throws DarkroomError `not-found` where the upload is another's or of another key */
function openUpload(deps: MultipartDeps, caller: Caller, sealed: string, key: string | undefined): Upload {
  const upload = mine(caller, v.parse(Upload, deps.uploads.open(sealed)));
  if (key !== undefined && key !== upload.key) throw new DarkroomError("not-found");
  return upload;
}

function mine<T extends { owner: string }>(caller: Caller, agreed: T): T {
  if (!caller.scopes.has("admin") && agreed.owner !== caller.owner) throw new DarkroomError("not-found");
  return agreed;
}

export interface UploadRef {
  readonly uploadId: string;
  readonly key: string | undefined;
}

/**
 * @throws DarkroomError `bad-request`; where the size is unknown, `file-too-large` for a part that has no room, and
 *   `rate-limited` for one that comes too early
 */
export async function signPart(
  deps: MultipartDeps,
  caller: Caller,
  { uploadId, key }: UploadRef,
  part: number,
): Promise<{ url: string; expires: number }> {
  const upload = openUpload(deps, caller, uploadId, key);
  if (!Number.isInteger(part) || part < 1 || part > MAX_PARTS) {
    throw new DarkroomError("bad-request", `part: a whole number from 1 to ${MAX_PARTS}.`);
  }
  const size = sizeOfPart(upload, part);
  if (size === undefined) await makeSureOfRoom(deps, upload, part);
  const { url, seconds } = await deps.sign(upload.key, upload.uploadId, part, size);
  return { url, expires: seconds };
}

function sizeOfPart({ size, partSize }: Upload, part: number): number | undefined {
  if (size === undefined || partSize === undefined) return undefined;
  const left = size - (part - 1) * partSize;
  if (left <= 0)
    throw new DarkroomError("bad-request", `part: the file of ${size} bytes ends before part ${part}.`);
  return Math.min(partSize, left);
}

/**
 * A URL without a length takes up to 5 GiB, and nothing tells what was sent to it but S3's list. So one part is on its way
 * at a time: it is signed when all before it are there and leave room.
 */
async function makeSureOfRoom(
  { store }: MultipartDeps,
  { key, uploadId, maxBytes }: Upload,
  part: number,
): Promise<void> {
  const tooLarge = new DarkroomError("file-too-large", `At most ${maxBytes} bytes are accepted.`);
  // By then the parts before it are over the limit.
  if ((part - 1) * MIN_PART_BYTES >= maxBytes) throw tooLarge;
  const there = await store.listParts(key, uploadId);
  if (!there) throw over();
  const before = there.filter(({ number }) => number < part);
  if (sumOf(there) > maxBytes) await store.abort(key, uploadId);
  if (sumOf(before) >= maxBytes || sumOf(there) > maxBytes) throw tooLarge;
  if (before.length < part - 1)
    throw new DarkroomError("rate-limited", "The parts before this one have to be there first.", {
      headers: { "retry-after": "1" },
    });
}

const sumOf = (parts: readonly Pick<Part, "size">[]) => parts.reduce((sum, { size }) => sum + size, 0);

const over = () => new DarkroomError("not-found", "This upload is over: completed, aborted or too old.");

export async function listParts(deps: MultipartDeps, caller: Caller, ref: UploadRef): Promise<Part[]> {
  const upload = openUpload(deps, caller, ref.uploadId, ref.key);
  const parts = await deps.store.listParts(upload.key, upload.uploadId);
  if (!parts) throw over();
  return parts;
}

/**
 * Checks what S3 has, not what the client says, and only then makes an original of it.
 * @throws DarkroomError `file-too-large` (the parts are then gone), `bad-request`, `not-found`
 */
export async function completeUpload(
  deps: MultipartDeps,
  caller: Caller,
  ref: UploadRef,
  claimed: readonly Omit<Part, "size">[],
): Promise<{ key: string }> {
  const upload = openUpload(deps, caller, ref.uploadId, ref.key);
  const { key, uploadId, size: agreed, maxBytes } = upload;
  const there = await deps.store.listParts(key, uploadId);
  if (!there) return completedBefore(deps, upload);
  const size = sumOf(there);
  if (size > maxBytes) {
    await deps.store.abort(key, uploadId);
    throw new DarkroomError(
      "file-too-large",
      `The parts have ${size} bytes together; at most ${maxBytes} are accepted.`,
    );
  }
  if (agreed !== undefined && size !== agreed) {
    throw new DarkroomError(
      "bad-request",
      `The parts have ${size} bytes together, the file was to have ${agreed}.`,
    );
  }
  const parts = [...claimed].sort((a, b) => a.number - b.number);
  const same =
    parts.length === there.length &&
    there.every(({ number, etag }, i) => parts[i]?.number === number && parts[i].etag === etag);
  if (!same)
    throw new DarkroomError(
      "bad-request",
      "parts: they are not the ones that S3 has; list them and try again.",
    );
  if (!(await deps.store.complete(key, uploadId, parts, size))) {
    // Where another upload of this key was faster, this one's parts are of no more use.
    await deps.store.abort(key, uploadId);
    return completedBefore(deps, upload);
  }
  return { key };
}

/** A repetition after a lost answer finds no upload any more, and the original in its place. */
async function completedBefore({ store }: MultipartDeps, { key, owner }: Upload): Promise<{ key: string }> {
  const metadata = await store.metadata(key);
  if (metadata && readUploadMetadata(metadata).owner === owner) return { key };
  throw new DarkroomError("not-found", "This upload is over: aborted or too old; begin it anew.");
}

/** Repeated, it finds nothing left and is content. */
export async function abortUpload(deps: MultipartDeps, caller: Caller, ref: UploadRef): Promise<void> {
  const { key, uploadId } = openUpload(deps, caller, ref.uploadId, ref.key);
  await deps.store.abort(key, uploadId);
}
