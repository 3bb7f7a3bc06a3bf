/** Wide pictures keep their colours where a preset asks for it, and bright ones their light. */
import assert from "node:assert/strict";
import test, { after } from "node:test";
import sharp from "sharp";
import { formatNames, outputFormats } from "../../core/formats.ts";
import { chunkOf, pngOf } from "../../pixels/png.ts";
import { pixelProcess } from "../../pixels/process.ts";
import { packetIn } from "../../pixels/rights/xmp.ts";
import { developWith, presetOf } from "./develop-with.ts";
import { pqPng } from "./pq-png.ts";
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

test("of PQ there are rungs of 10 bits by the same curve, beside those for every screen", async () => {
  const ladder = { widths: [64, 256], formats: ["avif" as const, "jpeg" as const], quality: { avif: 90 } };
  const preset = presetOf({ ladder, hdr: true, colour: "p3" });
  const { get, made, header } = await developWith(pixels, pqPng(), "png", preset);
  assert.equal(header.hdr, "pq");
  assert.deepEqual([...made.keys()].filter((name) => name.includes("hdr")).sort(), [
    "w256-hdr.avif",
    "w64-hdr.avif",
  ]);
  for (const width of [64, 256]) {
    const file = Buffer.from(get(`w${width}-hdr.avif`));
    // Rec. 2020, PQ, BT.601, full range; 4,000 cd/m².
    assert.ok(file.includes("colrnclx\0\x09\0\x10\0\x06\x80", 0, "latin1"));
    assert.ok(file.includes("clli\x0f\xa0\0\0", 0, "latin1"));
    const image = sharp(file);
    assert.equal((await image.metadata()).bitsPerSample, 10);
    const { data, info } = await image
      .toColourspace("rgb16")
      .raw({ depth: "ushort" })
      .toBuffer({ resolveWithObject: true });
    const numbers = new Uint16Array(data.buffer, data.byteOffset, data.length / 2);
    assert.equal(info.width, width);
    for (let x = 2; x < width - 2; x++) {
      const wanted = (65_536 * (x + 0.5)) / width;
      const off = Math.abs((numbers[3 * (8 * width + x) + 1] ?? 0) - wanted);
      assert.ok(off < 65_536 / 100, `${width}: off by ${off} at ${x}`);
    }
  }
  const usual = await developWith(pixels, pqPng(), "png", presetOf({ ladder }));
  assert.deepEqual(
    [...usual.made.keys()].filter((name) => name.includes("hdr")),
    [],
  );
  const same = usual.get("w64.jpeg");
  assert.equal(
    same.length,
    (await developWith(pixels, pqPng(), "png", presetOf({ ladder, hdr: true }))).get("w64.jpeg").length,
  );
});

test("an HDR rung keeps rights beside its curve", async () => {
  const preset = presetOf({ ladder: { widths: [32], formats: ["avif"] }, hdr: true, keep: ["copyright"] });
  const file = Buffer.from(
    await sharp(pqPng())
      .withXmp(packetIn({ copyright: "© Mine" }))
      .png()
      .toBuffer(),
  );
  // sharp leaves cICP out.
  const at = 8 + 25;
  const source = Buffer.concat([
    file.subarray(0, at),
    chunkOf("cICP", Buffer.from([9, 16, 0, 1])),
    file.subarray(at),
  ]);
  const { get } = await developWith(pixels, source, "png", preset);
  const made = Buffer.from(get("w32-hdr.avif"));
  assert.ok(made.includes("© Mine") && made.includes("colrnclx\0\x09\0\x10", 0, "latin1"));
  assert.equal((await sharp(made).metadata()).width, 32);
});

test("an HDR rung is as upright as the others", async () => {
  const preset = presetOf({ ladder: { widths: [32], formats: ["avif"] }, hdr: true });
  const { get } = await developWith(pixels, pqPng(6), "png", preset);
  const { data, info } = await sharp(get("w32-hdr.avif")).raw().toBuffer({ resolveWithObject: true });
  assert.deepEqual([info.width, info.height], [32, 43]);
  const at = (y: number) => data[y * 32 * info.channels + 16 * info.channels] ?? 0;
  assert.ok(at(5) < at(20) && at(20) < at(38));
});
