/**
 * What it costs to see whether pixels are missing of photographs that lack none: the look that every JPEG gets, and the walk
 * through the codes of those whose corner is of a middle grey, against the CPU time of developing.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { walkJpeg } from "../pixels/look/jpeg.ts";
import { mayLackItsEnd } from "../pixels/look/jpeg-end.ts";
import { inputs, run } from "./develop.ts";
import { fileOf, photo, photoSource, resized } from "./photos.ts";
import { median, type Report, round } from "./report.ts";

const PROFILE = "balanced";
/** Of photographs, those with such a corner: `pixels/look/jpeg-end.ts`. */
const WALKED = 0.01;

/** CPU time of one call in milliseconds, of so many: a single one is shorter than what a clock tells. */
function cpuOf(calls: number, call: () => void): number {
  const before = process.cpuUsage();
  for (let i = 0; i < calls; i++) call();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / calls;
}

export async function look(quick: boolean): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), "darkroom-bench-"));
  const file = join(folder, "source");
  const [turns, walks] = quick ? [1, 1] : [3, 5];
  const rows = [];
  for (const [name, megapixels, kind] of inputs) {
    const picture = await photo(name);
    const bytes = await fileOf(picture, megapixels, kind);
    writeFileSync(file, bytes);
    const small = { ...(await resized(picture, 2560)), channels: 3 as const, frames: 1 };
    const usual = cpuOf(100_000, () => mayLackItsEnd(bytes, small));
    if (walkJpeg(bytes) !== "whole") throw new Error("a photograph that lacks something");
    const walk = cpuOf(walks, () => walkJpeg(bytes));
    const developing = median(
      Array.from({ length: turns }, () => run({ kind: "darkroom", file, profile: PROFILE }).cpu),
    );
    rows.push({
      photo: `${megapixels} MP ${kind}`,
      "developing, ms": round(developing),
      "look, ms": round(usual, 5),
      "walk, ms": round(walk, 1),
      "walk, %": round((100 * walk) / developing, 1),
      "look of all, %": round((100 * (usual + WALKED * walk)) / developing, 3),
    });
  }
  rmSync(folder, { recursive: true });
  return {
    title: "CPU of the look for missing pixels, in proportion to developing the preset photo",
    on: `${photoSource}; profile ${PROFILE}, median of ${turns}; the look 100,000 times, the walk ${walks} times. Of all photographs one in a hundred is walked.`,
    rows,
    figures: rows.map((row) => ({
      what: `${row.photo}, of all`,
      value: row["look of all, %"],
      unit: "%",
      atMost: 0.5,
    })),
  };
}
