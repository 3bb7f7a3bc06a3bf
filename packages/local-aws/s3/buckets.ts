/** Buckets themselves: made, found, emptied, gone. */

import { renderS3, textOf } from "../xml.ts";
import { readDocument } from "./body.ts";
import { parseDocument } from "./documents.ts";
import { S3Error } from "./errors.ts";
import { checkAcl } from "./object-headers.ts";
import { intParameter } from "./request.ts";
import { bucketOf, isoDate, type Operation, OWNER, wholeSeconds, xmlReply } from "./s3.ts";
import { removeUpload } from "./uploads.ts";

/** 3 to 63 of lower-case letters, digits, dots and hyphens; a letter or digit at both ends; not like an address. */
function isBucketName(name: string): boolean {
  return (
    /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) &&
    !name.includes("..") &&
    !/^\d+\.\d+\.\d+\.\d+$/.test(name) &&
    !/^(xn--|sthree-|amzn-s3-demo-)|(-s3alias|--ol-s3|\.mrap|--x-s3)$/.test(name)
  );
}

export const listBuckets: Operation = ({ storage, region }, { query }) => {
  const prefix = query.get("prefix") ?? "";
  const size = intParameter(query, "max-buckets", 10_000);
  const token = query.get("continuation-token") ?? "";
  const found = storage
    .all(
      "SELECT name, created FROM buckets WHERE name > ? ORDER BY name",
      Buffer.from(token, "base64url").toString("utf8"),
    )
    .filter(({ name }) => String(name).startsWith(prefix));
  const shown = found.slice(0, size);
  const last = String(shown.at(-1)?.["name"] ?? "");
  return xmlReply(
    renderS3("ListAllMyBucketsResult", {
      Owner: OWNER,
      Buckets: {
        Bucket: shown.map(({ name, created }) => ({
          Name: String(name),
          CreationDate: isoDate(Number(created)),
          BucketRegion: region,
        })),
      },
      ContinuationToken: shown.length < found.length ? Buffer.from(last).toString("base64url") : undefined,
      Prefix: query.get("prefix"),
    }),
  );
};

export const createBucket: Operation = async (s3, request) => {
  const bucket = bucketOf(request);
  if (!isBucketName(bucket)) throw new S3Error("InvalidBucketName", undefined, { BucketName: bucket });
  checkAcl(request.headers);
  const document = await readDocument(request);
  if (document !== "") {
    const constraint = textOf(
      parseDocument(document, "CreateBucketConfiguration"),
      "LocationConstraint",
    )?.trim();
    if (constraint && constraint !== s3.region) {
      throw new S3Error(
        "IllegalLocationConstraintException",
        `The ${constraint} location constraint is incompatible for the region specific endpoint this request was sent to.`,
      );
    }
  }
  s3.storage.transaction(() => {
    if (s3.storage.bucketExists(bucket))
      throw new S3Error("BucketAlreadyOwnedByYou", undefined, { BucketName: bucket });
    s3.storage.run("INSERT INTO buckets VALUES (?, ?)", bucket, wholeSeconds(s3.now()));
  });
  return { status: 200, headers: { location: `/${bucket}` } };
};

export const headBucket: Operation = ({ region }) => ({
  status: 200,
  headers: { "x-amz-bucket-region": region, "content-type": "application/xml" },
});

export const deleteBucket: Operation = ({ storage }, request) => {
  const bucket = bucketOf(request);
  storage.transaction(() => {
    const tables = ["objects", "versions"];
    if (tables.some((table) => storage.get(`SELECT 1 FROM ${table} WHERE bucket = ? LIMIT 1`, bucket))) {
      throw new S3Error("BucketNotEmpty", undefined, { BucketName: bucket });
    }
    for (const { id } of storage.all("SELECT id FROM uploads WHERE bucket = ?", bucket))
      removeUpload(storage, String(id));
    storage.run("DELETE FROM buckets WHERE name = ?", bucket);
  });
  return { status: 204 };
};

export const getBucketLocation: Operation = ({ region }) =>
  // The oldest region goes without a name.
  xmlReply(renderS3("LocationConstraint", region === "us-east-1" ? "" : region));
