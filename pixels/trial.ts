/**
 * How hard a picture is to encode: tiles of it, spread evenly, are encoded as one small JPEG, and what that lost is measured
 * the way SSIMULACRA 2.1 does, by blocks in the place of its Gaussian. `core/quality.ts` says what follows from the numbers.
 */
import type { Raster } from "./raster.ts";

const TILE = 64;
/** A quarter of a megapixel in tiles tells little more than this (measured); a trial takes about 4 ms. */
const TILES = 24;
/**
 * Of a small picture fewer, one for so many of its pixels, and none for what is made of it with less than that (`thumb`), which costs
 * as much for half a millisecond in sharp: trials would be 4 to 5 % of what developing it takes, and are 3 to 4.
 */
const PIXELS_A_TILE = 35_000;
/** Pixels of a block's side, at each scale: about as far as SSIMULACRA's Gaussian sees. */
const BLOCK = 4;
const C2 = 0.0009;
/** So that what is flat, or grey, is no further from all others than what is hardly so. */
const LEAST = 1e-3;

export interface Mosaic {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** What is looked at in turn, of each tile: the planes that weigh in the score, at 1:1 and at half the size of before. */
const LOOKS: readonly { readonly plane: "x" | "y" | "b"; readonly halve?: true }[] = [
  { plane: "y" },
  { plane: "y", halve: true },
  { plane: "y", halve: true },
  { plane: "x" },
  { plane: "y", halve: true },
  { plane: "x" },
  { plane: "b" },
  { plane: "b", halve: true },
];

/** Red, green and blue in linear light, of one tile. */
type Light = readonly [Float32Array, Float32Array, Float32Array];
const room = () => new Float32Array(TILE * TILE);
// The same for every tile: new ones would cost as much in garbage as all the rest.
const A: Light = [room(), room(), room()];
const B: Light = [room(), room(), room()];
const [one, other] = [room(), room()];

/** Of pixels that several formats are made of: once. */
const trials = new WeakMap<Raster, Promise<number[] | undefined>>();

/** What became of a mosaic: bytes of the file, and its pixels. */
type Encode = (mosaic: Mosaic) => Promise<{ readonly bytes: number; readonly data: Uint8Array }>;

/**
 * Numbers in an order of their own, or nothing of what has no room for one tile, or is not worth one.
 * @param whole pixels of the largest that is made of the picture
 */
export function trialBy(encode: Encode, raster: Raster, whole: number): Promise<number[] | undefined> {
  const made = trials.get(raster) ?? tried(encode, raster, whole);
  trials.set(raster, made);
  return made;
}

async function tried(encode: Encode, raster: Raster, whole: number): Promise<number[] | undefined> {
  const tiles = tilesOf(whole);
  if (raster.width < TILE || raster.height < TILE) return undefined;
  if (tiles < TILES && raster.width * raster.height < PIXELS_A_TILE) return undefined;
  const mosaic = mosaicOf(raster, tiles);
  const { width, height } = mosaic;
  const { bytes, data } = await encode(mosaic);
  return [
    Math.log2(raster.width),
    Math.log(bytes / (width * height)),
    ...losses(mosaic, { ...mosaic, data }),
  ];
}

/** The same numbers of a whole file, or nothing of what has no room for one tile. @param decoded its pixels */
export function numbersOfFile(raster: Raster, bytes: number, decoded: Raster): number[] | undefined {
  const { width, height } = raster;
  if (width < TILE || height < TILE) return undefined;
  const lost = losses(mosaicOf(raster, TILES), mosaicOf(decoded, TILES));
  return [Math.log2(width), Math.log(bytes / (width * height)), ...lost];
}

const tilesOf = (whole: number) => Math.min(TILES, Math.ceil(whole / PIXELS_A_TILE));

function losses(mosaic: Mosaic, decoded: Mosaic): number[] {
  const { width, height } = mosaic;
  const found = LOOKS.map(() => new Loss());
  for (let top = 0; top < height; top += TILE) {
    for (let left = 0; left < width; left += TILE) {
      linear(mosaic, left, top, A);
      linear(decoded, left, top, B);
      let side = TILE;
      for (const [i, { plane, halve }] of LOOKS.entries()) {
        if (halve) {
          side /= 2;
          for (const light of [...A, ...B]) halved(light, side);
        }
        planeOf(plane, A, side, one);
        planeOf(plane, B, side, other);
        found[i]?.add(side);
      }
    }
  }
  return found.flatMap((loss) => loss.numbers());
}

/** Tiles beside each other, in the order in which they lie in the picture; of an animation, of its first frame. */
function mosaicOf({ data, width, height, channels }: Raster, most: number): Mosaic {
  let [across, down] = [Math.floor(width / TILE), Math.floor(height / TILE)];
  const shrink = Math.sqrt(Math.max(1, (across * down) / most));
  across = Math.min(across, most, Math.max(1, Math.round(across / shrink)));
  down = Math.min(down, Math.max(1, Math.floor(most / across)));
  const mosaic = new Uint8Array(across * down * TILE * TILE * 3);
  let to = 0;
  for (let y = 0; y < down * TILE; y++) {
    const top = Math.round(((Math.floor(y / TILE) + 0.5) * height) / down - TILE / 2) + (y % TILE);
    for (let tile = 0; tile < across; tile++) {
      const left = Math.round(((tile + 0.5) * width) / across - TILE / 2);
      for (let x = 0, at = (top * width + left) * channels; x < TILE; x++, at += channels) {
        mosaic[to++] = data[at] ?? 0;
        mosaic[to++] = data[at + 1] ?? 0;
        mosaic[to++] = data[at + 2] ?? 0;
      }
    }
  }
  return { data: mosaic, width: across * TILE, height: down * TILE };
}

const TO_LINEAR = Float32Array.from({ length: 256 }, (_, i) => {
  const value = i / 255;
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
});

/** Cube roots as XYB takes them: a table, as `Math.cbrt` would take longer than all the rest. */
const STEPS = 16_384;
const ROOTS = Float32Array.from({ length: STEPS + 1 }, (_, i) =>
  Math.cbrt(i / STEPS + 0.0037930732552754493),
);
const root = (value: number): number => ROOTS[(value * STEPS + 0.5) | 0] ?? 0;

function linear({ data, width }: Mosaic, left: number, top: number, [red, green, blue]: Light): void {
  for (let y = 0, i = 0; y < TILE; y++) {
    for (let x = 0, at = ((top + y) * width + left) * 3; x < TILE; x++, i++, at += 3) {
      red[i] = TO_LINEAR[data[at] ?? 0] ?? 0;
      green[i] = TO_LINEAR[data[at + 1] ?? 0] ?? 0;
      blue[i] = TO_LINEAR[data[at + 2] ?? 0] ?? 0;
    }
  }
}

/** In its place. @param side of what comes out */
function halved(light: Float32Array, side: number): void {
  const width = side * 2;
  for (let y = 0, i = 0; y < side; y++) {
    for (let x = 0, at = y * 2 * width; x < side; x++, i++, at += 2) {
      const sum =
        (light[at] ?? 0) + (light[at + 1] ?? 0) + (light[at + width] ?? 0) + (light[at + width + 1] ?? 0);
      light[i] = sum / 4;
    }
  }
}

/** One of XYB's planes, without what is the same for every pixel. */
function planeOf(plane: "x" | "y" | "b", [red, green, blue]: Light, side: number, to: Float32Array): void {
  for (let i = 0; i < side * side; i++) {
    const r = red[i] ?? 0;
    const g = green[i] ?? 0;
    const b = blue[i] ?? 0;
    const long = root(0.3 * r + 0.622 * g + 0.078 * b);
    const medium = root(0.23 * r + 0.692 * g + 0.078 * b);
    if (plane === "y") to[i] = (long + medium) / 2;
    else if (plane === "x") to[i] = 7 * (long - medium);
    else
      to[i] =
        root(0.24342268924547819 * r + 0.20476744424496821 * g + 0.5518098665095535 * b) -
        (long + medium) / 2;
  }
}

/** Sums over blocks of what `one` lost in `other`. A class of numbers, as this runs for every pixel. */
class Loss {
  structure = 0;
  structure4 = 0;
  ringing = 0;
  blurring = 0;
  variance = 0;
  blocks = 0;

