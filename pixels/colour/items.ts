/** The items of AVIF and HEIC (ISO/IEC 23008-12): pictures, their alpha, tiles, EXIF, with their properties. */
import { type Box, boxAt, boxesIn, boxesOf } from "../look/boxes.ts";

/** An item: a picture, its alpha, a tile, EXIF. */
export interface Item {
  readonly id: number;
  /** None where the file does not say it: of a picture's coding, or of what is derived from others (`grid`, `tmap`). */
  readonly type: string | undefined;
  readonly properties: readonly Box[];
  /** The first of its pieces in the file; none where it has none. */
  readonly data: { readonly start: number; readonly end: number } | undefined;
  /** By kind of reference (`dimg`, `auxl`, `prem`): the items that this one names. */
  readonly names: Readonly<Record<string, readonly number[]>>;
}

export interface Items {
  readonly primary: number;
  readonly all: ReadonlyMap<number, Item>;
}

/** Reads whole numbers of any size, one after the other. */
class Reader {
  readonly #bytes: Buffer;
  at: number;
  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }
  /** @throws RangeError past the end */
  take(size: number): number {
    if (size === 0) return 0;
    const value =
      size === 8 ? Number(this.#bytes.readBigUInt64BE(this.at)) : this.#bytes.readUIntBE(this.at, size);
    this.at += size;
    return value;
  }
}

/** The items of a file, none where it has no such structure. @throws RangeError where it ends within one */
export function itemsOf(bytes: Buffer): Items | undefined {
  const meta = boxAt(bytes, ["meta"]);
  if (!meta) return undefined;
  const inMeta = new Map(boxesIn(bytes, meta).map((box) => [box.type, box]));
  const [pitm, iinf, iloc, iprp, iref] = ["pitm", "iinf", "iloc", "iprp", "iref"].map((type) =>
    inMeta.get(type),
  );
  if (!pitm || !iprp) return undefined;
  const types = new Map(iinf && entriesOf(bytes, iinf).map(({ id, type }) => [id, type]));
  const properties = propertiesOf(bytes, iprp);
  const places = iloc ? placesOf(bytes, iloc, inMeta.get("idat")) : new Map<number, Item["data"]>();
  const references = iref ? referencesOf(bytes, iref) : [];
  const all = new Map<number, Item>();
  for (const id of new Set([...properties.keys(), ...places.keys()])) {
    const own = references.filter(({ from }) => from === id);
    all.set(id, {
      id,
      type: types.get(id),
      properties: properties.get(id) ?? [],
      data: places.get(id),
      names: Object.fromEntries(own.map(({ kind, to }) => [kind, to])),
    });
  }
  const primary =
    bytes[pitm.body] === 0 ? bytes.readUInt16BE(pitm.body + 4) : bytes.readUInt32BE(pitm.body + 4);
  return { primary, all };
}

/** A copy of the file with another primary item, hidden or not, for decoders that know of no other. */
export function withPrimary(bytes: Buffer, id: number): Buffer {
  const copy = Buffer.from(bytes);
  const [pitm, iinf] = ["pitm", "iinf"].map((type) => boxAt(bytes, ["meta", type]));
  if (pitm) copy.writeUIntBE(id, pitm.body + 4, bytes[pitm.body] === 0 ? 2 : 4);
  // The flag of what is hidden is the lowest one.
  for (const entry of iinf ? entriesOf(bytes, iinf) : [])
    if (entry.id === id) copy[entry.body + 3] = (copy[entry.body + 3] ?? 0) & ~1;
  return copy;
}

/** `iinf` has an entry for each item (ISO/IEC 14496-12, 8.11.6), of version 2 or, with longer ids, 3. */
function entriesOf(bytes: Buffer, { body, end }: Box) {
  const entries = [...boxesOf(bytes, body + (bytes[body] === 0 ? 6 : 8), end)];
  return entries.map(({ body }) => {
    const read = new Reader(bytes, body + 4);
    const id = read.take(bytes[body] === 2 ? 2 : 4);
    return { id, type: bytes.toString("latin1", read.at + 2, read.at + 6), body };
  });
}

/** `ipco` holds the properties, `ipma` says which are whose (ISO/IEC 23008-12, 9.3). */
function propertiesOf(bytes: Buffer, iprp: Box): Map<number, Box[]> {
  const inside = boxesIn(bytes, iprp);
  const ipco = inside.find(({ type }) => type === "ipco");
  const all = ipco ? boxesIn(bytes, ipco) : [];
  const found = new Map<number, Box[]>();
  for (const { body } of inside.filter(({ type }) => type === "ipma")) {
    const wideIds = (bytes[body] ?? 0) > 0;
    const wideIndex = ((bytes[body + 3] ?? 0) & 1) === 1;
    const read = new Reader(bytes, body + 4);
    for (let left = read.take(4); left > 0; left--) {
      const id = read.take(wideIds ? 4 : 2);
      const own: Box[] = [];
      for (let count = read.take(1); count > 0; count--) {
        const index = wideIndex ? read.take(2) & 0x7fff : read.take(1) & 0x7f;
        const box = all[index - 1];
        if (box) own.push(box);
      }
      found.set(id, own);
    }
  }
  return found;
}

/** The first extent of every item that lies in the file or in `idat` (ISO/IEC 14496-12, 8.11.3). */
function placesOf(bytes: Buffer, { body }: Box, idat: Box | undefined): Map<number, Item["data"]> {
  const version = bytes[body] ?? 0;
  const read = new Reader(bytes, body + 4);
  const sizes = read.take(2);
  const [offsetSize, lengthSize, baseSize] = [sizes >> 12, (sizes >> 8) & 15, (sizes >> 4) & 15];
  const indexSize = version > 0 ? sizes & 15 : 0;
  const found = new Map<number, Item["data"]>();
  for (let left = read.take(version < 2 ? 2 : 4); left > 0; left--) {
    const id = read.take(version < 2 ? 2 : 4);
    const method = version > 0 ? read.take(2) & 15 : 0;
    read.take(2);
    const base = read.take(baseSize) + (method === 1 ? (idat?.body ?? Number.NaN) : 0);
    const extents = read.take(2);
    for (let extent = 0; extent < extents; extent++) {
      read.take(indexSize);
      const start = base + read.take(offsetSize);
      const length = read.take(lengthSize);
      if (extent === 0 && method < 2 && base >= 0) found.set(id, { start, end: start + length });
      // The next ones say nothing either, 65,535 of them in eight bytes.
      if (indexSize + offsetSize + lengthSize === 0) break;
    }
  }
  return found;
}

function referencesOf(bytes: Buffer, iref: Box): { kind: string; from: number; to: number[] }[] {
  const size = bytes[iref.body] === 0 ? 2 : 4;
  return boxesIn(bytes, iref).map(({ type, body }) => {
    const read = new Reader(bytes, body);
    const from = read.take(size);
    return { kind: type, from, to: Array.from({ length: read.take(2) }, () => read.take(size)) };
  });
}
