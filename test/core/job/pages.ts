/** A job of very many pages in virtual time: the schedule's turns, and workers that take what waits. */
import { randomBytes } from "node:crypto";
import { memoryStore } from "../../../adapters/memory/memory-store.ts";
import { reprocess } from "../../../core/job/job.ts";
import { jobProgress } from "../../../core/job/job-progress.ts";
import { scanOpenJobs } from "../../../core/job/scan-page.ts";
import { newId, originalKey } from "../../../core/keys.ts";
import config from "../../../core/shipped.ts";

const TURN_MS = 900_000;
/** Of the 15 minutes, as `sweep` gives a job. */
const TURN_LASTS_MS = 300_000;
/** Of one worker, for one image (docs/scale.md). */
const IMAGE_SECONDS = 3;
/** Listing, reading and sending a thousand: 1 to 2 s. */
const PAGE_MS = 1500;

/**
 * @param pages each of one image, which stands for a thousand on the queue
 * @param workers that the job's queue may have
 * @returns days until the last image is made, and how many turns it took to choose all
 */
export async function virtualJob(
  pages: number,
  workers: number,
): Promise<{ days: number; turns: number; scanned: number; mostWaiting: number }> {
  const start = Date.parse("2026-11-20T12:00:00Z");
  let now = start;
  const clock = () => new Date(now);
  const uploads = memoryStore({ now: clock });
  // In the store's order, in which each is put at its end: a hundred thousand put into its middle take half a minute.
  const ids = Array.from({ length: pages }, () => newId(randomBytes)).sort();
  for (const id of ids) await uploads.put(originalKey(id), "");
  let [sent, mostWaiting] = [0, 0];
  let freeAt = start;
  /** The moment at which the workers will have made all that was sent. */
  const send = (images: number) => {
    freeAt = Math.max(freeAt, now) + (images * IMAGE_SECONDS * 1000) / workers;
    mostWaiting = Math.max(mostWaiting, waiting());
    sent += images;
  };
  const waiting = () => Math.round((Math.max(0, freeAt - now) * workers) / IMAGE_SECONDS / 1000);
  const backfill = {
    send: async () => {},
    async sendMany(bodies: readonly string[]) {
      now += PAGE_MS;
      send(bodies.length * 1000);
    },
    backlog: async () => waiting(),
    receive: async () => [],
    delete: async () => {},
    retryIn: async () => {},
  };
  const deps = {
    uploads,
    media: memoryStore({ now: clock }),
    backfill,
    imports: backfill,
    config,
    now: clock,
    random: randomBytes,
    pageSize: 1,
    log: () => {},
  };
  const job = await reprocess(deps, { select: { status: "all" }, force: true, dryRun: false });
  if ("dryRun" in job) throw new Error("this was no dry run");
  let turns = 0;
  for (; sent < pages * 1000; turns++) {
    const end = now + TURN_LASTS_MS;
    const next = now + TURN_MS;
    await scanOpenJobs(deps, () => now < end);
    now = next;
  }
  const { scanned } = await jobProgress({ ...deps, budgetMs: 0 }, job.id);
  return { days: (freeAt - start) / 86_400_000, turns, scanned, mostWaiting };
}
