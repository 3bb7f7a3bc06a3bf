/**
 * One HEIC of two that heif-enc has written, as an iPhone writes it: the second is the gain map of the first, and EXIF's maker
 * note says how bright it is. `node test/images/gain-map-heic.ts PICTURE.heic MAP.heic TO.heic`
 */
import { readFileSync, writeFileSync } from "node:fs";
import { box, full, u16, u32 } from "../pixels/avif-of.ts";

const [first, second, to] = process.argv.slice(2);
if (!first || !second || !to) throw new Error("name three files");

/** The box of that name, and what lies in it. */
function pictureIn(path: string) {
  const file = readFileSync(path);
  const found = (type: string) => {
    const at = file.indexOf(type, 0, "latin1") - 4;
    return file.subarray(at, at + file.readUInt32BE(at));
  };
  return { properties: ["hvcC", "ispe", "pixi"].map(found), data: found("mdat").subarray(8) };
}

const rational = (tag: number, at: number) => Buffer.concat([u16(tag, 10), u32(1, at)]);
const entry = (tag: number, type: number, count: number, value: number) =>
  Buffer.concat([u16(tag, type), u32(count, value)]);
// HDRHeadroom 1.0 and HDRGain 0.1: 2.2727 stops. Places count from the note's start.
const note = Buffer.concat([
  Buffer.from("Apple iOS\0\0\x01MM", "latin1"),
  u16(2),
  ...[rational(33, 44), rational(48, 52)],
  u32(0),
  ...[u32(1, 1), u32(1, 10)],
]);
const exif = Buffer.concat([
  u32(0),
  Buffer.from("MM\0*"),
  ...[u32(8), u16(1), entry(0x8769, 4, 1, 26), u32(0)],
  ...[u16(1), entry(0x927c, 7, note.length, 44), u32(0)],
  note,
]);

const [picture, map] = [pictureIn(first), pictureIn(second)];
const aux = full("auxC", 0, "urn:com:apple:photo:2020:aux:hdrgainmap\0");
const properties = [...picture.properties, ...map.properties, aux];
const pieces = [picture.data, map.data, exif];
const types = ["hvc1", "hvc1", "Exif"];
const meta = (start: number) => {
  let at = start;
  const places = pieces.map(({ length }, i) => {
    at += length;
    return Buffer.concat([u16(i + 1, 0, 1), u32(at - length, length)]);
  });
  return full(
    "meta",
    0,
    full("hdlr", 0, u32(0), "pict", u32(0, 0, 0), "\0"),
    full("pitm", 0, u16(1)),
    full("iloc", 0, u16(0x4400, pieces.length), ...places),
    full(
      "iinf",
      0,
      u16(types.length),
      ...types.map((type, i) => full("infe", 2, u16(i + 1, 0), `${type}\0`)),
    ),
    full("iref", 0, box("auxl", u16(2, 1, 1)), box("cdsc", u16(3, 1, 1))),
    box(
      "iprp",
      box("ipco", ...properties),
      full("ipma", 0, u32(2), u16(1), Buffer.from([3, 1, 2, 3]), u16(2), Buffer.from([4, 4, 5, 6, 7])),
    ),
  );
};
const ftyp = box("ftyp", "heic", u32(0), "mif1heic");
writeFileSync(to, Buffer.concat([ftyp, meta(ftyp.length + meta(0).length + 8), box("mdat", ...pieces)]));
