/** A picture whose four quarters differ, stored in any of the eight orientations. Knows nothing of sharp. */

export type Rgb = readonly [number, number, number];
/** Colours of the quarters as they are to be seen: top left, top right, bottom left, bottom right. */
export type Quarters = readonly [Rgb, Rgb, Rgb, Rgb];
export interface Size {
  readonly width: number;
  readonly height: number;
}
export const quarters: Quarters = [
  [200, 60, 50],
  [60, 170, 70],
  [50, 80, 190],
  [220, 200, 60],
];

/**
 * Where the stored pixel (x, y) of a stored picture W × H is seen: EXIF 2.32, table 6 (Orientation). From 5 on
 * width and height change places.
 */
type Place = (x: number, y: number, w: number, h: number) => readonly [number, number];
const orientations: Readonly<Record<number, Place>> = {
  1: (x, y) => [x, y],
  2: (x, y, w) => [w - 1 - x, y],
  3: (x, y, w, h) => [w - 1 - x, h - 1 - y],
  4: (x, y, _, h) => [x, h - 1 - y],
  5: (x, y) => [y, x],
  6: (x, y, _, h) => [h - 1 - y, x],
  7: (x, y, w, h) => [h - 1 - y, w - 1 - x],
  8: (x, y, w) => [y, w - 1 - x],
};

/** Is the stored picture of this orientation as wide as the seen one is high? */
export const isTurned = (orientation: number) => orientation >= 5;

/** The pixels to store so that a viewer who honours the orientation sees the quarters in `seen` pixels. */
export function picture(seen: Size, colours: Quarters, orientation = 1): Buffer {
  const place = orientations[orientation];
  if (!place) throw new Error(`there is no orientation ${orientation}`);
  const [w, h] = isTurned(orientation) ? [seen.height, seen.width] : [seen.width, seen.height];
  const data = Buffer.alloc(w * h * 3);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const [sx, sy] = place(x, y, w, h);
      const quarter = (sy * 2 < seen.height ? 0 : 2) + (sx * 2 < seen.width ? 0 : 1);
      data.set(colours[quarter] ?? [], (y * w + x) * 3);
    }
  }
  return data;
}

/** The average colours of the middles of the four quarters. `data` has 3 or 4 channels; alpha is left out. */
export function seenQuarters(data: Uint8Array, { width, height }: Size, channels = 3): number[][] {
  return [0, 1, 2, 3].map((quarter) => {
    const left = Math.floor(width * ((quarter & 1) / 2 + 0.125));
    const top = Math.floor(height * ((quarter >> 1) / 2 + 0.125));
    const [w, h] = [Math.max(1, Math.floor(width / 4)), Math.max(1, Math.floor(height / 4))];
    const sums = [0, 0, 0];
    for (let y = top; y < top + h; y++) {
      for (let x = left; x < left + w; x++) {
        for (const c of [0, 1, 2]) sums[c] = (sums[c] ?? 0) + (data[(y * width + x) * channels + c] ?? 0);
      }
    }
    return sums.map((sum) => sum / (w * h));
  });
}

/** The largest difference of two sets of colours, in 0 to 255. */
export function distance(a: readonly (readonly number[])[], b: readonly (readonly number[])[]): number {
  return Math.max(...a.flatMap((colour, i) => colour.map((value, c) => Math.abs(value - (b[i]?.[c] ?? 0)))));
}
