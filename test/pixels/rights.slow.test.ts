/** Whose a picture is: read wherever a file says it, kept where a preset says so, and nothing else with it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test, { after } from "node:test";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import sharp from "sharp";
import type { FormatName } from "../../core/formats.ts";
import { variantsOf } from "../../core/plan.ts";
import type { MadeVariant } from "../../core/ports.ts";
import { cleanRight, isRight, type Rights, rightNames, SOURCE_TYPES } from "../../core/rights.ts";
import { openSource } from "../../pixels/decoders/open.ts";
import { rightsInExif } from "../../pixels/exif.ts";
import { pixelProcess } from "../../pixels/process.ts";
import { hasC2pa } from "../../pixels/rights/c2pa.ts";
import { rightsInIptc } from "../../pixels/rights/iptc.ts";
import { rightsOf } from "../../pixels/rights/rights.ts";
import { packetIn, rightsInXmp } from "../../pixels/rights/xmp.ts";
import { checkVariants } from "../corpus/outcome.ts";
import { tries } from "../thorough.ts";
import { box } from "./avif-of.ts";
import { developWith, presetOf } from "./develop-with.ts";

const pixels = pixelProcess();
after(() => pixels.close());

const all: Rights = {
  creator: `Zoë "Z" <O'Neil> & Söhne`,
  credit: "Agency / 通信社",
  copyright: "© 2026 Zoë, all rights reserved",
  digitalSourceType: `${SOURCE_TYPES}compositeWithTrainedAlgorithmicMedia`,
};
const SECRETS = ["SERIAL-4711", "48/1 51/1 30/1", "Camera of hers", "a place she lives at"];
/** As a program writes them: with much that is nobody's business around. */
const busy = (rights: Rights) =>
  packetIn(rights).replace(
    'rdf:about=""',
    'rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:CreatorTool="a place she lives at"',
  );
const plain = () => sharp({ create: { width: 60, height: 40, channels: 3, background: "#a05030" } });
const photo = (rights: Rights) =>
  plain()
    .withExif({
      IFD0: { Artist: "of EXIF", Make: "Camera of hers" },
      IFD2: { BodySerialNumber: "SERIAL-4711" },
      IFD3: { GPSLatitude: "48/1 51/1 30/1" },
    })
    .withXmp(busy(rights));

const preset = presetOf({
  ladder: { widths: [30, 60], formats: ["avif", "webp", "jpeg", "png"] },
  keep: ["copyright", "creator", "credit", "digitalSourceType"],
});

/** Each variant of a file by a preset, its header, and that no variant says anything that it should not. */
async function developed(bytes: Uint8Array, format: FormatName, by = preset) {
  const { header, variants: made } = await developWith(pixels, bytes, format, by);
  for (const { variant, bytes } of made)
    for (const secret of SECRETS)
      assert(!Buffer.from(bytes).includes(secret), `${variant.name}.${variant.format} says ${secret}`);
  return { header, made };
}
/** Of a JPEG with a gain map libvips's other loader, which the pixel process never opens, tells no XMP. */
async function said({ variant, bytes }: MadeVariant): Promise<Rights | undefined> {
  if (!variant.gainMap) return rightsOf(await sharp(bytes).metadata());
  const file = Buffer.from(bytes);
  const end = "</x:xmpmeta>";
  return rightsOf({ xmp: file.subarray(file.indexOf("<x:xmpmeta"), file.indexOf(end) + end.length) });
}

for (const format of ["jpeg", "png", "webp", "avif"] as const) {
  test(`${format}: what the preset keeps is in every variant, and nothing else`, async () => {
    const bytes = await photo(all).toFormat(format).toBuffer();
    const { header, made } = await developed(bytes, format);
    assert.deepEqual(header.rights, all);
    assert.equal(made.length, 8);
    await checkVariants(made);
    for (const one of made) assert.deepEqual(await said(one), all, one.variant.format);
    const some = await developed(bytes, format, { ...preset, keep: ["credit"] });
    for (const one of some.made) assert.deepEqual(await said(one), { credit: all.credit });
    const none = await developed(bytes, format, { ...preset, keep: [] });
    await checkVariants(none.made);
    for (const { variant } of none.made) assert.equal(variant.rights, undefined);
  });
}

