/** `darkroom explain` names the check and the byte, and writes a mended copy that is accepted. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { darkroom } from "./darkroom.ts";

const folder = mkdtempSync(join(tmpdir(), "darkroom-explain-"));
after(() => rmSync(folder, { recursive: true }));
const images = "test/images";
const copy = (name: string, bytes: Buffer): string => {
  writeFileSync(join(folder, name), bytes);
  return join(folder, name);
};

test("a file that is accepted is", async () => {
  const { out, status } = await darkroom(["explain", `${images}/valid/odd/no-eoi.jpg`]);
  assert.equal(status, 0);
  assert.match(out, /is accepted: jpeg, 96 × 64/);
});

test("what is missing is said with its place, in words and as JSON", async () => {
  const file = `${images}/hostile/missing/last-blocks-missing.jpg`;
  const { out, status } = await darkroom(["explain", file]);
  assert.equal(status, 1);
  assert.match(out, /corrupt\. The image is damaged/);
  assert.match(out, /byte 407 \(0x197\).*part of the picture is grey \(blocks-missing\)/);
  const json = JSON.parse((await darkroom(["explain", "--json", file])).out);
  assert.deepEqual(
    [json.accepted, json.code, json.check, json.at],
    [false, "corrupt", "blocks-missing", 407],
  );
  assert.equal(json.mend, undefined);
});

test("what is no image that is accepted is called by its name", async () => {
  for (const [name, bytes, kind] of [
    ["photo.jpg", Buffer.from("%PDF-1.7\n"), /It is a PDF\./],
    ["photo.png", Buffer.from("\ufeff\n<!DOCTYPE html><title>502</title>"), /It is a web page/],
    ["photo.heic", Buffer.from("\0\0\0\x18ftypqt  ", "latin1"), /It is a video/],
    ["photo.gif", Buffer.from([1, 2, 255]), /begins with the bytes 01 02 ff\./],
  ] as const)
    assert.match((await darkroom(["explain", copy(name, bytes)])).out, kind);
  const tiff = await darkroom(["explain", copy("photo.tif", Buffer.from("II*\0\x08\0\0\0", "latin1"))]);
  assert.match(tiff.out, /It is a TIFF, which this preset does not accept/);
});

test("what can be mended without a pixel of ours is, and accepted then", async () => {
  const jpeg = readFileSync(`${images}/valid/odd/no-tables.jpg`);
  const png = readFileSync(`${images}/valid/odd/png-no-iend.png`);
  const header = Buffer.from(png);
  header.writeUInt32BE(0, 29);
  const broken = {
    "behind.jpg": Buffer.concat([Buffer.from("HTTP/1.1 200 OK\r\n\r\n"), jpeg]),
    "twice.jpg": Buffer.concat([jpeg.subarray(0, 2), jpeg]),
    "header.png": header,
    "progressive.jpg": readFileSync(`${images}/hostile/truncated/pjpg-90pct.jpg`),
  };
  for (const [name, bytes] of Object.entries(broken)) {
    const file = copy(name, bytes);
    const mended = join(folder, `mended-${name}`);
    const { out, status } = await darkroom(["explain", file, "--mend", mended]);
    assert.equal(status, 1, name);
    assert.match(out, /It can be mended: /, `${name}: ${out}`);
    assert(existsSync(mended), name);
    assert.equal((await darkroom(["explain", mended])).status, 0, name);
    assert.equal((await darkroom(["explain", file, "--mend", mended])).status, 1, "nothing is written over");
  }
});
