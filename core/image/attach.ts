/**
 * Images that go unless the back end attaches them in time, as their token asked (`attachWithin`). One object for each,
 * `attach/{id}`, says how that stands: `wanted` by the worker before its first commit, then `attached` by the back end or
 * `expired` by the sweep. Each is written under a condition, so that of an attach and a sweep that race one has decided,
 * and the other is told. An attach may come before everything else, as forms are sent while an image is on its way.
 */
import { type Revision, readRevision } from "../commit.ts";
import { DarkroomError, hasOutcome } from "../errors.ts";
import { attachKey, isId, originalKey } from "../keys.ts";
import type { ObjectStore, StoredHead } from "../ports.ts";
import { readUploadMetadata } from "../upload-metadata.ts";
import { type DeleteDeps, deleteImage } from "./delete-image.ts";

type State = "wanted" | "attached" | "expired";
/** For a request of the back end that is on its way when the time is over. */
const MARGIN_MS = 60_000;
const MAX_TRIES = 10;

/** Listed with no bytes, there is nothing to be done about it. */
const write = (
  uploads: Pick<ObjectStore, "put">,
  id: string,
  state: State,
  over: StoredHead | undefined,
  within: string = over?.metadata["within"] ?? "",
) =>
  uploads.put(attachKey(id), state === "attached" ? "" : state, {
    metadata: { state, ...(within ? { within } : {}) },
    ...(over ? { ifMatch: over.etag } : { ifNoneMatch: "*" as const }),
  });

/** Where somebody has decided already, that stands. `within` in seconds. */
export async function wantAttached(
  uploads: Pick<ObjectStore, "put">,
  id: string,
  within: number,
): Promise<void> {
  await write(uploads, id, "wanted", undefined, String(within)).catch(unlessConflict);
}

/**
 * Keeps an image for good; repeated, before it arrives, or where nobody asked for it, it is answered the same.
 * @throws DarkroomError `not-found` for what is no id, `gone` after the sweep, or anybody, has deleted the image
 */
export async function attachImage(
  { uploads, media }: Pick<DeleteDeps, "uploads" | "media">,
  id: string,
): Promise<void> {
  if (!isId(id)) throw new DarkroomError("not-found");
  const refuseDeleted = async () => {
    if ((await readRevision(media, id)).document?.status === "deleted") throw new DarkroomError("gone");
  };
  const [original] = await Promise.all([uploads.head(originalKey(id)), refuseDeleted()]);
  if (original && readUploadMetadata(original.metadata).attachWithin === undefined) return;
  if (!(await decide(uploads, id, "attached"))) throw new DarkroomError("gone");
  // Again: a delete takes `attach/{id}` away behind its tombstone, and what was written after that decides nothing.
  await refuseDeleted();
}

/** @returns whether it is so now; false where the other has been decided */
async function decide(uploads: ObjectStore, id: string, wish: "attached" | "expired"): Promise<boolean> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const found = await uploads.head(attachKey(id));
    const state = found?.metadata["state"];
    if (state === "attached" || state === "expired") return state === wish;
    if (await write(uploads, id, wish, found).then(() => true, unlessConflict)) return true;
  }
  throw new DarkroomError("unavailable");
}

/**
 * Deletes an image that nobody has attached in time: the time from when it was uploaded, or first worked on where that was
 * later, as of a file in parts, whose time on S3 is when it was begun. `now` by S3's clock, as those times are.
 * @returns whether it did
 */
export async function expire(deps: DeleteDeps, id: string, found: Revision): Promise<boolean> {
  const [asked, original] = await Promise.all([
    deps.uploads.head(attachKey(id)),
    deps.uploads.head(originalKey(id)),
  ]);
  // A bucket that has lost the original may have lost that it was attached: no evidence to delete by.
  if (!asked || !original) return false;
  const since = Math.max(asked.lastModified.getTime(), original.lastModified.getTime());
  const seconds = Number(asked.metadata["within"] ?? Number.POSITIVE_INFINITY);
  const isOver = deps.now().getTime() > since + seconds * 1000 + MARGIN_MS;
  if (asked.metadata["state"] === "wanted" && !isOver) return false;
  if (!(await decide(deps.uploads, id, "expired"))) return false;
  await deleteImage(deps, id, found);
  return true;
}

function unlessConflict(error: unknown): false {
  if (!hasOutcome(error, "conflict")) throw error;
  return false;
}
