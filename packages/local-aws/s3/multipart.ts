/** Multipart uploads begun, fed and given up. Copied parts are in copy.ts, the end is in complete-multipart.ts. */

import { renderS3 } from "../xml.ts";
import { type Body, openBody } from "./body.ts";
import { algorithms, type Checksum, checksumClaim, checksumHeaders, parseAlgorithm } from "./checksums.ts";
import { quoted } from "./conditions.ts";
import { S3Error } from "./errors.ts";
import { encryptionHeader, objectHeaders } from "./object-headers.ts";
import type { S3Request } from "./request.ts";
import { bucketOf, keyOf, type Operation, type S3, wholeSeconds, xmlReply } from "./s3.ts";
import { createUpload, type Part, putPart, removeUpload, requireUpload, type Upload } from "./uploads.ts";

const MAX_PARTS = 10_000;

const uploadIdOf = (request: S3Request): string => request.query.get("uploadId") ?? "";

/** @throws S3Error `NoSuchUpload` */
export const uploadOf = ({ storage }: S3, request: S3Request): Upload =>
  requireUpload(storage, bucketOf(request), keyOf(request), uploadIdOf(request));

export const createMultipartUpload: Operation = (s3, request) => {
  const [bucket, key] = [bucketOf(request), keyOf(request)];
  const headers = objectHeaders(request.headers);
  const checksum = wantedChecksum(request.headers);
  const id = s3.storage.transaction(() =>
    createUpload(s3.storage, { bucket, key, created: wholeSeconds(s3.now()), headers, checksum }),
  );
  return xmlReply(renderS3("InitiateMultipartUploadResult", { Bucket: bucket, Key: key, UploadId: id }), {
    ...encryptionHeader(headers),
    ...(checksum
      ? { "x-amz-checksum-algorithm": checksum.algorithm.toUpperCase(), "x-amz-checksum-type": checksum.type }
      : {}),
  });
};

function wantedChecksum(headers: ReadonlyMap<string, string>): Upload["checksum"] {
  const name = headers.get("x-amz-checksum-algorithm");
  const given = headers.get("x-amz-checksum-type");
  const badType = () => new S3Error("InvalidRequest", "Value for x-amz-checksum-type header is invalid.");
  if (name === undefined) {
    if (given !== undefined) {
      throw new S3Error(
        "InvalidRequest",
        "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
      );
    }
    return undefined;
  }
  const algorithm = parseAlgorithm(name, "x-amz-checksum-algorithm");
  const type = given ?? (algorithm === "crc64nvme" ? "FULL_OBJECT" : "COMPOSITE");
  if (type !== "FULL_OBJECT" && type !== "COMPOSITE") throw badType();
  const possible =
    type === "FULL_OBJECT" ? algorithms[algorithm].combine !== undefined : algorithm !== "crc64nvme";
  if (!possible) {
    throw new S3Error(
      "InvalidRequest",
      `The ${type} checksum type cannot be used with the ${name.toLowerCase()} checksum algorithm.`,
    );
  }
  return { algorithm, type };
}

/** @throws S3Error `InvalidArgument` unless 1 to 10,000 */
export function partNumberOf({ query }: S3Request): number {
  const text = query.get("partNumber") ?? "";
  if (/^[0-9]{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= MAX_PARTS) return Number(text);
  throw new S3Error("InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive", {
    ArgumentName: "partNumber",
    ArgumentValue: text,
  });
}

/** Stores a part's bytes; the upload must still be there when they have arrived. */
export function storePart(s3: S3, request: S3Request, body: Body): Promise<Part> {
  const number = partNumberOf(request);
  return s3.storage.store(body.stream, (file) => {
    const { size, md5, checksum } = body.received();
    const upload = uploadOf(s3, request);
    const sum: Checksum | undefined = checksum && {
      ...checksum,
      type: upload.checksum?.type ?? "FULL_OBJECT",
    };
    const part = { number, file, size, etag: md5, modified: wholeSeconds(s3.now()), checksum: sum };
    putPart(s3.storage, upload.id, part);
    return part;
  });
}

export const uploadPart: Operation = async (s3, request) => {
  const upload = uploadOf(s3, request);
  partNumberOf(request);
  checkPartChecksum(upload, request.headers);
  const part = await storePart(s3, request, openBody(request, upload.checksum?.algorithm));
  const { "x-amz-checksum-type": _, ...checksum } = checksumHeaders(part.checksum);
  return {
    status: 200,
    headers: {
      etag: quoted(part.etag),
      ...checksum,
      ...encryptionHeader(upload.headers),
    },
  };
};

/**
 * Parts of an upload with an algorithm are summed by that one, and must come with their sum where the whole is made of
 * them. Where none was announced any is verified: SDKs add a CRC32 to parts of their own accord (since 2025).
 */
function checkPartChecksum({ checksum }: Upload, headers: ReadonlyMap<string, string>): void {
  const given = checksumClaim(headers)?.algorithm;
  if (checksum === undefined || given === checksum.algorithm) return;
  if (given === undefined && checksum.type === "FULL_OBJECT") return;
  throw new S3Error(
    "InvalidRequest",
    `Checksum Type mismatch occurred, expected checksum Type: ${checksum.algorithm}, actual checksum Type: ${given ?? "null"}`,
  );
}

export const abortMultipartUpload: Operation = (s3, request) => {
  s3.storage.transaction(() => removeUpload(s3.storage, uploadOf(s3, request).id));
  return { status: 204 };
};
