/** In what ways a sample image can stand before an event, and the metadata documents for that. */

import type { Edit } from "../core/edit.ts";
import { variantKey } from "../core/keys.ts";
import { type Metadata, tombstone } from "../core/metadata.ts";
import config from "../core/shipped.ts";

export const UPLOADED_AT = "2026-05-01T10:00:00.000Z";

/** One row of `originals.json`, by image id. */
export interface Sample {
  /** In the same folder. */
  readonly file: string;
  readonly type: string;
  /** As in `${uploadToken}` and the other tokens. */
  readonly owner: string;
  readonly preset: string;
  readonly filename: string;
  /** As a token says it. */
  readonly ref?: string;
  /** Uploaded in parts, of which S3 makes another ETag. */
  readonly multipart?: boolean;
  /** Of the bytes announced at signing, base64; another one than the file's for a mismatch. */
  readonly sha256?: string;
  /** Of its token. */
  readonly maxImages?: number;
  /** Of its token, in seconds; and how that stands: `over` is wanted since longer than that. */
  readonly attachWithin?: number;
  readonly attach?: "wanted" | "attached" | "over";
  /** What was asked of it after its upload. */
  readonly edit?: Omit<Edit, "schema" | "at">;
  /** What was agreed on an upload in parts: its exact size, where that was said, and the limit. */
  readonly size?: number;
  readonly maxBytes?: number;
  /** Placeholder by which events mean this image without naming it. */
  readonly meantBy?: string;
  /** A round of the sweep two days ago has found it to delete. */
  readonly stray?: true;
  /** What else there is. */
  readonly state: StateName;
}

/** Makes what lies at `meta.json`: a document, or the text of something else. */
type MakeDocument = (
  id: string,
  sample: Sample,
  original: { etag: string; bytes: number },
) => Metadata | string;

interface State {
  /** Whether the original is there. */
  readonly original: boolean;
  /** Absent: no metadata yet. */
  readonly document?: MakeDocument;
  /** False: nothing of it under `failures/`. */
  readonly indexed?: false;
  /** A variant that no document names. */
  readonly left?: true;
  /** In parts: one part of it is there, or it is open no more. Absent: it never was. */
  readonly multipart?: "open" | "over";
}

const table = {
  /** Just uploaded. */
  new: { original: true },
  ready: { original: true, document: ready },
  /** Ready by a preset that keeps whose it is. */
  credited: {
    original: true,
    document(...args) {
      const { source, ...document } = ready(...args);
      const rights = { creator: "Ann Example", credit: "Example Agency" };
      return { ...document, rights, ...(source && { source: { ...source, c2pa: true } }) };
    },
  },
  /** Ready by other sizes than those of today. */
  stale: { original: true, document: (...args) => ({ ...ready(...args), recipe: "0123456789abcdef" }) },
  /** Ready by a later event than any sample speaks of. */
  newer: { original: true, document: (...args) => ({ ...ready(...args), sequencer: "00FFFFFFFFFFFFFFFF" }) },
  /** Made anew by other sizes long ago; of another such change a deletion was broken off. */
  superseded: { original: true, document: superseded },
  /** As `ready`, but of another time than its owner's entry says. */
  mislisted: {
    original: true,
    document: (...args) => ({ ...ready(...args), uploadedAt: "2026-05-01T09:00:00.000Z" }),
  },
  /** Good, and nobody has released it yet; by other sizes than those of today. */
  held: { original: true, document: held(new Date("2100-01-01T00:00:00Z")) },
  /** The same, and nobody did in time. */
  unjudged: { original: true, document: held(new Date(UPLOADED_AT)) },
  rejected: { original: true, document: rejected },
  /** Given up, after two days of tries. */
  failed: { original: true, document: failed },
  /** Whoever wrote the document died before the entry that it calls for. */
  unindexed: { original: true, document: rejected, indexed: false },
  /** As `ready`, but its original was removed by other means than ours. */
  orphaned: { original: false, document: ready },
  deleted: { original: false, document: deleted },
  /** Written again, by a signature still valid, after it was deleted, and about to be once more. */
  revenant: { original: true, document: deleted, multipart: "open", left: true },
  /** Nothing of it is there, as when it was deleted before anything else. */
  gone: { original: false },
  /** Being uploaded in parts: the first part is there. */
  uploading: { original: false, multipart: "open" },
  /** Was uploaded in parts; the answer may not have arrived. */
  completed: { original: true, multipart: "over" },
  aborted: { original: false, multipart: "over" },
  /** Its document cannot be read: every try ends in an error of ours. */
  unreadable: { original: true, document: () => "not JSON" },
} as const satisfies Record<string, State>;

export type StateName = keyof typeof table;
export const states: Readonly<Record<StateName, State>> = table;

function common(id: string, { preset }: Sample) {
  const recipe = config.presets.get(preset)?.recipe;
  return {
    schema: 1 as const,
    id,
    rev: 1,
    writeId: id,
    preset,
    ...(recipe ? { recipe } : {}),
    pending: [],
    uploadedAt: UPLOADED_AT,
    processedAt: "2026-05-01T10:00:01.000Z",
    durationMs: 812,
    superseded: [],
    deleting: [],
  };
}

export const thumbKey = (id: string) => variantKey(id, "thumb", "0123456789abcdef", "webp");

export function ready(id: string, sample: Sample, original: { etag: string; bytes: number }): Metadata {
  const key = thumbKey(id);
  const variant = {
    name: "thumb",
    format: "webp",
    type: "image/webp",
    width: 64,
    height: 64,
    bytes: 21,
  } as const;
  return {
    ...common(id, sample),
    status: "ready",
    sequencer: "0055AED6DCD90281E5",
    source: {
      ...original,
      type: "image/jpeg",
      format: "jpeg",
      width: 96,
      height: 64,
      alpha: false,
      frames: 1,
    },
    placeholder: {
      thumbhash: "1QcSHQRnh493V4dIh4eXh1h4kJUI",
      dataUrl: "data:image/webp;base64,UklGRg==",
      color: "#7a8b99",
    },
    variants: [{ ...variant, key, url: `https://cdn.example.com/${key}` }],
  };
}

function superseded(...args: Parameters<MakeDocument>): Metadata {
  const old = (digest: string) => ({ key: variantKey(args[0], "thumb", digest, "webp"), at: UPLOADED_AT });
  return { ...ready(...args), superseded: [old("1111111111111111")], deleting: [old("2222222222222222")] };
}

/** What is held of it stands in the other bucket, as `ready` says. */
function held(until: Date): (...args: Parameters<MakeDocument>) => Metadata {
  return (...args) => {
    const { placeholder: _, ...document } = ready(...args);
    const waits = { at: UPLOADED_AT, until: until.toISOString() };
    return { ...document, status: "held", variants: [], recipe: "0123456789abcdef", held: waits };
  };
}

function rejected(id: string, sample: Sample, original: { etag: string; bytes: number }): Metadata {
  const error = { code: "corrupt", message: "The image is damaged and cannot be read." } as const;
  return { ...common(id, sample), status: "rejected", source: original, variants: [], error };
}

function failed(...args: Parameters<typeof rejected>): Metadata {
  const error = { code: "retries-exhausted", message: "We could not develop this image." } as const;
  return { ...rejected(...args), status: "failed", error };
}

function deleted(id: string): Metadata {
  return { ...tombstone(undefined, id, UPLOADED_AT, new Date("2026-05-02T10:00:00Z")), rev: 2, writeId: id };
}
