/**
 * How far a job is, from lists: the last page, the results. A page whose results are all there is summed up once, in
 * the name of a key, so that a job of a million images is counted with a handful of requests.
 */
import * as v from "valibot";
import { DarkroomError } from "../errors.ts";
import {
  beforeResults,
  cancelledKey,
  overKey,
  parseResultKey,
  parseSumKey,
  resultsPrefix,
  stoppedPrefix,
  sumKey,
  sumsPrefix,
} from "../job-keys.ts";
import { inLanes } from "../lanes.ts";
import { listed } from "../listing.ts";
import type { ObjectStore } from "../ports.ts";
import {
  JOB_ACTIONS,
  type Order,
  Position,
  RESULTS,
  readJson,
  readLastPage,
  readOrder,
  writeOnce,
} from "./job-records.ts";

const count = v.number();
export const Progress = v.object({
  id: v.string(),
  action: v.optional(v.picklist(JOB_ACTIONS), "develop"),
  state: v.picklist(["running", "done", "cancelled", "failed"]),
  /** As it was asked for; of ids, how many. */
  select: v.record(v.string(), v.union([v.string(), v.number()])),
  force: v.boolean(),
  startedAt: v.string(),
  finishedAt: v.optional(v.string()),
  /** Looked at. */
  scanned: count,
  /** Chosen among them. */
  queued: count,
  /** Of those queued; together all of them, once it is done. Of a job that deletes, `done` are deleted; of one that imports, fetched. */
  done: count,
  skipped: count,
  rejected: count,
  failed: count,
  /** How many will be queued in the end; absent where nobody knows yet. */
  total: v.optional(count),
  /** Images a second since the start. */
  rate: count,
  secondsLeft: v.optional(count),
  /** Where a failed job stopped. */
  page: v.optional(count),
  /** There are more results than there was time to count: ask again. */
  counting: v.optional(v.boolean()),
});
export type Progress = v.InferOutput<typeof Progress>;

export interface ProgressDeps {
  readonly uploads: ObjectStore;
  readonly now: () => Date;
  /** Milliseconds that counting may take. */
  readonly budgetMs?: number;
}

/** Messages of a cancelled job that were being worked on have ended by then: as long as one is invisible. */
const SETTLED_MS = 900_000;

/** @throws DarkroomError `not-found` */
export async function jobProgress(deps: ProgressDeps, job: string): Promise<Progress> {
  const { uploads, now } = deps;
  const over = await readJson(uploads, overKey(job), Progress);
  if (over) return over;
  const order = await readOrder(uploads, job);
  if (!order) throw new DarkroomError("not-found", "There is no job with this id.");
  const [last, cancelled, stopped] = await Promise.all([
    readLastPage(uploads, job),
    uploads.head(cancelledKey(job)),
    uploads.list(stoppedPrefix(job), { limit: 1 }),
  ]);
  const counted = await countResults(deps, job, last?.page);
  const { counts, lastAt } = counted;
  const { scanned = 0, queued = 0 } = last ?? {};
  const finished = counts.reduce((sum, n) => sum + n, 0);
  const scanEnded = last !== undefined && last.next === undefined;
  const stoppedAt = stopped.objects[0] && (await readJson(uploads, stopped.objects[0].key, Position))?.page;

  const isDone = scanEnded && finished === queued;
  const isStopped = stoppedAt !== undefined && stoppedAt >= (last?.page ?? 0);
  const state = isDone ? "done" : cancelled ? "cancelled" : isStopped ? "failed" : "running";
  const finishedAt = isDone
    ? Math.max(lastAt, Date.parse(order.startedAt))
    : state === "cancelled"
      ? cancelled?.lastModified.getTime()
      : undefined;
  const seconds = Math.max(1, ((finishedAt ?? now().getTime()) - Date.parse(order.startedAt)) / 1000);
  const rate = finished / seconds;
  const total = scanEnded ? queued : last?.share ? Math.round(queued / last.share) : undefined;
  const isTimed = state === "running" && rate > 0 && total !== undefined && !counted.counting;
  const progress: Progress = {
    ...asAsked(order),
    state,
    ...(finishedAt === undefined ? {} : { finishedAt: new Date(finishedAt).toISOString() }),
    scanned,
    queued,
    ...countsByName(counts),
    ...(total === undefined ? {} : { total }),
    rate: Math.round(rate * 100) / 100,
    ...(isTimed ? { secondsLeft: Math.ceil((total - finished) / rate) } : {}),
    ...(state === "failed" && stoppedAt !== undefined ? { page: stoppedAt } : {}),
    ...(counted.counting ? { counting: true } : {}),
  };
  const nothingMoves =
    isDone || (cancelled && now().getTime() - cancelled.lastModified.getTime() > SETTLED_MS);
  if (nothingMoves && !counted.counting) await writeOnce(uploads, overKey(job), progress);
  return progress;
}

