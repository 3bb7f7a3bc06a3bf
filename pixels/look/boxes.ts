/** The boxes of an ISO media file (ISO/IEC 14496-12, 4.2), as AVIF and HEIC are. */
import type { Finding } from "../../core/checks.ts";

export interface Box {
  readonly type: string;
  /** Where it begins, where its content begins, and where it ends: of the last one that may be after the file's end. */
  readonly start: number;
  readonly body: number;
  readonly end: number;
}

/** The boxes that stand in these bytes, up to one that is none. A box without an end of its own goes up to `to`. */
export function* boxesOf(bytes: Uint8Array, from = 0, to = bytes.length): Generator<Box, undefined> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let start = from; start + 8 <= to; ) {
    const size = view.getUint32(start);
    const type = String.fromCharCode(...bytes.subarray(start + 4, start + 8));
    const isLong = size === 1 && start + 16 <= to;
    const length = size === 0 ? to - start : isLong ? Number(view.getBigUint64(start + 8)) : size;
    if (length < 8) return undefined;
    const box = { type, start, body: start + (isLong ? 16 : 8), end: start + length };
    yield box;
    start = box.end;
  }
  return undefined;
}

/** Bytes before the boxes in one: a version and flags, of `stsd` a count as well. */
const BEFORE: Readonly<Record<string, number>> = { meta: 4, iref: 4, stsd: 8 };

/** The boxes that stand in one of them. */
export const boxesIn = (bytes: Uint8Array, { type, body, end }: Box): Box[] => [
  ...boxesOf(bytes, body + (BEFORE[type] ?? 0), end),
];

/** The first box of each type, the next one in it; from the file on where no box is given. */
export function boxAt(bytes: Uint8Array, path: readonly string[], from?: Box): Box | undefined {
  let at = from;
  for (const type of path) {
    at = (at ? boxesIn(bytes, at) : [...boxesOf(bytes)]).find((box) => box.type === type);
    if (!at) return undefined;
  }
  return at;
}

/** A box of our own. */
export function boxOf(type: string, ...parts: (Uint8Array | string)[]): Buffer {
  const head = Buffer.from(`\0\0\0\0${type}`, "latin1");
  const body = parts.map((part) => (typeof part === "string" ? Buffer.from(part, "latin1") : part));
  const box = Buffer.concat([head, ...body]);
  box.writeUInt32BE(box.length);
  return box;
}

export function boxesEndEarly(bytes: Uint8Array): Finding | undefined {
  let last: Box | undefined;
  for (const box of boxesOf(bytes)) last = box;
  const end = last?.end ?? 0;
  // After the last box a few bytes that are no box.
  const isCut = end > bytes.length || (end < bytes.length && bytes.length < end + 8);
  return isCut ? { check: "ends-early", at: end > bytes.length ? (last?.start ?? 0) : end } : undefined;
}
