/** Gain maps go with JPEG rungs, whoever wrote them, and say the same in each of the ways that readers know. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test, { after } from "node:test";
import sharp from "sharp";
import { formatNames } from "../../core/formats.ts";
import { variantsOf } from "../../core/plan.ts";
import { itemsOf } from "../../pixels/colour/items.ts";
import { pixelProcess } from "../../pixels/process.ts";
import { box, full, u16, u32 } from "./avif-of.ts";
import { developWith, presetOf } from "./develop-with.ts";

const pixels = pixelProcess({ accept: formatNames });
after(() => pixels.close());
const heic = readFileSync(new URL("../images/heic/quarters-gain-map.heic", import.meta.url));

const URN = "urn:iso:std:iso:ts:21496:-1\0";
const XMP = "http://ns.adobe.com/xap/1.0/\0";
const NAMES = [
  "HDRCapacityMin",
  "HDRCapacityMax",
  "GainMapMin",
  "GainMapMax",
  "Gamma",
  "OffsetSDR",
  "OffsetHDR",
];
/** A map's numbers as they come in the standard, of one colour and of three: none is what silence means. */
const one = [0, 2.5, -0.5, 2.25, 1.5, 0.125, 0.25];
const three = [0, 3, -0.5, 2.25, 1.5, 0.125, 0.25, 0, 1.5, 1, 0.125, 0.25, 0.5, 3, 2, 0.125, 0.25];

/** @param flags 8: all have one denominator, as in the standard's drafts */
const iso = (numbers: number[], flags = 0) => {
  const below = u32(4096);
  const above = numbers.map((number) => u32((number * 4096) >>> 0));
  return Buffer.concat([
    Buffer.from([0, 0, 0, 0, flags | (numbers.length > 7 ? 0x80 : 0)]),
    ...(flags & 8 ? [below, ...above] : above.map((number) => Buffer.concat([number, below]))),
  ]);
};

const segment = (marker: number, ...parts: (Buffer | string)[]) => {
  const data = Buffer.concat(
    parts.map((part) => (typeof part === "string" ? Buffer.from(part, "latin1") : part)),
  );
  return Buffer.concat([Buffer.from([0xff, marker]), u16(data.length + 2), data]);
};
/** With segments at the front. */
const saying = (jpeg: Buffer, ...segments: Buffer[]) =>
  Buffer.concat([jpeg.subarray(0, 2), ...segments, jpeg.subarray(2)]);

/** One file of two pictures by CIPA DC-007, of which each says what it is given to say. */
async function pairOf(first: Buffer[], second: Buffer[]): Promise<Buffer> {
  const jpeg = await sharp({ create: { width: 64, height: 40, channels: 3, background: "#808080" } })
    .jpeg()
    .toBuffer();
  const [base, map] = [saying(jpeg, ...first), saying(jpeg, ...second)];
  const index = (place: number) =>
    segment(
      0xe2,
      "MPF\0MM\0*",
      ...[u32(8), u16(1, 0xb002, 7), u32(32, 26, 0)],
      ...[u32(0x030000, 0, 0, 0), u32(0, map.length, place, 0)],
    );
  // Places count from eight bytes into the index, which comes first.
  return Buffer.concat([saying(base, index(base.length + index(0).length - 10)), map]);
}

const rungs = presetOf({ ladder: { widths: [32], formats: ["avif", "jpeg"] }, hdr: true });

/** What a rung says of its map by XMP and in binary, each as the standard has it. */
function saidIn(rung: Uint8Array): { xmp: number[]; binary: number[] } {
  const second = secondIn(Buffer.from(rung));
  const text = second.toString("latin1");
  const listOf = (name: string) => {
    const found =
      new RegExp(`hdrgm:${name}="[^"]+"|<hdrgm:${name}>.*?</hdrgm:${name}>`).exec(text)?.[0] ?? "";
    return [...found.matchAll(/-?\d+\.\d+/g)].map(Number);
  };
  const [least = [], most = [], ...each] = NAMES.map(listOf);
  const colours = Math.max(...each.map(({ length }) => length));
  const rows = Array.from({ length: colours }, (_, i) =>
    each.map((list) => list[i] ?? list[0] ?? Number.NaN),
  );
  const at = second.indexOf(URN, 0, "latin1") + URN.length;
  const count = (second[at + 4] ?? 0) & 0x80 ? 17 : 7;
  const binary = Array.from({ length: count }, (_, i) => {
    const place = at + 5 + 8 * i;
    return second.readInt32BE(place) / second.readUInt32BE(place + 4);
  });
  return { xmp: [...least, ...most, ...rows.flat()], binary };
}