/** What a job is, as others may read it. */
function asAsked({ job, action, select, force, startedAt }: Order) {
  const { ids, ...rest } = select;
  const given = Object.entries({ ...rest, ids: ids?.length }).filter(
    (entry): entry is [string, string | number] => entry[1] !== undefined,
  );
  return { id: job, action, select: Object.fromEntries(given), force, startedAt };
}

const countsByName = ([done = 0, skipped = 0, rejected = 0, failed = 0]: readonly number[]) => ({
  done,
  skipped,
  rejected,
  failed,
});

interface Counted {
  /** By `RESULTS`. */
  readonly counts: number[];
  /** Milliseconds, of the last result. */
  readonly lastAt: number;
  /** Some results were not looked at. */
  readonly counting: boolean;
}

const BUDGET_MS = 8_000;
/** Walks through the results side by side. */
const LANES = 8;
/** Fewer pages are not worth another lane. */
const PAGES_A_LANE = 50;

async function countResults(
  { uploads, now, budgetMs = BUDGET_MS }: ProgressDeps,
  job: string,
  lastPage: number | undefined,
): Promise<Counted> {
  const totals = { counts: RESULTS.map(() => 0), lastAt: 0, counting: false };
  if (lastPage === undefined) return totals;
  const deadline = now().getTime() + budgetMs;
  const add = (counts: readonly number[], at: number) => {
    for (const [i, n] of counts.entries()) totals.counts[i] = (totals.counts[i] ?? 0) + n;
    totals.lastAt = Math.max(totals.lastAt, at);
  };
  const summed = new Set<number>();
  for await (const { key } of listed(uploads, sumsPrefix(job))) {
    const sum = parseSumKey(key);
    // Two who summed at once wrote the same key; there is one sum for a page.
    if (!sum || summed.has(sum.page)) continue;
    summed.add(sum.page);
    add(sum.counts.slice(0, RESULTS.length), (sum.counts[RESULTS.length] ?? 0) * 1000);
  }
  const open = Array.from({ length: lastPage + 1 }, (_, page) => page).filter((page) => !summed.has(page));
  const lanes = Math.min(LANES, Math.ceil(open.length / PAGES_A_LANE));
  const runs = Array.from({ length: lanes }, (_, i) =>
    open.slice(Math.floor((i * open.length) / lanes), Math.floor(((i + 1) * open.length) / lanes)),
  );
  await inLanes(runs, LANES, async (run) => {
    const [from = 0, to = 0] = [run[0], run.at(-1)];
    let current: PageCount | undefined;
    const close = async () => {
      if (!current) return;
      add(current.counts, current.lastAt);
      const { page, queued, counts, lastAt } = current;
      if (counts.reduce((sum, n) => sum + n, 0) === queued)
        await uploads.put(sumKey(job, page, [...counts, Math.floor(lastAt / 1000)]), "");
      current = undefined;
    };
    let after: string | undefined = beforeResults(job, from);
    while (after !== undefined) {
      if (now().getTime() > deadline) {
        totals.counting = true;
        return;
      }
      const list = await uploads.list(resultsPrefix(job), { after });
      after = list.next;
      for (const { key, size, lastModified } of list.objects) {
        const result = parseResultKey(key);
        if (!result) continue;
        if (current && current.page !== result.page) await close();
        if (result.page > to) return;
        if (summed.has(result.page)) {
          // On to the next page that is not summed.
          const next = run.find((page) => page > result.page);
          after = next === undefined ? undefined : beforeResults(job, next);
          break;
        }
        current ??= { page: result.page, queued: result.queued, counts: RESULTS.map(() => 0), lastAt: 0 };
        const kind = RESULTS.findIndex((word) => word.length === size);
        current.counts[kind] = (current.counts[kind] ?? 0) + 1;
        current.lastAt = Math.max(current.lastAt, lastModified.getTime());
      }
    }
    await close();
  });
  return totals;
}

/** The pages of a job, up to the last, that are not summed up: some of their results may be missing. */
export async function openPages(uploads: ObjectStore, job: string, last: number): Promise<number[]> {
  const summed = new Set<number | undefined>();
  for await (const { key } of listed(uploads, sumsPrefix(job))) summed.add(parseSumKey(key)?.page);
  return Array.from({ length: last + 1 }, (_, page) => page).filter((page) => !summed.has(page));
}

interface PageCount {
  readonly page: number;
  readonly queued: number;
  readonly counts: number[];
  lastAt: number;
}
