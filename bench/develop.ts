/** What developing a photo costs: against the least it could, against what tutorials do, against other programs. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { type Profile, profiles } from "../core/formats.ts";
import { allocator } from "../pixels/spawn.ts";
import { bytesAt, defaults, type Lossy, lossy } from "./encoders.ts";
import { fileOf, open, type PhotoName, photo, photoSource, resized, rgb } from "./photos.ts";
import type { Costs, Kind } from "./pipeline.ts";
import { type Figure, median, type Report, round } from "./report.ts";
import { ssimulacra2 } from "./ssimulacra2.ts";

const pipeline = fileURLToPath(new URL("pipeline.ts", import.meta.url));

interface Run {
  readonly kind: Kind;
  readonly file: string;
  readonly profile: Profile;
  readonly folder?: string;
  /** On one CPU, so that two encodes at a time do not take it from each other. */
  readonly pinned?: boolean;
}

export function run({ kind, file, profile, folder, pinned = false }: Run): Costs {
  const command = [process.execPath, pipeline, kind, file, profile, "1", ...(folder ? [folder] : [])];
  const [program = "", ...args] =
    pinned && process.platform === "linux" ? ["taskset", "-c", "0", ...command] : command;
  // The floor with the pixel process's allocator: what is given back has to be faulted in again, by whomever.
  const env = kind === "floor" ? { ...process.env, ...allocator } : process.env;
  const { stdout, stderr, status } = spawnSync(program, args, { encoding: "utf8", env });
  if (status !== 0) throw new Error(`${kind} ${file}: ${stderr}`);
  return JSON.parse(stdout);
}

const only = (values: readonly number[]) => values[0] ?? Number.NaN;

/** CPU of the worker's pixel process, in proportion to one decode and the encodes alone. */
export async function floor(quick: boolean): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), "darkroom-bench-"));
  const inputs = [
    ["rug", 2, "baseline JPEG"],
    ["rug", 12, "baseline JPEG"],
    ["rug", 12, "progressive JPEG"],
    ["koi", 24, "baseline JPEG"],
    ["koi", 48, "baseline JPEG"],
    ["koi", 48, "progressive JPEG"],
  ] as const;
  const rows = [];
  for (const [name, megapixels, kind] of inputs) {
    const file = join(folder, "source");
    writeFileSync(file, await fileOf(await photo(name), megapixels, kind));
    for (const profile of profiles) {
      // Interleaved: whatever else the machine does then meets both.
      const pairs = Array.from({ length: quick ? 1 : 3 }, () => {
        const [least, ours] = [
          run({ kind: "floor", file, profile, pinned: true }),
          run({ kind: "darkroom", file, profile, pinned: true }),
        ];
        return { least: only(least.cpu), ours: only(ours.cpu) };
      });
      rows.push({
        photo: `${megapixels} MP ${kind}`,
        profile,
        "floor, ms": round(median(pairs.map(({ least }) => least))),
        "darkroom, ms": round(median(pairs.map(({ ours }) => ours))),
        ratio: round(median(pairs.map(({ least, ours }) => ours / least)), 3),
      });
    }
  }
  rmSync(folder, { recursive: true });
  return {
    title: "CPU of developing the preset photo, in proportion to the floor",
    on: `${photoSource}; medians of ${quick ? 1 : 3} interleaved pairs, a process each, on one CPU. The floor is one decode to the size needed and the encodes alone, from pixels resized before, with the same allocator settings.`,
    rows,
    figures: rows.map(({ photo, profile, ratio }) => ({
      what: `${photo}, ${profile}`,
      value: ratio,
      atMost: 1.06,
    })),
  };
}

const SCORED = ["w640", "w1280"];
const limits: Record<Profile, { times: number; bytes: number }> = {
  best: { times: 3.5, bytes: 1.05 },
  balanced: { times: 5, bytes: 1.1 },
  fast: { times: 9, bytes: 1.18 },
};

