/**
 * What a JPEG would lose of tiles, and what it would take, without a file: colours in 4:2:0, cosines in steps and back, as libjpeg
 * has them (ITU-T T.81; JFIF). By an encoder and a decoder it takes twice as long.
 */
import { AFTER, halve, lightOf, log, ONE, OTHER, PLANE, TILE, times } from "./tile";

/** Pixels of a block's side; of chroma's tile; and bytes of their rows. */
const SIDE: usize = 8;
const HALF: usize = TILE / 2;
const ROW: usize = SIDE * 4;
const BLOCK: usize = SIDE * ROW;

/** Nicolas Robidoux', MozJPEG's third, for luma and chroma. */
const table = memory.data<u16>([
  16, 16, 16, 18, 25, 37, 56, 85, 16, 17, 20, 27, 34, 40, 53, 75, 16, 20, 24, 31, 43, 62, 91, 135, 18, 27, 31,
  40, 53, 74, 106, 156, 25, 34, 43, 53, 69, 94, 131, 189, 37, 40, 62, 74, 94, 124, 169, 238, 56, 53, 91, 106,
  131, 169, 226, 311, 85, 75, 135, 156, 189, 238, 311, 418,
]);
/** What libjpeg makes of quality 78, in percent of the table. */
const SCALE: u32 = 44;
const zigzag = memory.data<u8>([
  0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7,
  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46,
  53, 60, 61, 54, 47, 55, 62, 63,
]);

/** Of the table and the scale, and one divided by them. */
const steps = memory.data(i32(BLOCK), 16);
const inverse = memory.data(i32(BLOCK), 16);
/** A block's cosines; half way, the other way round; and in steps. */
const cosines = memory.data(i32(BLOCK), 16);
const turned = memory.data(i32(BLOCK), 16);
const levels = memory.data(i32(BLOCK), 16);
/** A row of each chroma between two rows, with one pixel more at both ends. */
const BETWEEN: usize = (HALF + 2) * 4;
const between = memory.data(i32(BETWEEN * 2), 16);

/** How often each of Huffman's symbols came: of luma's first cosines, of the others, and the same of chroma. */
const SYMBOLS: usize = 256 * 4;
const counts = memory.data(i32(SYMBOLS * 4), 16);
/** The last first cosine of each colour. */
const last = memory.data(3 * 4, 16);
/** Bits that follow symbols. */
let following: u32 = 0;

// Cosines of multiples of a sixteenth of π, halved.
const C1: f32 = 0.4903926402016152;
const C2: f32 = 0.46193976625564337;
const C3: f32 = 0.4157348061512726;
const C4: f32 = 0.35355339059327373;
const C5: f32 = 0.2777851165098011;
const C6: f32 = 0.19134171618254486;
const C7: f32 = 0.09754516100806412;

export function begin(): void {
  for (let i: usize = 0; i < SIDE * SIDE; i++) {
    const step = f32((u32(load<u16>(table + i * 2)) * SCALE + 50) / 100);
    f32.store(steps + i * 4, step);
    f32.store(inverse + i * 4, 1 / step);
  }
  memory.fill(counts, 0, SYMBOLS * 4);
  memory.fill(last, 0, 3 * 4);
  following = 0;
}

/** Bits of all since `begin`, by their entropy: what Huffman's codes come to within a hundredth. */
export function bits(): f64 {
  let sum: f64 = following;
  for (let kind = counts; kind < counts + SYMBOLS * 4; kind += SYMBOLS) {
    let all: u32 = 0;
    for (let at = kind; at < kind + SYMBOLS; at += 4) all += load<u32>(at);
    for (let at = kind; at < kind + SYMBOLS; at += 4) {
      const count = load<u32>(at);
      if (count) sum += f64(count) * log(f64(all) / f64(count)) * Math.LOG2E;
    }
  }
  return sum;
}

/** What is shown of a tile, in linear light, as `AFTER`. @param width in pixels, of the mosaic */
export function shown(from: usize, channels: usize, width: usize): void {
  separate(from, channels, width);
  halve(ONE, ONE + PLANE * 2, HALF);
  for (let top: usize = 0; top < HALF; top += SIDE) {
    for (let left: usize = 0; left < HALF; left += SIDE) {
      for (let part: usize = 0; part < 4; part++) {
        const y = top * 2 + (part >> 1) * SIDE;
        const x = left * 2 + (part & 1) * SIDE;
        lose(AFTER + (y * TILE + x) * 4, TILE * 4, 0);
      }
      lose(ONE + (top * HALF + left) * 4, HALF * 4, 1);
      lose(OTHER + (top * HALF + left) * 4, HALF * 4, 2);
    }
  }
  for (let y: usize = 0; y < TILE; y++) {
    chroma(ONE, y, between);
    chroma(OTHER, y, between + BETWEEN);
    join(AFTER + y * TILE * 4);
  }
}

