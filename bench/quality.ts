/**
 * `npm run bench -- quality FOLDER…`: how evenly pictures come out, with one number for all and with a number for each.
 * A folder has a folder for each kind (`photo`, `night`, `faces`, `text`…) with pictures in it. Two thirds of the photographs
 * fit `core/quality-table.ts`, which is written anew; the others show what that is worth. Scores are kept in
 * `.cache/quality.jsonl`, so that only what was not measured before takes its time.
 */
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { type EncodeSettings, formats } from "../core/formats.ts";
import { aimOf, qualityFor } from "../core/quality.ts";
import table from "../core/quality-table.ts";
import { isGraphic, trialOf } from "../pixels/develop.ts";
import { type Picture, scorerOf } from "../pixels/ssimulacra2.ts";
import { type Lossy, lossy } from "./encoders.ts";
import { rgb } from "./photos.ts";
import { type Figure, mean, type Report, type Row, round } from "./report.ts";

const WIDTHS = [320, 640, 1280];
/** Around each format's number; what a preset may ask lies between them, or not far from them. */
const QUALITIES: Record<Lossy, readonly number[]> = {
  avif: [44, 54, 64],
  webp: [70, 80, 88],
  jpeg: [68, 78, 86],
};
/** Not fitted on: drawn pictures keep their number, and of text there is too little. */
const NO_PHOTOS = ["graphics", "text", "alpha"];
const settingsOf = (format: Lossy): EncodeSettings => {
  const { graphics: _, ...settings }: EncodeSettings = formats[format].encode.balanced;
  return settings;
};

interface Made {
  readonly bytes: number;
  readonly score: number;
}
interface Measured {
  readonly kind: string;
  readonly name: string;
  readonly width: number;
  readonly held: boolean;
  readonly graphic: boolean;
  readonly trial: readonly number[];
  readonly at: (format: Lossy, quality: number) => Promise<Made>;
}

/** @param quick only what has been measured before */
export async function quality(folders: readonly string[], quick: boolean): Promise<Report> {
  sharp.concurrency(1);
  const pictures = folders.flatMap(picturesIn);
  if (pictures.length === 0) throw new Error("which pictures? npm run bench -- quality FOLDER…");
  const measured: Measured[] = [];
  for (const picture of pictures)
    for (const width of WIDTHS) measured.push(...(await measure(picture, width, quick)));
  const fitted = measured.filter(({ kind, held }) => !held && !NO_PHOTOS.includes(kind));
  for (const format of lossy) table[format] = await tableOf(format, fitted);
  writeFileSync(
    new URL("../core/quality-table.ts", import.meta.url),
    `/** Written by \`npm run bench -- quality FOLDER…\`, formatted by \`npm run format\`. */\nexport default ${JSON.stringify(table)};\n`,
  );
  const kinds = [...new Set(pictures.map(({ kind }) => kind))].filter((kind) => kind !== "photo");
  const groups = [
    { group: "fitted", of: fitted },
    { group: "held out", of: measured.filter(({ kind, held }) => held && !NO_PHOTOS.includes(kind)) },
    ...kinds.map((group) => ({ group, of: measured.filter(({ kind }) => kind === group) })),
  ];
  const rows: Row[] = [];
  for (const format of lossy)
    for (const { group, of } of groups) rows.push(...(await compared(format, group, of)));
  return {
    title: "Quality: one number for all pictures, and a number for each",
    on: `${pictures.length} pictures, among them ${pictures.filter(({ kind }) => !NO_PHOTOS.includes(kind)).length} photographs (Kodak, CLIC 2025 and cameras of twenty years), at ${WIDTHS.join(", ")} px where they have as many, with the settings of balanced. Score: SSIMULACRA 2.1 against the lossless resize, at three qualities and linear between them; bytes in proportion to one number for all.`,
    rows,
    figures: lossy.flatMap((format) => figuresOf(format, rows)),
  };
}

interface File {
  readonly path: string;
  readonly kind: string;
  readonly name: string;
  readonly held: boolean;
}

/** Every third one of a kind is held out, by name, whatever order they are read in. */
const picturesIn = (folder: string): File[] =>
  readdirSync(folder)
    .sort()
    .flatMap((kind) =>
      readdirSync(join(folder, kind))
        .sort()
        .map((name, i) => ({ path: join(folder, kind, name), kind, name, held: i % 3 === 0 })),
    );

