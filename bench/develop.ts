/** What developing a photo costs: against the least it could, against what tutorials do, against other programs. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { type Profile, profiles } from "../core/formats.ts";
import { bundle, compile } from "../deploy/bundle.ts";
import { allocator } from "../pixels/spawn.ts";
import { ssimulacra2 } from "../pixels/ssimulacra2.ts";
import { bytesAt, defaults, type Lossy, lossy } from "./encoders.ts";
import { fileOf, open, type PhotoName, photo, photoSource, resized, rgb } from "./photos.ts";
import type { Costs, Kind } from "./pipeline.ts";
import { type Figure, median, medianWithin, type Report, type Row, round, verdictOn } from "./report.ts";

/** The pipelines with the pixel process as it is deployed: a process that reads TypeScript takes 25 MB more. */
async function bundled(): Promise<string> {
  const root = new URL("../", import.meta.url);
  const folder = new URL(".cache/bench/", root);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const [pipeline] = (await compile({ pipeline: "bench/pipeline.ts" }, root)).outputFiles.filter(({ path }) =>
    path.endsWith(".mjs"),
  );
  writeFileSync(new URL("pipeline.mjs", folder), pipeline?.contents ?? "");
  for (const [name, bytes] of (await bundle("worker", root)).files)
    writeFileSync(new URL(name, folder), bytes);
  return fileURLToPath(new URL("pipeline.mjs", folder));
}
const pipeline = await bundled();

interface Run {
  readonly kind: Kind;
  readonly file: string;
  readonly profile: Profile;
  readonly folder?: string;
}

// The floor with the pixel process's allocator: what is given back has to be faulted in again, by whomever.
const environmentOf = (kind: Kind) => (kind === "floor" ? { ...process.env, ...allocator } : process.env);

export function run({ kind, file, profile, folder }: Run): Costs {
  const args = [pipeline, kind, file, profile, ...(folder ? [folder] : [])];
  const env = environmentOf(kind);
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: "utf8", env });
  if (status !== 0) throw new Error(`${kind} ${file}: ${stderr}`);
  return JSON.parse(stdout);
}

/** Develops a file on one CPU each time it is asked: two encodes at a time would take it from each other. */
function inTurns({ kind, file, profile }: Run) {
  const command = [process.execPath, pipeline, kind, file, profile, "turns"];
  const [program = "", ...args] = process.platform === "linux" ? ["taskset", "-c", "0", ...command] : command;
  const started = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"], env: environmentOf(kind) });
  const lines = createInterface({ input: started.stdout })[Symbol.asyncIterator]();
  return {
    /** CPU time in milliseconds. */
    async next(): Promise<number> {
      started.stdin.write("\n");
      const { value, done } = await lines.next();
      if (done) throw new Error(`${kind} ${file}: ended`);
      return Number(value);
    },
    async end(): Promise<void> {
      const closed = once(started, "close");
      started.stdin.end();
      await closed;
    },
  };
}

/**
 * Pairs of processes for each photo: until it is told on which side of its limit the ratio lies, so many at most. A
 * process is up to 3 % faster or slower than the next one, by where its memory lies, and stays so: more pairs tell more
 * than more turns in each.
 */
const PAIRS = 60;
/** Of a pair, whose medians it is told by: one alone scatters by 3 to 5 %, and starting the two takes as long. */
const TURNS = 3;
const LIMIT = 1.06;

/** CPU time in milliseconds that a photo takes at least, and that it takes us, in a pair of new processes. */
async function pairOf(file: string, profile: Profile): Promise<{ least: number; ours: number }> {
  const floor = inTurns({ kind: "floor", file, profile });
  const darkroom = inTurns({ kind: "darkroom", file, profile });
  // Once without counting: it pays for memory and code that the others find.
  await floor.next();
  await darkroom.next();
  const least: number[] = [];
  const ours: number[] = [];
  for (let turn = 0; turn < TURNS; turn++) {
    // Right after each other: whatever else the machine does then meets both.
    least.push(await floor.next());
    ours.push(await darkroom.next());
  }
  await Promise.all([floor.end(), darkroom.end()]);
  return { least: median(least), ours: median(ours) };
}

