/** S3's multipart calls behind AWS's client. */
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  type S3Client,
  S3ServiceException,
} from "@aws-sdk/client-s3";
import { DarkroomError } from "../../core/errors.ts";
import type { MultipartStore, Part } from "../../core/upload/multipart.ts";

export function multipartStore(client: S3Client, Bucket: string): MultipartStore {
  return {
    async create({ key: Key, type, metadata }) {
      const command = new CreateMultipartUploadCommand({
        Bucket,
        Key,
        ContentType: type,
        Metadata: metadata,
      });
      const { UploadId } = await client.send(command);
      if (!UploadId) throw new Error("the S3 server's answer has no UploadId");
      return UploadId;
    },

    async begun(key) {
      const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket, Prefix: key }));
      return Uploads.flatMap(({ Key, UploadId }) => (Key === key && UploadId ? [UploadId] : []));
    },

    async listParts(Key, UploadId) {
      const parts: Part[] = [];
      let marker: string | undefined;
      do {
        const page = new ListPartsCommand({
          Bucket,
          Key,
          UploadId,
          ...(marker ? { PartNumberMarker: marker } : {}),
        });
        const answer = await client.send(page).catch(overOrThrow);
        if (!answer) return undefined;
        for (const { PartNumber = 0, ETag = "", Size = 0 } of answer.Parts ?? []) {
          parts.push({ number: PartNumber, etag: ETag.replaceAll('"', ""), size: Size });
        }
        marker = answer.IsTruncated ? answer.NextPartNumberMarker : undefined;
      } while (marker);
      return parts;
    },

    async complete(Key, UploadId, parts, size) {
      const command = new CompleteMultipartUploadCommand({
        Bucket,
        Key,
        UploadId,
        IfNoneMatch: "*",
        MpuObjectSize: size,
        MultipartUpload: {
          Parts: parts.map(({ number, etag }) => ({ PartNumber: number, ETag: `"${etag}"` })),
        },
      });
      const answer = await client.send(command).catch((error: unknown) => {
        if (nameOf(error) === "PreconditionFailed") return undefined;
        // Another completion, or a delete, is at it (ConditionalRequestConflict, OperationAborted). Asked again, S3
        // either completes it, or knows no such upload any more, and then the original itself says how it went.
        if (statusOf(error) === 409) throw new DarkroomError("unavailable", undefined, { cause: error });
        // S3's own words: a part below 5 MiB that is not the last, an ETag that is another's.
        if (["EntityTooSmall", "InvalidPart", "InvalidPartOrder"].includes(nameOf(error) ?? "")) {
          throw new DarkroomError("bad-request", `parts: S3 refuses them (${nameOf(error)}).`, {
            cause: error,
          });
        }
        return overOrThrow(error);
      });
      return answer !== undefined;
    },

    async abort(Key, UploadId) {
      await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId })).catch(overOrThrow);
    },

    async metadata(Key) {
      const answer = await client.send(new HeadObjectCommand({ Bucket, Key })).catch(overOrThrow);
      return answer && (answer.Metadata ?? {});
    },
  };
}

const nameOf = (error: unknown) => (error instanceof S3ServiceException ? error.name : undefined);
const statusOf = (error: unknown) =>
  error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;

/** Completed, aborted or expired: S3 knows no such upload, or no such object. */
function overOrThrow(error: unknown): undefined {
  if (["NoSuchUpload", "NotFound", "NoSuchKey"].includes(nameOf(error) ?? "")) return undefined;
  throw error;
}