/** Against the pipeline of the tutorials, at equal score; and against that pipeline with our settings. */
export async function tutorial(): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), "darkroom-bench-"));
  const found: Awaited<ReturnType<typeof compared>> = [];
  for (const name of ["rug", "sign", "street"] as const) found.push(...(await compared(name, folder)));
  rmSync(folder, { recursive: true });
  const rows = found.map(({ times, bytes, ...row }) => ({
    ...row,
    "times less CPU": round(times, 2),
    "bytes at equal score": round(bytes, 3),
  }));
  const of = (profile: Profile) => found.filter((row) => row.pipeline === `darkroom, ${profile}`);
  const figures: Figure[] = profiles.flatMap((profile) => [
    {
      what: `${profile}: times less CPU than the tutorials`,
      value: round(median(of(profile).map(({ times }) => times)), 2),
      atLeast: limits[profile].times,
    },
    {
      what: `${profile}: bytes at equal score`,
      value: round(median(of(profile).map(({ bytes }) => bytes)), 3),
      atMost: limits[profile].bytes,
    },
  ]);
  return {
    title: "Against the tutorials' pipeline: a fresh sharp(buffer) per variant, sharp's defaults",
    on: `${photoSource}: 12 MP baseline JPEGs, all variants of the preset photo; naive is the tutorials' way with the settings of balanced. Scores: SSIMULACRA2, mean of ${SCORED.join(" and ")}. Figures: medians.`,
    rows,
    figures,
  };
}

async function compared(name: PhotoName, folder: string) {
  const file = join(folder, "source.jpg");
  writeFileSync(file, await fileOf(await photo(name), 12.3, "baseline JPEG"));
  const source = await rgb(sharp(file));
  const runs = [
    { title: "tutorial", kind: "tutorial", profile: "balanced" },
    { title: "naive", kind: "naive", profile: "balanced" },
    ...profiles.map((profile) => ({ title: `darkroom, ${profile}`, kind: "darkroom", profile }) as const),
  ] as const;
  const results = [];
  for (const { title, ...rest } of runs) {
    const costs = run({ ...rest, file, folder: join(folder, title) });
    results.push({ title, costs, scores: await scoresOf(join(folder, title), costs, source) });
  }
  const slopes = await slopesOf(source);
  const [base] = results;
  if (!base) throw new Error("nothing ran");
  return results.map(({ title, costs, scores }) => {
    const total = (which: Costs, format: Lossy) =>
      which.variants
        .filter((variant) => variant.format === format)
        .reduce((sum, { bytes }) => sum + bytes, 0);
    const atEqualScore = lossy.map(
      (format) => total(costs, format) * Math.exp(slopes[format] * (base.scores[format] - scores[format])),
    );
    const all = lossy.reduce((sum, format) => sum + total(base.costs, format), 0);
    return {
      photo: name,
      pipeline: title,
      "CPU, ms": round(only(costs.cpu)),
      "wall, ms": round(only(costs.wall)),
      "peak, MB": costs.peak,
      ...Object.fromEntries(lossy.map((format) => [`${format}, kB`, round(total(costs, format) / 1000)])),
      score: lossy.map((format) => scores[format].toFixed(1)).join(" / "),
      times: only(base.costs.cpu) / only(costs.cpu),
      bytes: atEqualScore.reduce((sum, bytes) => sum + bytes, 0) / all,
    };
  });
}

type PerFormat = Record<Lossy, number>;

async function scoresOf(folder: string, costs: Costs, source: Awaited<ReturnType<typeof photo>>) {
  const sums: PerFormat = { avif: 0, webp: 0, jpeg: 0 };
  for (const { name, format, width } of costs.variants.filter((variant) => SCORED.includes(variant.name))) {
    const reference = await resized(source, width);
    const score = ssimulacra2(reference, await rgb(sharp(readFileSync(join(folder, `${name}.${format}`)))));
    sums[format as Lossy] += score / SCORED.length;
  }
  return sums;
}

/** How much the logarithm of the bytes grows per point of score, around sharp's defaults. */
async function slopesOf(source: Awaited<ReturnType<typeof photo>>): Promise<PerFormat> {
  const reference = await resized(source, 640);
  const slopes: PerFormat = { avif: 0, webp: 0, jpeg: 0 };
  for (const format of lossy) {
    const points = [];
    for (const quality of [defaults[format].quality, defaults[format].quality - 6]) {
      const file = await open(reference)
        .toFormat(format, { ...defaults[format], quality })
        .toBuffer();
      points.push({ bytes: file.length, score: ssimulacra2(reference, await rgb(sharp(file))) });
    }
    const [a, b] = points;
    if (a && b) slopes[format] = Math.log(bytesAt(a.score + 1, a, b) / a.bytes);
  }
  return slopes;
}
