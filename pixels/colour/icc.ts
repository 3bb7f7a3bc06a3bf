/**
 * ICC profiles (ICC.1:2022) that are three primaries and their curves, or one curve of grey: those of screens, cameras and
 * working spaces. Profiles by tables (presses, scanners) are libvips' matter.
 */
import {
  adaptation,
  type Curve,
  D50,
  isPrimaries,
  isTransfer,
  type Matrix,
  P3_PRIMARIES,
  type PrimariesCode,
  power,
  primaries,
  type TransferCode,
  toXyz,
  transfers,
} from "./cicp.ts";

export interface Profile {
  /** Linear light to XYZ under D50; none of grey. */
  readonly toXyz: Matrix | undefined;
  /** Of red, green and blue. */
  readonly curves: readonly [Curve, Curve, Curve];
  /** What the profile says in code points besides, as those of HDR do. */
  readonly cicp: { readonly primaries: PrimariesCode; readonly transfer: TransferCode } | undefined;
}

/** `RGB`, `GRAY`, `CMYK`, as the header says; empty where there is no header. */
export const spaceOf = (icc: Uint8Array): string => Buffer.from(icc).toString("latin1", 16, 20).trim();

/** Browsers use no profile whose primaries are of another type than their tags'; Little CMS takes whatever stands there. */
export function isUsable(icc: Uint8Array): boolean {
  const bytes = Buffer.from(icc.buffer, icc.byteOffset, icc.byteLength);
  try {
    const red = tagsOf(bytes).get("rXYZ");
    return red === undefined || red.toString("latin1", 0, 4) === "XYZ ";
  } catch {
    return false;
  }
}

/** The profile; none where it is another kind, or damaged. */
export function readProfile(icc: Uint8Array): Profile | undefined {
  const bytes = Buffer.from(icc.buffer, icc.byteOffset, icc.byteLength);
  try {
    return profileOf(bytes);
  } catch {
    return undefined;
  }
}

const MOST_TAGS = 100;

function tagsOf(bytes: Buffer): Map<string, Buffer> {
  const tags = new Map<string, Buffer>();
  const count = Math.min(MOST_TAGS, bytes.readUInt32BE(128));
  for (let at = 132; at < 132 + 12 * count; at += 12) {
    const start = bytes.readUInt32BE(at + 4);
    tags.set(bytes.toString("latin1", at, at + 4), bytes.subarray(start, start + bytes.readUInt32BE(at + 8)));
  }
  return tags;
}

function profileOf(bytes: Buffer): Profile | undefined {
  const tags = tagsOf(bytes);
  const cicp = cicpOf(tags.get("cicp"));
  // Profiles of HDR have tables for those that know nothing of code points, and no curves.
  if (cicp && transfers[cicp.transfer].range !== "sdr")
    return { toXyz: undefined, curves: [power(1), power(1), power(1)], cicp };
  if (bytes.toString("latin1", 20, 23) !== "XYZ" || tags.has("A2B0")) return undefined;
  if (spaceOf(bytes) === "GRAY") {
    const grey = curveOf(tags.get("kTRC"));
    return grey && { toXyz: undefined, curves: [grey, grey, grey], cicp };
  }
  if (spaceOf(bytes) !== "RGB") return undefined;
  const [r, g, b] = ["rTRC", "gTRC", "bTRC"].map((tag) => curveOf(tags.get(tag)));
  const [x, y, z] = ["rXYZ", "gXYZ", "bXYZ"].map((tag) => xyzOf(tags.get(tag)));
  if (!r || !g || !b || !x || !y || !z) return undefined;
  const matrix: Matrix = [
    [x[0], y[0], z[0]],
    [x[1], y[1], z[1]],
    [x[2], y[2], z[2]],
  ];
  return { toXyz: matrix, curves: [r, g, b], cicp };
}

function cicpOf(tag: Buffer | undefined): Profile["cicp"] {
  const [primaries, transfer] = [tag?.[8] ?? 0, tag?.[9] ?? 0];
  return isPrimaries(primaries) && isTransfer(transfer) ? { primaries, transfer } : undefined;
}

const fixed = (tag: Buffer, at: number) => tag.readInt32BE(at) / 65536;

function xyzOf(tag: Buffer | undefined): [number, number, number] | undefined {
  return tag && [fixed(tag, 8), fixed(tag, 12), fixed(tag, 16)];
}

