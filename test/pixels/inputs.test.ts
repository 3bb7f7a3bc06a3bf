/** Every input format, in every orientation and kind of pixels, comes out upright and in the right colours. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test, { after } from "node:test";
import sharp from "sharp";
import { type FormatName, formatNames } from "../../core/formats.ts";
import { pngOf } from "../../pixels/png.ts";
import { pixelProcess } from "../../pixels/process.ts";
import { developWith, presetOf } from "./develop-with.ts";
import { distance, isTurned, picture, quarters, seenQuarters } from "./quarters.ts";

const pixels = pixelProcess({ accept: formatNames });
after(() => pixels.close());

const seen = { width: 64, height: 40 };
const heic = (name: string) => readFileSync(new URL(`../images/heic/${name}.heic`, import.meta.url));

/** Pixels of a variant, by sharp in this process. */
const decoded = (bytes: Uint8Array) => sharp(bytes).raw().toBuffer({ resolveWithObject: true });

/** The stored picture as sharp encodes it, so that orientation is only what EXIF (in AVIF: `irot`, `imir`) says. */
async function stored(
  format: "jpeg" | "png" | "webp" | "avif" | "tiff",
  orientation: number,
): Promise<Buffer> {
  const [width, height] = isTurned(orientation) ? [seen.height, seen.width] : [seen.width, seen.height];
  const raw = sharp(picture(seen, quarters, orientation), { raw: { width, height, channels: 3 } });
  const best = { quality: 95, ...(format === "png" ? { palette: false } : {}) };
  return raw.withMetadata({ orientation }).toFormat(format, best).toBuffer();
}

for (const format of ["jpeg", "png", "avif", "tiff"] as const) {
  test(`${format}: eight orientations`, async () => {
    for (let orientation = 1; orientation <= 8; orientation++) {
      const bytes = await stored(format, orientation);
      const { header, get } = await developWith(pixels, bytes, format);
      assert.deepEqual(header, { format, ...seen, frames: 1, alpha: false });
      const { data, info } = await decoded(get("whole.png"));
      assert.deepEqual([info.width, info.height], [seen.width, seen.height]);
      const off = distance(seenQuarters(data, seen, info.channels), quarters);
      assert(off <= 10, `orientation ${orientation}: off by ${off}`);
    }
  });
}

test("a webp lies as it is stored, whatever its EXIF says, as in Chromium and Firefox", async () => {
  const { header, get } = await developWith(pixels, await stored("webp", 6), "webp");
  assert.deepEqual([header.width, header.height], [seen.height, seen.width]);
  const { info } = await decoded(get("whole.png"));
  assert.deepEqual([info.width, info.height], [seen.height, seen.width]);
});

test("every format that may be uploaded has a sample here", () => {
  const sampled: FormatName[] = ["jpeg", "png", "webp", "avif", "tiff", "gif", "heic"];
  for (const name of formatNames)
    assert.ok(
      sampled.includes(name),
      `${name}: add a test of a picture here, its name to this list, and a file to test/images/ with its line in manifest.json`,
    );
});

test("gif", async () => {
  const bytes = await sharp(picture(seen, quarters), { raw: { ...seen, channels: 3 } })
    .gif()
    .toBuffer();
  const { header, get } = await developWith(pixels, bytes, "gif");
  assert.deepEqual({ ...header, alpha: true }, { format: "gif", ...seen, frames: 1, alpha: true });
  const { data, info } = await decoded(get("whole.png"));
  assert(distance(seenQuarters(data, seen, info.channels), quarters) <= 10);
});

