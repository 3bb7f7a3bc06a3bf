/**
 * How much longer than an empty Node process the deployed presign function takes to load: `node bench/presign-load.ts`.
 * Fails above the budget. A stand-in for Lambda's cold start, of which this is the part that is ours.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundle } from "../deploy/bundle.ts";
import { zip } from "../deploy/zip.ts";

const BUDGET_MS = 30;
const RUNS = 15;

const folder = mkdtempSync(join(tmpdir(), "darkroom-bench-"));
const { files, sizes } = await bundle("presign", new URL("../", import.meta.url));
const empty = join(folder, "empty.mjs");
const loaded = join(folder, "index.mjs");
writeFileSync(empty, "");
writeFileSync(loaded, files.get("index.mjs") ?? "");

/** Wall-clock time of a whole process, in milliseconds. */
function time(file: string): number {
  const started = performance.now();
  const { status, stderr } = spawnSync(process.execPath, [file], { env: {}, encoding: "utf8" });
  if (status !== 0) throw new Error(`${file} ended with ${status}: ${stderr}`);
  return performance.now() - started;
}

const rows = {
  "empty process": [] as number[],
  "presign bundle": [] as number[],
  difference: [] as number[],
};
// Once each, so that neither is read from the disk for the first time.
time(empty);
time(loaded);
for (let run = 0; run < RUNS; run++) {
  // Interleaved, and in turns first: whatever else the machine does then meets both.
  const [a, b] = run % 2 === 0 ? [time(empty), time(loaded)] : [time(loaded), time(empty)].reverse();
  rows["empty process"].push(a ?? 0);
  rows["presign bundle"].push(b ?? 0);
  rows.difference.push((b ?? 0) - (a ?? 0));
}
rmSync(folder, { recursive: true });

const sorted = (values: readonly number[]) => [...values].sort((a, b) => a - b);
const median = (values: readonly number[]) => sorted(values)[Math.floor(values.length / 2)] ?? Number.NaN;
console.log(
  `${"ms".padEnd(16)}${["min", "median", "max"].map((title) => title.padStart(8)).join("")}   (${RUNS} runs)`,
);
for (const [name, values] of Object.entries(rows)) {
  const figures = [Math.min(...values), median(values), Math.max(...values)];
  console.log(name.padEnd(16) + figures.map((figure) => figure.toFixed(1).padStart(8)).join(""));
}
const added = median(rows["presign bundle"]) - median(rows["empty process"]);
const kB = (bytes: number) => `${(bytes / 1000).toFixed(1)} kB`;
console.log(
  `\nbundle ${kB(files.get("index.mjs")?.length ?? 0)}, zipped ${kB(zip(files).length)}: ${sizes
    .slice(0, 6)
    .map(([owner, bytes]) => `${owner} ${kB(bytes)}`)
    .join(", ")}`,
);
console.log(`\nadded ${added.toFixed(1)} ms, budget ${BUDGET_MS} ms`);
process.exitCode = added > BUDGET_MS ? 1 : 0;
