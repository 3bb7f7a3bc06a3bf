/**
 * Gain maps: a second, small picture that says how much brighter than the first a screen with HDR may be (ISO 21496-1). JPEGs
 * carry it behind the first picture: Google's Ultra HDR and Adobe say how it is meant in XMP, the standard in binary.
 */
import type { FormatName } from "../../core/formats.ts";

const XMP = "http://ns.adobe.com/xap/1.0/\0";
const ISO = "urn:iso:std:iso:ts:21496:-1\0";

/** Header segments of a JPEG: where each starts, and its content. */
function* segmentsOf(bytes: Buffer): Generator<{ marker: number; start: number; data: Buffer }, undefined> {
  for (let at = 2; at + 4 <= bytes.length && bytes[at] === 0xff; ) {
    const marker = bytes[at + 1] ?? 0;
    if (marker === 0xff) {
      at++;
      continue;
    }
    const end = at + 2 + bytes.readUInt16BE(at + 2);
    if (marker === 0xda || end > bytes.length) break;
    yield { marker, start: at, data: bytes.subarray(at + 4, end) };
    at = end;
  }
  return undefined;
}

const startsWith = (data: Buffer, text: string) => data.toString("latin1", 0, text.length) === text;

/** Whether the file has one. */
export function hasGainMap(format: FormatName, bytes: Uint8Array): boolean {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (format === "jpeg") {
    for (const { marker, data } of segmentsOf(buffer)) {
      if (marker === 0xe1 && startsWith(data, XMP) && data.includes("hdrgm:Version")) return true;
      if (marker === 0xe2 && startsWith(data, ISO)) return true;
    }
    return false;
  }
  if (format !== "avif" && format !== "heic") return false;
  // `meta` is at the start, or a file that puts it elsewhere is no camera's: a tone-mapped item, or Apple's auxiliary picture.
  const head = buffer.subarray(0, 65_536);
  return head.includes("tmap\0") || head.includes("urn:com:apple:photo:2020:aux:hdrgainmap");
}