test("variants with a profile, with a gain map and of an animation say it as well, once", async () => {
  const wide = await plain().withIccProfile("p3").withXmp(busy(all)).jpeg().toBuffer();
  const p3 = await developed(wide, "jpeg", { ...preset, colour: "p3" });
  const bright = readFileSync("test/images/valid/ultra-hdr.jpg");
  // Its own XMP says how the map is meant.
  const withRights = withSegment(bright, 0xed, iptcSaying([80, "Zoë"]));
  const hdr = await developed(withRights, "jpeg", { ...preset, hdr: true });
  const frames = await sharp(
    [0, 1].map((red) => ({
      create: { width: 60, height: 40, channels: 3 as const, background: { r: 200 * red, g: 0, b: 0 } },
    })) as never,
    { join: { animated: true } },
  )
    .withXmp(busy(all))
    .webp()
    .toBuffer();
  const animation = await developed(frames, "webp");
  assert.ok(animation.made.some(({ variant }) => variant.frames === 2));
  assert.ok(p3.made.every(({ variant }) => variant.colour === "p3"));
  assert.ok(hdr.made.some(({ variant }) => variant.gainMap));
  for (const [{ made }, rights] of [
    [p3, all],
    [hdr, { creator: "Zoë" }],
    [animation, all],
  ] as const)
    for (const one of made) {
      const what = `${one.variant.name}.${one.variant.format}`;
      assert.deepEqual(await said(one), rights, what);
      const packets = Buffer.from(one.bytes)
        .toString("latin1")
        .split("http://purl.org/dc/elements/1.1/").length;
      assert.ok(packets <= 2, `${what} has ${packets - 1} packets`);
      await sharp(one.bytes, { animated: true, failOn: "warning" }).stats();
    }
  for (const { variant, bytes } of hdr.made)
    if (variant.gainMap) assert.ok((await sharp(bytes).metadata()).gainMap, "the map is still found");
});

/** A segment right after the start of a JPEG. */
function withSegment(jpeg: Buffer, marker: number, data: Buffer): Buffer {
  const head = Buffer.from([0xff, marker, 0, 0]);
  head.writeUInt16BE(data.length + 2, 2);
  return Buffer.concat([jpeg.subarray(0, 2), head, data, jpeg.subarray(2)]);
}

/** A TIFF structure with one text, longer than four bytes. */
function exifSaying(tag: number, text: string | Buffer): Buffer {
  const bytes = Buffer.concat([Buffer.from(text), Buffer.alloc(1)]);
  const head = Buffer.alloc(26);
  head.write("MM\0*", "latin1");
  head.writeUInt32BE(8, 4);
  head.writeUInt16BE(1, 8);
  head.writeUInt16BE(tag, 10);
  head.writeUInt16BE(2, 12);
  head.writeUInt32BE(bytes.length, 14);
  head.writeUInt32BE(26, 18);
  return Buffer.concat([head, bytes]);
}

/** APP13 as Photoshop writes it: something else, then the record with a character set and these datasets. */
function iptcSaying(...datasets: (readonly [dataset: number, text: Buffer | string])[]): Buffer {
  const set = (record: number, dataset: number, data: Buffer) => {
    const head = Buffer.from([0x1c, record, dataset, 0, 0]);
    head.writeUInt16BE(data.length, 3);
    return Buffer.concat([head, data]);
  };
  const resource = (number: number, name: string, data: Buffer) => {
    const head = Buffer.from("8BIM\0\0", "latin1");
    head.writeUInt16BE(number, 4);
    const pascal = Buffer.concat([
      Buffer.from([name.length]),
      Buffer.from(name),
      Buffer.alloc((name.length + 1) % 2),
    ]);
    const size = Buffer.alloc(4);
    size.writeUInt32BE(data.length);
    return Buffer.concat([head, pascal, size, data, Buffer.alloc(data.length % 2)]);
  };
  const record = Buffer.concat([
    set(1, 90, Buffer.from("\x1b%G")),
    ...datasets.map(([dataset, text]) => set(2, dataset, Buffer.from(text))),
  ]);
  return Buffer.concat([
    Buffer.from("Photoshop 3.0\0"),
    resource(0x03ed, "odd", Buffer.alloc(3)),
    resource(IPTC, "", record),
  ]);
}
const IPTC = 0x0404;

