/**
 * Request bodies as streams that keep their promises: whoever reads one to its end without an error has bytes of the
 * promised length, hash, checksum and chunk signatures. So bytes are stored while they arrive and committed after.
 */
import { createHash } from "node:crypto";
import { unchunk } from "./aws-chunked.ts";
import {
  type Algorithm,
  algorithms,
  type ChecksumClaim,
  checkChecksumForm,
  checksumClaim,
  checksumHeader,
} from "./checksums.ts";
import { headerNotImplemented, S3Error } from "./errors.ts";
import { collect, TooLong } from "./reader.ts";
import type { S3Request } from "./request.ts";

/** 5 GiB, the most one PUT, POST or part may hold. */
export const MAX_UPLOAD_BYTES = 5 * 1024 ** 3;

export interface Promised {
  /** Exact number of bytes; undefined where only the end of the source tells (a file in a form). */
  readonly length?: number;
  /** In hex. */
  readonly sha256?: string;
  readonly md5?: Buffer;
  /** A trailing value is filled in by the source before it ends. */
  readonly checksum?: ChecksumClaim | undefined;
}

export interface Received {
  readonly size: number;
  /** MD5 in hex: S3's ETag. */
  readonly md5: string;
  readonly checksum?: { readonly algorithm: Algorithm; readonly value: string };
}

export interface Body {
  readonly stream: AsyncIterable<Buffer>;
  /** Only after the stream has ended. */
  received(): Received;
}

/** Wraps a stream in the checks. `trailing` gives a checksum that came after the bytes. */
export function checkedBody(
  source: AsyncIterable<Buffer>,
  promised: Promised,
  trailing: () => string | undefined = () => undefined,
): Body {
  let received: Received | undefined;
  async function* check(): AsyncGenerator<Buffer> {
    const md5 = createHash("md5");
    const sha256 = promised.sha256 === undefined ? undefined : createHash("sha256");
    const claim = promised.checksum;
    const summer = claim && algorithms[claim.algorithm].create();
    let size = 0;
    for await (const piece of source) {
      size += piece.length;
      if (size > (promised.length ?? MAX_UPLOAD_BYTES)) {
        throw promised.length === undefined ? tooLarge(size) : new S3Error("IncompleteBody");
      }
      md5.update(piece);
      sha256?.update(piece);
      summer?.update(piece);
      yield piece;
    }
    if (promised.length !== undefined && size !== promised.length) throw new S3Error("IncompleteBody");
    const digest = md5.digest();
    checkMd5(promised.md5, digest);
    checkSha256(promised.sha256, sha256?.digest("hex"));
    const sum = claim && summer && { algorithm: claim.algorithm, value: summer.digest().toString("base64") };
    const trailer = trailing();
    if (claim && trailer !== undefined) checkChecksumForm(claim.algorithm, trailer);
    const expected = claim?.value ?? trailer;
    if (sum && expected !== undefined && expected !== sum.value) {
      throw new S3Error(
        "BadDigest",
        `The ${sum.algorithm.toUpperCase()} you specified did not match the calculated checksum.`,
      );
    }
    received = { size, md5: digest.toString("hex"), ...(sum ? { checksum: sum } : {}) };
  }
  return {
    stream: check(),
    received() {
      if (!received) throw new Error("the body has not been read to its end");
      return received;
    },
  };
}

function checkMd5(promised: Buffer | undefined, digest: Buffer): void {
  if (promised === undefined || promised.equals(digest)) return;
  throw new S3Error("BadDigest", "The Content-MD5 you specified did not match what we received.", {
    ExpectedDigest: promised.toString("base64"),
    CalculatedDigest: digest.toString("base64"),
  });
}

function checkSha256(promised: string | undefined, computed: string | undefined): void {
  if (promised === computed) return;
  throw new S3Error("XAmzContentSHA256Mismatch", undefined, {
    ClientComputedContentSHA256: promised ?? "",
    S3ComputedContentSHA256: computed ?? "",
  });
}

const tooLarge = (size: number) =>
  new S3Error("EntityTooLarge", undefined, {
    ProposedSize: String(size),
    MaxSizeAllowed: String(MAX_UPLOAD_BYTES),
  });

