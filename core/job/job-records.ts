/**
 * What is written of a job. Every key has one writer, or is written once (`If-None-Match`), so that workers never
 * fight over one object: the order, what was chosen of each page, what became of each message.
 */
import * as v from "valibot";
import { readText } from "../commit.ts";
import { hasOutcome } from "../errors.ts";
import {
  behindJob,
  cancelledKey,
  JOBS,
  jobOf,
  openKey,
  orderKey,
  pageKey,
  pagesPrefix,
  resultKey,
} from "../job-keys.ts";
import type { ObjectStore } from "../ports.ts";
import { Select } from "./selection.ts";

const count = v.pipe(v.number(), v.integer(), v.minValue(0));

/** What is done with every image that is meant. */
export const ACTIONS = ["develop", "delete"] as const;
export type Action = (typeof ACTIONS)[number];
/** What jobs do; those that import make images, of URLs. */
export const JOB_ACTIONS = [...ACTIONS, "import"] as const;

/** What an import is to make of a URL. */
const WantedUrl = v.object({
  /** Of the image that it becomes: the same for the same wish, so that nothing is imported twice. */
  id: v.string(),
  url: v.string(),
  /** `sub` of the owner's tokens. */
  owner: v.string(),
  preset: v.string(),
  name: v.optional(v.string()),
  focus: v.optional(v.object({ x: v.number(), y: v.number() })),
  ref: v.optional(v.string()),
});
export type WantedUrl = v.InferOutput<typeof WantedUrl>;

const Order = v.object({
  schema: v.literal(1),
  job: v.string(),
  /** An earlier release had but one. */
  action: v.optional(v.picklist(JOB_ACTIONS), "develop"),
  select: Select,
  /** Of an import. */
  urls: v.optional(v.array(WantedUrl)),
  /** Makes everything anew that is there already. */
  force: v.boolean(),
  startedAt: v.string(),
  /** Of every preset, as they were at the start. */
  recipes: v.record(v.string(), v.string()),
});
export type Order = v.InferOutput<typeof Order>;

const PageRecord = v.object({
  page: count,
  /** Chosen, and to be sent: by whoever works on this page, also after a crash. */
  ids: v.array(v.string()),
  /** Sums over this page and those before it. */
  scanned: count,
  queued: count,
  /** Where the next page begins; absent on the last one. */
  next: v.optional(v.string()),
  /** How much of all there is has been looked at, 0 to 1; absent where nobody knows. */
  share: v.optional(v.number()),
});
export type PageRecord = v.InferOutput<typeof PageRecord>;

/** Where to go on choosing. */
export const Position = v.object({
  page: count,
  /** The page before's `next`. */
  after: v.optional(v.string()),
  /** Sums over the pages before. */
  scanned: count,
  queued: count,
});
export type Position = v.InferOutput<typeof Position>;

/** Where a job goes on, and the ETag under which that may be written anew; undefined once it has seen all. */
export async function readPosition(
  uploads: ObjectStore,
  job: string,
): Promise<{ position: Position; etag: string } | undefined> {
  const stored = await uploads.get(openKey(job));
  return (
    stored && {
      position: v.parse(Position, JSON.parse(await readText(stored.body))),
      etag: stored.etag,
    }
  );
}

/** Lets a job go on here, unless it has a place already, or is past this page. */
export async function openJob(uploads: ObjectStore, job: string, position: Position): Promise<boolean> {
  if (await uploads.head(openKey(job))) return true;
  const last = await readLastPage(uploads, job);
  if (last && last.page > position.page) return false;
  await writeOnce(uploads, openKey(job), position);
  return true;
}

/** Undefined when there is no such job. */
export const readOrder = (uploads: ObjectStore, job: string): Promise<Order | undefined> =>
  readJson(uploads, orderKey(job), Order);

export const readPage = (uploads: ObjectStore, job: string, page: number): Promise<PageRecord | undefined> =>
  readJson(uploads, pageKey(job, page), PageRecord);

export async function readLastPage(uploads: ObjectStore, job: string): Promise<PageRecord | undefined> {
  const { objects } = await uploads.list(pagesPrefix(job), { limit: 1 });
  const [last] = objects;
  return last && readJson(uploads, last.key, PageRecord);
}

export const isCancelled = async (uploads: ObjectStore, job: string): Promise<boolean> =>
  (await uploads.head(cancelledKey(job))) !== undefined;

export async function readJson<T>(
  store: ObjectStore,
  key: string,
  schema: v.GenericSchema<unknown, T>,
): Promise<T | undefined> {
  const stored = await store.get(key);
  return stored && v.parse(schema, JSON.parse(await readText(stored.body)));
}

/** False when something was there already, which is left as it is. */
export async function writeOnce(store: ObjectStore, key: string, value: unknown): Promise<boolean> {
  const body = typeof value === "string" ? value : JSON.stringify(value);
  try {
    await store.put(key, body, { type: "application/json", ifNoneMatch: "*" });
    return true;
  } catch (error) {
    if (!hasOutcome(error, "conflict")) throw error;
    return false;
  }
}

/** What became of one message. The words differ in length: a list shows sizes, so that counting reads nothing. */
export const RESULTS = ["done", "skipped", "rejected", "failed"] as const;
export type JobResult = (typeof RESULTS)[number];

/** The first result of a message is the one that counts, however often it is delivered. */
export async function writeResult(
  uploads: ObjectStore,
  { job, label }: { job: string; label: string },
  id: string,
  result: JobResult,
  metadata: Record<string, string> = {},
): Promise<void> {
  const key = resultKey(job, label, id);
  try {
    await uploads.put(key, result, { ifNoneMatch: "*", metadata });
  } catch (error) {
    if (!hasOutcome(error, "conflict")) throw error;
  }
}

/** Of all jobs, newest first, by one list each. @param behind the job before them */
export async function* jobIds(
  uploads: Pick<ObjectStore, "list">,
  behind?: string,
): AsyncGenerator<string, void> {
  for (let job = behind; ; ) {
    const after = job === undefined ? undefined : behindJob(job);
    const { objects } = await uploads.list(JOBS, { after, limit: 1 });
    job = objects[0] && jobOf(objects[0].key);
    if (!job) return;
    yield job;
  }
}
