/**
 * What a preset may say of quality: a number for the encoder, or how like the original its variants are to look. Which number
 * comes to that differs from picture to picture; it is predicted from a trial (`pixels/trial.ts`) by `quality-table.ts`.
 */
import * as v from "valibot";
import { type EncodeSettings, type FormatName, formats } from "./formats.ts";
import { digest } from "./keys.ts";
import table from "./quality-table.ts";

type Aimed = Exclude<keyof typeof table, "axes">;
const isAimed = (format: FormatName): format is Aimed => Object.hasOwn(table, format);

/**
 * Scores of SSIMULACRA 2.1. `good` keeps nine of ten pictures at or above what one number for all gave nine of ten
 * at 320 to 1280 pixels; `high` and `low` are 8 above and below.
 */
const scores = {
  avif: { high: 74, good: 65.5, low: 57 },
  webp: { high: 81, good: 73, low: 65 },
  jpeg: { high: 82, good: 74.5, low: 66 },
} as const satisfies Record<Aimed, object>;
export type QualityName = keyof (typeof scores)[Aimed];
export const qualityNames = Object.keys(scores.avif) as [QualityName, ...QualityName[]];

const number = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(100));
const score = v.pipe(v.number(), v.minValue(30), v.maxValue(90));
export const Quality = v.union(
  [number, v.picklist(qualityNames), v.strictObject({ score })],
  "high, good, low, { score } with one of SSIMULACRA 2.1 from 30 to 90, or a number for the encoder from 1 to 100",
);
export type Quality = v.InferOutput<typeof Quality>;

/** How like the original a variant is to look, and by which table that is made: the same picture gives the same bytes. */
export interface Aim {
  readonly score: number;
  readonly table: string;
}
/**
 * A screen of one pixel per CSS pixel is full with this. A wider rung is shown at two or more, where the same loss is seen
 * less: at half the size it scores 7 points more at least, 12 to 15 as a rule (docs/performance.md).
 */
const SHOWN_AT_ONCE = 1920;
const LESS_BEYOND = 6;

/** No picture needs more, and none may look worse than this, whatever is predicted. In steps from the format's own number. */
const MOST_STEPS = 24;
/** And none gets less than a usual one needs by more than this: what seems easiest of all is what a trial has missed. */
const MOST_LESS = 8;

const TABLE = digest(JSON.stringify([table, SHOWN_AT_ONCE, LESS_BEYOND, MOST_STEPS, MOST_LESS])).slice(0, 8);

/** Nothing where the encoder is told a number, and of PNG, which loses nothing. @param width of the variant, in pixels */
export function aimOf(format: FormatName, quality: Quality, width: number): Aim | undefined {
  if (typeof quality === "number" || !isAimed(format)) return undefined;
  if (typeof quality === "object") return { score: quality.score, table: TABLE };
  return { score: scores[format][quality] - (width > SHOWN_AT_ONCE ? LESS_BEYOND : 0), table: TABLE };
}

const line = ([constant = 0, ...weights]: readonly number[], numbers: readonly number[]): number =>
  weights.reduce((sum, weight, i) => sum + weight * (numbers[i] ?? 0), constant);

/** Scores do not follow a trial in a straight line: with it, what it comes to along the axes in which pictures differ most, multiplied. */
export function numbersOf(trial: readonly number[]): number[] {
  const along = table.axes.map((axis) => line(axis, trial));
  return [...trial, ...along.flatMap((one, i) => along.slice(i).map((other) => one * other))];
}

/** The number that comes to a score, by what is reached at some of them. */
function numberFor(score: number, qualities: readonly number[], reached: readonly number[]): number {
  const next = reached.findIndex((one, i) => i > 0 && one >= score);
  const high = next < 0 ? reached.length - 1 : next;
  const [from = 0, to = 0] = reached.slice(high - 1, high + 1);
  const [low = 0, up = 0] = qualities.slice(high - 1, high + 1);
  return low + ((score - from) * (up - low)) / Math.max(0.2 * (up - low), to - from);
}

/** The encoder's quality that comes to the score. @param trial as `trialOf` says of the pixels */
export function qualityFor(
  format: FormatName,
  encode: EncodeSettings,
  aim: Aim,
  trial: readonly number[] | undefined,
): number {
  if (!trial || !isAimed(format)) return encode.quality;
  const { qualities, usual, weights } = table[format];
  const numbers = numbersOf(trial);
  const predicted = weights.map((row) => line(row, numbers));
  const least = numberFor(aim.score, qualities, usual) - MOST_LESS;
  const number = Math.max(least, numberFor(aim.score, qualities, predicted));
  const own = formats[format].encode.balanced.quality;
  const more = Math.min(MOST_STEPS, Math.max(-MOST_STEPS, number - own));
  // Other profiles come to the same score with numbers of their own.
  return Math.min(100, Math.max(1, Math.round(encode.quality + more)));
}
