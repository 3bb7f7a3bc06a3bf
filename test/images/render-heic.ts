/**
 * Renders the sources of the HEICs in `test/images/heic/` into a folder, for `heif-enc` to encode: see the README
 * there. `node test/images/render-heic.ts FOLDER`
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { pngOf } from "../../pixels/png.ts";
import { picture, type Quarters, quarters } from "../pixels/quarters.ts";

const folder = process.argv[2];
if (!folder) throw new Error("name a folder");
const size = { width: 320, height: 240 };
const p3 = await sharp({ create: { ...size, channels: 3, background: "#000" } })
  .withIccProfile("p3")
  .png()
  .toBuffer();
const icc = (await sharp(p3).metadata()).icc;
if (!icc) throw new Error("sharp has written no profile");

const plain = sharp(picture(size, quarters), { raw: { ...size, channels: 3 } });
writeFileSync(join(folder, "quarters.png"), await plain.png().toBuffer());

const turned = { width: size.height, height: size.width };
const tagged = pngOf({ data: picture(size, quarters, 6), ...turned, channels: 3 }, icc);
const jpeg = sharp(tagged)
  .keepIccProfile()
  .withExif({ IFD0: { Orientation: "6" }, IFD2: { DateTimeOriginal: "2026:05:01 10:00:00" } })
  .jpeg({ quality: 100, chromaSubsampling: "4:4:4" });
writeFileSync(join(folder, "quarters-p3-turned.jpg"), await jpeg.toBuffer());

const clear = sharp(picture(size, quarters), { raw: { ...size, channels: 3 } }).ensureAlpha(0.5);
writeFileSync(join(folder, "quarters-alpha.png"), await clear.png().toBuffer());

// A gain map: a quarter of the picture's pixels, of one channel.
const small = { width: size.width / 2, height: size.height / 2 };
const steps: Quarters = [
  [0, 0, 0],
  [90, 90, 90],
  [170, 170, 170],
  [255, 255, 255],
];
const map = sharp(picture(small, steps), { raw: { ...small, channels: 3 } }).toColourspace("b-w");
writeFileSync(join(folder, "map.png"), await map.png().toBuffer());
