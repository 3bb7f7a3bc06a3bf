/**
 * One step of a job: chooses among one page of images, sends a message for each, and one to itself for the next page.
 * What is chosen is written down before anything is sent, so that a step repeated after a crash sends the same.
 */

import { DarkroomError } from "../errors.ts";
import { pageKey, pageLabel, parseResultKey, resultsPrefix } from "../job-keys.ts";
import { inLanes } from "../lanes.ts";
import { developBody, type ScanTask, scanBody } from "../message.ts";
import type { Queue } from "../ports.ts";
import { isCancelled, type Order, type PageRecord, readOrder, readPage, writeOnce } from "./job-records.ts";
import { isMeant, isRetry, listCandidates, type SelectDeps } from "./selection.ts";

export interface ScanDeps extends SelectDeps {
  readonly backfill: Queue;
  /** Keys of one page; S3 lists no more than 1,000 at once. */
  readonly pageSize?: number;
}

/** Metadata documents read at once: 1,000 in a second or two. */
const LANES = 32;
/**
 * A job looks no further ahead than this many messages. SQS drops a message after four days; at one image in three
 * seconds this many take less. And what waits here must be skipped one by one after a cancel.
 */
const MAX_BACKLOG = 100_000;
const PAUSE_SECONDS = 60;

export interface Scanned {
  readonly status: "scanned" | "skipped" | "ignored";
  readonly reason?: string;
  readonly job: string;
  readonly page: number;
  readonly queued?: number;
}

export async function scanPage(deps: ScanDeps, task: ScanTask): Promise<Scanned> {
  const { uploads, backfill } = deps;
  const { job, page } = task;
  const skipped = (reason: string): Scanned => ({ status: "skipped", reason, job, page });
  const order = await readOrder(uploads, job);
  if (!order) return { status: "ignored", reason: "a job that is not there", job, page };
  if (await isCancelled(uploads, job)) return skipped("cancelled");

  let record = await readPage(uploads, job, page);
  if (task.lost) return record ? sendAgain(deps, order, record) : skipped("not chosen");
  // The next page is written once all messages of this one are sent: this is a repeated delivery.
  if (record && (await uploads.head(pageKey(job, page + 1)))) return skipped("duplicate");
  if (!record) {
    if ((await backfill.backlog()) >= MAX_BACKLOG) {
      await backfill.send(scanBody(task), { delaySeconds: PAUSE_SECONDS });
      return skipped("backlog");
    }
    record = await choose(deps, order, task);
    if (!(await writeOnce(uploads, pageKey(job, page), record))) {
      // Another delivery is at it this moment. Should it die, this one is to come back.
      throw new DarkroomError("unavailable", "Another worker is at this page.");
    }
  }

  await backfill.sendMany(bodies(order, record, record.ids));
  const { next: after, scanned, queued } = record;
  if (after !== undefined)
    await backfill.send(scanBody({ kind: "scan", job, page: page + 1, after, scanned, queued }));
  return { status: "scanned", job, page, queued: record.ids.length };
}

function bodies(order: Order, { page, ids: all }: PageRecord, ids: readonly string[]): string[] {
  const counted = { job: order.job, label: pageLabel(page, all.length) };
  const how = { force: order.force, retry: isRetry(order.select), counted };
  return ids.map((id) => developBody({ id, ...how }));
}

/** What was dropped after its four days, or purged, would else be waited for for ever. */
async function sendAgain(deps: ScanDeps, order: Order, record: PageRecord): Promise<Scanned> {
  const { job } = order;
  const { page, ids } = record;
  // As many results as messages at most: one page of a list.
  const { objects } = await deps.uploads.list(`${resultsPrefix(job)}${pageLabel(page, ids.length)}/`);
  const there = new Set(objects.map(({ key }) => parseResultKey(key)?.id));
  const lost = ids.filter((id) => !there.has(id));
  await deps.backfill.sendMany(bodies(order, record, lost));
  return { status: "scanned", job, page, queued: lost.length };
}

async function choose(deps: ScanDeps, order: Order, task: ScanTask): Promise<PageRecord> {
  const { select } = order;
  const { candidates, next, share } = await listCandidates(
    deps.uploads,
    select,
    task.after,
    deps.pageSize ?? 1000,
  );
  const meant = await inLanes(candidates, LANES, (candidate) => isMeant(deps, select, candidate));
  const ids = [...new Set(candidates.filter((_, index) => meant[index]).map(({ id }) => id))];
  return {
    page: task.page,
    ids,
    scanned: task.scanned + candidates.length,
    queued: task.queued + ids.length,
    ...(next === undefined ? {} : { next }),
    ...(share === undefined ? {} : { share }),
  };
}