test("heic: plain, with alpha, and as iPhones write it: turned, in Display P3, with EXIF", async () => {
  const size = { width: 320, height: 240 };
  const look = async (name: string) => {
    const { header, get } = await developWith(pixels, heic(name), "heic");
    const { data, info } = await decoded(get("whole.png"));
    assert.deepEqual([info.width, info.height], [320, 240]);
    return { header, data, colours: seenQuarters(data, size, info.channels), channels: info.channels };
  };
  const plain = await look("quarters");
  assert.deepEqual(plain.header, { format: "heic", ...size, frames: 1, alpha: false });
  assert(distance(plain.colours, quarters) <= 4);

  const alpha = await look("quarters-alpha");
  assert.deepEqual(alpha.header, { format: "heic", ...size, frames: 1, alpha: true });
  assert(distance(alpha.colours, quarters) <= 4);
  assert.equal(alpha.channels, 4);
  assert(Math.abs((alpha.data[3] ?? 0) - 127) <= 2);

  const turned = await look("quarters-p3-turned");
  const takenAt = "2026-05-01T10:00:00";
  const colour = "display-p3";
  assert.deepEqual(turned.header, { format: "heic", ...size, frames: 1, alpha: false, takenAt, colour });
  const off = distance(turned.colours, quarters.map(srgbFromP3));
  assert(off <= 6, `off by ${off}`);
});

test("heic: only the clean aperture is shown", async () => {
  const { header, get } = await developWith(pixels, heic("quarters-clap"), "heic");
  assert.deepEqual([header.width, header.height], [128, 96]);
  const { data, info } = await decoded(get("whole.png"));
  const colours = seenQuarters(data, { width: 128, height: 96 }, info.channels);
  assert(distance(colours, new Array(4).fill([230, 211, 51])) <= 4, String(colours));
});

/** Display P3 to sRGB, each 0 to 255: the matrices of the two standards' primaries with D65 (CSS Color 4, 19). */
function srgbFromP3(colour: readonly number[]): number[] {
  const linear = colour.map((value) => {
    const v = value / 255;
    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  });
  const rows = [
    [1.2249402, -0.2249402, 0],
    [-0.042056955, 1.042056955, 0],
    [-0.019637555, -0.078636046, 1.0982736],
  ];
  return rows.map((row) => {
    const v = row.reduce((sum, factor, i) => sum + factor * (linear[i] ?? 0), 0);
    const encoded = v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055;
    return Math.round(255 * Math.min(1, Math.max(0, encoded)));
  });
}

test("a profile is applied: Display P3 in a PNG", async () => {
  const p3 = await sharp({ create: { width: 1, height: 1, channels: 3, background: "#000" } })
    .withIccProfile("p3")
    .png()
    .toBuffer();
  const { icc } = await sharp(p3).metadata();
  assert(icc);
  const bytes = pngOf({ data: picture(seen, quarters), ...seen, channels: 3 }, icc);
  const { get } = await developWith(pixels, bytes, "png");
  const { data, info } = await decoded(get("whole.png"));
  assert(distance(seenQuarters(data, seen, info.channels), quarters.map(srgbFromP3)) <= 2);
});

const base = () => sharp(picture(seen, quarters), { raw: { ...seen, channels: 3 } });
/** How far colours may be off; ink cannot show all of sRGB, but an inverted CMYK would be off by more than 100. */
const kinds: Record<string, { format: FormatName; make: () => Promise<Buffer>; off: number; grey?: true }> = {
  "progressive JPEG": {
    format: "jpeg",
    make: () => base().jpeg({ progressive: true, quality: 95 }).toBuffer(),
    off: 4,
  },
  "CMYK JPEG with a profile": {
    format: "jpeg",
    make: () => base().toColourspace("cmyk").withIccProfile("cmyk").jpeg({ quality: 100 }).toBuffer(),
    off: 60,
  },
  "grey JPEG": {
    format: "jpeg",
    make: () => base().greyscale().jpeg({ quality: 95 }).toBuffer(),
    off: 4,
    grey: true,
  },
  "grey PNG": {
    format: "png",
    make: () => base().greyscale().toColourspace("b-w").png().toBuffer(),
    off: 1,
    grey: true,
  },
  "16-bit PNG": { format: "png", make: () => base().toColourspace("rgb16").png().toBuffer(), off: 1 },
  "palette PNG": { format: "png", make: () => base().png({ palette: true }).toBuffer(), off: 2 },
  "interlaced PNG": { format: "png", make: () => base().png({ progressive: true }).toBuffer(), off: 0 },
  "lossless WebP": { format: "webp", make: () => base().webp({ lossless: true }).toBuffer(), off: 0 },
  "10-bit AVIF": {
    format: "avif",
    make: () => base().avif({ bitdepth: 10, quality: 90 }).toBuffer(),
    off: 4,
  },
};
for (const [name, { format, make, off, grey }] of Object.entries(kinds)) {
  test(name, async () => {
    const { header, get } = await developWith(pixels, await make(), format);
    const { colour: _, ...rest } = header;
    assert.deepEqual(rest, { format, ...seen, frames: 1, alpha: false });
    const { data, info } = await decoded(get("whole.png"));
    // sharp's greyscale is CIE L*; to sRGB it comes back as grey of that lightness.
    const wanted = grey ? quarters.map(greyOf) : quarters;
    const found = distance(seenQuarters(data, seen, info.channels), wanted);
    assert(found <= off + (grey ? 2 : 0), `off by ${found}`);
  });
}

