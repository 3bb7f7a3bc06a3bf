/**
 * The ladder of the preset `photo` over whole files, in times the last release's: its bytes as they shipped, with JPEGs of every
 * width; and bytes and CPU of the same rungs by one number for all pictures.
 */
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
import { encoded, graphicOf, shaped } from "../pixels/develop.ts";
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
  /** Of the rungs that there are now. */
  readonly bytes: number;
  readonly cpuMs: number;
  /** Of those that `upTo` leaves out. */
  readonly more: number;
}

type Settings = (typeof before)["best"];

async function developed(path: string, preset: Preset, settings: Settings): Promise<Made> {
  const source = readFileSync(path);
  const format = detectFormat(source);
  if (!format) throw new Error(`${path} is no picture`);
  const start = process.cpuUsage();
  const opened = await openSource(source, format);
  const { header } = opened;
  const variants = variantsOf(header, preset);
  const plan = planOf(header, variants);
  const base = await opened.decode(plan);
  const graphic = graphicOf(base);
  const rasters: Raster[] = [];
  for (const { from, shape } of plan.steps) rasters.push(await shaped(rasters[from] ?? base, shape));
  const bytesOf = async (variants: readonly PlannedVariant[], raster = base) => {
    let bytes = 0;
    for (const { aim, ...rest } of variants) {
      const own = settings[rest.format];
      const asked = own && aim ? { ...rest, encode: own } : { ...rest, ...(aim && { aim }) };
      bytes += (await encoded(raster, asked, graphic, base)).length;
    }
    return bytes;
  };
  let bytes = 0;
  for (const [i, { encodes }] of plan.steps.entries()) bytes += await bytesOf(encodes, rasters[i]);
  const { user, system } = process.cpuUsage(start);
  const made = new Set(variants.map(({ name, format }) => `${name}.${format}`));
  let more = 0;
  for (const variant of variantsOf(header, everyRung(preset))) {
    const step = plan.steps.findIndex(({ encodes }) => encodes.some(({ name }) => name === variant.name));
    if (!made.has(`${variant.name}.${variant.format}`)) more += await bytesOf([variant], rasters[step]);
  }
  return { bytes, cpuMs: (user + system) / 1000, more };
}

function everyRung({ ladder, ...preset }: Preset): Preset {
  const { upTo: _, ...rest } = ladder ?? { widths: [], formats: [] };
  return { ...preset, ladder: rest };
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
    const sums = { before: 0, more: 0, now: 0 };
    const cpu: number[] = [];
    for (const path of paths) {
      const old = await developed(path, preset, before[profile]);
      const now = await developed(path, preset, {});
      sums.before += old.bytes;
      sums.more += old.more;
      sums.now += now.bytes;
      cpu.push(now.cpuMs / old.cpuMs);
    }
    const [least, most] = medianWithin(cpu);
    figures.push(
      {
        what: `bytes of the ladder of photo over ${paths.length} pictures, ${profile}, in times the last release's`,
        value: round(sums.now / (sums.before + sums.more), 3),
        atMost: 0.88,
      },
      {
        what: `bytes of the same rungs, ${profile}, in times those of one number`,
        value: round(sums.now / sums.before, 3),
        atMost: 1,
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