/**
 * Instructions of one turn, where the machine counts them (`perf stat`, Debian's linux-perf): what two turns take beyond
 * one. They scatter by less than 0.1 %, and hold whatever else the machine does. Undefined in most virtual machines.
 */
function instructionsOf({ kind, file, profile }: Run): number | undefined {
  const [once, twice] = ["\n", "\n\n"].map((input) => {
    const perf = ["stat", "-x", ",", "-e", "instructions:u", process.execPath, pipeline, kind, file, profile];
    const { stderr } = spawnSync("perf", [...perf, "turns"], {
      input,
      encoding: "utf8",
      env: environmentOf(kind),
    });
    return Number(/^(\d+),[^,]*,instructions/m.exec(stderr ?? "")?.[1]);
  });
  const turn = (twice ?? Number.NaN) - (once ?? Number.NaN);
  return Number.isNaN(turn) ? undefined : turn;
}

async function floorOf(file: string, profile: Profile, most: number) {
  const pairs: Awaited<ReturnType<typeof pairOf>>[] = [];
  const figure = () => {
    const ratios = pairs.map(({ least, ours }) => ours / least);
    return { value: median(ratios), within: medianWithin(ratios), atMost: LIMIT, what: "" };
  };
  do pairs.push(await pairOf(file, profile));
  while (pairs.length < most && verdictOn(figure()) === "too few runs to tell");
  const [least, ours] = (["floor", "darkroom"] as const).map((kind) =>
    instructionsOf({ kind, file, profile }),
  );
  return { pairs, ...figure(), ...(least && ours && { instructions: ours / least }) };
}

/** Photographs by name, size in megapixels, and what their file is. */
export const inputs = [
  ["rug", 2, "baseline JPEG"],
  ["rug", 12, "baseline JPEG"],
  ["rug", 12, "progressive JPEG"],
  ["koi", 24, "baseline JPEG"],
  ["koi", 48, "baseline JPEG"],
  ["koi", 48, "progressive JPEG"],
] as const;

/** CPU of the worker's pixel process, in proportion to one decode and the encodes alone. */
export async function floor(quick: boolean): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), "darkroom-bench-"));
  const rows: Row[] = [];
  const figures: Figure[] = [];
  for (const [name, megapixels, kind] of inputs) {
    const file = join(folder, "source");
    writeFileSync(file, await fileOf(await photo(name), megapixels, kind));
    for (const profile of profiles) {
      const { pairs, value, within, instructions } = await floorOf(file, profile, quick ? 6 : PAIRS);
      rows.push({
        photo: `${megapixels} MP ${kind}`,
        profile,
        pairs: pairs.length,
        "floor, ms": round(median(pairs.map(({ least }) => least))),
        "darkroom, ms": round(median(pairs.map(({ ours }) => ours))),
        ratio: round(value, 3),
        ...(instructions && { instructions: round(instructions, 3) }),
      });
      const what = `${megapixels} MP ${kind}, ${profile}`;
      const [least, most] = within;
      figures.push(
        instructions
          ? { what: `${what}, instructions`, value: round(instructions, 3), atMost: LIMIT }
          : { what, value: round(value, 3), within: [round(least, 3), round(most, 3)], atMost: LIMIT },
      );
    }
  }
  rmSync(folder, { recursive: true });
  return {
    title: "CPU of developing the preset photo, in proportion to the floor",
    on: `${photoSource}; medians of pairs of processes, on one CPU, by turns, three after each has developed the photo once: until 95 of 100 such medians lie on one side of the limit, ${quick ? 6 : PAIRS} pairs at most. The floor is one decode to the size needed and the encodes alone, from pixels resized before, with the same allocator settings. Where the machine counts instructions, they decide.`,
    rows,
    figures,
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
      "CPU, ms": round(costs.cpu),
      "wall, ms": round(costs.wall),
      "peak, MB": costs.peak,
      ...Object.fromEntries(lossy.map((format) => [`${format}, kB`, round(total(costs, format) / 1000)])),
      score: lossy.map((format) => scores[format].toFixed(1)).join(" / "),
      times: base.costs.cpu / costs.cpu,
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
