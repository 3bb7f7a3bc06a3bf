/**
 * Choosing what a job is for: page after page of images, a message for each that is meant. What is chosen is written down
 * before anything is sent, so that a page repeated after a crash sends the same.
 *
 * No page sends the next one a message: Lambda ends a chain of invocations after some sixteen. A job's message takes the
 * pages that it has time for, and the schedule goes on with every job under `jobs/open/`.
 */
import { DarkroomError, hasOutcome } from "../errors.ts";
import {
  OPEN_JOBS,
  openKey,
  pageKey,
  pageLabel,
  parseOpenKey,
  parseResultKey,
  resultsPrefix,
} from "../job-keys.ts";
import { inLanes } from "../lanes.ts";
import { listed } from "../listing.ts";
import { countedBody, developBody, type ScanTask } from "../message.ts";
import type { Log, Queue } from "../ports.ts";
import {
  isCancelled,
  type Order,
  openJob,
  type PageRecord,
  type Position,
  readOrder,
  readPage,
  readPosition,
  writeOnce,
} from "./job-records.ts";
import { isMeant, isRetry, listCandidates, type SelectDeps } from "./selection.ts";

export interface ScanDeps extends SelectDeps {
  readonly backfill: Pick<Queue, "sendMany" | "backlog">;
  readonly now: () => Date;
  /** Keys of one page; S3 lists no more than 1,000 at once. */
  readonly pageSize?: number;
  /** How long one message goes on with pages. */
  readonly messageMs?: number;
}

/** Metadata documents read at once: 1,000 in a second or two. */
const LANES = 32;
/**
 * A job looks no further ahead than this many messages. SQS drops a message after four days; at one image in three
 * seconds this many take less. And what waits here must be skipped one by one after a cancel.
 */
const MAX_BACKLOG = 100_000;
/** Of the worker's time: some dozens of pages, all that most jobs have. */
const MESSAGE_MS = 60_000;

export interface Scanned {
  readonly status: "scanned" | "skipped" | "ignored";
  readonly reason?: string | undefined;
  readonly job: string;
  /** The last one. */
  readonly page: number;
  readonly queued?: number;
}

/** A job's message: the pages that there is time for, one at least. */
export async function scanPages(deps: ScanDeps, task: ScanTask): Promise<Scanned> {
  const { kind: _, job, lost, ...position } = task;
  const { page } = position;
  const order = await readOrder(deps.uploads, job);
  if (!order) return { status: "ignored", reason: "a job that is not there", job, page };
  if (lost) return sendAgain(deps, order, page);
  if (!(await openJob(deps.uploads, job, position)))
    return { status: "skipped", reason: "duplicate", job, page };
  const end = deps.now().getTime() + (deps.messageMs ?? MESSAGE_MS);
  let step = await scanNext(deps, job);
  if (!step.record) return { status: "skipped", reason: step.why, job, page };
  let { record } = step;
  let queued = record.ids.length;
  while (step.goesOn && deps.now().getTime() < end) {
    step = await scanNext(deps, job);
    if (!step.record) break;
    ({ record } = step);
    queued += record.ids.length;
  }
  return { status: "scanned", job, page: record.page, queued };
}

/** The schedule's turn: a page of every open job, and so on until none moves or there is no time left. */
export async function scanOpenJobs(
  deps: ScanDeps & { readonly log: Log },
  timeLeft: () => boolean,
): Promise<void> {
  let jobs: string[] = [];
  for await (const { key } of listed(deps.uploads, OPEN_JOBS)) jobs.push(parseOpenKey(key) ?? "");
  while (jobs.length > 0) {
    const moving: string[] = [];
    for (const job of jobs) {
      if (!timeLeft()) return;
      // One that cannot go on keeps nobody else waiting.
      const step = await scanNext(deps, job).catch((error: unknown): Step => {
        const code = error instanceof DarkroomError ? error.code : "internal";
        deps.log("error", "job not scanned", {
          job,
          code,
          error: error instanceof Error ? error.name : "unknown",
        });
        return { goesOn: false };
      });
      if (step.record)
        deps.log("info", "scanned", { job, page: step.record.page, queued: step.record.ids.length });
      if (step.goesOn) moving.push(job);
    }
    jobs = moving;
  }
}

