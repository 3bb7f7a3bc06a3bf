/**
 * Against other programs, where they are installed: the same sizes, formats and qualities, a process per variant, as many
 * at a time as there are CPUs. Linux only.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { run } from "./develop.ts";
import { fileOf, photo, photoSource } from "./photos.ts";
import type { Costs as PipelineCosts } from "./pipeline.ts";
import { type Figure, type Report, type Row, round } from "./report.ts";

type Made = PipelineCosts["variants"][number];
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

interface Costs {
  /** In milliseconds. */
  readonly cpu: number;
  readonly wall: number;
  /** In MB. */
  readonly peak: number;
}

/** How often memory is looked at; encoders hold it for hundreds of milliseconds. */
const LOOK_MS = 2;

/** Resident memory in MB of what a process has started. It may have ended meanwhile. */
function memoryOfChildren(pid: number): number {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
    const pages = children.map((child) => Number(readFileSync(`/proc/${child}/statm`, "utf8").split(" ")[1]));
    return pages.reduce((sum, count) => sum + (count * 4096) / 1e6, 0);
  } catch {
    return 0;
  }
}

/** Runs commands, the first ones first, as many at a time as there are CPUs. @throws Error when one fails */
async function measured(commands: readonly (readonly string[])[]): Promise<Costs> {
  const waiting = [...commands];
  const running = new Set<number>();
  let [cpu, peak, single] = [0, 0, 0];
  const look = setInterval(() => {
    peak = Math.max(
      peak,
      [...running].reduce((sum, pid) => sum + memoryOfChildren(pid), 0),
    );
  }, LOOK_MS);
  const lane = async () => {
    for (let command = waiting.shift(); command; command = waiting.shift()) {
      const timed = spawn("/usr/bin/time", ["-f", "%U %S %M", ...command], {
        stdio: ["ignore", "ignore", "pipe"],
        // Set by sharp's libvips as it loads: another one would look for its modules there, and know no AVIF.
        env: { ...process.env, VIPSHOME: undefined },
      });
      const { pid = 0, stderr } = timed;
      let said = "";
      stderr.on("data", (chunk: Buffer) => {
        said += chunk.toString();
      });
      running.add(pid);
      const [status] = await once(timed, "close");
      running.delete(pid);
      if (status !== 0) throw new Error(said);
      const [user = 0, system = 0, kB = 0] = (said.trim().split("\n").at(-1) ?? "").split(" ").map(Number);
      cpu += (user + system) * 1000;
      single = Math.max(single, (kB * 1024) / 1e6);
    }
  };
  const started = performance.now();
  try {
    await Promise.all(Array.from({ length: availableParallelism() }, lane));
  } finally {
    clearInterval(look);
  }
  // No less than the kernel saw of the largest alone.
  return { cpu, wall: performance.now() - started, peak: Math.max(peak, single) };
}

const isThere = (program: string, args: readonly string[]) => spawnSync(program, args).status === 0;

export async function compare(quick: boolean): Promise<Report> {
  const sources = [
    { name: "rug", megapixels: quick ? 2 : 12.3, kind: "baseline JPEG" },
    { name: "koi", megapixels: quick ? 2 : 48, kind: "progressive JPEG" },
  ] as const;
  const rows: Row[] = [];
  const figures: Figure[] = [];
  for (const { name, megapixels, kind } of sources) {
    const folder = mkdtempSync(join(tmpdir(), "darkroom-bench-"));
    const file = join(folder, "source.jpg");
    writeFileSync(file, await fileOf(await photo(name), megapixels, kind));
    const found = await against(file, folder);
    rmSync(folder, { recursive: true });
    const title = `${megapixels} MP ${kind}`;
    rows.push(...found.rows.map((row) => ({ photo: title, ...row })));
    figures.push(...found.figures.map((figure) => ({ ...figure, what: `${title}: ${figure.what}` })));
  }
  return {
    title: "Against other programs",
    on: `${photoSource}, in the sizes, formats and qualities of the preset photo, balanced, on ${availableParallelism()} CPUs. Darkroom, as it is deployed, and sharp make its crops and blur besides; the programs make the ladder alone, a process per variant, largest first, as many at a time as there are CPUs (CPU added up; the highest sum of what those at work hold in memory).`,
    rows,
    figures,
  };
}

async function against(file: string, folder: string): Promise<{ rows: Row[]; figures: Figure[] }> {
  const rows: Row[] = [];
  const figures: Figure[] = [];
  const ours = run({ kind: "darkroom", file, profile: "balanced" });
  const naive = run({ kind: "naive", file, profile: "balanced" });
  // Crops and blurs differ between programs: the ladder is what all can do alike.
  const isRung = ({ name }: Made) => /^w\d+$/.test(name);
  const ladder = ours.variants.filter(isRung).sort((a, b) => b.width - a.width);
  const add = (program: string, { cpu, wall, peak }: Costs, bytes: number) => {
    const row = { "CPU, ms": round(cpu), "wall, ms": round(wall), "peak, MB": round(peak) };
    rows.push({ program, ...row, "ladder, kB": round(bytes / 1000), note: "" });
    if (program === "darkroom") return;
    for (const [what, value] of [
      ["CPU", cpu / ours.cpu],
      ["wall", wall / ours.wall],
      ["peak memory", peak / ours.peak],
    ] as const)
      figures.push({ what: `${program}, times darkroom's ${what}`, value: round(value, 2), atLeast: 1 });
  };
  const bytesOf = (made: readonly { bytes: number }[]) => made.reduce((sum, { bytes }) => sum + bytes, 0);
  for (const [program, { cpu, wall, peak, variants }] of [
    ["darkroom", ours],
    ["naive sharp", naive],
  ] as const)
    add(program, { cpu, wall, peak }, bytesOf(variants.filter(isRung)));
  for (const { program, version, command } of peers) {
    if (!isThere(program, version) || !isThere("/usr/bin/time", ["true"])) {
      rows.push({ program, note: "not installed (or GNU time is not): not measured" });
      continue;
    }
    const outputs = ladder.map((made) => ({
      made,
      out: join(folder, `${made.name}.${made.format === "jpeg" ? "jpg" : made.format}`),
    }));
    try {
      const costs = await measured(
        outputs.map(({ made, out }) => [program, ...command(file, made, QUALITY[made.format] ?? 80, out)]),
      );
      for (const { made, out } of outputs) {
        const { format = "", width } = await sharp(readFileSync(out)).metadata();
        if (width !== made.width) throw new Error(`${out} is ${width} wide (${format})`);
      }
      add(program, costs, bytesOf(outputs.map(({ out }) => ({ bytes: statSync(out).size }))));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      rows.push({ program, note: `could not be measured: ${why.slice(0, 200)}` });
    }
  }
  return { rows, figures };
}
