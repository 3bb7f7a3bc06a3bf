/** `import --remote`: URLs are fetched where Darkroom runs, as jobs that are watched from here. */
import { setTimeout } from "node:timers/promises";
import { DarkroomError } from "../../client/errors.ts";
import { type ImportedUrl, type ImportReport, MAX_URLS } from "../../core/job/import.ts";
import type { Progress as Job } from "../../core/job/job-progress.ts";
import { inLanes } from "../../core/lanes.ts";
import { fail, noOwner, type SettleDeps, settle, WAITING_PER_LANE } from "./importer.ts";
import { type Entry, isUrl } from "./sources.ts";

/** Of a request, beside what is around its images; the API takes 64 KB. */
const MAX_BODY = 60_000;
const PAUSE_MS = 1000;

/** @throws CliError when it makes no sense to go on: no API, a refused token, a journal that cannot be written */
export async function importRemotely(entries: AsyncGenerator<Entry>, deps: SettleDeps): Promise<void> {
  const { journal, onDone, wait, signal } = deps;
  let batch: Entry[] = [];
  let size = 0;
  for await (const entry of entries) {
    if (signal.aborted) return;
    const { searched: _, problem, ...wish } = entry;
    const before = journal.entry(entry);
    const finished = before?.state === "ready" || (before?.state === "sent" && wait === undefined);
    const why = problem
      ? new DarkroomError(problem.code, problem.message)
      : !isUrl(entry.source)
        ? new DarkroomError("bad-url", "Only http and https URLs can be fetched.")
        : entry.owner === undefined && noOwner();
    if (why) await fail(wish, why, deps);
    else if (finished) onDone({ ...wish, state: before.state }, "before");
    else {
      const more = Buffer.byteLength(JSON.stringify(asked(entry))) + 1;
      if (batch.length === MAX_URLS || size + more > MAX_BODY) {
        await importBatch(batch, deps);
        [batch, size] = [[], 0];
      }
      batch.push(entry);
      size += more;
    }
  }
  if (batch.length > 0 && !signal.aborted) await importBatch(batch, deps);
}

const asked = ({ source: url, owner, preset, focus }: Entry) => ({ url, owner, preset, focus });

/** Starts a job, and settles its images as they come. Left alone it goes on; asked for again, nothing is fetched twice. */
async function importBatch(batch: readonly Entry[], deps: SettleDeps): Promise<void> {
  const { api, concurrency, signal } = deps;
  const started = await api.call<Job>("POST", "/admin/imports", { images: batch.map(asked) });
  const waiting = new Set(batch.keys());
  while (!signal.aborted) {
    const { job, images } = await api.call<ImportReport>("GET", `/admin/imports/${started.id}`);
    const ended = [...waiting].filter((at) => images[at]?.result || job.state !== "running");
    for (const at of ended) waiting.delete(at);
    await inLanes(ended, concurrency * WAITING_PER_LANE, async (at) => {
      const entry = batch[at];
      if (entry) await end(entry, images[at], job, deps);
    });
    if (waiting.size === 0) return;
    await setTimeout(PAUSE_MS, undefined, { signal }).catch(() => {});
  }
}

async function end(
  { searched: _, problem: __, ...wish }: Entry,
  image: ImportedUrl | undefined,
  job: Job,
  deps: SettleDeps,
): Promise<void> {
  const { code, message } = image?.error ?? { code: "job-over", message: `Job ${job.id} is ${job.state}.` };
  if (!image?.result || image.result === "failed") return fail(wish, new DarkroomError(code, message), deps);
  const line = { ...wish, id: image.id };
  await deps.journal.append({ ...line, state: "sent" });
  await settle(line, image.result === "skipped" ? "before" : "ready", deps);
}
