/**
 * `npm run bench -- page FOLDER…`: what photographs weigh as Darkroom makes them and by other programs' own defaults, with what
 * they score; `bench -- written FOLDER…`: the bytes of a whole ladder, and those that bills count with. A folder has a folder for each
 * kind, as for `quality`.
 * `SQUOOSH=FOLDER` names one with `npm install node@16 @squoosh/lib@0.5.3` in it, which runs on no newer Node.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { detectFormat, writtenBytes } from "../core/formats.ts";
import { planOf, variantsOf } from "../core/plan.ts";
import type { MadeVariant, Pixels } from "../core/ports.ts";
import type { Preset } from "../core/preset.ts";
import config from "../core/shipped.ts";
import { pixelProcess } from "../pixels/process.ts";
import { scorerOf } from "../pixels/ssimulacra2.ts";
import { type Lossy, lossy } from "./encoders.ts";
import { fileOf, NO_PHOTOS, open, photo, photoNames, photoSource, rgb } from "./photos.ts";
import { type Report, type Row, round } from "./report.ts";

/** As a card on a screen of two pixels per CSS pixel, or a phone's whole width on one of 2.5. */
const WIDTH = 960;

type Files = Readonly<Record<Lossy, Buffer>>;
interface Program {
  readonly name: string;
  /** Makes all three of a PNG, or nothing where the program is not there. */
  readonly make: (png: Buffer, folder: string) => Promise<Files | undefined>;
}

const shipped = config.presets.get(config.defaultPreset);
if (!shipped) throw new Error("there is no default preset");
const ladder = { widths: [WIDTH], formats: lossy };
const asked = ["low", "good", "high"] as const;
const ours = (pixels: Pixels): Program[] =>
  asked.map((quality) => ({
    name: `darkroom, ${quality}`,
    make: async (png) => {
      const made = await develop(pixels, png, { ...shipped, named: {}, ladder, quality });
      return all((format) => Buffer.from(made.find(({ variant }) => variant.format === format)?.bytes ?? []));
    },
  }));

const VIPS = "vipsthumbnail";
const others: readonly Program[] = [
  {
    name: "sharp",
    make: async (png) => ({
      avif: await sharp(png).avif().toBuffer(),
      webp: await sharp(png).webp().toBuffer(),
      jpeg: await sharp(png).jpeg().toBuffer(),
    }),
  },
  {
    name: VIPS,
    make: async (_, folder) => {
      const env = { ...process.env, VIPSHOME: undefined };
      for (const format of lossy) {
        const args = ["in.png", "--size", `${WIDTH}x`, "-o", `out.${format}[strip]`];
        if (spawnSync(VIPS, args, { cwd: folder, env }).status !== 0) return undefined;
      }
      return all((format) => readFileSync(join(folder, `out.${format}`)));
    },
  },
  {
    name: "Squoosh",
    make: async (_, folder) => {
      const there = process.env["SQUOOSH"];
      if (there === undefined) return undefined;
      const args = ["-e", SQUOOSH, join(there, "node_modules/@squoosh/lib"), folder];
      const ran = spawnSync(join(there, "node_modules/.bin/node"), args, { encoding: "utf8" });
      if (ran.status !== 0) throw new Error(ran.stderr);
      return all((format) => readFileSync(join(folder, `squoosh.${format}`)));
    },
  },
];
const SQUOOSH = `
const [, library, folder] = process.argv;
const { readFileSync, writeFileSync } = require("node:fs");
const { ImagePool } = require(library);
(async () => {
  const pool = new ImagePool(1);
  const image = pool.ingestImage(readFileSync(folder + "/in.png"));
  await image.encode({ mozjpeg: {}, webp: {}, avif: {} });
  for (const [format, encoder] of [["avif", "avif"], ["webp", "webp"], ["jpeg", "mozjpeg"]])
    writeFileSync(folder + "/squoosh." + format, (await image.encodedWith[encoder]).binary);
  await pool.close();
})();
`;

const all = (of: (format: Lossy) => Buffer): Files => ({
  avif: of("avif"),
  webp: of("webp"),
  jpeg: of("jpeg"),
});

async function develop(pixels: Pixels, file: Buffer, preset: Preset): Promise<MadeVariant[]> {
  const format = detectFormat(file);
  if (!format) throw new Error("not an image");
  const made: MadeVariant[] = [];
  const plan = async (header: Parameters<typeof variantsOf>[0]) => planOf(header, variantsOf(header, preset));
  await pixels.develop(file, format, plan, async (variant) => {
    made.push(variant);
  });
  return made;
}

/** Every third of a kind, which the table of qualities was not fitted on. */
const heldOut = (folder: string): string[] =>
  readdirSync(folder)
    .filter((kind) => !NO_PHOTOS.includes(kind))
    .flatMap((kind) =>
      readdirSync(join(folder, kind))
        .sort()
        .filter((_, i) => i % 3 === 0)
        .map((name) => join(folder, kind, name)),
    );

interface Made {
  readonly bytes: number;
  readonly score: number;
}

type Read = { readonly width: number; readonly read: () => Promise<Buffer> };

/** Twelve megapixels of each. */
const corpus = (): Read[] =>
  photoNames.map((name) => ({
    width: 4000,
    read: async () => fileOf(await photo(name), 12, "baseline JPEG"),
  }));

