/**
 * How hard a picture is to encode: what a JPEG would lose of tiles of it, spread evenly, is measured the way SSIMULACRA 2.1 does, by
 * blocks in the place of its Gaussian. `core/quality.ts` says what follows from the numbers.
 */
import wasm from "./losses.wasm.ts";
import type { Raster } from "./raster.ts";

const TILE = 64;
/** A quarter of a megapixel in tiles tells little more than this (measured); a trial takes 2 ms. */
const TILES = 32;
/** Of a file, whose lines are fitted with as many. */
const LOOKED_AT = 24;
/** Of a small picture fewer, one for so many of its pixels, and none for what is made of it with less than that. */
const PIXELS_A_TILE = 12_000;

/** Bytes of a pixel that a JPEG of so many tiles has before its first: without them what is flat would be no size at all. */
const HEADER = 0.006;

/** Of pixels that several formats are made of: once. */
const trials = new WeakMap<Raster, number[] | undefined>();

/**
 * Numbers in an order of their own, or nothing of what has no room for one tile, or is not worth one.
 * @param whole the largest that is made of the picture
 */
export function trialOf(raster: Raster, whole: Pick<Raster, "width" | "height">): number[] | undefined {
  if (!trials.has(raster)) trials.set(raster, tried(raster, tilesOf(whole.width * whole.height)));
  return trials.get(raster);
}

function tried(raster: Raster, tiles: number): number[] | undefined {
  if (raster.width < TILE || raster.height < TILE) return undefined;
  if (tiles < TILES && raster.width * raster.height < PIXELS_A_TILE) return undefined;
  assembly ??= assembled();
  const { memory, mosaics, trial } = assembly;
  const [width, height] = layTiles(raster, tiles, new Uint8Array(memory.buffer, mosaics.value));
  const bytes = trial(width, height, raster.channels) / 8;
  return [Math.log2(raster.width), Math.log(bytes / (width * height) + HEADER), ...numbersIn(assembly)];
}

/** The same numbers of a whole file, or nothing of what has no room for one tile. @param decoded its pixels */
export function numbersOfFile(raster: Raster, bytes: number, decoded: Raster): number[] | undefined {
  const { width, height } = raster;
  if (width < TILE || height < TILE) return undefined;
  assembly ??= assembled();
  const { memory, mosaics, losses } = assembly;
  const room = new Uint8Array(memory.buffer, mosaics.value);
  const [across, down] = layTiles(raster, LOOKED_AT, room);
  layTiles(decoded, LOOKED_AT, room.subarray(across * down * raster.channels));
  losses(across, down, raster.channels, decoded.channels);
  return [Math.log2(width), Math.log(bytes / (width * height)), ...numbersIn(assembly)];
}

const tilesOf = (whole: number) => Math.min(TILES, Math.ceil(whole / PIXELS_A_TILE));

/** What `assembly/losses.ts` exports. Globals are places in its memory, in bytes. */
interface Assembly {
  readonly memory: WebAssembly.Memory;
  readonly light: WebAssembly.Global;
  readonly numbers: WebAssembly.Global;
  readonly mosaics: WebAssembly.Global;
  losses(width: number, height: number, channels: number, others: number): void;
  trial(width: number, height: number, channels: number): number;
}
let assembly: Assembly | undefined;
/** Five numbers of each of its six looks. */
const LOSSES = 30;
const numbersIn = ({ memory, numbers }: Assembly) => new Float64Array(memory.buffer, numbers.value, LOSSES);

function assembled(): Assembly {
  const module = new WebAssembly.Module(Buffer.from(wasm, "base64"));
  const { exports } = new WebAssembly.Instance(module, { tile: { log: Math.log } });
  const made = exports as unknown as Assembly;
  new Float32Array(made.memory.buffer, made.light.value, 256).set(
    Array.from({ length: 256 }, (_, value) => toLinear(value / 255)),
  );
  return made;
}
const toLinear = (value: number) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);

/**
 * Tiles beside each other, in the order in which they lie in the picture; of an animation, of its first frame.
 * @returns width and height of what they are, in pixels
 */
function layTiles(
  { data, width, height, channels }: Raster,
  most: number,
  room: Uint8Array,
): [number, number] {
  let [across, down] = [Math.floor(width / TILE), Math.floor(height / TILE)];
  const shrink = Math.sqrt(Math.max(1, (across * down) / most));
  across = Math.min(across, most, Math.max(1, Math.round(across / shrink)));
  down = Math.min(down, Math.max(1, Math.floor(most / across)));
  const row = TILE * channels;
  let to = 0;
  for (let y = 0; y < down * TILE; y++) {
    const top = Math.round(((Math.floor(y / TILE) + 0.5) * height) / down - TILE / 2) + (y % TILE);
    for (let tile = 0; tile < across; tile++, to += row) {
      const left = Math.round(((tile + 0.5) * width) / across - TILE / 2);
      const from = (top * width + left) * channels;
      room.set(data.subarray(from, from + row), to);
    }
  }
  return [across * TILE, down * TILE];
}
