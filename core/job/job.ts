/** Re-process jobs: starting, listing, cancelling and resuming them. The work itself is the worker's. */
import * as v from "valibot";
import { readText } from "../commit.ts";
import { DarkroomError, hasOutcome } from "../errors.ts";
import {
  cancelledKey,
  isJobId,
  newJobId,
  orderKey,
  selectionKey,
  stoppedKey,
  stoppedPrefix,
} from "../job-keys.ts";
import { digest } from "../keys.ts";
import { type ScanTask, scanBody } from "../message.ts";
import type { ObjectStore, Queue } from "../ports.ts";
import type { Config } from "../preset.ts";
import { type DeleteDryRun, dryRunDelete } from "./dry-delete.ts";
import { type DryRun, type DryRunDeps, dryRunJob } from "./dry-run.ts";
import { type ImportDeps, sendOrder } from "./import.ts";
import { jobProgress, openPages, type Progress, type ProgressDeps } from "./job-progress.ts";
import {
  ACTIONS,
  type Action,
  jobIds,
  type Order,
  openJob,
  type PageRecord,
  Position,
  readJson,
  readLastPage,
  readOrder,
  readPage,
  writeOnce,
} from "./job-records.ts";
import { checkPreset, Select, uploadedUntil } from "./selection.ts";

export const ReprocessRequest = v.pipe(
  v.strictObject({
    action: v.optional(v.picklist(ACTIONS), "develop"),
    select: v.optional(Select),
    /** Make everything anew that is there already. */
    force: v.optional(v.boolean(), false),
    /** Only say what it would do. */
    dryRun: v.optional(v.boolean(), false),
    /** A job that failed, or got stuck, instead of a new one. */
    resume: v.optional(
      v.pipe(
        v.string(),
        v.check((id) => isJobId(id), "not the id of a job"),
      ),
    ),
  }),
  v.check(
    ({ action, select, resume }) => action !== "delete" || select !== undefined || resume !== undefined,
    "select: say which images are to be deleted; nothing is deleted without that",
  ),
  v.check(
    ({ select, resume }) => (select === undefined) !== (resume === undefined),
    "either select or resume",
  ),
  v.check(({ action, force }) => action !== "delete" || !force, "force: there is nothing to make anew"),
);
export type ReprocessRequest = v.InferInput<typeof ReprocessRequest>;

export interface JobDeps extends ImportDeps {
  readonly backfill: Queue;
}

/** What `POST /admin/reprocess` asks for. */
export async function reprocess(
  deps: JobDeps & DryRunDeps,
  { action = "develop", select, force = false, dryRun, resume }: ReprocessRequest,
): Promise<Progress | DryRun | DeleteDryRun> {
  if (resume !== undefined) return resumeJob(deps, resume);
  if (!select) throw new DarkroomError("bad-request");
  if (!dryRun) return startJob(deps, action, select, force);
  return action === "delete" ? dryRunDelete(deps, select) : dryRunJob(deps, select, force);
}

/**
 * Starts a job: the order, the first message, and last the note that says which job has this selection. So a crash in
 * between leaves nothing that would stand in the way of another try.
 * @throws DarkroomError `job-running` while another job with the same selection is, `bad-request`
 */
async function startJob(deps: JobDeps, action: Action, select: Select, force: boolean): Promise<Progress> {
  const { uploads, backfill, config } = deps;
  checkPreset(select, config);
  const same = sameSelectionKey(config, select, force, action);
  const before = await readNote(uploads, same);
  if (before && (await isRunning(deps, before.job))) throw running(before.job);

  const now = deps.now();
  const job = newJobId(now, deps.random);
  const order: Order = {
    schema: 1,
    job,
    action,
    select: action === "delete" ? uploadedUntil(select, now) : select,
    force,
    startedAt: now.toISOString(),
    recipes: recipesOf(config),
  };
  await writeOnce(uploads, orderKey(job), order);
  await openJob(uploads, job, FIRST);
  await backfill.send(scanBody({ kind: "scan", job, ...FIRST }));
  try {
    const condition = before ? { ifMatch: before.etag } : { ifNoneMatch: "*" as const };
    await uploads.put(same, job, condition);
  } catch (error) {
    if (!hasOutcome(error, "conflict")) throw error;
    const winner = await readNote(uploads, same);
    // The client repeats a write whose answer was lost, and meets itself.
    if (winner?.job !== job) {
      await writeOnce(uploads, cancelledKey(job), "");
      throw running(winner?.job ?? job);
    }
  }
  return jobProgress(deps, job);
}

const recipesOf = ({ presets }: Config) =>
  Object.fromEntries([...presets].map(([name, { recipe }]) => [name, recipe]));

