/** What an owner may have, as the token of his upload said (`maxImages`, `maxOwnerBytes`). */
import { DarkroomError } from "../errors.ts";
import type { Metadata } from "../metadata.ts";
import type { ObjectStore, StoredHead } from "../ports.ts";
import type { UploadMetadata } from "../upload-metadata.ts";
import { usageOf } from "../usage.ts";

export const OVER_QUOTA = "over-quota";

/** What is shown or held already, whatever the limit is by now. */
export const hasRoom = (current: Metadata | undefined) =>
  current?.status === "ready" || current?.status === "held";

/**
 * Whether there is no room for this original, and the sentence that says how much is used. Uploads that are developed at the same moment do not see each other.
 */
export async function refusalByQuota(
  { uploads, now }: { readonly uploads: Pick<ObjectStore, "list">; readonly now: () => Date },
  id: string,
  {
    owner,
    maxImages = Number.POSITIVE_INFINITY,
    maxOwnerBytes = Number.POSITIVE_INFINITY,
  }: Partial<UploadMetadata>,
  { size }: StoredHead,
  current: Metadata | undefined,
): Promise<{ readonly code: typeof OVER_QUOTA; readonly message: string } | undefined> {
  if (hasRoom(current)) return undefined;
  if (owner === undefined || Math.min(maxImages, maxOwnerBytes) === Number.POSITIVE_INFINITY)
    return undefined;
  const { images, originals } = await usageOf(uploads, owner, now(), id);
  if (images + 1 > maxImages) return said(`${images} of ${maxImages} images are used`);
  if (originals + size > maxOwnerBytes)
    return said(
      `${inMegabytes(originals)} of ${inMegabytes(maxOwnerBytes)} MB are used, and this file has ${inMegabytes(size)}`,
    );
  return undefined;
}

function said(used: string) {
  const { message } = new DarkroomError(OVER_QUOTA);
  return { code: OVER_QUOTA, message: `${message} ${used[0]?.toUpperCase()}${used.slice(1)}.` } as const;
}

const inMegabytes = (bytes: number) => Number((bytes / 1e6).toPrecision(3));
