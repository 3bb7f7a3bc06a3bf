/**
 * Whether a file's own structure says that its end is missing. Asked only after decoding failed, to tell a broken
 * upload (send it again) from a broken file, without reading the decoder's sentences.
 */
import type { FormatName } from "../core/formats.ts";

const rows: Record<FormatName, (bytes: Buffer) => boolean> = {
  // The last end-of-image marker stands before the last scan (it is the thumbnail's), or there is none.
  jpeg: (bytes) => bytes.lastIndexOf("ffd9", undefined, "hex") <= bytes.lastIndexOf("ffda", undefined, "hex"),
  png: (bytes) => {
    let at = 8;
    while (at + 12 <= bytes.length) {
      if (bytes.toString("latin1", at + 4, at + 8) === "IEND") return false;
      at += 12 + bytes.readUInt32BE(at);
    }
    return true;
  },
  webp: (bytes) => bytes.length < 12 || bytes.readUInt32LE(4) + 8 > bytes.length,
  gif: (bytes) => bytes.at(-1) !== 0x3b,
  avif: boxesEndEarly,
  heic: boxesEndEarly,
  // Strips may stand anywhere: no telling.
  tiff: () => false,
};

export function endsEarly(format: FormatName, bytes: Uint8Array): boolean {
  return rows[format](Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
}

/** The boxes of an ISO media file at the top level: a size, 0 for "to the end" and 1 for a 64-bit one after the type. */
function boxesEndEarly(bytes: Buffer): boolean {
  let at = 0;
  while (at < bytes.length) {
    if (at + 8 > bytes.length) return true;
    const size = bytes.readUInt32BE(at);
    if (size === 0) return false;
    if (size === 1 && at + 16 > bytes.length) return true;
    const length = size === 1 ? Number(bytes.readBigUInt64BE(at + 8)) : size;
    if (length < 8) return false;
    at += length;
  }
  return at > bytes.length;
}
