/**
 * PNG (third edition, W3C): whether every row is there, whatever the checksums say, and a copy of such a file that
 * libpng reads without a word.
 */
import { once } from "node:events";
import { constants, crc32, createDeflate, createInflateRaw } from "node:zlib";
import type { Finding } from "../../core/checks.ts";
import { chunkOf, SIGNATURE } from "../png.ts";

export interface Chunk {
  readonly type: string;
  readonly start: number;
  /** Without length, type and checksum; less than it says of one that the file ends in. */
  readonly data: Uint8Array;
  readonly isCut: boolean;
}

export function* chunksOf(bytes: Uint8Array): Generator<Chunk, undefined> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let start = SIGNATURE.length; start + 8 <= bytes.length; ) {
    const length = view.getUint32(start);
    const type = String.fromCharCode(...bytes.subarray(start + 4, start + 8));
    const end = start + 12 + length;
    const data = bytes.subarray(start + 8, start + 8 + length);
    yield { type, start, data, isCut: end > bytes.length };
    if (type === "IEND") return undefined;
    start = end;
  }
  return undefined;
}

/** Samples of a pixel by colour type. */
const SAMPLES: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
/** First column and row, and distance, of the passes of Adam7. */
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

/** Bytes of all rows with their filters; undefined where the header makes no sense. */
function sizeOf(header: Uint8Array): number | undefined {
  const [depth = 0, colour = 0, , , interlace = 0] = header.subarray(8);
  const samples = SAMPLES[colour];
  if (header.length !== 13 || samples === undefined || interlace > 1) return undefined;
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const [width, height] = [view.getUint32(0), view.getUint32(4)];
  const passes = interlace === 1 ? ADAM7 : ([[0, 0, 1, 1]] as const);
  let size = 0;
  for (const [left, top, across, down] of passes) {
    const columns = Math.ceil((width - left) / across);
    const rows = Math.ceil((height - top) / down);
    if (columns > 0 && rows > 0) size += rows * (1 + Math.ceil((columns * samples * depth) / 8));
  }
  return size > 0 ? size : undefined;
}

/** Transparency of more colours than the palette has: browsers use what fits, libpng would use none of it. */
export function withoutIdleTransparency(bytes: Uint8Array): Uint8Array {
  const chunks = [...chunksOf(bytes)];
  const most = mostOf("tRNS", chunks);
  const chunk = chunks.find(({ type }) => type === "tRNS");
  if (!chunk || chunk.isCut || chunk.data.length <= most) return bytes;
  const after = bytes.subarray(chunk.start + 12 + chunk.data.length);
  return Buffer.concat([
    bytes.subarray(0, chunk.start),
    chunkOf("tRNS", chunk.data.subarray(0, most)),
    after,
  ]);
}

/** How many bytes a chunk may have, beside the others. */
function mostOf(type: string, chunks: readonly Chunk[]): number {
  const isPalette = chunks[0]?.data[9] === 3;
  const palette = chunks.find((chunk) => chunk.type === "PLTE");
  return type === "tRNS" && isPalette && palette ? Math.floor(palette.data.length / 3) : Infinity;
}

/** The file with its rows compressed anew and right checksums, where every row is there. */
export async function mendPng(bytes: Uint8Array): Promise<Finding | Buffer> {
  const chunks = [...chunksOf(bytes)];
  const [header] = chunks;
  const first = chunks.findIndex(({ type }) => type === "IDAT");
  const size = header?.type === "IHDR" ? sizeOf(header.data) : undefined;
  const ends = chunks.at(-1);
  const isCut = ends?.type !== "IEND";
  const wrong = chunks.find(
    ({ type, start, data }) => /IHDR|PLTE/.test(type) && !isSound(bytes, start, data.length),
  );
  if (wrong && !wrong.isCut) return { check: "bad-checksum", at: wrong.start };
  if (size === undefined || first < 0)
    return isCut
      ? { check: "ends-early", at: ends?.start ?? 0 }
      : { check: "no-picture", at: SIGNATURE.length };
  // What follows another chunk belongs to nothing.
  const after = chunks.findIndex(({ type }, i) => i > first && type !== "IDAT");
  const parts = chunks.slice(first, after < 0 ? undefined : after);
  const compressed = Buffer.concat(parts.map(({ data }) => data));
  const rows = await recompressed(compressed, size);
  if (rows) {
    const before = chunks
      .slice(0, first)
      .map(({ type, data }) => chunkOf(type, data.subarray(0, mostOf(type, chunks))));
    const copy = [SIGNATURE, ...before, chunkOf("IDAT", rows), chunkOf("IEND", new Uint8Array(0))];
    return Buffer.concat(copy);
  }
  return isCut
    ? { check: "ends-early", at: ends?.start ?? 0 }
    : { check: "rows-missing", at: chunks[first]?.start ?? 0 };
}

/** Whether a chunk's checksum is that of its type and data. */
function isSound(bytes: Uint8Array, start: number, length: number): boolean {
  const end = start + 8 + length;
  const sum = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(
    Math.min(end, bytes.length - 4),
  );
  return crc32(bytes.subarray(start + 4, end)) === sum;
}

/** The first `size` bytes of what was compressed, compressed again; undefined where there are fewer. */
async function recompressed(compressed: Uint8Array, size: number): Promise<Uint8Array | undefined> {
  // Without zlib's header and checksum; what ends too soon is taken as far as it goes.
  const inflate = createInflateRaw({ finishFlush: constants.Z_SYNC_FLUSH });
  const deflate = createDeflate({ level: 1 });
  const made: Buffer[] = [];
  deflate.on("data", (chunk: Buffer) => made.push(chunk));
  let left = size;
  // Events, not an iterator: that would lose what came before an error.
  await new Promise<void>((resolve) => {
    inflate.on("data", (chunk: Buffer) => {
      if (left > 0) deflate.write(chunk.subarray(0, left));
      left -= chunk.length;
      // What follows the last row can be a bomb.
      if (left <= 0) inflate.destroy();
    });
    inflate.on("close", resolve);
    inflate.on("error", () => {});
    inflate.end(compressed.subarray(2));
  });
  if (left > 0) {
    deflate.destroy();
    return undefined;
  }
  deflate.end();
  await once(deflate, "end");
  return Buffer.concat(made);
}
