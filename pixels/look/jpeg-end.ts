/**
 * libvips looks for a decoder's warnings before it reads a strip of a JPEG, never after the last one: what it lacks of that
 * one passes. The walk that finds it would cost every file 4 % of its time.
 */
import type { Raster } from "../raster.ts";

/** Up to here the walk takes a third of a millisecond (34 ms per MB, measured). */
const ALWAYS_BELOW = 8192;
/** Of 255: how far from a middle grey, and from grey, a blend of grey blocks and what lies beside them may be. */
const NEAR = 12;
const GREY = 3;

/**
 * Whether a JPEG that was decoded without a warning can still lack data: blocks that are not there are of a middle grey,
 * and the last one stands in the lower right corner. Of photographs one in a hundred has such a corner.
 * @param small as it lies in the file
 */
export function mayLackItsEnd(bytes: Uint8Array, { data, width, height, channels }: Raster): boolean {
  if (bytes.length < ALWAYS_BELOW) return true;
  const [red = 0, green = 0, blue = 0] = data.subarray((width * height - 1) * channels);
  return Math.abs(green - 128) <= NEAR && Math.abs(red - green) <= GREY && Math.abs(blue - green) <= GREY;
}
