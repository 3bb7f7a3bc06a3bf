/** ListMultipartUploads and ListParts. */

import { renderS3 } from "../xml.ts";
import { checksumElements } from "./checksums.ts";
import { quoted } from "./conditions.ts";
import { uploadOf } from "./multipart.ts";
import { bytesOf, encoderOf, pageSize, rolledUp, textOf } from "./paging.ts";
import { intParameter } from "./request.ts";
import { bucketOf, isoDate, type Operation, OWNER, xmlReply } from "./s3.ts";
import { keyBytes } from "./storage.ts";
import { openUploads, partsOf, type Upload } from "./uploads.ts";

export const listMultipartUploads: Operation = (s3, request) => {
  const bucket = bucketOf(request);
  const encode = encoderOf(request);
  const [prefix, delimiter] = [textOf(request, "prefix") ?? "", bytesOf(request, "delimiter")];
  const [keyMarker, idMarker] = [
    textOf(request, "key-marker") ?? "",
    textOf(request, "upload-id-marker") ?? "",
  ];
  const size = pageSize(request, "max-uploads");
  const byKey = (a: string, b: string) => Buffer.compare(keyBytes(a), keyBytes(b));
  const all = openUploads(s3.storage, bucket, prefix);
  const marked = all.findIndex(({ key, id }) => key === keyMarker && id === idMarker);
  const uploads: Upload[] = [];
  const prefixes: string[] = [];
  let truncated = false;
  let last: { key: string; id: string } | undefined;
  for (const upload of all.filter(
    ({ key }, i) => keyMarker === "" || byKey(key, keyMarker) > 0 || (marked >= 0 && i > marked),
  )) {
    const group = rolledUp(keyBytes(upload.key), keyBytes(prefix), delimiter)?.toString("utf8");
    if (group !== undefined && (group === prefixes.at(-1) || group === keyMarker)) continue;
    truncated = uploads.length + prefixes.length === size;
    if (truncated) break;
    if (group === undefined) uploads.push(upload);
    else prefixes.push(group);
    last = group === undefined ? upload : { key: group, id: "" };
  }
  return xmlReply(
    renderS3("ListMultipartUploadsResult", {
      Bucket: bucket,
      KeyMarker: encode(keyMarker),
      UploadIdMarker: idMarker,
      NextKeyMarker: truncated ? encode(last?.key ?? "") : undefined,
      NextUploadIdMarker: truncated ? last?.id : undefined,
      Prefix: encode(prefix),
      Delimiter: encode(textOf(request, "delimiter")),
      EncodingType: request.query.get("encoding-type"),
      MaxUploads: size,
      IsTruncated: truncated && size > 0,
      Upload: uploads.map(({ key, id, created, headers, checksum }) => ({
        Key: encode(key),
        UploadId: id,
        Initiator: OWNER,
        Owner: OWNER,
        StorageClass: headers["x-amz-storage-class"] ?? "STANDARD",
        Initiated: isoDate(created),
        ChecksumAlgorithm: checksum?.algorithm.toUpperCase(),
        ChecksumType: checksum?.type,
      })),
      CommonPrefixes: prefixes.map((Prefix) => ({ Prefix: encode(Prefix) })),
    }),
  );
};

export const listParts: Operation = (s3, request) => {
  const upload = uploadOf(s3, request);
  const marker = intParameter(request.query, "part-number-marker", 0);
  const size = pageSize(request, "max-parts");
  const found = partsOf(s3.storage, upload.id, marker, size + 1);
  const parts = found.slice(0, size);
  return xmlReply(
    renderS3("ListPartsResult", {
      Bucket: upload.bucket,
      Key: encoderOf(request)(upload.key),
      UploadId: upload.id,
      Initiator: OWNER,
      Owner: OWNER,
      StorageClass: upload.headers["x-amz-storage-class"] ?? "STANDARD",
      PartNumberMarker: marker,
      NextPartNumberMarker: parts.at(-1)?.number ?? 0,
      MaxParts: size,
      IsTruncated: size > 0 && found.length > size,
      ChecksumAlgorithm: upload.checksum?.algorithm.toUpperCase(),
      ChecksumType: upload.checksum?.type,
      Part: parts.map(({ number, modified, etag, size: bytes, checksum }) => {
        const { ChecksumType: _, ...sum } = checksumElements(checksum);
        return {
          PartNumber: number,
          LastModified: isoDate(modified),
          ETag: quoted(etag),
          Size: bytes,
          ...sum,
        };
      }),
    }),
  );
};
