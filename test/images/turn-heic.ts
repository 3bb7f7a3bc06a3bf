/**
 * Adds to a HEIC that heif-enc has written the rotation an iPhone writes for EXIF orientation 6 (`irot`, ISO/IEC
 * 23008-12, 6.5.10): `node test/images/turn-heic.ts FILE.heic`
 */
import { readFileSync, writeFileSync } from "node:fs";

const path = process.argv[2];
if (!path) throw new Error("name a file");
let file = readFileSync(path);

/** Where a box starts, on a way of names from the top; `meta` is a full box with four bytes more. */
function find(...names: string[]): number {
  let [at, end] = [0, file.length];
  for (const [depth, name] of names.entries()) {
    while (at < end && file.toString("latin1", at + 4, at + 8) !== name) at += file.readUInt32BE(at);
    if (at >= end) throw new Error(`no ${name}`);
    if (depth === names.length - 1) break;
    end = at + file.readUInt32BE(at);
    at += name === "meta" ? 12 : 8;
  }
  return at;
}

function insert(at: number, bytes: number[], boxes: string[][]): void {
  for (const box of boxes) {
    const start = find(...box);
    file.writeUInt32BE(file.readUInt32BE(start) + bytes.length, start);
  }
  // `iloc` counts from the start of the file. As heif-enc writes it: version 0; a base per item; 4 bytes each.
  const iloc = find("meta", "iloc");
  if (file.readUInt32BE(iloc + 8) !== 0 || file.readUInt16BE(iloc + 12) !== 0x4440)
    throw new Error("another iloc");
  for (let item = 0, entry = iloc + 16; item < file.readUInt16BE(iloc + 14); item++) {
    file.writeUInt32BE(file.readUInt32BE(entry + 4) + bytes.length, entry + 4);
    entry += 10 + file.readUInt16BE(entry + 8) * 8;
  }
  file = Buffer.concat([file.subarray(0, at), Buffer.from(bytes), file.subarray(at)]);
}

const ipco = find("meta", "iprp", "ipco");
let properties = 0;
const ipcoEnd = ipco + file.readUInt32BE(ipco);
for (let at = ipco + 8; at < ipcoEnd; at += file.readUInt32BE(at)) properties++;
// Quarter turns against the clock.
insert(
  ipcoEnd,
  [0, 0, 0, 9, ...Buffer.from("irot"), 3],
  [["meta"], ["meta", "iprp"], ["meta", "iprp", "ipco"]],
);

// Version 0, no flags: a count of items; per item its id, a count, and a byte per property. The picture is item 1.
const ipma = find("meta", "iprp", "ipma");
if (file.readUInt32BE(ipma + 8) !== 0 || file.readUInt16BE(ipma + 16) !== 1) throw new Error("another ipma");
const count = file.readUInt8(ipma + 18);
file.writeUInt8(count + 1, ipma + 18);
insert(ipma + 19 + count, [0x80 | (properties + 1)], [["meta"], ["meta", "iprp"], ["meta", "iprp", "ipma"]]);
writeFileSync(path, file);
