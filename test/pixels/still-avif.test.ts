/** AVIF that libvips does not read as browsers do: sequences, and alpha that is not turned with its picture. */
import assert from "node:assert/strict";
import test, { after } from "node:test";
import sharp from "sharp";
import { pixelProcess } from "../../pixels/process.ts";
import { av1Of, avifOf, box, full, nclx, u16, u32 } from "./avif-of.ts";
import { developWith } from "./develop-with.ts";
import { distance, picture, quarters, seenQuarters } from "./quarters.ts";

const pixels = pixelProcess();
after(() => pixels.close());
const size = { width: 64, height: 48 };
const encoded = async (pixels: Buffer, channels: 1 | 3) =>
  av1Of(
    await sharp(pixels, { raw: { ...size, channels } })
      .avif({ quality: 90, chromaSubsampling: "4:4:4" })
      .toBuffer(),
  );
const colours = await encoded(picture(size, quarters), 3);
const shown = async (file: Buffer) => {
  const { get, header } = await developWith(pixels, file, "avif");
  const { data, info } = await sharp(get("whole.png")).raw().toBuffer({ resolveWithObject: true });
  return { data, info, header };
};

/** A sequence as the standard has it (ISO/IEC 14496-12, 8): one track of pictures, and no item. */
function sequenceOf({ data, av1C }: typeof colours): Buffer {
  const entry = box(
    "av01",
    Buffer.alloc(24),
    u16(size.width, size.height),
    Buffer.alloc(50),
    av1C,
    nclx(1, 13),
  );
  const moov = (start: number) => {
    const table = box(
      "stbl",
      full("stsd", 0, u32(1), entry),
      full("stsz", 0, u32(0, 1, data.length)),
      full("stco", 0, u32(1, start)),
    );
    const handler = full("hdlr", 0, u32(0), "pict", Buffer.alloc(13));
    return box("moov", box("trak", box("mdia", handler, box("minf", table))));
  };
  const ftyp = box("ftyp", "avis", u32(0), "avismsf1");
  return Buffer.concat([ftyp, moov(ftyp.length + moov(0).length + 8), box("mdat", data)]);
}

test("a sequence without an item is its track's first picture", async () => {
  const { data, info, header } = await shown(sequenceOf(colours));
  assert.deepEqual([header.width, header.height], [size.width, size.height]);
  assert.ok(distance(seenQuarters(data, size, info.channels), quarters) <= 8);
});

test("a damaged sequence is refused, wherever the damage is", async () => {
  const file = sequenceOf(colours);
  for (const at of [20, 100, 200, 300, file.length - 20]) {
    await assert.rejects(shown(file.subarray(0, at)), { name: "DarkroomError" });
    const wrong = Buffer.from(file).fill(0xff, at, at + 4);
    await shown(wrong).catch((error: Error) => assert.equal(error.name, "DarkroomError"));
  }
});

test("alpha is turned as its picture is, whatever it says itself", async () => {
  // Transparent below: after a quarter anti-clockwise, right.
  const half = Buffer.alloc(size.width * size.height, 255).fill(0, (size.width * size.height) / 2);
  const irot = (quarters: number) => box("irot", Buffer.from([quarters]));
  const { data, info } = await shown(avifOf(colours, [irot(1)], await encoded(half, 1)));
  assert.deepEqual([info.width, info.height, info.channels], [size.height, size.width, 4]);
  for (const y of [8, 32, 56]) {
    const alpha = [8, 40].map((x) => data[4 * (y * info.width + x) + 3] ?? 0);
    assert.ok((alpha[0] ?? 0) > 245 && (alpha[1] ?? 255) < 10, `${alpha} in row ${y}`);
  }
});