function near(seen: number[], wanted: number[]): void {
  const isNear =
    seen.length === wanted.length && seen.every((value, i) => Math.abs(value - (wanted[i] ?? 0)) < 1e-6);
  assert.ok(isNear, `${seen} for ${wanted}`);
}

/** Of a second picture, by the place that the index tells. */
function secondIn(file: Buffer): Buffer {
  const tiff = file.indexOf("MPF\0", 0, "latin1") + 4;
  return file.subarray(tiff + file.readUInt32BE(tiff + 74));
}

/** Sources that say the same in other ways, and which numbers. */
const words = (numbers: number[]) =>
  `<rdf:RDF ${NAMES.map((name, i) => `hdrgm:${name}="${numbers[i]}"`).join(" ")}/>`;
const said: Readonly<Record<string, readonly [Buffer[], Buffer[], number[]]>> = {
  "ISO 21496-1 alone": [[segment(0xe2, URN, u32(0))], [segment(0xe2, URN, iso(one))], one],
  "ISO 21496-1 alone, each colour": [[segment(0xe2, URN, u32(0))], [segment(0xe2, URN, iso(three))], three],
  "a draft of ISO 21496-1": [[segment(0xe2, URN, u32(0))], [segment(0xe2, URN, iso(one, 8))], one],
  "XMP alone": [[segment(0xe1, XMP, 'hdrgm:Version="1.0"')], [segment(0xe1, XMP, words(one))], one],
  "XMP that is silent on most": [
    [segment(0xe1, XMP, 'hdrgm:Version="1.0"')],
    [segment(0xe1, XMP, 'hdrgm:GainMapMax="2" hdrgm:OffsetSDR="1e-07"')],
    [0, 1, 0, 2, 1, 1e-7, 1 / 64],
  ],
  "both, and the standard counts": [
    [segment(0xe1, XMP, 'hdrgm:Version="1.0"')],
    [segment(0xe1, XMP, words(one.map((number) => number + 1))), segment(0xe2, URN, iso(one))],
    one,
  ],
};
for (const [name, [first, second, wanted]] of Object.entries(said))
  test(`a gain map by ${name} is said by both`, async () => {
    const { get, header } = await developWith(pixels, await pairOf(first, second), "jpeg", rungs);
    assert.deepEqual([header.hdr, header.gainMap], ["gain-map", true]);
    const { xmp, binary } = saidIn(get("w32.jpeg"));
    near(xmp, wanted);
    near(binary, wanted);
  });

const apples = (more: string) =>
  segment(
    0xe1,
    XMP,
    `<a:AuxiliaryImageType>urn:com:apple:photo:2020:aux:hdrgainmap</a:AuxiliaryImageType>${more}`,
  );
const headroom = "<HDRGainMap:HDRGainMapHeadroom>4.5</HDRGainMap:HDRGainMapHeadroom>";
/** EXIF with a maker note that says 2.2727 stops. */
const exif = () => {
  const { data } = itemsOf(heic)?.all.get(3) ?? {};
  assert.ok(data);
  return segment(0xe1, "Exif\0\0", heic.subarray(data.start + 4, data.end));
};
for (const [name, first, more, stops] of [
  ["its note", [exif()], "", 2.2727],
  ["its map", [], headroom, Math.log2(4.5)],
  ["its map, whatever the note says", [exif()], headroom, Math.log2(4.5)],
] as const)
  test(`a JPEG of an iPhone keeps its gain map by the headroom of ${name}`, async () => {
    const source = await pairOf([...first], [apples(more)]);
    const { get, header } = await developWith(pixels, source, "jpeg", rungs);
    assert.deepEqual([header.hdr, header.gainMap], ["gain-map", true]);
    const file = Buffer.from(get("w32.jpeg"));
    near(saidIn(file).binary, [0, stops, 0, stops, 1, 0, 0]);
    const { data } = await sharp(secondIn(file)).raw().toBuffer({ resolveWithObject: true });
    // By Apple's rule, of Rec. 709 undone.
    const wanted = 1 + (2 ** stops - 1) * ((128 / 255 + 0.099) / 1.099) ** (1 / 0.45);
    assert.ok(Math.abs(2 ** (((data[0] ?? 0) / 255) * stops) / wanted - 1) < 0.02);
  });

