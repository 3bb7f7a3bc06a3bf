/** Which images a job is for: how they are asked for, where they are listed, and which of those listed are meant. */
import * as v from "valibot";
import { attentionOf } from "../attention.ts";
import { readRevision } from "../commit.ts";
import { recipeOf } from "../edit.ts";
import { DarkroomError } from "../errors.ts";
import {
  ATTENTION,
  type Attention,
  attentionPrefix,
  isId,
  ORIGINALS,
  originalKey,
  ownerKey,
  ownerOf,
  ownerPrefix,
  parseAttentionKey,
  parseOriginalKey,
  parseOwnerKey,
  shareBefore,
} from "../keys.ts";
import type { Metadata } from "../metadata.ts";
import type { ObjectStore } from "../ports.ts";
import { type Config, isSamePreset, type Preset, presetOf } from "../preset.ts";
import { readUploadMetadata } from "../upload-metadata.ts";

/** As many as a request body of 64 KB holds. */
const MAX_IDS = 2000;

const time = v.pipe(
  v.union(
    [v.pipe(v.string(), v.isoTimestamp()), v.pipe(v.string(), v.isoDate())],
    "a date or a time, ISO 8601",
  ),
  v.check((text) => !Number.isNaN(Date.parse(text)), "a date or a time, ISO 8601"),
  v.transform((text) => new Date(text).toISOString()),
);

export const Select = v.pipe(
  v.strictObject({
    ids: v.optional(
      v.pipe(
        v.array(
          v.pipe(
            v.string(),
            v.check((id) => isId(id), "not an image id"),
          ),
        ),
        v.minLength(1, "at least one id"),
        v.maxLength(MAX_IDS, `at most ${MAX_IDS} ids; take several jobs, or select by owner, time or status`),
        v.transform((ids) => [...new Set(ids)]),
      ),
    ),
    /** `sub` of the owner's tokens. */
    owner: v.optional(
      v.pipe(
        v.string(),
        v.minLength(1, "not empty"),
        v.maxLength(1024),
        v.check((owner) => owner.isWellFormed(), "not Unicode"),
      ),
    ),
    /** `stale`: made by another recipe than today's, or for a preset that is gone. What needs attention is tried again. */
    status: v.optional(v.picklist([...ATTENTION, "stale", "all"])),
    preset: v.optional(v.pipe(v.string(), v.maxLength(64))),
    /** This moment included. */
    uploadedAfter: v.optional(time),
    /** This moment not included. */
    uploadedBefore: v.optional(time),
  }),
  v.check(
    (select) => Object.values(select).some((value) => value !== undefined),
    "say which images: ids, owner, status, preset or time; status: all for every one",
  ),
  v.check(
    ({ uploadedAfter, uploadedBefore }) =>
      !uploadedAfter || !uploadedBefore || uploadedAfter < uploadedBefore,
    "uploadedAfter has to be before uploadedBefore",
  ),
);
export type Select = v.InferOutput<typeof Select>;

export const isAttention = (status: Select["status"]): status is Attention =>
  ATTENTION.some((one) => one === status);

/** Whether those selected are tried again where that was no fault of their recipe: named, or named by what became of them. */
export const isRetry = ({ ids, status }: Select) => ids !== undefined || isAttention(status);

/** An image that a list shows. */
export interface Candidate {
  readonly id: string;
  /** Milliseconds; absent where its list does not say. */
  readonly uploadedAt?: number;
}

export interface CandidatePage {
  readonly candidates: Candidate[];
  /** Where the next page begins; absent at the end. */
  readonly next?: string;
  /** How much of the source lies before `next`, 0 to 1; absent where nobody knows. */
  readonly share?: number;
}

/** The shortest list with all images that may be meant. */
function sourceOf({ ids, owner, status }: Select): "ids" | "owner" | "attention" | "originals" {
  if (ids) return "ids";
  if (owner !== undefined) return "owner";
  return isAttention(status) ? "attention" : "originals";
}

/** Where those are listed that have no original to be listed by. */
const GONE: readonly Attention[] = ["original-gone", "original-expired"];

