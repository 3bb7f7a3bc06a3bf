/** A file as the parts that its format is made of, so that damage gets past the first check of a decoder. */
import { crc32 } from "node:zlib";
import type { FormatName } from "../../core/formats.ts";
import { boxesOf } from "../../pixels/look/boxes.ts";
import { chunksOf } from "../../pixels/look/png.ts";

interface Structure {
  /** One after the other they are the file. */
  readonly split: (bytes: Buffer) => Buffer[];
  /** Makes lengths and checksums fit again what was changed. */
  readonly mend?: (parts: Buffer[]) => Buffer[];
}

/** What lies between these places. */
const between = (bytes: Buffer, places: readonly number[]): Buffer[] => {
  const edges = [...new Set([0, ...places, bytes.length])]
    .filter((at) => at <= bytes.length)
    .sort((a, b) => a - b);
  return edges.slice(1).map((end, i) => bytes.subarray(edges[i], end));
};

/** Boxes, the parts of those that hold others, and what lies in them. */
const CONTAINERS = ["meta", "iprp", "ipco", "moov", "trak", "mdia", "minf", "stbl", "iref"];
function boxEdges(bytes: Buffer, from = 0, to = bytes.length): number[] {
  return [...boxesOf(bytes, from, to)].flatMap(({ type, start, body, end }) => {
    const inside = CONTAINERS.includes(type)
      ? boxEdges(bytes, body + (/meta|iref/.test(type) ? 4 : 0), Math.min(end, to))
      : [];
    return [start, body, ...inside, end];
  });
}

const boxes: Structure = { split: (bytes) => between(bytes, boxEdges(bytes)) };

const structures: Partial<Record<FormatName, Structure>> = {
  // At every marker, and in the middle of the data.
  jpeg: {
    split: (bytes) => {
      const places: number[] = [];
      for (let at = bytes.indexOf(0xff); at >= 0; at = bytes.indexOf(0xff, at + 1))
        if ((bytes[at + 1] ?? 0) >= 0xc0 && bytes[at + 1] !== 0xff) places.push(at, at + 4);
      return between(bytes, places);
    },
  },
  png: {
    split: (bytes) =>
      between(
        bytes,
        [...chunksOf(bytes)].map(({ start }) => start),
      ),
    mend: ([signature, ...chunks]) => [
      signature ?? Buffer.alloc(0),
      ...chunks.map((chunk) => {
        if (chunk.length < 12) return chunk;
        const mended = Buffer.from(chunk);
        mended.writeUInt32BE(chunk.length - 12, 0);
        mended.writeUInt32BE(crc32(chunk.subarray(4, -4)), chunk.length - 4);
        return mended;
      }),
    ],
  },
  webp: {
    split: (bytes) => {
      const places = [12];
      for (let at = 12; at + 8 <= bytes.length; ) {
        places.push(at, at + 8);
        at += 8 + bytes.readUInt32LE(at + 4) + (bytes.readUInt32LE(at + 4) & 1);
      }
      return between(bytes, places);
    },
    mend: (parts) => {
      const [head = Buffer.alloc(0), ...rest] = parts;
      if (head.length < 8) return parts;
      const mended = Buffer.from(head);
      mended.writeUInt32LE(parts.reduce((sum, { length }) => sum + length, -8) >>> 0, 4);
      return [mended, ...rest];
    },
  },
  gif: {
    split: (bytes) => {
      const places = [6, 13];
      for (let at = 13; at < bytes.length; at++)
        if (bytes[at] === 0x21 || bytes[at] === 0x2c) places.push(at, at + 10);
      return between(bytes, places);
    },
  },
  avif: boxes,
  heic: boxes,
};

export const splitOf = (format: FormatName, bytes: Buffer): Buffer[] =>
  structures[format]?.split(bytes) ?? [bytes];
export const mendOf = (format: FormatName, parts: Buffer[]): Buffer[] =>
  structures[format]?.mend?.(parts) ?? parts;