/** Luma as `AFTER`, around 0; chroma as `ONE` and `OTHER`. */
function separate(from: usize, channels: usize, width: usize): void {
  // Where four pixels have their red, each in a lane of its own; 255 takes none.
  const red = i32x4.sub(i32x4.mul(i32x4(0, 1, 2, 3), i32x4.splat(i32(channels))), i32x4.splat(256));
  const green = i32x4.add(red, i32x4.splat(1));
  const blue = i32x4.add(red, i32x4.splat(2));
  let to: usize = 0;
  for (let y: usize = 0; y < TILE; y++, from += (width - TILE) * channels) {
    for (let x: usize = 0; x < TILE; x += 4, from += channels * 4, to += 16) {
      const four = v128.load(from);
      const r = f32x4.convert_i32x4_s(i8x16.swizzle(four, red));
      const g = f32x4.convert_i32x4_s(i8x16.swizzle(four, green));
      const b = f32x4.convert_i32x4_s(i8x16.swizzle(four, blue));
      const luma = f32x4.add(f32x4.add(times(r, 0.299), times(g, 0.587)), times(b, 0.114));
      v128.store(AFTER + to, f32x4.sub(luma, f32x4.splat(128)));
      v128.store(ONE + to, times(f32x4.sub(b, luma), 1 / 1.772));
      v128.store(OTHER + to, times(f32x4.sub(r, luma), 1 / 1.402));
    }
  }
}

/** A block to what its steps leave of it, and counts its symbols. @param row bytes @param colour of three, the first luma */
function lose(at: usize, row: usize, colour: usize): void {
  forward(at, row, turned);
  forward(turned, ROW, cosines);
  let kept = 0;
  for (let i: usize = 0; i < BLOCK; i += 16) {
    const level = f32x4.nearest(f32x4.mul(v128.load(cosines + i), v128.load(inverse + i)));
    const whole = i32x4.trunc_sat_f32x4_s(level);
    v128.store(levels + i, whole);
    v128.store(cosines + i, f32x4.mul(level, v128.load(steps + i)));
    kept += popcnt(i32x4.bitmask(i32x4.ne(whole, i32x4.splat(0))));
  }
  count(kept, colour);
  backward(cosines, turned, ROW);
  backward(turned, at, row);
}

/** Huffman's symbols of a block. @param kept cosines that are not 0 */
function count(kept: i32, colour: usize): void {
  const first = load<i32>(levels);
  const kind = colour ? counts + SYMBOLS * 2 : counts;
  const change = sizeOf(first - load<i32>(last + colour * 4));
  store<i32>(last + colour * 4, first);
  came(kind, change);
  following += change;
  if (first) kept--;
  let run: u32 = 0;
  let at: usize = 1;
  for (; kept > 0; at++) {
    const level = load<i32>(levels + (usize(load<u8>(zigzag + at)) << 2));
    if (!level) {
      run++;
      continue;
    }
    for (; run > 15; run -= 16) came(kind + SYMBOLS, 0xf0);
    const size = sizeOf(level);
    came(kind + SYMBOLS, (run << 4) | size);
    following += size;
    run = 0;
    kept--;
  }
  if (at < SIDE * SIDE) came(kind + SYMBOLS, 0);
}

function sizeOf(level: i32): u32 {
  return 32 - clz(abs(level));
}

function came(kind: usize, symbol: u32): void {
  const at = kind + (usize(symbol) << 2);
  store<u32>(at, load<u32>(at) + 1);
}

/** Cosines of a block's columns, the other way round. @param row bytes of what is read */
function forward(from: usize, row: usize, to: usize): void {
  for (const end = to + BLOCK; to < end; from += 16, to += BLOCK / 2) {
    const x0 = v128.load(from);
    const x1 = v128.load(from + row);
    const x2 = v128.load(from + row * 2);
    const x3 = v128.load(from + row * 3);
    const x4 = v128.load(from + row * 4);
    const x5 = v128.load(from + row * 5);
    const x6 = v128.load(from + row * 6);
    const x7 = v128.load(from + row * 7);
    const s0 = f32x4.add(x0, x7);
    const s1 = f32x4.add(x1, x6);
    const s2 = f32x4.add(x2, x5);
    const s3 = f32x4.add(x3, x4);
    const d0 = f32x4.sub(x0, x7);
    const d1 = f32x4.sub(x1, x6);
    const d2 = f32x4.sub(x2, x5);
    const d3 = f32x4.sub(x3, x4);
    const even = f32x4.add(s0, s3);
    const odd = f32x4.add(s1, s2);
    const outer = f32x4.sub(s0, s3);
    const inner = f32x4.sub(s1, s2);
    across(
      to,
      ROW,
      times(f32x4.add(even, odd), C4),
      sum(d0, C1, d1, C3, d2, C5, d3, C7),
      f32x4.add(times(outer, C2), times(inner, C6)),
      sum(d0, C3, d1, -C7, d2, -C1, d3, -C5),
    );
    across(
      to + 16,
      ROW,
      times(f32x4.sub(even, odd), C4),
      sum(d0, C5, d1, -C1, d2, C7, d3, C3),
      f32x4.sub(times(outer, C6), times(inner, C2)),
      sum(d0, C7, d1, -C5, d2, C3, d3, -C1),
    );
  }
}