/** 10.6 and 10.18 of the standard: a table, a power, or one of five functions. */
function curveOf(tag: Buffer | undefined): Curve | undefined {
  const type = tag?.toString("latin1", 0, 4);
  if (tag && type === "curv") {
    const count = tag.readUInt32BE(8);
    if (count === 0) return (v) => v;
    if (count === 1) return power(tag.readUInt16BE(12) / 256);
    const table = Float64Array.from({ length: count }, (_, i) => tag.readUInt16BE(12 + 2 * i) / 65535);
    return (v) => {
      const at = v * (count - 1);
      const below = Math.min(count - 2, Math.floor(at));
      const [low, high] = [table[below] ?? 0, table[below + 1] ?? 0];
      return low + (high - low) * (at - below);
    };
  }
  if (!tag || type !== "para") return undefined;
  const [kind, names] = [tag.readUInt16BE(8), [1, 3, 4, 5, 7]];
  const [g = 1, a = 1, b = 0, c = 0, d = 0, e = 0, f = 0] = Array.from({ length: names[kind] ?? 0 }, (_, i) =>
    fixed(tag, 12 + 4 * i),
  );
  const high = (v: number) => Math.max(0, a * v + b) ** g;
  return [
    high,
    (v: number) => (v >= -b / a ? high(v) : 0),
    (v: number) => (v >= -b / a ? high(v) + c : c),
    (v: number) => (v >= d ? high(v) : c * v),
    (v: number) => (v >= d ? high(v) + e : c * v + f),
  ][kind];
}

/** Display P3 as a profile of version 4, in 480 bytes: three primaries, and sRGB's curve as a function for all of them. */
export function p3Profile(): Buffer {
  const u32 = (...values: number[]) => {
    const bytes = Buffer.alloc(4 * values.length);
    for (const [i, value] of values.entries()) bytes.writeInt32BE(value | 0, 4 * i);
    return bytes;
  };
  const fixed = (...values: number[]) => u32(...values.map((value) => Math.round(value * 65_536)));
  const tagged = (type: string, ...data: Buffer[]) => Buffer.concat([Buffer.from(type), u32(0), ...data]);
  const text = (ascii: string) => {
    const utf16 = Buffer.from(ascii, "utf16le").swap16();
    return tagged(
      "mluc",
      u32(1, 12, 0x656e5553, utf16.length, 28),
      utf16,
      Buffer.alloc((4 - (utf16.length % 4)) % 4),
    );
  };
  const columns = toXyz(primaries[P3_PRIMARIES]);
  const column = (at: 0 | 1 | 2) => tagged("XYZ ", fixed(columns[0][at], columns[1][at], columns[2][at]));
  const curve = tagged("para", u32(3 << 16), fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045));
  const tags: [string, Buffer][] = [
    ["desc", text("P3")],
    ["cprt", text("CC0")],
    ["wtpt", tagged("XYZ ", fixed(...D50))],
    ["chad", tagged("sf32", fixed(...adaptation(primaries[P3_PRIMARIES].white).flat()))],
    ...(["rXYZ", "gXYZ", "bXYZ"] as const).map((name, i): [string, Buffer] => [name, column(i as 0 | 1 | 2)]),
    ["rTRC", curve],
  ];
  const start = 132 + 12 * (tags.length + 2);
  const at = (name: string) =>
    start +
    tags
      .slice(
        0,
        tags.findIndex(([other]) => other === name),
      )
      .reduce((sum, [, data]) => sum + data.length, 0);
  const entry = (name: string, data: Buffer, from = name) =>
    Buffer.concat([Buffer.from(name), u32(at(from), data.length)]);
  const head = Buffer.alloc(128);
  const body = Buffer.concat(tags.map(([, data]) => data));
  head.writeUInt32BE(start + body.length, 0);
  head.writeUInt32BE(0x04200000, 8);
  head.write("mntrRGB XYZ ", 12, "latin1");
  head.write("acsp", 36, "latin1");
  fixed(...D50).copy(head, 68);
  const shared = (["gTRC", "bTRC"] as const).map((name) => entry(name, curve, "rTRC"));
  return Buffer.concat([
    head,
    u32(tags.length + 2),
    ...tags.map(([name, data]) => entry(name, data)),
    ...shared,
    body,
  ]);
}
