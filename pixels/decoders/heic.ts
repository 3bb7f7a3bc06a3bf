/**
 * HEIC through libheif in WebAssembly: sharp's own build reads no HEVC. The only file that imports libheif-js.
 *
 * Every file gets an instance of its own, so that a hostile one meets neither native code nor what the image
 * before it left in memory; it dies with the reference to it, as WebAssembly memory never shrinks.
 */
import libheif from "libheif-js/libheif-wasm/libheif-bundle.mjs";
import type { FormatName } from "../../core/formats.ts";
import type { Plan, Rectangle } from "../../core/plan.ts";
import { coloursOf } from "../colour/colours.ts";
import { APPLE_MAP, appleOf, MOST_MAP_PIXELS, type Said, toneMapIn, ultraHdrOf } from "../colour/gain-map.ts";
import type { Numbers } from "../colour/straight.ts";
import { rasterOfPng, shaped, straightRaster } from "../develop.ts";
import { appleHeadroomOf, isAdobeRgb } from "../exif.ts";
import { pngOf } from "../png.ts";
import type { Raster } from "../raster.ts";
import { apertureOf } from "./aperture.ts";
import { headerOf, type Source } from "./source.ts";

/** Values of libheif's enums. */
const COLORSPACE_RGB = 1;
const CHROMA_RGB = 10;
const CHROMA_RGBA = 11;
/** Numbers of 16 bits, the lower byte first. */
const CHROMA_DEEP_RGB = 14;
const CHROMA_DEEP_RGBA = 15;
const CHANNEL_INTERLEAVED = 10;
const WITHOUT_ALPHA_AND_DEPTH = 2 | 4;
/** Auxiliary pictures that are looked at: iPhones have up to five. */
const MOST_AUXILIARY = 16;
/** The type of a box that nobody reads. */
const FREE = Buffer.from("free");

export async function openHeic(bytes: Uint8Array, format: FormatName): Promise<Source> {
  const heic = readHeic(bytes);
  const { width, height, icc, bits, exif } = heic;
  const colours = coloursOf(format, bytes, { space: "light", bits: 8, icc, isAdobeRgb: isAdobeRgb(exif) });
  // Eight bits of PQ or HLG are too few for the dark half: steps would show.
  const isDeep = bits > 8 && colours.hdr !== undefined;
  return {
    header: headerOf(format, heic, heic, { ...colours, gainMap: heic.gainMap !== undefined }),
    async decode(plan) {
      const base = await baseOf(plan);
      const gainMap = plan.gainMap && heic.gainMap?.();
      return gainMap ? { ...base, gainMap } : base;
    },
  };

  async function baseOf(plan: Plan): Promise<Raster> {
    const { base: size, colour = "srgb" as const } = plan;
    const numbers = { ...heic.decode(isDeep), width, height };
    if (colours.from(colour) === "numbers") {
      const most = isDeep ? 2 ** bits - 1 : 255;
      return straightRaster(numbers, size, { ...colours, reading: { ...colours.reading, most } }, plan);
    }
    const small = await shaped({ ...numbers, data: numbers.data as Uint8Array, frames: 1 }, size);
    // sharp applies profiles of files only. What we wrote ourselves may warn: a broken profile is not used.
    return icc ? rasterOfPng(pngOf(small, icc)) : small;
  }
}

/** Of the primary image, after its rotation, mirroring and crop. */
interface Heic {
  readonly width: number;
  readonly height: number;
  readonly alpha: boolean;
  /** Of one number of the picture. */
  readonly bits: number;
  /** The ICC profile that the decoded colours are in; sRGB where there is none. */
  readonly icc: Uint8Array | undefined;
  /** TIFF structure as in other formats. */
  readonly exif: Uint8Array | undefined;
  readonly xmp: Uint8Array | undefined;
  /**
   * Rows of RGB or RGBA without gaps, 8 bits each, or as many as there are: a view of the instance's memory, valid while it
   * is referenced.
   * @throws Error when the pixels cannot be decoded
   */
  decode(isDeep?: boolean): Numbers;
  /** Where there is one that says how bright it is; it ends what `decode` gave. */
  readonly gainMap: (() => Raster["gainMap"]) | undefined;
}

