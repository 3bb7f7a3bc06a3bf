/**
 * What HEICs cost, by their size: `node bench/heic-memory.ts [file.heic …]`, by default those of the corpus. Each is
 * developed by the preset `photo` in a child of its own. The pixel limit in `core/formats.ts` follows from it.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { planOf, variantsOf } from "../core/plan.ts";
import config from "../core/shipped.ts";
import { pixelProcess } from "../pixels/process.ts";
import { lastChild, peakMb, resetPeak } from "./peak.ts";

const corpus = fileURLToPath(new URL("../../shared/corpus/valid/heic/", import.meta.url));
const given = process.argv.slice(2);
const files =
  given.length > 0 || !existsSync(corpus) ? given : readdirSync(corpus).map((name) => corpus + name);
if (files.length === 0) console.log("no corpus here: name the files to measure");

const preset = config.presets.get("photo");
if (!preset) throw new Error("there is no preset called photo");
const rows: Record<string, string | number>[] = [];
for (const file of files) {
  const pixels = pixelProcess({ maxRss: Number.POSITIVE_INFINITY, developSeconds: 600 });
  const bytes = readFileSync(file);
  let planned = 0;
  let first = 0;
  let decodePeak = 0;
  const { header } = await pixels.develop(
    bytes,
    "heic",
    async (header) => {
      resetPeak(lastChild());
      planned = performance.now();
      return planOf(header, variantsOf(header, preset));
    },
    async () => {
      first ||= performance.now();
      decodePeak ||= peakMb(lastChild());
    },
  );
  rows.push({
    file: basename(file),
    MP: Math.round((header.width * header.height) / 100_000) / 10,
    "MB until the first variant": decodePeak,
    "MB at the peak": peakMb(lastChild()),
    "s until the first variant": Math.round((first - planned) / 100) / 10,
    "s in all": Math.round((performance.now() - planned) / 100) / 10,
  });
  await pixels.close();
}
rows.sort((a, b) => Number(a["MP"]) - Number(b["MP"]));
console.table(rows);