/** An item of a file, as it lies there. */
function itemIn(file: Buffer, id: number) {
  const { properties = [], data } = itemsOf(file)?.all.get(id) ?? {};
  assert.ok(data);
  return {
    properties: properties.map(({ start, end }) => file.subarray(start, end)),
    data: file.subarray(data.start, data.end),
  };
}

/** A picture and its map, with the item that says so; that lies in \`idat\`. */
function toneMapped(type: "av01" | "hvc1", pictures: ReturnType<typeof itemIn>[], numbers: Buffer): Buffer {
  const types = [type, type, "tmap"];
  const meta = (start: number) => {
    let at = start;
    const places = pictures.map(({ data }, i) => {
      at += data.length;
      return Buffer.concat([u16(i + 1, 0, 0, 1), u32(at - data.length, data.length)]);
    });
    let index = 0;
    const owned = pictures.map(({ properties }, i) =>
      Buffer.concat([u16(i + 1), Buffer.from([properties.length, ...properties.map(() => ++index)])]),
    );
    return full(
      "meta",
      0,
      full("hdlr", 0, u32(0), "pict", u32(0, 0, 0), "\0"),
      full("pitm", 0, u16(1)),
      full("iloc", 1, u16(0x4400, 3), ...places, u16(3, 1, 0, 1), u32(0, numbers.length + 1)),
      full("iinf", 0, u16(3), ...types.map((type, i) => infe(i + 1, type))),
      full("iref", 0, box("dimg", u16(3, 2, 1, 2))),
      box(
        "iprp",
        box("ipco", ...pictures.flatMap(({ properties }) => properties)),
        full("ipma", 0, u32(2), ...owned),
      ),
      box("idat", Buffer.from([0]), numbers),
    );
  };
  const ftyp = box("ftyp", type === "av01" ? "avif" : "heic", u32(0), "mif1miaftmap");
  const data = box("mdat", ...pictures.map(({ data }) => data));
  return Buffer.concat([ftyp, meta(ftyp.length + meta(0).length + 8), data]);
}
/** Hidden, but for the first. */
const infe = (id: number, type: string) => {
  const entry = full("infe", 2, u16(id, 0), `${type}\0`);
  entry[11] = id === 2 ? 1 : 0;
  return entry;
};

const avif = async (shades: string[]) => {
  const made = sharp({ create: { width: 160, height: 64, channels: 3, background: shades[0] ?? "" } });
  const right = { create: { width: 80, height: 64, channels: 3 as const, background: shades[1] ?? "" } };
  return made
    .composite([{ input: right, left: 80, top: 0 }])
    .avif({ quality: 90, chromaSubsampling: "4:4:4" })
    .toBuffer();
};
const pictures = {
  heic: async () => [itemIn(heic, 1), itemIn(heic, 2)],
  avif: async () =>
    (await Promise.all([avif(["#404040", "#c0c0c0"]), avif(["#000", "#fff"])])).map((file) =>
      itemIn(file, 1),
    ),
};
for (const format of ["heic", "avif"] as const)
  test(`${format} with a tone-mapped item: its map goes with JPEG rungs`, async () => {
    const source = toneMapped(format === "heic" ? "hvc1" : "av01", await pictures[format](), iso(one));
    const { get, header } = await developWith(pixels, source, format, rungs);
    assert.deepEqual([header.hdr, header.gainMap], ["gain-map", true]);
    const file = Buffer.from(get("w32.jpeg"));
    near(saidIn(file).binary, one);
    const { data, info } = await sharp(secondIn(file))
      .toColourspace("b-w")
      .raw()
      .toBuffer({ resolveWithObject: true });
    const at = (x: number) => data[Math.floor(x * info.width)] ?? 0;
    // The upper quarters of the HEIC's map are 0 and 90; of JPEG's own rounding 4 may be off.
    const right = format === "heic" ? 90 : 255;
    assert.ok(at(0.25) <= 4 && Math.abs(at(0.75) - right) <= 4, `${at(0.25)}, ${at(0.75)}`);
  });

