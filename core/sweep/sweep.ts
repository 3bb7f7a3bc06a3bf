/**
 * The sweep: looks at everything there is, round after round, and mends what no message will: uploads whose
 * notification was lost, interrupted deletes, superseded and forgotten variants, indexes that are out of line.
 *
 * Whatever it does may be done twice, by two sweeps at once, or be broken off at any line.
 */

import { DarkroomError } from "../errors.ts";
import { OWNERS } from "../keys.ts";
import { inLanes } from "../lanes.ts";
import { listed } from "../listing.ts";
import type { Log } from "../ports.ts";
import type { Patience, Remedy } from "./diagnose.ts";
import { bury, type MendDeps, mend, mendEntry, type Terms } from "./mend.ts";
import { type Cursor, readCursor, writeCursor } from "./sweep-cursor.ts";
import { walk } from "./walk.ts";

export interface SweepDeps extends MendDeps {
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
   * `overtaken` by a sweep that began later and goes on in its place.
   */
  readonly state: "finished" | "paused" | "resting" | "overtaken";
  /** Seen in this round so far. */
  readonly images: number;
  readonly done: Readonly<Partial<Record<Deed, number>>>;
}

/** What a run did, or found. `bury` removed a tombstone, `unlist` an owner's entry. */
export type Deed = Remedy["do"] | "bury" | "unlist" | "error";

/** At 40 keys an image one or two seconds of listing. */
const BATCH = 500;
/** At once within a batch. */
const LANES = 16;
/** Tombstones that one round removes; more wait for the next one. Bounds the cursor to 150 KB. */
const MAX_RIPE = 5000;

const HOUR = 3_600_000;
/**
 * Rest after a round: half a second for each image seen, an hour at least and a day at most. So up to 170,000 images
 * the price is that of 7,200 an hour (docs/operations.md), and a small installation waits an hour for what was lost.
 */
const [REST_PER_IMAGE, MIN_REST, MAX_REST] = [500, HOUR, 24 * HOUR];
/** For seconds cut off, clocks that differ, and deletions of another sweep that were waited for. */
const MARGIN = HOUR;

export async function sweep(
  deps: SweepDeps,
  { begin, patience, timeLeft, batch: size = BATCH }: SweepOptions,
): Promise<SweepReport> {
  const done: Partial<Record<Deed, number>> = {};
  const found = await readCursor(deps.uploads);
  const last = found.cursor;
  const report = (state: SweepReport["state"]): SweepReport => ({ state, images: cursor.images, done });

  let cursor: Omit<Cursor, "writeId"> =
    last && (last.finishedAt === undefined ? !begin : isResting(last, deps.now()) && !begin)
      ? last
      : newRound(deps.now(), last);
  if (cursor.finishedAt !== undefined) return report("resting");
  let { etag } = found;
  /** False where another sweep has written it in the meantime. */
  const save = async (changes: Partial<Cursor>): Promise<boolean> => {
    cursor = { ...cursor, ...changes };
    etag = await writeCursor(deps, cursor, etag);
    return etag !== undefined;
  };
  if (!(await save({ longest: Math.max(cursor.longest, ...Object.values(patience)) })))
    return report("overtaken");

  const terms: Terms = {
    patience,
    settledBefore: cursor.settledBefore === undefined ? undefined : new Date(cursor.settledBefore),
  };
  let { settled } = cursor;
  /** One that cannot be mended keeps nobody else waiting; it is tried again in the next round. */
  const attempt = async (id: string, act: () => Promise<Deed[]>): Promise<Deed[]> => {
    const names = await act().catch((error: unknown): Deed[] => {
      const code = error instanceof DarkroomError ? error.code : "internal";
      deps.log("error", "not swept", { id, code, error: error instanceof Error ? error.name : "unknown" });
      return ["error"];
    });
    for (const name of names) done[name] = (done[name] ?? 0) + 1;
    if (names.length > 0 && !names.includes("error")) deps.log("info", "swept", { id, done: names });
    // What is left to a worker may be lost again.
    if (names.includes("error") || names.includes("develop")) settled = false;
    return names;
  };

  if (cursor.stage === "images") {
    for await (const batch of batches(walk(deps, cursor.after), size)) {
      if (!timeLeft()) return report("paused");
      const ripe: string[] = [];
      await inLanes(batch, LANES, async (traces) => {
        const names = await attempt(traces.id, () => mend(deps, traces, terms));
        if (names.includes("ripe")) ripe.push(traces.id);
      });
      const progress = {
        after: batch.at(-1)?.id,
        images: cursor.images + batch.length,
        ripe: [...cursor.ripe, ...ripe].slice(0, MAX_RIPE),
        settled,
      };
      if (!(await save(progress))) return report("overtaken");
    }
    if (!(await save({ stage: "owners", after: undefined }))) return report("overtaken");
  }

  const ripe = new Set(cursor.ripe);
  for await (const batch of batches(listed(deps.uploads, OWNERS, cursor.after), size)) {
    if (!timeLeft()) return report("paused");
    await inLanes(batch, LANES, (entry) =>
      // No key in the log: the owner is in it.
      attempt(entry.key.slice(-26), async () =>
        (await mendEntry(deps, entry, ripe, terms)) ? ["unlist"] : [],
      ),
    );
    if (!(await save({ after: batch.at(-1)?.key, settled }))) return report("overtaken");
  }
  await inLanes(cursor.ripe, LANES, (id) =>
    attempt(id, async () => ((await bury(deps, id)) ? ["bury"] : [])),
  );

  const settledBefore = settled
    ? new Date(Date.parse(cursor.startedAt) - cursor.longest - MARGIN).toISOString()
    : cursor.settledBefore;
  const finished = {
    finishedAt: deps.now().toISOString(),
    settled,
    settledBefore,
    ripe: [],
    after: undefined,
  };
  return report((await save(finished)) ? "finished" : "overtaken");
}

function newRound(now: Date, last: Cursor | undefined): Omit<Cursor, "writeId"> {
  return {
    schema: 1,
    startedAt: now.toISOString(),
    stage: "images",
    images: 0,
    ripe: [],
    settled: true,
    longest: 0,
    settledBefore: last?.settledBefore,
  };
}

/** A round that ended in the future, by a clock that was wrong, is no reason to rest. */
function isResting({ finishedAt, images }: Cursor, now: Date): boolean {
  const rested = now.getTime() - Date.parse(finishedAt ?? "");
  return rested >= 0 && rested < Math.min(MAX_REST, Math.max(MIN_REST, images * REST_PER_IMAGE));
}

async function* batches<T>(all: AsyncIterable<T>, size: number): AsyncGenerator<T[], void> {
  let batch: T[] = [];
  for await (const one of all) {
    batch.push(one);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
