/**
 * The metadata document `meta.json`: its shape, and which document may follow which. The document is public:
 * no owner, no file name, nothing from EXIF but the date.
 */
import * as v from "valibot";
import { pictureData } from "../client/picture.ts";
import type { Finding } from "./checks.ts";
import { AppliedSchema, appliedOf, type StandingEdit } from "./edit.ts";
import { type ErrorCode, errors } from "./errors.ts";
import { type Home, PUBLIC, rehomed } from "./keys.ts";
import { compareSequencers } from "./message.ts";

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
/** ISO 8601 in UTC. */
const time = v.pipe(v.string(), v.isoTimestamp());
const KeyAt = v.object({ key: v.string(), at: time });
/** Codes and formats are read as text: another release, before or after this one, may know other ones. */
const Problem = v.object({
  code: v.string(),
  message: v.string(),
  /** Of a rejected file: what a look at it found (`core/checks.ts`), and at which byte. */
  check: v.optional(v.string()),
  at: v.optional(v.number()),
});

const Variant = v.object({
  name: v.string(),
  format: v.string(),
  type: v.string(),
  width: count,
  height: count,
  bytes: count,
  /** Only where this variant is animated. */
  frames: v.optional(count),
  /** Only where it carries a gain map: as bright as a screen with HDR can be. */
  hdr: v.optional(v.boolean()),
  key: v.string(),
  url: v.string(),
});

const Source = v.object({
  bytes: count,
  /** S3's ETag of the original, without quotes. */
  etag: v.string(),
  /** By content, not as declared; these are absent where the file could not be read that far. */
  type: v.optional(v.string()),
  format: v.optional(v.string()),
  /** Pixels, after orientation. */
  width: v.optional(count),
  height: v.optional(count),
  /** Hexadecimal. */
  sha256: v.optional(v.string()),
  alpha: v.optional(v.boolean()),
  frames: v.optional(count),
  /** Local time without zone, as the camera wrote it. */
  takenAt: v.optional(v.string()),
  /** What the colours were, where they were not sRGB's: `display-p3`, `adobe-rgb`, `rec2020`, `prophoto-rgb`, `cmyk`, `other`. */
  colour: v.optional(v.string()),
  /** How it was brighter than a screen of today: `pq`, `hlg`, `gain-map`. */
  hdr: v.optional(v.string()),
  /** Whether it has a manifest of content credentials (C2PA), which stays with the original. */
  c2pa: v.optional(v.boolean()),
  /** Since when the original is known to be gone, which nobody deleted through us. */
  gone: v.optional(time),
  /** It went because the deployment keeps originals, or rejected ones, for so many days. */
  expired: v.optional(v.literal(true)),
});

/** What a `<picture>` of the preset's ladder is made of, by whatever writes the page: attributes as they stand there, unescaped. */
const Picture = v.object({
  /** In the order in which the browser should choose. */
  sources: v.array(v.object({ media: v.optional(v.string()), type: v.string(), srcset: v.string() })),
  img: v.object({ src: v.string(), srcset: v.string(), width: count, height: count }),
  /** CSS: the value of `background`. Absent behind transparency, where it would show. */
  placeholder: v.optional(v.string()),
});

/** Text of whoever made the file. */
const KeptRights = v.object({
  creator: v.optional(v.string()),
  credit: v.optional(v.string()),
  copyright: v.optional(v.string()),
  /** How it came about, as one of https://cv.iptc.org/newscodes/digitalsourcetype/. */
  digitalSourceType: v.optional(v.string()),
});

