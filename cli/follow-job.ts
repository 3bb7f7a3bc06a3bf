/** A job as the commands show it: a bar while it runs, a line when it is over. */
import { setTimeout } from "node:timers/promises";
import { onInterrupt } from "../adapters/interrupt.ts";
import type { Progress as Job } from "../core/job/job-progress.ts";
import type { Api } from "./api.ts";
import { CliError, exitCodes } from "./exit.ts";
import { Progress } from "./progress.ts";
import { duration, note, paint } from "./terminal.ts";

/** The first answers soon, for a job over a few images; later ones when there is something new. */
const [FIRST_PAUSE_MS, LAST_PAUSE_MS] = [200, 2000];

export const finishedOf = ({ done, skipped, rejected, failed }: Job) => done + skipped + rejected + failed;

/**
 * Watches a job to its end. Ctrl-C ends the watching, not the job.
 * @throws CliError when interrupted
 */
export async function follow(api: Api, started: Job): Promise<Job> {
  let job = started;
  const line = new Progress({ unit: "images", notes: () => notesOn(job) });
  const interrupted = new AbortController();
  const endListening = onInterrupt(() => interrupted.abort(), exitCodes.interrupted.status);
  try {
    for (let pause = FIRST_PAUSE_MS; job.state === "running"; pause = Math.min(LAST_PAUSE_MS, pause * 1.5)) {
      await setTimeout(pause, undefined, { signal: interrupted.signal });
      job = await api.call<Job>("GET", `/admin/jobs/${job.id}`);
      line.total = job.total;
      line.done = finishedOf(job);
    }
    return job;
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
    const what = `The job goes on. See it with: darkroom jobs show ${job.id}\nStop it with: darkroom jobs cancel ${job.id}`;
    throw new CliError(what, "interrupted");
  } finally {
    endListening();
    line.end();
  }
}

function notesOn({ scanned, rejected, failed, total }: Job): string[] {
  return [
    ...(total === undefined ? [`${scanned} looked at`] : []),
    ...(rejected > 0 ? [`${rejected} rejected`] : []),
    ...(failed > 0 ? [`${failed} failed`] : []),
  ];
}

/** What is done, and what was not to be. */
const WORDS = {
  develop: ["done", "up to date"],
  delete: ["deleted", "left as they are"],
  import: ["fetched", "there already"],
} as const;

/** `4 done, 1 up to date, 1 rejected in 0:12`, or `3 deleted in 0:02` */
function summary(job: Job): string {
  const { action, state, scanned, queued, done, skipped, rejected, failed, startedAt, finishedAt, rate } =
    job;
  const [did, left] = WORDS[action];
  const counts = [
    `${done} ${did}`,
    ...(skipped > 0 ? [`${skipped} ${left}`] : []),
    ...(rejected > 0 ? [`${rejected} rejected`] : []),
    ...(failed > 0 ? [`${failed} failed`] : []),
  ].join(", ");
  const of = state === "done" ? "" : ` of ${queued}${queued === scanned ? "" : `, ${scanned} looked at`}`;
  const time = finishedAt ? ` in ${duration(Date.parse(finishedAt) - Date.parse(startedAt))}` : "";
  return queued === 0 && state === "done"
    ? `nothing to do: ${scanned} looked at`
    : `${counts}${of}${time}${rate > 0 ? `, ${rate}/s` : ""}`;
}

const colours = { running: "cyan", done: "green", cancelled: "yellow", failed: "red" } as const;
const stateOf = ({ state }: Job) => paint(colours[state], state);

/** Says how it ended, and what to do about it; the exit status says so too. */
export function report(job: Job, json: boolean | undefined): number {
  show(job, json);
  const well = job.state === "done" && job.rejected + job.failed === 0;
  return exitCodes[well ? "done" : "failed"].status;
}

/** Says how it is, and what to do about it. */
export function show(job: Job, json: boolean | undefined): void {
  const { id, action, state, secondsLeft, page, rejected, failed } = job;
  const left = secondsLeft === undefined ? "" : `, ${duration(secondsLeft * 1000)} left`;
  console.log(json ? JSON.stringify(job) : `${id} ${stateOf(job)}: ${summary(job)}${left}`);
  if (state === "failed") note(`It stopped at page ${page}. Go on with: darkroom jobs resume ${id}`);
  if (action === "develop" && rejected + failed > 0) note("See what is wrong with: darkroom failures");
  if (action === "import" && failed > 0) note(`GET /admin/imports/${id} says of each URL why.`);
}
