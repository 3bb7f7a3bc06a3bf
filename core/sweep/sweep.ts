/**
 * The sweep: looks at everything there is, round after round, and mends what no message will: uploads whose
 * notification was lost, interrupted deletes, superseded and forgotten variants, indexes that are out of line. Before that
 * it goes on with jobs that have images left to choose from.
 *
 * Whatever it does may be done twice, by two sweeps at once, or be broken off at any line. It deletes what two rounds a day
 * apart have found, and stops itself where that is more than it ought to be (`breaker.ts`).
 */

import { DarkroomError } from "../errors.ts";
import { type ScanDeps, scanOpenJobs } from "../job/scan-page.ts";
import { OWNERS, parseOwnerKey, SWEEP_KEY } from "../keys.ts";
import { inLanes } from "../lanes.ts";
import { batches } from "../listing.ts";
import type { Log } from "../ports.ts";
import { emptied, isTooMuch, readStop, type Stop, writeStop } from "./breaker.ts";
import { withCounts } from "./counted.ts";
import type { Patience, Remedy, Terms } from "./diagnose.ts";
import { bury, clear, type MendDeps, mend, mendEntry, unlist } from "./mend.ts";
import {
  type Cursor,
  dueOf,
  NOTHING,
  type Round,
  readCursor,
  type Strays,
  writeCursor,
} from "./sweep-cursor.ts";
import { tallied, writeTop } from "./tally.ts";
import { type Traces, walk } from "./walk.ts";

export interface SweepDeps extends MendDeps, Omit<ScanDeps, "backfill"> {
  /** Where jobs wait, and what the sweep found. */
  readonly backfill: MendDeps["backfill"] & ScanDeps["backfill"];
  readonly log: Log;
}

export interface SweepOptions {
  /** Begins a round now, in place of one that is under way or not due yet. */
  readonly begin: boolean;
  /** Any is safe, 0 too: only old pages suffer where superseded variants go at once. */
  readonly patience: Patience;
  /** False ends this run at its next step; the next run goes on from there. */
  readonly timeLeft: () => boolean;
  /** Images between two writes of the cursor. */
  readonly batch?: number;
}

export interface SweepReport {
  /**
   * `finished` a round; `paused` in the middle of one for want of time; `resting`: the next one is not due yet;
   * `overtaken` by a sweep that began later and goes on in its place; `stopped` until somebody confirms.
   */
  readonly state: "finished" | "paused" | "resting" | "overtaken" | "stopped";
  /** Seen in this round so far. */
  readonly images: number;
  readonly done: Readonly<Partial<Record<Deed, number>>>;
  /** Where it stands; `sweep/stopped.json` names the images as well. */
  readonly stopped?: Omit<Stop, "images">;
}

/**
 * What a run did, or found. `letGo` deleted a rejected original, `purge` finished a delete, `clear` removed variants of no image, `bury` a tombstone, `unlist`
 * an owner's entry.
 */
export type Deed = Remedy["do"] | "letGo" | "purge" | "clear" | "bury" | "unlist" | "error";

/** At 40 keys an image one or two seconds of listing. */
const BATCH = 500;
/** At once within a batch. */
const LANES = 16;
/** Tombstones that one round removes, and strays that it notes; more wait for the next one. Bounds the cursor to 1 MB. */
const MOST = 5000;

const [HOUR, DAY] = [3_600_000, 86_400_000];
/**
 * Rest after a round: half a second for each image seen, an hour at least and a day at most. So up to 170,000 images
 * the price is that of 7,200 an hour (docs/operations.md), and a small installation waits an hour for what was lost.
 */
const [REST_PER_IMAGE, MIN_REST, MAX_REST] = [500, HOUR, DAY];
/** Of one run, for the pages of jobs: 200 of a thousand, more images than 600 workers make until the next run. */
const JOBS_MS = 300_000;
/**
 * For seconds cut off, deletions of another sweep that were waited for, and clocks: what a document says happened may lie a
 * day after it was written, and is not due before.
 */
