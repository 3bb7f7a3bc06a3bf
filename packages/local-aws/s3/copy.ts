/** CopyObject and UploadPartCopy: like the operations without a copy, with an object for a body. */

import { renderS3 } from "../xml.ts";
import { checkedBody, MAX_UPLOAD_BYTES } from "./body.ts";
import { type Algorithm, checksumElements, parseAlgorithm } from "./checksums.ts";
import { checkWrite, parseRange, quoted, readConditions, writeCondition } from "./conditions.ts";
import { S3Error } from "./errors.ts";
import { partNumberOf, storePart, uploadOf } from "./multipart.ts";
import { encryptionHeader, objectHeaders } from "./object-headers.ts";
import { decodeText, type S3Request } from "./request.ts";
import {
  bucketOf,
  isoDate,
  keyOf,
  type Operation,
  requireBucket,
  type S3,
  storeWhole,
  xmlReply,
} from "./s3.ts";
import type { StoredObject } from "./storage.ts";
import { requireVersion, versionHeader, versionIn } from "./version-requests.ts";

/** The object that `x-amz-copy-source` names, if its conditions hold. @throws S3Error */
function copySource(s3: S3, { headers }: S3Request): StoredObject {
  const header = headers.get("x-amz-copy-source") ?? "";
  const [path = "", version] = header.split("?versionId=");
  const [, bucket = "", key = ""] = /^\/?([^/]+)\/(.+)$/s.exec(decodeText(path)) ?? [];
  if (key === "") {
    throw new S3Error(
      "InvalidArgument",
      "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
      {
        ArgumentName: "x-amz-copy-source",
        ArgumentValue: header,
      },
    );
  }
  requireBucket(s3, bucket);
  const source = sourceVersion(s3, bucket, key, version);
  if (readConditions(headers, source, "x-amz-copy-source-") === "not-modified") {
    throw new S3Error("PreconditionFailed", undefined, { Condition: "x-amz-copy-source-If-None-Match" });
  }
  return source;
}

/** A marker cannot be copied. */
function sourceVersion(s3: S3, bucket: string, key: string, version: string | undefined): StoredObject {
  try {
    return requireVersion(s3, bucket, key, versionIn(new Map(version ? [["versionId", version]] : [])));
  } catch (error) {
    if (!(error instanceof S3Error && error.code === "MethodNotAllowed")) throw error;
    throw new S3Error(
      "InvalidRequest",
      "The source of a copy request may not specifically refer to a delete marker by version id.",
    );
  }
}

function tooLargeToCopy(): S3Error {
  return new S3Error(
    "InvalidRequest",
    `The specified copy source is larger than the maximum allowable size for a copy source: ${MAX_UPLOAD_BYTES}`,
  );
}

function directive(headers: ReadonlyMap<string, string>, name: string): "COPY" | "REPLACE" {
  const value = headers.get(name) ?? "COPY";
  if (value === "COPY" || value === "REPLACE") return value;
  throw new S3Error("InvalidArgument", "Unknown metadata directive.", {
    ArgumentName: name,
    ArgumentValue: value,
  });
}

/** What S3 takes from the request even when it copies the rest. */
const placed = ["x-amz-storage-class", "x-amz-server-side-encryption"];

export const copyObject: Operation = async (s3, request) => {
  const [bucket, key] = [bucketOf(request), keyOf(request)];
  const condition = writeCondition(request.headers);
  const own = objectHeaders(request.headers);
  const replace = directive(request.headers, "x-amz-metadata-directive") === "REPLACE";
  // Objects have no tags here, so both directives come to the same.
  directive(request.headers, "x-amz-tagging-directive");
  const source = copySource(s3, request);
  if (source.size > MAX_UPLOAD_BYTES) throw tooLargeToCopy();
  if (
    source.bucket === bucket &&
    source.key === key &&
    // An older version is another object.
    source.version === s3.storage.object(bucket, key)?.version &&
    !replace &&
    !placed.some((name) => request.headers.has(name))
  ) {
    throw new S3Error(
      "InvalidRequest",
      "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
    );
  }
  checkWrite(condition, key, s3.storage.object(bucket, key));
  const kept = Object.entries(source.headers).filter(([name]) => !placed.includes(name));
  const ownPlacement = Object.entries(own).filter(([name]) => placed.includes(name));
  const headers = replace ? own : Object.fromEntries([...kept, ...ownPlacement]);
  const wanted = request.headers.get("x-amz-checksum-algorithm");
  const algorithm: Algorithm | undefined = wanted
    ? parseAlgorithm(wanted, "x-amz-checksum-algorithm")
    : source.checksum?.algorithm;
  const body = checkedBody(s3.storage.bodies.read(source.segments, 0, source.size), {
    length: source.size,
    ...(algorithm ? { checksum: { algorithm } } : {}),
  });
  const target = { bucket, key, headers };
  const object = await storeWhole(s3, request, target, body, condition, "ObjectCreated:Copy");
  return xmlReply(
    renderS3("CopyObjectResult", {
      LastModified: isoDate(object.modified),
      ETag: quoted(object.etag),
      ...checksumElements(object.checksum),
    }),
    {
      ...encryptionHeader(object.headers),
      ...versionHeader(s3.storage, object),
      ...(source.version ? { "x-amz-copy-source-version-id": source.version } : {}),
    },
  );
};

export const uploadPartCopy: Operation = async (s3, request) => {
  const upload = uploadOf(s3, request);
  partNumberOf(request);
  const source = copySource(s3, request);
  const header = request.headers.get("x-amz-copy-source-range");
  if (header !== undefined && !/^bytes=[0-9]+-[0-9]+$/.test(header)) {
    throw new S3Error(
      "InvalidArgument",
      "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy",
      {
        ArgumentName: "x-amz-copy-source-range",
        ArgumentValue: header,
      },
    );
  }
  const { start, end } = parseRange(header, source.size) ?? { start: 0, end: source.size };
  // S3 cuts a GET's range at the end of the object and refuses a copy's.
  if (header !== undefined && Number(header.split("-")[1]) >= source.size) {
    throw new S3Error(
      "InvalidArgument",
      `Range specified is not valid for source object of size: ${source.size}`,
      {
        ArgumentName: "x-amz-copy-source-range",
        ArgumentValue: header,
      },
    );
  }
  if (end - start > MAX_UPLOAD_BYTES) throw tooLargeToCopy();
  const body = checkedBody(s3.storage.bodies.read(source.segments, start, end), {
    length: end - start,
    ...(upload.checksum ? { checksum: { algorithm: upload.checksum.algorithm } } : {}),
  });
  const part = await storePart(s3, request, body);
  const { ChecksumType: _, ...checksum } = checksumElements(part.checksum);
  return xmlReply(
    renderS3("CopyPartResult", {
      LastModified: isoDate(part.modified),
      ETag: quoted(part.etag),
      ...checksum,
    }),
    encryptionHeader(upload.headers),
  );
};
