/**
 * Fast formats first: how soon a 12 MP photo is ready with a preset that says `later`, its pixels on one CPU. A process of
 * its own per row, as a preset is the functions' own module: `node bench/later.ts PROFILE FORMATS IMAGES` prints JSON.
 */
import { spawnSync } from "node:child_process";
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";
import type { Profile } from "../core/formats.ts";
import { fileOf, photo, photoSource } from "./photos.ts";
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
  const url = (path: string) => new URL(path, import.meta.url).href;
  const laterOf = formats ? { later: { formats: formats.split(","), aboveMegapixels: 1 } } : {};
  // The functions import what a user edits: the shipped presets, and this one as its user would have it.
  const edited = `
    import { defineConfig } from ${JSON.stringify(url("../core/preset.ts"))};
    import shipped from ${JSON.stringify(url("../darkroom.config.ts?shipped"))};
    const { name, recipe, ...photo } = shipped.presets.get("photo");
    export default defineConfig({ defaultPreset: "photo", presets: {
      photo: { ...photo, ...${JSON.stringify({ profile, ...laterOf })} },
    } });`;
  registerHooks({
    load: (from, context, next) =>
      from === url("../darkroom.config.ts")
        ? { format: "module", source: edited, shortCircuit: true }
        : next(from, context),
  });
  const { developed } = await import("./whole.ts");
  const bytes = await fileOf(await photo("rug"), MEGAPIXELS, "baseline JPEG");
  const found = await developed(bytes, Number(images), 1, (pid) => {
    const { status } = spawnSync("taskset", ["-a", "-p", "-c", "0", String(pid)]);
    if (status !== 0) throw new Error("taskset cannot keep the pixel process on one CPU");
  });
  console.log(JSON.stringify(found));
}
