/**
 * Fast formats first: how soon a 12 MP photo is ready with a preset that says `later`, its pixels on one CPU. A process of
 * its own per row, as a preset is the functions' own module: `node bench/later.ts PROFILE FORMATS IMAGES` prints JSON.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Profile } from "../core/formats.ts";
import shipped from "../core/shipped.ts";
import { fileOf, photo as photoOf, photoSource } from "./photos.ts";
import { type Report, round } from "./report.ts";
import type { Developed } from "./whole.ts";

const MEGAPIXELS = 12.3;
const rows: readonly { profile: Profile; later: string }[] = [
  { profile: "balanced", later: "" },
  { profile: "balanced", later: "avif" },
  { profile: "balanced", later: "avif,webp" },
  { profile: "fast", later: "avif" },
];
/** The rows that are promised to be ready within a second. */
const isFast = ({ profile, later }: (typeof rows)[number]) => later === "avif,webp" || profile === "fast";

export async function later(quick: boolean): Promise<Report> {
  const images = quick ? 5 : 15;
  const measured = rows.map((row) => {
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      [fileURLToPath(import.meta.url), row.profile, row.later, String(images)],
      { encoding: "utf8" },
    );
    if (status !== 0) throw new Error(`later ${row.profile}: ${stderr}`);
    const { waits }: Developed = JSON.parse(stdout);
    return { ...row, p50: waits[waits.length >> 1] ?? Number.NaN, most: waits.at(-1) ?? Number.NaN };
  });
  return {
    title: "Fast formats first",
    on: `${photoSource}: a ${MEGAPIXELS} MP baseline JPEG through the local stack, ${images} one after the other, all of the preset photo; the pixel process on one CPU. Time from the end of the upload to the commit as ready.`,
    rows: measured.map(({ profile, later, p50, most }) => ({
      profile,
      later: later.replace(",", ", ") || "nothing",
      "ready, p50": `${round(p50 / 1000, 2)} s`,
      "ready, at most": `${round(most / 1000, 2)} s`,
    })),
    figures: measured.filter(isFast).map(({ profile, later, p50 }) => ({
      what: `${profile}, ${later.replace(",", " and ")} later: ready after the upload`,
      value: round(p50 / 1000, 2),
      unit: "s",
      atMost: 1,
    })),
  };
}

if (import.meta.main) {
  const [profile = "", formats = "", images = "1"] = process.argv.slice(2);
  const laterOf = formats ? { later: { formats: formats.split(","), aboveMegapixels: 1 } } : {};
  const { name: _, recipe: __, ...photo } = shipped.presets.get("photo") ?? {};
  const presets = { photo: { ...photo, profile, ...laterOf } };
  const preset = JSON.stringify(new URL("../core/preset.ts", import.meta.url));
  const edited = JSON.stringify({ defaultPreset: "photo", presets });
  const folder = mkdtempSync(join(tmpdir(), "darkroom-later-"));
  const file = join(folder, "presets.mjs");
  writeFileSync(file, `import { defineConfig } from ${preset}; export default defineConfig(${edited});`);
  process.env["DARKROOM_CONFIG"] = file;
  const { developed } = await import("./whole.ts");
  const bytes = await fileOf(await photoOf("rug"), MEGAPIXELS, "baseline JPEG");
  const found = await developed(bytes, Number(images), 1, (pid) => {
    const { status } = spawnSync("taskset", ["-a", "-p", "-c", "0", String(pid)]);
    if (status !== 0) throw new Error("taskset cannot keep the pixel process on one CPU");
  });
  rmSync(folder, { recursive: true });
  console.log(JSON.stringify(found));
}
