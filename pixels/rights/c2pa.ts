/** Whether a file has a manifest of content credentials (C2PA 2.2, annex A): where each format has it. Nobody reads it here. */
import type { FormatName } from "../../core/formats.ts";
import { segmentsOf } from "../colour/gain-map.ts";
import { boxesOf } from "../look/boxes.ts";
import { chunksOf } from "../look/png.ts";

/** The `uuid` of ISO media files. */
const UUID = Buffer.from("d8fec3d61b0e483c92975828877ec481", "hex");
/** In TIFF, the tag of the manifest store. */
const TIFF_TAG = 0xcd41;

const rows: Readonly<Record<FormatName, (file: Buffer) => boolean>> = {
  jpeg: hasSegment,
  png: hasChunk,
  webp: hasRiffChunk,
  gif: (file) => file.includes("\x21\xff\x0bC2PA_GIF", 0, "latin1"),
  avif: hasBox,
  heic: hasBox,
  tiff: hasTag,
};

export const hasC2pa = (format: FormatName, bytes: Uint8Array): boolean =>
  rows[format](Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));

/** A JUMBF superbox in APP11: `JP`, two numbers, then its own head, its description's, and the type's first letters. */
function hasSegment(file: Buffer): boolean {
  for (const { marker, data } of segmentsOf(file)) {
    const isJumbf = marker === 0xeb && data.toString("latin1", 0, 2) === "JP";
    if (isJumbf && data.toString("latin1", 12, 16) === "jumb" && data.toString("latin1", 24, 28) === "c2pa")
      return true;
  }
  return false;
}

function hasChunk(file: Buffer): boolean {
  for (const { type } of chunksOf(file)) if (type === "caBX") return true;
  return false;
}

function hasBox(file: Buffer): boolean {
  for (const { type, body } of boxesOf(file))
    if (type === "uuid" && file.subarray(body, body + UUID.length).equals(UUID)) return true;
  return false;
}

function hasRiffChunk(file: Buffer): boolean {
  for (let at = 12; at + 8 <= file.length; ) {
    if (file.toString("latin1", at, at + 4) === "C2PA") return true;
    const length = file.readUInt32LE(at + 4);
    at += 8 + length + (length % 2);
  }
  return false;
}

/** Of the first directory. */
function hasTag(file: Buffer): boolean {
  const isLittle = file.toString("latin1", 0, 2) === "II";
  const read = (at: number, size: 2 | 4) => {
    if (at + size > file.length) return 0;
    return isLittle ? file.readUIntLE(at, size) : file.readUIntBE(at, size);
  };
  const start = read(4, 4);
  for (let left = read(start, 2), at = start + 2; left > 0; left--, at += 12)
    if (read(at, 2) === TIFF_TAG) return true;
  return false;
}
