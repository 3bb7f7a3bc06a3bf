/**
 * S3's `aws-chunked` framing: `size;chunk-signature=…` lines, chunks, and optionally trailing headers; each chunk's
 * signature seals the one before. ("Signature Calculations … Transferring a Payload in Multiple Chunks".)
 */
import { createHash } from "node:crypto";
import { isChunkSignature, isTrailerSignature, sha256, type Verified } from "../sigv4.ts";
import { S3Error } from "./errors.ts";
import { ByteReader, TooLong, UnexpectedEnd } from "./reader.ts";

export interface Framing {
  /** What the first chunk's signature follows; undefined when chunks are not signed. */
  readonly seed: Verified | undefined;
  /** The trailing header that was announced; "" when any may come but none must; undefined when none may. */
  readonly trailer: string | undefined;
}

/** S3: "Only the last chunk is allowed to have a size less than 8192 bytes". */
const MIN_CHUNK_BYTES = 8192;
const MAX_LINE_BYTES = 1024;
const MAX_TRAILER_BYTES = 16 * 1024;

/** The payload. `trailer()` is the announced header's value once the stream has ended. */
export function unchunk(
  source: AsyncIterable<Buffer>,
  { seed, trailer }: Framing,
): { stream: AsyncIterable<Buffer>; trailer: () => string | undefined } {
  const reader = new ByteReader(source);
  let trailerValue: string | undefined;

  async function* payload(): AsyncGenerator<Buffer> {
    let previous = seed?.signature ?? "";
    let last = MIN_CHUNK_BYTES;
    for (let size = -1; size !== 0; last = size) {
      const [, hex = "", signature = ""] =
        /^([0-9a-f]{1,10})(?:;chunk-signature=([0-9a-f]{64}))?$/i.exec(await reader.line(MAX_LINE_BYTES)) ??
        [];
      if (hex === "" || (seed !== undefined) !== (signature !== "")) throw malformed();
      size = Number.parseInt(hex, 16);
      if (size > 0 && last < MIN_CHUNK_BYTES)
        throw new S3Error("InvalidChunkSizeError", undefined, { BadChunkSizeInBytes: String(last) });
      const hash = createHash("sha256");
      for await (const piece of reader.exactly(size)) {
        if (seed) hash.update(piece);
        yield piece;
      }
      if (seed && !isChunkSignature(seed, previous, hash.digest("hex"), signature))
        throw new S3Error("SignatureDoesNotMatch");
      previous = signature;
      if (size > 0 && (await reader.line(0)) !== "") throw malformed();
    }
    trailerValue = readTrailer((await reader.rest(MAX_TRAILER_BYTES)).toString("latin1"), previous);
  }

  function readTrailer(text: string, previous: string): string | undefined {
    const lines = text.split(/\r?\n/).filter((line) => line !== "");
    const fields = new Map(
      lines.map((line) => [
        line.slice(0, line.indexOf(":")).toLowerCase(),
        line.slice(line.indexOf(":") + 1).trim(),
      ]),
    );
    const signature = fields.get("x-amz-trailer-signature") ?? "";
    if (seed) fields.delete("x-amz-trailer-signature");
    if (trailer === undefined ? lines.length > 0 : [...fields.keys()].some((name) => name !== trailer))
      throw malformedTrailer();
    if (trailer && !fields.has(trailer)) throw malformedTrailer();
    const canonical = [...fields].map(([name, value]) => `${name}:${value}\n`).join("");
    if (
      seed &&
      trailer !== undefined &&
      !isTrailerSignature(seed, previous, sha256(Buffer.from(canonical, "latin1")), signature)
    ) {
      throw new S3Error("SignatureDoesNotMatch");
    }
    return trailer ? fields.get(trailer) : undefined;
  }

  async function* stream(): AsyncGenerator<Buffer> {
    try {
      yield* payload();
    } catch (error) {
      if (error instanceof UnexpectedEnd) throw new S3Error("IncompleteBody");
      throw error instanceof TooLong ? malformed() : error;
    }
  }
  return { stream: stream(), trailer: () => trailerValue };
}

const malformed = () =>
  new S3Error(
    "InvalidRequest",
    "The body is not in the aws-chunked form that x-amz-content-sha256 announces.",
  );
const malformedTrailer = () => new S3Error("MalformedTrailerError");
