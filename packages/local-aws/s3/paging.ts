/** What all lists have in common: page sizes, prefixes and delimiters, encoded names. */
import { S3Error } from "./errors.ts";
import { encodeKey, intParameter, type S3Request } from "./request.ts";

/** The most one page has; a larger wish gets this much. */
const MAX_PAGE = 1000;

export const pageSize = ({ query }: S3Request, name: string): number =>
  Math.min(intParameter(query, name, MAX_PAGE), MAX_PAGE);

/** The key up to and with the first delimiter after the prefix; undefined when it has none. */
export function rolledUp(key: Buffer, prefix: Buffer, delimiter: Buffer): Buffer | undefined {
  if (delimiter.length === 0) return undefined;
  const at = key.indexOf(delimiter, prefix.length);
  return at < 0 ? undefined : key.subarray(0, at + delimiter.length);
}

/** The first byte string after all that start with `prefix`; undefined when there is none. */
export function successor(prefix: Buffer): Buffer | undefined {
  const bytes = Buffer.from(prefix);
  for (let end = bytes.length; end > 0; end--) {
    const last = bytes[end - 1] ?? 0;
    if (last === 0xff) continue;
    bytes[end - 1] = last + 1;
    return bytes.subarray(0, end);
  }
  return undefined;
}

/** The names that `encoding-type=url` encodes, form-style as S3 does. */
export function encoderOf({ query }: S3Request): (name: string | undefined) => string | undefined {
  const type = query.get("encoding-type");
  if (type !== undefined && type !== "url") {
    throw new S3Error("InvalidArgument", "Invalid Encoding Method specified in Request", {
      ArgumentName: "encoding-type",
      ArgumentValue: type,
    });
  }
  return (name) => (type === "url" ? name && encodeKey(name).replaceAll("%20", "+") : name);
}

/** Query values are bytes in Latin-1. */
export const bytesOf = ({ query }: S3Request, name: string): Buffer =>
  Buffer.from(query.get(name) ?? "", "latin1");
export const textOf = (request: S3Request, name: string): string | undefined =>
  request.query.has(name) ? bytesOf(request, name).toString("utf8") : undefined;
