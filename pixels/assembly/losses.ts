/**
 * What a file, or a JPEG that is not made, lost of tiles, measured the way SSIMULACRA 2.1 does, by blocks in the place of its
 * Gaussian. In AssemblyScript, as it runs for every pixel: JavaScript takes five times as long, and 25 ms the first time.
 * `npm run generate` compiles it.
 */

import { begin, bits, shown } from "./jpeg";
import { AFTER, BEFORE, halve, light, lightOf, log, ONE, OTHER, PLANE, TILE, times } from "./tile";

/** Pixels of a block's side at each scale: about as far as SSIMULACRA's Gaussian sees. */
const BLOCK: usize = 4;
const C2: f64 = 0.0009;
const STEPS: f32 = 16384;
/** Of XYB's cube roots. */
const BIAS: f32 = 0.0037930732552754493;
/** So that what is flat, or grey, is no further from all others than what is hardly so. */
const LEAST: f64 = 1e-3;
const LOOKS: usize = 6;
const NUMBERS: usize = 5;

/** Of every look five 64-bit floats. */
export const numbers = memory.data(i32(LOOKS * NUMBERS * 8), 16);
/** To be written: both mosaics, one behind the other. */
export const mosaics: usize = __heap_base;
export { light };

enum XYB {
  X,
  Y,
  B,
}

/**
 * What was lost between two mosaics: for every look logarithms of lost structure (its mean and its fourth norm), of ringing and
 * blurring (fourth norms), and the mean logarithm of variance.
 * @param channels of the first, `others` of the second: red, green, blue, and at most one that is not looked at
 */
export function losses(width: usize, height: usize, channels: usize, others: usize): void {
  const second = mosaics + width * height * channels;
  memory.fill(numbers, 0, LOOKS * NUMBERS * 8);
  for (let top: usize = 0; top < height; top += TILE) {
    for (let left: usize = 0; left < width; left += TILE) {
      const at = top * width + left;
      linear(mosaics + at * channels, channels, width, BEFORE);
      linear(second + at * others, others, width, AFTER);
      look();
    }
  }
  finish(width * height);
}

/** The same of one as a JPEG. @returns bits of that, without its header */
export function trial(width: usize, height: usize, channels: usize): f64 {
  memory.fill(numbers, 0, LOOKS * NUMBERS * 8);
  begin();
  for (let top: usize = 0; top < height; top += TILE) {
    for (let left: usize = 0; left < width; left += TILE) {
      const at = mosaics + (top * width + left) * channels;
      linear(at, channels, width, BEFORE);
      shown(at, channels, width);
      look();
    }
  }
  finish(width * height);
  return bits();
}

function finish(pixels: usize): void {
  const tiles = f64(pixels / (TILE * TILE));
  for (let at = numbers; at < numbers + LOOKS * NUMBERS * 8; at += NUMBERS * 8) {
    f64.store(at, log(f64.load(at) / tiles + LEAST));
    for (let norm = at + 8; norm < at + 32; norm += 8)
      f64.store(norm, log(Math.sqrt(Math.sqrt(f64.load(norm) / tiles)) + LEAST));
    f64.store(at + 32, f64.load(at + 32) / tiles);
  }
}

/** At a tile: the planes that weigh in the score, at 1:1 and at half the size of before. */
function look(): void {
  compare(0, XYB.Y, TILE);
  halve(BEFORE, ONE, TILE / 2);
  compare(1, XYB.Y, TILE / 2);
  halve(BEFORE, ONE, TILE / 4);
  compare(2, XYB.Y, TILE / 4);
  halve(BEFORE, ONE, TILE / 8);
  compare(3, XYB.Y, TILE / 8);
  compare(4, XYB.X, TILE / 8);
  halve(BEFORE, ONE, TILE / 16);
  compare(5, XYB.B, TILE / 16);
}

function linear(from: usize, channels: usize, width: usize, to: usize): void {
  for (let y: usize = 0; y < TILE; y++, from += (width - TILE) * channels) {
    for (let x: usize = 0; x < TILE; x++, from += channels, to += 4) {
      for (let c: usize = 0; c < 3; c++) f32.store(to + PLANE * c, lightOf(load<u8>(from + c)));
    }
  }
}

/** Cube roots of four numbers over 0 to 0.00003 of themselves: a third of their exponents, then a step of Halley's. */
function root(four: v128): v128 {
  const third = i32x4.trunc_sat_f32x4_s(times(f32x4.convert_i32x4_s(four), 1.0 / 3));
  const y = i32x4.add(third, i32x4.splat(0x2a514067));
  const cube = f32x4.mul(f32x4.mul(y, y), y);
  const both = f32x4.add(four, cube);
  return f32x4.div(f32x4.mul(y, f32x4.add(both, four)), f32x4.add(both, cube));
}

