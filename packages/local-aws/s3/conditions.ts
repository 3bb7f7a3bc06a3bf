/** Conditional requests: which object, if any, a read or write is meant for. */
import { headerNotImplemented, S3Error } from "./errors.ts";
import type { StoredObject } from "./storage.ts";

type Headers = ReadonlyMap<string, string>;

export const quoted = (etag: string): string => `"${etag}"`;
/** S3 takes an ETag with and without its quotes. */
export const unquoted = (etag: string): string => etag.trim().replace(/^"(.*)"$/, "$1");

export const httpDate = (time: number): string => new Date(time).toUTCString();

function timeOf(date: string | undefined): number | undefined {
  const time = Date.parse(date ?? "");
  return Number.isNaN(time) ? undefined : time;
}

const failed = (condition: string) => new S3Error("PreconditionFailed", undefined, { Condition: condition });

/** What must be at the key for a write to happen. */
export interface WriteCondition {
  readonly absent?: boolean;
  /** An ETag without quotes, or `*` for any. */
  readonly etag?: string;
}

/** S3 knows `If-None-Match: *` and `If-Match` on writes. @throws S3Error `NotImplemented` for everything else */
export function writeCondition(headers: Headers): WriteCondition {
  const ifNoneMatch = headers.get("if-none-match");
  const ifMatch = headers.get("if-match");
  if (ifNoneMatch !== undefined && ifNoneMatch !== "*") throw headerNotImplemented("If-None-Match");
  for (const name of ["if-modified-since", "if-unmodified-since"])
    if (headers.has(name)) throw headerNotImplemented(name);
  return { ...(ifNoneMatch ? { absent: true } : {}), ...(ifMatch ? { etag: unquoted(ifMatch) } : {}) };
}

/** @throws S3Error `PreconditionFailed`, or `NoSuchKey` where `If-Match` finds nothing */
export function checkWrite(
  { absent, etag }: WriteCondition,
  key: string,
  current: Pick<StoredObject, "etag"> | undefined,
): void {
  if (absent && current) throw failed("If-None-Match");
  if (etag === undefined) return;
  if (!current) throw new S3Error("NoSuchKey", undefined, { Key: key });
  if (etag !== "*" && etag !== current.etag) throw failed("If-Match");
}

const listed = (header: string, etag: string): boolean =>
  header.split(",").some((one) => one.trim() === "*" || unquoted(one.trim().replace(/^W\//, "")) === etag);

/**
 * The conditions of a GET, HEAD or, with `prefix` `x-amz-copy-source-`, of a copy's source. An ETag condition that
 * holds makes S3 disregard the date next to it.
 */
export function readConditions(
  headers: Headers,
  object: Pick<StoredObject, "etag" | "modified">,
  prefix = "",
): "ok" | "not-modified" {
  const ifMatch = headers.get(`${prefix}if-match`);
  const unmodifiedSince = timeOf(headers.get(`${prefix}if-unmodified-since`));
  if (ifMatch !== undefined) {
    if (!listed(ifMatch, object.etag)) throw failed(`${prefix}If-Match`);
  } else if (unmodifiedSince !== undefined && object.modified > unmodifiedSince) {
    throw failed(`${prefix}If-Unmodified-Since`);
  }
  const ifNoneMatch = headers.get(`${prefix}if-none-match`);
  const modifiedSince = timeOf(headers.get(`${prefix}if-modified-since`));
  if (ifNoneMatch !== undefined) return listed(ifNoneMatch, object.etag) ? "not-modified" : "ok";
  return modifiedSince !== undefined && object.modified <= modifiedSince ? "not-modified" : "ok";
}

/** True unless `If-Range` names another version: then a range is not what the client wants. */
export function rangeApplies(headers: Headers, object: Pick<StoredObject, "etag" | "modified">): boolean {
  const ifRange = headers.get("if-range");
  if (ifRange === undefined) return true;
  const time = ifRange.startsWith('"') ? undefined : timeOf(ifRange);
  return time === undefined ? unquoted(ifRange) === object.etag : object.modified <= time;
}

/** First byte and the one after the last. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/**
 * Undefined for the whole object: also where the header has several ranges or makes no sense, which S3 disregards.
 * @throws S3Error `InvalidRange`
 */
export function parseRange(header: string | undefined, size: number): Range | undefined {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? "") ?? [];
  if (first === undefined || last === undefined || (first === "" && last === "")) return undefined;
  if (first !== "" && last !== "" && Number(last) < Number(first)) return undefined;
  const start = first === "" ? Math.max(size - Number(last), 0) : Number(first);
  const end = first === "" || last === "" ? size : Math.min(Number(last) + 1, size);
  if (start < end) return { start, end };
  throw new S3Error(
    "InvalidRange",
    undefined,
    { RangeRequested: header ?? "", ActualObjectSize: String(size) },
    { headers: { "content-range": `bytes */${size}` } },
  );
}
