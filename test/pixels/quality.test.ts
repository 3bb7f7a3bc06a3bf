/** A quality that is asked for by its score: what is hard to see in is encoded with fewer bytes than by one number for all. */
import assert from "node:assert/strict";
import test, { after } from "node:test";
import sharp from "sharp";
import { formats, type OutputFormat } from "../../core/formats.ts";
import { aimOf, isUnsure } from "../../core/quality.ts";
import { pixelProcess } from "../../pixels/process.ts";
import { trialOf } from "../../pixels/trial.ts";
import { developWith, presetOf } from "./develop-with.ts";

// Files that are looked at are AVIFs and WebPs, whatever is accepted.
const pixels = pixelProcess({ accept: ["png"] });
after(() => pixels.close());

const size = { width: 320, height: 200, channels: 3 as const };
/** As grainy as a photograph at night, and the same every time. */
const grain = sharp(
  Buffer.from(Array.from({ length: size.width * size.height * 3 }, (_, i) => 110 + ((i * i * 7919) % 41))),
  { raw: size },
);
async function rasterOf(image: ReturnType<typeof sharp>) {
  const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  assert(channels === 3 || channels === 4);
  return { data, width, height, channels, frames: 1 };
}
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

test("in best, what a trial is unsure of is looked at and the same picture gives the same bytes there as well", async () => {
  const trial = trialOf({ ...(await rasterOf(grain.clone())) }, size);
  const aim = aimOf("avif", "good", 320, "best");
  assert(trial && aim && isUnsure("avif", aim, 320, trial));
  const source = await grain.clone().png().toBuffer();
  const ladder = { widths: [320], formats: ["avif", "webp"] satisfies OutputFormat[] };
  const preset = presetOf({ profile: "best", ladder });
  const [one, two] = [
    await developWith(pixels, source, "png", preset),
    await developWith(pixels, source, "png", preset),
  ];
  for (const name of ["w320.avif", "w320.webp"]) {
    const [first, second] = [one.get(name), two.get(name)];
    assert(first && second && Buffer.compare(first, second) === 0, name);
  }
});

test("a trial: numbers of every picture with room for a tile, whatever its channels", async () => {
  const opaque = trialOf(await rasterOf(grain.clone()), size);
  assert(opaque?.every(Number.isFinite));
  assert.deepEqual(trialOf(await rasterOf(grain.clone().ensureAlpha(0.5)), size), opaque);
  const flat = trialOf(await rasterOf(sharp({ create: { ...size, background: "black" } })), size);
  assert(flat?.every(Number.isFinite));
  assert.equal(trialOf(await rasterOf(grain.clone().resize(63, 200)), size), undefined);
});
