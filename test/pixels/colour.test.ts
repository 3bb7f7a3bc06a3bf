/**
 * Whatever a file says of its colours, straight sRGB comes out: numbers computed here from the standards, without a colour
 * engine. Also what is said by more than one, and what is damaged.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test, { after } from "node:test";
import { crc32, deflateSync } from "node:zlib";
import sharp from "sharp";
import { type FormatName, formatNames } from "../../core/formats.ts";
import { sequenceHeaderOf } from "../../pixels/colour/av1.ts";
import { segment, withSegments } from "../../pixels/colour/tag.ts";
import { pixelProcess } from "../../pixels/process.ts";
import { av1Of, avifOf, box, nclx } from "./avif-of.ts";
import { developWith } from "./develop-with.ts";
import { distance, picture, type Quarters, quarters, type Size, seenQuarters } from "./quarters.ts";

const pixels = pixelProcess({ accept: formatNames });
after(() => pixels.close());
const size = { width: 64, height: 48 };

type Rgb = readonly number[];
const fromSrgb = (v: number) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
const toSrgb = (v: number) => (v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055);
const level = (light: number) => Math.round(255 * toSrgb(Math.min(1, Math.max(0, light))));
const apply = (rows: number[][], light: Rgb) =>
  rows.map((row) => row.reduce((sum, factor, i) => sum + factor * (light[i] ?? 0), 0));
/** Linear light to linear sRGB, as CSS Color 4 (18) and ITU-R BT.2087 give them. */
const P3 = [
  [1.2249402, -0.2249402, 0],
  [-0.042056955, 1.042056955, 0],
  [-0.019637555, -0.078636046, 1.0982736],
];
const REC2020 = [
  [1.660491, -0.5876411, -0.0728499],
  [-0.1245505, 1.1328999, -0.0083494],
  [-0.0181508, -0.1005789, 1.1187297],
];
const ADOBE_RGB = [
  [1.3983557, -0.3983557, 0],
  [0, 1, 0],
  [0, -0.0429289, 1.0429289],
];
const through =
  (matrix: number[][] | undefined, toLight: (v: number) => number) =>
  (colour: Rgb): number[] => {
    const light = colour.map((value) => toLight(value / 255));
    return (matrix ? apply(matrix, light) : light).map(level);
  };

/** SMPTE ST 2084, in cd/m². */
const pq = (v: number) => {
  const [m1, m2, c1, c2, c3] = [0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875];
  const p = v ** (1 / m2);
  return 10_000 * (Math.max(p - c1, 0) / (c2 - c3 * p)) ** (1 / m1);
};
/** ITU-R BT.2100, on a screen of 1,000 cd/m², of grey. */
const hlg = (v: number) => {
  const scene = v <= 0.5 ? v ** 2 / 3 : (Math.exp((v - 0.55991073) / 0.17883277) + 0.28466892) / 12;
  return 1000 * scene ** 1.2;
};
/** Below white paper (203 cd/m², BT.2408) a peak of 1,000 cd/m² leaves half of the light. */
const dimmed = (nits: number) => level(nits / 203 / 2);

const u32 = (...values: number[]) => {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value, 4 * i);
  return bytes;
};
const chunk = (type: string, data: Buffer, checksum?: number) => {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  return Buffer.concat([u32(data.length), body, u32(checksum ?? crc32(body))]);
};
const gAMA = (value: number) => chunk("gAMA", u32(value));
const cHRM = (...xy: number[]) => chunk("cHRM", u32(...xy.map((value) => Math.round(value * 100_000))));
const P3_CHRM = cHRM(0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06);
const cICP = (...codes: number[]) => chunk("cICP", Buffer.from(codes));
const SRGB = chunk("sRGB", Buffer.from([0]));
const iCCP = (icc: Buffer, checksum?: number) =>
  chunk("iCCP", Buffer.concat([Buffer.from("icc\0\0", "latin1"), deflateSync(icc)]), checksum);

