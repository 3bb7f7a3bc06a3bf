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
import { type EncodeSettings, formats, type Profile } from "../core/formats.ts";
import { digest } from "../core/keys.ts";
import type { PlannedVariant } from "../core/plan.ts";
import { aimOf, isUnlike, isUnsure, numbersOf, predictedBy, qualityFor, rules } from "../core/quality.ts";
import table from "../core/quality-table.ts";
import { encoded, type Graphic, graphicOf } from "../pixels/develop.ts";
import { type Picture, scorerOf } from "../pixels/ssimulacra2.ts";
import { numbersOfFile, trialOf } from "../pixels/trial.ts";
import { type Lossy, lossy } from "./encoders.ts";
import { ladderFigures } from "./ladder.ts";
import { NO_PHOTOS, rgb } from "./photos.ts";
import { type Figure, mean, type Report, type Row, round } from "./report.ts";

const WIDTHS = [320, 640, 1280];
/**
 * Around each format's number; what a preset may ask lies between them, or not far from them. From 75 on a step of WebP's is three of
 * those below (libwebp's `QualityToCompression`).
 */
const QUALITIES: Record<Lossy, readonly number[]> = {
  avif: [44, 54, 64],
  webp: [70, 75, 80, 88],
  jpeg: [66, 76, 85],
};
/** Of graphics, whose files are looked at: where they may be raised to as well. */
const LOOKED_AT: Record<Lossy, readonly number[]> = {
  avif: [44, 54, 64, 76, 88],
  webp: [68, 80, 90, 97],
  jpeg: [64, 76, 86, 94],
};
/** Where a line through what was seen is to hold: what is far worse is raised by as much as can be, what is far better stays. */
const WITHIN = { least: 40, most: 92 } as const;
const settingsOf = (format: Lossy): EncodeSettings => {
  const { graphics: _, ...settings }: EncodeSettings = formats[format].encode.balanced;
  return settings;
};
const drawnSettingsOf = (format: Lossy): EncodeSettings => {
  const { graphics, ...settings }: EncodeSettings = formats[format].encode.balanced;
  return { ...settings, ...graphics?.settings };
};

type Size = Pick<Picture, "width" | "height">;
interface Made {
  readonly bytes: number;
  readonly score: number;
  readonly numbers?: readonly number[];
}
interface Measured {
  readonly kind: string;
  readonly name: string;
  readonly width: number;
  readonly held: boolean;
  readonly graphic: Graphic | undefined;
  /** Of what its file is, which says how large its trial is. */
  readonly whole: Size;
  readonly trial: readonly number[];
  /** As of a file of this size, whose trial is smaller. */
  readonly small: Pick<Measured, "whole" | "trial"> | undefined;
  readonly at: (format: Lossy, quality: number) => Promise<Made>;
  /** What ships, encoded. */
  readonly shipped: (format: Lossy, profile: Profile, again: boolean, whole: Size) => Promise<Made>;
  /** What a look at the file says. */
  readonly seen: (format: Lossy, quality: number) => Promise<readonly number[]>;
  /** With the settings for graphics, and what a look at that file says. */
  readonly drawn: (format: Lossy, quality: number) => Promise<Made>;
}

const isGraphic = ({ graphic, trial }: Pick<Measured, "graphic" | "trial">): boolean =>
  (graphic !== undefined && graphic !== "smooth") || isUnlike(trial);

