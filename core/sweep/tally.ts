/** What the owners have, added up as a round passes their entries; those with the most are written down. */
import * as v from "valibot";
import { readText } from "../commit.ts";
import { parseCountKey, TOP_OWNERS_KEY } from "../keys.ts";
import type { ObjectStore } from "../ports.ts";
import { NO_USAGE, plus } from "../usage.ts";
import { Owned, type Round } from "./sweep-cursor.ts";

const MOST = 100;
const bytes = ({ originals, variants }: Owned) => originals + variants;

/** @param counts keys, in the order of the owners' entries */
export function tallied(
  { tally, top = [] }: Round,
  counts: readonly (string | undefined)[],
  now: Date,
): Pick<Round, "tally" | "top"> {
  let [owned, best] = [tally, top];
  for (const key of counts) {
    const count = key === undefined ? undefined : parseCountKey(key);
    if (!count) continue;
    if (owned?.owner !== count.owner) {
      best = withOwner(best, owned);
      owned = { owner: count.owner, ...NO_USAGE };
    }
    owned = { owner: count.owner, ...plus(owned, count, now) };
  }
  return { ...(owned ? { tally: owned } : {}), top: best };
}

const withOwner = (top: readonly Owned[], owned: Owned | undefined) =>
  [...top, ...(owned && owned.images > 0 ? [owned] : [])].sort((a, b) => bytes(b) - bytes(a)).slice(0, MOST);

export async function writeTop(
  { uploads, now }: { readonly uploads: Pick<ObjectStore, "put">; readonly now: () => Date },
  { tally, top = [] }: Round,
): Promise<void> {
  const written: TopOwners = { at: now().toISOString(), owners: withOwner(top, tally) };
  await uploads.put(TOP_OWNERS_KEY, JSON.stringify(written), { type: "application/json" });
}

const TopOwners = v.object({ at: v.pipe(v.string(), v.isoTimestamp()), owners: v.array(Owned) });
export type TopOwners = v.InferOutput<typeof TopOwners>;

/** By the last round that has counted them; undefined before the first. */
export async function topOwners(uploads: Pick<ObjectStore, "get">): Promise<TopOwners | undefined> {
  const stored = await uploads.get(TOP_OWNERS_KEY);
  return stored && v.parse(TopOwners, JSON.parse(await readText(stored.body)));
}
