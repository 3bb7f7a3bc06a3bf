/** The open uploads in parts of one bucket behind AWS's S3 client. */
import {
  AbortMultipartUploadCommand,
  ListMultipartUploadsCommand,
  type S3Client,
  S3ServiceException,
} from "@aws-sdk/client-s3";
import { decodeKey } from "../../core/message.ts";
import type { OpenUploads } from "../../core/ports.ts";

export function openUploads(client: S3Client, Bucket: string): OpenUploads {
  return {
    async list(prefix, after) {
      const answer = await client.send(
        new ListMultipartUploadsCommand({
          Bucket,
          Prefix: prefix,
          // Else one foreign key with a control character makes the XML of the whole page unreadable.
          EncodingType: "url",
          ...(after ? { KeyMarker: after.key } : {}),
          ...(after?.uploadId === undefined ? {} : { UploadIdMarker: after.uploadId }),
        }),
      );
      const plain = (key = "") => (answer.EncodingType === "url" ? (decodeKey(key) ?? key) : key);
      const uploads = (answer.Uploads ?? []).map(({ Key, UploadId = "", Initiated = new Date(0) }) => ({
        key: plain(Key),
        uploadId: UploadId,
        startedAt: Initiated,
      }));
      return { uploads, next: answer.IsTruncated ? uploads.at(-1) : undefined };
    },

    async abort({ key, uploadId }) {
      const command = new AbortMultipartUploadCommand({ Bucket, Key: key, UploadId: uploadId });
      await client.send(command).catch((error: unknown) => {
        if (!(error instanceof S3ServiceException) || error.name !== "NoSuchUpload") throw error;
      });
    },
  };
}
