/**
 * `npm run bench` runs every benchmark, `npm run bench -- encoders floor` some, `--help` says which there are. `npm run
 * generate` then brings docs/performance.md up to date.
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
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

interface Benchmark {
  readonly what: string;
  readonly run: (quick: boolean) => Promise<Report>;
}

/** Add a benchmark by adding a row. Loaded one by one, for each measures in a process that others have not filled. */
const benchmarks: Readonly<Record<string, Benchmark>> = {
  burst: {
    what: "a burst of uploads, from the upload to ready (a model in virtual time)",
    run: async () => (await import("./burst.ts")).burst(photoSeconds(), WORKER_BATCH),
  },
  encoders: {
    what: "encoder settings: bytes at an equal score, and CPU, beside sharp's defaults",
    run: async () => (await import("./encoders.ts")).encoders(),
  },
  cold: {
    what: "from a cold worker's first line to its first variant, in the packaged zip",
    run: async (quick) => (await import("./cold.ts")).cold(quick),
  },
  curves: {
    what: "bytes against quality, for each profile",
    run: async () => (await import("./curves.ts")).curves(),
  },
  floor: {
    what: "CPU of developing, in proportion to one decode and the encodes alone",
    run: async (quick) => (await import("./develop.ts")).floor(quick),
  },
  forget: {
    what: "how late the CDN forgets what was deleted (a model in virtual time)",
    run: async () => (await import("./forget.ts")).forget(),
  },
  written: {
    what: "bytes that a ladder writes, which bills count with; FOLDER… of photographs",
    run: async (quick) => (await import("./page.ts")).written(folders, quick),
  },
  look: {
    what: "CPU of the look for missing pixels",
    run: async (quick) => (await import("./look.ts")).look(quick),
  },
  later: {
    what: "fast formats first: how much sooner a picture is there",
    run: async (quick) => (await import("./later.ts")).later(quick),
  },
  jobs: {
    what: "a re-process of 100,000 images: listed, queued and counted",
    run: async () => (await import("./jobs.ts")).jobs(),
  },
  tutorial: {
    what: "against the pipeline that guides show, at an equal score",
    run: async () => (await import("./develop.ts")).tutorial(),
  },
  memory: {
    what: "memory of the pixel process, at its peak and after 200 pictures",
    run: async () => (await import("./memory.ts")).memory(),
  },
  outage: {
    what: "S3 away at an upload a second (a model in virtual time)",
    run: async () => (await import("./outage.ts")).outage(photoSeconds()),
  },
  page: {
    what: "what a page of photographs weighs beside other programs' defaults; FOLDER… of photographs",
    run: async (quick) => (await import("./page.ts")).page(folders, quick),
  },
  path: {
    what: "what the worker does besides pixels",
    run: async (quick) => (await import("./path.ts")).path(quick),
  },
  peers: {
    what: "against vipsthumbnail and ImageMagick, those that are installed",
    run: async (quick) => (await import("./peers.ts")).compare(quick),
  },
  quality: {
    what: "scores by one number and by a number for each picture, and the fit; FOLDER… of photographs",
    run: async (quick) => (await import("./quality.ts")).quality(folders, quick),
  },
  presign: {
    what: "what presign costs, and its part of a cold start",
    run: async () => (await import("./presign.ts")).presign(),
  },
  waiting: {
    what: "pages that wait: the client against the throttle (a model in virtual time)",
    run: async (quick) => (await import("./waiting.ts")).waiting(quick),
  },
  whole: {
    what: "the whole path on the local stack, many images at once",
    run: async (quick) => (await import("./whole.ts")).whole(quick),
  },
};

// Before any of them is loaded: what is promised is promised of the shipped presets, whatever are the user's own.
process.env["DARKROOM_CONFIG"] = fileURLToPath(new URL("../core/shipped.ts", import.meta.url));

const { values, positionals: said } = parseArgs({
  options: { quick: { type: "boolean", default: false }, help: { type: "boolean", default: false } },
  allowPositionals: true,
});
if (values.help) {
  console.log(`npm run bench -- [--quick] [NAME…] [FOLDER…]

Measures side by side in one run, prints tables, keeps them in bench/results/, and ends with 1 when a figure is not as
promised. Without a name it runs all; a FOLDER has a / in it. --quick takes fewer pictures and runs.

${Object.entries(benchmarks)
  .map(([name, { what }]) => `  ${name.padEnd(9)} ${what}`)
  .join("\n")}`);
  process.exit();
}
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
for (const [name, { run }] of Object.entries(benchmarks)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  // Its pictures are nobody's to copy into the repository.
  if (name === "quality" && folders.length === 0) continue;
  const report = await run(values.quick);
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
