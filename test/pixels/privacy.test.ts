/** What a file says about people stays in the file; only the date comes out. */
import assert from "node:assert/strict";
import test, { after } from "node:test";
import fc from "fast-check";
import sharp from "sharp";
import { takenAtOf } from "../../pixels/exif.ts";
import { pixelProcess } from "../../pixels/process.ts";
import { checkVariants } from "../corpus/outcome.ts";
import { developWith, presetOf } from "./develop-with.ts";

const pixels = pixelProcess();
after(() => pixels.close());

const SECRETS = [
  "SERIAL-4711",
  "Jane Photographer",
  "48/1 51/1 30/1",
  "xmp-secret",
  "iptc-secret",
  "a comment of hers",
];
const preset = presetOf({
  ladder: { widths: [30, 60], formats: ["avif", "webp", "jpeg", "png"] },
  named: { thumb: { width: 20, height: 20, fit: "cover", format: ["avif", "webp", "jpeg", "png"] } },
});

const photo = () =>
  sharp({ create: { width: 60, height: 40, channels: 3, background: "#a05030" } })
    .withExif({
      IFD0: { Artist: "Jane Photographer", Make: "Camera" },
      IFD2: { DateTimeOriginal: "2026:05:01 10:00:00", BodySerialNumber: "SERIAL-4711" },
      IFD3: { GPSLatitudeRef: "N", GPSLatitude: "48/1 51/1 30/1" },
    })
    .withXmp(
      '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description>xmp-secret</rdf:Description></rdf:RDF></x:xmpmeta>',
    );

/** A comment segment right after the start of a JPEG. */
function withComment(jpeg: Buffer, comment: string): Buffer {
  const segment = Buffer.from(`\xff\xfe\0\0${comment}`, "latin1");
  segment.writeUInt16BE(segment.length - 2, 2);
  return Buffer.concat([jpeg.subarray(0, 2), segment, jpeg.subarray(2)]);
}

for (const format of ["jpeg", "png", "webp", "avif"] as const) {
  test(`${format}: nothing but pixels in any variant, the date in the header`, async () => {
    const plain = await photo().withIccProfile("p3").toFormat(format).toBuffer();
    const bytes = format === "jpeg" ? withComment(plain, "a comment of hers, iptc-secret") : plain;
    const source = await sharp(bytes).metadata();
    assert(source.exif?.includes("SERIAL-4711") && source.xmp?.includes("xmp-secret") && source.icc);
    const { header, placeholder, variants: made } = await developWith(pixels, bytes, format, preset);
    assert.equal(header.takenAt, "2026-05-01T10:00:00");
    assert.equal(made.length, 12);
    await checkVariants(made);
    for (const { variant, bytes } of made) {
      for (const secret of SECRETS) {
        assert(!Buffer.from(bytes).includes(secret), `${variant.name}.${variant.format} says ${secret}`);
      }
    }
    // Whose it is is for the preset to keep.
    assert.deepEqual(header.rights, { creator: "Jane Photographer" });
    const rest = { ...header, rights: undefined };
    for (const secret of SECRETS) assert(!JSON.stringify({ rest, placeholder }).includes(secret));
  });
}

/** EXIF with this DateTimeOriginal and nothing else. */
function exifWith(date: string): Buffer {
  const text = Buffer.from(`${date}\0`, "latin1");
  const bytes = Buffer.alloc(8 + 18 + 18 + text.length);
  bytes.write("II*\0", 0, "latin1");
  bytes.writeUInt32LE(8, 4);
  bytes.writeUInt16LE(1, 8);
  bytes.writeUInt16LE(0x8769, 10);
  bytes.writeUInt16LE(4, 12);
  bytes.writeUInt32LE(1, 14);
  bytes.writeUInt32LE(26, 18);
  bytes.writeUInt16LE(1, 26);
  bytes.writeUInt16LE(0x9003, 28);
  bytes.writeUInt16LE(2, 30);
  bytes.writeUInt32LE(text.length, 32);
  bytes.writeUInt32LE(44, 36);
  text.copy(bytes, 44);
  return bytes;
}

test("takenAt: the camera's clock, where it can be believed", () => {
  const now = Date.UTC(2026, 10, 20);
  const read = (date: string) => takenAtOf(exifWith(date), now);
  assert.equal(read("2026:05:01 10:00:00"), "2026-05-01T10:00:00");
  assert.equal(
    takenAtOf(Buffer.concat([Buffer.from("Exif\0\0"), exifWith("1999:12:31 23:59:59")]), now),
    "1999-12-31T23:59:59",
  );
  assert.equal(read("2024:02:29 00:00:00"), "2024-02-29T00:00:00");
  assert.equal(read("2026:11:20 13:59:00"), "2026-11-20T13:59:00", "further east it is later");
  for (const date of [
    "0000:00:00 00:00:00",
    "2026:02:29 10:00:00",
    "2026:13:01 10:00:00",
    "2026:05:01 24:00:00",
    "2026:05:01 10:60:00",
    "2027:01:01 00:00:00",
    "1800:01:01 00:00:00",
    "    :  :     :  :  ",
    "",
  ]) {
    assert.equal(read(date), undefined, date);
  }
  assert.equal(takenAtOf(undefined), undefined);
  // As some phones and programs write it.
  for (const text of [
    "2024-05-01 10:20:30",
    "2024-05-01T10:20:30",
    "2024/05/01 10:20:30",
    "2024-05-01T10:20:30Z",
  ])
    assert.equal(read(text), "2024-05-01T10:20:30", text);
});

test("takenAt never throws and never invents", () => {
  const good = exifWith("2026:05:01 10:00:00");
  const edits = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 6 });
  const plausible = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/;
  fc.assert(
    fc.property(edits, fc.nat(good.length), (edits, length) => {
      const bytes = Buffer.from(good.subarray(0, length));
      for (const [at, value] of edits) if (at < bytes.length) bytes[at] = value;
      const found = takenAtOf(bytes);
      assert(found === undefined || plausible.test(found));
    }),
    { numRuns: 2000 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => assert.equal(takenAtOf(bytes), undefined)),
  );
});