export const MetadataSchema = v.object({
  schema: v.literal(1),
  id: v.string(),
  status: v.picklist(["ready", "held", "rejected", "failed", "deleted"]),
  /** Absent where everybody may see it. */
  access: v.optional(v.literal("private")),
  /** Counts the commits of this document. */
  rev: count,
  /** Of the writer of this revision: tells it after a lost answer that it had won. */
  writeId: v.string(),
  /** Of the notification this revision knows of; the greatest wins. */
  sequencer: v.optional(v.string()),
  source: v.optional(Source),
  placeholder: v.optional(v.object({ thumbhash: v.string(), dataUrl: v.string(), color: v.string() })),
  /** What was asked of it after its upload, as far as that is done: `edits/{id}.json`. */
  edit: v.optional(AppliedSchema),
  /** What it shows, for those who do not see it: text of whoever may edit it. */
  alt: v.optional(v.string()),
  /** What the preset keeps of whose it is. */
  rights: v.optional(KeptRights),
  variants: v.array(Variant),
  /** Of what is ready. */
  picture: v.optional(Picture),
  preset: v.optional(v.string()),
  /** Digest of the whole preset these variants were made by. */
  recipe: v.optional(v.string()),
  /** Formats still to come. */
  pending: v.array(v.string()),
  uploadedAt: v.optional(time),
  processedAt: time,
  /** Since when it has been ready, whatever was made anew since. */
  readyAt: v.optional(time),
  /** Of what is held: since when, when it is told of again unless it was, and when it is rejected, as nobody judged it. */
  held: v.optional(v.object({ at: time, remindAt: v.optional(time), until: time })),
  /** When somebody released it. */
  releasedAt: v.optional(time),
  /** It was deleted, and is back since then. */
  undeletedAt: v.optional(time),
  /** How long the pixel work took. */
  durationMs: v.optional(count),
  /** Variants no longer listed, kept for old pages until their grace period ends. */
  superseded: v.array(KeyAt),
  /** Variants that are being deleted. */
  deleting: v.array(KeyAt),
  error: v.optional(Problem),
  lastError: v.optional(v.object({ code: v.string(), message: v.string(), at: time })),
  /** Since when every try has failed for reasons of ours, or may have; the sweep tries again, for two weeks. */
  failedAt: v.optional(time),
});

export type Metadata = v.InferOutput<typeof MetadataSchema>;
export type Variant = v.InferOutput<typeof Variant>;
export type Source = v.InferOutput<typeof Source>;

/**
 * Reads a stored document. Unknown fields are dropped, and a picture that an earlier release did not write is there;
 * throws a ValiError where it is not one of ours.
 */
export function parseMetadata(text: string): Metadata {
  const document = v.parse(MetadataSchema, JSON.parse(text));
  return document.picture ? document : definedOnly({ ...document, picture: pictureOf(document) });
}

/** The same that the browser library makes, by the same code. */
export function pictureOf(
  image: Pick<Metadata, "id" | "status" | "source" | "placeholder" | "variants">,
): Metadata["picture"] {
  if (image.status !== "ready" || image.variants.length === 0) return undefined;
  const { sources, img } = pictureData(image, { alt: "" });
  const { src, srcset, width, height, background } = img;
  return {
    sources: sources.map(({ sizes: _, ...source }) => source),
    img: { src, srcset, width, height },
    ...(background !== undefined && { placeholder: background }),
  };
}

/** What a try to develop an image came to. `sequencer` is absent for jobs, which keep the one they find. */
export interface Verdict {
  readonly status: "ready" | "held" | "rejected" | "failed";
  readonly sequencer?: string | undefined;
  readonly source?: Source | undefined;
  readonly preset?: string | undefined;
  readonly recipe?: string | undefined;
  readonly uploadedAt?: string | undefined;
  readonly rights?: Metadata["rights"];
  /** That was known when the try began. */
  readonly edit?: StandingEdit | undefined;
  readonly alt?: string | undefined;
  readonly placeholder?: Metadata["placeholder"];
  readonly variants?: Variant[];
  /** Formats that follow. */
  readonly pending?: string[];
  readonly durationMs?: number | undefined;
  readonly error?: { code: ErrorCode; message: string } & Partial<Finding>;
  /** Rejected on evidence that weather may have made: to be tried again, as what failed is. */
  readonly heals?: boolean;
  /** Of what is held: days until it is told of again; twice as many until it is rejected. */
  readonly holdDays?: number | undefined;
  /** What somebody has decided about an image that was held. */
  readonly judged?: boolean;
  /** A job's wish to make everything again, or to try again what was rejected. */
  readonly force?: boolean;
}

