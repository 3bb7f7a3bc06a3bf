/** Whether pixels are missing is seen in a file's structure: by files of sharp's, cut and damaged anywhere. */
import assert from "node:assert/strict";
import test from "node:test";
import { deflateSync } from "node:zlib";
import fc from "fast-check";
import sharp, { type Sharp } from "sharp";
import { checks } from "../../core/checks.ts";
import { type FormatName, formatNames } from "../../core/formats.ts";
import { planOf } from "../../core/plan.ts";
import { openSource } from "../../pixels/decoders/open.ts";
import { readApng } from "../../pixels/look/apng.ts";
import { boxesEndEarly } from "../../pixels/look/boxes.ts";
import { walkJpeg } from "../../pixels/look/jpeg.ts";
import { lookAgain, Refused, type Whole } from "../../pixels/look/look.ts";
import { chunkOf, SIGNATURE } from "../../pixels/png.ts";
import { tries } from "../thorough.ts";

const WIDTH = 61;
const HEIGHT = 43;
/** Texture everywhere, so that every block has codes of its own. */
const pixels = Buffer.from(
  Array.from(
    { length: WIDTH * HEIGHT * 3 },
    (_, i) => (i * i * 31 + (i % 7) * 29 + ((i / 183) | 0) * 11) & 255,
  ),
);
const picture = () => sharp(pixels, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } });

const jpegs = await Promise.all(
  [
    (image: Sharp) => image.jpeg({ quality: 90 }),
    (image: Sharp) => image.jpeg({ quality: 60, chromaSubsampling: "4:4:4", optimiseCoding: false }),
    (image: Sharp) => image.greyscale().jpeg({ quality: 80 }),
    (image: Sharp) => image.toColourspace("cmyk").jpeg({ quality: 80 }),
    (image: Sharp) => image.jpeg({ progressive: true }),
    (image: Sharp) => image.jpeg({ quality: 95, progressive: true, chromaSubsampling: "4:4:4" }),
    (image: Sharp) => image.jpeg({ mozjpeg: true }),
    (image: Sharp) => image.greyscale().jpeg({ progressive: true, optimiseScans: true }),
  ].map((encode) => encode(picture()).toBuffer()),
);
const anyJpeg = fc.integer({ min: 0, max: jpegs.length - 1 });
const isSequential = (which: number) => which < 4;
const jpegOf = (which: number): Buffer => jpegs[which] ?? Buffer.alloc(0);
/** Where the first scan's data begin. */
const dataOf = (bytes: Buffer) => {
  const scan = bytes.indexOf("ffda", 0, "hex");
  return scan + 2 + bytes.readUInt16BE(scan + 2);
};

const found = async (format: FormatName, bytes: Uint8Array): Promise<Whole | string> => {
  try {
    return await lookAgain(format, bytes, undefined);
  } catch (error) {
    assert(error instanceof Refused);
    return checks[error.finding.check].code;
  }
};

test("a whole JPEG is walked to its end, whatever follows", () => {
  for (const bytes of jpegs) {
    assert.equal(walkJpeg(bytes), "whole");
    assert.equal(walkJpeg(Buffer.concat([bytes, Buffer.from("more")])), "whole");
    assert.equal(walkJpeg(bytes.subarray(0, -2)), "whole", "without its end marker alone");
  }
});

test("a JPEG that is cut anywhere lacks something, also with an end marker behind the cut", () => {
  fc.assert(
    fc.property(anyJpeg, fc.nat(), (which, where) => {
      const bytes = jpegOf(which);
      const cut = bytes.subarray(0, 2 + (where % (bytes.length - 4)));
      const result = walkJpeg(cut);
      assert(typeof result === "object", `${which}, ${cut.length} of ${bytes.length}: ${result}`);
      assert(["ends-early", "scans-missing", "no-picture"].includes(result.check), result.check);
      assert(result.at <= cut.length);
      // A progressive one may end between two scans, if it says so.
      if (!isSequential(which) || cut.length < dataOf(bytes)) return;
      const ended = walkJpeg(Buffer.concat([cut, Buffer.from([0xff, 0xd9])]));
      assert(typeof ended === "object" && ended.check === "blocks-missing", JSON.stringify(ended));
    }),
    { numRuns: tries(150, 400) },
  );
});

