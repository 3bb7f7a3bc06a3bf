/** ListObjects, both versions: pages in the order of keys' UTF-8 bytes. */

import { renderS3 } from "../xml.ts";
import { quoted } from "./conditions.ts";
import { S3Error } from "./errors.ts";
import { bytesOf, encoderOf, pageSize, rolledUp, successor, textOf } from "./paging.ts";
import type { S3Request } from "./request.ts";
import { bucketOf, isoDate, type Operation, OWNER, type S3, xmlReply } from "./s3.ts";
import type { ObjectEntry } from "./storage.ts";

/** The first byte string after `key`. */
const after = (key: Buffer): Buffer => Buffer.concat([key, Buffer.from([0])]);

interface Page {
  readonly contents: ObjectEntry[];
  readonly prefixes: string[];
  /** Last key or common prefix of the page. */
  readonly last: string | undefined;
  /** Where the next page starts; undefined at the end. */
  readonly next: Buffer | undefined;
}

/** @param from the least key to list */
function page(
  { storage }: S3,
  bucket: string,
  prefix: Buffer,
  delimiter: Buffer,
  from: Buffer,
  size: number,
): Page {
  const result = { contents: [] as ObjectEntry[], prefixes: [] as string[] };
  const end = successor(prefix);
  let last: string | undefined;
  let start: Buffer | undefined = Buffer.compare(from, prefix) > 0 ? from : prefix;
  while (start && size > 0) {
    let skipTo: Buffer | undefined;
    for (const { bytes, ...entry } of storage.entries(bucket, start, end)) {
      if (result.contents.length + result.prefixes.length === size) return { ...result, last, next: bytes };
      const common = rolledUp(bytes, prefix, delimiter);
      if (common) {
        last = common.toString("utf8");
        result.prefixes.push(last);
        // Whatever else starts with it is in it: go on behind.
        skipTo = successor(common);
        break;
      }
      last = entry.key;
      result.contents.push(entry);
    }
    start = skipTo;
  }
  return { ...result, last, next: undefined };
}

export const listObjects: Operation = (s3, request) =>
  request.query.get("list-type") === "2" ? listVersionTwo(s3, request) : listVersionOne(s3, request);

function common(request: S3Request, { contents, prefixes, next }: Page, withOwner: boolean) {
  const encode = encoderOf(request);
  return {
    Name: bucketOf(request),
    Prefix: encode(textOf(request, "prefix") ?? ""),
    Delimiter: encode(textOf(request, "delimiter")),
    MaxKeys: pageSize(request, "max-keys"),
    EncodingType: request.query.get("encoding-type"),
    IsTruncated: next !== undefined,
    Contents: contents.map(({ key, modified, etag, size, storageClass }) => ({
      Key: encode(key),
      LastModified: isoDate(modified),
      ETag: quoted(etag),
      Size: size,
      Owner: withOwner ? OWNER : undefined,
      StorageClass: storageClass,
    })),
    CommonPrefixes: prefixes.map((Prefix) => ({ Prefix: encode(Prefix) })),
  };
}

function listVersionOne(s3: S3, request: S3Request) {
  const [prefix, delimiter, marker] = [
    bytesOf(request, "prefix"),
    bytesOf(request, "delimiter"),
    bytesOf(request, "marker"),
  ];
  // A marker that is itself a common prefix, as NextMarker can be, stands for all in it.
  const all = rolledUp(marker, prefix, delimiter)?.equals(marker) ? successor(marker) : after(marker);
  const listed = page(
    s3,
    bucketOf(request),
    prefix,
    delimiter,
    marker.length === 0 || !all ? marker : all,
    pageSize(request, "max-keys"),
  );
  const encode = encoderOf(request);
  return xmlReply(
    renderS3("ListBucketResult", {
      ...common(request, listed, true),
      Marker: encode(textOf(request, "marker") ?? ""),
      // Only with a delimiter: else the last key says the same.
      NextMarker: listed.next && delimiter.length > 0 ? encode(listed.last) : undefined,
    }),
  );
}

/** A token is where the next page starts, so that a key deleted in between changes nothing. */
const TOKEN = "1.";

function tokenStart(token: string | undefined): Buffer | undefined {
  if (token === undefined) return undefined;
  const start = Buffer.from(token.slice(TOKEN.length), "base64url");
  if (token.startsWith(TOKEN) && token === TOKEN + start.toString("base64url")) return start;
  throw new S3Error("InvalidArgument", "The continuation token provided is incorrect", {
    ArgumentName: "continuation-token",
    ArgumentValue: token,
  });
}

function listVersionTwo(s3: S3, request: S3Request) {
  const { query } = request;
  const startAfter = bytesOf(request, "start-after");
  const from =
    tokenStart(query.get("continuation-token")) ?? (startAfter.length > 0 ? after(startAfter) : startAfter);
  const listed = page(
    s3,
    bucketOf(request),
    bytesOf(request, "prefix"),
    bytesOf(request, "delimiter"),
    from,
    pageSize(request, "max-keys"),
  );
  return xmlReply(
    renderS3("ListBucketResult", {
      ...common(request, listed, query.get("fetch-owner") === "true"),
      KeyCount: listed.contents.length + listed.prefixes.length,
      ContinuationToken: query.get("continuation-token"),
      NextContinuationToken: listed.next && TOKEN + listed.next.toString("base64url"),
      StartAfter: encoderOf(request)(textOf(request, "start-after")),
    }),
  );
}
