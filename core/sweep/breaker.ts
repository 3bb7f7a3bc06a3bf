/**
 * Stops a round before it deletes more than it ought to, or acts on a bucket that is not the one it was: a wrong name, a
 * restore of half of the data, a rule that nobody thought of. It goes on when an operator has looked, and confirms.
 */
import * as v from "valibot";
import { readText } from "../commit.ts";
import { DarkroomError } from "../errors.ts";
import { IMAGES, newId, ORIGINALS, OWNERS, STOPPED_KEY } from "../keys.ts";
import type { ObjectStore } from "../ports.ts";
import { type Round, readCursor, type Seen, sumOf, writeCursor } from "./sweep-cursor.ts";

/** A round deletes no more objects than these, or the hundredth part of what it has seen, unconfirmed. */
const FEW = 100;
/** A confirmation is of what was seen: it does not stand for ever. */
const CONFIRMED_MS = 7 * 86_400_000;
/** Strays that are written down for whoever has to decide. */
const SHOWN = 1000;

export const Stop = v.object({
  id: v.string(),
  at: v.string(),
  /** `too-much` to delete, or a prefix that was `emptied` since the last round. */
  why: v.picklist(["too-much", "emptied"]),
  /** That is empty. */
  prefix: v.optional(v.string()),
  /** What was seen in it before. */
  full: v.optional(v.number()),
  /** Seen in this round, and what it would delete of them. */
  seen: v.number(),
  objects: v.number(),
  /** Images of which something would go, the first of them. */
  images: v.array(v.string()),
});
export type Stop = v.InferOutput<typeof Stop>;

export interface BreakerDeps {
  readonly uploads: ObjectStore;
  readonly media: Pick<ObjectStore, "list">;
  readonly now: () => Date;
  readonly random: (bytes: number) => Uint8Array;
  /** As of `MarkDeps`. */
  readonly originalsDays?: number | undefined;
}

/** Whether the round that begins meets a prefix empty that the last one found full; a first round compares the two buckets. */
export async function emptied(
  { uploads, media, originalsDays = 0 }: Pick<BreakerDeps, "uploads" | "media" | "originalsDays">,
  before: Seen | undefined,
): Promise<Pick<Stop, "why" | "prefix" | "full"> | undefined> {
  const mayExpire = originalsDays > 0;
  const first = async () => {
    const { length } = (await media.list(IMAGES, { limit: 1000 })).objects;
    return mayExpire ? { owners: length } : { originals: length };
  };
  const full: Partial<Seen> = before ?? (await first());
  const rows = [
    // Where all that were there have had their days, the owners' entries tell that it is the bucket that it was.
    [ORIGINALS, uploads, mayExpire ? 0 : full.originals],
    [IMAGES, media, full.images],
    [OWNERS, uploads, full.owners],
  ] as const;
  for (const [prefix, store, objects = 0] of rows) {
    if (objects <= FEW || (await store.list(prefix, { limit: 1 })).objects.length > 0) continue;
    return { why: "emptied", prefix, full: objects };
  }
  return undefined;
}

export function isTooMuch({ doomed, seen, confirmed }: Round, now: Date): boolean {
  const isConfirmed = confirmed && Date.parse(confirmed.until) > now.getTime();
  return doomed > Math.max(FEW, sumOf(seen) / 100, isConfirmed ? confirmed.objects : 0);
}

/** The images among what is due, the first of them: of an owner's entry only its number is shown. */
export const leftoversOf = (due: readonly string[]) =>
  due.filter((key) => !key.startsWith(OWNERS)).slice(0, SHOWN);

/** Writes down what the round would have done; it stands still once the cursor names this. */
export async function writeStop(
  { uploads, now, random }: BreakerDeps,
  { seen, doomed }: Round,
  due: readonly string[],
  why: Pick<Stop, "why" | "prefix" | "full">,
): Promise<string> {
  const images = leftoversOf(due);
  const id = newId(random);
  const stop: Stop = { id, at: now().toISOString(), ...why, seen: sumOf(seen), objects: doomed, images };
  await uploads.put(STOPPED_KEY, JSON.stringify(stop), { type: "application/json" });
  return id;
}

/** Undefined while the sweep is not stopped. */
export async function readStop(uploads: ObjectStore, id: string | undefined): Promise<Stop | undefined> {
  if (id === undefined) return undefined;
  const stored = await uploads.get(STOPPED_KEY);
  const stop = stored && v.safeParse(v.pipe(v.string(), v.parseJson(), Stop), await readText(stored.body));
  return stop?.success && stop.output.id === id ? stop.output : undefined;
}

/**
 * Lets the sweep go on from the stop with this id. Repeated, it is answered the same.
 * @throws DarkroomError `not-stopped` where it does not stand at this one
 */
export async function confirmStop(deps: BreakerDeps, id: string): Promise<void> {
  const { cursor, etag } = await readCursor(deps.uploads);
  if (cursor?.stopped === undefined && cursor?.confirmed?.id === id) return;
  if (!cursor || cursor.stopped !== id) throw new DarkroomError("not-stopped");
  const { stopped: _, writeId: __, ...round } = cursor;
  const stop = await readStop(deps.uploads, id);
  const until = new Date(deps.now().getTime() + CONFIRMED_MS).toISOString();
  // What is empty may be so from now on.
  const before = stop?.why === "emptied" ? { before: round.seen } : {};
  const next = { ...round, ...before, confirmed: { id, objects: stop?.objects ?? 0, until } };
  if ((await writeCursor(deps, next, etag)) === undefined)
    throw new DarkroomError("unavailable", "The sweep was at it this moment.");
}
