/**
 * A zip whose bytes follow from its entries alone: sorted names, the oldest date a zip can hold, one compression
 * level. Format: PKWARE's APPNOTE.TXT, without Zip64, as Lambda takes at most 250 MB unpacked.
 */
import { crc32, deflateRawSync, inflateRawSync } from "node:zlib";

/** By name in the zip, `node_modules/sharp/package.json`. */
export type Entries = ReadonlyMap<string, Uint8Array>;

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const UTF8_NAMES = 0x0800;
const DEFLATE = 8;
/** 1 January 1980, 00:00. */
const DOS_DATE = 0x0021;
/** A regular file that everyone may read: Lambda runs the code as another user than the one who unpacks it. */
const UNIX_MODE = 0o100644;

export function zip(entries: Entries): Buffer {
  const files: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, bytes] of [...entries].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const encodedName = Buffer.from(name);
    const packed = deflateRawSync(bytes, { level: 9 });
    // What the local header and the directory have in common: version 2.0 up to the lengths.
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(UTF8_NAMES, 2);
    common.writeUInt16LE(DEFLATE, 4);
    common.writeUInt16LE(DOS_DATE, 8);
    common.writeUInt32LE(crc32(bytes), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(bytes.length, 18);
    common.writeUInt16LE(encodedName.length, 22);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(UNIX_MODE * 0x1_0000, 6);
    rest.writeUInt32LE(offset, 10);
    // 3 for Unix, and version 2.0.
    directory.push(uint32(CENTRAL), Buffer.from([20, 3]), common, rest, encodedName);
    files.push(uint32(LOCAL), common, encodedName, packed);
    offset += 4 + common.length + encodedName.length + packed.length;
  }
  const end = Buffer.alloc(18);
  end.writeUInt16LE(entries.size, 4);
  end.writeUInt16LE(entries.size, 6);
  end.writeUInt32LE(
    directory.reduce((sum, { length }) => sum + length, 0),
    8,
  );
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...files, ...directory, uint32(END), end]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** The entries of a zip that `zip` made; throws where it is damaged. */
export function unzip(bytes: Buffer): Map<string, Buffer> {
  const entries = new Map<string, Buffer>();
  const end = bytes.length - 22;
  if (bytes.readUInt32LE(end) !== END) throw new Error("not a zip of ours");
  let at = bytes.readUInt32LE(end + 16);
  for (let left = bytes.readUInt16LE(end + 10); left > 0; left--) {
    if (bytes.readUInt32LE(at) !== CENTRAL) throw new Error("the zip's directory is damaged");
    const nameLength = bytes.readUInt16LE(at + 28);
    const name = bytes.toString("utf8", at + 46, at + 46 + nameLength);
    const start = bytes.readUInt32LE(at + 42) + 30 + nameLength;
    const content = inflateRawSync(bytes.subarray(start, start + bytes.readUInt32LE(at + 20)));
    if (crc32(content) !== bytes.readUInt32LE(at + 16)) throw new Error(`${name} is damaged in the zip`);
    entries.set(name, content);
    at += 46 + nameLength;
  }
  return entries;
}
