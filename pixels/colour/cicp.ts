/**
 * Code points of ITU-T H.273 (CICP): which red, green, blue and white a picture's numbers mean, and by which curve they
 * stand for light. What AVIF and HEIC (`nclx`), PNG (`cICP`) and ICC profiles (`cicp`) say.
 */

/** Three rows. */
export type Matrix = readonly [
  readonly [number, number, number],
  readonly [number, number, number],
  readonly [number, number, number],
];
type Vector = readonly [number, number, number];
type Xy = readonly [number, number];

/** Where red, green, blue and white lie in CIE 1931's diagram. */
export interface Primaries {
  readonly red: Xy;
  readonly green: Xy;
  readonly blue: Xy;
  readonly white: Xy;
}

const D65: Xy = [0.3127, 0.329];
const C: Xy = [0.31, 0.316];
/** H.273, table 2. */
export const primaries = {
  1: { red: [0.64, 0.33], green: [0.3, 0.6], blue: [0.15, 0.06], white: D65 },
  4: { red: [0.67, 0.33], green: [0.21, 0.71], blue: [0.14, 0.08], white: C },
  5: { red: [0.64, 0.33], green: [0.29, 0.6], blue: [0.15, 0.06], white: D65 },
  6: { red: [0.63, 0.34], green: [0.31, 0.595], blue: [0.155, 0.07], white: D65 },
  7: { red: [0.63, 0.34], green: [0.31, 0.595], blue: [0.155, 0.07], white: D65 },
  8: { red: [0.681, 0.319], green: [0.243, 0.692], blue: [0.145, 0.049], white: C },
  9: { red: [0.708, 0.292], green: [0.17, 0.797], blue: [0.131, 0.046], white: D65 },
  10: { red: [1, 0], green: [0, 1], blue: [0, 0], white: [1 / 3, 1 / 3] },
  11: { red: [0.68, 0.32], green: [0.265, 0.69], blue: [0.15, 0.06], white: [0.314, 0.351] },
  12: { red: [0.68, 0.32], green: [0.265, 0.69], blue: [0.15, 0.06], white: D65 },
  22: { red: [0.63, 0.34], green: [0.295, 0.605], blue: [0.155, 0.077], white: D65 },
} as const satisfies Record<number, Primaries>;
export type PrimariesCode = keyof typeof primaries;
export const SRGB_PRIMARIES = 1;
export const P3_PRIMARIES = 12;
export const isPrimaries = (code: number): code is PrimariesCode => Object.hasOwn(primaries, code);

/** Light, 0 to 1, of a number from 0 to 1. */
export type Curve = (value: number) => number;

/** IEC 61966-2-1. */
export const fromSrgb: Curve = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
export const toSrgb: Curve = (v) => (v <= 0.0031308 ? v * 12.92 : 1.055 * v ** (1 / 2.4) - 0.055);
export const power =
  (exponent: number): Curve =>
  (v) =>
    v ** exponent;
const fromSmpte240: Curve = (v) => (v < 0.0913 ? v / 4 : ((v + 0.1115) / 1.1115) ** (1 / 0.45));
/** SMPTE ST 2084: light is a share of 10,000 cd/m². */
const fromPq: Curve = (v) => {
  const p = v ** (32 / 2523);
  return (Math.max(0, p - 3424 / 4096) / (2413 / 128 - (2392 / 128) * p)) ** (8192 / 1305);
};
/** ARIB STD-B67 and ITU-R BT.2100: light of the scene, before it is fitted to a screen. */
const fromHlg: Curve = (v) => {
  const [a, b, c] = [0.17883277, 0.28466892, 0.55991073];
  return v <= 0.5 ? v ** 2 / 3 : (Math.exp((v - c) / a) + b) / 12;
};

/** How brightness is told: as a screen shows it, or as more than a screen of today can. */
export type Range = "sdr" | "pq" | "hlg";
export interface Transfer {
  readonly toLight: Curve;
  readonly range: Range;
  /**
   * A video camera's curve, which screens undo by ITU-R BT.1886. In AVIF and HEIC browsers take it for sRGB's, as encoders
   * write it beside pictures that nobody has converted; in PNG they take it at its word (Chromium 156, measured).
   */
  readonly isVideo?: true;
}

