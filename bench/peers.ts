/** Against other programs, where they are installed: the same sizes, formats and qualities, a process per variant. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { run } from "./develop.ts";
import { fileOf, photo, photoSource } from "./photos.ts";
import type { Costs } from "./pipeline.ts";
import { type Figure, type Report, type Row, round } from "./report.ts";

type Made = Costs["variants"][number];
interface Peer {
  readonly program: string;
  readonly version: readonly string[];
  readonly command: (source: string, made: Made, quality: number, out: string) => string[];
}

/** As the balanced profile has them. */
const QUALITY: Readonly<Record<string, number>> = { avif: 54, webp: 80, jpeg: 78 };
/** AVIF effort 2 and 4:2:0, as in the profile; ImageMagick counts it as speed, from the other end. */
const peers: readonly Peer[] = [
  {
    program: "vipsthumbnail",
    version: ["--vips-version"],
    command: (source, { format, width, height }, quality, out) => [
      source,
      "--size",
      `${width}x${height}!`,
      "-o",
      `${out}[Q=${quality},strip${format === "avif" ? ",effort=2,subsample-mode=on" : ""}]`,
    ],
  },
  {
    program: "convert",
    version: ["-version"],
    command: (source, { format, width, height }, quality, out) => [
      // Shrinks JPEGs while loading, as the others do by themselves.
      ...["-define", `jpeg:size=${2 * width}x${2 * height}`, source, "-auto-orient"],
      ...["-resize", `${width}x${height}!`, "-strip", "-quality", String(quality)],
      ...(format === "avif" ? ["-define", "heic:speed=7", "-define", "heic:chroma=420"] : []),
      out,
    ],
  },
];

/** CPU seconds, wall seconds and the peak in kB, as GNU time prints them. */
function timed(program: string, args: readonly string[]) {
  const started = performance.now();
  const { status, stderr } = spawnSync("/usr/bin/time", ["-f", "%U %S %M", program, ...args], {
    encoding: "utf8",
    // Set by sharp's libvips as it loads: another one would look for its modules there, and know no AVIF.
    env: { ...process.env, VIPSHOME: undefined },
  });
  if (status !== 0) throw new Error(`${program}: ${stderr}`);
  const [user = 0, system = 0, kB = 0] = (stderr.trim().split("\n").at(-1) ?? "").split(" ").map(Number);
  return { cpu: (user + system) * 1000, wall: performance.now() - started, peak: (kB * 1024) / 1e6 };
}

const isThere = (program: string, args: readonly string[]) => spawnSync(program, args).status === 0;

export async function compare(quick: boolean): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), "darkroom-bench-"));
  const file = join(folder, "source.jpg");
  writeFileSync(file, await fileOf(await photo("rug"), quick ? 2 : 12.3, "baseline JPEG"));
  const only = (values: readonly number[]) => values[0] ?? Number.NaN;
  const total = (bytes: number) => round(bytes / 1000);
  const rows: Row[] = [];
  const figures: Figure[] = [];
  const ours = run({ kind: "darkroom", file, profile: "balanced" });
  const naive = run({ kind: "naive", file, profile: "balanced" });
  // Crops and blurs differ between programs: the ladder is what all can do alike.
  const ladder = ours.variants.filter(({ name }) => /^w\d+$/.test(name));
  const add = (program: string, costs: { cpu: number; wall: number; peak: number }, bytes: number) => {
    const { cpu, wall, peak } = costs;
    const row = { "CPU, ms": round(cpu), "wall, ms": round(wall), "peak, MB": round(peak) };
    rows.push({ program, ...row, "ladder, kB": total(bytes), note: "" });
    if (program === "darkroom") return;
    for (const [what, value] of [
      ["CPU", cpu / only(ours.cpu)],
      ["wall", wall / only(ours.wall)],
      ["peak memory", peak / ours.peak],
    ] as const)
      figures.push({ what: `${program}, times darkroom's ${what}`, value: round(value, 2), atLeast: 1 });
  };
  const sum = (made: readonly Made[]) => made.reduce((bytes, one) => bytes + one.bytes, 0);
  for (const [program, costs] of [
    ["darkroom", ours],
    ["naive sharp", naive],
  ] as const) {
    const spent = { cpu: only(costs.cpu), wall: only(costs.wall), peak: costs.peak };
    add(program, spent, sum(costs.variants.filter(({ name }) => /^w\d+$/.test(name))));
  }
  for (const { program, version, command } of peers) {
    if (!isThere(program, version) || !isThere("/usr/bin/time", ["true"])) {
      rows.push({ program, note: `not installed (or GNU time is not): not measured` });
      continue;
    }
    const costs = { cpu: 0, wall: 0, peak: 0 };
    let bytes = 0;
    const failed = new Set<string>();
    for (const made of ladder) {
      const out = join(folder, `${made.name}.${made.format === "jpeg" ? "jpg" : made.format}`);
      try {
        const { cpu, wall, peak } = timed(program, command(file, made, QUALITY[made.format] ?? 80, out));
        const { format = "", width } = await sharp(readFileSync(out)).metadata();
        if (width !== made.width) throw new Error(`${out} is ${width} wide (${format})`);
        costs.cpu += cpu;
        costs.wall += wall;
        costs.peak = Math.max(costs.peak, peak);
        bytes += readFileSync(out).length;
      } catch (error) {
        failed.add(`${made.format}: ${error instanceof Error ? error.message.slice(0, 120) : error}`);
      }
    }
    if (failed.size === 0) add(program, costs, bytes);
    else rows.push({ program, note: `could not be measured: ${[...failed].join("; ")}` });
  }
  rmSync(folder, { recursive: true });
  return {
    title: "Against other programs",
    on: `${photoSource}: a ${quick ? 2 : 12.3} MP baseline JPEG, in the sizes, formats and qualities of the preset photo, balanced. Darkroom and sharp make its crops and blur besides; the programs make the ladder alone, a process per variant (CPU and wall added up, the highest peak).`,
    rows,
    figures,
  };
}