/** None where the picture is narrower than that. */
async function measure({ path, ...file }: File, width: number, quick: boolean): Promise<Measured[]> {
  const bytes = readFileSync(path);
  const id = createHash("sha256").update(bytes).digest("hex").slice(0, 16);
  const keyOf = (format: Lossy, quality: number) =>
    `${id} ${width} ${format} ${JSON.stringify({ ...settingsOf(format), quality })}`;
  const keys = lossy.flatMap((format) => QUALITIES[format].map((quality) => keyOf(format, quality)));
  if (quick && !keys.every((key) => known.has(key))) return [];
  const { autoOrient } = await sharp(bytes).metadata();
  if (autoOrient.width < width) return [];
  const image = sharp(bytes)
    .autoOrient()
    .resize(width)
    .flatten({ background: "#ffffff" })
    .toColourspace("srgb");
  const picture = await rgb(image);
  const raster = { ...picture, channels: 3, frames: 1 } as const;
  const trial = await trialOf(raster);
  if (!trial) return [];
  const again = once(async () => rgb(image.clone()));
  return [
    {
      ...file,
      width,
      graphic: isGraphic(raster),
      trial,
      at: (format, quality) =>
        cached(keyOf(format, quality), async () => scored(await again(), format, quality)),
    },
  ];
}

/** The last picture alone is held: all would be some gigabytes. */
let last: { readonly of: unknown; readonly picture: Promise<Picture> } | undefined;
const once = (make: () => Promise<Picture>) => () => {
  if (last?.of !== make) last = { of: make, picture: make() };
  return last.picture;
};
let scorer: { readonly of: Picture; readonly score: (other: Picture) => number } | undefined;

async function scored(picture: Picture, format: Lossy, quality: number): Promise<Made> {
  const { data, width, height } = picture;
  const file = await sharp(data, { raw: { width, height, channels: 3 } })
    .toFormat(format, { ...settingsOf(format), quality })
    .toBuffer();
  if (scorer?.of !== picture) scorer = { of: picture, score: scorerOf(picture) };
  return { bytes: file.length, score: round(scorer.score(await rgb(sharp(file))), 4) };
}

const kept = new URL("../.cache/quality.jsonl", import.meta.url);
const known = new Map<string, Made>();
if (existsSync(kept)) {
  for (const line of readFileSync(kept, "utf8").split("\n")) {
    const { key, ...made } = line === "" ? {} : JSON.parse(line);
    if (key) known.set(key, made);
  }
}

async function cached(key: string, make: () => Promise<Made>): Promise<Made> {
  const made = known.get(key) ?? (await make());
  if (!known.has(key)) {
    mkdirSync(new URL("./", kept), { recursive: true });
    appendFileSync(kept, `${JSON.stringify({ key, ...made })}\n`);
    known.set(key, made);
  }
  return made;
}

/** Weights of the trial's numbers for the score at each of the qualities, the constant first. */
async function tableOf(format: Lossy, of: readonly Measured[]) {
  const qualities = [...QUALITIES[format]];
  const weights: number[][] = [];
  for (const quality of qualities) {
    const reached: number[] = [];
    for (const { at } of of) reached.push((await at(format, quality)).score);
    weights.push(
      ridge(
        of.map(({ trial }) => trial),
        reached,
      ).map((weight) => Number(weight.toPrecision(4))),
    );
  }
  return { qualities, weights };
}

/** How much large weights are held against a fit, where columns have a variance of 1: by what was held out. */
const RIDGE = 0.03;

/** Least squares over columns of one variance, with a price on large weights; the constant first. */
function ridge(numbers: readonly (readonly number[])[], wanted: readonly number[]): number[] {
  const count = wanted.length;
  const average = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / count;
  const columns = (numbers[0] ?? []).map((_, i) => numbers.map((row) => row[i] ?? 0));
  const means = columns.map(average);
  const deviations = columns.map(
    (column, i) => Math.sqrt(average(column.map((n) => (n - (means[i] ?? 0)) ** 2))) || 1,
  );
  const level = columns.map((column, i) => column.map((n) => (n - (means[i] ?? 0)) / (deviations[i] ?? 1)));
  const dot = (a: readonly number[], b: readonly number[]) =>
    a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
  const constant = average(wanted);
  const above = wanted.map((value) => value - constant);
  const rows = level.map((column, i) => [
    ...level.map((other, j) => dot(column, other) + (i === j ? RIDGE * count : 0)),
    dot(column, above),
  ]);
  const weights = solved(rows).map((weight, i) => weight / (deviations[i] ?? 1));
  return [constant - dot(weights, means), ...weights];
}

