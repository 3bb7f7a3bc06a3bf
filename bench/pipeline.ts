/**
 * One way of developing one file, in a process of its own so that CPU and memory are its alone:
 * `node bench/pipeline.ts KIND FILE PROFILE [FOLDER]` prints its costs as JSON; `FOLDER` gets the variants. With `turns` for
 * the folder it does it again for every line it reads, and prints only the CPU time in milliseconds each time.
 * - `tutorial`: a fresh `sharp(buffer)` for every variant, sharp's defaults, all at once
 * - `naive`: the same with the profile's settings
 * - `floor`: one decode to the size needed and the encodes alone, one at a time, from pixels that were resized before
 * - `darkroom`: the worker's own pixel process, its CPU and memory read from the kernel
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import sharp from "sharp";
import {
  detectFormat,
  type EncodeSettings,
  formatNames,
  type OutputFormat,
  profiles,
} from "../core/formats.ts";
import { type PlannedVariant, planOf, variantsOf } from "../core/plan.ts";
import type { MadeVariant } from "../core/ports.ts";
import type { Preset } from "../core/preset.ts";
import config from "../core/shipped.ts";
import { openLoaders } from "../pixels/decoders/libvips.ts";
import { openSource } from "../pixels/decoders/open.ts";
import { encoded, shaped } from "../pixels/develop.ts";
import { pixelProcess } from "../pixels/process.ts";
import type { Raster } from "../pixels/raster.ts";
import { defaults } from "./encoders.ts";
import { cpuMs, lastChild, peakMb, resetPeak } from "./peak.ts";

export interface Costs {
  /** In milliseconds. */
  readonly cpu: number;
  readonly wall: number;
  /** Highest resident memory, in MB. */
  readonly peak: number;
  readonly variants: { name: string; format: string; bytes: number; width: number; height: number }[];
}

export const kinds = ["tutorial", "naive", "floor", "darkroom"] as const;
export type Kind = (typeof kinds)[number];

type Result = Omit<Costs, "variants"> & { made: MadeVariant[] };
/** Develops the file once more. */
type Way = (source: Buffer, preset: Preset) => Promise<{ again: () => Promise<Result> }>;

const darkroom: Way = async (source, preset) => {
  const format = detectFormat(source);
  if (!format) throw new Error("not an image");
  const pixels = pixelProcess({ maxRss: Number.POSITIVE_INFINITY, developSeconds: 600 });
  const again = async (): Promise<Result> => {
    const made: MadeVariant[] = [];
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
    const wall = performance.now() - started;
    return { cpu: cpuMs(lastChild()) - before, wall, peak: peakMb(lastChild()), made };
  };
  // The first image pays for the start of the process.
  await warm(pixels, preset);
  resetPeak(lastChild());
  return { again };
};

/** A worker that has developed a picture before: code compiled, every encoder loaded. */
async function warm(pixels: ReturnType<typeof pixelProcess>, preset: Preset): Promise<void> {
  // Often and small: the code is compiled by its use, and no memory is taken that the photo would not take.
  const noise = { type: "gaussian", mean: 128, sigma: 30 } as const;
  const small = await sharp({ create: { width: 320, height: 213, channels: 3, background: "grey", noise } })
    .jpeg()
    .toBuffer();
  for (let i = 0; i < 10; i++) {
    await pixels.develop(
      small,
      "jpeg",
      async (header) => planOf(header, variantsOf(header, preset)),
      async () => {},
    );
  }
}

const floor: Way = async (source, preset) => {
  openLoaders(formatNames);
  const format = detectFormat(source);
  if (!format) throw new Error("not an image");
  const opened = await openSource(source, format);
  const plan = planOf(opened.header, variantsOf(opened.header, preset));
  const rasters: Raster[] = [];
  for (const { from, shape } of plan.steps) {
    rasters.push(await shaped(rasters[from] ?? (await opened.decode(plan)), shape));
  }
  return measured(async () => {
    const made: MadeVariant[] = [];
    await opened.decode(plan);
    for (const [index, { encodes }] of plan.steps.entries()) {
      const raster = rasters[index];
      if (!raster) continue;
      for (const variant of encodes)
        made.push({ variant, bytes: await encoded(raster, variant, undefined, plan.base) });
    }
    return made;
  });
};

const tutorial: Way = (source, preset) => freshForEach(source, preset, true);
const naive: Way = (source, preset) => freshForEach(source, preset, false);

/** What the guides show: sharp as it comes, from the file's buffer to each variant's, all at once. */
async function freshForEach(source: Buffer, preset: Preset, byDefaults: boolean) {
  const format = detectFormat(source);
  const { width, height } = await sharp(source).metadata();
  if (!format) throw new Error("not an image");
  const variants = variantsOf({ format, width, height, frames: 1, alpha: false }, preset);
  return measured(() =>
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

const ofTutorials: Partial<Record<OutputFormat, EncodeSettings>> = defaults;
const defaultOf = ({ format, encode }: PlannedVariant) => ofTutorials[format] ?? encode;

async function measured(develop: () => Promise<MadeVariant[]>) {
  await sharp({ create: { width: 64, height: 64, channels: 3, background: "#456" } })
    .avif()
    .toBuffer();
  resetPeak(process.pid);
  const again = async (): Promise<Result> => {
    const before = process.cpuUsage();
    const started = performance.now();
    const made = await develop();
    const wall = performance.now() - started;
    const { user, system } = process.cpuUsage(before);
    return { cpu: (user + system) / 1000, wall, peak: peakMb(process.pid), made };
  };
  return { again };
}

if (import.meta.main) {
  const [kind = "", file = "", wanted = "balanced", folder] = process.argv.slice(2);
  const profile = profiles.find((name) => name === wanted);
  const photo = config.presets.get("photo");
  if (!photo || !profile) throw new Error("which preset and profile?");
  const preset: Preset = { ...photo, profile };
  const source = readFileSync(file);
  const ways: Record<string, Way> = { tutorial, naive, floor, darkroom };
  const { again } = await (ways[kind] ?? darkroom)(source, preset);
  if (folder === "turns") {
    for await (const _ of createInterface({ input: process.stdin })) console.log((await again()).cpu);
  } else {
    const { made, ...costs } = await again();
    const variants = made.map(({ variant: { name, format, shape }, bytes }) => {
      if (folder) {
        mkdirSync(folder, { recursive: true });
        writeFileSync(`${folder}/${name}.${format}`, bytes);
      }
      return { name, format, bytes: bytes.length, width: shape.width, height: shape.height };
    });
    console.log(JSON.stringify({ ...costs, variants } satisfies Costs));
  }
}