/** @param quick only what has been measured before */
export async function quality(folders: readonly string[], quick: boolean): Promise<Report> {
  sharp.concurrency(1);
  const pictures = folders.flatMap(picturesIn);
  if (pictures.length === 0) throw new Error("which pictures? npm run bench -- quality FOLDER…");
  const measured: Measured[] = [];
  for (const picture of pictures) {
    const graphic = await drawnIn(picture.path);
    for (const width of WIDTHS) measured.push(...(await measure(picture, width, graphic, quick)));
  }
  const fitted = measured.filter(({ kind, held }) => !held && !NO_PHOTOS.includes(kind));
  const trials = fitted.map(({ trial }) => trial);
  table.axes = axesOf(trials);
  const { means, deviations } = level(trials);
  table.photographs = { means: short(means), deviations: short(deviations) };
  for (const format of lossy) table[format] = await tableOf(format, fitted);
  for (const format of looked) table.seen[format] = await lookOf(format, fitted);
  const graphics = measured.filter(({ held }) => !held).filter(isGraphic);
  for (const format of lossy) table.drawn[format] = await graphicLookOf(format, graphics);
  writeFileSync(
    new URL("../core/quality-table.ts", import.meta.url),
    `/** Written by \`npm run bench -- quality FOLDER…\`, formatted by \`npm run format\`. */\nexport default ${JSON.stringify(table)};\n`,
  );
  const kinds = [...new Set(pictures.map(({ kind }) => kind))].filter((kind) => kind !== "photo");
  const groups = [
    { group: "fitted", of: fitted },
    { group: "held out", of: measured.filter(({ kind, held }) => held && !NO_PHOTOS.includes(kind)) },
    {
      group: "held out, of a file no larger",
      of: measured
        .filter(({ kind, held, width }) => held && !NO_PHOTOS.includes(kind) && width < 1000)
        .flatMap((one) => (one.small ? { ...one, ...one.small } : [])),
    },
    {
      group: "drawn, held out",
      of: measured.filter(({ kind, held }) => held && kind !== "alpha" && NO_PHOTOS.includes(kind)),
    },
    ...kinds.map((group) => ({ group, of: measured.filter(({ kind }) => kind === group) })),
  ];
  const photographs = pictures.filter(({ kind }) => !NO_PHOTOS.includes(kind));
  const large = photographs
    .filter(({ path }) => /\.jpe?g$/i.test(path))
    .filter((_, i) => i % 4 === 1)
    .slice(0, quick ? 7 : 24);
  const rows: Row[] = [];
  for (const format of lossy)
    for (const { group, of } of groups) rows.push(...(await compared(format, group, of)));
  const small = measured.filter(({ kind, held, width }) => held && !NO_PHOTOS.includes(kind) && width < 1000);
  for (const format of looked) rows.push(...(await inBest(format, small)));
  return {
    title: "Quality: one number for all pictures, and a number for each",
    on: `${pictures.length} pictures, among them ${photographs.length} photographs (Kodak, CLIC 2025 and cameras of twenty years), at ${WIDTHS.join(", ")} px where they have as many, with the settings of balanced. Score: SSIMULACRA 2.1 against the lossless resize: of files as they ship, and of what was fitted on and of one number at three or four qualities and linear between them; bytes in proportion to one number for all.`,
    rows,
    figures: [
      ...lossy.flatMap((format) => figuresOf(format, rows, photographs.length)),
      ...(await ladderFigures(
        large.map(({ path }) => path),
        ["balanced", "best"],
      )),
    ],
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

const flat = (path: string, width?: number) =>
  sharp(path).autoOrient().resize(width).flatten({ background: "#ffffff" }).toColourspace("srgb");

/** As of the whole picture, whatever becomes of it in smaller ones. */
async function drawnIn(path: string): Promise<Graphic | undefined> {
  const { autoOrient } = await sharp(path).metadata();
  const picture = await rgb(flat(path, Math.min(2560, autoOrient.width)));
  return graphicOf(rasterOf(picture));
}

/** None where the picture is narrower than that. */
async function measure(
  { path, ...file }: File,
  width: number,
  graphic: Graphic | undefined,
  quick: boolean,
): Promise<Measured[]> {
  const bytes = readFileSync(path);
  const id = createHash("sha256").update(bytes).digest("hex").slice(0, 16);
  const keyOf = (format: Lossy, quality: number) =>
    `${id} ${width} ${format} ${JSON.stringify({ ...settingsOf(format), quality })}`;
  const drawnKeyOf = (format: Lossy, quality: number) =>
    `${id} ${width} ${format} ${JSON.stringify({ ...drawnSettingsOf(format), quality })}`;
  // Of what is drawn one number is what it has been, and nothing is predicted.
  const needed = (format: Lossy) =>
    graphic && graphic !== "smooth"
      ? [
          keyOf(format, settingsOf(format).quality),
          ...(file.held ? [] : LOOKED_AT[format].map((quality) => drawnKeyOf(format, quality))),
        ]
      : QUALITIES[format].map((quality) => keyOf(format, quality));
  const keys = lossy.flatMap(needed);
  if (quick && !keys.every((key) => known.has(key))) return [];
  const { autoOrient } = await sharp(bytes).metadata();
  if (autoOrient.width < width) return [];
  const image = flat(path, width);
  const picture = await rgb(image);
  const raster = rasterOf(picture);
  const trial = trialOf({ ...raster }, WHOLE);
  const small = trialOf(raster, raster);
  const { height } = picture;
  if (!trial) return [];
  const pixels = once(async () => rgb(image.clone()));
  return [
    {
      ...file,
      width,
      graphic,
      whole: WHOLE,
      trial,
      small: small && { whole: { width, height }, trial: small },
      at: (format, quality) =>
        cached(keyOf(format, quality), async () => {
          const picture = await pixels();
          return scoredFile(picture, await fileOf(picture, format, { ...settingsOf(format), quality }));
        }),
      shipped: async (format, profile, again, whole) => {
        const { again: asked, ...aim } = aimOf(format, "good", width, profile) ?? { score: 0, table: "" };
        // Of the table as it is fitted now.
        const { drawn, ...predicting } = table;
        const parts = isGraphic({ graphic, trial }) ? table : { ...predicting, ...(graphic && { graphic }) };
        const decides = digest(JSON.stringify([parts, ...rules, whole]));
        const by = { ...aim, table: decides, ...(asked && again && { again: asked }) };
        const how = { format, encode: formats[format].encode[profile], aim: by };
        return cached(`${id} ${width} ${JSON.stringify(how)}`, async () =>
          scoredFile(await pixels(), await encodedAs(await pixels(), how, graphic, whole)),
        );
      },
      seen: async (format, quality) => {
        const made = cached(`${keyOf(format, quality)} seen`, async () => {
          const picture = await pixels();
          const file = await fileOf(picture, format, { ...settingsOf(format), quality });
          return { bytes: file.length, score: 0, numbers: await seenIn(picture, file) };
        });
        return (await made).numbers ?? [];
      },
      drawn: (format, quality) =>
        cached(drawnKeyOf(format, quality), async () => {
          const picture = await pixels();
          const file = await fileOf(picture, format, { ...drawnSettingsOf(format), quality });
          return { ...(await scoredFile(picture, file)), numbers: await seenIn(picture, file) };
        }),
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

function fileOf({ data, width, height }: Picture, format: Lossy, settings: EncodeSettings): Promise<Buffer> {
  const image = sharp(data, { raw: { width, height, channels: 3 } });
  return image.toFormat(format, settings).toBuffer();
}

async function scoredFile(picture: Picture, file: Buffer): Promise<Made> {
  if (scorer?.of !== picture) scorer = { of: picture, score: scorerOf(picture) };
  return { bytes: file.length, score: round(scorer.score(await rgb(sharp(file))), 4) };
}

const rasterOf = (picture: Picture) => ({ ...picture, channels: 3, frames: 1 }) as const;

async function seenIn(picture: Picture, file: Buffer): Promise<readonly number[]> {
  return numbersOfFile(rasterOf(picture), file.length, rasterOf(await rgb(sharp(file)))) ?? [];
}

const encodedAs = (
  picture: Picture,
  how: Pick<PlannedVariant, "format" | "encode" | "aim">,
  graphic: Graphic | undefined,
  whole: Size,
) => {
  const shape = { width: picture.width, height: picture.height };
  return encoded(
    rasterOf(picture),
    { ...how, name: "", shape, frames: 1, background: "#ffffff" },
    graphic,
    whole,
  );
};

/** What rungs are of: a photo by a camera. */
const WHOLE = { width: 4000, height: 3000 };

/** To be deleted where what a trial or a look says changes. */
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

const average = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const dot = (a: readonly number[], b: readonly number[]) =>
  a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
const short = (numbers: readonly number[]) => numbers.map((number) => Number(number.toPrecision(5)));

/** Weights of what a trial says for the score at each of the qualities, the constant first, and what pictures usually score. */
async function tableOf(format: Lossy, of: readonly Measured[]) {
  const qualities = [...QUALITIES[format]];
  const numbers = of.map(({ trial }) => numbersOf(trial));
  const usual: number[] = [];
  const weights: number[][] = [];
  for (const quality of qualities) {
    const reached: number[] = [];
    for (const { at } of of) reached.push((await at(format, quality)).score);
    usual.push(average(reached));
    weights.push(short(ridge(numbers, reached)));
  }
  return { qualities, usual: short(usual), weights };
}

const looked = Object.keys(table.seen) as (keyof typeof table.seen)[];

/** Weights of what a look at a file says, and of what the trial predicts there, for its score at whichever quality. */
async function lookOf(format: Lossy, of: readonly Measured[]): Promise<number[]> {
  const numbers: number[][] = [];
  const reached: number[] = [];
  for (const { trial, seen, at } of of) {
    const predicted = predictedBy(format, trial);
    for (const [i, quality] of table[format].qualities.entries()) {
      numbers.push([...numbersOf(await seen(format, quality)), predicted[i] ?? 0]);
      reached.push((await at(format, quality)).score);
    }
  }
  return short(ridge(numbers, reached));
}

/** Weights of what a look at a graphic's file says, for its score at whichever quality. */
async function graphicLookOf(format: Lossy, of: readonly Measured[]): Promise<number[]> {
  const all: Made[] = [];
  for (const { drawn } of of) for (const quality of LOOKED_AT[format]) all.push(await drawn(format, quality));
  const made = all.filter(({ score }) => score > WITHIN.least && score < WITHIN.most);
  return short(
    ridge(
      made.map(({ numbers }) => numbers ?? []),
      made.map(({ score }) => score),
    ),
  );
}

/** Columns of one variance around 0. */
function level(numbers: readonly (readonly number[])[]) {
  const all = (numbers[0] ?? []).map((_, i) => numbers.map((row) => row[i] ?? 0));
  const means = all.map(average);
  const deviations = all.map(
    (column, i) => Math.sqrt(average(column.map((n) => (n - (means[i] ?? 0)) ** 2))) || 1,
  );
  const columns = all.map((column, i) => column.map((n) => (n - (means[i] ?? 0)) / (deviations[i] ?? 1)));
  /** A line through such columns, as one through the numbers as they were; its constant first. */
  const unlevel = (weights: readonly number[], constant: number) => {
    const own = weights.map((weight, i) => weight / (deviations[i] ?? 1));
    return [constant - dot(own, means), ...own];
  };
  return { columns, unlevel, means, deviations };
}

/** How many: with two the spread is wider, and with four what is rare comes out worse. */
const AXES = 3;

/** In which trials differ most, with a variance of 1: the principal components, one after the other by power iteration. */
function axesOf(trials: readonly (readonly number[])[]): number[][] {
  const { columns, unlevel } = level(trials);
  const alike = columns.map((a) => columns.map((b) => dot(a, b) / trials.length));
  return Array.from({ length: AXES }, () => {
    let axis = columns.map(() => 1);
    let variance = 1;
    for (let i = 0; i < 500; i++) {
      const next = alike.map((row) => dot(row, axis));
      variance = Math.hypot(...next);
      axis = next.map((n) => n / variance);
    }
    for (const [i, row] of alike.entries())
      for (const j of row.keys()) row[j] = (row[j] ?? 0) - variance * (axis[i] ?? 0) * (axis[j] ?? 0);
    return short(
      unlevel(
        axis.map((n) => n / Math.sqrt(variance)),
        0,
      ),
    );
  });
}

/** How much large weights are held against a fit, where columns have a variance of 1: by what was held out. */
const RIDGE = 0.03;

/** Least squares over columns of one variance, with a price on large weights; the constant first. */
function ridge(numbers: readonly (readonly number[])[], wanted: readonly number[]): number[] {
  const { columns, unlevel } = level(numbers);
  const constant = average(wanted);
  const above = wanted.map((value) => value - constant);
  const rows = columns.map((column, i) => [
    ...columns.map((other, j) => dot(column, other) + (i === j ? RIDGE * wanted.length : 0)),
    dot(column, above),
  ]);
  return unlevel(solved(rows), constant);
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
  if (QUALITIES[format].includes(quality)) return at(format, quality);
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

/** As balanced ships it: of what is held out or looked at, and of no photographs, the file itself, else at the quality that is predicted. */
function own(one: Measured, format: Lossy): Promise<Made> {
  const aim = aimOf(format, "good", one.width, "balanced");
  const isFile = one.held || NO_PHOTOS.includes(one.kind) || one.graphic || isGraphic(one);
  if (isFile || !aim || isUnsure(format, aim, one.width, one.trial))
    return one.shipped(format, "balanced", false, one.whole);
  return between(one, format, qualityFor(format, settingsOf(format), aim, one.trial));
}

/** A row for one number, and one for each its own. */
async function compared(format: Lossy, group: string, of: readonly Measured[]): Promise<Row[]> {
  const fixed: Made[] = [];
  const chosen: Made[] = [];
  for (const one of of) {
    fixed.push(await between(one, format, settingsOf(format).quality));
    chosen.push(await own(one, format));
  }
  const ratio = mean(chosen.map(({ bytes }, i) => bytes / (fixed[i]?.bytes ?? 1)));
  const pictures = `${group} (${of.length})`;
  return [
    { format, pictures, by: "one number", ...spreadOf(fixed), "bytes, sum": 1, "bytes, mean": 1 },
    {
      ...{ format, pictures, by: "its own", ...spreadOf(chosen) },
      "bytes, sum": round(bytesOf(chosen) / bytesOf(fixed), 3),
      "bytes, mean": round(ratio, 3),
    },
  ];
}

/** With balanced's looks, of WebPs of unusual photographs alone, and with those of best. */
async function inBest(format: Lossy, of: readonly Measured[]): Promise<Row[]> {
  const first: Made[] = [];
  const second: Made[] = [];
  for (const one of of) {
    const aim = aimOf(format, "good", one.width, "best");
    first.push(await one.shipped(format, "best", false, one.whole));
    second.push(
      await one.shipped(
        format,
        "best",
        !isGraphic(one) && !!aim && isUnsure(format, aim, one.width, one.trial),
        one.whole,
      ),
    );
  }
  const bytes = mean(second.map((made, i) => made.bytes / (first[i]?.bytes ?? 1)));
  const pictures = `held out, in best (${of.length})`;
  return [
    { format, pictures, by: "as balanced looks", ...spreadOf(first), "bytes, sum": 1, "bytes, mean": 1 },
    {
      ...{ format, pictures, by: "as best looks", ...spreadOf(second) },
      ...{ "bytes, sum": round(bytesOf(second) / bytesOf(first), 3), "bytes, mean": round(bytes, 3) },
    },
  ];
}

const bytesOf = (made: readonly Made[]) => made.reduce((total, { bytes }) => total + bytes, 0);

function spreadOf(made: readonly Made[]) {
  const sorted = made.map(({ score }) => score).sort((a, b) => a - b);
  const at = (share: number) => round(sorted[Math.round(share * (sorted.length - 1))] ?? Number.NaN, 1);
  return {
    ...{
      least: at(0),
      p10: at(0.1),
      p25: at(0.25),
      median: at(0.5),
      p75: at(0.75),
      p90: at(0.9),
      most: at(1),
    },
    spread: round(at(0.9) - at(0.1), 1),
  };
}

/**
 * What is promised: of the scores of held-out pictures, in points, how far they spread; of every kind, the least, which is
 * what one number gave nine of ten photographs before (40 of them at 960 px: the tenth percentile). A quality is one for
 * all of them only if there are enough of them.
 */
const goals: Record<Lossy, { readonly spread: number; readonly least: number }> = {
  avif: { spread: 4, least: 61 },
  webp: { spread: 3, least: 69.7 },
  jpeg: { spread: 3, least: 71 },
};
const ENOUGH = 60;

function figuresOf(format: Lossy, rows: readonly Row[], photographs: number): Figure[] {
  const own = rows.filter((row) => row["format"] === format && row["by"] === "its own");
  const groupOf = (row: Row) => String(row["pictures"]).replace(/ \(\d+\)$/, "");
  const unsure = photographs < ENOUGH && {
    within: [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY] as const,
  };
  const heldOut = own.find((row) => groupOf(row) === "held out");
  return [
    {
      what: `${format}: spread of the score of held-out pictures, p90 to p10`,
      value: Number(heldOut?.["spread"]),
      atMost: goals[format].spread,
      ...unsure,
    },
    ...own
      .filter((row) => groupOf(row) !== "fitted" && !groupOf(row).endsWith("no larger"))
      .map((row) => ({
        what: `${format}: least score, ${groupOf(row)}`,
        value: Number(row["least"]),
        atLeast: goals[format].least,
        ...unsure,
      })),
  ];
}