test("IPTC, EXIF and XMP: XMP counts before IPTC, IPTC before EXIF, each text by itself", async () => {
  const iptc = iptcSaying([5, "a title"], [80, "Ann"], [80, "Bo"], [116, "© IPTC"]);
  assert.deepEqual(rightsInIptc(iptc), { creator: "Ann, Bo", copyright: "© IPTC" });
  assert.deepEqual(rightsInIptc(iptcSaying([110, Buffer.from("Zo\xeb", "latin1")])), { credit: "Zoë" });
  assert.deepEqual(rightsInExif(exifSaying(0x8298, " \0The editor")), { copyright: "The editor" });
  const xmp = Buffer.from(busy({ credit: "Agency" }));
  const exif = exifSaying(0x013b, "of EXIF");
  assert.deepEqual(rightsOf({ xmp, iptc, exif }), {
    creator: "Ann, Bo",
    credit: "Agency",
    copyright: "© IPTC",
  });
  assert.deepEqual(rightsOf({ exif }), { creator: "of EXIF" });
  assert.equal(rightsOf({}), undefined);
  // In a file, the way it goes through the decoder.
  const jpeg = withSegment(await plain().jpeg().toBuffer(), 0xed, iptc);
  assert.deepEqual((await openSource(jpeg, "jpeg")).header.rights, {
    creator: "Ann, Bo",
    copyright: "© IPTC",
  });
  const gif = await plain().gif().toBuffer();
  const trailer = Buffer.from([1, ...Array.from({ length: 256 }, (_, at) => 255 - at), 0]);
  const block = Buffer.concat([
    Buffer.from("\x21\xff\x0bXMP DataXMP", "latin1"),
    Buffer.from(busy(all)),
    trailer,
  ]);
  const saying = Buffer.concat([gif.subarray(0, -1), block, gif.subarray(-1)]);
  assert.deepEqual((await openSource(saying, "gif")).header.rights, all);
});

const RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"';
const rdf = (inside: string, before = "") =>
  Buffer.from(`${before}<r:RDF ${RDF.replace("xmlns:rdf", "xmlns:r")}>${inside}</r:RDF>`);
const DC = 'xmlns:d="http://purl.org/dc/elements/1.1/"';

test("XMP of other programs: other prefixes, languages, several names, comments, CDATA, a resource", () => {
  const read = (inside: string, before?: string) => rightsInXmp(rdf(inside, before));
  const list = (items: string) =>
    `<r:Description ${DC}><d:creator><r:Seq>${items}</r:Seq></d:creator></r:Description>`;
  assert.deepEqual(read(list("<r:li>Ann</r:li><r:li> Bo </r:li>")), { creator: "Ann, Bo" });
  assert.deepEqual(read(list("<r:li><!-- <x> -->A<![CDATA[<&>]]>&#x42;&#67;&amp;</r:li>")), {
    creator: "A<&>BC&",
  });
  assert.deepEqual(read(`<r:Description ${DC}><d:creator>Plain</d:creator></r:Description>`), {
    creator: "Plain",
  });
  const alt = `<r:Alt><r:li xml:lang='de'>Deutsch</r:li><r:li xml:lang='x-default'>English</r:li></r:Alt>`;
  assert.deepEqual(read(`<r:Description ${DC}><d:rights>${alt}</d:rights></r:Description>`), {
    copyright: "English",
  });
  const ext = 'xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"';
  const resource = `<r:Description ${ext}><e:DigitalSourceType r:resource="${SOURCE_TYPES}algorithmicMedia"/></r:Description>`;
  assert.deepEqual(read(resource), { digitalSourceType: `${SOURCE_TYPES}algorithmicMedia` });
  // Two of them, the second with its own prefix.
  const two = `<r:Description/>${list("<r:li>Ann</r:li>")}<r:Description xmlns:p="http://ns.adobe.com/photoshop/1.0/" p:Credit="C"/>`;
  assert.deepEqual(read(two, '<?xpacket begin="\ufeff"?>'), { creator: "Ann", credit: "C" });
  // The rights of a picture that it was made from are not its own, nor is what only looks like it.
  const inner = `<r:Description><i:Ingredients xmlns:i="x"><r:Bag><r:li>${list("<r:li>Other</r:li>")}</r:li></r:Bag></i:Ingredients></r:Description>`;
  assert.deepEqual(read(inner), {});
  assert.deepEqual(read(`<r:Description xmlns:d="another"><d:creator>No</d:creator></r:Description>`), {});
});

