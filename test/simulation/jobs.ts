/** What is promised of re-process jobs, in any history. */
import { isDeepStrictEqual } from "node:util";
import type { StoreChange } from "../../adapters/memory/memory-store.ts";
import { readRevision, readText } from "../../core/commit.ts";
import type { DryRunDeps } from "../../core/job/dry-run.ts";
import { importReport } from "../../core/job/import.ts";
import { type JobDeps, listJobs } from "../../core/job/job.ts";
import { jobProgress, type Progress } from "../../core/job/job-progress.ts";
import type { PageRecord } from "../../core/job/job-records.ts";
import { pagesPrefix, resultsPrefix } from "../../core/job-keys.ts";
import { hasImage } from "./web.ts";

type Deps = JobDeps & Pick<DryRunDeps, "media">;

/** SQS drops what has waited for so long, which `jobs resume` sends again. */
const KEPT_MS = 4 * 86_400_000;

export class Jobs {
  /** Jobs whose start was answered with success, each with the images that were there before and are all meant. */
  readonly acknowledged = new Map<string, readonly string[]>();
  /** ETags of what is written once. */
  readonly #written = new Map<string, string>();
  #rewritten: string | undefined;

  /** To be told of every change in the uploads bucket. */
  watch({ kind, key, etag }: StoreChange): void {
    if (kind === "removed" || !/^jobs\/.*\/(results|pages|sums)\/|job\.json$/.test(key)) return;
    const before = this.#written.get(key);
    if (before !== undefined && before !== etag) this.#rewritten ??= key;
    this.#written.set(key, etag);
  }

  /** Those that wait for somebody to resume them. Throws where one that was acknowledged just stands still. */
  async unfinished(deps: Deps): Promise<string[]> {
    const jobs = (await this.#all(deps)).filter(({ state }) => state === "running" || state === "failed");
    for (const { id, state, startedAt } of jobs) {
      const mayBeDropped = deps.now().getTime() - Date.parse(startedAt) > KEPT_MS;
      if (this.acknowledged.has(id) && state === "running" && !mayBeDropped)
        throw new Error(`job ${id} stands still`);
    }
    return jobs.map(({ id }) => id);
  }

  async verify(deps: Deps, lives: (image: string) => boolean): Promise<void> {
    if (this.#rewritten) throw new Error(`${this.#rewritten} was written twice, differently`);
    for (const progress of await this.#all(deps)) {
      const { id, state, queued, done, skipped, rejected, failed } = progress;
      if (state === "cancelled") continue;
      if (state !== "done") throw new Error(`job ${id} is ${state}`);
      const chosen: string[] = [];
      for (const { key } of (await deps.uploads.list(pagesPrefix(id))).objects) {
        const stored = await deps.uploads.get(key);
        const { ids }: PageRecord = JSON.parse(stored ? await readText(stored.body) : "{}");
        chosen.push(...ids);
      }
      const { objects } = await deps.uploads.list(resultsPrefix(id));
      const results = objects.map(({ key }) => key.split("/").at(-1) ?? "").sort();
      if (JSON.stringify(results) !== JSON.stringify([...chosen].sort()))
        throw new Error(`job ${id} chose ${chosen} and counted ${results}`);
      if (new Set(chosen).size !== chosen.length) throw new Error(`job ${id} chose an image twice`);
      if (done + skipped + rejected + failed !== queued || queued !== chosen.length)
        throw new Error(`job ${id} counts ${JSON.stringify(progress)} of ${chosen.length}`);
      const missing = this.acknowledged.get(id)?.find((image) => lives(image) && !chosen.includes(image));
      if (missing) throw new Error(`job ${id} passed over ${missing}`);
      if (progress.action === "import") await this.#endsAreSaid(deps, id);
    }
  }

  /** Every URL of an import ends as an image, or as a reason that fits what is there. */
  async #endsAreSaid(deps: Deps, job: string): Promise<void> {
    for (const { id, url, result, error } of (await importReport(deps, job)).images) {
      const isThere = (await readRevision(deps.media, id)).document !== undefined;
      const isPicture = hasImage(url);
      if (result === "failed") {
        // What is there may be deleted meanwhile, or every try at it have met bad weather.
        const mayBe = !isPicture || error?.code === "gone" || error?.code === "download-failed";
        if (!error?.message || !mayBe)
          throw new Error(`${url} was not imported: ${error?.code || "no reason"}`);
      } else if (!isThere || !isPicture) throw new Error(`${url} is ${result}, and no image`);
    }
  }

  async #all(deps: Deps): Promise<Progress[]> {
    const { jobs } = await listJobs(deps, { limit: 25, cursor: undefined });
    // Once more, as what was over when it was first looked at must not change.
    const again = await Promise.all(jobs.map(({ id }) => jobProgress(deps, id)));
    if (!isDeepStrictEqual(again, jobs)) throw new Error("a job's progress changed by being read");
    return jobs;
  }
}
