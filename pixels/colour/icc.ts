/**
 * ICC profiles (ICC.1:2022) that are three primaries and their curves, or one curve of grey: those of screens, cameras and
 * working spaces. Profiles by tables (presses, scanners) are libvips' matter.
 */
import {
  type Curve,
  isPrimaries,
  isTransfer,
  type Matrix,
  type PrimariesCode,
  power,
  type TransferCode,
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

function profileOf(bytes: Buffer): Profile | undefined {
  const tags = new Map<string, Buffer>();
  const count = Math.min(MOST_TAGS, bytes.readUInt32BE(128));
  for (let at = 132; at < 132 + 12 * count; at += 12) {
    const start = bytes.readUInt32BE(at + 4);
    tags.set(bytes.toString("latin1", at, at + 4), bytes.subarray(start, start + bytes.readUInt32BE(at + 8)));
  }
  if (bytes.toString("latin1", 20, 23) !== "XYZ" || tags.has("A2B0")) return undefined;
  const cicp = cicpOf(tags.get("cicp"));
  if (spaceOf(bytes) === "GRAY") {
    const grey = curveOf(tags.get("kTRC"));
    return grey && { toXyz: undefined, curves: [grey, grey, grey], cicp };
  }
  if (spaceOf(bytes) !== "RGB") return undefined;
  const [r, g, b] = ["rTRC", "gTRC", "bTRC"].map((tag) => curveOf(tags.get(tag)));
  const [x, y, z] = ["rXYZ", "gXYZ", "bXYZ"].map((tag) => xyzOf(tags.get(tag)));
  if (!r || !g || !b || !x || !y || !z) return undefined;
  const toXyz: Matrix = [
    [x[0], y[0], z[0]],
    [x[1], y[1], z[1]],
    [x[2], y[2], z[2]],
  ];
  return { toXyz, curves: [r, g, b], cicp };
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
