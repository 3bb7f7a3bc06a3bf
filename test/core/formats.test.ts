import assert from "node:assert/strict";
import test from "node:test";
import { detectFormat, extensionsOf, formatNames, typesOf } from "../../core/formats.ts";

const ftyp = (major: string, ...compatible: string[]) => {
  const box = Buffer.alloc(16 + 4 * compatible.length);
  box.writeUInt32BE(box.length);
  box.write(`ftyp${major}`, 4, "latin1");
  compatible.forEach((brand, i) => void box.write(brand, 16 + 4 * i, "latin1"));
  return box;
};

test("the content says what a file is", () => {
  const cases: [string, Uint8Array, string | undefined][] = [
    ["JPEG", Buffer.from([0xff, 0xd8, 0xff, 0xe0]), "jpeg"],
    ["half a magic number", Buffer.from([0xff, 0xd8]), undefined],
    ["PNG", Buffer.from("89504e470d0a1a0a", "hex"), "png"],
    ["GIF", Buffer.from("GIF89a"), "gif"],
    ["WebP", Buffer.from("RIFF\0\0\0\0WEBPVP8 "), "webp"],
    ["another RIFF", Buffer.from("RIFF\0\0\0\0WAVEfmt "), undefined],
    ["TIFF", Buffer.from("49492a00", "hex"), "tiff"],
    ["AVIF", ftyp("avif", "mif1", "miaf"), "avif"],
    ["AVIF that calls itself a HEIF", ftyp("mif1", "avif", "miaf"), "avif"],
    ["AVIF sequence", ftyp("avis", "avif", "mif1"), "avif"],
    ["iPhone", ftyp("heic", "mif1", "heic"), "heic"],
    ["10-bit HEIC", ftyp("mif1", "heix"), "heic"],
    ["HEIF with another codec", ftyp("mif1", "vvic"), undefined],
    ["MP4", ftyp("isom", "mp41"), undefined],
    ["HTML", Buffer.from("<!doctype html>"), undefined],
    ["SVG", Buffer.from("<svg xmlns='http://www.w3.org/2000/svg'/>"), undefined],
    ["nothing", Buffer.alloc(0), undefined],
  ];
  for (const [name, bytes, expected] of cases) assert.equal(detectFormat(bytes), expected, name);
});

test("no type and no extension belongs to two formats", () => {
  for (const all of [typesOf(formatNames), extensionsOf(formatNames)])
    assert.equal(new Set(all).size, all.length);
});