const DAY_MS = 86_400_000;
const ORIGINAL_GONE = "original-gone" satisfies ErrorCode;
const NOT_ALLOWED = "not-allowed" satisfies ErrorCode;

/** A document still without `rev` and `writeId`, which the commit gives it. */
export type Draft = Omit<Metadata, "rev" | "writeId">;
/** What to do with a verdict in view of the document that is there. */
export type Transition = { readonly write: Draft } | { readonly stop: "deleted" | "superseded" | "done" };

/** The document that follows `standing` on `verdict`, or why none does: rule 6 and "States" of docs/design.md. */
export function transition(
  standing: Metadata | undefined,
  id: string,
  verdict: Verdict,
  at: Date,
): Transition {
  const current = standing && verdict.source ? withOriginal(standing) : standing;
  if (current?.status === "deleted") return { stop: "deleted" };
  if (compareSequencers(current?.sequencer, verdict.sequencer) > 0) return { stop: "superseded" };
  // What was made without knowing of an edit that is shown already is of yesterday.
  const isEdited = editOf(current) > (verdict.edit?.rev ?? 0);
  if (isEdited && verdict.status !== "failed" && !verdict.judged) return { stop: "superseded" };
  const sameSource =
    current?.source !== undefined && (!verdict.source || current.source.etag === verdict.source.etag);
  const now = at.toISOString();

  const stands = (current?.status === "ready" || current?.status === "held") && !verdict.judged;
  if (verdict.error && stands && (sameSource || verdict.status === "failed")) {
    const lastError = { code: verdict.error.code, message: verdict.error.message, at: now };
    return { write: definedOnly({ ...current, lastError, failedAt: failedSince(current, verdict, now) }) };
  }
  if (verdict.status === "failed" && current && current.status !== "failed") return { stop: "done" };
  const { recipe } = verdict;
  if (
    verdict.status !== "failed" &&
    !verdict.force &&
    editOf(current) === (verdict.edit?.rev ?? 0) &&
    isSettled(current, { etag: verdict.source?.etag, recipe })
  ) {
    return { stop: "done" };
  }

  const variants = verdict.variants ?? [];
  const listed = new Set(variants.map(({ key }) => key));
  const dropped = (current?.variants ?? []).filter(({ key }) => !listed.has(key));
  const image = {
    id,
    status: verdict.status,
    source: verdict.source ?? current?.source,
    placeholder: verdict.placeholder,
    variants,
  };
  return {
    write: definedOnly({
      schema: 1 as const,
      ...image,
      sequencer: verdict.sequencer ?? current?.sequencer,
      edit: verdict.edit ? appliedOf(verdict.edit) : current?.edit,
      alt: verdict.status === "ready" ? verdict.alt : undefined,
      rights: verdict.rights,
      picture: pictureOf(image),
      preset: verdict.preset ?? current?.preset,
      recipe,
      pending: verdict.pending ?? [],
      uploadedAt: current?.uploadedAt ?? verdict.uploadedAt,
      processedAt: now,
      readyAt: verdict.status === "ready" ? (readySince(current) ?? now) : undefined,
      held: verdict.status === "held" ? heldSince(sameSource ? current : undefined, verdict, at) : undefined,
      releasedAt: releasedSince(sameSource ? current : undefined, verdict, now),
      undeletedAt: current?.undeletedAt,
      durationMs: verdict.durationMs,
      superseded: [
        ...(current?.superseded ?? []).filter(({ key }) => !listed.has(key)),
        ...dropped.map(({ key }) => ({ key, at: now })),
      ],
      deleting: current?.deleting ?? [],
      error: verdict.error,
      failedAt: failedSince(current, verdict, now),
    }),
  };
}