/** An instance of libheif, and how it is called. */
function instance() {
  const lib = libheif();
  const allocate = (size: number): number => {
    const pointer = lib._malloc(size);
    if (pointer === 0) throw new Error("libheif: out of memory");
    return pointer;
  };
  const out = allocate(4);
  const error = allocate(12);
  return {
    lib,
    allocate,
    /** Where a function writes what it gives, and that. */
    out,
    result: () => lib.HEAP32[out >> 2] ?? 0,
    /** Calls a function that reports through the `heif_error` whose address it gets: code, subcode, message. */
    attempt(call: (error: number) => void): void {
      call(error);
      const code = lib.HEAP32[error >> 2];
      if (code !== 0) throw new Error(`libheif: error ${code}.${lib.HEAP32[(error >> 2) + 1]}`);
    },
  };
}
type Instance = ReturnType<typeof instance>;

function sizeOf({ lib }: Instance, handle: number): Rectangle {
  const width = lib._heif_image_handle_get_width(handle);
  return { left: 0, top: 0, width, height: lib._heif_image_handle_get_height(handle) };
}

/** @throws Error when the structure of the file cannot be read */
export function readHeic(bytes: Uint8Array): Heic {
  const heif = instance();
  const { lib, allocate, out, result, attempt } = heif;
  /** Bytes that libheif copies into a buffer of ours; none where it cannot. */
  const copied = (size: number, copy: (error: number, buffer: number) => void): Uint8Array | undefined => {
    if (size <= 0 || size > bytes.length) return undefined;
    const buffer = allocate(size);
    try {
      attempt((error) => copy(error, buffer));
      return lib.HEAPU8.slice(buffer, buffer + size);
    } catch {
      return undefined;
    } finally {
      lib._free(buffer);
    }
  };

  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const aperture = apertureOf(file);
  const input = allocate(bytes.length);
  lib.HEAPU8.set(bytes, input);
  for (const at of aperture?.types ?? []) lib.HEAPU8.set(FREE, input + at);
  const context = lib._heif_context_alloc();
  attempt((error) => lib._heif_context_read_from_memory(error, context, input, bytes.length, 0));
  lib._free(input);
  attempt((error) => lib._heif_context_get_primary_image_handle(error, context, out));
  const handle = result();
  const alpha = lib._heif_image_handle_has_alpha_channel(handle) !== 0;
  const shown = aperture?.rectangle ?? sizeOf(heif, handle);
  const exif = exifIn(readBlock("Exif"));

  return {
    width: shown.width,
    height: shown.height,
    alpha,
    bits: lib._heif_image_handle_get_luma_bits_per_pixel(handle),
    icc: copied(lib._heif_image_handle_get_raw_color_profile_size(handle), (error, buffer) =>
      lib._heif_image_handle_get_raw_color_profile(error, handle, buffer),
    ),
    exif,
    // RDF in XML is the only thing of that type that pictures have.
    xmp: readBlock("mime"),
    decode: (isDeep = false) => decoded(heif, handle, { shown, alpha, isDeep }),
    // A map that is not cut as the picture is would lie beside it.
    gainMap: aperture ? undefined : gainMapOf(heif, toneMapped() ?? applesMap()),
  };

  function toneMapped(): GainMap | undefined {
    const found = toneMapIn(file);
    try {
      if (found) attempt((error) => lib._heif_context_get_image_handle(error, context, found.item, out));
      return found && { picture: result(), said: found.said };
    } catch {
      return undefined;
    }
  }

  function applesMap(): GainMap | undefined {
    const picture = auxiliaryOf(heif, handle, APPLE_MAP);
    const xmp = picture === undefined ? undefined : readBlock("mime", picture);
    const said = appleOf(Buffer.from(xmp ?? []).toString(), appleHeadroomOf(exif));
    return picture === undefined || !said ? undefined : { picture, said };
  }

  /** The first block of that type. */
  function readBlock(type: string, of = handle): Uint8Array | undefined {
    const filter = allocate(5);
    lib.HEAPU8.set(Buffer.from(`${type}\0`), filter);
    if (lib._heif_image_handle_get_list_of_metadata_block_IDs(of, filter, out, 1) < 1) return undefined;
    const id = result();
    return copied(lib._heif_image_handle_get_metadata_size(of, id), (error, buffer) =>
      lib._heif_image_handle_get_metadata(error, of, id, buffer),
    );
  }
}