test("a tone-mapped item whose base is the brighter picture says nothing of JPEG rungs", async () => {
  const source = toneMapped("av01", await pictures.avif(), iso([3, 0, ...one.slice(2)]));
  const { get, header } = await developWith(pixels, source, "avif", rungs);
  assert.deepEqual([header.hdr, header.gainMap], ["gain-map", undefined]);
  assert.ok(!Buffer.from(get("w32.jpeg")).includes("MPF\0"));
});

test("an iPhone's gain map goes with JPEG rungs, and is as bright by Ultra HDR's rule as by Apple's", async () => {
  const source = readFileSync(new URL("../images/heic/quarters-gain-map.heic", import.meta.url));
  const preset = presetOf({ ladder: { widths: [160, 320], formats: ["jpeg", "webp"] }, hdr: true });
  const { get, header } = await developWith(pixels, source, "heic", preset);
  assert.deepEqual([header.hdr, header.gainMap], ["gain-map", true]);
  const file = Buffer.from(get("w160.jpeg"));
  const stops = Number(/hdrgm:GainMapMax="([\d.]+)"/.exec(file.toString("latin1"))?.[1]);
  // "Applying Apple HDR effect to your photos": of the note's 1 and 0.1, 2.303 - 0.303 × 0.1.
  assert.ok(Math.abs(stops - 2.2727) < 1e-5);
  const { data, info } = await sharp(secondIn(file))
    .toColourspace("b-w")
    .raw()
    .toBuffer({ resolveWithObject: true });
  assert.deepEqual([info.width, info.height, info.channels], [80, 60, 1]);
  // What the map was made of, by quarters.
  for (const [i, apple] of [0, 90, 170, 255].entries()) {
    const at = (i < 2 ? 15 : 45) * info.width + (i % 2 === 0 ? 20 : 60);
    const light = ((apple / 255 + 0.099) / 1.099) ** (1 / 0.45);
    const wanted = apple === 0 ? 1 : 1 + (2 ** stops - 1) * light;
    const made = 2 ** (((data[at] ?? 0) / 255) * stops);
    assert.ok(Math.abs(made / wanted - 1) < 0.04, `quarter ${i}: ${made} times as bright, ${wanted} asked`);
  }
});

test("a gain map of which nobody can say how bright it is goes with nothing, and no document says so", async () => {
  const source = readFileSync(new URL("../images/heic/quarters-gain-map.heic", import.meta.url));
  const silent = Buffer.from(source.toString("latin1").replace("Apple iOS", "Apple i0S"), "latin1");
  const preset = presetOf({ ladder: { widths: [64], formats: ["jpeg"] }, hdr: true });
  const { get, header } = await developWith(pixels, silent, "heic", preset);
  assert.deepEqual([header.hdr, header.gainMap], ["gain-map", undefined]);
  assert.ok(!Buffer.from(get("w64.jpeg")).includes("MPF\0"));
  assert.ok(variantsOf(header, preset).every(({ gainMap }) => gainMap === undefined));
});

test("JPEG rungs keep a gain map, as small as they are", async () => {
  const source = readFileSync(new URL("../images/valid/ultra-hdr.jpg", import.meta.url));
  const bright = presetOf({ ladder: { widths: [64, 256], formats: ["jpeg", "webp"] }, hdr: true });
  const { get, header } = await developWith(pixels, source, "jpeg", bright);
  assert.equal(header.hdr, "gain-map");
  for (const width of [64, 256]) {
    const file = Buffer.from(get(`w${width}.jpeg`));
    const { width: seen, gainMap } = await sharp(file).metadata();
    assert.equal(seen, width);
    assert.ok(file.includes("hdrgm:GainMapMax"), "the meaning of the map is there");
    const tiff = file.indexOf("MPF\0", 0, "latin1") + 4;
    const second = secondIn(file);
    assert.equal(second.length, file.readUInt32BE(tiff + 70));
    assert.equal(tiff + file.readUInt32BE(tiff + 74), file.readUInt32BE(tiff + 54));
    const map = await sharp(second).metadata();
    assert.equal(map.format, "jpeg");
    assert.equal(map.width, Math.round((width / 256) * 64), JSON.stringify(gainMap));
    assert.ok(file.includes(`Item:Length="${second.length}"`));
  }
  const plain = await developWith(
    pixels,
    source,
    "jpeg",
    presetOf({ ladder: { widths: [64], formats: ["jpeg"] } }),
  );
  assert.ok(!Buffer.from(plain.get("w64.jpeg")).includes("MPF\0"));
});
