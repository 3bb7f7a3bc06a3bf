/** The ladder of the preset `photo` over whole files: bytes and CPU in times those of one number for all pictures, as it was shipped before. */
import { readFileSync } from "node:fs";
import {
  detectFormat,
  type EncodeSettings,
  formatNames,
  type OutputFormat,
  type Profile,
} from "../core/formats.ts";
import { type PlannedVariant, planOf, variantsOf } from "../core/plan.ts";
import type { Preset } from "../core/preset.ts";
import config from "../core/shipped.ts";
import { openLoaders } from "../pixels/decoders/libvips.ts";
import { openSource } from "../pixels/decoders/open.ts";
import { encoded, isGraphic, shaped } from "../pixels/develop.ts";
import type { Raster } from "../pixels/raster.ts";
import { type Figure, median, medianWithin, round } from "./report.ts";

/** Before a quality was a score, by profile. */
const before: Record<"best" | "balanced", Partial<Record<OutputFormat, EncodeSettings>>> = {
  best: {
    avif: { quality: 54, effort: 3, chromaSubsampling: "4:2:0" },
    webp: { quality: 80, effort: 4 },
    jpeg: { quality: 80, mozjpeg: true },
  },
  balanced: {
    avif: { quality: 54, effort: 2, chromaSubsampling: "4:2:0" },
    webp: { quality: 80, effort: 4 },
    jpeg: { quality: 78, progressive: true, quantisationTable: 3, optimiseScans: true },
  },
};

interface Made {
  readonly bytes: number;
  readonly cpuMs: number;
}

async function developed(path: string, preset: Preset, settings: (typeof before)["best"]): Promise<Made> {
  const source = readFileSync(path);
  const format = detectFormat(source);
  if (!format) throw new Error(`${path} is no picture`);
  const start = process.cpuUsage();
  const opened = await openSource(source, format);
  const plan = planOf(opened.header, variantsOf(opened.header, preset));
  const base = await opened.decode(plan);
  const graphic = isGraphic(base);
  const rasters: Raster[] = [];
  for (const { from, shape } of plan.steps) rasters.push(await shaped(rasters[from] ?? base, shape));
  let bytes = 0;
  for (const [i, { encodes }] of plan.steps.entries()) {
    for (const variant of encodes) {
      const { aim, ...rest } = variant;
      const own = settings[variant.format];
      const asked: PlannedVariant = own && aim ? { ...rest, encode: own } : variant;
      bytes += (await encoded(rasters[i] ?? base, asked, graphic, base)).length;
    }
  }
  const { user, system } = process.cpuUsage(start);
  return { bytes, cpuMs: (user + system) / 1000 };
}

const bounds = { balanced: 1.03, best: 1.25 };

/** Pictures are taken in turns, so that what else the machine does falls on both. */
export async function ladderFigures(
  paths: readonly string[],
  profiles: readonly ("best" | "balanced")[],
): Promise<Figure[]> {
  const photo = config.presets.get("photo");
  if (!photo) throw new Error("there is no preset photo");
  openLoaders(formatNames);
  const figures: Figure[] = [];
  for (const profile of profiles) {
    const preset: Preset = { ...photo, profile: profile satisfies Profile };
    const sums = { before: 0, now: 0 };
    const cpu: number[] = [];
    for (const path of paths) {
      const old = await developed(path, preset, before[profile]);
      const now = await developed(path, preset, {});
      sums.before += old.bytes;
      sums.now += now.bytes;
      cpu.push(now.cpuMs / old.cpuMs);
    }
    const [least, most] = medianWithin(cpu);
    figures.push(
      {
        what: `bytes of the ladder of photo over ${paths.length} pictures, ${profile}, in times those of one number`,
        value: round(sums.now / sums.before, 3),
        atMost: 0.88,
      },
      {
        what: `CPU of developing, ${profile}, in times that of one number`,
        value: round(median(cpu), 2),
        within: [round(least, 2), round(most, 2)],
        atMost: bounds[profile],
      },
    );
  }
  return figures;
}
