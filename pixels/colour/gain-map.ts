/**
 * Gain maps: a second, small picture that says how much brighter than the first a screen with HDR may be (ISO 21496-1). JPEGs
 * carry it behind the first picture, AVIF and HEIC as an item: Google's Ultra HDR and Adobe say how it is meant in XMP, the
 * standard in binary, and iPhones by a headroom.
 */
import type { FormatName } from "../../core/formats.ts";
import { boxAt } from "../look/boxes.ts";
import type { GainMapMeaning, Raster } from "../raster.ts";
import { itemsOf, withPrimary } from "./items.ts";
import { ISO, numbersIn, ofIso, ofXmp, XMP } from "./ultra-hdr.ts";

/** Those of cameras are a quarter or half of the picture in each direction; of one more than this the memory is not planned. */
export const MOST_MAP_PIXELS = 16_000_000;
/** The auxiliary picture that iPhones put into a HEIC. */
export const APPLE_MAP = "urn:com:apple:photo:2020:aux:hdrgainmap";

/** Header segments of a JPEG: where each starts, and its content. */
export function* segmentsOf(
  bytes: Buffer,
): Generator<{ marker: number; start: number; data: Buffer }, undefined> {
  for (let at = 2; at + 4 <= bytes.length && bytes[at] === 0xff; ) {
    const marker = bytes[at + 1] ?? 0;
    if (marker === 0xff) {
      at++;
      continue;
    }
    const end = at + 2 + bytes.readUInt16BE(at + 2);
    if (marker === 0xda || end > bytes.length) break;
    yield { marker, start: at, data: bytes.subarray(at + 4, end) };
    at = end;
  }
  return undefined;
}

const startsWith = (data: Buffer, text: string) => data.toString("latin1", 0, text.length) === text;

/** Whether the file has one. */
export function hasGainMap(format: FormatName, bytes: Uint8Array): boolean {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (format === "jpeg") {
    const { xmp, iso } = wordsOf(buffer);
    if (iso || xmp.includes("hdrgm:Version")) return true;
    // An iPhone's first picture says nothing of the second.
    return [...laterPictures(buffer)].some((later) => later.xmp.includes(APPLE_MAP));
  }
  if (format !== "avif" && format !== "heic") return false;
  const meta = boxAt(buffer, ["meta"]);
  const head = buffer.subarray(meta?.start ?? 0, meta?.end ?? 0);
  if (head.includes(APPLE_MAP)) return true;
  // `infe`, of version 2: its own head, an id and a protection, then the item's type. A brand of that name alone is a promise.
  for (let at = head.indexOf("infe"); at >= 0; at = head.indexOf("infe", at + 4))
    if (head.toString("latin1", at + 12, at + 16) === "tmap") return true;
  return false;
}

/** A map, as a file of its own: of JPEG or AVIF, where what it says can be read. */
export function gainMapIn(
  format: FormatName,
  bytes: Uint8Array,
  headroom: number | undefined,
): { file: () => Uint8Array; said: Said } | undefined {
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (format === "avif") {
    const map = toneMapIn(whole);
    return map && { file: () => withPrimary(whole, map.item), said: map.said };
  }
  if (format !== "jpeg") return undefined;
  for (const { jpeg, ...words } of laterPictures(whole)) {
    const said = saidOf(words, headroom);
    if (said) return { file: () => jpeg, said };
  }
  return undefined;
}

/** The picture that is the map of the primary one, by a tone-mapped item of both (ISO/IEC 23008-12, AMD 1, 6.6.2.4). */
export function toneMapIn(bytes: Buffer): { readonly item: number; readonly said: Said } | undefined {
  try {
    const items = itemsOf(bytes);
    // A map that is not cut as the picture is would lie beside it.
    if (items?.all.get(items.primary)?.properties.some(({ type }) => type === "clap")) return undefined;
    for (const { type, names, data } of items?.all.values() ?? []) {
      const [base, item] = names["dimg"] ?? [];
      if (type !== "tmap" || base !== items?.primary || item === undefined || !data) continue;
      // A version of its own comes first.
      const said = ofIso(bytes.subarray(data.start + 1, data.end));
      if (said) return { item, said };
    }
  } catch {
    // It ends within.
  }
  return undefined;
}

