/** What a variant is made of, by its format's own names: what is neither picture nor kept on purpose has no place in it. */
import assert from "node:assert/strict";
import type { PlannedVariant } from "../../core/plan.ts";
import type { MadeVariant } from "../../core/ports.ts";
import { boxesOf } from "../../pixels/look/boxes.ts";
import { chunksOf } from "../../pixels/look/png.ts";

/** Names of a part and of what it says that it holds, without an end that nobody wrote. */
type Parts = Generator<string, void>;

function* ofJpeg(bytes: Buffer): Parts {
  for (let at = 0; at < bytes.length; ) {
    const marker = bytes.readUInt16BE(at);
    if (marker === 0xffd8 || marker === 0xffd9) {
      yield marker === 0xffd8 ? "SOI" : "EOI";
      at += 2;
      continue;
    }
    const length = bytes.readUInt16BE(at + 2);
    const name = marker.toString(16);
    // Segments of applications begin with a name; JFIF's may have a thumbnail, and is then longer.
    const [says = ""] = bytes.toString("latin1", at + 4, at + 2 + length).split("\0");
    yield /ffe./.test(name) ? `${name} ${says}${says === "JFIF" ? ` ${length}` : ""}` : name;
    at += 2 + length;
    if (marker !== 0xffda) continue;
    // Codes: a byte of ones is followed by none, or by a restart's number.
    while (bytes[at] !== 0xff || /^(0|d[0-7])$/.test((bytes[at + 1] ?? 0).toString(16))) at++;
  }
}

function* ofPng(bytes: Buffer): Parts {
  let end = 8;
  for (const { type, start, data } of chunksOf(bytes)) {
    // Texts begin with what they are.
    yield /Xt$/.test(type)
      ? `text ${bytes.toString("latin1", start + 8, bytes.indexOf(0, start + 8))}`
      : type;
    end = start + 12 + data.length;
  }
  if (end !== bytes.length) yield "rest";
}

function* ofWebp(bytes: Buffer, from = 12): Parts {
  for (let at = from; at < bytes.length; ) {
    const type = bytes.toString("latin1", at, at + 4);
    const length = bytes.readUInt32LE(at + 4);
    yield type;
    if (type === "ANMF") yield* ofWebp(bytes.subarray(at + 8, at + 8 + length), 16);
    at += 8 + length + (length & 1);
  }
}

function* ofAvif(bytes: Buffer): Parts {
  for (const { type, body, end } of boxesOf(bytes, 0, bytes.length)) {
    yield type;
    // The names of what lies in it: `infe` of version 2 has its item's type after eight bytes.
    if (type !== "meta") continue;
    for (let at = bytes.indexOf("infe", body); at >= 0 && at < end; at = bytes.indexOf("infe", at + 4))
      yield `item ${bytes.toString("latin1", at + 12, at + 16)}`;
  }
}

const XMP = "http://ns.adobe.com/xap/1.0/";
const ISO = "urn:iso:std:iso:ts:21496:-1";

interface Allowed {
  readonly partsOf: (bytes: Buffer) => Parts;
  readonly picture: readonly string[];
  readonly wide: string;
  readonly rights: string;
}

const allowed: Readonly<Record<PlannedVariant["format"], Allowed>> = {
  jpeg: {
    partsOf: ofJpeg,
    picture: ["SOI", "ffe0 JFIF 16", "ffdb", "ffc0", "ffc2", "ffc4", "ffdd", "ffda", "EOI"],
    wide: "ffe2 ICC_PROFILE",
    rights: `ffe1 ${XMP}`,
  },
  png: {
    partsOf: ofPng,
    picture: ["IHDR", "PLTE", "tRNS", "pHYs", "IDAT", "IEND"],
    wide: "iCCP",
    rights: "text XML:com.adobe.xmp",
  },
  webp: {
    partsOf: ofWebp,
    picture: ["VP8X", "VP8 ", "VP8L", "ALPH", "ANIM", "ANMF"],
    wide: "ICCP",
    rights: "XMP ",
  },
  avif: {
    partsOf: ofAvif,
    picture: ["ftyp", "meta", "mdat", "item av01"],
    wide: "",
    rights: "item mime",
  },
};

/** Holds a variant to the parts of its picture, and to what its recipe adds to them. */
export function isMadeOfPicture({ variant, bytes }: MadeVariant): void {
  const { format, colour, rights, gainMap } = variant;
  const { partsOf, picture, ...more } = allowed[format];
  const may = new Set([
    ...picture,
    ...(colour === "p3" ? [more.wide] : []),
    ...(rights || gainMap ? [more.rights] : []),
    ...(gainMap ? ["ffe2 MPF", `ffe2 ${ISO}`] : []),
  ]);
  const parts = [...partsOf(Buffer.from(bytes))];
  assert.deepEqual(
    [...new Set(parts)].filter((part) => !may.has(part)),
    [],
    `${variant.name}.${format}`,
  );
  // A thumbnail, or what lies behind the end, would be a picture of its own.
  if (format === "jpeg") assert.equal(parts.filter((part) => part === "SOI").length, gainMap ? 2 : 1);
  if (format === "avif") assert(parts.filter((part) => part === "item av01").length <= 2);
}
