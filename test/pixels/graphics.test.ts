import assert from "node:assert/strict";
import test, { after } from "node:test";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { formats } from "../../core/formats.ts";
import { graphicOf } from "../../pixels/develop.ts";
import { pixelProcess } from "../../pixels/process.ts";
import { scorerOf } from "../../pixels/ssimulacra2.ts";
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
const photo = await sharp(fileURLToPath(new URL("../../docs/sample.jpg", import.meta.url)))
  .resize(raw.width, raw.height)
  .raw()
  .toBuffer();

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

/** Red letters of a kind, in strokes of two pixels, on what runs from blue to yellow: no two neighbours alike, as in a photograph. */
const slide = at((x, y) =>
  y > 100 && y < 260 && y % 16 < 11 && ((x >> 1) * 7 + (y >> 1) * 11 + (((x >> 3) * (y >> 4)) % 13)) % 9 < 3
    ? [255, 40, 60]
    : [(x * 255) / raw.width, 60 + (x * 180) / raw.width, 255 - (x * 255) / raw.width],
);
const kindOf = (data: Buffer) => graphicOf({ ...raw, data, frames: 1 });

test("saturated letters: looked at, and encoded again where 4:4:4 at the usual number is not enough", async () => {
  const preset = presetOf({ ladder: { widths: [480], formats: ["avif", "webp", "jpeg"] } });
  const { get } = await developWith(pixels, await sharp(slide, { raw }).png().toBuffer(), "png", preset);
  const score = scorerOf({ ...raw, data: slide });
  // At the usual numbers 51, 50 and 66; in 4:2:0 44, -18 and -20.
  for (const [format, least] of Object.entries({ avif: 61, webp: 69.7, jpeg: 71 })) {
    const data = await sharp(get(`w480.${format}`))
      .removeAlpha()
      .raw()
      .toBuffer();
    const found = score({ ...raw, data });
    assert(found >= least, `${format}: ${found}`);
  }
  assert.equal(chroma(get("w480.avif")), "4:4:4");
});

/** Of two pixels each, in every colour. */
const smoothed = at((x, y) => {
  const run = x >> 1;
  return [90 + ((run * 37 + y) % 80), 110 + ((run * 53 + y * 3) % 90), 120 + ((run * 71 + y * 7) % 70)];
});
/** The same beside a white margin. */
const page = Buffer.from(smoothed);
for (let y = 0; y < raw.height; y++) page.fill(255, y * raw.width * 3, (y * raw.width + raw.width / 6) * 3);

test("a photograph that a phone has smoothed is no screenshot, though half of its neighbours are alike; with a ground it is one", () => {
  assert.equal(kindOf(smoothed), "smooth");
  assert.equal(kindOf(page), "mixed");
});

test("a screenshot with a photograph in it: a number means that number, however high", async () => {
  const preset = presetOf({ ladder: { widths: [480], formats: ["webp"], quality: { webp: 98 } } });
  const { get } = await developWith(pixels, await sharp(page, { raw }).png().toBuffer(), "png", preset);
  const { graphics, ...usual } = formats.webp.encode.balanced;
  const told = { ...usual, ...graphics?.settings, quality: 98 };
  const expected = await sharp(page, { raw }).webp(told).toBuffer();
  assert.equal(Buffer.compare(get("w480.webp"), expected), 0);
});
