/** What both sides of a trial know: where a tile's pixels are, and what is done to them. */

/** Pixels of its side. */
export const TILE: usize = 64;
/** Bytes of a plane of a tile, which has 32-bit floats. */
export const PLANE: usize = TILE * TILE * 4;
/** To be written once: in linear light, what sRGB's 256 values are. */
export const light = memory.data(256 * 4, 16);
/** Red, green and blue of a tile in linear light, before and after; and one plane of each. */
export const BEFORE = memory.data(i32(PLANE * 8), 16);
export const AFTER = BEFORE + PLANE * 3;
export const ONE = AFTER + PLANE * 3;
export const OTHER = ONE + PLANE;

// JavaScript's: AssemblyScript's own takes 4 kB of tables.
export declare function log(x: f64): f64;

/** Of a value of sRGB, to 255. */
export function lightOf(value: usize): f32 {
  return f32.load(light + (value << 2));
}

/** Planes in their place. @param side of what comes out */
export function halve(first: usize, end: usize, side: usize): void {
  const row = side * 8;
  for (let plane = first; plane < end; plane += PLANE) {
    for (let y: usize = 0, from = plane, to = plane; y < side; y++, from += row) {
      for (const stop = from + row; from < stop; from += 32, to += 16) {
        const left = f32x4.add(v128.load(from), v128.load(from + row));
        const right = f32x4.add(v128.load(from + 16), v128.load(from + row + 16));
        const even = v128.shuffle<f32>(left, right, 0, 2, 4, 6);
        const odd = v128.shuffle<f32>(left, right, 1, 3, 5, 7);
        v128.store(to, times(f32x4.add(even, odd), 0.25));
      }
    }
  }
}

export function times(four: v128, by: f32): v128 {
  return f32x4.mul(four, f32x4.splat(by));
}
