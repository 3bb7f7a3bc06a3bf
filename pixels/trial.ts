/**
 * How hard a picture is to encode: tiles of it, spread evenly, are encoded as one small JPEG, and what that lost is measured
 * the way SSIMULACRA 2.1 does, by blocks in the place of its Gaussian. `core/quality.ts` says what follows from the numbers.
 */
import wasm from "./losses.wasm.ts";
import type { Raster } from "./raster.ts";

const TILE = 64;
/** A quarter of a megapixel in tiles tells little more than this (measured); a trial takes 4 ms. */
const TILES = 24;
/**
 * Of a small picture fewer, one for so many of its pixels, and none for what is made of it with less than that (`thumb`): trials would
 * be 4 to 5 % of what developing it takes, and are 2.
 */
const PIXELS_A_TILE = 35_000;

export interface Mosaic {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: 3 | 4;
}

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
    ...losses(mosaic, { ...mosaic, data, channels: 3 }),
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

/** What `assembly/losses.ts` exports. Globals are places in its memory, in bytes. */
interface Assembly {
  readonly memory: WebAssembly.Memory;
  readonly light: WebAssembly.Global;
  readonly numbers: WebAssembly.Global;
  readonly mosaics: WebAssembly.Global;
  losses(width: number, height: number, channels: number, others: number): void;
}
let assembly: Assembly | undefined;
/** Five numbers of each of its eight looks. */
const LOSSES = 40;

function assembled(): Assembly {
  const module = new WebAssembly.Module(Buffer.from(wasm, "base64"));
  const { exports } = new WebAssembly.Instance(module, { losses: { log: Math.log } });
  const made = exports as unknown as Assembly;
  new Float32Array(made.memory.buffer, made.light.value, 256).set(
    Array.from({ length: 256 }, (_, value) => toLinear(value / 255)),
  );
  return made;
}
const toLinear = (value: number) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);

function losses(before: Mosaic, after: Mosaic): number[] {
  assembly ??= assembled();
  const { memory, mosaics, numbers } = assembly;
  const room = new Uint8Array(memory.buffer, mosaics.value);
  room.set(before.data);
  room.set(after.data, before.data.length);
  assembly.losses(before.width, before.height, before.channels, after.channels);
  return [...new Float64Array(memory.buffer, numbers.value, LOSSES)];
}

/** Tiles beside each other, in the order in which they lie in the picture; of an animation, of its first frame. */
function mosaicOf({ data, width, height, channels }: Raster, most: number): Mosaic {
  let [across, down] = [Math.floor(width / TILE), Math.floor(height / TILE)];
  const shrink = Math.sqrt(Math.max(1, (across * down) / most));
  across = Math.min(across, most, Math.max(1, Math.round(across / shrink)));
  down = Math.min(down, Math.max(1, Math.floor(most / across)));
  const row = TILE * channels;
  const mosaic = new Uint8Array(across * down * TILE * row);
  let to = 0;
  for (let y = 0; y < down * TILE; y++) {
    const top = Math.round(((Math.floor(y / TILE) + 0.5) * height) / down - TILE / 2) + (y % TILE);
    for (let tile = 0; tile < across; tile++, to += row) {
      const left = Math.round(((tile + 0.5) * width) / across - TILE / 2);
      const from = (top * width + left) * channels;
      mosaic.set(data.subarray(from, from + row), to);
    }
  }
  return { data: mosaic, width: across * TILE, height: down * TILE, channels };
}