const MARGIN = DAY + HOUR;

export async function sweep(deps: SweepDeps, options: SweepOptions): Promise<SweepReport> {
  const jobsEnd = deps.now().getTime() + JOBS_MS;
  await scanOpenJobs(deps, () => options.timeLeft() && deps.now().getTime() < jobsEnd);
  const { cursor, etag } = await readCursor(deps.uploads);
  const run = new Run(deps, roundAfter(cursor, options.begin, deps.now()), etag, options);
  const state = await run.go();
  const report = { state, images: run.cursor.images, done: run.done };
  if (state !== "stopped") return report;
  const { images: _, ...stopped } = (await readStop(deps.uploads, run.cursor.stopped)) ?? {};
  return "id" in stopped ? { ...report, stopped } : report;
}

/** What ended a run before its round was; undefined where the round goes on. */
type Break = "paused" | "overtaken" | "stopped" | undefined;

/** One invocation's part of a round. */
class Run {
  readonly done: Partial<Record<Deed, number>> = {};
  cursor: Round;
  #etag: string | undefined;
  /** As in the cursor, which is written after every batch. */
  #settled: boolean;
  #deps: SweepDeps;
  readonly #options: SweepOptions;
  readonly #terms: Terms;

  constructor(deps: SweepDeps, cursor: Round, etag: string | undefined, options: SweepOptions) {
    this.cursor = cursor;
    this.#etag = etag;
    this.#settled = cursor.settled;
    this.#deps = deps;
    this.#options = options;
    const { settledBefore, lastRound } = cursor;
    const dateOf = (time: string | undefined) => (time === undefined ? undefined : new Date(time));
    this.#terms = {
      patience: options.patience,
      settledBefore: dateOf(settledBefore),
      lastRound: dateOf(lastRound),
    };
  }

  async go(): Promise<SweepReport["state"]> {
    if (this.cursor.stopped !== undefined) return "stopped";
    if (this.cursor.finishedAt !== undefined) return "resting";
    return (
      (await this.#begin()) ??
      (await this.#images()) ??
      (await this.#owners()) ??
      (await this.#deletes()) ??
      this.#finish()
    );
  }

  async #begin(): Promise<Break> {
    const { upload, orphan, superseded } = this.#options.patience;
    const longest = Math.max(this.cursor.longest, upload, orphan, superseded);
    if (!(await this.#save({ longest }))) return "overtaken";
    // From here on S3's clock counts, by which everything there is has its age: ours may be wrong by days.
    const there = await this.#deps.uploads.head(SWEEP_KEY);
    const { now } = this.#deps;
    const ahead = there ? now().getTime() - there.lastModified.getTime() : 0;
    this.#deps = { ...this.#deps, now: () => new Date(now().getTime() - ahead) };

    if (this.cursor.stage !== "images" || this.cursor.after !== undefined) return undefined;
    this.cursor = { ...this.cursor, startedAt: this.#deps.now().toISOString() };
    const why = await emptied(this.#deps, this.cursor.before);
    return why && this.#stop(why, []);
  }

  async #images(): Promise<Break> {
    if (this.cursor.stage !== "images") return undefined;
    const end = await this.#batches(walk(this.#deps, this.cursor.after), async (batch) => {
      const ripe: string[] = [];
      const strays: [id: string, objects: number][] = [];
      await inLanes(batch, LANES, async (traces) => {
        await this.#attempt(traces.id, async () => {
          const remedies = await mend(this.#deps, traces, this.#terms);
          for (const remedy of remedies) {
            if (remedy.do === "ripe") ripe.push(traces.id);
            if (remedy.do === "stray") strays.push([traces.id, remedy.objects]);
          }
          return remedies.map((remedy) => remedy.do);
        });
      });
      const { originals, images, owners } = this.cursor.seen;
      const count = (of: (traces: Traces) => number) => batch.reduce((sum, one) => sum + of(one), 0);
      return {
        after: batch.at(-1)?.id,
        images: this.cursor.images + batch.length,
        seen: {
          originals: originals + count(({ original }) => (original ? 1 : 0)),
          images: images + count(({ document, variants }) => (document ? 1 : 0) + variants.length),
          owners,
        },
        ripe: [...this.cursor.ripe, ...ripe].slice(0, MOST),
        ...this.#noted(strays),
      };
    });
    if (end) return end;
    return (await this.#save({ stage: "owners", after: undefined })) ? undefined : "overtaken";
  }

  async #owners(): Promise<Break> {
    if (this.cursor.stage !== "owners") return undefined;
    const ripe = new Set(this.cursor.ripe);
    const end = await this.#batches(withCounts(this.#deps.uploads, this.cursor.after), async (batch) => {
      const strays: [key: string, objects: number][] = [];
      const counts = await inLanes(batch, LANES, async (counted) => {
        let mended: Awaited<ReturnType<typeof mendEntry>> = {};
        // No key in the log: the owner is in it.
        await this.#attempt(parseOwnerKey(counted.entry?.key ?? "")?.id ?? "", async () => {
          mended = await mendEntry(this.#deps, counted, ripe, this.#terms);
          if (counted.entry && mended.deed === "stray") strays.push([counted.entry.key, 1]);
          return mended.deed ? [mended.deed] : [];
        });
        return mended.count;
      });
      const { seen } = this.cursor;
      return {
        after: batch.findLast(({ entry }) => entry)?.entry?.key ?? this.cursor.after,
        seen: { ...seen, owners: seen.owners + batch.filter(({ entry }) => entry).length },
        ...tallied(this.cursor, counts, this.#deps.now()),
        ...this.#noted(strays),
      };
    });
    if (end) return end;
    await writeTop(this.#deps, this.cursor);
    return (await this.#save({ stage: "deletes", after: undefined })) ? undefined : "overtaken";
  }

  /** Rule 11: what a round a day ago has found as well, if that is not too much. */
  async #deletes(): Promise<Break> {
    const due = this.#due();
    if (due.length > 0 && isTooMuch(this.cursor, this.#deps.now()))
      return this.#stop({ why: "too-much" }, due);
    const { after = "", found } = this.cursor;
    const left = due.filter((key) => key > after);
    return this.#batches(left, async (batch) => {
      await inLanes(batch, LANES, (key) =>
        this.#attempt(parseOwnerKey(key)?.id ?? key, async () => {
          const isEntry = key.startsWith(OWNERS);
          const seen = new Date(found[key] ?? 0);
          const deed = isEntry
            ? await unlist(this.#deps, key)
            : await clear(this.#deps, key, seen, this.#terms.patience);
          return deed ? [deed] : [];
        }),
      );
      return { after: batch.at(-1) };
    });
  }

  #due(): string[] {
    return dueOf(this.cursor.found, Date.parse(this.cursor.startedAt));
  }

  async #stop(why: Pick<Stop, "why" | "prefix" | "full">, due: readonly string[]): Promise<Break> {
    this.#deps.log("error", "sweep stopped", { ...why, objects: this.cursor.doomed });
    const stopped = await writeStop(this.#deps, this.cursor, due, why);
    return (await this.#save({ stopped })) ? "stopped" : "overtaken";
  }

  async #finish(): Promise<"finished" | "overtaken"> {
    await inLanes(this.cursor.ripe, LANES, (id) =>
      this.#attempt(id, async () => ((await bury(this.#deps, id)) ? ["bury"] : [])),
    );
    const { startedAt, longest, settledBefore, found, seen } = this.cursor;
    const due = new Set(this.#due());
    const finished = await this.#save({
      finishedAt: this.#deps.now().toISOString(),
      settledBefore: this.#settled
        ? new Date(Date.parse(startedAt) - longest - MARGIN).toISOString()
        : settledBefore,
      before: seen,
      strays: Object.fromEntries(Object.entries(found).filter(([key]) => !due.has(key))),
      found: {},
      ripe: [],
      after: undefined,
    });
    return finished ? "finished" : "overtaken";
  }

  /** Since when each is stray: a time that is still to come, by a clock that was wrong, is none. */
  #noted(strays: readonly (readonly [key: string, objects: number])[]): Pick<Round, "found" | "doomed"> {
    const now = Date.parse(this.cursor.startedAt);
    const found: Strays = { ...this.cursor.found };
    let [{ doomed }, room] = [this.cursor, MOST - Object.keys(found).length];
    for (const [key, objects] of strays) {
      doomed += objects;
      if (room-- > 0) found[key] = Math.min(now, this.cursor.strays[key] ?? now);
    }
    return { found, doomed };
  }

  /** Works through `all`, and notes after every batch what `work` has come to. */
  async #batches<T>(
    all: AsyncIterable<T> | Iterable<T>,
    work: (batch: readonly T[]) => Promise<Partial<Round>>,
  ): Promise<Break> {
    for await (const batch of batches(all, this.#options.batch ?? BATCH)) {
      if (!this.#options.timeLeft()) return "paused";
      if (!(await this.#save(await work(batch)))) return "overtaken";
    }
    return undefined;
  }

  /** False where another sweep has written the cursor in the meantime. */
  async #save(changes: Partial<Round>): Promise<boolean> {
    this.cursor = { ...this.cursor, ...changes, settled: this.#settled };
    this.#etag = await writeCursor(this.#deps, this.cursor, this.#etag);
    return this.#etag !== undefined;
  }

  /** One that cannot be mended keeps nobody else waiting; it is tried again in the next round. */
  async #attempt(id: string, act: () => Promise<Deed[]>): Promise<Deed[]> {
    const { log } = this.#deps;
    const deeds = await act().catch((error: unknown): Deed[] => {
      const code = error instanceof DarkroomError ? error.code : "internal";
      log("error", "not swept", { id, code, error: error instanceof Error ? error.name : "unknown" });
      return ["error"];
    });
    for (const deed of deeds) this.done[deed] = (this.done[deed] ?? 0) + 1;
    if (deeds.length > 0 && !deeds.includes("error")) log("info", "swept", { id, done: deeds });
    // What is left to a worker may be lost again, and a stray has to be seen again.
    if (deeds.some((deed) => ["error", "develop", "stray"].includes(deed))) this.#settled = false;
    return deeds;
  }
}

/** The round that is under way, or stopped; where that is over or `begin` asks for it, the next one. */
function roundAfter(last: Cursor | undefined, begin: boolean, now: Date): Round {
  if (last?.stopped !== undefined) return last;
  const goesOn = last && !begin && (last.finishedAt === undefined || isResting(last, now));
  return goesOn ? last : newRound(now, last);
}

function newRound(now: Date, last: Cursor | undefined): Round {
  return {
    schema: 2,
    startedAt: now.toISOString(),
    stage: "images",
    images: 0,
    seen: NOTHING,
    before: last?.before,
    ripe: [],
    // Of a round that is begun anew, what it has found counts as well.
    strays: { ...last?.found, ...last?.strays },
    found: {},
    doomed: 0,
    settled: true,
    longest: 0,
    settledBefore: last?.settledBefore,
    // One that did not end may not have come to everybody.
    lastRound: last?.finishedAt === undefined ? last?.lastRound : last.startedAt,
    confirmed: last?.confirmed,
  };
}

/** A round that ended in the future, by a clock that was wrong, is no reason to rest. */
function isResting({ finishedAt, images, wanted }: Cursor, now: Date): boolean {
  if (wanted) return false;
  const rested = now.getTime() - Date.parse(finishedAt ?? "");
  return rested >= 0 && rested < Math.min(MAX_REST, Math.max(MIN_REST, images * REST_PER_IMAGE));
}
