/**
 * Gain maps: a second, small picture that says how much brighter than the first a screen with HDR may be (ISO 21496-1). JPEGs
 * carry it behind the first picture: Google's Ultra HDR and Adobe say how it is meant in XMP, the standard in binary.
 */
import type { FormatName } from "../../core/formats.ts";
import type { Rights } from "../../core/rights.ts";
import type { GainMapMeaning, Raster } from "../raster.ts";
import { described, packetOf } from "../rights/xmp.ts";
import { segment, withSegments } from "./tag.ts";

/** Those of cameras are a quarter or half of the picture in each direction; of one more than this the memory is not planned. */
export const MOST_MAP_PIXELS = 16_000_000;
/** The auxiliary picture that iPhones put into a HEIC. */
export const APPLE_MAP = "urn:com:apple:photo:2020:aux:hdrgainmap";
const XMP = "http://ns.adobe.com/xap/1.0/\0";
const ISO = "urn:iso:std:iso:ts:21496:-1\0";

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
    for (const { marker, data } of segmentsOf(buffer)) {
      if (marker === 0xe1 && startsWith(data, XMP) && data.includes("hdrgm:Version")) return true;
      if (marker === 0xe2 && startsWith(data, ISO)) return true;
    }
    return false;
  }
  if (format !== "avif" && format !== "heic") return false;
  // `meta` is at the start, or a file that puts it elsewhere is no camera's: a tone-mapped item, or Apple's auxiliary picture.
  const head = buffer.subarray(0, 65_536);
  if (head.includes(APPLE_MAP)) return true;
  // `infe`, of version 2: its own head, an id and a protection, then the item's type. A brand of that name alone is a promise.
  for (let at = head.indexOf("infe"); at >= 0; at = head.indexOf("infe", at + 4))
    if (head.toString("latin1", at + 12, at + 16) === "tmap") return true;
  return false;
}

/** The map of a JPEG: the second picture by CIPA's Multi-Picture Format, where what it says can be read. */
export function gainMapIn(bytes: Uint8Array): { jpeg: Buffer; meaning: GainMapMeaning } | undefined {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const { marker, start, data } of segmentsOf(file)) {
    if (marker !== 0xe2 || !startsWith(data, "MPF\0")) continue;
    for (const at of picturesIn(data.subarray(4))) {
      // Places count from the index's own TIFF header, eight bytes into the segment.
      const jpeg = file.subarray(start + 8 + at.offset, start + 8 + at.offset + at.size);
      const meaning = meaningIn(jpeg);
      if (meaning) return { jpeg, meaning };
    }
  }
  return undefined;
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

const NAMES = [
  "GainMapMin",
  "GainMapMax",
  "Gamma",
  "OffsetSDR",
  "OffsetHDR",
  "HDRCapacityMin",
  "HDRCapacityMax",
];
const NUMBER = /^-?\d{1,9}(\.\d{1,12})?$/;

function meaningIn(jpeg: Buffer): GainMapMeaning | undefined {
  let iso: Buffer | undefined;
  const xmp: Record<string, string[]> = {};
  for (const { marker, data } of segmentsOf(jpeg)) {
    // A copy: the file's own bytes are let go before the first rung is written.
    if (marker === 0xe2 && startsWith(data, ISO) && data.length < 300)
      iso = Buffer.from(data.subarray(ISO.length));
    if (marker !== 0xe1 || !startsWith(data, XMP)) continue;
    const text = data.toString("utf8");
    // A base that is the brighter one would need another picture below it.
    if (/BaseRenditionIsHDR\W{1,3}true/i.test(text)) return undefined;
    for (const name of NAMES) {
      const whole = new RegExp(`hdrgm:${name}="([^"]*)"`).exec(text)?.[1];
      const list = new RegExp(`<hdrgm:${name}>(.*?)</hdrgm:${name}>`, "s").exec(text)?.[1] ?? "";
      const values =
        whole === undefined ? [...list.matchAll(/<rdf:li>([^<]*)</g)].map(([, v]) => v ?? "") : [whole];
      if ([1, 3].includes(values.length) && values.every((v) => NUMBER.test(v))) xmp[name] = values;
    }
  }
  return iso || xmp["GainMapMax"] ? { xmp, iso } : undefined;
}

/** ITU-R BT.709, 1.2, undone. */
const from709 = (v: number) => (v < 0.081 ? v / 4.5 : ((v + 0.099) / 1.099) ** (1 / 0.45));

