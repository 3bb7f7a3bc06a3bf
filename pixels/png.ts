/** Pixels as an uncompressed PNG: the way to hand libvips raw pixels together with their ICC profile. */
import { crc32, deflateSync } from "node:zlib";

export const SIGNATURE = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");

/** `data` holds rows of RGB or RGBA without gaps, 8 bits each. */
export function pngOf(
  raster: { data: Uint8Array; width: number; height: number; channels: 3 | 4 },
  icc: Uint8Array,
): Buffer {
  const { width, height, channels } = raster;
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 8;
  header[9] = channels === 4 ? 6 : 2;
  const row = width * channels;
  const scanlines = Buffer.alloc((row + 1) * height);
  for (let y = 0; y < height; y++) {
    scanlines.set(raster.data.subarray(y * row, (y + 1) * row), y * (row + 1) + 1);
  }
  return Buffer.concat([
    SIGNATURE,
    chunkOf("IHDR", header),
    chunkOf("iCCP", Buffer.concat([Buffer.from("icc\0\0", "latin1"), deflateSync(icc, { level: 0 })])),
    chunkOf("IDAT", deflateSync(scanlines, { level: 0 })),
    chunkOf("IEND", Buffer.alloc(0)),
  ]);
}

export function chunkOf(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const ends = Buffer.alloc(8);
  ends.writeUInt32BE(data.length, 0);
  ends.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
}
