/** Deletion is final: the tombstone first, then everything under the id. Repeated or interrupted, it only goes on. */
import { commit, type Revision, readHome } from "../commit.ts";
import { DarkroomError } from "../errors.ts";
import {
  ATTENTION,
  attachKey,
  attentionKey,
  editKey,
  type Home,
  imagePrefix,
  metaKey,
  originalKey,
  ownerKey,
  PUBLIC,
} from "../keys.ts";
import { listed, listedOpen } from "../listing.ts";
import { type Metadata, tombstone } from "../metadata.ts";
import type { ObjectStore, OpenUploads, Queue, StoredHead } from "../ports.ts";
import { noteForget } from "../tell/forget.ts";
import { tell } from "../tell/tell.ts";
import { firstHomeOf, readUploadMetadata } from "../upload-metadata.ts";
import { countImage } from "../usage.ts";
import { clearHeld } from "./held.ts";

export interface DeleteDeps {
  readonly uploads: ObjectStore;
  /** Of the same bucket. */
  readonly openUploads: OpenUploads;
  readonly media: ObjectStore;
  /** Where the end of an image is told. */
  readonly events: Pick<Queue, "send">;
  readonly now: () => Date;
  readonly random: (bytes: number) => Uint8Array;
}

/**
 * Deletes an image for good, whose document was last seen as `found`. `upload` is what is known of its original: with it the owner is told "deleted" (410)
 * for as long as the tombstone stays.
 * @throws DarkroomError `unavailable` where it is not `asFound` any more
 */
export async function deleteImage(
  deps: DeleteDeps,
  id: string,
  found: Revision,
  upload: {
    owner?: string | undefined;
    uploadedAt?: string | undefined;
    /** Seen to be gone: deleting it again would only make another event, for ever in a bucket that keeps versions. */
    originalGone?: boolean;
    /** Only what was found: what has changed since may no longer be meant. */
    asFound?: true | undefined;
  } = {},
): Promise<Metadata | undefined> {
  const uploadedAt = found.document?.uploadedAt ?? upload.uploadedAt;
  if (upload.owner && uploadedAt)
    await deps.uploads.put(ownerKey(upload.owner, Date.parse(uploadedAt), id), "");
  // Before it goes: whoever hears of the delete is to know whose image that was.
  const original = upload.originalGone ? undefined : await deps.uploads.head(originalKey(id));
  const { document, home } = await commit(deps, id, atHome(found, original), (current) => {
    if (current?.status === "deleted") return undefined;
    if (upload.asFound && current?.writeId !== found.document?.writeId)
      throw new DarkroomError("unavailable", `${id} has changed at this moment.`);
    return tombstone(current, id, uploadedAt, deps.now());
  });
  await purge(deps, id, home, upload.originalGone);
  const owner = upload.owner ?? (original && readUploadMetadata(original.metadata).owner);
  if (owner && document) await countImage(deps.uploads, owner, document, "unknown");
  // Each time: the event of the original that goes leads here again, and makes good a try that died before it told.
  if (document) await tell(deps.events, document, original?.metadata);
  return document;
}

/** Of an image without a document: a private one has its tombstone in private too, where its first document would have been. */
export function atHome(found: Revision, original: StoredHead | undefined): Revision {
  const isNowhere = !found.document && found.etag === undefined && found.home === PUBLIC;
  return isNowhere && original ? { ...found, home: firstHomeOf(original.metadata) } : found;
}

/**
 * Removes all that lies under the id but the tombstone, in this home, and the owner's entry, and has the CDN forget it.
 * Idempotent.
 */
export async function purge(
  deps: Omit<DeleteDeps, "events">,
  id: string,
  home: Home,
  originalGone = false,
): Promise<void> {
  const { uploads, openUploads, media } = deps;
  // Before the original: completed in between, it would be one again.
  for await (const upload of listedOpen(openUploads, originalKey(id)))
    if (upload.key === originalKey(id)) await openUploads.abort(upload);
  if (!originalGone) await uploads.delete(originalKey(id));
  await uploads.delete(editKey(id));
  for (const status of ATTENTION) await uploads.delete(attentionKey(status, id));
  await uploads.delete(attachKey(id));
  await purgeHome(deps, id, home);
  await clearHeld(uploads, id);
  const variants: string[] = [];
  for await (const { key } of listed(media, imagePrefix(id))) if (key !== metaKey(id)) variants.push(key);
  // Only what was there can have been served, and every path costs.
  if (variants.length === 0) return;
  // Before, so that a try that dies half-way has said so; after, as until then the CDN could fetch them again.
  await noteForget(deps, id);
  for (const key of variants) await media.delete(key);
  await noteForget(deps, id);
}

/** What was ever private of it, which no CDN keeps. `homes/{id}` stays: somebody may be at copying it there. */
async function purgeHome({ media }: Pick<DeleteDeps, "media">, id: string, tombstone: Home): Promise<void> {
  const home = tombstone || (await readHome(media, id));
  if (home === PUBLIC) return;
  for await (const { key } of listed(media, imagePrefix(id, home)))
    if (key !== metaKey(id, tombstone)) await media.delete(key);
}
