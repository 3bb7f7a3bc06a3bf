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

/** How numbers are to be read, beyond what a decoder does. */
export interface Reading {
  /** None where they are the target's own. */
  readonly meaning?: Meaning;
  /** The number of full light, of colours and of alpha: 255, or what a decoder makes of more bits. */
  readonly most: number;
  /** Numbers run from 16 to 235, of 255. */
  readonly limited?: boolean;
  readonly alphaLimited?: boolean;
  /** Colours are multiplied by alpha. */
  readonly premultiplied?: boolean;
}

/** What comes out: sRGB's curve over one of two triples of primaries. */
export const targets = {
  srgb: toXyz(primaries[SRGB_PRIMARIES]),
  p3: toXyz(primaries[P3_PRIMARIES]),
} as const;
export type Target = keyof typeof targets;

/** Rows of RGB or RGBA without gaps. */
export interface Numbers {
  readonly data: Uint8Array | Uint16Array;
  readonly channels: 3 | 4;
}

/** Light, 0 to 1, in so many steps to a level: a step is a fifth of one where the curve is steepest. */
const STEPS = 16_384;
let levels: Uint8Array | undefined;
/** Made when it is first needed: most processes never do. */
const levelTable = () =>
  (levels ??= Uint8Array.from({ length: STEPS + 1 }, (_, i) => Math.round(255 * toSrgb(i / STEPS))));

/** What numbers of limited range stand for. */
const widened = (v: number) => Math.min(1, Math.max(0, (v * 255 - 16) / 219));

/** The same pixels as levels of a target's numbers; 8 bits are converted in place. */
export function straight(numbers: Numbers, reading: Reading, target: Target): Uint8Array {
  const { data, channels } = numbers;
  const { most, meaning } = reading;
  if (channels === 4 && reading.premultiplied) divideByAlpha(data, most);
  const made = data instanceof Uint8Array ? data : new Uint8Array(data.length);
  if (channels === 4) convertAlpha(numbers, made, reading);
  const share = shareOf(reading);
  if (meaning)
    return byMeaning(numbers, made, meaning, target, (curve) => tableOf(numbers, (i) => curve(share(i))));
  const levels = tableOf(numbers, (i) => Math.round(255 * share(i)));
  for (let at = 0; at < data.length; at += channels) {
    for (let c = at; c < at + 3; c++) made[c] = levels[data[c] ?? 0] ?? 0;
  }
  return made;
}

/** Of full light, 0 to 1, what a number stands for. */
const shareOf = ({ most, limited }: Reading) =>
  limited ? (i: number) => widened(i / most) : (i: number) => Math.min(1, i / most);

/** The same numbers, as of 16 bits. */
export function deepened({ data, channels }: Numbers, reading: Reading): Uint16Array {
  const own = { data: data.slice(), channels };
  if (channels === 4 && reading.premultiplied) divideByAlpha(own.data, reading.most);
  const tables = [reading.limited, reading.alphaLimited].map((limited = false) => {
    const share = shareOf({ ...reading, limited });
    return tableOf(own, (i) => Math.round(65_535 * share(i)));
  });
  const [colours, alphas] = tables;
  return Uint16Array.from(own.data, (value, at) => (at % channels === 3 ? alphas : colours)?.[value] ?? 0);
}

const tableOf = ({ data }: Numbers, value: (i: number) => number) =>
  Float32Array.from({ length: data instanceof Uint8Array ? 256 : 65_536 }, (_, i) => value(i));

function divideByAlpha(data: Numbers["data"], most: number): void {
  for (let at = 0; at < data.length; at += 4) {
    const alpha = data[at + 3] ?? 0;
    if (alpha === 0 || alpha >= most) continue;
    for (let c = at; c < at + 3; c++) data[c] = Math.min(most, Math.round(((data[c] ?? 0) * most) / alpha));
  }
}

function convertAlpha({ data }: Numbers, made: Uint8Array, { most, alphaLimited }: Reading): void {
  for (let at = 3; at < data.length; at += 4) {
    const alpha = Math.min(1, (data[at] ?? 0) / most);
    made[at] = Math.round(255 * (alphaLimited ? widened(alpha) : alpha));
  }
}

interface Light {
  r: number;
  g: number;
  b: number;
}

function byMeaning(
  { data, channels }: Numbers,
  made: Uint8Array,
  meaning: Meaning,
  target: Target,
  lightOf: (curve: Curve) => Float32Array,
): Uint8Array {
  const [red, green, blue] = meaning.curves.map(lightOf);
  const [r, g, b] = times(inverse(targets[target]), meaning.toXyz);
  const dim = dimming(meaning);
  const table = levelTable();
  const levelOf = (light: number): number =>
    table[light <= 0 ? 0 : light >= 1 ? STEPS : Math.round(light * STEPS)] ?? 0;
  const light: Light = { r: 0, g: 0, b: 0 };
  for (let at = 0; at < data.length; at += channels) {
    light.r = red?.[data[at] ?? 0] ?? 0;
    light.g = green?.[data[at + 1] ?? 0] ?? 0;
    light.b = blue?.[data[at + 2] ?? 0] ?? 0;
    const by = dim(light);
    made[at] = levelOf(by * (r[0] * light.r + r[1] * light.g + r[2] * light.b));
    made[at + 1] = levelOf(by * (g[0] * light.r + g[1] * light.g + g[2] * light.b));
    made[at + 2] = levelOf(by * (b[0] * light.r + b[1] * light.g + b[2] * light.b));
  }
  return made;
}

const REC2020 = toXyz(primaries[9]);

/** By how much a pixel's light is multiplied so that a screen can show it, white being 1. */
function dimming({ toXyz, range, peak }: Meaning): (light: Light) => number {
  if (range === "sdr") return () => 1;
  const [r, g, b] = times(inverse(REC2020), toXyz);
  const gain = gainFor(peak);
  return (light) => {
    const red = r[0] * light.r + r[1] * light.g + r[2] * light.b;
    const green = g[0] * light.r + g[1] * light.g + g[2] * light.b;
    const blue = b[0] * light.r + b[1] * light.g + b[2] * light.b;
    // BT.2020's luminance.
    const luminance = Math.max(0, 0.2627 * red + 0.678 * green + 0.0593 * blue);
    const scale = range === "pq" ? PQ_SCALE : hlgScale(luminance);
    return scale * gain(scale * Math.max(red, green, blue));
  };
}

/** Ink to levels as browsers do where no profile says more: each colour is what its ink and black let through. */
export function fromInk(data: Uint8Array): Uint8Array {
  const made = new Uint8Array((data.length / 4) * 3);
  for (let from = 0, at = 0; from < data.length; from += 4, at += 3) {
    const black = 255 - (data[from + 3] ?? 0);
    for (let c = 0; c < 3; c++) made[at + c] = Math.round(((255 - (data[from + c] ?? 0)) * black) / 255);
  }
  return made;
}
