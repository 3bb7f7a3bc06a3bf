/** What files say of their colours, each kind in the order that its specification gives. */
import { crc32 } from "node:zlib";
import type { FormatName } from "../../core/formats.ts";
import { type SequenceHeader, sequenceHeaderOf } from "./av1.ts";
import {
  isPrimaries,
  isTransfer,
  type PrimariesCode,
  SRGB_PRIMARIES,
  SRGB_TRANSFER,
  type TransferCode,
  transfers,
} from "./cicp.ts";
import { type Item, itemsOf } from "./items.ts";

/** Code points that there is a row for. */
export interface Cicp {
  readonly primaries: PrimariesCode;
  readonly transfer: TransferCode;
}

/** What a file of the same numbers has to say of them. */
export interface HdrTag extends Cicp {
  /** cd/m² of the brightest part, where the source says it. */
  readonly peak?: number;
}

/** By which rule a file says what its numbers mean. */
export type Says =
  | { readonly by: "cicp"; readonly cicp: Cicp }
  | { readonly by: "icc" }
  /** PNG's `gAMA`, an exponent; and `cHRM`: x and y of white, red, green, blue. */
  | { readonly by: "gamma"; readonly gamma: number; readonly chromaticities: readonly number[] | undefined }
  | { readonly by: "nothing" };

export interface Said {
  readonly colour: Says;
  /** cd/m² of the brightest part. */
  readonly peak?: number;
  /** Of a decoder that gives three numbers all the same. */
  readonly monochrome?: true;
  /** Numbers run from 16 to 235, of 255, though the decoder takes them as they are. */
  readonly limited?: true;
  readonly alphaLimited?: true;
  /** Colours are multiplied by alpha. */
  readonly premultiplied?: true;
  /** A bit of the file that says of the range what the container denies, which counts: to be turned over. */
  readonly wrongBit?: number;
}

const rows: Partial<Record<FormatName, (bytes: Buffer) => Said>> = {
  png: ofPng,
  avif: ofItems,
  heic: ofItems,
};

/** @param icc whether the decoder has found a profile: of formats where nothing else can say anything */
export function saidIn(format: FormatName, bytes: Uint8Array, icc: boolean): Said {
  const found: Said = { colour: { by: icc ? "icc" : "nothing" } };
  try {
    return rows[format]?.(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)) ?? found;
  } catch {
    return found;
  }
}

const COLOUR_CHUNKS = new Set(["cICP", "iCCP", "sRGB", "gAMA", "cHRM", "cLLI", "mDCV"]);

/** PNG, third edition, 4.3 and 11.3.2: cICP before iCCP before sRGB before gAMA and cHRM. */
function ofPng(bytes: Buffer): Said {
  const chunks = new Map<string, Buffer>();
  for (let at = 8; at + 12 <= bytes.length; ) {
    const type = bytes.toString("latin1", at + 4, at + 8);
    const end = at + 8 + bytes.readUInt32BE(at);
    if (type === "IDAT" || end + 4 > bytes.length) break;
    // Checksums of what matters alone: an iCCP with a wrong one is none in any browser, and libpng takes it.
    const isWhole = COLOUR_CHUNKS.has(type) && crc32(bytes.subarray(at + 4, end)) === bytes.readUInt32BE(end);
    if (isWhole && !chunks.has(type)) chunks.set(type, bytes.subarray(at + 8, end));
    at = end + 4;
  }
  const peak = peakOf(chunks.get("cLLI"), chunks.get("mDCV"), 4, 10_000);
  const [primaries = 2, transfer = 2, matrix, range] = chunks.get("cICP") ?? [];
  // A range that is limited, or a code nobody knows, leaves it to the next chunk, as in browsers.
  if (isPrimaries(primaries) && isTransfer(transfer) && matrix === 0 && range === 1)
    return { colour: { by: "cicp", cicp: { primaries, transfer } }, ...(peak && { peak }) };
  if (chunks.has("iCCP")) return { colour: { by: "icc" } };
  const [gAMA, cHRM] = [chunks.get("gAMA"), chunks.get("cHRM")];
  if (chunks.has("sRGB") || gAMA?.length !== 4 || gAMA.readUInt32BE(0) === 0)
    return { colour: { by: "nothing" } };
  const chromaticities =
    cHRM?.length === 32 ? Array.from({ length: 8 }, (_, i) => cHRM.readUInt32BE(4 * i) / 100_000) : undefined;
  return { colour: { by: "gamma", gamma: gAMA.readUInt32BE(0) / 100_000, chromaticities } };
}