/** Where the job stands that was last started with this selection. By another recipe it is another job. */
export function sameSelectionKey(
  config: Config,
  select: Select,
  force: boolean,
  action: Action = "develop",
): string {
  // In the order of the schema, whatever order it was asked for in; of a delete no recipe changes anything.
  const wanted = action === "delete" ? [select, action] : [select, force, recipesOf(config)];
  return selectionKey(digest(JSON.stringify(wanted)));
}

const FIRST: Position = { page: 0, scanned: 0, queued: 0 };

const running = (job: string) =>
  new DarkroomError("job-running", `Job ${job} is at the same selection. Wait for it, or cancel it.`);

async function isRunning(deps: ProgressDeps, job: string): Promise<boolean> {
  try {
    return (await jobProgress(deps, job)).state === "running";
  } catch (error) {
    // Its order has expired.
    if (error instanceof DarkroomError && error.code === "not-found") return false;
    throw error;
  }
}

async function readNote(
  uploads: ObjectStore,
  key: string,
): Promise<{ job: string; etag: string } | undefined> {
  const stored = await uploads.get(key);
  return stored && { job: await readText(stored.body), etag: stored.etag };
}

/**
 * Sends the message again that a job waits for: of the page where it stopped, or of the last one that is known; where
 * all are chosen, of every page that lacks results.
 * @throws DarkroomError `not-found`, `job-over`
 */
async function resumeJob(deps: JobDeps, job: string): Promise<Progress> {
  const { uploads, backfill } = deps;
  const { state } = await jobProgress(deps, job);
  if (state === "done" || state === "cancelled")
    throw new DarkroomError("job-over", `Job ${job} is ${state}; start another.`);
  const order = await readOrder(uploads, job);
  if (order?.urls) {
    await sendOrder(deps, order);
    await uploads.delete(stoppedKey(job, 0));
    return jobProgress(deps, job);
  }
  const { objects } = await uploads.list(stoppedPrefix(job), { limit: 1 });
  const last = await readLastPage(uploads, job);
  if (state === "running" && last && last.next === undefined) {
    const open = await openPages(uploads, job, last.page);
    await backfill.sendMany(open.map((page) => scanBody({ kind: "scan", job, ...FIRST, page, lost: true })));
    return jobProgress(deps, job);
  }
  const stopped = state === "failed" && objects[0] && (await readJson(uploads, objects[0].key, Position));
  const position = stopped || (await lastPage(uploads, job, last));
  await openJob(uploads, job, position);
  await backfill.send(scanBody({ kind: "scan", job, ...position }));
  await uploads.delete(stoppedKey(job, position.page));
  return jobProgress(deps, job);
}

async function lastPage(uploads: ObjectStore, job: string, last: PageRecord | undefined): Promise<Position> {
  if (!last) return FIRST;
  const before = last.page > 0 ? await readPage(uploads, job, last.page - 1) : undefined;
  const { scanned = 0, queued = 0, next } = before ?? {};
  return { page: last.page, scanned, queued, ...(next ? { after: next } : {}) };
}

/** Asks a job to stop: it does within a page, and its messages that are queued do nothing. Repeated, the same. */
export async function cancelJob(deps: ProgressDeps, job: string): Promise<Progress> {
  const progress = await jobProgress(deps, job);
  if (progress.state === "done" || progress.state === "cancelled") return progress;
  await writeOnce(deps.uploads, cancelledKey(job), "");
  return jobProgress(deps, job);
}

/** Newest first. `cursor` is the one an earlier page gave. One list and a few reads a job. */
export async function listJobs(
  deps: ProgressDeps,
  { limit, cursor }: { limit: number; cursor: string | undefined },
): Promise<{ jobs: Progress[]; cursor?: string }> {
  if (cursor !== undefined && !isJobId(cursor))
    throw new DarkroomError("bad-request", "cursor: pass on what the last page gave, unchanged.");
  const ids: string[] = [];
  // One more than asked for tells whether there are more.
  for await (const id of jobIds(deps.uploads, cursor)) if (ids.push(id) > limit) break;
  const shown = ids.slice(0, limit);
  const jobs = await Promise.all(
    shown.map((id) =>
      jobProgress(deps, id).catch((error: unknown) => {
        if (error instanceof DarkroomError && error.code === "not-found") return undefined;
        throw error;
      }),
    ),
  );
  const last = shown.at(-1);
  return {
    jobs: jobs.filter((job) => job !== undefined),
    ...(ids.length > limit && last ? { cursor: last } : {}),
  };
}

/** A dead-lettered step leaves its job failed, until the schedule or whoever resumes it gets past that page. */
export async function stopJob(
  uploads: ObjectStore,
  { kind: _, job, lost, ...position }: ScanTask,
): Promise<void> {
  if (!lost) await openJob(uploads, job, position);
  await writeOnce(uploads, stoppedKey(job, position.page), position);
}

/** For a request's id in a path. @throws DarkroomError `not-found` */
export function jobId(text: string | undefined): string {
  if (!isJobId(text)) throw new DarkroomError("not-found", "There is no job with this id.");
  return text;
}
