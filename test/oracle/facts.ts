/** What of a file's structure explains that browsers and Darkroom differ about it, or browsers among themselves. */
import { crc32, inflateSync } from "node:zlib";
import type { FormatName } from "../../core/formats.ts";
import type { Fact } from "../../docs/differences.ts";
import { hasGainMap, segmentsOf } from "../../pixels/colour/gain-map.ts";
import { type Item, type Items, itemsOf } from "../../pixels/colour/items.ts";
import { saidIn } from "../../pixels/colour/said.ts";
import { readApng } from "../../pixels/look/apng.ts";
import { walkJpeg } from "../../pixels/look/jpeg.ts";
import { chunksOf } from "../../pixels/look/png.ts";

type Finders = Partial<Record<FormatName, (bytes: Buffer) => boolean>>;

const table: Readonly<Record<Fact, Finders>> = {
  /** A walk through a JPEG's structure has found that its data end early or make no sense. */
  "data-missing": { jpeg: (bytes) => typeof walkJpeg(bytes) === "object" },
  /** SOF9 and SOF10. */
  arithmetic: {
    jpeg: (bytes) => [...segmentsOf(bytes)].some(({ marker }) => marker === 0xc9 || marker === 0xca),
  },
  /** PNG: a checksum is wrong, or it is cut off. */
  "bad-checksum": {
    png: (bytes) => {
      const chunks = [...chunksOf(bytes)];
      const isSound = ({ start, data }: { start: number; data: Uint8Array }) =>
        crc32(bytes.subarray(start + 4, start + 8 + data.length)) ===
        bytes.readUInt32BE(start + 8 + data.length);
      return chunks.at(-1)?.type !== "IEND" || chunks.some((chunk) => chunk.isCut || !isSound(chunk));
    },
  },
  /** An APNG whose frames are out of order. */
  "apng-order": { png: (bytes) => pngHas(bytes, "acTL") && readApng(bytes) === undefined },
  /** Fewer colours than the bits of a pixel can name. */
  "short-palette": {
    png: (bytes) => {
      const [header, ...rest] = chunksOf(bytes);
      const palette = rest.find(({ type }) => type === "PLTE");
      return header?.data[9] === 3 && (palette?.data.length ?? 0) < 3 * 2 ** (header.data[8] ?? 8);
    },
  },
  /** A profile in zlib's format that lacks its end, or one of a printer for grey. */
  "odd-profile": {
    png: (bytes) => {
      const said = [...chunksOf(bytes)].find(({ type }) => type === "iCCP")?.data;
      if (!said) return false;
      try {
        return inflateSync(said.subarray(said.indexOf(0) + 2)).toString("latin1", 12, 20) === "prtrGRAY";
      } catch {
        return true;
      }
    },
  },
  /** A transparent grey with more bits than a pixel has. */
  "long-key": {
    png: (bytes) => {
      const [header, ...rest] = chunksOf(bytes);
      const key = rest.find(({ type }) => type === "tRNS")?.data;
      const value = key?.length === 2 ? (key[0] ?? 0) * 256 + (key[1] ?? 0) : 0;
      return header?.data[9] === 0 && value >= 2 ** (header.data[8] ?? 16);
    },
  },
  /** Codes of a GIF that begin with more bits than a pixel has. */
  "long-codes": { gif: (bytes) => codeBitsOf(bytes) > 8 },
  /** VP8L: the header says that alpha is not used. */
  "alpha-denied": {
    webp: (bytes) => bytes.toString("latin1", 12, 16) === "VP8L" && ((bytes[24] ?? 0) & 0x10) === 0,
  },
  "alpha-limited": { avif: (bytes) => saidIn("avif", bytes, false).alphaLimited === true },
  /** AV1's profile 2: 4:2:2, and all of 12 bits. */
  "profile-2": avifWhere((bytes, item) =>
    item.properties.some(({ type, body }) => type === "av1C" && (bytes[body + 1] ?? 0) >> 5 === 2),
  ),
  /** A picture in several sizes or qualities, of which one is chosen. */
  layers: avifWhere((_, item) => item.properties.some(({ type }) => /lsel|a1lx|a1op/.test(type))),
  /** A matrix that follows from the primaries (code points 12 and 13 of H.273). */
  "derived-matrix": avifWhere((bytes, item) =>
    item.properties.some(
      ({ type, body }) =>
        type === "colr" &&
        bytes.toString("latin1", body, body + 4) === "nclx" &&
        [12, 13].includes(bytes.readUInt16BE(body + 8)),
    ),
  ),
  /** 4:2:0, by the bits of `av1C` (AV1 codec ISO media file format, 2.3.3). */
  "halved-chroma": avifWhere((bytes, item) =>
    item.properties.some(({ type, body }) => type === "av1C" && ((bytes[body + 2] ?? 0) & 0x1c) === 0x0c),
  ),
  /** A profile, where the one or the other is of grey. */
  "grey-profile": avifWhere((bytes, { properties }) => {
    const profile = properties.find(
      ({ type, body }) => type === "colr" && /prof|rICC/.test(bytes.toString("latin1", body, body + 4)),
    );
    const isMonochrome = properties.some(
      ({ type, body }) => type === "av1C" && ((bytes[body + 2] ?? 0) & 0x10) > 0,
    );
    const space = profile && bytes.toString("latin1", profile.body + 20, profile.body + 24);
    return profile !== undefined && (isMonochrome || space === "GRAY");
  }),
  /** The brand of gain maps, and none. */
  "empty-brand": {
    avif: (bytes) => bytes.subarray(0, bytes.readUInt32BE(0)).includes("tmap") && !hasGainMap("avif", bytes),
  },
  "table-profile": {
    ...avifWhere((bytes, { properties }) =>
      properties.some(({ type, body, end }) => type === "colr" && bytes.subarray(body, end).includes("A2B0")),
    ),
    jpeg: (bytes) =>
      [...segmentsOf(bytes)].some(({ marker, data }) => marker === 0xe2 && data.includes("A2B0")),
  },
  /** More than one picture without transformations. */
  composed: avifWhere(
    (_, item, { all }) => all.size > 1 || item.properties.some(({ type }) => /clap|irot|imir/.test(type)),
  ),
};

export function factsOf(format: FormatName | undefined, bytes: Buffer): ReadonlySet<Fact> {
  const holds = (fact: Fact): boolean => {
    try {
      return (format && table[fact][format]?.(bytes)) ?? false;
    } catch {
      // It ends within.
      return false;
    }
  };
  return new Set((Object.keys(table) as Fact[]).filter(holds));
}

function avifWhere(holds: (bytes: Buffer, item: Item, items: Items) => boolean) {
  return {
    avif: (bytes: Buffer) => {
      const items = itemsOf(bytes);
      return items !== undefined && [...items.all.values()].some((item) => holds(bytes, item, items));
    },
  };
}

const pngHas = (bytes: Buffer, wanted: string) => [...chunksOf(bytes)].some(({ type }) => type === wanted);

/** Of the first frame. */
function codeBitsOf(bytes: Buffer): number {
  const tableAt = (flags: number) => (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0);
  let at = 13 + tableAt(bytes[10] ?? 0);
  while (bytes[at] === 0x21) {
    at += 2;
    while ((bytes[at] ?? 0) > 0) at += 1 + (bytes[at] ?? 0);
    at++;
  }
  return bytes[at] === 0x2c ? (bytes[at + 10 + tableAt(bytes[at + 9] ?? 0)] ?? 0) : 0;
}