/** And back. @param to of rows of so many bytes */
function backward(from: usize, to: usize, row: usize): void {
  for (const end = from + ROW; from < end; from += 16, to += row * 4) {
    const x0 = v128.load(from);
    const x1 = v128.load(from + ROW);
    const x2 = v128.load(from + ROW * 2);
    const x3 = v128.load(from + ROW * 3);
    const x4 = v128.load(from + ROW * 4);
    const x5 = v128.load(from + ROW * 5);
    const x6 = v128.load(from + ROW * 6);
    const x7 = v128.load(from + ROW * 7);
    const all = times(f32x4.add(x0, x4), C4);
    const rest = times(f32x4.sub(x0, x4), C4);
    const outer = f32x4.add(times(x2, C2), times(x6, C6));
    const inner = f32x4.sub(times(x2, C6), times(x6, C2));
    const e0 = f32x4.add(all, outer);
    const e1 = f32x4.add(rest, inner);
    const e2 = f32x4.sub(rest, inner);
    const e3 = f32x4.sub(all, outer);
    const o0 = sum(x1, C1, x3, C3, x5, C5, x7, C7);
    const o1 = sum(x1, C3, x3, -C7, x5, -C1, x7, -C5);
    const o2 = sum(x1, C5, x3, -C1, x5, C7, x7, C3);
    const o3 = sum(x1, C7, x3, -C5, x5, C3, x7, -C1);
    across(to, row, f32x4.add(e0, o0), f32x4.add(e1, o1), f32x4.add(e2, o2), f32x4.add(e3, o3));
    across(to + 16, row, f32x4.sub(e3, o3), f32x4.sub(e2, o2), f32x4.sub(e1, o1), f32x4.sub(e0, o0));
  }
}

function sum(a: v128, byA: f32, b: v128, byB: f32, c: v128, byC: f32, d: v128, byD: f32): v128 {
  return f32x4.add(f32x4.add(times(a, byA), times(b, byB)), f32x4.add(times(c, byC), times(d, byD)));
}

/** Four columns as rows of so many bytes. */
function across(to: usize, row: usize, a: v128, b: v128, c: v128, d: v128): void {
  const ab = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
  const cd = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
  const ab2 = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
  const cd2 = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<f32>(ab, cd, 0, 1, 4, 5));
  v128.store(to + row, v128.shuffle<f32>(ab, cd, 2, 3, 6, 7));
  v128.store(to + row * 2, v128.shuffle<f32>(ab2, cd2, 0, 1, 4, 5));
  v128.store(to + row * 3, v128.shuffle<f32>(ab2, cd2, 2, 3, 6, 7));
}

/** Chroma at a row of luma: three quarters of the row that it is in, one of the next nearest. */
function chroma(plane: usize, y: usize, to: usize): void {
  const own = y >> 1;
  const next = y & 1 ? min(own + 1, HALF - 1) : max(own, 1) - 1;
  const near = plane + own * HALF * 4;
  const far = plane + next * HALF * 4;
  for (let x: usize = 0; x < HALF * 4; x += 16)
    v128.store(to + 4 + x, f32x4.add(times(v128.load(near + x), 0.75), times(v128.load(far + x), 0.25)));
  f32.store(to, f32.load(to + 4));
  f32.store(to + BETWEEN - 4, f32.load(to + BETWEEN - 8));
}

/** The same along the row, from the pixel before the first of four. */
function four(from: usize): v128 {
  const all = v128.load(from);
  const near = v128.shuffle<f32>(all, all, 1, 1, 2, 2);
  const far = v128.shuffle<f32>(all, all, 0, 2, 1, 3);
  return f32x4.add(times(near, 0.75), times(far, 0.25));
}

/** A row of luma and both chromas to light. */
function join(at: usize): void {
  for (let from = between; from < between + HALF * 4; from += 8, at += 16) {
    const luma = f32x4.add(v128.load(at), f32x4.splat(128));
    const blue = four(from);
    const red = four(from + BETWEEN);
    lit(at, f32x4.add(luma, times(red, 1.402)));
    lit(at + PLANE, f32x4.sub(luma, f32x4.add(times(blue, 0.344136), times(red, 0.714136))));
    lit(at + PLANE * 2, f32x4.add(luma, times(blue, 1.772)));
  }
}

/** Four values of sRGB, as a decoder rounds them, to light. */
function lit(to: usize, values: v128): void {
  const whole = f32x4.min(f32x4.max(f32x4.nearest(values), f32x4.splat(0)), f32x4.splat(255));
  const four = i32x4.trunc_sat_f32x4_s(whole);
  f32.store(to, lightOf(i32x4.extract_lane(four, 0)));
  f32.store(to + 4, lightOf(i32x4.extract_lane(four, 1)));
  f32.store(to + 8, lightOf(i32x4.extract_lane(four, 2)));
  f32.store(to + 12, lightOf(i32x4.extract_lane(four, 3)));
}
