/**
 * Deletes variants from beside a document, which is rule 8 of docs/design.md: no worker can come to name what is on its way out.
 *
 * First a revision says so under `deleting`. A worker that wants one of these keys waits for it to go, and one that
 * had counted on it finds that its own commit no longer fits the document it began with, and looks again
 * (`develop-image.ts`). Then the objects go, and last a revision without them. What was in public and is private now is
 * forgotten by the CDN as well.
 */
import { commit, type Revision } from "../commit.ts";
import { IMAGES } from "../keys.ts";
import type { Metadata } from "../metadata.ts";
import type { ObjectStore } from "../ports.ts";
import { noteForget } from "../tell/forget.ts";

export interface RetireDeps {
  readonly uploads: Pick<ObjectStore, "put">;
  readonly media: ObjectStore;
  readonly now: () => Date;
  readonly random: (bytes: number) => Uint8Array;
}
type Standing = Revision & { readonly document: Metadata };

/** Public files of a private image, which its document has given up. */
export const isBetrayal = ({ access }: Metadata, key: string) =>
  access === "private" && key.startsWith(IMAGES);

/**
 * @returns the revision that stands then; undefined where the document has changed since: then nothing is deleted, and the
 *   next round decides anew
 */
export async function retire(
  deps: RetireDeps,
  found: Standing,
  keys: readonly string[],
): Promise<Standing | undefined> {
  const { id, writeId } = found.document;
  const gone = new Set(keys);
  const others = ({ key }: { key: string }) => !gone.has(key);
  const at = deps.now().toISOString();
  const announced = await commit(deps, id, found, (current) => {
    if (current?.writeId !== writeId) return undefined;
    const deleting = [...current.deleting.filter(others), ...keys.map((key) => ({ key, at }))];
    return { ...current, superseded: current.superseded.filter(others), deleting };
  });
  if (!announced.written || !announced.document) return undefined;

  const forget = keys.some((key) => isBetrayal(found.document, key));
  if (forget) await noteForget(deps, id);
  for (const key of keys) await deps.media.delete(key);
  if (forget) await noteForget(deps, id);

  const { document, ...rest } = await commit(deps, id, announced, (current) => {
    const mine = (entry: { key: string; at: string }) => gone.has(entry.key) && entry.at === at;
    if (!current?.deleting.some(mine)) return undefined;
    return { ...current, deleting: current.deleting.filter((entry) => !mine(entry)) };
  });
  return document && { ...rest, document };
}