  add(side: number): void {
    for (let top = 0; top < side * side; top += side * BLOCK)
      for (let left = top; left < top + side; left += BLOCK) this.#block(left, side);
  }

  #block(start: number, side: number): void {
    let [sumA, sumB, squareA, squareB, both] = [0, 0, 0, 0, 0];
    for (let y = 0, at = start; y < BLOCK; y++, at += side - BLOCK) {
      for (let x = 0; x < BLOCK; x++, at++) {
        const a = one[at] ?? 0;
        const b = other[at] ?? 0;
        sumA += a;
        sumB += b;
        squareA += a * a;
        squareB += b * b;
        both += a * b;
      }
    }
    const meanA = sumA / BLOCK ** 2;
    const meanB = sumB / BLOCK ** 2;
    const varianceA = Math.max(0, squareA / BLOCK ** 2 - meanA * meanA);
    const varianceB = squareB / BLOCK ** 2 - meanB * meanB;
    const alike = (2 * (both / BLOCK ** 2 - meanA * meanB) + C2) / (varianceA + varianceB + C2);
    const lost = Math.max(0, 1 - (1 - (meanA - meanB) * (meanA - meanB)) * alike);
    this.structure += lost;
    this.structure4 += lost * lost * lost * lost;
    this.variance += Math.log(varianceA + LEAST / 10);
    this.blocks++;
    for (let y = 0, at = start; y < BLOCK; y++, at += side - BLOCK) {
      for (let x = 0; x < BLOCK; x++, at++) {
        const edge = (1 + Math.abs((other[at] ?? 0) - meanB)) / (1 + Math.abs((one[at] ?? 0) - meanA)) - 1;
        const fourth = edge * edge * edge * edge;
        if (edge > 0) this.ringing += fourth;
        else this.blurring += fourth;
      }
    }
  }

  /** Logarithms of: lost structure (its mean and its fourth norm), ringing, blurring (fourth norms), variance. */
  numbers(): number[] {
    const norm = (sum: number, of: number) => Math.log((sum / of) ** 0.25 + LEAST);
    const pixels = this.blocks * BLOCK ** 2;
    return [
      Math.log(this.structure / this.blocks + LEAST),
      norm(this.structure4, this.blocks),
      norm(this.ringing, pixels),
      norm(this.blurring, pixels),
      this.variance / this.blocks,
    ];
  }
}
