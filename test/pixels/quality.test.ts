/** A quality that is asked for by its score: what is hard to see in is encoded with fewer bytes than by one number for all. */
import assert from "node:assert/strict";
import test, { after } from "node:test";
import sharp from "sharp";
import { formats } from "../../core/formats.ts";
import { trialOf } from "../../pixels/develop.ts";
import { pixelProcess } from "../../pixels/process.ts";
import { developWith, presetOf } from "./develop-with.ts";

// The trial is a JPEG whatever is accepted.
const pixels = pixelProcess({ accept: ["png"] });
after(() => pixels.close());

const size = { width: 320, height: 200, channels: 3 as const };
/** As grainy as a photograph at night, and the same every time. */
const grain = sharp(
  Buffer.from(Array.from({ length: size.width * size.height * 3 }, (_, i) => 110 + ((i * i * 7919) % 41))),
  { raw: size },
);
const format = "jpeg" as const;
const made = async (source: Buffer, quality: "high" | "good" | "low" | number) => {
  const preset = presetOf({ quality, ladder: { widths: [320], formats: [format] } });
  return (await developWith(pixels, source, "png", preset)).get("w320.jpeg");
};

test("the same picture gives the same bytes; low, good and high ever more; a number is a number", async () => {
  const source = await grain.clone().png().toBuffer();
  const [low, good, again, high, number] = await Promise.all(
    (["low", "good", "good", "high", 60] as const).map((quality) => made(source, quality)),
  );
  assert(low && good && again && high && number);
  assert.equal(Buffer.compare(good, again), 0);
  assert(
    low.length < good.length && good.length < high.length,
    `${low.length} ${good.length} ${high.length}`,
  );
  const by60 = await sharp(source)
    .jpeg({ ...formats.jpeg.encode.balanced, quality: 60 })
    .toBuffer();
  assert.equal(Buffer.compare(number, by60), 0);
});

test("a trial: numbers of every picture with room for a tile, whatever its channels", async () => {
  const raster = async (image: ReturnType<typeof sharp>) => {
    const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    assert(channels === 3 || channels === 4);
    return { data, width, height, channels, frames: 1 };
  };
  const opaque = await trialOf(await raster(grain.clone()), size);
  assert(opaque?.every(Number.isFinite));
  assert.deepEqual(await trialOf(await raster(grain.clone().ensureAlpha(0.5)), size), opaque);
  const flat = await trialOf(await raster(sharp({ create: { ...size, background: "black" } })), size);
  assert(flat?.every(Number.isFinite));
  assert.equal(await trialOf(await raster(grain.clone().resize(63, 200)), size), undefined);
});
