/** Which decoder reads which format: the column `decoder` of `core/formats.ts`. */
import { type Format, type FormatName, formats } from "../../core/formats.ts";
import { hasC2pa } from "../rights/c2pa.ts";
import { openGif } from "./gif.ts";
import { openWithLibvips } from "./libvips.ts";
import { openPng } from "./png.ts";
import type { Source } from "./source.ts";

type Open = (bytes: Uint8Array, format: FormatName) => Promise<Source>;

const decoders: Record<Format["decoder"], () => Open | Promise<Open>> = {
  libvips: () => openWithLibvips,
  gif: () => openGif,
  png: () => openPng,
  // Not before it is asked for: its WebAssembly is 16 MB of memory, and a tenth of a second, of every process's start.
  heic: async () => (await import("./heic.ts")).openHeic,
};

/** Reads the header. @throws Error when it cannot be read */
export async function openSource(bytes: Uint8Array, format: FormatName): Promise<Source> {
  const open = await decoders[formats[format].decoder]();
  const source = await open(bytes, format);
  return hasC2pa(format, bytes) ? { ...source, header: { ...source.header, c2pa: true } } : source;
}