/** The quarters as RGB, or their reds as grey. */
function pngOf(depth: 8 | 16, chunks: Buffer[], grey = false, colours = quarters): Buffer {
  const header = Buffer.concat([u32(size.width, size.height), Buffer.from([depth, grey ? 0 : 2, 0, 0, 0])]);
  const rgb = picture(size, colours);
  const rows: number[] = [];
  for (let at = 0; at < rgb.length; at += grey ? 3 : 1) {
    if (at % (3 * size.width) === 0) rows.push(0);
    rows.push(...Array<number>(depth / 8).fill(rgb[at] ?? 0));
  }
  const signature = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");
  const pictured = chunk("IDAT", deflateSync(Buffer.from(rows)));
  return Buffer.concat([
    signature,
    chunk("IHDR", header),
    ...chunks,
    pictured,
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

/** A profile of primaries and powers, written here (ICC.1, 7 and 10). */
function iccOf(
  space: "RGB " | "GRAY",
  columns: number[][],
  gamma: number,
  more: [string, Buffer][] = [],
): Buffer {
  const curve = Buffer.concat([
    Buffer.from("curv\0\0\0\0"),
    u32(1),
    Buffer.from([Math.floor(gamma), Math.round((gamma % 1) * 256)]),
  ]);
  const xyz = (values: number[]) =>
    Buffer.concat([Buffer.from("XYZ \0\0\0\0"), u32(...values.map((v) => Math.round(v * 65536) >>> 0))]);
  const tags: [string, Buffer][] =
    space === "GRAY"
      ? [
          ["wtpt", xyz([0.9642, 1, 0.8249])],
          ["kTRC", Buffer.concat([curve, Buffer.alloc(2)])],
        ]
      : [
          ["wtpt", xyz([0.9642, 1, 0.8249])],
          ...["r", "g", "b"].map((c, i): [string, Buffer] => [`${c}XYZ`, xyz(columns[i] ?? [])]),
          ...["r", "g", "b"].map((c): [string, Buffer] => [
            `${c}TRC`,
            Buffer.concat([curve, Buffer.alloc(2)]),
          ]),
        ];
  tags.push(...more);
  let at = 132 + 12 * tags.length;
  const table = tags.map(([name, data]) => {
    const entry = Buffer.concat([Buffer.from(name), u32(at, data.length)]);
    at += data.length;
    return entry;
  });
  const head = Buffer.alloc(128);
  head.writeUInt32BE(at, 0);
  head.writeUInt32BE(0x02400000, 8);
  head.write(`mntr${space}XYZ `, 12, "latin1");
  head.write("acsp", 36, "latin1");
  u32(0xf6d6, 0x10000, 0xd32d).copy(head, 68);
  return Buffer.concat([head, u32(tags.length), ...table, ...tags.map(([, data]) => data)]);
}
/** Display P3's columns under D50 (Apple's profile), with another curve than sRGB's. */
const P3_COLUMNS = [
  [0.51512, 0.2412, -0.00105],
  [0.29198, 0.69225, 0.04189],
  [0.1571, 0.06657, 0.78407],
];
const gamma = (exponent: number) => (v: number) => v ** exponent;
const p3Profile = iccOf("RGB ", P3_COLUMNS, 1.8);
/** As those of HDR are: tables, here of nothing, for who does not know the code points beside them. */
const pqProfile = iccOf("RGB ", P3_COLUMNS, 1.8, [
  ["A2B0", Buffer.from("mAB \0\0\0\0")],
  ["cicp", Buffer.from("cicp\0\0\0\0\x09\x10\0\x01", "latin1")],
]);
const greys = quarters.map(([r]) => [r, r, r]);

const av1 = async (bitdepth: 8 | 10, channels: 1 | 3 = 3, data = picture(size, quarters)) => {
  const image = sharp(data, { raw: { ...size, channels } });
  // In 4:4:4 and without loss; of one channel sharp makes a monochrome picture.
  if (channels === 1) image.toColourspace("b-w");
  return av1Of(
    await image.avif({ quality: 100, chromaSubsampling: "4:4:4", bitdepth, effort: 0 }).toBuffer(),
  );
};

interface Case {
  readonly format: FormatName;
  readonly make: () => Buffer | Promise<Buffer>;
  readonly wanted: readonly Rgb[];
  readonly off?: number;
  readonly size?: Size;
}
const png = (bytes: () => Buffer, wanted: Rgb[]): Case => ({ format: "png", make: bytes, wanted });
const avif = (bits: 8 | 10, primaries: number, transfer: number, wanted: Rgb[]): Case => ({
  format: "avif",
  make: async () => avifOf(await av1(bits), [nclx(primaries, transfer)]),
  wanted,
  off: 4,
});

const cLLI = (nits: number) => chunk("cLLI", u32(nits * 10_000, 0));
const greyQuarters = (...values: [number, number, number, number]) =>
  values.map((v) => [v, v, v] as const) as unknown as Quarters;
/** Below white paper in PQ (148) and HLG (191), and above it in PQ. */
const dark = greyQuarters(40, 90, 120, 147);
const bright = greyQuarters(144, 159, 175, 192);

const clamped = (v: number) => Math.min(255, Math.max(0, v));
const widened = (v: number) => clamped(((v - 16) * 255) / 219);
/** Numbers of full range read as if they were of limited (ITU-R BT.601). */
function widenedByMatrix([r, g, b]: readonly [number, number, number]): number[] {
  const y = 0.299 * r + 0.587 * g + 0.114 * b;
  const [cb, cr] = [(b - y) / 1.772, (r - y) / 1.402].map((c) => (c * 255) / 224) as [number, number];
  const wide = ((y - 16) * 255) / 219;
  return [wide + 1.402 * cr, wide - 0.344136 * cb - 0.714136 * cr, wide + 1.772 * cb].map(clamped);
}

/** What the HEICs show, in the numbers that stand in them. */
const lively: Quarters = [
  [220, 40, 40],
  [40, 180, 60],
  [40, 60, 200],
  [230, 210, 50],
];
const heic = (name: string) => ({
  format: "heic" as const,
  make: () => readFileSync(new URL(`../images/heic/${name}.heic`, import.meta.url)),
  size: { width: 256, height: 192 },
});

/** A JPEG with a profile of Display P3's primaries and a power of 1.8. @param type of its primaries, as their tags say */
async function profiledJpeg(grey: boolean, type = "XYZ "): Promise<Buffer> {
  const data = picture(size, quarters).filter((_, at) => !grey || at % 3 === 0);
  const own = sharp(Buffer.from(data), { raw: { ...size, channels: grey ? 1 : 3 } });
  const icc = Buffer.from(
    p3Profile.toString("latin1").replaceAll("XYZ \0\0\0\0", `${type}\0\0\0\0`),
    "latin1",
  );
  const profile = segment(0xe2, Buffer.from("ICC_PROFILE\0\x01\x01", "latin1"), icc);
  return withSegments(await own.jpeg({ quality: 100, chromaSubsampling: "4:4:4" }).toBuffer(), [profile]);
}

/** A JPEG whose EXIF says of its colours that they are not sRGB's but, by DCF's index, Adobe RGB's. */
async function adobeJpeg(): Promise<Buffer> {
  const bytes = await sharp(picture(size, quarters), { raw: { ...size, channels: 3 } })
    .jpeg({ quality: 100, chromaSubsampling: "4:4:4" })
    .toBuffer();
  const u16 = (...values: number[]) => Buffer.from(values.flatMap((value) => [value >> 8, value & 255]));
  const entry = (tag: number, type: number, count: number, value: Buffer) =>
    Buffer.concat([u16(tag, type), u32(count), value]);
  const ifd = (...entries: Buffer[]) => Buffer.concat([u16(entries.length), ...entries, u32(0)]);
  const tiff = Buffer.concat([
    Buffer.from("MM\0*\0\0\0\x08", "latin1"),
    ifd(entry(0x8769, 4, 1, u32(26))),
    ifd(entry(0xa001, 3, 1, u16(65_535, 0)), entry(0xa005, 4, 1, u32(56))),
    ifd(entry(1, 2, 4, Buffer.from("R03\0"))),
  ]);
  const app1 = Buffer.concat([Buffer.from("Exif\0\0"), tiff]);
  return Buffer.concat([
    bytes.subarray(0, 2),
    Buffer.from([0xff, 0xe1]),
    u16(app1.length + 2),
    app1,
    bytes.subarray(2),
  ]);
}

const cases: Record<string, Case> = {
  "PNG: gAMA of linear light": png(
    () => pngOf(8, [gAMA(100_000)]),
    quarters.map(through(undefined, (v) => v)),
  ),
  "PNG: gAMA of linear light in 16 bits": png(
    () => pngOf(16, [gAMA(100_000)]),
    quarters.map(through(undefined, (v) => v)),
  ),
  "PNG: gAMA of old Macs": png(() => pngOf(8, [gAMA(55_556)]), quarters.map(through(undefined, gamma(1.8)))),
  "PNG: the gAMA of sRGB changes nothing": png(() => pngOf(8, [gAMA(45_455)]), [...quarters]),
  "PNG: gAMA and cHRM": png(() => pngOf(8, [gAMA(55_556), P3_CHRM]), quarters.map(through(P3, gamma(1.8)))),
  "PNG: cHRM alone says nothing": png(() => pngOf(8, [P3_CHRM]), [...quarters]),
  "PNG: a cHRM that is none": png(
    () => pngOf(8, [gAMA(45_455), cHRM(0, 0, 0, 0, 0, 0, 0, 0)]),
    [...quarters],
  ),
  "PNG: sRGB before gAMA": png(() => pngOf(8, [SRGB, gAMA(100_000)]), [...quarters]),
  "PNG: iCCP before sRGB": png(
    () => pngOf(8, [iCCP(p3Profile), SRGB, gAMA(100_000)]),
    quarters.map(through(P3, gamma(1.8))),
  ),
  "PNG: cICP before iCCP": png(
    () => pngOf(8, [cICP(12, 13, 0, 1), iCCP(p3Profile)]),
    quarters.map(through(P3, fromSrgb)),
  ),
  "PNG: a cICP of no known code leaves it to the next": png(
    () => pngOf(8, [cICP(77, 13, 0, 1), gAMA(100_000)]),
    quarters.map(through(undefined, (v) => v)),
  ),
  "PNG: an iCCP with a wrong checksum is none": png(() => pngOf(8, [iCCP(p3Profile, 1)]), [...quarters]),
  "PNG: video's curve at its word": png(
    () => pngOf(8, [cICP(1, 1, 0, 1)]),
    quarters.map(through(undefined, gamma(2.4))),
  ),
  "PNG of 16 bits with a profile": png(
    () => pngOf(16, [iCCP(p3Profile)]),
    quarters.map(through(P3, gamma(1.8))),
  ),
  "grey PNG of 16 bits with a profile": png(
    () => pngOf(16, [iCCP(iccOf("GRAY", [], 1))], true),
    greys.map(through(undefined, (v) => v)),
  ),
  "grey PNG of 16 bits with gAMA": png(
    () => pngOf(16, [gAMA(100_000)], true),
    greys.map(through(undefined, (v) => v)),
  ),
  "grey PNG with PQ": png(
    () => pngOf(16, [cICP(9, 16, 0, 1)], true, dark),
    dark.map((grey) => grey.map((v) => dimmed(pq(v / 255)))),
  ),
  "PNG with a profile of PQ by code points": png(
    () => pngOf(16, [iCCP(pqProfile)], false, dark),
    dark.map((grey) => grey.map((v) => dimmed(pq(v / 255)))),
  ),
  "AVIF of one colour with a profile of grey": {
    format: "avif",
    make: () =>
      avifOf(av1Of(readFileSync(new URL("../images/valid/odd/monochrome.avif", import.meta.url))), [
        box("colr", "prof", iccOf("GRAY", [], 1)),
      ]),
    size: { width: 160, height: 120 },
    wanted: greyQuarters(0, 90, 170, 255).map(through(undefined, (v) => v)),
    off: 4,
  },
  "grey PNG with HLG": png(
    () => pngOf(16, [cICP(9, 18, 0, 1)], true, dark),
    dark.map((grey) => grey.map((v) => dimmed(hlg(v / 255)))),
  ),
  "grey PNG with PQ above white, as Chromium 156 shows it": png(
    () => pngOf(16, [cICP(9, 16, 0, 1)], true, bright),
    [175, 212, 235, 255].map((v) => [v, v, v]),
  ),
  "grey PNG with PQ of a low peak": png(
    () => pngOf(16, [cICP(9, 16, 0, 1), cLLI(203)], true, dark),
    dark.map((grey) => grey.map((v) => level(pq(v / 255) / 203))),
  ),
  "AVIF: Display P3": avif(8, 12, 13, quarters.map(through(P3, fromSrgb))),
  "AVIF: Rec. 2020 of 10 bits": avif(10, 9, 13, quarters.map(through(REC2020, fromSrgb))),
  "AVIF: linear light": avif(10, 1, 8, quarters.map(through(undefined, (v) => v))),
  "AVIF: video's curve is sRGB's": avif(8, 1, 1, [...quarters]),
  "AVIF: nothing specified": avif(8, 2, 2, [...quarters]),
  "AVIF: nclx says limited range, the data full": {
    format: "avif",
    make: async () => avifOf(await av1(8), [nclx(1, 13, 6, false)]),
    wanted: quarters.map(widenedByMatrix),
    off: 4,
  },
  "AVIF: monochrome, of limited range": {
    format: "avif",
    make: async () =>
      avifOf(await av1(8, 1, Buffer.from(picture(size, quarters).filter((_, at) => at % 3 === 0))), [
        nclx(1, 13, 6, false),
      ]),
    wanted: greys.map((grey) => grey.map(widened)),
    off: 2,
  },
  "HEIC: Rec. 2020": { ...heic("heic-nclx-bt2020"), wanted: lively.map(through(REC2020, fromSrgb)), off: 4 },
  // The reds and greens of Rec. 2020 lie outside: what is left is as bright as sRGB can be.
  "HEIC: PQ": {
    ...heic("heic-nclx-pq"),
    wanted: [
      [255, 0, 0],
      [0, 255, 0],
      [0, 0, 255],
      [255, 175, 0],
    ],
    off: 2,
  },
  "JPEG of grey with a profile of three colours": {
    format: "jpeg",
    make: () => profiledJpeg(true),
    wanted: greys.map(through(P3, gamma(1.8))),
    off: 3,
  },
  "JPEG with a profile whose primaries are none": {
    format: "jpeg",
    make: () => profiledJpeg(false, "nada"),
    wanted: [...quarters],
    off: 3,
  },
  "JPEG: Adobe RGB by EXIF": {
    format: "jpeg",
    make: adobeJpeg,
    wanted: quarters.map(through(ADOBE_RGB, gamma(563 / 256))),
    off: 3,
  },
};

for (const [name, { format, make, wanted, off = 1, size: seen = size }] of Object.entries(cases)) {
  test(name, async () => {
    const { get } = await developWith(pixels, await make(), format);
    const { data, info } = await sharp(get("whole.png")).raw().toBuffer({ resolveWithObject: true });
    const colours = seenQuarters(data, seen, info.channels);
    const found = distance(colours, wanted);
    assert.ok(
      found <= off,
      `off by ${found}: ${JSON.stringify(colours)} instead of ${JSON.stringify(wanted)}`,
    );
  });
}

/** Pixels of an AVIF with an alpha of one value. */
async function withAlpha(colours: Quarters, opaque: number, premultiplied: boolean, limited = false) {
  const flat = Buffer.alloc(size.width * size.height, opaque);
  const alpha = await av1(8, 1, flat);
  const bit = sequenceHeaderOf(alpha.data, 0, alpha.data.length)?.rangeBit ?? 0;
  if (limited) alpha.data[bit >> 3] = (alpha.data[bit >> 3] ?? 0) & ~(0x80 >> (bit & 7));
  const file = avifOf(await av1(8, 3, picture(size, colours)), [nclx(1, 13)], alpha, premultiplied);
  const { get } = await developWith(pixels, file, "avif");
  const { data, info } = await sharp(get("whole.png")).raw().toBuffer({ resolveWithObject: true });
  assert.equal(info.channels, 4);
  return { colours: seenQuarters(data, size, 4), alpha: data[3] ?? 0 };
}

test("AVIF: colours that were multiplied by alpha are divided by it", async () => {
  const half = quarters.map((colour) => colour.map((v) => Math.round(v / 2))) as unknown as Quarters;
  const { colours, alpha } = await withAlpha(half, 128, true);
  assert.ok(Math.abs(alpha - 128) <= 1);
  assert.ok(distance(colours, quarters) <= 6, JSON.stringify(colours));
  assert.ok(distance((await withAlpha(half, 128, false)).colours, half) <= 3);
});

test("AVIF: alpha of limited range", async () => {
  assert.ok(Math.abs((await withAlpha(quarters, 125, false, true)).alpha - 127) <= 1);
  assert.ok(Math.abs((await withAlpha(quarters, 125, false, false)).alpha - 125) <= 1);
});

test("JPEG: ink without a profile, as browsers mix it", async () => {
  const bytes = await sharp(picture(size, quarters), { raw: { ...size, channels: 3 } })
    .toColourspace("cmyk")
    .jpeg({ quality: 100, chromaSubsampling: "4:4:4" })
    .toBuffer();
  const ink = await sharp(bytes).pipelineColourspace("cmyk").toColourspace("cmyk").raw().toBuffer();
  const mixed = Buffer.alloc((ink.length / 4) * 3);
  for (let at = 0; at < mixed.length; at++) {
    const pixel = 4 * Math.floor(at / 3);
    mixed[at] = Math.round(((255 - (ink[pixel + (at % 3)] ?? 0)) * (255 - (ink[pixel + 3] ?? 0))) / 255);
  }
  const { get } = await developWith(pixels, bytes, "jpeg");
  const { data } = await sharp(get("whole.png")).raw().toBuffer({ resolveWithObject: true });
  assert.ok(distance(seenQuarters(data, size), seenQuarters(mixed, size)) <= 1);
});

test("the header says what the colours were, where they were not sRGB's", async () => {
  const header = async (format: FormatName, bytes: Buffer) => {
    const { colour, hdr } = (await developWith(pixels, bytes, format)).header;
    return [colour, hdr];
  };
  assert.deepEqual(await header("png", pngOf(8, [])), [undefined, undefined]);
  assert.deepEqual(await header("png", pngOf(8, [gAMA(100_000)])), [undefined, undefined]);
  assert.deepEqual(await header("png", pngOf(8, [iCCP(p3Profile)])), ["display-p3", undefined]);
  assert.deepEqual(await header("png", pngOf(16, [cICP(9, 16, 0, 1)])), ["rec2020", "pq"]);
  assert.deepEqual(await header("png", pngOf(16, [cICP(1, 18, 0, 1)])), [undefined, "hlg"]);
  const pal = avifOf(await av1(8), [nclx(5, 13)]);
  assert.deepEqual(await header("avif", pal), ["other", undefined]);
  // A brand that promises a gain map is none.
  pal.write("tmap", 16, "latin1");
  assert.deepEqual(await header("avif", pal), ["other", undefined]);
  assert.deepEqual(await header("jpeg", await adobeJpeg()), ["adobe-rgb", undefined]);
  assert.deepEqual(await header("heic", heic("heic-nclx-pq").make()), ["rec2020", "pq"]);
  assert.deepEqual(
    await header("jpeg", readFileSync(new URL("../images/valid/ultra-hdr.jpg", import.meta.url))),
    [undefined, "gain-map"],
  );
});

test("JPEG: an orientation that is no SHORT turns nothing, as in browsers", async () => {
  const bytes = await sharp(picture(size, quarters), { raw: { ...size, channels: 3 } })
    .withMetadata({ orientation: 6 })
    .jpeg()
    .toBuffer();
  const { header } = await developWith(pixels, bytes, "jpeg");
  assert.deepEqual([header.width, header.height], [size.height, size.width]);
  // The entry of the orientation: its tag, a type (3: SHORT, 9: SLONG), a count, the value at the front or at the end.
  const at = Math.max(
    bytes.indexOf("011200030000000100060000", 0, "hex"),
    bytes.indexOf("120103000100000006000000", 0, "hex"),
  );
  assert.ok(at > 0);
  const isBig = bytes[at] === 1;
  Buffer.from(isBig ? "01120009000000010000000006" : "120109000100000006000000", "hex").copy(
    bytes,
    at,
    0,
    12,
  );
  if (isBig) bytes.writeInt32BE(6, at + 8);
  const { header: lying } = await developWith(pixels, bytes, "jpeg");
  assert.deepEqual([lying.width, lying.height], [size.width, size.height]);
});
