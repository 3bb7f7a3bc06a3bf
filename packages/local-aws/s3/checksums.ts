/** The checksums of S3 beyond the ETag: one row per algorithm. */
import { createHash } from "node:crypto";
import { type CrcName, combineCrc, createCrc, type Hasher } from "./crc.ts";
import { S3Error } from "./errors.ts";

interface AlgorithmRow {
  readonly bytes: number;
  readonly create: () => Hasher;
  /** Only CRCs of parts can be combined into the one of the whole object. */
  readonly combine?: CrcName;
}

const crc = (name: CrcName, bytes: number): AlgorithmRow => ({
  bytes,
  create: () => createCrc(name),
  combine: name,
});
const hash = (name: string, bytes: number): AlgorithmRow => ({ bytes, create: () => createHash(name) });

/** Named as in `x-amz-checksum-…`. The SDK also knows three XXHASHes: those are answered with NotImplemented. */
const table = {
  crc32: crc("crc32", 4),
  crc32c: crc("crc32c", 4),
  crc64nvme: crc("crc64nvme", 8),
  sha1: hash("sha1", 20),
  sha256: hash("sha256", 32),
  sha512: hash("sha512", 64),
  md5: hash("md5", 16),
} as const satisfies Record<string, AlgorithmRow>;

export type Algorithm = keyof typeof table;
export type ChecksumType = "FULL_OBJECT" | "COMPOSITE";
export const algorithms: Readonly<Record<Algorithm, AlgorithmRow>> = table;
export const algorithmNames = Object.keys(table) as Algorithm[];

/** What is kept of an object or a part; `value` in base64, with `-parts` when composite. */
export interface Checksum {
  readonly algorithm: Algorithm;
  readonly value: string;
  readonly type: ChecksumType;
}

export const checksumHeader = (algorithm: Algorithm): string => `x-amz-checksum-${algorithm}`;
/** `ChecksumCRC32` and so on: the element that carries the value in XML. */
export const checksumElement = (algorithm: Algorithm): string => `Checksum${algorithm.toUpperCase()}`;

/** As response headers. */
export function checksumHeaders(checksum: Checksum | undefined): Record<string, string> {
  return checksum
    ? { [checksumHeader(checksum.algorithm)]: checksum.value, "x-amz-checksum-type": checksum.type }
    : {};
}

/** As elements of a result. */
export function checksumElements(checksum: Checksum | undefined): Record<string, string> {
  return checksum
    ? { [checksumElement(checksum.algorithm)]: checksum.value, ChecksumType: checksum.type }
    : {};
}

/** @param name in any case, as headers spell it @throws S3Error `NotImplemented`, `InvalidRequest` */
export function parseAlgorithm(name: string, header: string): Algorithm {
  const lower = name.toLowerCase();
  if (Object.hasOwn(table, lower)) return lower as Algorithm;
  if (lower.startsWith("xxhash"))
    throw new S3Error("NotImplemented", `Checksums of type ${name} are not implemented`, { Header: header });
  throw new S3Error("InvalidRequest", `Value for ${header} header is invalid.`);
}

/** @throws S3Error `InvalidRequest` when `value` is not base64 of the algorithm's length */
export function checkChecksumForm(algorithm: Algorithm, value: string): void {
  const bytes = Buffer.from(value, "base64");
  if (bytes.length !== algorithms[algorithm].bytes || bytes.toString("base64") !== value) {
    throw new S3Error("InvalidRequest", `Value for ${checksumHeader(algorithm)} header is invalid.`);
  }
}

/** A value that a client claims, or an algorithm that it asks for. */
export interface ChecksumClaim {
  readonly algorithm: Algorithm;
  readonly value?: string;
  /** The value comes after the body. */
  readonly trailing?: boolean;
}

/** What the headers of an upload say about a checksum; undefined when nothing. @throws S3Error `InvalidRequest` */
export function checksumClaim(headers: ReadonlyMap<string, string>): ChecksumClaim | undefined {
  const given = [...headers].filter(([name]) => /^x-amz-checksum-(?!mode$|type$|algorithm$)/.test(name));
  if (given.length > 1) {
    throw new S3Error(
      "InvalidRequest",
      "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
    );
  }
  const declared = headers.get("x-amz-sdk-checksum-algorithm");
  const trailer = headers.get("x-amz-trailer");
  const claim = given[0]
    ? valueClaim(...given[0])
    : trailer === undefined
      ? undefined
      : trailerClaim(trailer);
  if (declared === undefined) return claim;
  const algorithm = parseAlgorithm(declared, "x-amz-sdk-checksum-algorithm");
  if (claim === undefined) {
    throw new S3Error(
      "InvalidRequest",
      "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.",
    );
  }
  if (claim.algorithm !== algorithm)
    throw new S3Error("InvalidRequest", "Value for x-amz-sdk-checksum-algorithm header is invalid.");
  return claim;
}

function valueClaim(header: string, value: string): ChecksumClaim {
  const algorithm = parseAlgorithm(header.slice("x-amz-checksum-".length), header);
  checkChecksumForm(algorithm, value);
  return { algorithm, value };
}

function trailerClaim(trailer: string): ChecksumClaim {
  const name = /^x-amz-checksum-([a-z0-9]+)$/.exec(trailer.trim().toLowerCase())?.[1];
  if (name === undefined)
    throw new S3Error("InvalidRequest", "The value specified in the x-amz-trailer header is not supported");
  return { algorithm: parseAlgorithm(name, "x-amz-trailer"), trailing: true };
}

/** Value over a whole object from its parts': combined CRCs, or a hash over the parts' digests with `-count`. */
export function combineChecksums(
  algorithm: Algorithm,
  type: ChecksumType,
  parts: readonly { readonly value: string; readonly size: number }[],
): Checksum {
  const { combine, create } = algorithms[algorithm];
  const digests = parts.map(({ value }) => Buffer.from(value, "base64"));
  if (type === "FULL_OBJECT" && combine) {
    let whole: Buffer = Buffer.alloc(algorithms[algorithm].bytes);
    digests.forEach((digest, i) => {
      whole = combineCrc(combine, whole, digest, parts[i]?.size ?? 0);
    });
    return { algorithm, type, value: whole.toString("base64") };
  }
  const hasher = create();
  for (const digest of digests) hasher.update(digest);
  return { algorithm, type: "COMPOSITE", value: `${hasher.digest().toString("base64")}-${parts.length}` };
}
