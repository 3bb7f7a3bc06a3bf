/**
 * Says in a file that we have encoded that its colours are Display P3's. By hand, for sharp attaches a profile only to
 * colours that it has converted itself, from sRGB, where what lies outside is lost already.
 */
import { deflateSync } from "node:zlib";
import type { OutputFormat } from "../../core/formats.ts";
import { type Box, boxAt, boxesIn, boxOf } from "../look/boxes.ts";
import { chunkOf, SIGNATURE } from "../png.ts";
import { P3_PRIMARIES, SRGB_TRANSFER } from "./cicp.ts";
import { p3Profile } from "./icc.ts";
import type { Cicp, HdrTag } from "./said.ts";

const rows: Readonly<Record<OutputFormat, (file: Buffer) => Buffer>> = {
  jpeg: (file) =>
    withSegments(file, [segment(0xe2, Buffer.from("ICC_PROFILE\0\x01\x01", "latin1"), p3Profile())]),
  png: (file) => {
    const data = Buffer.concat([Buffer.from("P3\0\0", "latin1"), deflateSync(p3Profile())]);
    // After IHDR, whose 13 bytes come first.
    const at = SIGNATURE.length + 25;
    return Buffer.concat([file.subarray(0, at), chunkOf("iCCP", data), file.subarray(at)]);
  },
  webp: withRiffProfile,
  avif: (file) => withProperties(file, [nclx({ primaries: P3_PRIMARIES, transfer: SRGB_TRANSFER })]),
};

export const taggedP3 = (format: OutputFormat, file: Buffer): Buffer => rows[format](file);

/** An AVIF of numbers by another curve than sRGB's; sharp has no way to say so. */
export const taggedHdr = (file: Buffer, { peak, ...cicp }: HdrTag): Buffer =>
  withProperties(file, [nclx(cicp), ...(peak ? [lightLevel(peak)] : [])]);

/** A segment of a JPEG's header. */
export function segment(marker: number, ...parts: Uint8Array[]): Buffer {
  const data = Buffer.concat(parts);
  const head = Buffer.from([0xff, marker, 0, 0]);
  head.writeUInt16BE(data.length + 2, 2);
  return Buffer.concat([head, data]);
}

/** Segments at the front; JFIF's own would have to come first, and browsers do without it. */
export function withSegments(file: Buffer, segments: readonly Buffer[]): Buffer {
  const jfif = file.readUInt16BE(2) === 0xffe0 ? 4 + file.readUInt16BE(4) : 2;
  return Buffer.concat([file.subarray(0, jfif), ...segments, file.subarray(jfif)]);
}

/** WebP's container, 2.7: what has a profile begins with VP8X. */
function withRiffProfile(file: Buffer): Buffer {
  const icc = p3Profile();
  const chunk = (type: string, data: Buffer) => {
    const head = Buffer.alloc(8);
    head.write(type, "latin1");
    head.writeUInt32LE(data.length, 4);
    return Buffer.concat([head, data, Buffer.alloc(data.length % 2)]);
  };
  const [FILE, VP8X] = [12, 18];
  const isExtended = file.toString("latin1", FILE, FILE + 4) === "VP8X";
  const header = isExtended
    ? Buffer.from(file.subarray(FILE, FILE + VP8X))
    : chunk("VP8X", stillHeader(file, FILE));
  header[8] = (header[8] ?? 0) | 0x20;
  const rest = file.subarray(isExtended ? FILE + VP8X : FILE);
  const body = Buffer.concat([Buffer.from("WEBP"), header, chunk("ICCP", icc), rest]);
  return chunk("RIFF", body);
}

/** What VP8X says of a picture that does without it: its size less one, and whether it has alpha. */
function stillHeader(file: Buffer, at: number): Buffer {
  const data = Buffer.alloc(10);
  const isLossless = file.toString("latin1", at, at + 4) === "VP8L";
  // VP8L: after a signature of one byte 14 bits each, then alpha. VP8: after a frame tag and a start code, 14 bits in two bytes.
  const bits = isLossless ? file.readUInt32LE(at + 9) : 0;
  const width = isLossless ? bits & 0x3fff : (file.readUInt16LE(at + 14) & 0x3fff) - 1;
  const height = isLossless ? (bits >> 14) & 0x3fff : (file.readUInt16LE(at + 16) & 0x3fff) - 1;
  data[0] = isLossless && (bits >> 28) & 1 ? 0x10 : 0;
  data.writeUIntLE(width, 4, 3);
  data.writeUIntLE(height, 7, 3);
  return data;
}

/** `colr` of kind `nclx`: BT.601's matrix at full range, as libheif encodes. */
const nclx = ({ primaries, transfer }: Cicp): Buffer =>
  boxOf("colr", Buffer.from([...Buffer.from("nclx"), 0, primaries, 0, transfer, 0, 6, 0x80]));

/** `clli`: the brightest pixel, in cd/m², and nothing of the average. */
function lightLevel(peak: number): Buffer {
  const data = Buffer.alloc(4);
  data.writeUInt16BE(Math.min(65_535, Math.round(peak)));
  return boxOf("clli", data);
}

/** Adds properties to the primary item. @throws Error where libheif has come to write another structure */
function withProperties(file: Buffer, properties: readonly Buffer[]): Buffer {
  const find = (type: string, parent?: Box): Box => {
    const found = boxAt(file, [type], parent);
    if (!found) throw new Error(`no ${type} in an AVIF of our own`);
    return found;
  };
  const meta = find("meta");
  const [iloc, iprp, pitm] = [find("iloc", meta), find("iprp", meta), find("pitm", meta)];
  const [ipco, ipma] = [find("ipco", iprp), find("ipma", iprp)];
  // Version 0 of each; offsets and lengths of 4 bytes from a base of 4.
  const isUsual = [iloc, ipma, pitm].every(({ body }) => file.readUInt32BE(body) === 0);
  if (!isUsual || file.readUInt16BE(iloc.body + 4) !== 0x4440)
    throw new Error("an AVIF of another structure");
  const first = boxesIn(file, ipco).length + 1;
  const added = Buffer.concat(properties);
  const grown = added.length + properties.length;
  let entry = ipma.body + 8;
  while (file.readUInt16BE(entry) !== file.readUInt16BE(pitm.body + 4)) entry += 3 + (file[entry + 2] ?? 0);
  const end = entry + 3 + (file[entry + 2] ?? 0);

  const made = Buffer.from(file);
  const grow = (box: Box, by: number) => made.writeUInt32BE(made.readUInt32BE(box.start) + by, box.start);
  for (const box of [meta, iprp]) grow(box, grown);
  grow(ipco, added.length);
  grow(ipma, properties.length);
  made[entry + 2] = (made[entry + 2] ?? 0) + properties.length;
  for (let item = file.readUInt16BE(iloc.body + 6), at = iloc.body + 8; item > 0; item--) {
    made.writeUInt32BE(made.readUInt32BE(at + 4) + grown, at + 4);
    at += 10 + 8 * made.readUInt16BE(at + 8);
  }
  const parts = [
    made.subarray(0, ipco.end),
    added,
    made.subarray(ipco.end, end),
    Buffer.from(properties.map((_, i) => first + i)),
    made.subarray(end),
  ];
  return Buffer.concat(parts);
}
