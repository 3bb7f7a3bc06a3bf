/** What a job that deletes does with one image: if it is still meant, the same as whoever deletes it alone. */
import { readRevision } from "../commit.ts";
import { type DeleteDeps, deleteImage } from "../image/delete-image.ts";
import { type Outcome, skipped } from "../image/outcome.ts";
import { orderKey } from "../job-keys.ts";
import { imagePrefix, originalKey } from "../keys.ts";
import type { DeleteTask } from "../message.ts";
import type { Metadata } from "../metadata.ts";
import type { StoredHead } from "../ports.ts";
import { readUploadMetadata } from "../upload-metadata.ts";
import { type Order, readOrder } from "./job-records.ts";
import { isMeant, type SelectDeps } from "./selection.ts";

/**
 * Messages wait for days, and what was chosen may have become something else: what no longer fits the order stays.
 * @param receives how often the queue has delivered this message, this time included
 * @throws DarkroomError `unavailable` where it changes at this very moment: decided anew by the next try
 */
export async function deleteMeant(
  deps: DeleteDeps & SelectDeps,
  { id, counted: { job } }: DeleteTask,
  receives: number,
): Promise<Outcome> {
  const order = await readOrder(deps.uploads, job);
  if (order?.action !== "delete") return skipped(id, "no order to delete");
  const [found, original] = await Promise.all([
    readRevision(deps.media, id),
    deps.uploads.head(originalKey(id)),
  ]);
  const upload = {
    owner: original && readUploadMetadata(original.metadata).owner,
    uploadedAt: original?.lastModified.toISOString(),
  };
  if (found.document?.status === "deleted") {
    // Whoever did so may have died in the middle of it, and this be the last that is heard of the image.
    const { objects } = await deps.media.list(imagePrefix(id, found.home), { limit: 2 });
    if (original || objects.length > 1 || receives > 1) await deleteImage(deps, id, found, upload);
    return skipped(id, "deleted");
  }
  // An order from before it came back is over, however late its messages are.
  if ((found.document?.undeletedAt ?? "") > order.startedAt) return skipped(id, "undeleted");
  if (!found.document && !original) return skipped(id, "unknown");
  if (!(await isStillMeant(deps, order, id, original, found.document))) return skipped(id, "changed");
  await deleteImage(deps, id, found, {
    ...upload,
    asFound: isNamed(order) ? undefined : true,
  });
  return { id, status: "deleted" };
}

/** By ids and nothing else: whatever they have become. */
const isNamed = ({ select: { ids, ...rest } }: Order) => ids !== undefined && Object.keys(rest).length === 0;

async function isStillMeant(
  deps: SelectDeps,
  order: Order,
  id: string,
  original: StoredHead | undefined,
  { uploadedAt, undeletedAt }: Partial<Metadata> = {},
): Promise<boolean> {
  if (isNamed(order)) return true;
  if (!order.select.ids) {
    // Uploaded or written again since, by S3's clock alone: whoever took the order may have one that is wrong by days.
    const ordered = await deps.uploads.head(orderKey(order.job));
    if (!ordered) return false;
    const written = [original?.lastModified.getTime(), uploadedAt && Date.parse(uploadedAt)];
    // S3 knows seconds only: what came in that of the order may be later. What is back is not, as its document has said.
    const since = ordered.lastModified.getTime() + (undeletedAt === undefined ? 0 : 1000);
    if (written.some((time) => time && time >= since)) return false;
  }
  return isMeant(deps, { ...order.select, ids: [id] }, { id });
}
