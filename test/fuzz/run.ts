/** `npm run fuzz`: see `HELP`. */
import { mkdirSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { folders, fuzz, seedsIn } from "./fuzz.ts";

const HELP = `npm run fuzz -- [--count 20000] [--seed 1] [--format NAME] [--keep FOLDER] [FOLDER…]

Damages the images of these folders (else those of the repository, and of the corpus where it is there) by their
structure: JPEG markers, PNG chunks, RIFF chunks, ISO boxes, GIF blocks. Sends them through the pixel process and counts
how they end. Whatever is no verdict on a file (a crash, a hang, an error of ours) is kept in --keep and fails the run.
The same seed makes the same files.`;

const { values, positionals } = parseArgs({
  options: {
    count: { type: "string", default: "20000" },
    seed: { type: "string", default: "1" },
    format: { type: "string" },
    keep: { type: "string", default: "fuzz-found" },
    help: { type: "boolean" },
  },
  allowPositionals: true,
});
const seeds = seedsIn(positionals.length > 0 ? positionals : folders, values.format);
if (values.help || seeds.length === 0) {
  console.log(HELP);
  process.exit(values.help ? 0 : 2);
}
const count = Number(values.count);
const started = performance.now();
const rate = (files: number) => Math.round(files / ((performance.now() - started) / 1000));
let found = 0;
const { ends, peak } = await fuzz(
  seeds,
  { count, seed: Number(values.seed) },
  ({ i, seed, bytes, end }) => {
    found++;
    mkdirSync(values.keep, { recursive: true });
    const file = `${values.keep}/${values.seed}-${i}.${seed.format}`;
    writeFileSync(file, bytes);
    console.log(`${file}: ${end}, from ${seed.name}`);
  },
  (files, peak) => {
    if (files % 5000 === 0) console.log(`${files}: ${rate(files)} images a second, ${peak} MB at most`);
  },
);
console.log(`${count} images of ${seeds.length} seeds, ${rate(count)} a second, ${peak} MB at most`);
for (const [end, times] of [...ends].sort(([, a], [, b]) => b - a))
  console.log(`${String(times).padStart(8)}  ${end}`);
process.exitCode = found > 0 ? 1 : 0;
