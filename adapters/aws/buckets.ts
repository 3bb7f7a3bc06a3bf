/** Both buckets, as the functions that work on images need them. */
import type { S3Client } from "@aws-sdk/client-s3";
import type { ObjectStore, OpenUploads } from "../../core/ports.ts";
import { openUploads } from "./open-uploads.ts";
import { s3Store } from "./s3-store.ts";

export function buckets(
  s3: S3Client,
  { UPLOADS_BUCKET, MEDIA_BUCKET }: { UPLOADS_BUCKET: string; MEDIA_BUCKET: string },
): { uploads: ObjectStore; openUploads: OpenUploads; media: ObjectStore } {
  return {
    uploads: s3Store(s3, UPLOADS_BUCKET),
    openUploads: openUploads(s3, UPLOADS_BUCKET),
    media: s3Store(s3, MEDIA_BUCKET),
  };
}
