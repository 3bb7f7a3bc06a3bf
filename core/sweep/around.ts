/** All files of one image, in public and in its owner's home, which no list has by id. */
import { type Revision, readHome } from "../commit.ts";
import { homeKey, imagePrefix, metaKey, PUBLIC } from "../keys.ts";
import { collected } from "../listing.ts";
import type { ListedObject, ObjectStore } from "../ports.ts";

export interface Around {
  /** The document, where there is one. */
  readonly document: ListedObject | undefined;
  /** All else, but for what leads to the document. */
  readonly beside: ListedObject[];
}

/** @param open what lies in public, where that has been listed */
export async function lookAround(
  media: ObjectStore,
  id: string,
  found: Revision,
  open?: readonly ListedObject[],
): Promise<Around> {
  const home = found.home || (await readHome(media, id));
  const inside = home === PUBLIC ? [] : await collected(media, imagePrefix(id, home));
  const all = [...(open ?? (await collected(media, imagePrefix(id)))), ...inside];
  const standing = metaKey(id, found.leaving ? home : found.home);
  // In public a note stays, that it has moved.
  const leads = found.document && found.home !== PUBLIC ? metaKey(id) : undefined;
  const beside = all.filter(({ key }) => key !== standing && key !== leads);
  // Of nothing at all nothing is to be found.
  const stored = home !== PUBLIC && !found.document ? await media.head(homeKey(id)) : undefined;
  if (stored) beside.push({ key: homeKey(id), ...stored });
  return { document: found.document && all.find(({ key }) => key === standing), beside };
}