/** Gauss and Jordan. The matrix is symmetric with a ridge: no row has to be exchanged. */
function solved(rows: number[][]): number[] {
  for (const [i, pivot] of rows.entries()) {
    for (const [j, row] of rows.entries()) {
      if (i === j) continue;
      const times = (row[i] ?? 0) / (pivot[i] ?? 1);
      for (let k = i; k < row.length; k++) row[k] = (row[k] ?? 0) - times * (pivot[k] ?? 0);
    }
  }
  return rows.map((row, i) => (row.at(-1) ?? 0) / (row[i] ?? 1));
}

/** At any quality, by those that were measured around it: between them the score is linear, and so is the logarithm of the bytes. */
async function between({ at }: Measured, format: Lossy, quality: number): Promise<Made> {
  const next = QUALITIES[format].findIndex(
    (one, i, all) => i > 0 && (one >= quality || i === all.length - 1),
  );
  const [low = 0, high = 0] = QUALITIES[format].slice(next - 1, next + 1);
  const [from, to] = [await at(format, low), await at(format, high)];
  const share = (quality - low) / (high - low);
  return {
    score: from.score + share * (to.score - from.score),
    bytes: Math.round(from.bytes * (to.bytes / from.bytes) ** share),
  };
}

/** A row for one number, and one for each its own. */
async function compared(format: Lossy, group: string, of: readonly Measured[]): Promise<Row[]> {
  const fixed: Made[] = [];
  const chosen: Made[] = [];
  const { quality } = settingsOf(format);
  for (const one of of) {
    const aim = one.graphic ? undefined : aimOf(format, "good", one.width);
    const own = aim ? qualityFor(format, settingsOf(format), aim, one.trial) : quality;
    fixed.push(await between(one, format, quality));
    chosen.push(await between(one, format, own));
  }
  const ratio = mean(chosen.map(({ bytes }, i) => bytes / (fixed[i]?.bytes ?? 1)));
  const sum = (made: readonly Made[]) => made.reduce((total, { bytes }) => total + bytes, 0);
  const rowOf = (by: string, made: readonly Made[]) => {
    const sorted = made.map(({ score }) => score).sort((a, b) => a - b);
    const at = (share: number) => round(sorted[Math.round(share * (sorted.length - 1))] ?? Number.NaN, 1);
    return {
      format,
      pictures: `${group} (${of.length})`,
      by,
      ...{
        least: at(0),
        p10: at(0.1),
        p25: at(0.25),
        median: at(0.5),
        p75: at(0.75),
        p90: at(0.9),
        most: at(1),
        spread: round(at(0.9) - at(0.1), 1),
      },
    };
  };
  return [
    { ...rowOf("one number", fixed), "bytes, sum": 1, "bytes, mean": 1 },
    {
      ...rowOf("its own", chosen),
      "bytes, sum": round(sum(chosen) / sum(fixed), 3),
      "bytes, mean": round(ratio, 3),
    },
  ];
}

/** What is promised of pictures that nothing was fitted on. */
function figuresOf(format: Lossy, rows: readonly Row[]): Figure[] {
  const [one, own] = rows.filter(
    (row) => row["format"] === format && String(row["pictures"]).startsWith("held out"),
  );
  const [spread, before] = [Number(own?.["spread"]), Number(one?.["spread"])];
  return [
    {
      what: `${format}: spread of the score, in times one number's`,
      value: round(spread / before, 2),
      atMost: 0.6,
    },
    {
      what: `${format}: tenth percentile of the score`,
      value: Number(own?.["p10"]),
      atLeast: Number(one?.["p10"]),
    },
    { what: `${format}: least score`, value: Number(own?.["least"]), atLeast: Number(one?.["least"]) },
    { what: `${format}: bytes, in times one number's`, value: Number(own?.["bytes, sum"]), atMost: 1 },
  ];
}
