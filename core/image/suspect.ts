/**
 * Files that kill or stall the worker itself, not only its child. They leave no error: their messages come back with one
 * receive more, as those of an outage do. So from the fourth receive on a mark is written before the pixel work and removed
 * after it, however that ends. A mark that is found stands for a worker that died; after two of them the file is judged.
 *
 * Weather kills workers too, and keeps S3 from hearing that a try has ended: no evidence tells the two apart for certain. So
 * that verdict heals as a failure does (`heals`), and each of those tries is made under a mark from its first receive on.
 */
import { DarkroomError } from "../errors.ts";
import { markKey } from "../keys.ts";
import type { Metadata, Verdict } from "../metadata.ts";
import type { ObjectStore } from "../ports.ts";

const SUSPECT_RECEIVES = 4;
const DEATHS = 2;
/** What dies alone ends so as well, and does not heal. */
const CODE = "decoder-crashed";

interface Suspect {
  readonly id: string;
  readonly etag: string;
  /** How often the queue has delivered its message, this time included. */
  readonly receives: number;
  /** The document that stands now. */
  readonly current: Metadata | undefined;
}

/** @returns what `judge` comes to; undefined where the file has killed twice, and `judge` is not called */
export async function suspected<T>(
  uploads: ObjectStore,
  { id, etag, receives, current }: Suspect,
  judge: () => Promise<T>,
): Promise<T | undefined> {
  if (receives < SUSPECT_RECEIVES && !wasCondemned(current, etag)) return judge();
  const tries = await triesUnder(uploads, id, etag);
  const mark = (count: number) => uploads.put(markKey(id), "", { metadata: { etag, tries: String(count) } });
  if (tries >= DEATHS) {
    // So that whoever tries again costs one worker, and not two.
    await mark(DEATHS - 1);
    return undefined;
  }
  await mark(tries + 1);
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

/** The verdict on a file over which workers have died. */
export function condemned(): Pick<Verdict, "status" | "error" | "heals"> {
  const { code, message } = new DarkroomError(CODE);
  return { status: "rejected", error: { code, message }, heals: true };
}

const wasCondemned = (current: Metadata | undefined, etag: string): boolean =>
  current?.failedAt !== undefined &&
  current.source?.etag === etag &&
  (current.lastError ?? current.error)?.code === CODE;
