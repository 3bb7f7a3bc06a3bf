/** What an operator sees of the sweep, and may ask of it: it answers at the next turn of its schedule. */
import * as v from "valibot";
import { DarkroomError } from "../errors.ts";
import { type BreakerDeps, confirmStop, leftoversOf, readStop, type Stop } from "./breaker.ts";
import { type Cursor, dueOf, readCursor, writeCursor } from "./sweep-cursor.ts";

export const AskSweep = v.pipe(
  v.strictObject({
    /** The next round without the rest before it. One that is under way goes on. */
    now: v.optional(v.boolean(), false),
    /** The id of the stop that the sweep stands at, for it to go on. */
    confirm: v.optional(v.string()),
    /** Only say whether it would be taken, and where the sweep stands. */
    dryRun: v.optional(v.boolean(), false),
  }),
  v.check(({ now, confirm }) => now !== (confirm !== undefined), "either now or confirm"),
);
export type AskSweep = v.InferOutput<typeof AskSweep>;

export interface SweepState {
  /** `new` where there was no round yet; `running` goes on at every turn of the schedule. */
  readonly state: "new" | "running" | "resting" | "stopped";
  /** Of the round that runs, or was the last; ISO 8601, and so are the others. */
  readonly startedAt?: string | undefined;
  readonly finishedAt?: string | undefined;
  /** Seen in that round so far. */
  readonly images?: number | undefined;
  /** The next turn begins a round: somebody asked for it. */
  readonly wanted?: true | undefined;
  readonly stopped?: (Pick<Stop, "id"> & Partial<Stop>) | undefined;
  /**
   * What a round that begins now deletes where it finds it again, leftovers of images and owners' entries: how many, and the first
   * thousand of those images. All else a round has yet to find, and another a day later.
   */
  readonly due?: { readonly count: number; readonly images: readonly string[] };
  /** The last stop that was confirmed: how many objects may go until when. */
  readonly confirmed?: Cursor["confirmed"];
}

export async function sweepState({
  uploads,
  now,
}: Pick<BreakerDeps, "uploads" | "now">): Promise<SweepState> {
  const { cursor } = await readCursor(uploads);
  if (!cursor) return { state: "new" };
  const { startedAt, finishedAt, images, wanted, stopped: id, confirmed } = cursor;
  const state = id !== undefined ? "stopped" : finishedAt === undefined ? "running" : "resting";
  const stopped = id === undefined ? undefined : { id, ...(await readStop(uploads, id)) };
  const keys = dueOf({ ...cursor.found, ...cursor.strays }, now().getTime());
  const due = { count: keys.length, images: leftoversOf(keys) };
  return { state, startedAt, finishedAt, images, wanted, stopped, due, confirmed };
}

/**
 * May be repeated.
 * @returns where the sweep stands then
 * @throws DarkroomError `not-stopped` where it does not stand at the stop that is confirmed, `unavailable`
 */
export async function askSweep(deps: BreakerDeps, { now, confirm, dryRun }: AskSweep): Promise<SweepState> {
  const state = await sweepState(deps);
  const known = [state.stopped?.id, state.stopped ? undefined : state.confirmed?.id];
  if (confirm !== undefined && !known.includes(confirm)) throw new DarkroomError("not-stopped");
  if (dryRun) return state;
  if (confirm !== undefined) await confirmStop(deps, confirm);
  if (now) await endRest(deps);
  return sweepState(deps);
}

async function endRest(deps: BreakerDeps): Promise<void> {
  const { cursor, etag } = await readCursor(deps.uploads);
  if (cursor?.finishedAt === undefined || cursor.wanted) return;
  const { writeId: _, ...round } = cursor;
  if ((await writeCursor(deps, { ...round, wanted: true }, etag)) === undefined)
    throw new DarkroomError("unavailable", "The sweep was at it this moment.");
}
