/** One bucket behind AWS's S3 client: the only place that knows its error shapes. */
import { Readable } from "node:stream";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
  S3ServiceException,
} from "@aws-sdk/client-s3";
import { DarkroomError } from "../../core/errors.ts";
import { decodeKey } from "../../core/message.ts";
import type { ObjectStore, StoredHead } from "../../core/ports.ts";

/**
 * A client with our defaults; `config` wins over them. Pass `forcePathStyle: true` when an endpoint is set:
 * servers other than AWS rarely have a name for every bucket.
 */
export function s3Client(config: S3ClientConfig = {}): S3Client {
  return new S3Client({
    retryMode: "standard",
    maxAttempts: 5,
    // The SDK's own default, CRC32 trailers on everything, is refused by many S3 servers that are not AWS.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    // Without these a connection that went silent hangs until the function's own time-out.
    requestHandler: {
      connectionTimeout: 3_000,
      socketTimeout: 15_000,
      requestTimeout: 60_000,
      throwOnRequestTimeout: true,
    },
    ...config,
  });
}

/** Sends conditions and ETags the way S3 wants them and gives answers and errors the way the port promises. */
export function s3Store(client: S3Client, bucket: string): ObjectStore {
  const conditions = (ifMatch: string | undefined) =>
    ifMatch === undefined ? {} : { IfMatch: `"${ifMatch}"` };

  return {
    async head(key, { ifMatch } = {}) {
      const command = new HeadObjectCommand({ Bucket: bucket, Key: key, ...conditions(ifMatch) });
      const answer = await client.send(command).catch(absentOrThrow);
      return answer && headOf(answer);
    },

    async get(key, { ifMatch } = {}) {
      const command = new GetObjectCommand({ Bucket: bucket, Key: key, ...conditions(ifMatch) });
      const answer = await client.send(command).catch(absentOrThrow);
      if (!answer) return undefined;
      return { ...headOf(answer), body: bodyOf(answer.Body) };
    },

    async put(key, body, { type, cacheControl, metadata, ifMatch, ifNoneMatch } = {}) {
      const command = new PutObjectCommand({
        Bucket: bucket,
        Key: key,
        Body: body,
        // Else the SDK warns that an empty body is a stream whose length it does not know.
        ContentLength: Buffer.byteLength(body),
        ...(type === undefined ? {} : { ContentType: type }),
        ...(cacheControl === undefined ? {} : { CacheControl: cacheControl }),
        ...(metadata === undefined ? {} : { Metadata: metadata }),
        ...conditions(ifMatch),
        ...(ifNoneMatch === undefined ? {} : { IfNoneMatch: ifNoneMatch }),
      });
      const conditional = ifMatch !== undefined || ifNoneMatch !== undefined;
      const answer = await client.send(command).catch((error: unknown): never => {
        const status = statusOf(error);
        if (status === 412 || (conditional && (status === 409 || isAbsent(error)))) {
          throw new DarkroomError("precondition-failed", undefined, { cause: error });
        }
        throw error;
      });
      return { etag: unquote(answer.ETag) };
    },

    async delete(key, { ifMatch } = {}) {
      const command = new DeleteObjectCommand({ Bucket: bucket, Key: key, ...conditions(ifMatch) });
      // S3 itself answers 204 for a key that is not there, without a condition; some other servers say 404.
      await client.send(command).catch((error: unknown) => {
        if (ifMatch !== undefined && statusOf(error) === 409)
          throw new DarkroomError("precondition-failed", undefined, { cause: error });
        absentOrThrow(error);
      });
    },

    async list(prefix, { after, limit } = {}) {
      const answer = await client.send(
        new ListObjectsV2Command({
          Bucket: bucket,
          Prefix: prefix,
          // Else one foreign key with a control character makes the XML of the whole page unreadable.
          EncodingType: "url",
          ...(after === undefined ? {} : { StartAfter: after }),
          ...(limit === undefined ? {} : { MaxKeys: limit }),
        }),
      );
      const plain = (key: string) => (answer.EncodingType === "url" ? (decodeKey(key) ?? key) : key);
      const objects = (answer.Contents ?? []).map(({ Key, ETag, Size, LastModified }) => ({
        key: plain(given(Key, "Key")),
        etag: unquote(ETag),
        size: Size ?? 0,
        lastModified: given(LastModified, "LastModified"),
      }));
      return { objects, next: answer.IsTruncated ? objects.at(-1)?.key : undefined };
    },
  };
}

interface HeadAnswer {
  ETag?: string | undefined;
  ContentLength?: number | undefined;
  LastModified?: Date | undefined;
  ContentType?: string | undefined;
  CacheControl?: string | undefined;
  Metadata?: Record<string, string> | undefined;
  StorageClass?: string | undefined;
  /** Of intelligent tiering. */
  ArchiveStatus?: string | undefined;
  Restore?: string | undefined;
}

/** Glacier Instant Retrieval is read like any other class. */
const isArchived = ({ StorageClass = "", ArchiveStatus, Restore = "" }: HeadAnswer) =>
  (["GLACIER", "DEEP_ARCHIVE"].includes(StorageClass) || ArchiveStatus !== undefined) &&
  !Restore.includes('ongoing-request="false"');

function headOf(answer: HeadAnswer): StoredHead {
  return {
    etag: unquote(answer.ETag),
    size: given(answer.ContentLength, "Content-Length"),
    lastModified: given(answer.LastModified, "Last-Modified"),
    type: answer.ContentType,
    cacheControl: answer.CacheControl,
    metadata: answer.Metadata ?? {},
    ...(isArchived(answer) ? { archived: true as const } : {}),
  };
}

function given<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new Error(`the S3 server's answer has no ${name}`);
  return value;
}

const unquote = (etag: string | undefined) => given(etag, "ETag").replaceAll('"', "");
const statusOf = (error: unknown) =>
  error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
/** A missing bucket is a 404 too, but one that no caller can answer for; to HEAD both look the same. */
const isAbsent = (error: unknown) =>
  statusOf(error) === 404 && !(error instanceof Error && error.name === "NoSuchBucket");

/** For requests where 404 is an answer. */
function absentOrThrow(error: unknown): undefined {
  if (isAbsent(error)) return undefined;
  if (statusOf(error) === 412) throw new DarkroomError("precondition-failed", undefined, { cause: error });
  throw error;
}

/**
 * The bytes of an answer; Node's client ends them in an error when the connection does not last. Not a generator:
 * `return()` before the first `next()` would run none of its code, and the stream's own does no more.
 */
function bodyOf(body: unknown): AsyncIterable<Uint8Array> {
  if (!(body instanceof Readable)) throw new Error("the S3 client's answer has no readable body");
  return {
    [Symbol.asyncIterator]() {
      const pieces: AsyncIterator<Uint8Array> = body[Symbol.asyncIterator]();
      return {
        next: () => pieces.next(),
        async return() {
          body.destroy();
          return { done: true, value: undefined };
        },
      };
    },
  };
}
