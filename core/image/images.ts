/** Reading, listing and deleting images, for those who may. What is not the caller's does not exist for them. */
import type { Caller } from "../caller.ts";
import { type Revision, readRevision } from "../commit.ts";
import { DarkroomError } from "../errors.ts";
import {
  beyond,
  homeOf,
  isId,
  metaKey,
  originalKey,
  ownerKey,
  ownerPrefix,
  PUBLIC,
  parseOwnerKey,
} from "../keys.ts";
import type { Metadata } from "../metadata.ts";
import type { ObjectStore, StoredHead } from "../ports.ts";
import { type Context, contextOf, firstHomeOf, readUploadMetadata } from "../upload-metadata.ts";
import { type DeleteDeps, deleteImage } from "./delete-image.ts";

export type ImageDeps = Pick<DeleteDeps, "uploads" | "media">;

interface Found extends Revision {
  readonly original: StoredHead | undefined;
  readonly owner: string | undefined;
}

/**
 * What is known of an image that the caller owns.
 * @throws DarkroomError `not-found`, for what is not there and what is another's alike
 */
export async function find({ uploads, media }: ImageDeps, caller: Caller, id: string): Promise<Found> {
  if (!isId(id)) throw new DarkroomError("not-found");
  const [original, open] = await Promise.all([
    uploads.head(originalKey(id)),
    readRevision(media, id, PUBLIC),
  ]);
  const revision = open.document ? open : await elsewhere(media, id, open, original);
  const { document } = revision;
  let owner = original && readUploadMetadata(original.metadata).owner;
  // After a delete the original is gone, and the owner's entry speaks for it.
  if (
    !original &&
    document?.uploadedAt &&
    (await uploads.head(ownerKey(caller.owner, Date.parse(document.uploadedAt), id)))
  ) {
    owner = caller.owner;
  }
  if (!original && !document) throw new DarkroomError("not-found");
  if (!caller.scopes.has("admin") && owner !== caller.owner) throw new DarkroomError("not-found");
  return { ...revision, original, owner };
}

/** What is not in public is where its original says; without one, where it is known to be. */
async function elsewhere(
  media: ImageDeps["media"],
  id: string,
  open: Revision,
  original: StoredHead | undefined,
): Promise<Revision> {
  const home = original && firstHomeOf(original.metadata);
  return home === PUBLIC ? open : readRevision(media, id, home);
}

/** An image that has come to an end, or the original of one that has not. */
type Known =
  | { readonly metadata: Metadata; readonly etag: string; readonly context: Context }
  | { readonly metadata?: never; readonly original: StoredHead };

/** @throws DarkroomError `gone` after a delete, `not-found` */
export async function getImage(deps: ImageDeps, caller: Caller, id: string): Promise<Known> {
  const { document: metadata, etag, original, owner } = await find(deps, caller, id);
  if (metadata?.status === "deleted") throw new DarkroomError("gone");
  if (metadata && etag !== undefined)
    return { metadata, etag, context: original ? contextOf(original.metadata) : { owner } };
  if (original) return { original };
  throw new DarkroomError("not-found");
}

/** Milliseconds between the first looks, and between the last; each pause is half as long again as the one before. */
const PAUSES_MS = { first: 150, longest: 500 };

/**
 * `getImage`, which for as long as `holdMs` says waits until the image has come to an end: some forty small requests in
 * 20 s. What is no longer there when it is over is said as by `getImage`.
 * @param holdMs asked once, with the original of an image that is on its way
 */
export async function awaitImage(
  deps: Pick<DeleteDeps, "uploads" | "media" | "now">,
  sleep: (ms: number) => Promise<void>,
  caller: Caller,
  id: string,
  holdMs: (original: StoredHead) => Promise<number>,
): Promise<Known> {
  const began = deps.now().getTime();
  const found = await getImage(deps, caller, id);
  if (found.metadata) return found;
  const deadline = began + (await holdMs(found.original));
  const key = metaKey(id, firstHomeOf(found.original.metadata));
  const arrived = async () => ((await deps.media.head(key)) ? getImage(deps, caller, id) : undefined);
  for (let pause = PAUSES_MS.first; ; pause = Math.min(PAUSES_MS.longest, pause * 1.5)) {
    const left = deadline - deps.now().getTime();
    if (left <= 0) return found;
    await sleep(Math.ceil(Math.min(pause, left)));
    // The store has answered before and will again: a look that fails has seen nothing yet.
    const seen = await arrived().catch((error: unknown) => {
      if (error instanceof DarkroomError) throw error;
      return undefined;
    });
    if (seen?.metadata) return seen;
  }
}

/** Deletes an image; repeated, it does so again. */
export async function removeImage(deps: DeleteDeps, caller: Caller, id: string): Promise<void> {
  const { original, owner, ...found } = await find(deps, caller, id);
  await deleteImage(deps, id, found, { owner, uploadedAt: original?.lastModified.toISOString() });
}

/** An image in a list: its metadata once there is some. */
export type ListedImage =
  | Metadata
  | { readonly id: string; readonly status: "processing"; readonly uploadedAt: string };

/**
 * The caller's images, newest first. `cursor` is the one an earlier page gave.
 * @throws DarkroomError `bad-request` for a cursor that is none of ours
 */
export async function listImages(
  { uploads, media }: { uploads: ObjectStore; media: ObjectStore },
  caller: Caller,
  { limit, cursor }: { limit: number; cursor: string | undefined },
): Promise<{ images: ListedImage[]; cursor?: string }> {
  const prefix = ownerPrefix(caller.owner);
  if (cursor !== undefined && !parseOwnerKey(prefix + cursor)) {
    throw new DarkroomError("bad-request", "cursor: pass on what the last page gave, unchanged.");
  }
  const page = await uploads.list(prefix, {
    limit,
    after: cursor === undefined ? undefined : prefix + cursor,
  });
  const listed = await Promise.all(
    page.objects.map(async ({ key }): Promise<ListedImage | undefined> => {
      const entry = parseOwnerKey(key);
      if (!entry) return undefined;
      const uploadedAt = new Date(entry.uploadedAt).toISOString();
      const { document: metadata } = await readRevision(media, entry.id, homeOf(caller.owner));
      if (!metadata) return { id: entry.id, status: "processing", uploadedAt };
      return metadata.status === "deleted" || metadata.uploadedAt !== uploadedAt ? undefined : metadata;
    }),
  );
  return {
    images: listed.filter((image) => image !== undefined),
    ...(page.next === undefined ? {} : { cursor: beyond(prefix, page.next) }),
  };
}
