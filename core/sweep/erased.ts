/**
 * What still names an owner: a look at every place where one could be named, for whoever has to prove that nothing does.
 * It reads all originals' metadata, as an original is in no owner's list before a worker has been at it.
 */
import * as v from "valibot";
import { readRevision, readText } from "../commit.ts";
import { DarkroomError } from "../errors.ts";
import { jobIds } from "../job/job-records.ts";
import { jobPrefix, orderKey } from "../job-keys.ts";
import {
  countPrefix,
  DELIVERIES,
  EVENTS,
  forgetKey,
  homeOf,
  homePrefix,
  metaKey,
  ORIGINALS,
  originalKey,
  ownerOf,
  ownerPrefix,
  parseHomeFile,
  parseOriginalKey,
  parseOwnerKey,
  TOP_OWNERS_KEY,
} from "../keys.ts";
import { inLanes } from "../lanes.ts";
import { batches, collected, listed } from "../listing.ts";
import { parseMetadata } from "../metadata.ts";
import type { ObjectStore, Versions } from "../ports.ts";
import { readUploadMetadata } from "../upload-metadata.ts";
import { TOMBSTONE_MS } from "./diagnose.ts";
import { topOwners } from "./tally.ts";

export interface ErasedDeps {
  readonly uploads: ObjectStore;
  readonly media: ObjectStore;
  readonly kept: Versions;
  readonly now: () => Date;
}

export interface Traces {
  /** Images of his that are there, or on their way: by id. */
  readonly images: readonly string[];
  /** Entries of deleted images, which tell him so; they go with the tombstone, the last one then. */
  readonly entries: readonly string[];
  readonly entriesUntil?: string | undefined;
  /** What his images are counted as, and where he is among those with the most: keys. They go with the entries. */
  readonly counts: readonly string[];
  /** Orders that name him, and when the last of them goes by itself. */
  readonly jobs: readonly string[];
  readonly jobsUntil?: string | undefined;
  /** Keys of what is kept for replay, or parked, and copies whose it is, as earlier releases' may. */
  readonly events: readonly string[];
  readonly deliveries: readonly string[];
  /** Of his entries and originals that the buckets keep for an undelete. */
  readonly versions: number;
  /** Of deleted images whose entries are there. */
  readonly cdn: {
    /** Nothing of them is there after that: the CDN holds a variant for a day at most, browsers what they have shown for a year. */
    readonly until?: string | undefined;
    /** It is still to be asked to forget so many. */
    readonly toForget: number;
  };
  /** What was looked at. */
  readonly looked: { readonly originals: number; readonly jobs: number; readonly events: number };
}

const LANES = 32;
const DAY = 86_400_000;
/** As `deploy/infra/storage.yml` says of `jobs/`. */
const JOB_MS = 180 * DAY;
/** What a kept event or a parked delivery of this release takes is less; an earlier one's may be a copy. */
const NAMES_ONLY = 400;

/** @param sub of the owner's tokens */
export async function tracesOf(deps: ErasedDeps, sub: string): Promise<Traces> {
  const owner = ownerOf(sub);
  const deleted = await deletedOf(deps, owner);
  const originals = await originalsOf(deps, owner);
  const home = await homeImages(deps, owner);
  const jobs = await jobsNaming(deps.uploads, sub);
  const [events, deliveries] = [await copiesIn(deps, EVENTS, owner), await copiesIn(deps, DELIVERIES, owner)];
  const until = (times: readonly number[], more: number) =>
    times.length === 0 ? undefined : new Date(Math.max(...times) + more).toISOString();
  let versions = 0;
  for await (const { marker } of deps.kept.list(ownerPrefix(owner))) if (!marker) versions++;
  for (const { id } of deleted.gone)
    for await (const { marker } of deps.kept.list(originalKey(id))) if (!marker) versions++;
  const toForget = await inLanes(deleted.gone, LANES, ({ id }) => deps.uploads.head(forgetKey(id)));
  const times = deleted.gone.map(({ at }) => at);
  return {
    images: [...new Set([...deleted.living, ...originals.ids, ...home])].sort(),
    entries: deleted.gone.map(({ key }) => key),
    entriesUntil: until(times, TOMBSTONE_MS),
    counts: await countsNaming(deps.uploads, owner),
    jobs: jobs.naming.map(({ job }) => job),
    jobsUntil: until(
      jobs.naming.map(({ at }) => at),
      JOB_MS,
    ),
    events: events.keys,
    deliveries: deliveries.keys,
    // Those that are there now are no others.
    versions: Math.max(0, versions - deleted.entries),
    cdn: { until: until(times, DAY), toForget: toForget.filter((note) => note !== undefined).length },
    looked: { originals: originals.looked, jobs: jobs.looked, events: events.looked + deliveries.looked },
  };
}

