/** What every operation works with. */
import type { Credentials } from "../sigv4.ts";
import type { Body } from "./body.ts";
import { checkWrite, type WriteCondition } from "./conditions.ts";
import { S3Error } from "./errors.ts";
import type { EventName } from "./notification-rules.ts";
import type { Notifications } from "./notifications.ts";
import type { Reply, S3Request } from "./request.ts";
import type { Storage, StoredObject } from "./storage.ts";
import { supersede } from "./versions.ts";

export interface S3 {
  readonly storage: Storage;
  readonly notifications: Notifications;
  readonly credentials: Credentials;
  readonly region: string;
  readonly now: () => Date;
}

/** One operation of S3. The request is authenticated and, except for CreateBucket, its bucket exists. */
export type Operation = (s3: S3, request: S3Request) => Reply | Promise<Reply>;

/** The one account of this server: twelve digits as in ARNs. */
export const ACCOUNT = "000000000000";
export const OWNER = { ID: ACCOUNT, DisplayName: "local" };

/** Milliseconds, cut to whole seconds: HTTP dates have no more, and a condition must compare equal to what was shown. */
export const wholeSeconds = (now: Date): number => Math.floor(now.getTime() / 1000) * 1000;

export const isoDate = (time: number): string => new Date(time).toISOString();

export const xmlReply = (body: string, headers: Record<string, string> = {}): Reply => ({
  status: 200,
  headers: { "content-type": "application/xml", ...headers },
  body,
});

/** Of an operation whose route has a bucket. */
export function bucketOf(request: S3Request): string {
  if (request.bucket === undefined) throw new Error("the route has no bucket");
  return request.bucket;
}

/** Of an operation whose route has an object. */
export function keyOf(request: S3Request): string {
  if (request.key === undefined) throw new Error("the route has no key");
  return request.key;
}

/** @throws S3Error `NoSuchBucket` */
export function requireBucket({ storage }: S3, bucket: string): void {
  if (!storage.bucketExists(bucket)) throw new S3Error("NoSuchBucket", undefined, { BucketName: bucket });
}

/**
 * In a transaction: makes the object visible and notes its event, if the condition holds now. Of two writers that
 * both want an absent key, the second to get here finds it taken.
 * @returns it, with its version where the bucket keeps them
 */
export function commitObject(
  s3: S3,
  request: S3Request,
  object: StoredObject,
  condition: WriteCondition,
  event: EventName,
): StoredObject {
  const { bucket, key } = object;
  requireBucket(s3, bucket);
  checkWrite(condition, key, s3.storage.object(bucket, key));
  const version = supersede(s3.storage, bucket, key);
  const stored = version === undefined ? object : { ...object, version };
  s3.storage.putObject(stored);
  s3.notifications.note(request, event, stored);
  return stored;
}

/** Reads a body into an object that is one piece, and makes it visible as `commitObject` does. */
export function storeWhole(
  s3: S3,
  request: S3Request,
  object: Pick<StoredObject, "bucket" | "key" | "headers">,
  body: Body,
  condition: WriteCondition,
  event: EventName,
): Promise<StoredObject> {
  return s3.storage.store(body.stream, (file): StoredObject => {
    const { size, md5, checksum } = body.received();
    const stored = {
      ...object,
      size,
      etag: md5,
      modified: wholeSeconds(s3.now()),
      segments: [{ file, size }],
      multipart: false,
      ...(checksum ? { checksum: { ...checksum, type: "FULL_OBJECT" as const } } : {}),
    };
    return commitObject(s3, request, stored, condition, event);
  });
}
