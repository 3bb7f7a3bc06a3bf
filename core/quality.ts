/**
 * What a preset may say of quality: a number for the encoder, or how like the original its variants are to look. Which number
 * comes to that differs from picture to picture; it is predicted from a trial (`pixels/trial.ts`) by `quality-table.ts`.
 */
import * as v from "valibot";
import { type EncodeSettings, type FormatName, formats, type Profile } from "./formats.ts";
import { digest } from "./keys.ts";
import table from "./quality-table.ts";

type Aimed = keyof typeof table.drawn;
const isAimed = (format: FormatName): format is Aimed => Object.hasOwn(table.drawn, format);
/** Of JPEG a look says no more than the trial, which is what one would lose. */
const isSeen = (format: FormatName): format is keyof typeof table.seen => Object.hasOwn(table.seen, format);

/**
 * Scores of SSIMULACRA 2.1. `good` keeps nine of ten pictures at or above what one number for all gave nine of ten
 * at 320 to 1280 pixels; `high` and `low` are 8 above and below.
 */
const scores = {
  avif: { high: 74, good: 65.5, low: 57 },
  webp: { high: 81.5, good: 73.5, low: 65.5 },
  jpeg: { high: 82, good: 74.5, low: 66 },
} as const satisfies Record<Aimed, object>;
export const aimedFormats = Object.keys(scores) as Aimed[];
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
  /** Where the trial is unsure, what came out is looked at, and encoded once more if it is not near. */
  readonly again?: true;
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

/**
 * Of a picture that lies further from usual ones than this along an axis, in standard deviations, a trial is unsure: two in
 * five, among them most of those that it misses. What a look then finds within so many points stays as it is.
 */
const UNSURE_BEYOND = 1.25;
const NEAR = 1;
/** The widest that the table is fitted on: whatever is wider would be unlike usual ones by that alone. */
const LOOKED_UP_TO = 1280;

/**
 * A trial in which one number does not follow from the others as with photographs, by so many standard deviations (root mean
 * square), is that of a drawing which does not look like one: a slide on a gradient, red text as a JPEG. Photographs come to 0.5,
 * one in a hundred to 1.1 (measured). What lost far less than usual is no sign: a black and white one's colours.
 */
const UNLIKE_BEYOND = 1.25;
const LESS_COUNTS_TO = 2;
/**
 * As unlike others as three photographs in ten are, and half of those that WebP misses by two points, by what is saturated in 4:2:0
 * above all: a look at these takes the spread of its scores from 3.2 to 2.8. Of AVIF and JPEG it says nothing (measured).
 */
const UNUSUAL = { format: "webp", beyond: 0.55 } as const;
/**
 * Noise is like no photograph either, and nobody sees what it loses: to raise it to its aim would take three times the CPU, up to 37 s
 * (2561 × 2561). Its variance falls to a quarter, by 1.4 as a logarithm, at half the size, of drawings by 0.4 at most; and its files
 * take more than so many times the bytes of a photograph's, drawings 8.5 (measured).
 */
const NOISE = { fall: 0.9, bytes: 9 } as const;
/** Where a trial has the logarithm of variance: at 1:1, and at half the size. */
const [FULL, HALF] = [6, 11];
/** Of graphics a look says the score to 2 points: it has to say so many more than the aim, within `NEAR`. */
const OVER = 2;

/** What decides besides the table. */
export const rules = [
  SHOWN_AT_ONCE,
  LESS_BEYOND,
  MOST_STEPS,
  MOST_LESS,
  UNSURE_BEYOND,
  NEAR,
  LOOKED_UP_TO,
  UNLIKE_BEYOND,
  LESS_COUNTS_TO,
  UNUSUAL,
  NOISE,
  OVER,
];
const TABLE = digest(JSON.stringify([table, ...rules])).slice(0, 8);

/** Whether a look at a photograph's file says more than its trial. @param width of the variant, in pixels */
export const isSeenAt = (format: FormatName, width: number): boolean =>
  isSeen(format) && width <= LOOKED_UP_TO;

/** Nothing where the encoder is told a number, and of PNG, which loses nothing. @param width of the variant, in pixels */
export function aimOf(
  format: FormatName,
  quality: Quality,
  width: number,
  profile: Profile,
): Aim | undefined {
  if (typeof quality === "number" || !isAimed(format)) return undefined;
  const again = profile === "best" && isSeenAt(format, width);
  const how = { table: TABLE, ...(again && { again }) };
  if (typeof quality === "object") return { score: quality.score, ...how };
  return { score: scores[format][quality] - (width > SHOWN_AT_ONCE ? LESS_BEYOND : 0), ...how };
}

const line = ([constant = 0, ...weights]: readonly number[], numbers: readonly number[]): number =>
  weights.reduce((sum, weight, i) => sum + weight * (numbers[i] ?? 0), constant);

/** Scores do not follow a trial in a straight line: with it, what it comes to along the axes in which pictures differ most, multiplied. */
export function numbersOf(trial: readonly number[]): number[] {
  const along = alongAxes(trial);
  return [...trial, ...along.flatMap((one, i) => along.slice(i).map((other) => one * other))];
}
const alongAxes = (trial: readonly number[]) => table.axes.map((axis) => line(axis, trial));