/** The number of the edit that a document shows; 0 for none. */
export const editOf = (document: Pick<Metadata, "edit"> | undefined) => document?.edit?.rev ?? 0;

/** The same image under an edit that asks nothing of its pixels. */
export function withEdit({ alt: _, ...current }: Metadata, edit: StandingEdit, at: Date): Metadata {
  return definedOnly({
    ...current,
    edit: appliedOf(edit),
    alt: edit.alt,
    processedAt: at.toISOString(),
    readyAt: readySince(current),
  });
}

/**
 * The document of an image that moves: its variants are those of the new home. Pages may go on naming private files for a
 * while, of public ones nothing stays.
 */
export function rehomedDocument(current: Metadata, home: Home, mediaUrl: string, at: Date): Metadata {
  const { access: _, picture: __, ...rest } = current;
  const now = at.toISOString();
  const variants = current.variants.map((variant) => {
    const key = rehomed(variant.key, current.id, home);
    return { ...variant, key, url: `${mediaUrl}/${key}` };
  });
  const wanted = new Set(variants.map(({ key }) => key));
  const superseded = [
    ...current.superseded.filter(({ key }) => !wanted.has(key)),
    ...current.variants.map(({ key }) => ({ key, at: now })),
  ];
  const document = { ...rest, variants, superseded, processedAt: now };
  return definedOnly({
    ...document,
    access: home === PUBLIC ? undefined : ("private" as const),
    picture: pictureOf(document),
  });
}

/** The same image by other URLs; its markup data as well. */
export function withUrls<D extends Metadata>(document: D, urlOf: (variant: Variant) => string): D {
  const { picture: _, ...rest } = document;
  const variants = document.variants.map((variant) => ({ ...variant, url: urlOf(variant) }));
  return definedOnly({ ...rest, variants, picture: pictureOf({ ...document, variants }) }) as unknown as D;
}

/** Of another source it is another failure. */
function failedSince(current: Metadata | undefined, verdict: Verdict, now: string): string | undefined {
  if (verdict.status !== "failed" && !verdict.heals) return undefined;
  const sameSource = !verdict.source || current?.source?.etag === verdict.source.etag;
  return (sameSource && current?.failedAt) || now;
}

function heldSince(current: Metadata | undefined, { holdDays = 0 }: Verdict, at: Date): Metadata["held"] {
  const after = (days: number) => new Date(at.getTime() + days * DAY_MS).toISOString();
  return current?.held ?? { at: after(0), remindAt: after(holdDays), until: after(2 * holdDays) };
}

function releasedSince(
  current: Metadata | undefined,
  { status, judged }: Verdict,
  now: string,
): string | undefined {
  if (status !== "ready") return undefined;
  return judged ? now : current?.releasedAt;
}

const readySince = (current: Metadata | undefined) =>
  current?.status === "ready" ? (current.readyAt ?? current.processedAt) : undefined;

/** Whether `current` already says, for good, what becomes of this source under this recipe. */
export function isSettled(
  current: Metadata | undefined,
  wanted: { etag: string | undefined; recipe: string | undefined },
): boolean {
  // Whatever is made of it, somebody has said that nobody shall see it.
  if (current?.error?.code === NOT_ALLOWED && current.source?.etag === wanted.etag) return true;
  return (
    (current?.status === "ready" || current?.status === "held" || current?.status === "rejected") &&
    current.pending.length === 0 &&
    current.source?.etag === wanted.etag &&
    current.recipe === wanted.recipe
  );
}

/**
 * The document of an image whose original was found to be gone, by a job where `asked`: it stays as it is, and says so.
 * Where the deployment keeps originals for `originalsDays` it also says whether that is why.
 * Undefined where there is nothing to say, or it has been said.
 */
