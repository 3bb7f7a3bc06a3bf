/** A ThumbHash (https://evanw.github.io/thumbhash/) drawn as a PNG, in the browser and in Node. */
import type { Image } from "./image.ts";

/** A `data:image/png` URL, at most 32 pixels a side; undefined where the image has no placeholder. */
export function placeholderUrl(image: Pick<Image, "placeholder">): string | undefined {
  const { thumbhash } = image.placeholder ?? {};
  if (!thumbhash) return undefined;
  const hash = Uint8Array.from(atob(thumbhash), (character) => character.charCodeAt(0));
  return `data:image/png;base64,${btoa(String.fromCharCode(...png(decode(hash))))}`;
}

interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly rgba: Uint8ClampedArray;
}

/** Amplitudes of cosines, by frequency. */
type Wave = readonly (readonly [fx: number, fy: number, amplitude: number])[];

/**
 * A hash is a bit string, least significant bit first: the averages and scales of lightness, yellow-blue and
 * red-green; which side is longer, and how many frequencies the shorter one has; for transparency two more fields;
 * then every amplitude in four bits.
 */
function decode(hash: Uint8Array): Pixels {
  let at = 0;
  const bits = (count: number) => {
    let value = 0;
    for (let i = 0; i < count; i++, at++) value |= (((hash[at >> 3] ?? 0) >> (at & 7)) & 1) << i;
    return value;
  };
  const lightness = bits(6) / 63;
  const yellow = bits(6) / 31.5 - 1;
  const red = bits(6) / 31.5 - 1;
  const lightnessScale = bits(5) / 31;
  const transparent = bits(1) === 1;
  const shorter = bits(3);
  const yellowScale = bits(6) / 63;
  const redScale = bits(6) / 63;
  const landscape = bits(1) === 1;
  const opacity = transparent ? bits(4) / 15 : 1;
  const opacityScale = transparent ? bits(4) / 15 : 0;

  const longer = transparent ? 5 : 7;
  const [nx, ny] = landscape ? [longer, shorter] : [shorter, longer];
  const wave = (across: number, down: number, scale: number): Wave => {
    const found: [number, number, number][] = [];
    for (let fy = 0; fy < down; fy++) {
      for (let fx = fy > 0 ? 0 : 1; fx * down < across * (down - fy); fx++)
        found.push([fx, fy, (bits(4) / 7.5 - 1) * scale]);
    }
    return found;
  };
  // Quantised colours look pale: 1.25 is what the format's author adds back.
  const l = wave(Math.max(3, nx), Math.max(3, ny), lightnessScale);
  const p = wave(3, 3, yellowScale * 1.25);
  const q = wave(3, 3, redScale * 1.25);
  const a = transparent ? wave(5, 5, opacityScale) : [];

  const ratio = nx / ny;
  const width = Math.max(1, Math.round(ratio > 1 ? 32 : 32 * ratio));
  const height = Math.max(1, Math.round(ratio > 1 ? 32 / ratio : 32));
  const rgba = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = (average: number, waves: Wave) =>
        waves.reduce(
          (sum, [fx, fy, amplitude]) =>
            sum +
            2 *
              amplitude *
              Math.cos((Math.PI / width) * (x + 0.5) * fx) *
              Math.cos((Math.PI / height) * (y + 0.5) * fy),
          average,
        );
      const [light, yellowness, redness] = [at(lightness, l), at(yellow, p), at(red, q)];
      const b = light - (2 / 3) * yellowness;
      const r = (3 * light - b + redness) / 2;
      rgba.set(
        [r, r - redness, b, at(opacity, a)].map((channel) => 255 * channel),
        (y * width + x) * 4,
      );
    }
  }
  return { width, height, rgba };
}

/** Not compressed: 4 KB at most, and no code for it. */
function png({ width, height, rgba }: Pixels): number[] {
  // Each row after a byte that names its filter: none.
  const rows: number[] = [];
  for (let y = 0; y < height; y++) rows.push(0, ...rgba.subarray(y * width * 4, (y + 1) * width * 4));
  // One stored block (RFC 1951, 3.2.4): 32 × (32 × 4 + 1) bytes are far below its 65,535.
  const { length } = rows;
  const zlib = [
    ...[0x78, 1, 1, length & 255, length >> 8, ~length & 255, (~length >> 8) & 255],
    ...rows,
    ...be32(adler32(rows)),
  ];
  return [
    ...[137, 80, 78, 71, 13, 10, 26, 10],
    ...chunk("IHDR", [...be32(width), ...be32(height), 8, 6, 0, 0, 0]),
    ...chunk("IDAT", zlib),
    ...chunk("IEND", []),
  ];
}

const be32 = (value: number) => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255);

function chunk(type: string, data: readonly number[]): number[] {
  const body = [...Array.from(type, (character) => character.charCodeAt(0)), ...data];
  return [...be32(data.length), ...body, ...be32(crc32(body))];
}

function crc32(bytes: readonly number[]): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc;
}

function adler32(bytes: readonly number[]): number {
  let [a, b] = [1, 0];
  for (const byte of bytes) {
    a = (a + byte) % 65_521;
    b = (b + a) % 65_521;
  }
  return b * 65_536 + a;
}
