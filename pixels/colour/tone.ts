/**
 * From brighter than a screen to a screen: HDR pictures as browsers show them where there is no HDR.
 *
 * White of paper is at 203 cd/m² (ITU-R BT.2408, 2.2), HLG is fitted to a screen of 1,000 cd/m² with the gamma of 1.2
 * that ITU-R BT.2100 gives for it, and what is above white is brought down by the reference white tone mapping operator of
 * SMPTE ST 2094-50 (annex D), on the largest of red, green and blue in Rec. 2020's primaries, so that hues stay. It is what
 * Chromium 156 does, to a level of 255 (measured by ramps).
 */

/** cd/m² of white paper. */
const WHITE = 203;
/** cd/m² of the brightest part where a file does not say. */
export const PEAK = 1000;
/** How far above white the standard's curves are drawn for, as powers of two. */
const USUAL_HEADROOM = Math.log2(PEAK / WHITE);
/** Where between knee and peak the curve's middle control point lies. */
const KAPPA = 0.65;

/** By how much light that is so bright (1: white of paper) is dimmed. */
export type Gain = (brightest: number) => number;

/** @param peak cd/m² of the brightest part of the picture */
export function gainFor(peak: number): Gain {
  const headroom = Math.max(0, Math.log2(peak / WHITE));
  if (headroom === 0) return () => 1;
  const top = 2 ** headroom;
  // White itself becomes grey, so that there is room above it: half where the peak is 1,000 cd/m² or more.
  const white = 1 - 0.5 * Math.min(headroom / USUAL_HEADROOM, 1);
  const midX = 1 - KAPPA + KAPPA / white;
  const midY = (1 - KAPPA) * white + KAPPA;
  // A parabola from (1, white) by (midX, midY) to (top, 1): for a brightness its place t on the way, and from that the height.
  const [ax, bx] = [1 - 2 * midX + top, 2 * (midX - 1)];
  const [ay, by] = [white - 2 * midY + 1, 2 * (midY - white)];
  return (brightest) => {
    if (brightest <= 1) return white;
    if (brightest >= top) return 1 / brightest;
    const t = (2 * (brightest - 1)) / (bx + Math.sqrt(bx * bx + 4 * ax * (brightest - 1)));
    return (white + t * (by + t * ay)) / brightest;
  };
}

/** Light of PQ, a share of 10,000 cd/m², to light of which white paper is 1. */
export const PQ_SCALE = 10_000 / WHITE;
/** And of HLG on its screen, by the luminance of the scene. */
export const hlgScale = (luminance: number): number => (PEAK / WHITE) * luminance ** 0.2;