test("XMP that is hostile costs little and says nothing", () => {
  const began = process.cpuUsage();
  const bomb = `<!DOCTYPE x [<!ENTITY a "${"ha".repeat(50)}"><!ENTITY b "&a;&a;&a;&a;">]>`;
  const entity = `<r:Description ${DC}><d:creator>&b;</d:creator></r:Description>`;
  assert.deepEqual(rightsInXmp(rdf(entity, bomb)), {}, "no document type is read");
  assert.deepEqual(rightsInXmp(rdf(entity)), { creator: "&b;" }, "and no entity of its own");
  const nested = "<r:Description>".repeat(60_000);
  assert.deepEqual(rightsInXmp(rdf(nested)), {});
  const prefixes = Array.from({ length: 20_000 }, (_, at) => `xmlns:p${at}="x"`).join(" ");
  assert.deepEqual(rightsInXmp(rdf(`<r:Description ${prefixes}>${'<a xmlns:q="x"/>'.repeat(20_000)}`)), {});
  for (const begun of ["<a ", "<a b=", "<a b='", "<!--", "<?", "<![CDATA[", "<a  x  =  ", "&", "<a b='c' "])
    assert.deepEqual(rightsInXmp(Buffer.from(begun.repeat(100_000 / begun.length))), {}, begun);
  assert.deepEqual(rightsInXmp(Buffer.concat([rdf(""), Buffer.alloc(1_000_000, 32)])), {}, "too large");
  const long = rdf(`<r:Description ${DC}><d:creator>${"x".repeat(500_000)}</d:creator></r:Description>`);
  assert.equal(rightsOf({ xmp: long })?.creator?.length, 500);
  const broken = rdf(`<r:Description ${DC}><d:creator>A\0\u202eB\nC</d:creator></r:Description>`);
  broken[broken.indexOf("A")] = 0xff;
  assert.deepEqual(rightsOf({ xmp: broken }), { creator: "\ufffd B C" });
  const { user, system } = process.cpuUsage(began);
  assert.ok(user + system < 4_000_000, `${(user + system) / 1e6} s of CPU`);
});

test("whatever the bytes are, nothing throws, and what is said is bounded, one line, and reads back as written", () => {
  const one = (name: string) =>
    fc.string({ unit: "binary", maxLength: 700 }).map((text) => [name, text] as const);
  const texts = fc.tuple(...rightNames.map(one));
  fc.assert(
    fc.property(texts, (texts) => {
      const clean = rightNames.flatMap((name, at) => {
        const text = cleanRight(name, texts[at]?.[1] ?? "");
        return text === undefined ? [] : [[name, text] as const];
      });
      for (const [name, text] of clean) {
        assert.ok(isRight(name, text) && [...text].length <= 500);
        assert.doesNotMatch(text, /[\p{Cc}\p{Bidi_Control}]/u);
      }
      const rights: Rights = Object.fromEntries(clean);
      assert.deepEqual(rightsOf({ xmp: Buffer.from(packetIn(rights)) }) ?? {}, rights);
    }),
    { numRuns: tries(20, 60) },
  );
  // What is taken out may have kept apart what composes then.
  for (const text of ["e\u200e\u0301", "\u0627\u061c\u0654"])
    assert.ok(isRight("creator", cleanRight("creator", text) ?? ""), JSON.stringify(text));
  const good = Buffer.concat([Buffer.from(busy(all)), iptcSaying([80, "Ann"]), exifSaying(0x013b, "Ann")]);
  const edits = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 8 });
  fc.assert(
    fc.property(edits, fc.nat(good.length), fc.nat(good.length), (edits, from, to) => {
      const bytes = Buffer.from(good);
      for (const [at, value] of edits) bytes[at] = value;
      const part = bytes.subarray(Math.min(from, to), Math.max(from, to));
      for (const said of [{ xmp: part }, { iptc: part }, { exif: part }])
        for (const name of rightNames) {
          const text = rightsOf(said)?.[name];
          assert.ok(text === undefined || isRight(name, text));
        }
    }),
    { numRuns: tries(50, 300) },
  );
});