export function withoutOriginal(
  current: Metadata | undefined,
  at: Date,
  { asked = false, originalsDays = 0 }: { asked?: boolean; originalsDays?: number | undefined },
): Metadata | undefined {
  if (!current?.source || current.status === "deleted") return undefined;
  const now = at.toISOString();
  const { gone = now } = current.source;
  const isNew = asked && current.lastError?.code !== ORIGINAL_GONE;
  const age = at.getTime() - Date.parse(current.uploadedAt ?? now);
  // Both by S3's clock, whose rule waits for the next midnight besides.
  const isExpired = current.source.expired ?? (originalsDays > 0 && age >= originalsDays * DAY_MS);
  if (gone === current.source.gone && isExpired === (current.source.expired ?? false) && !isNew)
    return undefined;
  const problem = { code: ORIGINAL_GONE, message: errors[ORIGINAL_GONE].sentence, at: now };
  const source = { ...current.source, gone, ...(isExpired ? { expired: isExpired as true } : {}) };
  return { ...current, source, ...(isNew ? { lastError: problem } : {}) };
}

/** The document of a rejected image whose original is about to be let go, as nobody has tried it again for so long. */
export function letGo(current: Metadata | undefined, etag: string, at: Date): Metadata | undefined {
  if (current?.status !== "rejected" || current.source?.etag !== etag) return undefined;
  return { ...current, source: { ...current.source, gone: at.toISOString(), expired: true } };
}

/** The same once its original is there again. */
export function withOriginal({ lastError, source, ...rest }: Metadata): Metadata {
  return definedOnly({
    ...rest,
    source: source && definedOnly({ ...source, gone: undefined, expired: undefined }),
    lastError: lastError?.code === ORIGINAL_GONE ? undefined : lastError,
  });
}

/** Whether it says of a try that came to nothing, which only another try does away with. */
export const hasProblem = (document: Metadata | undefined) =>
  (document?.status === "rejected" && document.error?.code !== NOT_ALLOWED) ||
  document?.lastError !== undefined;

/** The document of a deleted image: it ends every path, whatever comes after it. */
export function tombstone(
  current: Metadata | undefined,
  id: string,
  uploadedAt: string | undefined,
  at: Date,
): Draft {
  return definedOnly({
    schema: 1 as const,
    id,
    status: "deleted" as const,
    sequencer: current?.sequencer,
    variants: [],
    pending: [],
    superseded: [],
    deleting: [],
    uploadedAt: current?.uploadedAt ?? uploadedAt,
    processedAt: at.toISOString(),
  });
}

/** The document of an image whose delete was taken back: as it was, and told anew. */
export function restored(before: Metadata, sequencer: string | undefined, at: Date): Draft {
  const { rev: _, writeId: __, ...document } = before;
  const now = at.toISOString();
  return definedOnly({
    ...document,
    sequencer: compareSequencers(sequencer, before.sequencer) > 0 ? sequencer : before.sequencer,
    deleting: [],
    processedAt: now,
    readyAt: before.status === "ready" ? now : undefined,
    undeletedAt: now,
  });
}

/**
 * Holds the place of a document there is none of while `keys` are deleted, which lie there and belong to nobody: the only
 * one that has no source and is no tombstone.
 */
export function placeholder(id: string, keys: readonly string[], at: Date): Draft {
  const processedAt = at.toISOString();
  return {
    schema: 1,
    id,
    status: "failed",
    variants: [],
    pending: [],
    superseded: [],
    deleting: keys.map((key) => ({ key, at: processedAt })),
    processedAt,
    error: { code: ORIGINAL_GONE, message: errors[ORIGINAL_GONE].sentence },
  };
}

type Defined<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};
/** Without the properties that are undefined, so that optional means absent, in types and in JSON. */
function definedOnly<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as Defined<T>;
}
