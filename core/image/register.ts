/** What is written of an image before a commit, so that none is ever visible and unlisted. */
import { ownerKey } from "../keys.ts";
import type { Metadata } from "../metadata.ts";
import type { ObjectStore } from "../ports.ts";
import type { UploadMetadata } from "../upload-metadata.ts";
import { wantAttached } from "./attach.ts";

/** @param current the document that was found: the first says since when the image is there, and begins what it waits for */
export async function register(
  uploads: Pick<ObjectStore, "put">,
  id: string,
  { owner, attachWithin }: Partial<UploadMetadata>,
  uploadedAt: string,
  current: Metadata | undefined,
): Promise<void> {
  if (owner) await uploads.put(ownerKey(owner, Date.parse(uploadedAt), id), "");
  if (!current && attachWithin) await wantAttached(uploads, id, attachWithin);
}
