/** The three CRCs of S3: CRC-32, CRC-32C and CRC-64/NVME; all reflected, all ones before and after. */
import { crc32 as zlibCrc32 } from "node:zlib";

/** Reflected polynomials, width in bits ("Catalogue of parametrised CRC algorithms"). */
const polynomials = {
  crc32: { width: 32n, poly: 0xedb88320n },
  crc32c: { width: 32n, poly: 0x82f63b78n },
  crc64nvme: { width: 64n, poly: 0x9a6c9329ac4bc9b5n },
} as const;
export type CrcName = keyof typeof polynomials;

/** A checksum being computed; the digest is big-endian, as S3 sends it. */
export interface Hasher {
  update(data: Buffer): unknown;
  digest(): Buffer;
}

const SLICES = 8;

/** Slicing-by-8 tables, 64-bit values split into low and high words: table `k`, byte `b` at `k * 256 + b`. */
function tablesOf(poly: bigint): { low: Uint32Array; high: Uint32Array } {
  const low = new Uint32Array(SLICES * 256);
  const high = new Uint32Array(SLICES * 256);
  const first: bigint[] = [];
  for (let byte = 0; byte < 256; byte++) {
    let crc = BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ poly : crc >> 1n;
    first.push(crc);
  }
  for (let byte = 0; byte < 256; byte++) {
    let crc = first[byte] ?? 0n;
    for (let k = 0; k < SLICES; k++) {
      low[k * 256 + byte] = Number(crc & 0xffffffffn);
      high[k * 256 + byte] = Number(crc >> 32n);
      crc = (first[Number(crc & 0xffn)] ?? 0n) ^ (crc >> 8n);
    }
  }
  return { low, high };
}

/** Tables cost 5 ms each and most runs need none. */
const tableCache = new Map<CrcName, ReturnType<typeof tablesOf>>();
function tables(name: CrcName) {
  const cached = tableCache.get(name) ?? tablesOf(polynomials[name].poly);
  tableCache.set(name, cached);
  return cached;
}

/** Eight bytes a step; a 32-bit CRC is the same computation with an empty high word. */
function tabled(name: "crc32c" | "crc64nvme"): Hasher {
  const { low, high } = tables(name);
  const wide = name === "crc64nvme";
  let lo = 0xffffffff;
  let hi = wide ? 0xffffffff : 0;
  return {
    update(data) {
      const whole = data.length - (data.length % 8);
      let i = 0;
      for (; i < whole; i += 8) {
        const a = (lo ^ data.readUInt32LE(i)) >>> 0;
        const b = (hi ^ data.readUInt32LE(i + 4)) >>> 0;
        const t7 = 1792 + (a & 255);
        const t6 = 1536 + ((a >>> 8) & 255);
        const t5 = 1280 + ((a >>> 16) & 255);
        const t4 = 1024 + (a >>> 24);
        const t3 = 768 + (b & 255);
        const t2 = 512 + ((b >>> 8) & 255);
        const t1 = 256 + ((b >>> 16) & 255);
        const t0 = b >>> 24;
        lo =
          at(low, t7) ^
          at(low, t6) ^
          at(low, t5) ^
          at(low, t4) ^
          at(low, t3) ^
          at(low, t2) ^
          at(low, t1) ^
          at(low, t0);
        if (wide)
          hi =
            at(high, t7) ^
            at(high, t6) ^
            at(high, t5) ^
            at(high, t4) ^
            at(high, t3) ^
            at(high, t2) ^
            at(high, t1) ^
            at(high, t0);
      }
      for (; i < data.length; i++) {
        const index = (lo ^ (data[i] ?? 0)) & 255;
        lo = at(low, index) ^ ((lo >>> 8) | (hi << 24));
        hi = at(high, index) ^ (hi >>> 8);
      }
    },
    digest() {
      const digest = Buffer.alloc(wide ? 8 : 4);
      if (wide) digest.writeUInt32BE(~hi >>> 0, 0);
      digest.writeUInt32BE(~lo >>> 0, wide ? 4 : 0);
      return digest;
    },
  };
}

const at = (table: Uint32Array, index: number): number => table[index] as number;

function native(): Hasher {
  let value = 0;
  return {
    update(data) {
      value = zlibCrc32(data, value);
    },
    digest() {
      const digest = Buffer.alloc(4);
      digest.writeUInt32BE(value);
      return digest;
    },
  };
}

export const createCrc = (name: CrcName): Hasher => (name === "crc32" ? native() : tabled(name));

/** The CRC of A followed by B from the CRCs of both and B's length: A's is multiplied by x^(8·length) and B's added. */
export function combineCrc(name: CrcName, a: Buffer, b: Buffer, lengthOfB: number): Buffer {
  const { width, poly } = polynomials[name];
  const top = 1n << (width - 1n);
  const multiply = (x: bigint, y: bigint): bigint => {
    let product = 0n;
    let shifted = y;
    for (let bit = top; bit > 0n; bit >>= 1n) {
      if (x & bit) product ^= shifted;
      shifted = shifted & 1n ? (shifted >> 1n) ^ poly : shifted >> 1n;
    }
    return product;
  };
  let factor = top;
  let power = top >> 8n;
  for (let n = BigInt(lengthOfB); n > 0n; n >>= 1n) {
    if (n & 1n) factor = multiply(factor, power);
    power = multiply(power, power);
  }
  const combined = multiply(factor, BigInt(`0x${a.toString("hex")}`)) ^ BigInt(`0x${b.toString("hex")}`);
  return Buffer.from(combined.toString(16).padStart(a.length * 2, "0"), "hex");
}
