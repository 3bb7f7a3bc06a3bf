/** From what a picture's numbers mean to straight sRGB, or Display P3: 8 bits a channel, alpha not multiplied in. */
import {
  type Curve,
  inverse,
  type Matrix,
  P3_PRIMARIES,
  primaries,
  type Range,
  SRGB_PRIMARIES,
  times,
  toSrgb,
  toXyz,
} from "./cicp.ts";
import { gainFor, hlgScale, PQ_SCALE } from "./tone.ts";

/** What the numbers of a picture mean. */
export interface Meaning {
  /** Linear light to XYZ under D50. */
  readonly toXyz: Matrix;
  /** Of red, green and blue. */
  readonly curves: readonly [Curve, Curve, Curve];
  readonly range: Range;
  /** cd/m² of the brightest part; of HDR alone. */
  readonly peak: number;
}

/** What comes out: sRGB's curve over one of two triples of primaries. */
export const targets = { srgb: toXyz(primaries[SRGB_PRIMARIES]), p3: toXyz(primaries[P3_PRIMARIES]) } as const;
export type Target = keyof typeof targets;

/** Rows of RGB or RGBA without gaps. */
interface Deep {
  readonly data: Uint8Array | Uint16Array;
  readonly channels: 3 | 4;
}

/** Light, 0 to 1, in so many steps to a number: a step is a fifth of a level where the curve is steepest. */
const STEPS = 16_384;
const encode = Uint8Array.from({ length: STEPS + 1 }, (_, i) => Math.round(255 * toSrgb(i / STEPS)));
/** Primaries that differ by less are the same: profiles say them in 16 bits. */
const ALIKE = 0.002;

/** The same pixels in a target's numbers; 8 bits are converted in place. */
export function straight({ data, channels }: Deep, meaning: Meaning | undefined, target: Target): Uint8Array {
  const made = data instanceof Uint8Array ? data : new Uint8Array(data.length);
  const most = data instanceof Uint8Array ? 255 : 65_535;
  if (channels === 4) for (let at = 3; at < data.length; at += 4) made[at] = Math.round(((data[at] ?? 0) * 255) / most);
  if (!meaning) {
    each(data, channels, (at) => {
      for (let c = at; c < at + 3; c++) made[c] = Math.round(((data[c] ?? 0) * 255) / most);
    });
    return made;
  }
  const [red, green, blue] = meaning.curves.map((curve) =>
    Float32Array.from({ length: most + 1 }, (_, i) => curve(i / most)),
  ) as [Float32Array, Float32Array, Float32Array];
  const [r, g, b] = times(inverse(targets[target]), meaning.toXyz);
  const step = (light: number) => encode[light <= 0 ? 0 : light >= 1 ? STEPS : Math.round(light * STEPS)] ?? 0;
  const dim = dimming(meaning);
  const light = { r: 0, g: 0, b: 0 };
  each(data, channels, (at) => {
    light.r = red[data[at] ?? 0] ?? 0;
    light.g = green[data[at + 1] ?? 0] ?? 0;
    light.b = blue[data[at + 2] ?? 0] ?? 0;
    const by = dim(light);
    made[at] = step(by * (r[0] * light.r + r[1] * light.g + r[2] * light.b));
    made[at + 1] = step(by * (g[0] * light.r + g[1] * light.g + g[2] * light.b));
    made[at + 2] = step(by * (b[0] * light.r + b[1] * light.g + b[2] * light.b));
  });
  return made;
}