/** Grey of the same luminance (Rec. 709, in linear light). */
function greyOf([r = 0, g = 0, b = 0]: readonly number[]): number[] {
  const [lr = 0, lg = 0, lb = 0] = [r, g, b].map((value) => {
    const v = value / 255;
    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  });
  const y = 0.2126 * lr + 0.7152 * lg + 0.0722 * lb;
  const grey = Math.round(255 * (y <= 0.0031308 ? 12.92 * y : 1.055 * y ** (1 / 2.4) - 0.055));
  return [grey, grey, grey];
}

test("transparency: kept where the format has it, on the background where it has not", async () => {
  const preset = presetOf({
    named: { whole: { width: 64, format: ["png", "webp", "avif", "jpeg"], quality: 100 } },
    background: "#3060c0",
  });
  const rgba = Buffer.alloc(64 * 40 * 4);
  for (let i = 0; i < 64 * 40; i++) rgba.set([200, 100, 40, i % 64 < 32 ? 255 : 128], i * 4);
  const source = sharp(rgba, { raw: { width: 64, height: 40, channels: 4 } });
  const half = 128 / 255;
  const mixed = [200, 100, 40].map((value, i) => value * half + ([0x30, 0x60, 0xc0][i] ?? 0) * (1 - half));
  for (const format of ["png", "webp", "avif"] as const) {
    const bytes = await source
      .clone()
      .toFormat(format, { quality: 100, lossless: true, palette: false })
      .toBuffer();
    const { header, get } = await developWith(pixels, bytes, format, preset);
    assert.equal(header.alpha, true);
    for (const output of ["png", "webp", "avif"]) {
      const { data, info } = await decoded(get(`whole.${output}`));
      assert.equal(info.channels, 4, output);
      for (const [x, alpha] of [
        [16, 255],
        [48, 128],
      ] as const) {
        const pixel = [...data.subarray((20 * 64 + x) * 4, (20 * 64 + x) * 4 + 4)];
        assert(distance([pixel], [[200, 100, 40, alpha]]) <= 4, `${format} to ${output}: ${pixel}`);
      }
    }
    const { data, info } = await decoded(get("whole.jpeg"));
    assert.equal(info.channels, 3);
    const at = (x: number) => [...data.subarray((20 * 64 + x) * 3, (20 * 64 + x) * 3 + 3)];
    assert(distance([at(16), at(48)], [[200, 100, 40], mixed]) <= 4);
  }
});

test("alpha that hides nothing is left out", async () => {
  const preset = presetOf({ named: { whole: { width: 64, format: ["png", "webp", "avif"] } } });
  const opaque = await base().ensureAlpha().png().toBuffer();
  const { header, get } = await developWith(pixels, opaque, "png", preset);
  assert.equal(header.alpha, true);
  for (const name of ["whole.png", "whole.webp", "whole.avif"]) {
    assert.equal((await sharp(get(name)).metadata()).hasAlpha, false, name);
  }
});

