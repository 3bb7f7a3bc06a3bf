/** Copies inside a bucket, so that what did not change is not sent again. */
import { CopyObjectCommand, type S3Client, S3ServiceException } from "@aws-sdk/client-s3";
import type { StaticStore } from "./publish.ts";

export function copyInside(client: S3Client, bucket: string): StaticStore["copy"] {
  return async (from, to, { type, cacheControl }) => {
    try {
      await client.send(
        new CopyObjectCommand({
          Bucket: bucket,
          CopySource: `${bucket}/${from.split("/").map(encodeURIComponent).join("/")}`,
          Key: to,
          // The copy is described by today's rules, not by those of the version it comes from.
          MetadataDirective: "REPLACE",
          ContentType: type,
          CacheControl: cacheControl,
        }),
      );
      return true;
    } catch (error) {
      if (error instanceof S3ServiceException && error.$metadata.httpStatusCode === 404) return false;
      throw error;
    }
  };
}