test("a JPEG of one strip that ends early is refused, though libvips says nothing", async () => {
  const wide = { width: 3000, height: 8, channels: 3 as const };
  const noise = Buffer.from(
    Array.from({ length: wide.width * wide.height * 3 }, (_, i) => (i * i * 31 + i * 7) % 251),
  );
  const bytes = await sharp(noise, { raw: wide })
    .jpeg({ quality: 95, chromaSubsampling: "4:4:4" })
    .toBuffer();
  assert(bytes.length > 20_000, "not walked for its size");
  const cut = Buffer.concat([bytes.subarray(0, -3000), Buffer.from([0xff, 0xd9])]);
  await sharp(cut, { failOn: "warning" }).stats();
  const size = { width: wide.width, height: wide.height };
  const read = async (file: Buffer) => {
    const { header, decode } = await openSource(file, "jpeg");
    return decode({ ...planOf(header, []), base: size });
  };
  await assert.rejects(read(cut), { message: "blocks-missing" });
  assert.equal((await read(bytes)).width, wide.width);
});

test("what libjpeg says is missing, the walk finds, wherever bytes were damaged; it never throws", async () => {
  await fc.assert(
    fc.asyncProperty(anyJpeg, fc.nat(), fc.integer({ min: 1, max: 255 }), async (which, where, flip) => {
      const bytes = Buffer.from(jpegOf(which));
      const data = dataOf(bytes);
      const at = data + (where % (bytes.length - data - 2));
      bytes.writeUInt8(bytes.readUInt8(at) ^ flip, at);
      const result = walkJpeg(bytes);
      const said = await sharp(bytes, { failOn: "warning" })
        .stats()
        .then(
          () => "",
          (error: Error) => error.message,
        );
      if (/premature end of data|bad Huffman code/.test(said)) assert.notEqual(result, "whole", said);
    }),
    { numRuns: tries(80, 500) },
  );
});

test("noise is no whole picture of any format, and a look at it ends", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...formatNames),
      fc.uint8Array({ maxLength: 300 }),
      async (format, bytes) => {
        assert(["corrupt", "truncated"].includes(String(await found(format, bytes))));
      },
    ),
    { numRuns: tries(200, 1000) },
  );
});

test("damaged structure never throws", () => {
  fc.assert(
    fc.property(
      anyJpeg,
      fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 8 }),
      (which, changes) => {
        const bytes = Buffer.from(jpegOf(which));
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        walkJpeg(bytes);
      },
    ),
    { numRuns: tries(200, 2000) },
  );
});

for (const [what, make] of Object.entries({
  plain: () => picture().png(),
  palette: () => picture().png({ palette: true }),
  interlaced: () => picture().png({ progressive: true }),
  "grey, 16 bits": () => picture().greyscale().toColourspace("grey16").png(),
  "with alpha": () => picture().ensureAlpha(0.5).png(),
})) {
  test(`a PNG is read to its last row, whatever its checksums say, or refused: ${what}`, async () => {
    const whole = await make().toBuffer();
    const shown = await sharp(whole).raw().toBuffer();
    const sum = whole.indexOf("IEND") - 8;
    const wrong = Buffer.from(whole);
    for (const at of [sum - 4, sum]) wrong.writeUInt32BE(0x12345678, at);
    for (const bytes of [wrong, whole.subarray(0, sum), whole.subarray(0, sum - 4)]) {
      const mended = await found("png", bytes);
      assert(typeof mended === "object", String(mended));
      assert.deepEqual(await sharp(mended.bytes, { failOn: "warning" }).raw().toBuffer(), shown);
    }
    const data = whole.indexOf("IDAT") + 4;
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: sum - 8 }), async (length) => {
        const mended = await found("png", whole.subarray(0, length));
        // The last bits of the compressed rows say no more than that they are over.
        if (typeof mended === "object" && length > data) {
          assert.deepEqual(await sharp(mended.bytes, { failOn: "warning" }).raw().toBuffer(), shown);
          assert(length > sum - 24, `${length} of ${whole.length}`);
        } else assert.equal(mended, "truncated");
      }),
      { numRuns: tries(25, 100) },
    );
    const lacking = Buffer.concat([
      whole.subarray(0, data - 8),
      Buffer.from("0000000049444154", "hex"),
      whole.subarray(sum),
    ]);
    assert.equal(await found("png", lacking), "corrupt");
  });
}

