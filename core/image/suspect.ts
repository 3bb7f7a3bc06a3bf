/**
 * Files that kill or stall the worker itself, not only its child. They leave no error: their messages come back with one
 * receive more, as those of an outage do. So from the fourth receive on a mark is written before the pixel work and removed
 * after it, however that ends. A mark that is found stands for a worker that died; after two of them the file is judged.
 */
import { markKey } from "../keys.ts";
import type { ObjectStore } from "../ports.ts";

/** Whoever has come so often is worked on alone, so that no neighbour's death is laid to its charge. */
export const SUSPECT_RECEIVES = 4;
const DEATHS = 2;

/** @returns what `judge` comes to; undefined where the file has killed twice, and `judge` is not called */
export async function suspected<T>(
  uploads: ObjectStore,
  { id, etag, receives }: { id: string; etag: string; receives: number },
  judge: () => Promise<T>,
): Promise<T | undefined> {
  if (receives < SUSPECT_RECEIVES) return judge();
  const tries = await triesUnder(uploads, id, etag);
  if (tries >= DEATHS) return undefined;
  await uploads.put(markKey(id), "", { metadata: { etag, tries: String(tries + 1) } });
  try {
    return await judge();
  } finally {
    await clear(uploads, id);
  }
}

/** Tries begun under this mark, of which none is known to have ended. Of other bytes it is another suspect's. */
async function triesUnder(uploads: ObjectStore, id: string, etag: string): Promise<number> {
  const mark = await uploads.head(markKey(id));
  return mark?.metadata["etag"] === etag ? Number(mark.metadata["tries"]) || 0 : 0;
}

/** Twice, as one that stays for want of S3 counts as a death; a rule of the bucket removes it in the end. */
async function clear(uploads: ObjectStore, id: string): Promise<void> {
  const remove = () => uploads.delete(markKey(id));
  await remove()
    .catch(remove)
    .catch(() => {});
}
