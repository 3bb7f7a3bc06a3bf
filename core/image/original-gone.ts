/** An original that is gone though nobody asked us to delete it: rule 7. Its image stays as it is, and says so. */
import { indexAttention } from "../attention.ts";
import { commit, type Revision } from "../commit.ts";
import { originalKey } from "../keys.ts";
import { type Metadata, withOriginal, withoutOriginal } from "../metadata.ts";
import { followUp } from "../tell/tell.ts";
import { readUploadMetadata } from "../upload-metadata.ts";
import type { DeleteDeps } from "./delete-image.ts";
import { type Outcome, skipped } from "./outcome.ts";
import { OVER_QUOTA } from "./quota.ts";
import { register } from "./register.ts";

export interface MarkDeps extends Omit<DeleteDeps, "openUploads"> {
  /** For how long the deployment keeps originals; for ever where 0 or absent. */
  readonly originalsDays?: number | undefined;
}

/**
 * Marks the image, where there is one. Nothing that a page shows has changed: it is listed, and not told.
 * @param asked by a job, which fails and says so
 */
export async function originalGone(
  deps: MarkDeps,
  id: string,
  found: Revision,
  asked: boolean,
): Promise<Outcome> {
  // A job may name an image that is signed for and not uploaded yet.
  if (!found.document) return skipped(id, asked ? "unknown" : "original-gone");
  const { document, before, written } = await commit(deps, id, found, (current) =>
    withoutOriginal(current, deps.now(), { asked, originalsDays: deps.originalsDays }),
  );
  if (!document || document.status === "deleted") return skipped(id, "deleted");
  // Also where it is marked already: whoever did may have died before this.
  await (asked ? followUp : indexAttention)(deps, document, written ? before : "unknown");
  return { id, status: asked ? "failed" : "skipped", reason: "original-gone" };
}

/** Whether an original that is there has been found no room for: it is removed, by whoever died before that or comes next. */
export const isRefused = (document: Metadata | undefined, etag: string) =>
  document?.error?.code === OVER_QUOTA && document.source?.etag === etag;

/** It has come back, by a restore. */
export async function originalBack(deps: MarkDeps, id: string, found: Revision): Promise<void> {
  if (found.document?.error?.code === OVER_QUOTA) return deps.uploads.delete(originalKey(id));
  const { metadata = {} } = (await deps.uploads.head(originalKey(id))) ?? {};
  const { uploadedAt } = found.document ?? {};
  // While the document was away too, its entry was that of nobody, and may have gone. The sweep counts what has one.
  if (uploadedAt) await register(deps.uploads, id, readUploadMetadata(metadata), uploadedAt, found.document);
  const { document, before, written } = await commit(deps, id, found, (current) =>
    current?.source?.gone === undefined ? undefined : withOriginal(current),
  );
  if (!written || !document) return;
  const isToTell = before?.lastError !== document.lastError;
  await (isToTell ? followUp : indexAttention)(deps, document, before);
}