/**
 * One page, at most 1,000 keys, of those that may be meant. `after` is an earlier page's `next`.
 * @param withGone also those that have lost their original
 */
export async function listCandidates(
  uploads: ObjectStore,
  select: Select,
  after: string | undefined,
  limit: number,
  withGone = false,
): Promise<CandidatePage> {
  const source = sourceOf(select);
  if (source === "ids") {
    const ids = select.ids ?? [];
    const from = Number(after ?? 0);
    const to = Math.min(from + limit, ids.length);
    const candidates = ids.slice(from, to).map((id) => ({ id }));
    return { candidates, share: to / ids.length, ...(to < ids.length ? { next: String(to) } : {}) };
  }
  if (source === "owner") {
    const { objects, next } = await uploads.list(ownerPrefix(ownerOf(select.owner ?? "")), { after, limit });
    const candidates = objects.flatMap(({ key }) => parseOwnerKey(key) ?? []);
    // Newest first: behind the first that is too old there are only older ones.
    const last = candidates.at(-1)?.uploadedAt ?? Number.POSITIVE_INFINITY;
    const over = select.uploadedAfter !== undefined && last < Date.parse(select.uploadedAfter);
    return { candidates, ...(next === undefined || over ? { share: 1 } : { next }) };
  }
  return listPrefixes(uploads, prefixesOf(select, withGone), after, limit);
}

/** Whether a page of `listCandidates`, with those that are gone, may end with this. */
export function isListedIn(select: Select, next: string): boolean {
  if (sourceOf(select) === "owner")
    return next.startsWith(ownerPrefix(ownerOf(select.owner ?? ""))) && parseOwnerKey(next) !== undefined;
  const prefixes = prefixesOf(select, true);
  return prefixes.some((prefix) => next.startsWith(prefix)) && next.length < 128;
}

function prefixesOf(select: Select, withGone: boolean): string[] {
  if (isAttention(select.status)) return [attentionPrefix(select.status)];
  return [ORIGINALS, ...(withGone ? GONE.map(attentionPrefix) : [])];
}

/** One prefix after the other; the `next` of a page that ends one is the next one itself. */
async function listPrefixes(
  uploads: ObjectStore,
  prefixes: readonly string[],
  after: string | undefined,
  limit: number,
): Promise<CandidatePage> {
  const at = Math.max(
    0,
    prefixes.findIndex((one) => after?.startsWith(one)),
  );
  const prefix = prefixes[at] ?? "";
  const { objects, next = prefixes[at + 1] } = await uploads.list(prefix, { after, limit });
  const candidates = objects.flatMap(({ key, lastModified }): Candidate[] => {
    const original = parseOriginalKey(key);
    if (original !== undefined) return [{ id: original, uploadedAt: lastModified.getTime() }];
    const id = parseAttentionKey(key);
    return id === undefined ? [] : [{ id }];
  });
  if (next === undefined) return { candidates, share: 1 };
  const id = parseOriginalKey(next) ?? (prefixes.length === 1 ? parseAttentionKey(next) : undefined);
  return { candidates, next, ...(id ? { share: shareBefore(id) } : {}) };
}

export interface SelectDeps {
  readonly uploads: ObjectStore;
  readonly media: ObjectStore;
  readonly config: Config;
}

/** Whether a candidate is meant; asks no more of S3 than the selection needs. */
export async function isMeant(deps: SelectDeps, select: Select, candidate: Candidate): Promise<boolean> {
  const source = sourceOf(select);
  const { status, preset, uploadedAfter, uploadedBefore } = select;
  const isTimed = uploadedAfter !== undefined || uploadedBefore !== undefined;
  if (candidate.uploadedAt !== undefined && !inTime(select, candidate.uploadedAt)) return false;
  const byDocument =
    preset !== undefined ||
    status === "stale" ||
    (source !== "attention" && isAttention(status)) ||
    select.owner !== undefined ||
    (isTimed && candidate.uploadedAt === undefined);
  const document = byDocument ? await readDocument(deps.media, candidate.id) : undefined;
  // Let its own message end it, or an operator look: it must not stop the page.
  if (document === "unreadable") return true;
  if (document?.status === "deleted") return false;
  const uploadedAt = document?.uploadedAt === undefined ? undefined : Date.parse(document.uploadedAt);
  // An original written twice has two entries; only one is the document's.
  if (source === "owner" && uploadedAt !== undefined && uploadedAt !== candidate.uploadedAt) return false;
  if (status === "stale" && !isStale(document, deps.config)) return false;
  if (isAttention(status) && byDocument && attentionOf(document)?.status !== status) return false;
  if (preset !== undefined && document?.preset && !isSamePreset(deps.config, document.preset, preset))
    return false;
  if (
    isTimed &&
    candidate.uploadedAt === undefined &&
    uploadedAt !== undefined &&
    !inTime(select, uploadedAt)
  )
    return false;
  return isMeantByOriginal(deps, select, candidate, document);
}

