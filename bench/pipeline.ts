/**
 * One way of developing one file, in a process of its own so that CPU and memory are its alone:
 * `node bench/pipeline.ts KIND FILE PROFILE [RUNS] [FOLDER]` prints its costs as JSON; `FOLDER` gets the variants.
 * - `tutorial`: a fresh `sharp(buffer)` for every variant, sharp's defaults, all at once
 * - `naive`: the same with the profile's settings
 * - `floor`: one decode to the size needed and the encodes alone, one at a time, from pixels that were resized before
 * - `darkroom`: the worker's own pixel process, its CPU and memory read from the kernel
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import sharp from "sharp";
import { detectFormat, formatNames, profiles } from "../core/formats.ts";
import { type PlannedVariant, planOf, variantsOf } from "../core/plan.ts";
import type { MadeVariant } from "../core/ports.ts";
import type { Preset } from "../core/preset.ts";
import config from "../darkroom.config.ts";
import { encoded, openLoaders, openSource, type Raster, shaped } from "../pixels/develop.ts";
import { pixelProcess } from "../pixels/process.ts";
import { defaults } from "./encoders.ts";
import { cpuMs, lastChild, peakMb, resetPeak } from "./peak.ts";

export interface Costs {
  /** Of each run, in milliseconds. */
  readonly cpu: number[];
  readonly wall: number[];
  /** Highest resident memory over all runs, in MB. */
  readonly peak: number;
  readonly variants: { name: string; format: string; bytes: number; width: number; height: number }[];
}

export const kinds = ["tutorial", "naive", "floor", "darkroom"] as const;
export type Kind = (typeof kinds)[number];

type Result = Omit<Costs, "variants"> & { made: MadeVariant[] };

async function darkroom(source: Buffer, preset: Preset, runs: number): Promise<Result> {
  const format = detectFormat(source);
  if (!format) throw new Error("not an image");
  const pixels = pixelProcess({ maxRss: Number.POSITIVE_INFINITY, developSeconds: 600 });
  const cpu: number[] = [];
  const wall: number[] = [];
  let made: MadeVariant[] = [];
  let peak = 0;
  const once = async () => {
    made = [];
    let before = 0;
    const started = performance.now();
    await pixels.develop(
      source,
      format,
      async (header) => {
        before = cpuMs(lastChild());
        return planOf(header, variantsOf(header, preset));
      },
      async (variant) => {
        made.push(variant);
      },
    );
    wall.push(performance.now() - started);
    cpu.push(cpuMs(lastChild()) - before);
  };
  // The first image pays for the start of the process.
  await warm(pixels, preset);
  resetPeak(lastChild());
  for (let run = 0; run < runs; run++) await once();
  peak = peakMb(lastChild());
  await pixels.close();
  return { cpu, wall, peak, made };
}

/** A worker that has developed a picture before: code compiled, every encoder loaded. */
async function warm(pixels: ReturnType<typeof pixelProcess>, preset: Preset): Promise<void> {
  const sample = readFileSync(new URL("../docs/sample.jpg", import.meta.url));
  // Often and small: the code is compiled by its use, and no memory is taken that the photo would not take.
  const small = await sharp(sample).resize(320).jpeg().toBuffer();
  for (let i = 0; i < 10; i++) {
    await pixels.develop(
      small,
      "jpeg",
      async (header) => planOf(header, variantsOf(header, preset)),
      async () => {},
    );
  }
}

async function floor(source: Buffer, preset: Preset, runs: number): Promise<Result> {
  openLoaders(formatNames);
  const format = detectFormat(source);
  if (!format) throw new Error("not an image");
  const opened = await openSource(source, format);
  const plan = planOf(opened.header, variantsOf(opened.header, preset));
  const rasters: Raster[] = [];
  for (const { from, shape } of plan.steps) {
    rasters.push(await shaped(rasters[from] ?? (await opened.decode(plan)), shape));
  }
  return measured(runs, async () => {
    const made: MadeVariant[] = [];
    await opened.decode(plan);
    for (const [index, { encodes }] of plan.steps.entries()) {
      const raster = rasters[index];
      if (!raster) continue;
      for (const variant of encodes) made.push({ variant, bytes: await encoded(raster, variant, false) });
    }
    return made;
  });
}

function tutorial(source: Buffer, preset: Preset, runs: number): Promise<Result> {
  return freshForEach(source, preset, runs, true);
}

function naive(source: Buffer, preset: Preset, runs: number): Promise<Result> {
  return freshForEach(source, preset, runs, false);
}

/** What the guides show: sharp as it comes, from the file's buffer to each variant's, all at once. */
async function freshForEach(
  source: Buffer,
  preset: Preset,
  runs: number,
  byDefaults: boolean,
): Promise<Result> {
  const format = detectFormat(source);
  const { width, height } = await sharp(source).metadata();
  if (!format) throw new Error("not an image");
  const variants = variantsOf({ format, width, height, frames: 1, alpha: false }, preset);
  return measured(runs, () =>
    Promise.all(
      variants.map(async (variant): Promise<MadeVariant> => {
        const { shape } = variant;
        const image = sharp(source)
          .autoOrient()
          .resize(shape.width, shape.height, {
            fit: shape.crop ? "cover" : "fill",
            position: typeof shape.crop === "string" ? shape.crop : "centre",
          });
        if (shape.blur) image.blur(shape.blur);
        const bytes = await image
          .toFormat(variant.format, { ...(byDefaults ? defaultOf(variant) : variant.encode) })
          .toBuffer();
        return { variant, bytes };
      }),
    ),
  );
}

const defaultOf = ({ format, encode }: PlannedVariant) => (format === "png" ? encode : defaults[format]);

async function measured(runs: number, develop: () => Promise<MadeVariant[]>): Promise<Result> {
  const cpu: number[] = [];
  const wall: number[] = [];
  let made: MadeVariant[] = [];
  await sharp({ create: { width: 64, height: 64, channels: 3, background: "#456" } })
    .avif()
    .toBuffer();
  resetPeak(process.pid);
  for (let run = 0; run < runs; run++) {
    const before = process.cpuUsage();
    const started = performance.now();
    made = await develop();
    wall.push(performance.now() - started);
    const { user, system } = process.cpuUsage(before);
    cpu.push((user + system) / 1000);
  }
  return { cpu, wall, peak: peakMb(process.pid), made };
}

if (import.meta.main) {
  const [kind = "", file = "", wanted = "balanced", runs = "1", folder] = process.argv.slice(2);
  const profile = profiles.find((name) => name === wanted);
  const photo = config.presets.get("photo");
  if (!photo || !profile) throw new Error("which preset and profile?");
  const preset: Preset = { ...photo, profile };
  const source = readFileSync(file);
  const ways: Record<string, typeof darkroom> = { tutorial, naive, floor, darkroom };
  const { made, ...costs } = await (ways[kind] ?? darkroom)(source, preset, Number(runs));
  const variants = made.map(({ variant: { name, format, shape }, bytes }) => {
    if (folder) {
      mkdirSync(folder, { recursive: true });
      writeFileSync(`${folder}/${name}.${format}`, bytes);
    }
    return { name, format, bytes: bytes.length, width: shape.width, height: shape.height };
  });
  console.log(JSON.stringify({ ...costs, variants } satisfies Costs));
}
