/** Turned and cropped pixels, against sharp's own turning and cutting of the whole picture, one step after the other. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test, { after } from "node:test";
import fc from "fast-check";
import sharp, { type Sharp } from "sharp";
import { editedHeader, type Shown, TURNS } from "../../core/edit.ts";
import type { FormatName } from "../../core/formats.ts";
import { type Header, planOf, variantsOf } from "../../core/plan.ts";
import { pixelProcess } from "../../pixels/process.ts";
import { lossless, presetOf } from "./develop-with.ts";
import { isTurned, picture, quarters } from "./quarters.ts";

const pixels = pixelProcess();
after(() => pixels.close());

async function edited(bytes: Uint8Array, format: FormatName, edit: Shown, preset = lossless) {
  const made = new Map<string, Uint8Array>();
  let header: Header | undefined;
  const developed = await pixels.develop(
    bytes,
    format,
    async (found) => {
      header = editedHeader(found, edit);
      return planOf(header, variantsOf(header, preset));
    },
    async ({ variant, bytes }) => void made.set(`${variant.name}.${variant.format}`, bytes),
  );
  return { made, header, developed };
}
const rawOf = (image: Sharp) => image.removeAlpha().raw().toBuffer({ resolveWithObject: true });

const [WIDTH, HEIGHT] = [48, 30];
/** Red grows from left to right and green from top to bottom. */
const ramp = Buffer.alloc(WIDTH * HEIGHT * 3);
for (let i = 0; i < WIDTH * HEIGHT; i++)
  ramp.set([((i % WIDTH) * 255) / (WIDTH - 1), (Math.floor(i / WIDTH) * 255) / (HEIGHT - 1), 128], i * 3);
const png = await sharp(ramp, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
  .png()
  .toBuffer();

const share = fc.double({ min: 0, max: 0.95, noNaN: true });
const edits = fc.tuple(fc.constantFrom(...TURNS), share, share, share, share).map(([turn, x, y, w, h]) => ({
  turn,
  crop: { x, y, width: Math.max(0.04, w * (1 - x)), height: Math.max(0.04, h * (1 - y)) },
}));

test("to the pixel what turning, then cutting gives", async () => {
  await fc.assert(
    fc.asyncProperty(edits, async (edit) => {
      const { made, header } = await edited(png, "png", edit);
      const lying = await sharp(png).rotate(edit.turn).png().toBuffer();
      const part = header?.cut?.crop;
      assert.ok(part);
      const wanted = await rawOf(sharp(lying).extract(part));
      const seen = await rawOf(sharp(made.get("whole.png") ?? new Uint8Array()));
      assert.deepEqual([seen.info.width, seen.info.height], [part.width, part.height]);
      assert.ok(seen.data.equals(wanted.data), JSON.stringify(edit));
    }),
    { numRuns: 25 },
  );
});

test("however the file lies: orientation first, then the turn; and smaller from a larger one", async () => {
  const seen = { width: 80, height: 60 };
  for (const orientation of [1, 2, 5, 6, 8])
    for (const turn of [90, 180] as const) {
      const stored = isTurned(orientation) ? { width: seen.height, height: seen.width } : seen;
      const raw = { ...stored, channels: 3 as const };
      const jpeg = await sharp(picture(seen, quarters, orientation), { raw })
        .withMetadata({ orientation })
        .jpeg({ quality: 100, chromaSubsampling: "4:4:4" })
        .toBuffer();
      // The left upper quarter of what is seen after the turn, at half its size.
      const crop = { x: 0, y: 0, width: 0.5, height: 0.5 };
      const width = (turn === 90 ? seen.height : seen.width) / 4;
      const preset = presetOf({ named: { half: { width, format: "png" } } });
      const { made } = await edited(jpeg, "jpeg", { turn, crop }, preset);
      const { data, info } = await rawOf(sharp(made.get("half.png") ?? new Uint8Array()));
      assert.deepEqual([info.width, info.height], turn === 90 ? [15, 20] : [20, 15]);
      // Turned by a quarter the lower left comes there, by a half the lower right.
      const wanted = quarters[turn === 90 ? 2 : 3];
      const middle = 3 * (Math.floor(info.height / 2) * info.width + Math.floor(info.width / 2));
      for (const [at, value] of wanted.entries())
        assert.ok(Math.abs((data[middle + at] ?? 0) - value) < 12, `${orientation}, ${turn}`);
    }
});

test("every frame of an animation is cut, at its own time", async () => {
  const frames = Buffer.concat([ramp, Buffer.from(ramp.map((value) => 255 - value))]);
  const raw = { width: WIDTH, height: 2 * HEIGHT, channels: 3 as const, pageHeight: HEIGHT };
  const webp = await sharp(frames, { raw, animated: true })
    .webp({ lossless: true, delay: [70, 130] })
    .toBuffer();
  const crop = { x: 0.5, y: 0, width: 0.5, height: 1 };
  const preset = presetOf({ ladder: { widths: [15], formats: ["webp"] } });
  const { made } = await edited(webp, "webp", { turn: 270, crop }, preset);
  const file = made.get("w15.webp") ?? new Uint8Array();
  const is = await sharp(file, { animated: true }).metadata();
  assert.deepEqual([is.width, is.pageHeight, is.pages, is.delay], [15, 48, 2, [70, 130]]);
});

test("a gain map goes along, and so does the placeholder", async () => {
  const bright = readFileSync("test/images/valid/ultra-hdr.jpg");
  const preset = presetOf({ ladder: { widths: [96], formats: ["jpeg"] }, hdr: true });
  const crop = { x: 0.5, y: 0.5, width: 0.5, height: 0.5 };
  const { made, developed } = await edited(bright, "jpeg", { turn: 90, crop }, preset);
  const [file = new Uint8Array()] = made.values();
  const is = await sharp(file).metadata();
  assert.deepEqual([is.width, is.height], [96, 128]);
  // The second picture of the file: as wide by as high as the first one, but for its scale.
  const second = Buffer.from(file).indexOf(Buffer.from([0xff, 0xd9, 0xff, 0xd8])) + 2;
  const map = await sharp(Buffer.from(file).subarray(second)).metadata();
  assert.ok(Math.abs(map.width / map.height - 96 / 128) < 0.1, `${map.width} × ${map.height}`);
  const tiny = await sharp(
    Buffer.from(developed.placeholder.dataUrl.split(",")[1] ?? "", "base64"),
  ).metadata();
  assert.ok(tiny.height > tiny.width);
});
