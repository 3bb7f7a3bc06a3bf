/**
 * Files that kill or stall the worker itself, not only its child. They leave no error: their messages come back with one
 * receive more, as those of an outage do. So from the fourth receive on a mark is written before the pixel work and removed
 * after it, however that ends. A mark that is found stands for a worker that died; after two of them the file is judged.
 */
import * as v from "valibot";
import { readText } from "../commit.ts";
import { markKey } from "../keys.ts";
import type { ObjectStore } from "../ports.ts";

/** Whoever has come so often is worked on alone, so that no neighbour's death is laid to its charge. */
export const SUSPECT_RECEIVES = 4;
const DEATHS = 2;

const Mark = v.object({
  /** Of the original: another one is another suspect. */
  etag: v.string(),
  /** Tries begun under this mark; all but one that goes on at this moment ended in a death. */
  tries: v.number(),
});

/** @returns what `judge` comes to; undefined where the file has killed twice, and `judge` is not called */
export async function suspected<T>(
  uploads: ObjectStore,
  { id, etag, receives }: { id: string; etag: string; receives: number },
  judge: () => Promise<T>,
): Promise<T | undefined> {
  if (receives < SUSPECT_RECEIVES) return judge();
  const tries = await triesUnder(uploads, id, etag);
  if (tries >= DEATHS) return undefined;
  await uploads.put(markKey(id), JSON.stringify({ etag, tries: tries + 1 }), { type: "application/json" });
  try {
    return await judge();
  } finally {
    await clear(uploads, id);
  }
}

async function triesUnder(uploads: ObjectStore, id: string, etag: string): Promise<number> {
  const stored = await uploads.get(markKey(id));
  if (!stored) return 0;
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), Mark), await readText(stored.body));
  return parsed.success && parsed.output.etag === etag ? parsed.output.tries : 0;
}

/** One that stays for want of S3 counts as a death; it takes two, and a rule of the bucket removes it in the end. */
const clear = (uploads: ObjectStore, id: string) => uploads.delete(markKey(id)).catch(() => {});
