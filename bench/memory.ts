/** How much memory the pixel process takes: at its peak over one large picture, and after 200 mixed ones. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { detectFormat } from "../core/formats.ts";
import { planOf, variantsOf } from "../core/plan.ts";
import config from "../core/shipped.ts";
import { pixelProcess } from "../pixels/process.ts";
import { run } from "./develop.ts";
import { lastChild, peakMb, rssMb } from "./peak.ts";
import { fileOf, type Kind, open, photo, photoNames, photoSource, rgb } from "./photos.ts";
import type { Figure, Report, Row } from "./report.ts";

const large: { kind: Kind; atMost: number }[] = [
  { kind: "baseline JPEG", atMost: 300 },
  { kind: "progressive JPEG", atMost: 480 },
  { kind: "16-bit interlaced PNG", atMost: 560 },
];
const MIXED = 200;

export async function memory(): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), "darkroom-bench-"));
  const file = join(folder, "source");
  const rows: Row[] = [];
  const figures: Figure[] = [];
  const koi = await photo("koi");
  // Smooth enough to be within the 25 MB that a file may have.
  const smooth = await rgb(open(koi).blur(30));
  for (const { kind, atMost } of large) {
    const bytes = await fileOf(kind === "16-bit interlaced PNG" ? smooth : koi, 48, kind);
    writeFileSync(file, bytes);
    const { peak } = run({ kind: "darkroom", file, profile: "balanced" });
    rows.push({ what: `48 MP ${kind}, ${Math.round(bytes.length / 1e6)} MB`, "peak, MB": peak });
    figures.push({ what: `peak over a 48 MP ${kind}`, value: peak, unit: "MB", atMost });
  }
  rmSync(folder, { recursive: true });
  const after = await mixed();
  rows.push({
    what: `${MIXED} mixed pictures in one process, after the last`,
    "peak, MB": after.peak,
    "resident, MB": after.rss,
  });
  figures.push({ what: `resident after ${MIXED} mixed pictures`, value: after.rss, unit: "MB", atMost: 450 });
  return {
    title: "Memory of the pixel process",
    on: `${photoSource}; preset photo, balanced.`,
    rows,
    figures,
  };
}

async function mixed(): Promise<{ peak: number; rss: number }> {
  const preset = config.presets.get("photo");
  if (!preset) throw new Error("there is no preset called photo");
  const sources: Buffer[] = [];
  for (const name of photoNames) {
    const picture = await photo(name);
    for (const megapixels of [0.3, 2, 12])
      for (const kind of ["baseline JPEG", "progressive JPEG", "PNG"] as const) {
        // 20 MB of PNG times four would only measure how long they take.
        if (kind !== "PNG" || megapixels < 12) sources.push(await fileOf(picture, megapixels, kind));
      }
  }
  const pixels = pixelProcess({ maxRss: Number.POSITIVE_INFINITY });
  let rss = 0;
  for (let i = 0; i < MIXED; i++) {
    const source = sources[(i * 7) % sources.length] ?? Buffer.alloc(0);
    const format = detectFormat(source);
    if (!format) throw new Error("not an image");
    await pixels.develop(
      source,
      format,
      async (header) => planOf(header, variantsOf(header, { ...preset, profile: "fast" })),
      async () => {},
    );
    rss = rssMb(lastChild());
  }
  const peak = peakMb(lastChild());
  await pixels.close();
  return { peak, rss };
}
