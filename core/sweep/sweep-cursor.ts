/** How far the sweep has come, and what it has seen: one object, so that a round outlives any invocation. */
import * as v from "valibot";
import { putOver, readText } from "../commit.ts";
import { newId, SWEEP_KEY } from "../keys.ts";
import type { ObjectStore } from "../ports.ts";

const time = v.pipe(v.string(), v.isoTimestamp());
const count = v.pipe(v.number(), v.integer());

/** Objects, by where they lie. */
const Seen = v.object({ originals: count, images: count, owners: count });
export type Seen = v.InferOutput<typeof Seen>;
export const NOTHING: Seen = { originals: 0, images: 0, owners: 0 };
export const sumOf = ({ originals, images, owners }: Seen) => originals + images + owners;

/** What a round found to delete: the image's id, or the key of an owner's entry, and when it was first found, in ms. */
const Strays = v.record(v.string(), count);
export type Strays = v.InferOutput<typeof Strays>;

/** Between the two rounds that have to find a thing before it is deleted. */
const EVIDENCE_MS = 86_400_000;
/** What a round that begins then deletes of these, in order, where it has found it as well. */
export function dueOf(strays: Strays, startedAt: number): string[] {
  const due = Object.entries(strays).filter(([, since]) => since <= startedAt - EVIDENCE_MS);
  return due.map(([key]) => key).sort();
}

/** What an owner has, as far as it has been counted. */
export const Owned = v.object({
  owner: v.string(),
  images: count,
  originals: count,
  variants: count,
  uploadsThisMonth: count,
});
export type Owned = v.InferOutput<typeof Owned>;

const Cursor = v.object({
  /** Another one means other rules: what was settled by the old ones is looked at again. */
  schema: v.literal(2),
  writeId: v.string(),
  /** Of this round, or of the last one; by S3's clock, as whatever is judged by. */
  startedAt: time,
  finishedAt: v.optional(time),
  /** Of the round before, as far as it is known. */
  lastRound: v.optional(time),
  /** First the images, then the owners' entries, then what is to be deleted. */
  stage: v.picklist(["images", "owners", "deletes"]),
  /** The last id, or key, that is done. */
  after: v.optional(v.string()),
  /** Images seen in this round. */
  images: count,
  seen: Seen,
  /** By the last round that was finished; absent where there was none. */
  before: v.optional(Seen),
  /** Tombstones found ripe in this round: they go when their owners' entries are gone. */
  ripe: v.array(v.string()),
  /** The owner whose entries are being counted, and those with the most of those before. */
  tally: v.optional(Owned),
  top: v.optional(v.array(Owned)),
  /** Found by the last round, and by this one. */
  strays: Strays,
  found: Strays,
  /** Objects of all this round's strays, also of those that there was no room to note. */
  doomed: count,
  /** Nothing went wrong in this round, and nothing was left to a worker or to the next round. */
  settled: v.boolean(),
  /** The longest patience of any run of this round, in milliseconds. */
  longest: v.number(),
  /** What nobody has touched since needs no look: a whole settled round came after every patience had ended. */
  settledBefore: v.optional(time),
  /** Somebody asked for the next round before it is due. */
  wanted: v.optional(v.literal(true)),
  /** The breaker is open, until somebody confirms. */
  stopped: v.optional(v.string()),
  /** The last stop that was confirmed, and how many objects may go until when. */
  confirmed: v.optional(v.object({ id: v.string(), objects: count, until: time })),
});
export type Cursor = v.InferOutput<typeof Cursor>;
/** A cursor that is still to be written. */
export type Round = Omit<Cursor, "writeId">;

export interface StoredCursor {
  readonly cursor: Cursor | undefined;
  /** Undefined where there is none. */
  readonly etag: string | undefined;
}

/** A cursor that cannot be read counts as none: the round begins anew. */
export async function readCursor(uploads: Pick<ObjectStore, "get">): Promise<StoredCursor> {
  const stored = await uploads.get(SWEEP_KEY);
  if (!stored) return { cursor: undefined, etag: undefined };
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), Cursor), await readText(stored.body));
  return { cursor: parsed.success ? parsed.output : undefined, etag: stored.etag };
}

/**
 * Writes the cursor over the one read or written before. Of two sweeps at once the one that began last goes on:
 * undefined tells the other that it has been overtaken.
 */
export async function writeCursor(
  { uploads, random }: { uploads: ObjectStore; random: (bytes: number) => Uint8Array },
  next: Round,
  etag: string | undefined,
): Promise<string | undefined> {
  const cursor: Cursor = { ...next, writeId: newId(random) };
  const text = JSON.stringify(cursor);
  return (await putOver(uploads, SWEEP_KEY, text, etag, { type: "application/json" }))?.etag;
}