test("a manifest of content credentials is seen in every format, and its absence too", async () => {
  const uuid = Buffer.from("d8fec3d61b0e483c92975828877ec481", "hex");
  const jumbf = box(
    "jumb",
    box("jumd", Buffer.from("c2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71\x03c2pa\0", "latin1")),
  );
  const app11 = Buffer.concat([Buffer.from("JP\0\x01\0\0\0\x01", "latin1"), jumbf]);
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const ends = Buffer.alloc(8);
    ends.writeUInt32BE(data.length, 0);
    ends.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
  };
  const with_: Readonly<Record<string, (file: Buffer) => Buffer>> = {
    jpeg: (file) => withSegment(file, 0xeb, app11),
    png: (file) => Buffer.concat([file.subarray(0, 33), chunk("caBX", jumbf), file.subarray(33)]),
    webp: (file) => {
      const size = Buffer.alloc(4);
      size.writeUInt32LE(jumbf.length);
      const all = Buffer.concat([file, Buffer.from("C2PA"), size, jumbf, Buffer.alloc(jumbf.length % 2)]);
      all.writeUInt32LE(all.length - 8, 4);
      return all;
    },
    gif: (file) =>
      Buffer.concat([
        file.subarray(0, -1),
        Buffer.from("\x21\xff\x0bC2PA_GIF\x01\0\0\x01x\0", "latin1"),
        file.subarray(-1),
      ]),
    avif: (file) => Buffer.concat([file, box("uuid", Buffer.concat([uuid, jumbf]))]),
  };
  for (const [name, add] of Object.entries(with_)) {
    const format = name as FormatName;
    const file = await plain()
      .toFormat(format as "jpeg")
      .toBuffer();
    assert.equal((await openSource(file, format)).header.c2pa, undefined, name);
    assert.equal((await openSource(add(file), format)).header.c2pa, true, name);
  }
  const heic = readFileSync("test/images/heic/quarters.heic");
  assert.equal(hasC2pa("heic", heic), false);
  assert.equal(hasC2pa("heic", Buffer.concat([heic, box("uuid", Buffer.concat([uuid, jumbf]))])), true);
  const tiff = exifSaying(0xcd41, "manifest");
  assert.equal(hasC2pa("tiff", tiff), true);
  assert.equal(hasC2pa("tiff", exifSaying(0x013b, "Ann, Bo")), false);
  for (const format of ["jpeg", "png", "webp", "gif", "avif", "tiff"] as const)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) =>
        assert.equal(typeof hasC2pa(format, bytes), "boolean"),
      ),
      { numRuns: 100 },
    );
});

test("a preset that keeps nothing has the recipe and the keys that it had", () => {
  const input = { ladder: { widths: [320], formats: ["webp" as const] } };
  const [none, empty, some, other] = [
    {},
    { keep: [] },
    { keep: ["credit" as const, "creator" as const] },
    { keep: ["creator" as const, "credit" as const] },
  ].map((keep) => presetOf({ ...input, ...keep }).recipe);
  assert.equal(none, empty);
  assert.notEqual(none, some);
  assert.equal(some, other, "however it was written down");
  const header = { format: "jpeg", width: 640, height: 480, frames: 1, alpha: false, rights: all } as const;
  for (const one of variantsOf(header, presetOf(input))) assert.equal("rights" in one, false);
});