/** What no document says of it. */
async function isMeantByOriginal(
  { uploads, config }: SelectDeps,
  select: Select,
  { id, uploadedAt }: Candidate,
  document: Metadata | undefined,
): Promise<boolean> {
  const { preset, owner, uploadedAfter, uploadedBefore } = select;
  const asksPreset = preset !== undefined && !document?.preset;
  const asksOwner = owner !== undefined && sourceOf(select) !== "owner";
  const isTimed = uploadedAfter !== undefined || uploadedBefore !== undefined;
  const asksTime = isTimed && uploadedAt === undefined && document?.uploadedAt === undefined;
  if (!asksPreset && !asksOwner && !asksTime) return true;
  const original = await uploads.head(originalKey(id));
  const upload = original && readUploadMetadata(original.metadata);
  const uploadedFor = upload?.preset ?? config.defaultPreset;
  if (asksPreset && !(upload && isSamePreset(config, uploadedFor, preset))) return false;
  if (asksTime && !(original && inTime(select, original.lastModified.getTime()))) return false;
  if (!asksOwner) return true;
  if (upload) return upload.owner === ownerOf(owner);
  if (document?.uploadedAt === undefined) return false;
  // Where the original is gone the owner's entry speaks for it; by a list, as no role but one may read entries.
  const entry = ownerKey(ownerOf(owner), Date.parse(document.uploadedAt), id);
  return (await uploads.list(entry, { limit: 1 })).objects.length > 0;
}

/**
 * What is to be deleted was there when that was asked for: nobody has meant what comes later. Images that are named are
 * meant whenever they come. S3 knows seconds only: what came in this one may have come later.
 */
export function uploadedUntil(select: Select, at: Date): Select {
  if (select.ids) return select;
  const until = new Date(Math.floor(at.getTime() / 1000) * 1000).toISOString();
  const { uploadedBefore = until } = select;
  return { ...select, uploadedBefore: uploadedBefore < until ? uploadedBefore : until };
}

export function inTime({ uploadedAfter, uploadedBefore }: Select, at: number): boolean {
  return (
    (uploadedAfter === undefined || at >= Date.parse(uploadedAfter)) &&
    (uploadedBefore === undefined || at < Date.parse(uploadedBefore))
  );
}

/** A document that another recipe made than the one its preset has today, that lies elsewhere, or whose preset is gone. */
function isStale(document: Metadata | undefined, config: Config): boolean {
  if (document?.preset === undefined) return false;
  const preset = presetOf(config, document.preset);
  return !preset || document.recipe !== recipeOf(preset, document.edit) || isAstray(document, preset);
}

/** Private though its preset has its images in public, or the other way round. */
export const isAstray = ({ access }: Metadata, preset: Preset) => (access ?? "public") !== preset.access;

/** The metadata document of an image, where there is one and it is one of ours. */
export async function readDocument(
  media: ObjectStore,
  id: string,
): Promise<Metadata | "unreadable" | undefined> {
  try {
    return (await readRevision(media, id)).document;
  } catch (error) {
    if (error instanceof SyntaxError || v.isValiError(error)) return "unreadable";
    throw error;
  }
}

/** @throws DarkroomError `bad-request` */
export function checkPreset({ preset }: Select, config: Config): void {
  if (preset === undefined || presetOf(config, preset)) return;
  throw new DarkroomError("bad-request", "select.preset: there is no preset of this name.");
}