/** CTA-861.3's levels where they are there, else the mastering display's. @param size bytes of the first of them */
function peakOf(content: Buffer | undefined, display: Buffer | undefined, size: number, unit: number) {
  if (content && content.length >= size)
    return content.readUIntBE(0, size) / (size === 4 ? unit : 1) || undefined;
  return display && display.length >= 24 ? display.readUInt32BE(16) / 10_000 || undefined : undefined;
}

/** AVIF and HEIC: `colr`, of which a profile goes first (MIAF, 7.3.6.4); in AVIF, where there is none, the data itself. */
function ofItems(bytes: Buffer): Said {
  const items = itemsOf(bytes);
  const primary = items?.all.get(items.primary);
  if (!items || !primary) return { colour: { by: "nothing" } };
  const property = (item: Item, type: string, kind = "") => {
    const found = item.properties.find(
      (box) => box.type === type && bytes.toString("latin1", box.body, box.body + kind.length) === kind,
    );
    return found && bytes.subarray(found.body + kind.length, found.end);
  };
  // What a grid is made of is alike (ISO/IEC 23008-12, 6.6.2.3).
  const coded = (item: Item) => items.all.get(item.names["dimg"]?.[0] ?? item.id) ?? item;
  const sequence = (item: Item): SequenceHeader | undefined => {
    const configured = coded(item).properties.find(({ type }) => type === "av1C");
    const { data } = coded(item);
    return configured && data && sequenceHeaderOf(bytes, data.start, Math.min(data.end, bytes.length));
  };
  const alpha = [...items.all.values()].find(
    (item) => item.names["auxl"]?.includes(primary.id) && property(item, "auxC")?.includes("alpha"),
  );
  const own = sequence(primary);
  const nclx = property(primary, "colr", "nclx") ?? property(coded(primary), "colr", "nclx");
  const stated = nclx && nclx.length >= 7 ? nclx : undefined;
  const fullRange = stated ? (stated[6] ?? 0) >= 128 : own?.fullRange;
  const cicp = stated
    ? { primaries: stated.readUInt16BE(0), transfer: stated.readUInt16BE(2) }
    : { primaries: 2, transfer: 2, ...own };
  const isProfiled = ["prof", "rICC"].some((kind) => property(primary, "colr", kind));
  const isWrong = own?.rangeBit !== undefined && fullRange !== own.fullRange && !own.monochrome;
  const peak = peakOf(property(primary, "clli"), property(primary, "mdcv"), 2, 1);
  return {
    colour: isProfiled ? { by: "icc" } : { by: "cicp", cicp: shown(cicp) },
    ...(peak && { peak }),
    ...(own?.monochrome && { monochrome: true as const }),
    ...(own?.monochrome && fullRange === false && { limited: true as const }),
    ...(alpha && sequence(alpha)?.fullRange === false && { alphaLimited: true as const }),
    ...(alpha && primary.names["prem"]?.includes(alpha.id) && { premultiplied: true as const }),
    ...(isWrong && { wrongBit: own.rangeBit }),
  };
}

/** What is not said, or unknown, is sRGB's; and so is a video camera's curve: see `Transfer`. */
function shown({ primaries, transfer }: { primaries: number; transfer: number }): Cicp {
  const isKnown = isTransfer(transfer) && !("isVideo" in transfers[transfer]);
  return {
    primaries: isPrimaries(primaries) ? primaries : SRGB_PRIMARIES,
    transfer: isKnown ? transfer : SRGB_TRANSFER,
  };
}