/** A gain map: its picture's handle, and how it is meant. */
interface GainMap {
  readonly picture: number;
  readonly said: Said;
}

/** As `Heic` has it; none where it cannot be read: the picture is whole without. */
function gainMapOf(heif: Instance, map: GainMap | undefined): Heic["gainMap"] {
  if (!map) return undefined;
  const { picture, said } = map;
  const shown = sizeOf(heif, picture);
  const { width, height } = shown;
  if (width * height > MOST_MAP_PIXELS) return undefined;
  return () => {
    try {
      const { data } = decoded(heif, picture, { shown, alpha: false, isDeep: false });
      return ultraHdrOf({ data: data as Uint8Array, width, height, channels: 3, frames: 1 }, said);
    } catch {
      return undefined;
    }
  };
}

/** The handle of the first auxiliary picture of that type. */
function auxiliaryOf({ lib, allocate, attempt, out, result }: Instance, handle: number, type: string) {
  const ids = allocate(4 * MOST_AUXILIARY);
  const count = lib._heif_image_handle_get_list_of_auxiliary_image_IDs(
    handle,
    WITHOUT_ALPHA_AND_DEPTH,
    ids,
    MOST_AUXILIARY,
  );
  try {
    for (const id of lib.HEAP32.slice(ids >> 2, (ids >> 2) + count)) {
      attempt((error) => lib._heif_image_handle_get_auxiliary_image_handle(error, handle, id, out));
      const picture = result();
      attempt((error) => lib._heif_image_handle_get_auxiliary_type(error, picture, out));
      const named = lib.HEAPU8.subarray(result(), result() + type.length);
      if (Buffer.from(named).toString("latin1") === type) return picture;
    }
  } catch {
    // What is no picture is no map.
  }
  return undefined;
}

interface Decoding {
  readonly shown: Rectangle;
  readonly alpha: boolean;
  readonly isDeep: boolean;
}

function decoded(heif: Instance, handle: number, { shown, alpha, isDeep }: Decoding): Numbers {
  const { lib, attempt, out, result } = heif;
  const { width: wide, height: high } = sizeOf(heif, handle);
  const chromas = isDeep ? [CHROMA_DEEP_RGB, CHROMA_DEEP_RGBA] : [CHROMA_RGB, CHROMA_RGBA];
  const chroma = chromas[alpha ? 1 : 0] ?? CHROMA_RGB;
  attempt((error) => lib._heif_decode_image(error, handle, out, COLORSPACE_RGB, chroma, 0));
  const image = result();
  const plane = lib._heif_image_get_plane_readonly2(image, CHANNEL_INTERLEAVED, out);
  const stride = result();
  const channels = alpha ? 4 : 3;
  const pixel = channels * (isDeep ? 2 : 1);
  const isWhole =
    lib._heif_image_get_width(image, CHANNEL_INTERLEAVED) === wide &&
    lib._heif_image_get_height(image, CHANNEL_INTERLEAVED) === high;
  if (plane === 0 || stride < wide * pixel || !isWhole)
    throw new Error("libheif: not the image the header promised");
  const length = moveTogether(lib.HEAPU8, plane, { stride, pixel }, shown);
  const data = lib.HEAPU8.subarray(plane, plane + length);
  return { channels, data: isDeep ? new Uint16Array(data.buffer, plane, data.length / 2) : data };
}

/** ISO/IEC 23008-12, A.2.1: four bytes say how far after them the TIFF header stands. */
function exifIn(block: Uint8Array | undefined): Uint8Array | undefined {
  if (!block || block.length < 4) return undefined;
  return block.subarray(4 + new DataView(block.buffer).getUint32(0));
}

/** Rows are padded, and may be cut: what is shown is moved together in place, as a copy would cost its size once more. */
function moveTogether(
  heap: Uint8Array,
  plane: number,
  { stride, pixel }: { readonly stride: number; readonly pixel: number },
  { left, top, width, height }: Rectangle,
): number {
  const row = width * pixel;
  for (let y = 0; y < height; y++) {
    const from = plane + (top + y) * stride + left * pixel;
    if (from > plane + y * row) heap.copyWithin(plane + y * row, from, from + row);
  }
  return row * height;
}