/** Whether nothing names him any more. */
export const isErased = ({ images, entries, counts, jobs, events, deliveries, versions }: Traces) =>
  [images, entries, counts, jobs, events, deliveries].every(({ length }) => length === 0) && versions === 0;

/**
 * Removes what names him and no longer serves anybody: entries and counts of images that are deleted, and orders, as they stand in jobs
 * that are over.
 * @throws DarkroomError `precondition-failed` while an image of his is there
 */
export async function clearTraces(
  { uploads, media }: Pick<ErasedDeps, "uploads" | "media">,
  { images, entries, counts, jobs }: Traces,
  isOver: (job: string) => Promise<boolean>,
): Promise<void> {
  if (images.length > 0) throw new DarkroomError("precondition-failed", "Images of his are there.");
  await inLanes(entries, LANES, async (key) => {
    const { document } = await readRevision(media, parseOwnerKey(key)?.id ?? "");
    if (!document || document.status === "deleted") await uploads.delete(key);
  });
  // The next round of the sweep lists those with the most anew.
  await inLanes(counts, LANES, (key) => uploads.delete(key));
  for (const job of jobs) {
    if (!(await isOver(job))) continue;
    // The order last: whoever dies on the way finds the job again by it.
    for await (const { key } of listed(uploads, jobPrefix(job)))
      if (key !== orderKey(job)) await uploads.delete(key);
    await uploads.delete(orderKey(job));
  }
}

async function deletedOf({ uploads, media }: ErasedDeps, owner: string) {
  const entries = await collected(uploads, ownerPrefix(owner));
  const living: string[] = [];
  const gone: { key: string; id: string; at: number }[] = [];
  await inLanes(entries, LANES, async ({ key, lastModified }) => {
    const id = parseOwnerKey(key)?.id;
    if (id === undefined) return;
    const { document } = await readRevision(media, id);
    if (document && document.status !== "deleted") living.push(id);
    else gone.push({ key, id, at: document ? Date.parse(document.processedAt) : lastModified.getTime() });
  });
  return { living, gone, entries: entries.length };
}

async function countsNaming(uploads: ObjectStore, owner: string): Promise<string[]> {
  const keys = (await collected(uploads, countPrefix(owner))).map(({ key }) => key);
  const top = await topOwners(uploads);
  return top?.owners.some((one) => one.owner === owner) ? [...keys, TOP_OWNERS_KEY] : keys;
}

async function originalsOf({ uploads }: ErasedDeps, owner: string) {
  const ids: string[] = [];
  let looked = 0;
  for await (const batch of batches(listed(uploads, ORIGINALS), 1000)) {
    looked += batch.length;
    await inLanes(batch, LANES, async ({ key }) => {
      const original = await uploads.head(key);
      const id = parseOriginalKey(key);
      if (original && id && readUploadMetadata(original.metadata).owner === owner) ids.push(id);
    });
  }
  return { ids, looked };
}

/** What is private of him lies under a digest of his name. */
async function homeImages({ media }: ErasedDeps, owner: string): Promise<string[]> {
  const prefix = homePrefix(homeOf(owner));
  const living = new Set<string>();
  for await (const { key } of listed(media, prefix)) {
    const id = parseHomeFile(key);
    const stored = id && key === metaKey(id, homeOf(owner)) ? await media.get(key) : undefined;
    const isTombstone = stored && parseMetadata(await readText(stored.body)).status === "deleted";
    if (id && !isTombstone) living.add(id);
  }
  return [...living];
}

const one = v.object({ owner: v.optional(v.string()) });
/** By its selection, or as whose a URL of an import is to be. */
const Named = v.object({ startedAt: v.string(), select: one, urls: v.optional(v.array(one), []) });

async function jobsNaming(uploads: ObjectStore, sub: string) {
  const naming: { job: string; at: number }[] = [];
  let looked = 0;
  for await (const job of jobIds(uploads)) {
    looked++;
    const stored = await uploads.get(orderKey(job));
    if (!stored) continue;
    const order = v.safeParse(Named, JSON.parse(await readText(stored.body)));
    if (!order.success) continue;
    const { select, urls, startedAt } = order.output;
    if ([select, ...urls].some(({ owner }) => owner === sub)) naming.push({ job, at: Date.parse(startedAt) });
  }
  return { naming, looked };
}

/** Ours name an image and no owner; those that are larger are looked into. */
async function copiesIn({ uploads }: ErasedDeps, prefix: string, owner: string) {
  const keys: string[] = [];
  let looked = 0;
  for await (const { key, size } of listed(uploads, prefix)) {
    looked++;
    const stored = size > NAMES_ONLY ? await uploads.get(key) : undefined;
    if (stored && (await readText(stored.body)).includes(JSON.stringify(owner))) keys.push(key);
  }
  return { keys, looked };
}
