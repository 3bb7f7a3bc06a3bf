/** AVIF as libvips reads it: a still, whose alpha is turned as its colours are. */
import { type Item, itemsOf } from "../colour/items.ts";
import { boxAt, boxesIn, boxesOf, boxOf } from "../look/boxes.ts";

export interface StillAvif {
  readonly bytes: Uint8Array;
  /** As EXIF counts it: what is still to be done. */
  readonly orientation?: number;
}

export function stillAvif(file: Uint8Array): StillAvif {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const isSequence = bytes.toString("latin1", 8, 12) === "avis";
  try {
    return isSequence ? { bytes: firstOf(bytes) } : turnedTogether(bytes);
  } catch {
    // It ends within its structure: libheif shall say so.
    return { bytes };
  }
}

/** A sequence's first picture: an item, as in any other AVIF, or else the first sample of the track that is shown. */
function firstOf(bytes: Buffer): Buffer {
  const items = itemsOf(bytes);
  if (!items?.all.get(items.primary)?.data) return ofTrack(bytes) ?? bytes;
  const still = Buffer.from(bytes);
  // libvips will not look, by the first brand alone.
  still.write("avif", 8, "latin1");
  return still;
}

const full = 4;
/** ISO/IEC 14496-12, 12.1.3: a sample entry of pictures before the boxes in it, and where their width stands. */
const [ENTRY, WIDTH] = [78, 24];

function ofTrack(bytes: Buffer): Buffer | undefined {
  const moov = boxAt(bytes, ["moov"]);
  const tracks = moov ? boxesIn(bytes, moov).filter(({ type }) => type === "trak") : [];
  const shown = tracks.find((track) => {
    const handler = boxAt(bytes, ["mdia", "hdlr"], track);
    return handler && bytes.toString("latin1", handler.body + 8, handler.body + 12) === "pict";
  });
  const table = shown && boxAt(bytes, ["mdia", "minf", "stbl"], shown);
  const [stsd, stsz, stco] = ["stsd", "stsz", "stco"].map((type) => table && boxAt(bytes, [type], table));
  const entry = stsd && boxesIn(bytes, stsd)[0];
  if (entry?.type !== "av01" || !stsz || !stco) return undefined;
  const own = [...boxesOf(bytes, entry.body + ENTRY, entry.end)];
  const says = own.filter(({ type }) => type === "av1C" || type === "colr");
  const size = bytes.readUInt32BE(stsz.body + full) || bytes.readUInt32BE(stsz.body + full + 8);
  const start = bytes.readUInt32BE(stco.body + full + 4);
  const ispe = Buffer.alloc(12);
  ispe.writeUInt32BE(bytes.readUInt16BE(entry.body + WIDTH), 4);
  ispe.writeUInt32BE(bytes.readUInt16BE(entry.body + WIDTH + 2), 8);
  const properties = [boxOf("ispe", ispe), ...says.map(({ start, end }) => bytes.subarray(start, end))];
  return avifOf(bytes.subarray(start, start + size), properties);
}

/** A file of one item. */
function avifOf(data: Buffer, properties: readonly Buffer[]): Buffer {
  const before = boxOf("ftyp", "avif\0\0\0\0avifmif1miaf");
  const place = Buffer.alloc(8);
  const meta = () =>
    boxOf(
      "meta",
      "\0\0\0\0",
      boxOf("hdlr", "\0\0\0\0\0\0\0\0pict\0\0\0\0\0\0\0\0\0\0\0\0\0"),
      boxOf("pitm", "\0\0\0\0\0\x01"),
      boxOf("iloc", "\0\0\0\0\x44\0\0\x01\0\x01\0\0\0\x01", place),
      boxOf("iinf", "\0\0\0\0\0\x01", boxOf("infe", "\x02\0\0\0\0\x01\0\0av01\0")),
      boxOf(
        "iprp",
        boxOf("ipco", ...properties),
        boxOf(
          "ipma",
          "\0\0\0\0\0\0\0\x01\0\x01",
          Buffer.from([properties.length, ...properties.map((_, i) => i + 1)]),
        ),
      ),
    );
  place.writeUInt32BE(before.length + meta().length + 8, 0);
  place.writeUInt32BE(data.length, 4);
  return Buffer.concat([before, meta(), boxOf("mdat", data)]);
}

/** EXIF's numbers for quarters of a turn anti-clockwise. */
const QUARTERS = [1, 8, 3, 6];

/**
 * Browsers turn a picture with its alpha by what the picture says, libheif each by its own: where they say different things,
 * neither gets to see it.
 */
function turnedTogether(bytes: Buffer): StillAvif {
  const items = itemsOf(bytes);
  const primary = items?.all.get(items.primary);
  const turn = ({ properties }: Item) => properties.find(({ type }) => type === "irot");
  const quarters = (item: Item) => (bytes[turn(item)?.body ?? -1] ?? 0) & 3;
  const alphas = [...(items?.all.values() ?? [])].filter(
    ({ id, names, properties }) =>
      id !== items?.primary &&
      names["auxl"]?.includes(items?.primary ?? 0) &&
      properties.some(
        ({ type, body, end }) => type === "auxC" && bytes.subarray(body, end).includes("alpha"),
      ),
  );
  // Mirrored as well, it is left as it says: libheif does that before we would turn it.
  const isMirrored = ({ properties }: Item) => properties.some(({ type }) => type === "imir");
  if (!primary || [primary, ...alphas].some(isMirrored)) return { bytes };
  if (alphas.every((alpha) => quarters(alpha) === quarters(primary))) return { bytes };
  const orientation = QUARTERS[quarters(primary)] ?? 1;
  const still = Buffer.from(bytes);
  for (const { start } of [primary, ...alphas].flatMap((item) => turn(item) ?? []))
    still.write("free", start + 4, "latin1");
  return { bytes: still, orientation };
}