const video: Transfer = { toLight: power(2.4), range: "sdr", isVideo: true };
/** H.273, table 3; logarithms (9, 10) and xvYCC (11, 12) are shown by no browser, or as if they were sRGB. */
export const transfers = {
  1: video,
  4: { toLight: power(2.2), range: "sdr" },
  5: { toLight: power(2.8), range: "sdr" },
  6: video,
  7: { toLight: fromSmpte240, range: "sdr" },
  8: { toLight: (v) => v, range: "sdr" },
  11: video,
  13: { toLight: fromSrgb, range: "sdr" },
  14: video,
  15: video,
  16: { toLight: fromPq, range: "pq" },
  // 52.37 for 48: what a projector of 48 cd/m² calls white.
  17: { toLight: (v) => (v ** 2.6 * 52.37) / 48, range: "sdr" },
  18: { toLight: fromHlg, range: "hlg" },
} satisfies Record<number, Transfer>;
export type TransferCode = keyof typeof transfers;
export const SRGB_TRANSFER = 13;
export const isTransfer = (code: number): code is TransferCode => Object.hasOwn(transfers, code);

export const times = (a: Matrix, b: Matrix): Matrix =>
  mapped((r, c) => sum(a[r], [b[0][c], b[1][c], b[2][c]]));
const sum = (a: Vector, b: Vector): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const mapped = (cell: (row: 0 | 1 | 2, column: 0 | 1 | 2) => number): Matrix => [
  [cell(0, 0), cell(0, 1), cell(0, 2)],
  [cell(1, 0), cell(1, 1), cell(1, 2)],
  [cell(2, 0), cell(2, 1), cell(2, 2)],
];

/** By Cramer's rule. */
export function inverse(m: Matrix): Matrix {
  const at = (row: number, column: number) => m[(row % 3) as 0 | 1 | 2][(column % 3) as 0 | 1 | 2];
  const cofactor = (r: number, c: number) =>
    at(r + 1, c + 1) * at(r + 2, c + 2) - at(r + 1, c + 2) * at(r + 2, c + 1);
  const determinant = [0, 1, 2].reduce((sum, c) => sum + at(0, c) * cofactor(0, c), 0);
  return mapped((r, c) => cofactor(c, r) / determinant);
}

const xyzOf = ([x, y]: Xy): Vector => [x / y, 1, (1 - x - y) / y];
/** ICC.1, 6.3.4.3: the white that profiles speak of. */
export const D50: Vector = [0.9642, 1, 0.8249];
/** ICC.1, annex E: what eyes make of another white. */
const BRADFORD: Matrix = [
  [0.8951, 0.2664, -0.1614],
  [-0.7502, 1.7135, 0.0367],
  [0.0389, -0.0685, 1.0296],
];

/** From one white to D50, as eyes have it. */
export function adaptation(white: Xy): Matrix {
  const cone = (v: Vector): Vector => [sum(BRADFORD[0], v), sum(BRADFORD[1], v), sum(BRADFORD[2], v)];
  const [from, to] = [cone(xyzOf(white)), cone(D50)];
  return times(
    inverse(BRADFORD),
    times(
      mapped((row, c) => (row === c ? to[row] / from[row] : 0)),
      BRADFORD,
    ),
  );
}

/** Light in these primaries to CIE XYZ as ICC profiles have it, white being D50. */
export function toXyz({ red, green, blue, white }: Primaries): Matrix {
  // Written with y as the sum: blue of XYZ itself (H.273's 10) has a y of 0.
  const column = ([x, y]: Xy): Vector => [x, y, 1 - x - y];
  const [r, g, b] = [column(red), column(green), column(blue)];
  const unscaled = mapped((row, c) => [r, g, b][c]?.[row] ?? 0);
  const w = xyzOf(white);
  const back = inverse(unscaled);
  const scale = [sum(back[0], w), sum(back[1], w), sum(back[2], w)];
  const own = mapped((row, c) => unscaled[row][c] * (scale[c] ?? 0));
  return times(adaptation(white), own);
}
