/** PutObject, GetObject, HeadObject, DeleteObject, DeleteObjects. */

import { childrenOf, renderS3, textOf } from "../xml.ts";
import { openBody, readDocument } from "./body.ts";
import { checksumHeaders } from "./checksums.ts";
import {
  checkWrite,
  httpDate,
  parseRange,
  quoted,
  type Range,
  rangeApplies,
  readConditions,
  unquoted,
  writeCondition,
} from "./conditions.ts";
import { parseDocument } from "./documents.ts";
import { headerNotImplemented, S3Error } from "./errors.ts";
import { encryptionHeader, objectHeaders, outgoingHeaders, responseOverrides } from "./object-headers.ts";
import { checkKeyLength, intParameter, type Reply, type S3Request } from "./request.ts";
import { bucketOf, keyOf, type Operation, type S3, storeWhole, wholeSeconds, xmlReply } from "./s3.ts";
import type { StoredObject } from "./storage.ts";
import { deleteOneVersion, requireVersion, versionHeader, versionIn } from "./version-requests.ts";
import { remove, removeVersion } from "./versions.ts";

export const putObject: Operation = async (s3, request) => {
  const [bucket, key] = [bucketOf(request), keyOf(request)];
  const headers = objectHeaders(request.headers);
  const condition = writeCondition(request.headers);
  // Here as well, so that nobody sends 200 MB to be told that they were not wanted.
  checkWrite(condition, key, s3.storage.object(bucket, key));
  const body = openBody(request);
  const target = { bucket, key, headers };
  const object = await storeWhole(s3, request, target, body, condition, "ObjectCreated:Put");
  return {
    status: 200,
    headers: {
      etag: quoted(object.etag),
      ...checksumHeaders(object.checksum),
      ...encryptionHeader(object.headers),
      ...versionHeader(s3.storage, object),
    },
  };
};

/** GET and HEAD: the server sends no body for the latter. */
export const getObject: Operation = (s3, request) => {
  const { headers, query } = request;
  const object = requireVersion(s3, bucketOf(request), keyOf(request), versionIn(query));
  const shown = {
    etag: quoted(object.etag),
    "last-modified": httpDate(object.modified),
    ...outgoingHeaders({ ...object.headers, ...responseOverrides(query) }),
    ...versionHeader(s3.storage, object),
  };
  if (readConditions(headers, object) === "not-modified") return { status: 304, headers: shown };
  const part = query.has("partNumber") ? partRange(object, intParameter(query, "partNumber", 1)) : undefined;
  const range =
    part ?? (rangeApplies(headers, object) ? parseRange(headers.get("range"), object.size) : undefined);
  const { start, end } = range ?? { start: 0, end: object.size };
  const whole = end - start === object.size;
  return {
    status: range ? 206 : 200,
    headers: {
      ...shown,
      "accept-ranges": "bytes",
      "content-length": String(end - start),
      ...(range && object.size > 0 ? { "content-range": `bytes ${start}-${end - 1}/${object.size}` } : {}),
      ...(part && object.multipart ? { "x-amz-mp-parts-count": String(object.segments.length) } : {}),
      ...(headers.get("x-amz-checksum-mode") === "ENABLED" && whole ? checksumHeaders(object.checksum) : {}),
    },
    ...(request.method === "HEAD" ? {} : { body: s3.storage.bodies.read(object.segments, start, end) }),
  };
};

/** Where the bytes of one part of a multipart upload are; any other object is one part. */
function partRange({ segments, size }: StoredObject, number: number): Range {
  const index = number - 1;
  const segment = segments[index];
  if (!segment)
    throw new S3Error("InvalidRange", "The requested partnumber is not satisfiable", {
      ActualObjectSize: String(size),
    });
  const start = segments.slice(0, index).reduce((sum, before) => sum + before.size, 0);
  return { start, end: start + segment.size };
}

export const deleteObject: Operation = (s3, request) => {
  const [bucket, key] = [bucketOf(request), keyOf(request)];
  // Conditions of directory buckets, which this server has none of.
  for (const name of ["x-amz-if-match-last-modified-time", "x-amz-if-match-size"]) {
    if (request.headers.has(name)) throw headerNotImplemented(name);
  }
  const condition = writeCondition(request.headers);
  const version = versionIn(request.query);
  if (version !== undefined) {
    if (condition.etag !== undefined) throw headerNotImplemented("If-Match");
    return deleteOneVersion(s3, request, version);
  }
  const marker = s3.storage.transaction(() => {
    checkWrite(condition, key, s3.storage.object(bucket, key));
    return removeObject(s3, request, bucket, key);
  });
  const headers = { "x-amz-delete-marker": "true", "x-amz-version-id": marker ?? "" };
  return { status: 204, ...(marker === undefined ? {} : { headers }) };
};

/** In a transaction. @returns the version of the marker, where the bucket keeps versions */
function removeObject(s3: S3, request: S3Request, bucket: string, key: string): string | undefined {
  const { removed, marker } = remove(s3.storage, bucket, key, wholeSeconds(s3.now()));
  // A marker is made also where nothing was.
  if (marker !== undefined)
    s3.notifications.note(request, "ObjectRemoved:DeleteMarkerCreated", { bucket, key, version: marker });
  else if (removed) s3.notifications.note(request, "ObjectRemoved:Delete", { bucket, key });
  return marker;
}

const MAX_DELETES = 1000;

export const deleteObjects: Operation = async (s3, request): Promise<Reply> => {
  const bucket = bucketOf(request);
  const root = parseDocument(await readDocument(request, { needsChecksum: true }), "Delete");
  const wanted = childrenOf(root, "Object");
  if (wanted.length === 0 || wanted.length > MAX_DELETES) throw new S3Error("MalformedXML");
  const results = s3.storage.transaction(() =>
    wanted.map((one) => {
      const key = textOf(one, "Key");
      const etag = textOf(one, "ETag");
      if (!key) throw new S3Error("MalformedXML");
      try {
        checkKeyLength(key);
        for (const name of ["LastModifiedTime", "Size"])
          if (textOf(one, name) !== undefined) throw headerNotImplemented(name);
        checkWrite(etag === undefined ? {} : { etag: unquoted(etag) }, key, s3.storage.object(bucket, key));
      } catch (error) {
        if (!(error instanceof S3Error)) throw error;
        return { error: { Key: key, Code: error.code, Message: error.message } };
      }
      const VersionId = textOf(one, "VersionId");
      if (VersionId !== undefined) {
        const what = removeVersion(s3.storage, bucket, key, VersionId);
        if (what) s3.notifications.note(request, "ObjectRemoved:Delete", { bucket, key, version: VersionId });
        const marker = what === "marker" ? { DeleteMarker: true, DeleteMarkerVersionId: VersionId } : {};
        return { deleted: { Key: key, VersionId, ...marker } };
      }
      const marker = removeObject(s3, request, bucket, key);
      const made = marker === undefined ? {} : { DeleteMarker: true, DeleteMarkerVersionId: marker };
      return { deleted: { Key: key, ...made } };
    }),
  );
  const quiet = textOf(root, "Quiet")?.trim() === "true";
  return xmlReply(
    renderS3("DeleteResult", {
      Deleted: quiet ? [] : results.flatMap(({ deleted }) => (deleted ? [deleted] : [])),
      Error: results.flatMap(({ error }) => (error ? [error] : [])),
    }),
  );
};
