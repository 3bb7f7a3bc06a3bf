/** CompleteMultipartUpload: parts become an object, if they are what the client says they are. */
import { createHash } from "node:crypto";
import { childrenOf, renderS3, textOf, type XmlElement } from "../xml.ts";
import { readDocument } from "./body.ts";
import {
  type Algorithm,
  algorithmNames,
  checksumElement,
  checksumElements,
  checksumHeader,
  combineChecksums,
} from "./checksums.ts";
import { checkWrite, quoted, unquoted, writeCondition } from "./conditions.ts";
import { parseDocument } from "./documents.ts";
import { S3Error } from "./errors.ts";
import { uploadOf } from "./multipart.ts";
import { encryptionHeader } from "./object-headers.ts";
import { encodeKey } from "./request.ts";
import { bucketOf, commitObject, keyOf, type Operation, wholeSeconds, xmlReply } from "./s3.ts";
import type { StoredObject } from "./storage.ts";
import { type Part, partsOf, removeUpload, type Upload } from "./uploads.ts";
import { versionHeader } from "./version-requests.ts";

/** Every part but the last has at least 5 MiB. */
const MIN_PART_BYTES = 5 * 1024 ** 2;

export const completeMultipartUpload: Operation = async (s3, request) => {
  const [bucket, key] = [bucketOf(request), keyOf(request)];
  const condition = writeCondition(request.headers);
  checkWrite(condition, key, s3.storage.object(bucket, key));
  uploadOf(s3, request);
  // Its checksum headers are about the object, not about this document.
  const headers = new Map([...request.headers].filter(([name]) => !/^x-amz-(sdk-)?checksum-/.test(name)));
  const document = parseDocument(await readDocument({ ...request, headers }), "CompleteMultipartUpload");
  const object = s3.storage.transaction(() => {
    const upload = uploadOf(s3, request);
    const parts = chosenParts(document, upload, partsOf(s3.storage, upload.id));
    const stored = assemble(upload, parts, wholeSeconds(s3.now()));
    checkPromises(request.headers, stored);
    const event = "ObjectCreated:CompleteMultipartUpload";
    const committed = commitObject(s3, request, stored, condition, event);
    removeUpload(s3.storage, upload.id, new Set(parts.map(({ file }) => file)));
    return committed;
  });
  return xmlReply(
    renderS3("CompleteMultipartUploadResult", {
      Location: `${request.base}/${encodeKey(key)}`,
      Bucket: bucket,
      Key: key,
      ETag: quoted(object.etag),
      ...checksumElements(object.checksum),
    }),
    { ...encryptionHeader(object.headers), ...versionHeader(s3.storage, object) },
  );
};

/** @throws S3Error `MalformedXML`, `InvalidPartOrder`, `InvalidPart`, `EntityTooSmall`, `InvalidRequest` */
function chosenParts(document: XmlElement, { checksum }: Upload, parts: readonly Part[]): Part[] {
  const wanted = childrenOf(document, "Part").map((element) => ({
    element,
    number: Number(textOf(element, "PartNumber")),
  }));
  if (wanted.length === 0 || wanted.some(({ number }) => !Number.isInteger(number)))
    throw new S3Error("MalformedXML");
  if (wanted.some(({ number }, i) => number <= (wanted[i - 1]?.number ?? 0)))
    throw new S3Error("InvalidPartOrder");
  const byNumber = new Map(parts.map((part) => [part.number, part]));
  const chosen = wanted.map(({ element, number }) => {
    const etag = unquoted(textOf(element, "ETag") ?? "");
    const part = byNumber.get(number);
    const invalid = () => new S3Error("InvalidPart", undefined, { PartNumber: String(number), ETag: etag });
    if (!part || part.etag !== etag) throw invalid();
    const [name, value] = statedChecksum(element);
    if (value !== undefined && (name !== part.checksum?.algorithm || value !== part.checksum?.value))
      throw invalid();
    if (value === undefined && checksum?.type === "COMPOSITE") {
      throw new S3Error(
        "InvalidRequest",
        `The upload was created using a ${checksum.algorithm} checksum. The complete request must include the checksum for each part. It was missing for part ${number} in the request.`,
      );
    }
    return part;
  });
  const small = chosen.slice(0, -1).find(({ size }) => size < MIN_PART_BYTES);
  if (small) {
    throw new S3Error("EntityTooSmall", undefined, {
      ProposedSize: String(small.size),
      MinSizeAllowed: String(MIN_PART_BYTES),
      PartNumber: String(small.number),
      ETag: small.etag,
    });
  }
  return chosen;
}

function statedChecksum(element: XmlElement): [Algorithm, string] | [] {
  for (const name of algorithmNames) {
    const value = textOf(element, checksumElement(name))?.trim();
    if (value) return [name, value];
  }
  return [];
}

/** The object that the parts make: its ETag is the MD5 of the parts' MD5s and their count. */
function assemble(
  { bucket, key, headers, checksum }: Upload,
  parts: readonly Part[],
  modified: number,
): StoredObject {
  const digests = createHash("md5");
  for (const { etag } of parts) digests.update(etag, "hex");
  const sums = parts.flatMap(({ checksum: sum, size }) => (sum ? [{ value: sum.value, size }] : []));
  return {
    bucket,
    key,
    headers,
    size: parts.reduce((sum, { size }) => sum + size, 0),
    etag: `${digests.digest("hex")}-${parts.length}`,
    modified,
    segments: parts.map(({ file, size }) => ({ file, size })),
    multipart: true,
    ...(checksum ? { checksum: combineChecksums(checksum.algorithm, checksum.type, sums) } : {}),
  };
}

/** What the completing request says of the whole. @throws S3Error `InvalidRequest`, `BadDigest` */
function checkPromises(
  headers: ReadonlyMap<string, string>,
  { size, checksum, multipart }: StoredObject,
): void {
  const stated = headers.get("x-amz-mp-object-size");
  if (multipart && stated !== undefined && stated !== String(size)) {
    throw new S3Error(
      "InvalidRequest",
      "The provided 'x-amz-mp-object-size' header value does not match what was computed.",
    );
  }
  const type = headers.get("x-amz-checksum-type");
  if (type !== undefined && type !== checksum?.type) {
    throw new S3Error(
      "InvalidRequest",
      `The upload was created using the ${checksum?.type ?? "null"} checksum mode. The complete request must use the same checksum mode.`,
    );
  }
  for (const name of algorithmNames) {
    const value = headers.get(checksumHeader(name));
    if (value === undefined) continue;
    if (checksum?.algorithm !== name)
      throw new S3Error("InvalidRequest", `Value for ${checksumHeader(name)} header is invalid.`);
    // A composite value may be stated with or without its count.
    if (value !== checksum.value && value !== checksum.value.split("-")[0]) {
      throw new S3Error("BadDigest", `The ${name} you specified did not match the calculated checksum.`);
    }
  }
}