/** So many of the folders', from all over them, that are as wide. */
async function photographs(folders: readonly string[], most: number, width: number): Promise<Read[]> {
  const found: Read[] = [];
  for (const path of folders.flatMap(heldOut)) {
    const { autoOrient } = await sharp(path).metadata();
    if (autoOrient.width >= width)
      found.push({ width: autoOrient.width, read: async () => readFileSync(path) });
  }
  const every = Math.max(1, found.length / most);
  return found.filter((_, i) => Math.floor(i / every) !== Math.floor((i - 1) / every));
}

const worker = () => pixelProcess({ maxRss: Number.POSITIVE_INFINITY, developSeconds: 600 });

export async function page(folders: readonly string[], quick: boolean): Promise<Report> {
  const found = await photographs(folders, quick ? 6 : 20, WIDTH);
  const shown = found.length > 0 ? found : corpus();
  const pixels = worker();
  try {
    return {
      title: "What a page of photographs weighs",
      on: `${found.length > 0 ? `${shown.length} photographs that nothing was fitted on` : photoSource}, ${WIDTH} px wide, each made from the same pixels without loss; the other programs by their own defaults. Score: SSIMULACRA 2.1. Bytes in proportion to what Darkroom takes where its tenth percentile is the same.`,
      rows: rowsOf(await compared(shown, [...ours(pixels), ...others])),
    };
  } finally {
    await pixels.close();
  }
}

/** By program, then format. A program that is not there has none. */
async function compared(files: readonly Read[], programs: readonly Program[]) {
  const found = new Map(
    programs.map(({ name }) => [name, { avif: [], webp: [], jpeg: [] } as Record<Lossy, Made[]>]),
  );
  for (const { read } of files) {
    const reference = await rgb(
      sharp(await read())
        .autoOrient()
        .resize(WIDTH)
        .toColourspace("srgb"),
    );
    const png = await open(reference).png().toBuffer();
    const score = scorerOf(reference);
    const folder = mkdtempSync(join(tmpdir(), "darkroom-page-"));
    writeFileSync(join(folder, "in.png"), png);
    for (const { name, make } of programs) {
      const made = await make(png, folder);
      for (const format of made ? lossy : [])
        found.get(name)?.[format].push({
          bytes: made?.[format].length ?? 0,
          score: score(await rgb(sharp(made?.[format]))),
        });
    }
    rmSync(folder, { recursive: true });
  }
  return found;
}

const sum = (made: readonly Made[]) => made.reduce((bytes, one) => bytes + one.bytes, 0);
const at = (made: readonly Made[], share: number) =>
  made.map(({ score }) => score).sort((a, b) => a - b)[Math.floor(share * (made.length - 1))] ?? Number.NaN;

function rowsOf(found: Awaited<ReturnType<typeof compared>>): Row[] {
  return lossy.flatMap((format) => {
    const mine = asked.map((quality) => found.get(`darkroom, ${quality}`)?.[format] ?? []);
    return [...found].map(([program, { [format]: made }]): Row => {
      if (made.length === 0) return { format, program, note: "not there: not measured" };
      return {
        ...{ format, program, "kB a picture": round(sum(made) / made.length / 1000, 1) },
        ...{ least: round(at(made, 0), 1), p10: round(at(made, 0.1), 1), median: round(at(made, 0.5), 1) },
        "bytes at the same p10": round(sum(made) / bytesAt(mine, at(made, 0.1)), 2),
      };
    });
  });
}

/** What Darkroom would take for such a tenth percentile: between two of those that were asked for, or past the last, in a line. */
function bytesAt(mine: readonly (readonly Made[])[], wanted: number): number {
  const points = mine.map((made) => ({ score: at(made, 0.1), log: Math.log(sum(made)) }));
  const high = wanted > (points[1]?.score ?? 0) ? 2 : 1;
  const [from = { score: 0, log: 0 }, to = from] = points.slice(high - 1, high + 1);
  return Math.exp(from.log + ((wanted - from.score) * (to.log - from.log)) / (to.score - from.score));
}

export async function written(folders: readonly string[], quick: boolean): Promise<Report> {
  const sets = [
    { of: photoSource, files: corpus() },
    { of: "others", files: await photographs(folders, quick ? 3 : 10, 2560) },
  ].filter(({ files }) => files.length > 0);
  const widths = shipped?.ladder?.widths ?? [];
  const rows: Row[] = [];
  const pixels = worker();
  try {
    for (const { of, files } of sets) {
      const made: MadeVariant[] = [];
      const every = { ...shipped, named: {}, ladder: { widths, formats: lossy } } as Preset;
      for (const { read } of files) made.push(...(await develop(pixels, await read(), every)));
      rows.push(...lossy.map((format) => billed(of, format, files.length, made)));
    }
  } finally {
    await pixels.close();
  }
  return {
    title: "The bytes of a ladder",
    on: "The ladder of the preset photo, every width in each format, of photographs of 2560 pixels and more; bytes in times those that bills count with.",
    rows,
  };
}

function billed(photographs: string, format: Lossy, count: number, made: readonly MadeVariant[]): Row {
  const times = (most: number) => {
    const rungs = made.filter(({ variant }) => variant.format === format && variant.shape.width <= most);
    const bytes = rungs.reduce((all, one) => all + one.bytes.length, 0);
    const counted = rungs.reduce(
      (all, { variant: { shape } }) => all + writtenBytes(format, shape.width * shape.height),
      0,
    );
    return { bytes, times: round(bytes / counted, 2) };
  };
  const [narrow, all] = [times(1280), times(Number.POSITIVE_INFINITY)];
  return {
    ...{ photographs, count, format, "kB each": round(all.bytes / count / 1000) },
    ...{ "times the bill's": all.times, "up to 1280 pixels": narrow.times },
  };
}
