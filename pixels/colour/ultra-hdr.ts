/**
 * How a gain map is said: in XMP, as Adobe and Google have it (Gain Map Specification 1.0; Ultra HDR Image Format 1.1), and in
 * the binary of ISO 21496-1, annex C. Written is both: Android 14 reads the first alone,
 * Apple's systems the second.
 */
import type { Rights } from "../../core/rights.ts";
import type { GainMapMeaning } from "../raster.ts";
import { described, packetOf } from "../rights/xmp.ts";
import { segment, withSegments } from "./tag.ts";

export const XMP = "http://ns.adobe.com/xap/1.0/\0";
export const ISO = "urn:iso:std:iso:ts:21496:-1\0";

type Name = keyof GainMapMeaning;
/** What the standard has for each colour, in its order. */
const EACH = ["GainMapMin", "GainMapMax", "Gamma", "OffsetSDR", "OffsetHDR"] as const;
/** What XMP means where it is silent; a map without the greatest is none. */
const SILENT: GainMapMeaning = {
  GainMapMin: [0],
  GainMapMax: [],
  Gamma: [1],
  OffsetSDR: [1 / 64],
  OffsetHDR: [1 / 64],
  HDRCapacityMin: [0],
  HDRCapacityMax: [1],
};
const NAMES = Object.keys(SILENT) as Name[];
/** Greater than any that makes sense, and written as a fraction all the same. */
const MOST = 100;

/** A base that is the brighter one would need another picture below it. */
function whole(meaning: GainMapMeaning): GainMapMeaning | undefined {
  const [base = 0] = meaning.HDRCapacityMin;
  const [other = 0] = meaning.HDRCapacityMax;
  const isSane = NAMES.every((name) => {
    const all = meaning[name];
    const isPositive = name !== "Gamma" || all.every((value) => value > 0);
    return [1, 3].includes(all.length) && isPositive && all.every((value) => Math.abs(value) <= MOST);
  });
  return isSane && base >= 0 && base < other ? meaning : undefined;
}

/** Numbers of an attribute, of an element or of a list in one. In one pass: no text makes it slow. */
export function numbersIn(xmp: string, name: string): number[] | undefined {
  const start = xmp.indexOf(`<${name}>`);
  const end = start < 0 ? -1 : xmp.indexOf(`</${name}>`, start);
  const text =
    end < 0
      ? new RegExp(`\\b${name}=["']([^"']*)["']`).exec(xmp)?.[1]
      : xmp.slice(start + name.length + 2, end);
  if (text === undefined) return undefined;
  const listed = [...text.matchAll(/<rdf:li>([^<]*)</g)].map(([, value]) => value ?? "");
  return (listed.length > 0 ? listed : [text]).map((value) => (value.trim() ? Number(value) : Number.NaN));
}

export function ofXmp(xmp: string): GainMapMeaning | undefined {
  if (/BaseRenditionIsHDR\W{1,3}true/i.test(xmp)) return undefined;
  const all = NAMES.map((name) => [name, numbersIn(xmp, `hdrgm:${name}`) ?? SILENT[name]]);
  return whole(Object.fromEntries(all) as unknown as GainMapMeaning);
}

/** Flags of the binary; the last two are of its drafts, which phones have written. */
const [IN_COLOUR, BY_BASE, BACKWARD, COMMON] = [0x80, 0x40, 0x04, 0x08];

export function ofIso(data: Buffer): GainMapMeaning | undefined {
  try {
    const flags = data.readUInt8(4);
    if (data.readUInt16BE(0) !== 0 || flags & BACKWARD) return undefined;
    let at = flags & COMMON ? 9 : 5;
    const fraction = () => {
      const above = data.readInt32BE(at);
      const below = data.readUInt32BE(flags & COMMON ? 5 : at + 4);
      at += flags & COMMON ? 4 : 8;
      return above / below;
    };
    const [base, other] = [fraction(), fraction()];
    const rows = Array.from({ length: flags & IN_COLOUR ? 3 : 1 }, () => EACH.map(fraction));
    const each = EACH.map((name, i) => [name, rows.map((row) => row[i] ?? 0)]);
    return whole({ ...Object.fromEntries(each), HDRCapacityMin: [base], HDRCapacityMax: [other] });
  } catch {
    // It ends within.
    return undefined;
  }
}

function inIso(meaning: GainMapMeaning): Buffer {
  const channels = Math.max(...EACH.map((name) => meaning[name].length));
  const fractions = [
    ...[meaning.HDRCapacityMin, meaning.HDRCapacityMax].map(([value]) => value),
    ...Array.from({ length: channels }, (_, i) => EACH.map((name) => meaning[name][i] ?? meaning[name][0])),
  ].flat();
  const data = Buffer.alloc(5 + 8 * fractions.length);
  data[4] = BY_BASE | (channels > 1 ? IN_COLOUR : 0);
  for (const [i, value = 0] of fractions.entries()) {
    // Eight digits, and what is greater with fewer: 31 bits hold the numerator.
    const below = Math.abs(value) < 10 ? 1e8 : 1e7;
    data.writeInt32BE(Math.round(value * below), 5 + 8 * i);
    data.writeUInt32BE(below, 9 + 8 * i);
  }
  return data;
}

const isoSegment = (data: Buffer) => segment(0xe2, Buffer.from(ISO, "latin1"), data);

const packet = (attributes: string, inside: string) =>
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

/** An attribute of what is one number for all colours, a list of what is three. */
function inXmp(meaning: GainMapMeaning): Buffer {
  let [attributes, lists] = ["", ""];
  for (const name of NAMES) {
    const values = meaning[name].map((value) => value.toFixed(8));
    if (values.length === 1) attributes += ` hdrgm:${name}="${values[0]}"`;
    else {
      const all = values.map((value) => `<rdf:li>${value}</rdf:li>`).join("");
      lists += `<hdrgm:${name}><rdf:Seq>${all}</rdf:Seq></hdrgm:${name}>`;
    }
  }
  return packet(attributes, lists);
}

/** One file of two pictures, as Android and browsers read them. @param rights what its one packet says besides */
export function withGainMap(
  primary: Buffer,
  map: Buffer,
  meaning: GainMapMeaning,
  rights: Rights = {},
): Buffer {
  const second = withSegments(map, [inXmp(meaning), isoSegment(inIso(meaning))]);
  const directory = `<Container:Directory><rdf:Seq><rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="Primary" Item:Mime="image/jpeg"/></rdf:li><rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="GainMap" Item:Mime="image/jpeg" Item:Length="${second.length}"/></rdf:li></rdf:Seq></Container:Directory>`;
  const spaces = ` xmlns:Container="http://ns.google.com/photos/1.0/container/" xmlns:Item="http://ns.google.com/photos/1.0/container/item/"`;
  // Of the first picture the standard wants its versions alone.
  const { attributes, elements } = described(rights);
  const before = [packet(spaces + attributes, directory + elements), isoSegment(Buffer.alloc(4))];
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
