/** Wide pictures keep their colours where a preset asks for it, and gain maps go with the rungs. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test, { after } from "node:test";
import sharp from "sharp";
import { formatNames, outputFormats } from "../../core/formats.ts";
import { pngOf } from "../../pixels/png.ts";
import { pixelProcess } from "../../pixels/process.ts";
import { developWith, presetOf } from "./develop-with.ts";
import { distance, picture, quarters, seenQuarters } from "./quarters.ts";

const pixels = pixelProcess({ accept: formatNames });
after(() => pixels.close());
const size = { width: 64, height: 40 };
const formats = [...outputFormats];
const quality = Object.fromEntries(formats.map((format) => [format, 100]));
const wide = presetOf({ ladder: { widths: [64], formats, quality }, colour: "p3" });

const p3Png = async () => {
  const made = sharp({ create: { ...size, channels: 3, background: "#000" } }).withIccProfile("p3");
  const { icc } = await sharp(await made.png().toBuffer()).metadata();
  assert.ok(icc);
  return pngOf({ data: picture(size, quarters), ...size, channels: 3 }, icc);
};
const look = async (bytes: Uint8Array) => {
  const image = sharp(bytes, { ignoreIcc: true });
  const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
  const { icc, exif, xmp } = await sharp(bytes).metadata();
  return { colours: seenQuarters(data, size, info.channels), icc, exif, xmp };
};

test("a wide picture keeps its numbers, and every format says whose they are", async () => {
  const { get } = await developWith(pixels, await p3Png(), "png", wide);
  for (const format of formats) {
    const file = get(`w64.${format}`);
    const { colours, icc, exif, xmp } = await look(file);
    assert.ok(distance(colours, quarters) <= 8, `${format}: ${JSON.stringify(colours)}`);
    assert.deepEqual([exif, xmp], [undefined, undefined]);
    if (format === "avif") {
      // Primaries 12, sRGB's curve, BT.601, full range.
      assert.ok(Buffer.from(file).includes("colrnclx\0\x0c\0\x0d\0\x06\x80", 0, "latin1"));
      continue;
    }
    assert.ok(icc && icc.length < 600, `${format}: a profile of ${icc?.length}`);
    // Little CMS takes the profile for Display P3.
    const back = await sharp(file).toColourspace("srgb").raw().toBuffer({ resolveWithObject: true });
    const wanted = await sharp(await p3Png())
      .raw()
      .toBuffer();
    const off = distance(seenQuarters(back.data, size, back.info.channels), seenQuarters(wanted, size));
    assert.ok(off <= 8, `${format}: off by ${off}`);
  }
});

test("with alpha, lossless or not", async () => {
  const rgba = await sharp(picture(size, quarters), { raw: { ...size, channels: 3 } })
    .ensureAlpha(0.5)
    .raw()
    .toBuffer();
  const { icc } = await sharp(await p3Png()).metadata();
  assert.ok(icc);
  const { get } = await developWith(pixels, pngOf({ data: rgba, ...size, channels: 4 }, icc), "png", wide);
  for (const format of ["avif", "webp", "png"]) {
    const { data, info } = await sharp(get(`w64.${format}`), { ignoreIcc: true })
      .raw()
      .toBuffer({ resolveWithObject: true });
    assert.equal(info.channels, 4);
    assert.ok(distance(seenQuarters(data, size, 4), quarters) <= 8, format);
    assert.ok(Math.abs((data[3] ?? 0) - 128) <= 3, format);
  }
});

test("a narrow picture stays sRGB, without a profile; the placeholder is sRGB's always", async () => {
  const narrow = await sharp(picture(size, quarters), { raw: { ...size, channels: 3 } })
    .png()
    .toBuffer();
  const { get } = await developWith(pixels, narrow, "png", wide);
  for (const format of formats) assert.equal((await look(get(`w64.${format}`))).icc, undefined);
  const one = presetOf({ named: { whole: { width: 64, format: "png" } } });
  const p3 = await p3Png();
  const [asked, usual] = await Promise.all(
    [wide, one].map(async (preset) => (await developWith(pixels, p3, "png", preset)).placeholder),
  );
  assert.ok(asked && usual);
  assert.equal(asked.thumbhash.length, usual.thumbhash.length);
  const channel = (colour: string, at: number) => Number.parseInt(colour.slice(1 + 2 * at, 3 + 2 * at), 16);
  for (const at of [0, 1, 2]) assert.ok(Math.abs(channel(asked.color, at) - channel(usual.color, at)) <= 3);
});

test("JPEG rungs keep a gain map, as small as they are", async () => {
  const source = readFileSync(new URL("../images/valid/ultra-hdr.jpg", import.meta.url));
  const bright = presetOf({ ladder: { widths: [64, 256], formats: ["jpeg", "webp"] }, hdr: true });
  const { get, header } = await developWith(pixels, source, "jpeg", bright);
  assert.equal(header.hdr, "gain-map");
  for (const width of [64, 256]) {
    const file = Buffer.from(get(`w${width}.jpeg`));
    const { width: seen, gainMap } = await sharp(file).metadata();
    assert.equal(seen, width);
    assert.ok(file.includes("hdrgm:GainMapMax"), "the meaning of the map is there");
    // The second picture, by the place that the index tells.
    const tiff = file.indexOf("MPF\0", 0, "latin1") + 4;
    const second = file.subarray(tiff + file.readUInt32BE(tiff + 74));
    assert.equal(second.length, file.readUInt32BE(tiff + 70));
    assert.equal(tiff + file.readUInt32BE(tiff + 74), file.readUInt32BE(tiff + 54));
    const map = await sharp(second).metadata();
    assert.equal(map.format, "jpeg");
    assert.equal(map.width, Math.round((width / 256) * 64), JSON.stringify(gainMap));
    assert.ok(file.includes(`Item:Length="${second.length}"`));
  }
  const plain = await developWith(
    pixels,
    source,
    "jpeg",
    presetOf({ ladder: { widths: [64], formats: ["jpeg"] } }),
  );
  assert.ok(!Buffer.from(plain.get("w64.jpeg")).includes("MPF\0"));
});
