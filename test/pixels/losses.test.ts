/** The arithmetic of a trial, which is compiled, against its definition written out, and against libjpeg. */
import assert from "node:assert/strict";
import test from "node:test";
import sharp from "sharp";
import type { Raster } from "../../pixels/raster.ts";
import { numbersOfFile, trialOf } from "../../pixels/trial.ts";

/** Six tiles of 64 × 64, as they lie: the mosaic is the picture. */
const [width, height] = [192, 128];
type Plane = (x: number, y: number) => number;
type Planes = Record<"x" | "y" | "b", Plane>;

const toLinear = (value: number) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);

/** XYB of a tile, at a scale: a pixel is the mean light of `scale` × `scale` ones. */
function xyb({ data, channels }: Raster, left: number, top: number, scale: number): Planes {
  const light = (x: number, y: number, channel: number) => {
    let sum = 0;
    for (let i = 0; i < scale ** 2; i++) {
      const [column, row] = [left + x * scale + (i % scale), top + y * scale + Math.floor(i / scale)];
      sum += toLinear((data[(row * width + column) * channels + channel] ?? 0) / 255);
    }
    return sum / scale ** 2;
  };
  const stepped = (value: number) => Math.round(value * 16_384) / 16_384;
  const cone =
    (red: number, green: number, blue: number): Plane =>
    (x, y) =>
      Math.cbrt(
        stepped(red * light(x, y, 0) + green * light(x, y, 1) + blue * light(x, y, 2)) +
          0.0037930732552754493,
      );
  const [long, medium] = [cone(0.3, 0.622, 0.078), cone(0.23, 0.692, 0.078)];
  const short = cone(0.24342268924547819, 0.20476744424496821, 0.5518098665095535);
  const y: Plane = (...at) => (long(...at) + medium(...at)) / 2;
  return { x: (...at) => 7 * (long(...at) - medium(...at)), y, b: (...at) => short(...at) - y(...at) };
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

function lossesOf(before: Raster, after: Raster, plane: keyof Planes, scale: number): number[] {
  const found = { lost: [] as number[], rings: [] as number[], blurs: [] as number[], flat: [] as number[] };
  for (let top = 0; top < height; top += 4 * scale) {
    for (let left = 0; left < width; left += 4 * scale) {
      const [one, other] = [before, after].map((raster) => {
        const planes = xyb(raster, left, top, scale);
        return Array.from({ length: 16 }, (_, i) => planes[plane](i % 4, Math.floor(i / 4)));
      });
      assert(one && other);
      const [meanA, meanB] = [mean(one), mean(other)];
      const variance = mean(one.map((value) => (value - meanA) ** 2));
      const varianceB = mean(other.map((value) => (value - meanB) ** 2));
      const both = mean(one.map((value, i) => (value - meanA) * ((other[i] ?? 0) - meanB)));
      const alike = (2 * both + 0.0009) / (variance + varianceB + 0.0009);
      found.lost.push(Math.max(0, 1 - (1 - (meanA - meanB) ** 2) * alike));
      found.flat.push(Math.log(variance + 1e-4));
      for (const [i, value] of one.entries()) {
        const edge = (1 + Math.abs((other[i] ?? 0) - meanB)) / (1 + Math.abs(value - meanA)) - 1;
        found.rings.push(Math.max(0, edge) ** 4);
        found.blurs.push(Math.min(0, edge) ** 4);
      }
    }
  }
  const norm = (fourths: readonly number[]) => Math.log(mean(fourths) ** 0.25 + 1e-3);
  const { lost, rings, blurs, flat } = found;
  return [
    Math.log(mean(lost) + 1e-3),
    norm(lost.map((one) => one ** 4)),
    norm(rings),
    norm(blurs),
    mean(flat),
  ];
}

/** As soft as a photograph, as colourful, and with alpha. */
function picture(seed: number): Raster {
  let random = seed;
  const data = Uint8Array.from({ length: width * height * 4 }, (_, i) => {
    const [x, y] = [(i >> 2) % width, Math.floor((i >> 2) / width)];
    random = (random * 48_271) % 2_147_483_647;
    return (
      40 +
      60 * (1 + Math.sin(x / 9 + (i % 4))) +
      30 * Math.cos(y / (5 + (i % 4))) +
      (40 * random) / 2_147_483_647
    );
  });
  return { data, width, height, channels: 4, frames: 1 };
}

test("a trial's arithmetic is what its definition says, also of a picture with alpha", () => {
  const before = picture(1);
  const opaque = before.data.filter((_, i) => i % 4 < 3);
  const after: Raster = { ...before, data: opaque.map((value) => (value & 0xf0) + 8), channels: 3 };
  const looks = [
    ["y", 1],
    ["y", 2],
    ["y", 4],
    ["y", 8],
    ["x", 8],
    ["b", 16],
  ] as const;
  const expected = looks.flatMap(([plane, scale]) => lossesOf(before, after, plane, scale));
  const [wide, bits, ...numbers] = numbersOfFile(before, 1000, after) ?? [];
  assert.deepEqual([wide, bits], [Math.log2(width), Math.log(1000 / (width * height))]);
  assert.equal(numbers.length, expected.length);
  // With floats of 24 bits what lies between two steps of light may fall to either.
  for (const [i, number] of numbers.entries())
    assert.ok(Math.abs(number - (expected[i] ?? 0)) < 0.01, `${i}: ${number}, by definition ${expected[i]}`);
  assert.deepEqual(numbersOfFile({ ...before, data: opaque, channels: 3 }, 1000, after)?.slice(2), numbers);
});

test("what a trial says a JPEG would lose and take is what libjpeg's loses and takes", async () => {
  for (const seed of [1, 2, 3]) {
    const whole = picture(seed);
    // A tile alone: libjpeg's decoder mixes chroma across the edges of others.
    const tile = sharp(whole.data, { raw: { width, height, channels: 4 } })
      .extract({ left: 64 * (seed - 1), top: 0, width: 64, height: 64 })
      .removeAlpha()
      .linear(seed === 3 ? 0.3 : 1, 0);
    const data = await tile.clone().raw().toBuffer();
    const raster: Raster = { data, width: 64, height: 64, channels: 3, frames: 1 };
    const file = await tile.clone().jpeg({ quality: 78, quantisationTable: 3 }).toBuffer();
    const decoded = { ...raster, data: await sharp(file).raw().toBuffer() };
    const scan = file.length - file.indexOf(Buffer.from([0xff, 0xda]));
    const expected = numbersOfFile(raster, scan, decoded);
    const numbers = trialOf(raster, { width: 4000, height: 3000 });
    assert(expected && numbers && expected.length === numbers.length);
    const [bytes = 0, own = 0] = [expected, numbers].map((of) => Math.exp(of[1] ?? 0));
    assert.ok(Math.abs(own / bytes - 1) < 0.03, `${own} bytes a pixel, libjpeg ${bytes}`);
    // It rounds chroma to 8 bits: of losses near nothing, a fifth.
    for (const [i, number] of numbers.entries())
      assert.ok(Math.abs(number - (expected[i] ?? 0)) < 0.25, `${i}: ${number}, libjpeg ${expected[i]}`);
  }
});

test("a trial of several tiles is the mean of theirs, however they lie and whatever the channels", () => {
  const whole = picture(1);
  const camera = { width: 4000, height: 3000 };
  const tiles = Array.from({ length: 6 }, (_, tile) => {
    const [left, top] = [(tile % 3) * 64, Math.floor(tile / 3) * 64];
    const rows = Array.from({ length: 64 }, (_, y) => {
      const from = ((top + y) * width + left) * 4;
      return whole.data.subarray(from, from + 64 * 4).filter((_, i) => i % 4 < 3);
    });
    return trialOf({ data: Buffer.concat(rows), width: 64, height: 64, channels: 3, frames: 1 }, camera);
  });
  const numbers = trialOf(whole, camera)?.slice(2) ?? [];
  assert.equal(numbers.length, 30);
  // Means of lost structure and of variance's logarithm, and fourth norms: as they were before their logarithms.
  for (const [i, number] of numbers.entries()) {
    const kind = i % 5;
    const raw = (n: number) => (kind === 4 ? n : (Math.exp(n) - 1e-3) ** (kind === 0 ? 1 : 4));
    const expected = mean(tiles.map((tile) => raw(tile?.[i + 2] ?? Number.NaN)));
    assert.ok(Math.abs(raw(number) / expected - 1) < 1e-4, `${i}: ${raw(number)}, of the tiles ${expected}`);
  }
});