/** How far four pixels stir a cone of the eye, by light in steps: with none, what is dark tells more of noise than of what is seen (measured). */
function cone(at: usize, red: f32, green: f32, blue: f32): v128 {
  const warm = f32x4.add(times(v128.load(at), red), times(v128.load(at + PLANE), green));
  const all = f32x4.add(warm, times(v128.load(at + PLANE * 2), blue));
  return root(f32x4.add(times(f32x4.nearest(times(all, STEPS)), 1 / STEPS), f32x4.splat(BIAS)));
}

/** One of XYB's planes, without what is the same for every pixel. */
function project(from: usize, plane: XYB, side: usize, to: usize): void {
  for (const end = to + side * side * 4; to < end; from += 16, to += 16) {
    const long = cone(from, 0.3, 0.622, 0.078);
    const medium = cone(from, 0.23, 0.692, 0.078);
    const y = times(f32x4.add(long, medium), 0.5);
    if (plane === XYB.Y) v128.store(to, y);
    else if (plane === XYB.X) v128.store(to, times(f32x4.sub(long, medium), 7));
    else
      v128.store(to, f32x4.sub(cone(from, 0.24342268924547819, 0.20476744424496821, 0.5518098665095535), y));
  }
}

/** Adds what a plane of a tile lost: means over its blocks, and of its pixels. */
function compare(index: usize, plane: XYB, side: usize): void {
  project(BEFORE, plane, side, ONE);
  project(AFTER, plane, side, OTHER);
  const row = side * 4;
  let structure: f64 = 0;
  let structure4: f64 = 0;
  let variance: f64 = 0;
  let ringing = f32x4.splat(0);
  let blurring = f32x4.splat(0);
  for (let top = ONE; top < ONE + row * side; top += row * BLOCK) {
    // Of a row's blocks, 16 at most: one logarithm for all.
    let variances: f64 = 1;
    for (let at = top; at < top + row; at += BLOCK * 4) {
      let sumA = f32x4.splat(0);
      let sumB = f32x4.splat(0);
      let squareA = f32x4.splat(0);
      let squareB = f32x4.splat(0);
      let both = f32x4.splat(0);
      for (let y: usize = 0; y < row * BLOCK; y += row) {
        const a = v128.load(at + y);
        const b = v128.load(at + y + PLANE);
        sumA = f32x4.add(sumA, a);
        sumB = f32x4.add(sumB, b);
        squareA = f32x4.add(squareA, f32x4.mul(a, a));
        squareB = f32x4.add(squareB, f32x4.mul(b, b));
        both = f32x4.add(both, f32x4.mul(a, b));
      }
      const meanA = mean(sumA);
      const meanB = mean(sumB);
      const varianceA = Math.max(0, mean(squareA) - meanA * meanA);
      const varianceB = mean(squareB) - meanB * meanB;
      const alike = (2 * (mean(both) - meanA * meanB) + C2) / (varianceA + varianceB + C2);
      const lost = Math.max(0, 1 - (1 - (meanA - meanB) * (meanA - meanB)) * alike);
      structure += lost;
      structure4 += lost * lost * lost * lost;
      variances *= varianceA + LEAST / 10;
      const flatA = f32x4.splat(f32(meanA));
      const flatB = f32x4.splat(f32(meanB));
      const one = f32x4.splat(1);
      for (let y: usize = 0; y < row * BLOCK; y += row) {
        const a = f32x4.add(one, f32x4.abs(f32x4.sub(v128.load(at + y), flatA)));
        const b = f32x4.add(one, f32x4.abs(f32x4.sub(v128.load(at + y + PLANE), flatB)));
        const edge = f32x4.sub(f32x4.div(b, a), one);
        const square = f32x4.mul(edge, edge);
        const fourth = f32x4.mul(square, square);
        const rings = f32x4.gt(edge, f32x4.splat(0));
        ringing = f32x4.add(ringing, v128.and(fourth, rings));
        blurring = f32x4.add(blurring, v128.andnot(fourth, rings));
      }
    }
    variance += log(variances);
  }
  const blocks = f64((side * side) >> 4);
  add(index, 0, structure / blocks);
  add(index, 1, structure4 / blocks);
  add(index, 2, mean(ringing) / blocks);
  add(index, 3, mean(blurring) / blocks);
  add(index, 4, variance / blocks);
}

/** Of the 16 numbers of a block, by the sums of its columns. */
function mean(four: v128): f64 {
  const two = f32x4.add(four, v128.shuffle<f32>(four, four, 2, 3, 0, 1));
  return f64(f32x4.extract_lane(two, 0) + f32x4.extract_lane(two, 1)) / 16;
}

function add(index: usize, number: usize, value: f64): void {
  const at = numbers + (index * NUMBERS + number) * 8;
  f64.store(at, f64.load(at) + value);
}