test("colours do not bleed out of transparent pixels when a picture shrinks", async () => {
  const rgba = Buffer.alloc(64 * 64 * 4);
  // Green that is not to be seen beside red that is.
  for (let i = 0; i < 64 * 64; i++) rgba.set(i % 2 === 0 ? [220, 0, 0, 255] : [0, 220, 0, 0], i * 4);
  const bytes = await sharp(rgba, { raw: { width: 64, height: 64, channels: 4 } })
    .png()
    .toBuffer();
  const preset = presetOf({ named: { small: { width: 16, format: "png" } } });
  const { get } = await developWith(pixels, bytes, "png", preset);
  const { data } = await decoded(get("small.png"));
  const [red, green, , alpha] = data.subarray((8 * 16 + 8) * 4, (8 * 16 + 8) * 4 + 4);
  assert(distance([[red ?? 0, green ?? 0]], [[220, 0]]) <= 1, `${red}, ${green}`);
  assert(alpha !== undefined && alpha > 100 && alpha < 155, `${alpha}`);
});

test("one pixel", async () => {
  for (const format of ["png", "jpeg", "webp", "gif", "avif"] as const) {
    const bytes = await sharp({ create: { width: 1, height: 1, channels: 3, background: "#c83c32" } })
      .toFormat(format)
      .toBuffer();
    const ladder = presetOf({ ladder: { widths: [320, 640], formats: ["avif", "webp", "jpeg"] } });
    const { made, placeholder } = await developWith(pixels, bytes, format, ladder);
    assert.deepEqual([...made.keys()].sort(), ["w1.avif", "w1.jpeg", "w1.webp"]);
    assert.match(placeholder.color, /^#c[0-9a-f]3[0-9a-f]3[0-9a-f]$/, format);
  }
});

test("a loader that is not asked for stays closed", async (t) => {
  const jpegOnly = pixelProcess({ accept: ["jpeg"] });
  t.after(() => jpegOnly.close());
  const jpeg = await base().jpeg().toBuffer();
  const png = await base().png().toBuffer();
  const tiff = await base().tiff().toBuffer();
  const svg = Buffer.from(
    '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>',
  );
  const others = await Promise.all([base().webp().toBuffer(), base().avif().toBuffer()]);
  // Also after a picture, whose variants some loaders are open for.
  assert.equal((await developWith(jpegOnly, jpeg, "jpeg")).header.width, 64);
  for (const bytes of [png, tiff, svg, ...others]) {
    await assert.rejects(developWith(jpegOnly, bytes, "jpeg"), { code: /^(corrupt|truncated)$/ });
  }
  await assert.rejects(developWith(jpegOnly, png, "png"), { code: "unsupported-format" });
  assert.equal((await developWith(jpegOnly, jpeg, "jpeg")).header.width, 64);
});

test("a JPEG whose sides are no multiples of eight loses nothing at its edge when it becomes small", async () => {
  const size = { width: 64, height: 8 * 25 + 7 };
  // Brighter from row to row, by a level each.
  const ramp = Buffer.from(
    Array.from({ length: size.width * size.height }, (_, at) => Math.floor(at / size.width)),
  );
  const file = await sharp(ramp, { raw: { ...size, channels: 1 } })
    .jpeg({ quality: 100 })
    .toBuffer();
  const preset = presetOf({ named: { small: { width: 8, format: "png" } } });
  const { get } = await developWith(pixels, file, "jpeg", preset);
  const { data, info } = await sharp(get("small.png")).raw().toBuffer({ resolveWithObject: true });
  const step = size.height / info.height;
  for (let y = 0; y < info.height; y++) {
    const wanted = (y + 0.5) * step - 0.5;
    const off = Math.abs((data[y * info.width * info.channels] ?? 0) - wanted);
    assert.ok(off < step / 4, `row ${y} of ${info.height} is off by ${off}`);
  }
});
