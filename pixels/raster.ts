import type { HdrTag } from "./colour/said.ts";

/** How a map is meant: logarithms to base 2, exponents and offsets by Adobe's and Google's names, one for all colours or one each. */
export type GainMapMeaning = Readonly<
  Record<
    "GainMapMin" | "GainMapMax" | "Gamma" | "OffsetSDR" | "OffsetHDR" | "HDRCapacityMin" | "HDRCapacityMax",
    readonly number[]
  >
>;

/** Pixels in sRGB, upright, 8 bits each; the frames of an animation stand below each other. */
export interface Raster {
  readonly data: Uint8Array;
  /** Of one frame. */
  readonly width: number;
  readonly height: number;
  readonly channels: 3 | 4;
  readonly frames: number;
  /** Milliseconds per frame. */
  readonly delay?: number[];
  /** How often it plays; 0 for ever. */
  readonly loop?: number;
  /** Of the whole picture, and as upright as it. */
  readonly gainMap?: { readonly raster: Raster; readonly meaning: GainMapMeaning };
  /** The whole picture once more, as upright as it, brighter than sRGB can be. */
  readonly bright?: Bright;
}

/** Numbers of 16 bits by the curve that their tag names, PQ or HLG. */
export interface Bright {
  readonly data: Uint16Array;
  readonly width: number;
  readonly height: number;
  readonly channels: 3 | 4;
  readonly tag: HdrTag;
}
