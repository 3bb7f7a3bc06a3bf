/**
 * `npm run bench` runs every benchmark, `npm run bench -- encoders floor` some, `--quick` with fewer pictures and runs, folders with `quality`, `page` and `written` (see there): prints their tables, keeps them as JSON
 * in `bench/results/`, and ends with 1 when a figure is not as promised. `npm run generate` then brings
 * docs/performance.md up to date.
 */
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { monthlyBill } from "../core/money/cost.ts";
import { WORKER_BATCH } from "../core/money/prices.ts";
import config from "../core/shipped.ts";
import { type Figure, print, type Report, save, verdictOn } from "./report.ts";

/** Of the photograph that docs/cost.md counts with, in the worker. */
function photoSeconds(): number {
  const preset = config.presets.get(config.defaultPreset);
  if (!preset) throw new Error("there is no default preset");
  const load = { uploads: 1, megabytes: 4, megapixels: 12, views: 0, months: 0, deletes: 0 };
  return monthlyBill(preset, load).developMs / 1000;
}

/** Add a benchmark by adding a row. Loaded one by one, for each measures in a process that others have not filled. */
const benchmarks: Readonly<Record<string, (quick: boolean) => Promise<Report>>> = {
  burst: async () => (await import("./burst.ts")).burst(photoSeconds(), WORKER_BATCH),
  encoders: async () => (await import("./encoders.ts")).encoders(),
  cold: async (quick) => (await import("./cold.ts")).cold(quick),
  curves: async () => (await import("./curves.ts")).curves(),
  floor: async (quick) => (await import("./develop.ts")).floor(quick),
  forget: async () => (await import("./forget.ts")).forget(),
  written: async (quick) => (await import("./page.ts")).written(folders, quick),
  look: async (quick) => (await import("./look.ts")).look(quick),
  later: async (quick) => (await import("./later.ts")).later(quick),
  jobs: async () => (await import("./jobs.ts")).jobs(),
  tutorial: async () => (await import("./develop.ts")).tutorial(),
  memory: async () => (await import("./memory.ts")).memory(),
  outage: async () => (await import("./outage.ts")).outage(photoSeconds()),
  page: async (quick) => (await import("./page.ts")).page(folders, quick),
  path: async (quick) => (await import("./path.ts")).path(quick),
  peers: async (quick) => (await import("./peers.ts")).compare(quick),
  quality: async (quick) => (await import("./quality.ts")).quality(folders, quick),
  presign: async () => (await import("./presign.ts")).presign(),
  waiting: async (quick) => (await import("./waiting.ts")).waiting(quick),
  whole: async (quick) => (await import("./whole.ts")).whole(quick),
};

// Before any of them is loaded: what is promised is promised of the shipped presets, whatever are the user's own.
process.env["DARKROOM_CONFIG"] = fileURLToPath(new URL("../core/shipped.ts", import.meta.url));

const quick = process.argv.includes("--quick");
const said = process.argv.slice(2).filter((argument) => argument !== "--quick");
const folders = said.filter((argument) => argument.includes("/"));
const wanted = said.filter((argument) => !argument.includes("/"));
const unknown = wanted.filter((name) => !Object.hasOwn(benchmarks, name));
if (unknown.length > 0) {
  console.error(
    `There is no benchmark called ${unknown.join(", ")}; there are ${Object.keys(benchmarks).join(", ")}.`,
  );
  process.exit(2);
}
const missed: Figure[] = [];
for (const [name, run] of Object.entries(benchmarks)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  // Its pictures are nobody's to copy into the repository.
  if (name === "quality" && folders.length === 0) continue;
  const report = await run(quick);
  print(report);
  save(name, report, `sharp ${sharp.versions.sharp}, libvips ${sharp.versions.vips}`);
  missed.push(...(report.figures ?? []).filter((figure) => verdictOn(figure) !== "holds"));
}
console.log(
  missed.length === 0
    ? "\nEvery figure holds."
    : `\n${missed.length} figures do not hold, or cannot be told.`,
);
process.exitCode = missed.length === 0 ? 0 : 1;
