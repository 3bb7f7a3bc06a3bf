/** The blocks of a GIF (GIF89a, W3C): its frames, as far as all their pixels are there. */
import type { Finding } from "../../core/checks.ts";
import { unpack } from "./lzw.ts";

export interface GifFrame {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly isInterlaced: boolean;
  /** Red, green and blue of each colour. */
  readonly palette: Uint8Array;
  /** The colour that is none; -1 where all are. */
  readonly transparent: number;
  /** 2 clears its place, 3 restores what was there. */
  readonly disposal: number;
  /** Milliseconds. */
  readonly delay: number;
  /** Bits of a pixel, and the codes: what `unpack` takes. */
  readonly bits: number;
  readonly data: Uint8Array;
}

export interface Gif {
  readonly width: number;
  readonly height: number;
  /** At least one. */
  readonly frames: readonly GifFrame[];
  /** How often it plays; 0 for ever. */
  readonly loop: number;
}

const EXTENSION = 0x21;
const IMAGE = 0x2c;
const GRAPHIC_CONTROL = 0xf9;
const APPLICATION = 0xff;

/** Data that end where the file does. */
class Cut extends Error {}

/**
 * What browsers show: the frames up to one that is damaged, or up to what is no block. A file that ends inside a frame is
 * none of it: its upload broke off.
 */
export function readGif(bytes: Uint8Array): Gif | Finding {
  const walk = new Walk(bytes);
  let start = walk.at;
  try {
    for (; walk.at < bytes.length; start = walk.at) {
      const block = bytes[walk.at++];
      if (block === EXTENSION) walk.extension();
      else if (block !== IMAGE) break;
      else if (!walk.image()) break;
    }
  } catch (error) {
    if (!(error instanceof Cut)) throw error;
    // What is cut off after the last frame is no picture.
    if (walk.frames.length === 0 || walk.isInImage) return { check: "ends-early", at: start };
  }
  const { frames, loop } = walk;
  const [first] = frames;
  if (!first) return walk.isInImage ? { check: "bad-code", at: start } : { check: "no-picture", at: start };
  // A screen smaller than the first frame grows with it.
  const width = Math.max(walk.width, first.left + first.width);
  const height = Math.max(walk.height, first.top + first.height);
  return { width, height, frames, loop };
}

class Walk {
  readonly #bytes: Uint8Array;
  readonly #palette: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly frames: GifFrame[] = [];
  at = 13;
  loop = 1;
  isInImage = false;
  #control = { transparent: -1, disposal: 0, delay: 0 };

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.width = this.#word(6);
    this.height = this.#word(8);
    this.#palette = this.#colours(bytes[10] ?? 0);
  }

  #word(at: number): number {
    return (this.#bytes[at] ?? 0) | ((this.#bytes[at + 1] ?? 0) << 8);
  }

  #colours(flags: number): Uint8Array {
    if ((flags & 0x80) === 0) return new Uint8Array(0);
    const from = this.at;
    this.at += 3 * (2 << (flags & 7));
    return this.#bytes.subarray(from, this.at);
  }

  /** The parts of a block, up to an empty one. @throws Cut */
  #parts(): Uint8Array[] {
    const parts: Uint8Array[] = [];
    for (;;) {
      const length = this.#bytes[this.at];
      if (length === undefined) throw new Cut();
      const part = this.#bytes.subarray(this.at + 1, this.at + 1 + length);
      this.at += 1 + length;
      if (length === 0) return parts;
      parts.push(part);
      if (part.length < length) throw new Cut();
    }
  }

  extension(): void {
    const label = this.#bytes[this.at++];
    const [first, second] = this.#parts();
    if (label === GRAPHIC_CONTROL && first && first.length >= 4) {
      const [flags = 0, low = 0, high = 0, transparent = 0] = first;
      this.#control = {
        transparent: (flags & 1) === 1 ? transparent : -1,
        disposal: (flags >> 2) & 7,
        delay: 10 * (low | (high << 8)),
      };
    }
    const name = String.fromCharCode(...(first ?? []));
    if (label === APPLICATION && /^(NETSCAPE2\.0|ANIMEXTS1\.0)$/.test(name) && second?.[0] === 1) {
      // So many times more.
      const more = (second[1] ?? 0) | ((second[2] ?? 0) << 8);
      this.loop = more === 0 ? 0 : more + 1;
    }
  }

  /** Whether all pixels are there. @throws Cut */
  image(): boolean {
    this.isInImage = true;
    const [left, top, width, height] = [0, 2, 4, 6].map((at) => this.#word(this.at + at)) as [
      number,
      number,
      number,
      number,
    ];
    const flags = this.#bytes[this.at + 8] ?? 0;
    this.at += 9;
    const own = this.#colours(flags);
    const bits = this.#bytes[this.at++];
    if (bits === undefined) throw new Cut();
    let parts: Uint8Array[] = [];
    const from = this.at;
    try {
      parts = this.#parts();
    } catch (error) {
      // All pixels can be there before the end of what holds them.
      if (!(error instanceof Cut)) throw error;
      parts = partsUpTo(this.#bytes, from);
      if (bits > 11 || unpack(Buffer.concat(parts), bits, width * height) < width * height) throw error;
      this.at = this.#bytes.length;
    }
    const data = Buffer.concat(parts);
    if (bits > 11 || unpack(data, bits, width * height) < width * height) return false;
    this.isInImage = false;
    this.frames.push({
      ...{ left, top, width, height, bits, data },
      ...this.#control,
      isInterlaced: (flags & 0x40) !== 0,
      palette: own.length > 0 ? own : this.#palette,
    });
    this.#control = { transparent: -1, disposal: 0, delay: 0 };
    return true;
  }
}

/** The parts of a block that the file ends in. */
function partsUpTo(bytes: Uint8Array, from: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = from; at < bytes.length; at += 1 + (bytes[at] ?? 0))
    parts.push(bytes.subarray(at + 1, at + 1 + (bytes[at] ?? 0)));
  return parts;
}

/** RGBA of a frame. */
export function pixelsOf({
  width,
  height,
  bits,
  data,
  palette,
  transparent,
  isInterlaced,
}: GifFrame): Uint8Array {
  const indexes = new Uint8Array(width * height + 4096);
  unpack(data, bits, width * height, indexes);
  const rgba = new Uint8Array(width * height * 4);
  const rows = isInterlaced ? interlaced(height) : undefined;
  for (let y = 0, from = 0; y < height; y++) {
    for (let to = (rows?.[y] ?? y) * width * 4, end = to + width * 4; to < end; to += 4) {
      const index = indexes[from++] ?? 0;
      if (index === transparent) continue;
      rgba[to] = palette[index * 3] ?? 0;
      rgba[to + 1] = palette[index * 3 + 1] ?? 0;
      rgba[to + 2] = palette[index * 3 + 2] ?? 0;
      rgba[to + 3] = 255;
    }
  }
  return rgba;
}

/** Where each row goes, in the order they come. */
function interlaced(height: number): number[] {
  const passes = [
    [0, 8],
    [4, 8],
    [2, 4],
    [1, 2],
  ] as const;
  return passes.flatMap(([from, step]) =>
    Array.from({ length: Math.ceil(Math.max(0, height - from) / step) }, (_, i) => from + i * step),
  );
}
