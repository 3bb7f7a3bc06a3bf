/**
 * Which request is which operation: one row each. Add an operation by adding a row. What S3 has and this table has not
 * is answered with NotImplemented: never with the operation that the rest of the request looks like, as a PUT of
 * `?tagging` would overwrite the object.
 */
import { createBucket, deleteBucket, getBucketLocation, headBucket, listBuckets } from "./buckets.ts";
import { completeMultipartUpload } from "./complete-multipart.ts";
import {
  configurationNames,
  deleteConfiguration,
  getConfiguration,
  getNotification,
  putConfiguration,
  putNotification,
} from "./configurations.ts";
import { copyObject, uploadPartCopy } from "./copy.ts";
import { S3Error } from "./errors.ts";
import { listObjects } from "./listing.ts";
import { abortMultipartUpload, createMultipartUpload, uploadPart } from "./multipart.ts";
import { listMultipartUploads, listParts } from "./multipart-listing.ts";
import { deleteObject, deleteObjects, getObject, putObject } from "./objects.ts";
import { postObject } from "./post-object.ts";
import type { S3Request } from "./request.ts";
import type { Operation } from "./s3.ts";
import { getVersioning, listVersions, putVersioning } from "./version-requests.ts";

type Level = "service" | "bucket" | "object";

interface Route {
  readonly method: string;
  readonly level: Level;
  /** The query parameter that tells it from its neighbours; "" for none. */
  readonly sub: string;
  /** A header that does the same. */
  readonly header?: string;
  readonly run: Operation;
}

const route = (method: string, level: Level, sub: string, run: Operation, header?: string): Route => ({
  method,
  level,
  sub,
  run,
  ...(header ? { header } : {}),
});

/** In order: of two that fit, the first. */
const routes: readonly Route[] = [
  route("GET", "service", "", listBuckets),

  route("PUT", "bucket", "", createBucket),
  route("HEAD", "bucket", "", headBucket),
  route("DELETE", "bucket", "", deleteBucket),
  route("GET", "bucket", "", listObjects),
  route("POST", "bucket", "", postObject),
  route("POST", "bucket", "delete", deleteObjects),
  route("GET", "bucket", "uploads", listMultipartUploads),
  route("GET", "bucket", "location", getBucketLocation),
  route("GET", "bucket", "versioning", getVersioning),
  route("PUT", "bucket", "versioning", putVersioning),
  route("GET", "bucket", "versions", listVersions),
  route("GET", "bucket", "notification", getNotification),
  route("PUT", "bucket", "notification", putNotification),
  ...configurationNames.flatMap((name) => [
    route("GET", "bucket", name, getConfiguration(name)),
    route("PUT", "bucket", name, putConfiguration(name)),
    route("DELETE", "bucket", name, deleteConfiguration(name)),
  ]),

  route("GET", "object", "", getObject),
  route("HEAD", "object", "", getObject),
  route("PUT", "object", "", copyObject, "x-amz-copy-source"),
  route("PUT", "object", "", putObject),
  route("DELETE", "object", "", deleteObject),
  route("POST", "object", "uploads", createMultipartUpload),
  route("PUT", "object", "uploadId", uploadPartCopy, "x-amz-copy-source"),
  route("PUT", "object", "uploadId", uploadPart),
  route("GET", "object", "uploadId", listParts),
  route("POST", "object", "uploadId", completeMultipartUpload),
  route("DELETE", "object", "uploadId", abortMultipartUpload),
];

/** Parameters that say how, not what: of reads, and the few of writes. */
const readModifiers: ReadonlySet<string> = new Set([
  "allow-unordered",
  "bucket-region",
  "continuation-token",
  "delimiter",
  "encoding-type",
  "fetch-owner",
  "key-marker",
  "list-type",
  "marker",
  "max-buckets",
  "max-keys",
  "max-parts",
  "max-uploads",
  "part-number-marker",
  "partNumber",
  "prefix",
  "start-after",
  "upload-id-marker",
  "version-id-marker",
  "versionId",
]);

function isModifier(name: string, { method, query }: S3Request): boolean {
  // `x-id` names the SDK's operation; other `x-` are the caller's own, for its logs.
  if (/^x-/i.test(name) || name === "versionId") return true;
  if (method === "GET" || method === "HEAD") return readModifiers.has(name) || name.startsWith("response-");
  return name === "partNumber" && query.has("uploadId");
}

const known: ReadonlySet<string> = new Set(routes.map(({ sub }) => sub));

export const levelOf = ({ bucket, key }: S3Request): Level =>
  bucket === undefined ? "service" : key === undefined ? "bucket" : "object";

/** The browser's form: the one operation that carries its signature in the body. */
export const isFormPost = (request: S3Request): boolean =>
  request.method === "POST" &&
  levelOf(request) === "bucket" &&
  [...request.query.keys()].every((name) => isModifier(name, request));

/** @throws S3Error `NotImplemented` naming the subresource, `MethodNotAllowed`, `InvalidArgument` */
export function findRoute(request: S3Request): Route {
  const { method, query, headers } = request;
  const level = levelOf(request);
  const subs = [...query.keys()].filter((name) => !isModifier(name, request));
  // A parameter that S3 does not know is disregarded there, too, where it cannot be taken for a subresource.
  const foreign = subs.find((name) => !known.has(name) && !(method === "GET" && query.get(name) !== ""));
  const [sub = "", ...others] = subs.filter((name) => known.has(name));
  if (foreign !== undefined)
    throw new S3Error("NotImplemented", `?${foreign} is not implemented`, { Subresource: foreign });
  if (others.length > 0) {
    throw new S3Error(
      "InvalidArgument",
      `Conflicting query string parameters: ${[sub, ...others].join(", ")}`,
      {
        ArgumentName: "ResourceType",
        ArgumentValue: sub,
      },
    );
  }
  const fitting = routes.filter((one) => one.level === level && one.sub === sub);
  const found = fitting.find(
    (one) => one.method === method && (one.header === undefined || headers.has(one.header)),
  );
  if (found) return found;
  const offered = routes.some((one) => one.sub === sub && one.level === level);
  if (sub !== "")
    throw new S3Error("NotImplemented", `${method} ?${sub} is not implemented${offered ? "" : " here"}`, {
      Subresource: sub,
    });
  const allow = [...new Set(fitting.map((one) => one.method))].join(", ");
  throw new S3Error(
    "MethodNotAllowed",
    undefined,
    { Method: method, ResourceType: level.toUpperCase() },
    { headers: { allow } },
  );
}