/** @throws S3Error `InvalidDigest` */
export function parseMd5(header: string | undefined): Buffer | undefined {
  if (header === undefined) return undefined;
  const digest = Buffer.from(header, "base64");
  if (digest.length !== 16 || digest.toString("base64") !== header) throw new S3Error("InvalidDigest");
  return digest;
}

/** A declared length. @throws S3Error `InvalidArgument`, `EntityTooLarge` */
function parseLength(text: string, header: string): number {
  if (!/^[0-9]{1,15}$/.test(text))
    throw new S3Error("InvalidArgument", undefined, { ArgumentName: header, ArgumentValue: text });
  if (Number(text) > MAX_UPLOAD_BYTES) throw tooLarge(Number(text));
  return Number(text);
}

/**
 * The body of an authenticated request; a client that waits for `100 Continue` is told to send when it is first read.
 * @param wanted an algorithm to compute even when the client claims nothing
 * @throws S3Error for promises that cannot be kept or are not understood
 */
export function openBody(request: S3Request, wanted?: Algorithm): Body {
  const { headers, payload } = request;
  const claim = checksumClaim(headers);
  const checksum = claim ?? (wanted && { algorithm: wanted });
  const streaming = payload.startsWith("STREAMING-");
  const decoded = headers.get("x-amz-decoded-content-length");
  const plain = headers.get("content-length");
  if (streaming ? decoded === undefined : plain === undefined) {
    // S3 takes a body of unknown length nowhere, and names the header that would make it one.
    if (headers.has("transfer-encoding")) throw headerNotImplemented("Transfer-Encoding");
    throw new S3Error("MissingContentLength");
  }
  const length = parseLength(
    (streaming ? decoded : plain) ?? "",
    streaming ? "x-amz-decoded-content-length" : "content-length",
  );
  const md5 = parseMd5(headers.get("content-md5"));
  const promised: Promised = {
    length,
    ...(md5 ? { md5 } : {}),
    ...(/^[0-9a-f]{64}$/.test(payload) ? { sha256: payload } : {}),
    checksum,
  };
  if (claim?.trailing && !payload.endsWith("-TRAILER")) {
    throw new S3Error("InvalidRequest", "x-amz-trailer needs a streaming payload with a trailer");
  }
  const source = incomingBytes(request);
  if (!streaming) return checkedBody(source, promised);
  const chunks = unchunk(source, {
    seed: payload.startsWith("STREAMING-AWS4-") ? request.verified : undefined,
    trailer: payload.endsWith("-TRAILER")
      ? claim?.trailing
        ? checksumHeader(claim.algorithm)
        : ""
      : undefined,
  });
  return checkedBody(chunks.stream, promised, chunks.trailer);
}

/** Leaves the connection alone when the reader stops early: the answer still has to go out on it. */
export async function* incomingBytes(request: S3Request): AsyncGenerator<Buffer> {
  request.proceed();
  yield* request.incoming.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
}

/** 1,000 keys of 1,024 bytes, each byte escaped, and 10,000 parts with checksums stay under this. */
const MAX_DOCUMENT_BYTES = 8 * 1024 * 1024;

/**
 * A document in memory, as UTF-8 text.
 * @param needsChecksum refuse it without `Content-MD5` or a checksum, as S3 does for the operations it marks so
 */
export async function readDocument(request: S3Request, { needsChecksum = false } = {}): Promise<string> {
  const { headers } = request;
  if (needsChecksum && !headers.has("content-md5") && checksumClaim(headers) === undefined) {
    throw new S3Error(
      "InvalidRequest",
      "Missing required header for this request: Content-MD5 OR x-amz-checksum-*",
    );
  }
  if (!headers.has("content-length") && !headers.has("transfer-encoding")) return "";
  try {
    return (await collect(openBody(request).stream, MAX_DOCUMENT_BYTES)).toString("utf8");
  } catch (error) {
    throw error instanceof TooLong ? new S3Error("MaxMessageLengthExceeded") : error;
  }
}