/**
 * A map of Apple's as Ultra HDR says it. Apple's is how far from 1 to the headroom the light is multiplied, coded as Rec. 709
 * has it; Ultra HDR's is the logarithm of that.
 */
export function ultraHdrOf(map: Raster, headroom: number): NonNullable<Raster["gainMap"]> {
  const most = Math.log2(headroom);
  const said = Uint8Array.from({ length: 256 }, (_, v) =>
    Math.round((255 * Math.log2(1 + (headroom - 1) * from709(v / 255))) / most),
  );
  const [none, all] = [["0"], [most.toFixed(6)]];
  const meaning: GainMapMeaning = {
    iso: undefined,
    xmp: {
      GainMapMin: none,
      GainMapMax: all,
      Gamma: ["1"],
      OffsetSDR: none,
      OffsetHDR: none,
      HDRCapacityMin: none,
      HDRCapacityMax: all,
    },
  };
  return { raster: { ...map, data: map.data.map((value) => said[value] ?? 0) }, meaning };
}

const packet = (attributes: string, inside = "") =>
  segment(
    0xe1,
    Buffer.from(
      XMP +
        packetOf(
          ` xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"${attributes}`,
          inside,
        ),
    ),
  );

/** One file of two pictures, as Android and browsers read them. @param rights what its one packet says besides */
export function withGainMap(
  primary: Buffer,
  map: Buffer,
  { xmp, iso }: GainMapMeaning,
  rights: Rights = {},
): Buffer {
  const values = Object.entries(xmp);
  const single = values.filter(([, all]) => all.length === 1).map(([name, [v]]) => ` hdrgm:${name}="${v}"`);
  const lists = values
    .filter(([, all]) => all.length > 1)
    .map(([name, all]) => {
      const items = all.map((v) => `<rdf:li>${v}</rdf:li>`).join("");
      return `<hdrgm:${name}><rdf:Seq>${items}</rdf:Seq></hdrgm:${name}>`;
    });
  const second = withSegments(map, [
    packet(single.join(""), lists.join("")),
    ...(iso ? [segment(0xe2, Buffer.from(ISO, "latin1"), iso)] : []),
  ]);
  const directory = `<Container:Directory><rdf:Seq><rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="Primary" Item:Mime="image/jpeg"/></rdf:li><rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="GainMap" Item:Mime="image/jpeg" Item:Length="${second.length}"/></rdf:li></rdf:Seq></Container:Directory>`;
  const spaces = ` xmlns:Container="http://ns.google.com/photos/1.0/container/" xmlns:Item="http://ns.google.com/photos/1.0/container/item/"`;
  // Of the first picture the standard wants its versions alone.
  const { attributes, elements } = described(rights);
  const before = [
    packet(spaces + attributes, directory + elements),
    ...(iso ? [segment(0xe2, Buffer.from(ISO, "latin1"), Buffer.alloc(4))] : []),
  ];
  const first = withSegments(primary, [...before, indexOf(0, 0, 0)]);
  const place = first.indexOf("MPF\0", 0, "latin1") + 4;
  const index = indexOf(first.length, second.length, first.length - place);
  return Buffer.concat([withSegments(primary, [...before, index]), second]);
}

/** The index of CIPA DC-007: version, number of pictures, and of each its attributes, size and place. */
function indexOf(firstSize: number, secondSize: number, secondPlace: number): Buffer {
  const tiff = Buffer.alloc(8 + 2 + 36 + 4 + 32);
  tiff.write("MM\0*", "latin1");
  tiff.writeUInt32BE(8, 4);
  tiff.writeUInt16BE(3, 8);
  const entry = (at: number, tag: number, type: number, count: number, value: number) => {
    tiff.writeUInt16BE(tag, at);
    tiff.writeUInt16BE(type, at + 2);
    tiff.writeUInt32BE(count, at + 4);
    tiff.writeUInt32BE(value, at + 8);
  };
  entry(10, 0xb000, 7, 4, 0x30313030);
  entry(22, 0xb001, 4, 1, 2);
  entry(34, 0xb002, 7, 32, 50);
  // The first is the one that is shown: "baseline MP primary image".
  tiff.writeUInt32BE(0x030000, 50);
  tiff.writeUInt32BE(firstSize, 54);
  tiff.writeUInt32BE(secondSize, 70);
  tiff.writeUInt32BE(secondPlace, 74);
  return segment(0xe2, Buffer.from("MPF\0", "latin1"), tiff);
}
