/** The largest pictures that the limits let through stay within 700 MB, and none leaves anything behind. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import sharp from "sharp";
import { lastChild, peakMb, resetPeak } from "../../bench/peak.ts";
import type { FormatName } from "../../core/formats.ts";
import type { Preset } from "../../core/preset.ts";
import config from "../../core/shipped.ts";
import { pixelProcess } from "../../pixels/process.ts";
import { PATIENT } from "../corpus/outcome.ts";
import { developWith, presetOf } from "./develop-with.ts";

const found = config.presets.get("photo");
assert(found);
const photo = found;

/** Blurred noise: as hard to encode as a photo. */
async function noise(width: number, height: number) {
  const small = { width: Math.ceil(width / 6), height: Math.ceil(height / 6), channels: 3 as const };
  const data = Buffer.alloc(small.width * small.height * 3);
  for (let i = 0, state = 1; i < data.length; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    data[i] = state >> 16;
  }
  return sharp(data, { raw: small }).resize(width, height, { fit: "fill" });
}

async function animation(width: number, height: number, frames: number): Promise<Buffer> {
  const frame = await (await noise(width, height)).ensureAlpha().raw().toBuffer();
  const roll = Buffer.alloc(frame.length * frames);
  // Every frame is the first one, shifted.
  for (let i = 0; i < frames; i++) {
    const shift = i * 400;
    frame.copy(roll, i * frame.length + shift, 0, frame.length - shift);
    roll.fill(255, i * frame.length, i * frame.length + shift);
  }
  const raw = { width, height: height * frames, channels: 4 as const, pageHeight: height };
  return sharp(roll, { raw, animated: true }).webp({ quality: 50, effort: 0, delay: 50 }).toBuffer();
}

const cases: { what: string; format: FormatName; make: () => Promise<Buffer>; preset?: Preset }[] = [
  {
    what: "four AVIFs near the largest variant there can be",
    format: "jpeg",
    make: async () => (await noise(3464, 3464)).jpeg().toBuffer(),
    preset: presetOf({ ladder: { widths: [2900, 3100, 3300, 3464], formats: ["avif"] } }),
  },
  {
    what: "65 MP, turned",
    format: "jpeg",
    make: async () => (await noise(9300, 6980)).withMetadata({ orientation: 6 }).jpeg().toBuffer(),
  },
  {
    what: "a screenshot of 3000 × 16,000",
    format: "png",
    make: async () =>
      (await noise(3000, 16_000)).ensureAlpha().png({ palette: true, colours: 16 }).toBuffer(),
  },
  {
    what: "25 MP of AVIF",
    format: "avif",
    make: async () => (await noise(5000, 5000)).avif({ effort: 0 }).toBuffer(),
  },
  { what: "an animation as large as the budget", format: "webp", make: () => animation(2600, 2600, 7) },
];

for (const { what, format, make, preset = photo } of cases) {
  test(what, async (t) => {
    const pixels = pixelProcess({ ...PATIENT, maxRss: Number.POSITIVE_INFINITY });
    t.after(() => pixels.close());
    const bytes = await make();
    let child = 0;
    const { made } = await developWith(
      {
        develop: (source, format, planFor, write) =>
          pixels.develop(
            source,
            format,
            (header) => {
              child = lastChild();
              resetPeak(child);
              return planFor(header);
            },
            write,
          ),
      },
      bytes,
      format,
      preset,
    );
    assert(made.size >= 4);
    assert.equal(lastChild(), child, "the child has not been replaced");
    const peak = peakMb(child);
    t.diagnostic(`${peak} MB`);
    assert(peak < 700, `${peak} MB`);
  });
}

test("memory does not grow from image to image", async (t) => {
  const pixels = pixelProcess({ maxRss: Number.POSITIVE_INFINITY });
  t.after(() => pixels.close());
  const rss = () =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${lastChild()}/status`, "utf8"))?.[1]) / 1000;
  const images = await Promise.all(
    [700, 1000].map(async (width) => ({
      width,
      png: await sharp({ create: { width, height: width, channels: 3, background: "#468" } })
        .png()
        .toBuffer(),
    })),
  );
  const round = async () => {
    for (const { width, png } of images) {
      const preset = presetOf({ ladder: { widths: [width], formats: ["jpeg"] } });
      await developWith(pixels, png, "png", preset);
    }
    return rss();
  };
  for (let i = 0; i < 3; i++) await round();
  const before = await round();
  for (let i = 0; i < 9; i++) await round();
  const after = await round();
  // Ten rounds of 1.5 and 3 MB of pixels: kept, they would be 45 MB.
  assert(after - before < 25, `from ${before} to ${after} MB`);
});
