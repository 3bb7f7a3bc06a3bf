/** Animations stay animations, frame for frame. */
import assert from "node:assert/strict";
import test, { after } from "node:test";
import sharp from "sharp";
import { pixelProcess } from "../../pixels/process.ts";
import { developWith, presetOf } from "./develop-with.ts";
import { distance } from "./quarters.ts";

const pixels = pixelProcess();
after(() => pixels.close());

const WIDTH = 90;
const HEIGHT = 60;
const frames = [
  [220, 40, 40],
  [40, 200, 60],
  [50, 70, 210],
  [240, 230, 80],
] as const;
const delay = [100, 200, 300, 50];

/** One colour to a frame, with alpha or without. */
async function animation(format: "gif" | "webp", alpha = 255): Promise<Buffer> {
  const roll = Buffer.alloc(WIDTH * HEIGHT * 4 * frames.length);
  for (const [frame, colour] of frames.entries()) {
    for (let i = 0; i < WIDTH * HEIGHT; i++) {
      // Something moves, so that no two frames can be taken for one.
      const moving = i % WIDTH === frame * 3 ? 0 : alpha;
      roll.set([...colour, moving], (frame * WIDTH * HEIGHT + i) * 4);
    }
  }
  const raw = { width: WIDTH, height: HEIGHT * frames.length, channels: 4 as const, pageHeight: HEIGHT };
  const lossless = format === "webp" ? { lossless: true } : {};
  return sharp(roll, { raw, animated: true })
    .toFormat(format, { delay, loop: 3, ...lossless })
    .toBuffer();
}
const preset = presetOf({
  ladder: { widths: [30, 45, 90], formats: ["avif", "webp", "jpeg"] },
  named: { thumb: { width: 20, height: 20, fit: "cover", position: "centre", format: "png" } },
});

for (const format of ["gif", "webp"] as const) {
  test(`an animated ${format}: every width of the ladder moves, the rest is the first frame`, async () => {
    const { header, made, get } = await developWith(pixels, await animation(format), format, preset);
    assert.deepEqual([header.width, header.height, header.frames], [WIDTH, HEIGHT, 4]);
    assert.deepEqual(
      [...made.keys()].sort(),
      ["thumb.png", ...[30, 45, 90].flatMap((width) => [`w${width}.jpeg`, `w${width}.webp`])].sort(),
    );
    for (const width of [30, 45, 90]) {
      const image = sharp(get(`w${width}.webp`), { animated: true });
      const { pages, pageHeight, loop, delay: delays } = await image.metadata();
      assert.deepEqual([pages, pageHeight, loop, delays], [4, (width * 2) / 3, 3, delay]);
      const { data, info } = await image.ensureAlpha().raw().toBuffer({ resolveWithObject: true });
      assert(pageHeight);
      for (const [frame, colour] of frames.entries()) {
        // First and last row too: neighbouring frames must not bleed into each other.
        for (const y of [0, 1, pageHeight >> 1, pageHeight - 2, pageHeight - 1]) {
          const at = ((frame * pageHeight + y) * info.width + info.width - 4) * 4;
          const pixel = [...data.subarray(at, at + 3)];
          assert(distance([pixel], [colour]) <= 12, `w${width}, frame ${frame}, row ${y}: ${pixel}`);
        }
      }
    }
    for (const [name, width, height] of [
      ["w90.jpeg", 90, 60],
      ["w45.jpeg", 45, 30],
      ["thumb.png", 20, 20],
    ] as const) {
      const still = sharp(get(name));
      const is = await still.metadata();
      assert.deepEqual([is.width, is.height, is.pages], [width, height, undefined]);
      const { dominant } = await still.stats();
      const found = [dominant.r, dominant.g, dominant.b];
      assert(distance([found], [frames[0]]) <= 16, `${name}: ${found}`);
    }
  });
}

test("half transparent frames stay so", async () => {
  const { get } = await developWith(pixels, await animation("webp", 128), "webp", preset);
  const { data } = await sharp(get("w45.webp"), { animated: true })
    .raw()
    .toBuffer({ resolveWithObject: true });
  for (const [frame, colour] of frames.entries()) {
    const at = ((frame * 30 + 15) * 45 + 40) * 4;
    const pixel = [...data.subarray(at, at + 4)];
    assert(distance([pixel], [[...colour, 128]]) <= 14, `frame ${frame}: ${pixel}`);
  }
});

test("delays and loops are what browsers make of them, as far as sharp can write them", async () => {
  const odd = await animation("webp");
  // ANMF: the duration is 24 bits, 12 bytes after the frame's size; ANIM: the loop count 4 bytes after the colour.
  for (const [i, ms] of [0, 10, 16_777_215, 20].entries()) {
    let at = 0;
    for (let frame = 0; frame <= i; frame++) at = odd.indexOf("ANMF", at) + 4;
    odd.writeUIntLE(ms, at + 4 + 12, 3);
  }
  odd.writeUInt16LE(65_535, odd.indexOf("ANIM") + 12);
  const { get } = await developWith(pixels, odd, "webp", preset);
  const { delay: delays, loop } = await sharp(get("w90.webp"), { animated: true }).metadata();
  assert.deepEqual([delays, loop], [[100, 100, 65_535, 20], 65_535]);
});

test("over the budget an animation becomes its first frame", async () => {
  const short = presetOf({
    ladder: { widths: [90], formats: ["webp"] },
    animation: { maxFrames: 3 },
  });
  const { header, get } = await developWith(pixels, await animation("gif"), "gif", short);
  assert.equal(header.frames, 4);
  const still = sharp(get("w90.webp"), { animated: true });
  assert.equal((await still.metadata()).pages, undefined);
  const { dominant } = await still.stats();
  assert(distance([[dominant.r, dominant.g, dominant.b]], [frames[0]]) <= 16);
});