test("WebP and AVIF that end early say so, wherever they were cut", async () => {
  const files = { webp: await picture().webp().toBuffer(), avif: await picture().avif().toBuffer() };
  for (const [format, bytes] of Object.entries(files)) {
    const name = formatNames.find((name) => name === format);
    assert(name);
    assert.equal(await found(name, bytes), "corrupt", "nothing but the decoder could say more");
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: bytes.length - 1 }), async (length) => {
        // Where a cut falls between two boxes, nothing shows.
        const isBetween = name === "avif" && boxesEndEarly(bytes.subarray(0, length)) === undefined;
        assert.equal(await found(name, bytes.subarray(0, length)), isBetween ? "corrupt" : "truncated");
      }),
    );
  }
});

test("an animation that is announced behind the picture, or with a count that is none, is no animation", () => {
  const chunk = (type: string, ...numbers: number[]) => {
    const data = Buffer.alloc(4 * numbers.length);
    for (const [i, value] of numbers.entries()) data.writeUInt32BE(value, 4 * i);
    return chunkOf(type, data);
  };
  const header = chunkOf("IHDR", Buffer.from([0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]));
  const picture = chunkOf("IDAT", deflateSync(Buffer.from([0, 0])));
  const control = chunkOf("fcTL", Buffer.from([...Buffer.alloc(7), 1, 0, 0, 0, 1, ...Buffer.alloc(14)]));
  const frame = chunkOf("fdAT", Buffer.concat([Buffer.from([0, 0, 0, 1]), deflateSync(Buffer.from([0, 9]))]));
  const end = chunkOf("IEND", Buffer.alloc(0));
  const framesOf = (...parts: Buffer[]) =>
    readApng(Buffer.concat([SIGNATURE, header, ...parts, control, frame, end]))?.frames.length;
  assert.equal(framesOf(chunk("acTL", 1, 0), picture), 1);
  assert.equal(framesOf(picture, chunk("acTL", 1, 0)), undefined);
  assert.equal(framesOf(chunk("acTL", 0, 0), picture), undefined);
  assert.equal(framesOf(chunk("acTL", 0x80000001, 0), picture), undefined);
});

test("a webcam's frame, whose tables go without saying, is walked like any other", async () => {
  const file = await picture().jpeg({ quality: 80, optimiseCoding: false }).toBuffer();
  const parts: Buffer[] = [file.subarray(0, 2)];
  let at = 2;
  for (; file[at + 1] !== 0xda; at += 2 + file.readUInt16BE(at + 2))
    if (file[at + 1] !== 0xc4) parts.push(file.subarray(at, at + 2 + file.readUInt16BE(at + 2)));
  const frame = Buffer.concat([...parts, file.subarray(at)]);
  assert.ok(frame.length < file.length - 400);
  assert.equal(walkJpeg(frame), "whole");
  assert.equal(typeof walkJpeg(frame.subarray(0, -200)), "object");
});

test("the smallest JPEGs, whose only block has a colour and no end, are whole", async () => {
  const file = await sharp(Buffer.from([128]), { raw: { width: 1, height: 1, channels: 1 } })
    .toColourspace("b-w")
    .jpeg({ optimiseCoding: false })
    .toBuffer();
  const start = file.indexOf(Buffer.from([0xff, 0xda])) + 10;
  const withData = (...data: number[]) => Buffer.concat([file.subarray(0, start), Buffer.from(data)]);
  // A difference of four bits, then a coefficient whose code does not end.
  assert.equal(walkJpeg(withData(0x7b, 0x40, 0x1b, 0xff, 0xd9)), "whole");
  assert.equal(typeof walkJpeg(withData(0x7b, 0x40, 0x1b)), "object");
  assert.equal(typeof walkJpeg(withData(0xff, 0xd9)), "object");
});