/** What stands behind the first picture of a JPEG by CIPA's Multi-Picture Format. */
function* laterPictures(file: Buffer): Generator<Words & { readonly jpeg: Buffer }, undefined> {
  for (const { marker, start, data } of segmentsOf(file)) {
    if (marker !== 0xe2 || !startsWith(data, "MPF\0")) continue;
    for (const at of picturesIn(data.subarray(4))) {
      // Places count from the index's own TIFF header, eight bytes into the segment.
      const jpeg = file.subarray(start + 8 + at.offset, start + 8 + at.offset + at.size);
      yield { jpeg, ...wordsOf(jpeg) };
    }
  }
  return undefined;
}

function wordsOf(jpeg: Buffer): Words {
  let [xmp, iso]: [string, Buffer | undefined] = ["", undefined];
  for (const { marker, data } of segmentsOf(jpeg)) {
    if (marker === 0xe1 && startsWith(data, XMP)) xmp += data.toString("utf8");
    if (marker === 0xe2 && startsWith(data, ISO)) iso = data.subarray(ISO.length);
  }
  return { xmp, iso };
}

/** CIPA DC-007, 5.2.3: entries of 16 bytes; the first is the file's own picture. */
function picturesIn(tiff: Buffer): { size: number; offset: number }[] {
  const isBig = tiff.toString("latin1", 0, 2) === "MM";
  const u16 = (at: number) => (isBig ? tiff.readUInt16BE(at) : tiff.readUInt16LE(at));
  const u32 = (at: number) => (isBig ? tiff.readUInt32BE(at) : tiff.readUInt32LE(at));
  try {
    const ifd = u32(4);
    for (let entry = ifd + 2; entry < ifd + 2 + 12 * u16(ifd); entry += 12) {
      if (u16(entry) !== 0xb002) continue;
      const count = Math.min(8, u32(entry + 4) / 16);
      return Array.from({ length: count - 1 }, (_, i) => {
        const at = u32(entry + 8) + 16 * (i + 1);
        return { size: u32(at + 4), offset: u32(at + 8) };
      });
    }
  } catch {
    // It ends within.
  }
  return [];
}

/** What a later picture of a JPEG, or the tone-mapped item of another file, says of its map. */
interface Words {
  readonly xmp: string;
  readonly iso?: Buffer | undefined;
}

/** @param headroom an iPhone's, by its maker's note */
function saidOf({ xmp, iso }: Words, headroom: number | undefined): Said | undefined {
  return (iso && ofIso(iso)) ?? ofXmp(xmp) ?? (xmp.includes(APPLE_MAP) ? appleOf(xmp, headroom) : undefined);
}

/** Of an iPhone's map. @param xmp the map's own: since iOS 18 it says how bright it is. @param headroom by the maker's note */
export function appleOf(xmp: string, headroom: number | undefined): Said | undefined {
  const most = numbersIn(xmp, "HDRGainMap:HDRGainMapHeadroom")?.[0] ?? headroom;
  return most !== undefined && most > 1 && most <= MOST_HEADROOM ? { headroom: most } : undefined;
}

/** How a map is meant, or an iPhone's headroom, by which its own rule counts. */
export type Said = GainMapMeaning | { readonly headroom: number };
/** Apple's own go up to 8. */
const MOST_HEADROOM = 64;

/** ITU-R BT.709, 1.2, undone. */
const from709 = (v: number) => (v < 0.081 ? v / 4.5 : ((v + 0.099) / 1.099) ** (1 / 0.45));

/** A map as Ultra HDR says it. */
export function ultraHdrOf(map: Raster, said: Said): NonNullable<Raster["gainMap"]> {
  if (!("headroom" in said)) return { raster: map, meaning: said };
  // Apple's is how far from 1 to the headroom the light is multiplied, coded as Rec. 709 has it; Ultra HDR's the logarithm of that.
  const most = Math.log2(said.headroom);
  const coded = Uint8Array.from({ length: 256 }, (_, v) =>
    Math.round((255 * Math.log2(1 + (said.headroom - 1) * from709(v / 255))) / most),
  );
  const [none, all] = [[0], [most]];
  const meaning: GainMapMeaning = {
    GainMapMin: none,
    GainMapMax: all,
    Gamma: [1],
    OffsetSDR: none,
    OffsetHDR: none,
    HDRCapacityMin: none,
    HDRCapacityMax: all,
  };
  return { raster: { ...map, data: map.data.map((value) => coded[value] ?? 0) }, meaning };
}
