/** What stands in for an image until it has loaded, computed from a few hundred pixels of RGBA. */
import { rgbaToThumbHash } from "thumbhash";

/** Pixels with an opaque fourth channel where they have three. */
export function rgbaOf(data: Uint8Array, channels: 3 | 4): Uint8Array {
  if (channels === 4) return data;
  const rgba = new Uint8Array((data.length / 3) * 4).fill(255);
  for (let from = 0, to = 0; from < data.length; from += 3, to += 4)
    rgba.set(data.subarray(from, from + 3), to);
  return rgba;
}

/** Base64 of the ThumbHash (https://evanw.github.io/thumbhash/): about 25 bytes. */
export function thumbhashOf(rgba: Uint8Array, width: number, height: number): string {
  return Buffer.from(rgbaToThumbHash(width, height, rgba)).toString("base64");
}

/**
 * The colour most of the picture is in, as `#rrggbb`: of the 4,096 boxes that colours fall into by their upper four
 * bits, the average of the fullest. Pixels count by their opacity; black when all are transparent.
 */
export function dominantColour(rgba: Uint8Array): string {
  const weights = new Float64Array(4096);
  const sums = new Float64Array(4096 * 3);
  let fullest = 0;
  for (let i = 0; i + 3 < rgba.length; i += 4) {
    const alpha = rgba[i + 3] ?? 0;
    const box = (((rgba[i] ?? 0) >> 4) << 8) | (((rgba[i + 1] ?? 0) >> 4) << 4) | ((rgba[i + 2] ?? 0) >> 4);
    const weight = (weights[box] ?? 0) + alpha;
    weights[box] = weight;
    for (let channel = 0; channel < 3; channel++) {
      sums[box * 3 + channel] = (sums[box * 3 + channel] ?? 0) + (rgba[i + channel] ?? 0) * alpha;
    }
    if (weight > (weights[fullest] ?? 0)) fullest = box;
  }
  const total = weights[fullest] ?? 0;
  const colour = [0, 1, 2].map((channel) =>
    total === 0 ? 0 : Math.round((sums[fullest * 3 + channel] ?? 0) / total),
  );
  return `#${colour.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}