/** What a trial says of the score at each of the table's qualities. */
export function predictedBy(format: Aimed, trial: readonly number[]): number[] {
  const numbers = numbersOf(trial);
  return table[format].weights.map((row) => line(row, numbers));
}

/** The score at a quality, by those at some of them. */
function scoreAt(quality: number, qualities: readonly number[], scores: readonly number[]): number {
  const next = qualities.findIndex((one, i) => i > 0 && (one >= quality || i === qualities.length - 1));
  const [low = 0, up = 1] = qualities.slice(next - 1, next + 1);
  const [from = 0, to = 0] = scores.slice(next - 1, next + 1);
  return from + ((quality - low) * (to - from)) / (up - low);
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
  const { qualities, usual } = table[format];
  const predicted = predictedBy(format, trial);
  const least = numberFor(aim.score, qualities, usual) - MOST_LESS;
  const number = Math.max(least, numberFor(aim.score, qualities, predicted));
  const own = formats[format].encode.balanced.quality;
  const more = Math.min(MOST_STEPS, Math.max(-MOST_STEPS, number - own));
  // Other profiles come to the same score with numbers of their own.
  return Math.min(100, Math.max(1, Math.round(encode.quality + more)));
}

const dot = (one: readonly number[], other: readonly number[]): number =>
  one.reduce((sum, value, i) => sum + value * (other[i] ?? 0), 0);

/**
 * How far a trial is from following, in one number from the others, as with photographs: root mean square, in standard deviations.
 */
function unlikeness(trial: readonly number[]): number {
  const { means, deviations } = table.photographs;
  const apart = trial.map((number, i) =>
    Math.max(-LESS_COUNTS_TO, (number - (means[i] ?? 0)) / (deviations[i] ?? 1)),
  );
  const rest = table.axes.reduce((left, [, ...axis]) => {
    const direction = axis.map((weight, i) => weight * (deviations[i] ?? 0));
    const along = dot(left, direction) / dot(direction, direction);
    return left.map((number, i) => number - along * (direction[i] ?? 0));
  }, apart);
  return Math.sqrt(dot(rest, rest) / rest.length);
}

/** Whether a trial is none of a photograph, whatever the pixels look like: then no prediction holds. */
export const isUnlike = (trial: readonly number[]): boolean =>
  !isNoise(trial) && unlikeness(trial) > UNLIKE_BEYOND;

const isNoise = (trial: readonly number[]): boolean => (trial[FULL] ?? 0) - (trial[HALF] ?? 0) > NOISE.fall;

/** Whether what was encoded by a trial is to be looked at. @param width of the variant, in pixels */
export const isUnsure = (format: FormatName, aim: Aim, width: number, trial: readonly number[]): boolean =>
  (aim.again === true && alongAxes(trial).some((one) => Math.abs(one) > UNSURE_BEYOND)) ||
  (format === UNUSUAL.format &&
    isSeenAt(format, width) &&
    !isNoise(trial) &&
    unlikeness(trial) > UNUSUAL.beyond);

/** Where what came out is not near its aim, the quality that comes nearer. @param seen what a look at the file says, in a trial's numbers */
export function qualityAgain(
  format: FormatName,
  encode: EncodeSettings,
  aim: Aim,
  quality: number,
  trial: readonly number[],
  seen: readonly number[],
): number {
  if (!isAimed(format) || !isSeen(format)) return quality;
  const { qualities } = table[format];
  const own = quality - encode.quality + formats[format].encode.balanced.quality;
  const predicted = scoreAt(own, qualities, predictedBy(format, trial));
  const missed = aim.score - line(table.seen[format], [...numbersOf(seen), predicted]);
  if (Math.abs(missed) < NEAR) return quality;
  const steps = Math.min(MOST_LESS, Math.max(-MOST_LESS, stepsFor(missed, format)));
  return Math.min(100, Math.max(1, Math.round(quality + steps)));
}

/** How many of the encoder's steps usually come to so many points. */
function stepsFor(points: number, format: Aimed): number {
  const { qualities, usual } = table[format];
  const [first = 0, last = 1] = [qualities[0], qualities.at(-1)];
  return (points * (last - first)) / ((usual.at(-1) ?? 0) - (usual[0] ?? 0));
}

/**
 * Where a graphic's file misses its aim, the quality that comes to it; none gets less than the format's number.
 * @param seen what a look at the file says, in a trial's numbers
 */
export function qualityOfGraphic(
  format: FormatName,
  aim: Aim,
  quality: number,
  seen: readonly number[],
): number {
  if (!isAimed(format)) return quality;
  if (Math.exp(seen[1] ?? 0) > NOISE.bytes * formats[format].encoder.written) return quality;
  const missed = aim.score + OVER - line(table.drawn[format], seen);
  if (missed < NEAR) return quality;
  return Math.min(100, Math.round(quality + Math.min(MOST_STEPS, stepsFor(missed, format))));
}
