/** What a crop keeps, and that it lies where the plan says. */
import assert from "node:assert/strict";
import test, { after } from "node:test";
import fc from "fast-check";
import sharp from "sharp";
import { pixelProcess } from "../../pixels/process.ts";
import { developWith, presetOf } from "./develop-with.ts";
import { distance, picture, quarters, seenQuarters } from "./quarters.ts";

const pixels = pixelProcess();
after(() => pixels.close());

const WIDTH = 400;
const HEIGHT = 100;
/** Red grows from left to right and green from top to bottom, so that a pixel's colour says where it was. */
const ramp = Buffer.alloc(WIDTH * HEIGHT * 3);
for (let i = 0; i < WIDTH * HEIGHT; i++) {
  ramp.set([((i % WIDTH) * 255) / (WIDTH - 1), (Math.floor(i / WIDTH) * 255) / (HEIGHT - 1), 128], i * 3);
}
const rampPng = await sharp(ramp, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
  .png()
  .toBuffer();

test("a focus point: the largest box that fits, as near to the point as it can be", async () => {
  const position = fc.double({ min: 0, max: 1, noNaN: true });
  const box = fc.integer({ min: 10, max: 120 });
  await fc.assert(
    fc.asyncProperty(position, position, box, box, async (x, y, width, height) => {
      const named = { a: { width, height, fit: "cover", position: "focus", format: "png" } } as const;
      const { get } = await developWith(pixels, rampPng, "png", presetOf({ named }), { x, y });
      const { data, info } = await sharp(get("a.png")).raw().toBuffer({ resolveWithObject: true });
      const scale = Math.min(1, WIDTH / width, HEIGHT / height);
      assert.deepEqual(
        [info.width, info.height],
        [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))],
      );
      // Where the middle of the box was, by its colour, against where it should have been.
      const zoom = Math.min(WIDTH / info.width, HEIGHT / info.height);
      const centre = (at: number, part: number, whole: number) =>
        Math.min(whole - part / 2, Math.max(part / 2, at * whole));
      const [sumRed, sumGreen] = [0, 1].map((c) =>
        data.reduce((sum, v, i) => (i % 3 === c ? sum + v : sum), 0),
      );
      const pixelCount = info.width * info.height;
      const foundX = ((sumRed ?? 0) / pixelCount / 255) * (WIDTH - 1) + 0.5;
      const foundY = ((sumGreen ?? 0) / pixelCount / 255) * (HEIGHT - 1) + 0.5;
      const wantedX = centre(x, info.width * zoom, WIDTH);
      const wantedY = centre(y, info.height * zoom, HEIGHT);
      // To the pixel of the variant, of which one stands for `zoom` of the source.
      const off = Math.max(Math.abs(foundX - wantedX), Math.abs(foundY - wantedY));
      assert(off <= 1 + 1.5 * zoom, `${[foundX, foundY]}, not ${[wantedX, wantedY]}`);
    }),
    {
      numRuns: 25,
      examples: [
        [0, 0, 50, 50],
        [1, 1, 50, 50],
        [0.5, 0.5, 120, 10],
      ],
    },
  );
});

/** Grey, with one patch of something else around x = 60. */
const grey = (patch: (x: number, y: number) => readonly [number, number, number] | undefined) => {
  const scene = Buffer.alloc(WIDTH * HEIGHT * 3, 120);
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < 120; x++) scene.set(patch(x, y) ?? [120, 120, 120], (y * WIDTH + x) * 3);
  }
  return sharp(scene, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
    .png()
    .toBuffer();
};

test("the centre, what draws the eye, where most happens", async () => {
  const square = { width: 50, height: 50, fit: "cover", format: "png" } as const;
  const preset = presetOf({
    named: {
      eye: { ...square, position: "attention" },
      busy: { ...square, position: "entropy" },
      middle: { ...square, position: "centre" },
      point: { ...square, position: "focus" },
    },
  });
  const spot = await grey((x, y) => (Math.hypot(x - 60, y - 50) < 25 ? [230, 60, 50] : undefined));
  const { get } = await developWith(pixels, spot, "png", preset);
  const mean = async (png: Uint8Array) => (await sharp(png).stats()).channels.map(({ mean }) => mean);
  const [red = 0, green = 0] = await mean(get("eye.png"));
  assert(red > green + 10, "the red spot");
  assert(distance([await mean(get("middle.png"))], [[120, 120, 120]]) < 1, "the grey middle");
  assert.deepEqual(get("point.png"), get("eye.png"), "no focus point given: what draws the eye");

  // Blocks of four pixels, so that shrinking to a half leaves something of them.
  const noise = await grey((x, y) => {
    const value = (((x >> 2) * 7919 + (y >> 2) * 104_729) % 97) * 2 + 30;
    return [value, value, value];
  });
  const busy = await developWith(pixels, noise, "png", preset);
  const spread = async (png: Uint8Array) => (await sharp(png).stats()).channels[0]?.stdev ?? 0;
  assert((await spread(busy.get("busy.png"))) > 20, "the noise");
  assert((await spread(busy.get("middle.png"))) < 1);
});

test("a blur softens edges and keeps colours", async () => {
  const size = { width: 80, height: 80 };
  const png = await sharp(picture(size, quarters), { raw: { ...size, channels: 3 } })
    .png()
    .toBuffer();
  const preset = presetOf({
    named: { sharp: { width: 40, format: "png" }, soft: { width: 40, blur: 4, format: "png" } },
  });
  const { get } = await developWith(pixels, png, "png", preset);
  const small = { width: 40, height: 40 };
  const step = async (name: string) => {
    const data = await sharp(get(name)).raw().toBuffer();
    assert(distance(seenQuarters(data, small), quarters) < 40, name);
    const at = (x: number) => data[(10 * 40 + x) * 3] ?? 0;
    return Math.max(...Array.from({ length: 39 }, (_, x) => Math.abs(at(x + 1) - at(x))));
  };
  assert((await step("sharp.png")) > 60);
  assert((await step("soft.png")) < 25);
});

test("every rung of the cascade shows the whole picture", async () => {
  const size = { width: 1000, height: 700 };
  const png = await sharp(picture(size, quarters), { raw: { ...size, channels: 3 } })
    .png()
    .toBuffer();
  const widths = [40, 64, 100, 250, 333, 500, 777, 1000];
  const preset = presetOf({ ladder: { widths, formats: ["png"] } });
  const { get } = await developWith(pixels, png, "png", preset);
  for (const width of widths) {
    const { data, info } = await sharp(get(`w${width}.png`))
      .raw()
      .toBuffer({ resolveWithObject: true });
    assert.deepEqual([info.width, info.height], [width, Math.round(width * 0.7)]);
    assert(distance(seenQuarters(data, info, info.channels), quarters) <= 8, `w${width}`);
  }
});
