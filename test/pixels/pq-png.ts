/** An HDR picture, made by hand. */
import { deflateSync } from "node:zlib";
import { chunkOf, SIGNATURE } from "../../pixels/png.ts";

/** A ramp of 16 bits in PQ's numbers, Rec. 2020, lit to 4,000 cd/m². */
const ramp = { width: 256, height: 192 };
/** @param orientation as EXIF says it */
export const pqPng = (orientation = 1): Buffer => {
  const row = Buffer.alloc(1 + 6 * ramp.width);
  for (let at = 0; at < 3 * ramp.width; at++) row.writeUInt16BE(256 * Math.floor(at / 3), 1 + 2 * at);
  const header = Buffer.from([0, 0, ramp.width >> 8, ramp.width & 255, 0, 0, 0, ramp.height, 16, 2, 0, 0, 0]);
  const light = Buffer.alloc(8);
  light.writeUInt32BE(4000 * 10_000);
  const exif = Buffer.from(`4d4d002a00000008000101120003000000010000000000000000`, "hex");
  exif.writeUInt16BE(orientation, 18);
  return Buffer.concat([
    SIGNATURE,
    chunkOf("IHDR", header),
    chunkOf("cICP", Buffer.from([9, 16, 0, 1])),
    chunkOf("cLLI", light),
    chunkOf("eXIf", exif),
    chunkOf("IDAT", deflateSync(Buffer.concat(Array.from({ length: ramp.height }, () => row)))),
    chunkOf("IEND", Buffer.alloc(0)),
  ]);
};