interface Step {
  /** The page whose messages were sent; absent where none were. */
  readonly record?: PageRecord;
  /** Why not. */
  readonly why?: "over" | "cancelled" | "backlog";
  /** There is another page, and this one's place to go on was ours to write. */
  readonly goesOn: boolean;
}

async function scanNext(deps: ScanDeps, job: string): Promise<Step> {
  const { uploads, backfill } = deps;
  const found = await readPosition(uploads, job);
  if (!found) return { why: "over", goesOn: false };
  const { position, etag } = found;
  const order = await readOrder(uploads, job);
  if (!order || (await isCancelled(uploads, job))) {
    await uploads.delete(openKey(job));
    return { why: "cancelled", goesOn: false };
  }
  let record = await readPage(uploads, job, position.page);
  // A job of an earlier release may be pages ahead of the place where this one found it.
  const isSent = record && (await uploads.head(pageKey(job, position.page + 1))) !== undefined;
  if (!record) {
    if ((await backfill.backlog()) >= MAX_BACKLOG) return { why: "backlog", goesOn: false };
    record = await choose(deps, order, position);
    // Where another is at this page too, both send what the first of them chose.
    if (!(await writeOnce(uploads, pageKey(job, position.page), record)))
      record = (await readPage(uploads, job, position.page)) ?? record;
  }
  if (!isSent) await backfill.sendMany(bodies(order, record, record.ids));
  return { record, goesOn: await moveOn(deps, job, record, etag) };
}

/** False at the last page, and where another has moved on meanwhile. */
async function moveOn(
  { uploads }: ScanDeps,
  job: string,
  { page, next: after, scanned, queued }: PageRecord,
  etag: string,
): Promise<boolean> {
  const next: Position = { page: page + 1, after, scanned, queued };
  try {
    if (after === undefined) await uploads.delete(openKey(job), { ifMatch: etag });
    else await uploads.put(openKey(job), JSON.stringify(next), { type: "application/json", ifMatch: etag });
    return after !== undefined;
  } catch (error) {
    if (!hasOutcome(error, "conflict")) throw error;
    return false;
  }
}

function bodies(order: Order, { page, ids: all }: PageRecord, ids: readonly string[]): string[] {
  const counted = { job: order.job, label: pageLabel(page, all.length) };
  if (order.action === "delete") return ids.map((id) => countedBody({ kind: "delete", id, counted }));
  const how = { force: order.force, retry: isRetry(order.select), counted };
  return ids.map((id) => developBody({ id, ...how }));
}

/** What was dropped after its four days, or purged, would else be waited for for ever. */
async function sendAgain(deps: ScanDeps, order: Order, page: number): Promise<Scanned> {
  const { job } = order;
  const skipped = (reason: string): Scanned => ({ status: "skipped", reason, job, page });
  if (await isCancelled(deps.uploads, job)) return skipped("cancelled");
  const record = await readPage(deps.uploads, job, page);
  if (!record) return skipped("not chosen");
  const { ids } = record;
  // As many results as messages at most: one page of a list.
  const { objects } = await deps.uploads.list(`${resultsPrefix(job)}${pageLabel(page, ids.length)}/`);
  const there = new Set(objects.map(({ key }) => parseResultKey(key)?.id));
  const lost = ids.filter((id) => !there.has(id));
  await deps.backfill.sendMany(bodies(order, record, lost));
  return { status: "scanned", job, page, queued: lost.length };
}

async function choose(deps: ScanDeps, order: Order, at: Position): Promise<PageRecord> {
  const { select, action } = order;
  const { candidates, next, share } = await listCandidates(
    deps.uploads,
    select,
    at.after,
    deps.pageSize ?? 1000,
    // Nothing can be made of an image without its original.
    action === "delete",
  );
  const meant = await inLanes(candidates, LANES, (candidate) => isMeant(deps, select, candidate));
  const ids = [...new Set(candidates.filter((_, index) => meant[index]).map(({ id }) => id))];
  return {
    page: at.page,
    ids,
    scanned: at.scanned + candidates.length,
    queued: at.queued + ids.length,
    ...(next === undefined ? {} : { next }),
    ...(share === undefined ? {} : { share }),
  };
}
