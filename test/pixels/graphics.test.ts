import assert from "node:assert/strict";
import test, { after } from "node:test";
import sharp from "sharp";
import { pixelProcess } from "../../pixels/process.ts";
import { developWith, presetOf } from "./develop-with.ts";

const pixels = pixelProcess();
after(() => pixels.close());

const raw = { width: 480, height: 320, channels: 3 as const };
const at = (colour: (x: number, y: number) => readonly [number, number, number]) =>
  Buffer.from(
    Array.from({ length: raw.width * raw.height }, (_, i) =>
      colour(i % raw.width, Math.floor(i / raw.width)),
    ).flat(),
  );
const COLOURS = [
  [230, 60, 70],
  [240, 250, 240],
  [30, 50, 90],
] as const;
/** Bars in three colours on white, as in a chart. */
const chart = at((x, y) =>
  x % 60 < 40 && y > 20 + ((Math.floor(x / 60) * 97) % 240)
    ? (COLOURS[Math.floor(x / 60) % 3] ?? COLOURS[0])
    : [255, 255, 255],
);
/** No two neighbours alike. */
const photo = at((x, y) => [(x * 7 + y * 3) % 256, (x * 5 + y * 11) % 256, (x * 3 + y * 13) % 256]);

const preset = presetOf({ ladder: { widths: [480], formats: ["avif", "webp"], quality: { webp: 80 } } });
const developed = async (data: Buffer) => {
  const { made } = await developWith(pixels, await sharp(data, { raw }).png().toBuffer(), "png", preset);
  const of = (format: string) => {
    const found = [...made].find(([name]) => String(name).includes(format));
    assert(found, `${format} in ${[...made.keys()]}`);
    return found[1];
  };
  return { avif: of("avif"), webp: of("webp") };
};
/** From the two bits of the AV1 configuration box that say so (AV1-ISOBMFF 2.3.3). */
function chroma(file: Uint8Array): "4:4:4" | "4:2:0" {
  const box = Buffer.from(file).indexOf("av1C");
  assert(box > 0);
  const bits = (file[box + 6] ?? 0) & 0b1100;
  assert(bits === 0 || bits === 0b1100);
  return bits === 0 ? "4:4:4" : "4:2:0";
}

test("a chart: AVIF with colours at full resolution, WebP nearly lossless because that is smaller", async () => {
  const { avif, webp } = await developed(chart);
  assert.equal(chroma(avif), "4:4:4");
  const lossy = await sharp(chart, { raw }).webp({ quality: 80, effort: 4 }).toBuffer();
  assert(webp.length < lossy.length / 2, `${webp.length} of ${lossy.length} bytes`);
  const pixelsOf = await sharp(webp).removeAlpha().raw().toBuffer();
  const worst = pixelsOf.reduce((most, value, i) => Math.max(most, Math.abs(value - (chart[i] ?? 0))), 0);
  assert(worst <= 4, `${worst} of 255 away`);
});

test("a photo: the usual settings", async () => {
  const { avif, webp } = await developed(photo);
  assert.equal(chroma(avif), "4:2:0");
  const usual = await sharp(photo, { raw }).webp({ quality: 80, effort: 4, preset: "photo" }).toBuffer();
  assert.equal(Buffer.compare(webp, usual), 0);
});
