/**
 * From an HTTP request to bucket, key, query and headers, as S3 reads them. Works on the raw request line: `URL` would
 * normalise `..` and `//`, which are part of a key.
 */
import type { IncomingMessage } from "node:http";
import { percentDecode, queryPairs, type RawRequest, uriEncode, type Verified } from "../sigv4.ts";
import { S3Error } from "./errors.ts";

export interface S3Request {
  readonly id: string;
  readonly method: string;
  readonly bucket: string | undefined;
  readonly key: string | undefined;
  /** Of a name that comes twice, the first. */
  readonly query: ReadonlyMap<string, string>;
  /** Lower-case names, Latin-1 values; a presigned request's hoisted `x-amz-*` parameters count as headers. */
  readonly headers: ReadonlyMap<string, string>;
  readonly raw: RawRequest;
  /** `http://host[/bucket]`: where the bucket is, as the caller sees it. */
  readonly base: string;
  /** What `x-amz-content-sha256` says, or stands for it. */
  readonly payload: string;
  /** Undefined while nothing has been verified: preflights and browser forms. */
  readonly verified: Verified | undefined;
  readonly incoming: IncomingMessage;
  /** Must be called before the body is read: a client that waits for `100 Continue` is told to send. */
  readonly proceed: () => void;
}

/** What a handler answers. A body of unknown size gives its own content-length. */
export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | AsyncIterable<Buffer>;
}

const MAX_KEY_BYTES = 1024;
/** Signature parameters are not headers, and checksums in the query are ignored by S3 since about 2023. */
const neverHoisted =
  /^x-amz-(algorithm|credential|date|expires|signedheaders|signature|security-token|content-sha256|checksum-.*|sdk-.*)$/;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Text of percent-encoded UTF-8. @throws S3Error `InvalidURI` */
export function decodeText(encoded: string): string {
  const bytes = percentDecode(encoded);
  try {
    if (bytes) return utf8.decode(bytes);
  } catch {
    // not UTF-8: answered like any other URI that cannot be read
  }
  throw new S3Error("InvalidURI");
}

export const encodeKey = (key: string): string => uriEncode(Buffer.from(key, "utf8"), "/");

export function checkKeyLength(key: string): void {
  const size = Buffer.byteLength(key, "utf8");
  if (size > MAX_KEY_BYTES) {
    throw new S3Error("KeyTooLongError", undefined, {
      Size: String(size),
      MaxSizeAllowed: String(MAX_KEY_BYTES),
    });
  }
}

/** @throws S3Error `InvalidURI`, `KeyTooLongError`, `BadRequest` */
export function readRequest(incoming: IncomingMessage, id: string, proceed: () => void): S3Request {
  const raw = rawRequest(incoming);
  const host = raw.headers.find(([name]) => name === "host")?.[1] ?? "";
  if (!raw.path.startsWith("/")) throw new S3Error("BadRequest");
  const virtual = /^(.+)\.localhost(?::\d+)?$/i.exec(host)?.[1];
  const slash = raw.path.indexOf("/", 1);
  const [bucket, key] =
    virtual === undefined
      ? [raw.path.slice(1, slash < 0 ? undefined : slash), slash < 0 ? "" : raw.path.slice(slash + 1)]
      : [virtual, raw.path.slice(1)];
  const request: S3Request = {
    id,
    method: raw.method,
    bucket: raw.path === "/" && virtual === undefined ? undefined : decodeText(bucket),
    key: key === "" ? undefined : decodeText(key),
    query: new Map(queryPairs(raw.query).reverse()),
    headers: effectiveHeaders(raw),
    raw,
    base: virtual === undefined ? `http://${host}/${bucket}` : `http://${host}`,
    payload: "",
    verified: undefined,
    incoming,
    proceed,
  };
  checkKeyLength(request.key ?? "");
  return request;
}

function rawRequest(incoming: IncomingMessage): RawRequest {
  // A proxy's absolute form names the server once more; the path starts after it.
  const target = (incoming.url ?? "").replace(/^https?:\/\/[^/?]*/i, "");
  const mark = target.indexOf("?");
  const { rawHeaders } = incoming;
  return {
    method: incoming.method ?? "",
    path: mark < 0 ? target : target.slice(0, mark),
    query: mark < 0 ? "" : target.slice(mark + 1),
    headers: rawHeaders.flatMap((name, i) =>
      i % 2 === 0 ? [[name.toLowerCase(), rawHeaders[i + 1] ?? ""] as const] : [],
    ),
  };
}

function effectiveHeaders(raw: RawRequest): Map<string, string> {
  const headers = new Map<string, string>();
  const pairs = queryPairs(raw.query);
  if (pairs.some(([name]) => name === "X-Amz-Signature")) {
    for (const [name, value] of pairs) {
      const lower = name.toLowerCase();
      if (lower.startsWith("x-amz-") && !neverHoisted.test(lower)) headers.set(lower, value);
    }
  }
  const seen = new Set<string>();
  for (const [name, value] of raw.headers) {
    headers.set(name, seen.has(name) ? `${headers.get(name)},${value}` : value);
    seen.add(name);
  }
  return headers;
}

/** A whole number in a query parameter. @throws S3Error `InvalidArgument` */
export function intParameter(query: ReadonlyMap<string, string>, name: string, missing: number): number {
  const text = query.get(name);
  if (text === undefined || text === "") return missing;
  if (!/^[0-9]{1,10}$/.test(text) || Number(text) > 2_147_483_647) {
    throw new S3Error("InvalidArgument", `Provided ${name} not an integer or within integer range`, {
      ArgumentName: name,
      ArgumentValue: text,
    });
  }
  return Number(text);
}
