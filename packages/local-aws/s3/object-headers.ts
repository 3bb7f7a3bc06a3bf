/** Headers that an uploader sets and a reader gets back. */
import { headerNotImplemented, S3Error } from "./errors.ts";

type Headers = ReadonlyMap<string, string>;

const kept = [
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-language",
  "content-type",
  "expires",
] as const;
const META = "x-amz-meta-";
/** Sum of the bytes of names and values, as S3 counts them. */
const MAX_METADATA_BYTES = 2048;
/** Taken and shown again; every byte lies on the same disk all the same. */
const storageClasses = new Set([
  "STANDARD",
  "REDUCED_REDUNDANCY",
  "STANDARD_IA",
  "ONEZONE_IA",
  "INTELLIGENT_TIERING",
  "GLACIER",
  "DEEP_ARCHIVE",
  "GLACIER_IR",
]);

/** Headers whose promise would not be kept. */
const refused = [
  "x-amz-tagging",
  "x-amz-website-redirect-location",
  "x-amz-object-lock-mode",
  "x-amz-object-lock-retain-until-date",
  "x-amz-object-lock-legal-hold",
  "x-amz-server-side-encryption-aws-kms-key-id",
  "x-amz-server-side-encryption-context",
  "x-amz-server-side-encryption-customer-algorithm",
  "x-amz-copy-source-server-side-encryption-customer-algorithm",
  "x-amz-write-offset-bytes",
  "x-amz-rename-source",
] as const;

/** Buckets here are "bucket owner enforced", S3's default: only these say what holds anyway. */
const harmlessAcls = new Set(["private", "bucket-owner-full-control"]);

/** @throws S3Error for an ACL other than the bucket's own */
export function checkAcl(headers: Headers): void {
  const acl = headers.get("x-amz-acl") ?? "private";
  const grants = [...headers.keys()].some((name) => name.startsWith("x-amz-grant-"));
  if (grants || !harmlessAcls.has(acl)) throw new S3Error("AccessControlListNotSupported");
}

/**
 * What to keep of an upload's headers, ready to be sent with a GET.
 * @throws S3Error `NotImplemented`, `MetadataTooLarge`, `InvalidStorageClass`, `AccessControlListNotSupported`
 */
export function objectHeaders(headers: Headers): Record<string, string> {
  for (const name of refused) if (headers.has(name)) throw headerNotImplemented(name);
  checkAcl(headers);
  return {
    "content-type": "binary/octet-stream",
    ...keptHeaders(headers),
    ...metadata(headers),
    ...placement(headers),
  };
}

function keptHeaders(headers: Headers): Record<string, string> {
  const result: Record<string, string> = {};
  for (const name of kept) {
    // `aws-chunked` was for the way here; the rest is the object's own.
    const codings = headers
      .get(name)
      ?.split(",")
      .map((c) => c.trim())
      .filter((c) => c !== "aws-chunked");
    const value = name === "content-encoding" ? codings?.join(",") : headers.get(name);
    if (value) result[name] = value;
  }
  return result;
}

function metadata(headers: Headers): Record<string, string> {
  const entries = [...headers].filter(([name]) => name.startsWith(META) && name !== META);
  const size = entries.reduce((sum, [name, value]) => sum + name.length - META.length + value.length, 0);
  if (size > MAX_METADATA_BYTES) {
    throw new S3Error("MetadataTooLarge", undefined, {
      Size: String(size),
      MaxSizeAllowed: String(MAX_METADATA_BYTES),
    });
  }
  return Object.fromEntries(entries);
}

function placement(headers: Headers): Record<string, string> {
  const result: Record<string, string> = {};
  const storageClass = headers.get("x-amz-storage-class") ?? "STANDARD";
  if (!storageClasses.has(storageClass)) throw new S3Error("InvalidStorageClass");
  if (storageClass !== "STANDARD") result["x-amz-storage-class"] = storageClass;
  const encryption = headers.get("x-amz-server-side-encryption");
  if (encryption !== undefined) {
    if (encryption !== "AES256") throw headerNotImplemented("x-amz-server-side-encryption");
    result["x-amz-server-side-encryption"] = encryption;
  }
  return result;
}

/** Headers of the answer to a write. */
export function encryptionHeader(headers: Readonly<Record<string, string>>): Record<string, string> {
  const value = headers["x-amz-server-side-encryption"];
  return value ? { "x-amz-server-side-encryption": value } : {};
}

/** As they go out: what is not plain ASCII in the form of RFC 2047, as S3 does with metadata. */
export function outgoingHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      /^[\t\x20-\x7e]*$/.test(value)
        ? value
        : `=?UTF-8?B?${Buffer.from(value, "latin1").toString("base64")}?=`,
    ]),
  );
}

const overrides: ReadonlySet<string> = new Set(kept);

/** `response-content-type` and its kin in the query of a signed GET. */
export function responseOverrides(query: ReadonlyMap<string, string>): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of query) {
    const header = name.startsWith("response-") ? name.slice("response-".length) : "";
    if (overrides.has(header)) result[header] = value;
  }
  return result;
}
