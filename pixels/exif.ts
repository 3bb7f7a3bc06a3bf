/**
 * What little we take from EXIF (CIPA DC-008), a TIFF structure with or without `Exif\0\0` before it. Everything else in it
 * stays with the original. Nothing here throws, whatever the bytes are.
 */

import { type Found, textOf } from "./rights/text.ts";

/** The year of the first photograph. */
const FIRST_YEAR = 1826;
const DAY = 86_400_000;

/** Directories and tags. */
const EXIF_DIRECTORY = 0x8769;
const INTEROPERABILITY = 0xa005;
const ORIENTATION = 0x0112;
const DATE_TIME_ORIGINAL = 0x9003;
const COLOR_SPACE = 0xa001;
const ARTIST = 0x013b;
const COPYRIGHT = 0x8298;
const MAKER_NOTE = 0x927c;
/** Of Apple's note. */
const HDR_HEADROOM = 33;
const HDR_GAIN = 48;
/** Types. */
const ASCII = 2;
const SHORT = 3;
const LONG = 4;
const UNDEFINED = 7;
const SRATIONAL = 10;

/**
 * When the picture was taken, as the camera's clock said (`2026-05-01T10:00:00`); undefined where there is no
 * plausible date. Some phones and programs write it with dashes, or a T.
 */
export function takenAtOf(exif: Uint8Array | undefined, now = Date.now()): string | undefined {
  const tiff = tiffOf(exif);
  const photo = tiff?.number(0, EXIF_DIRECTORY, LONG);
  const text = photo === undefined ? undefined : tiff?.text(photo, DATE_TIME_ORIGINAL, 40);
  const parts = /^(\d{4})[:/.-](\d\d)[:/.-](\d\d)[ T](\d\d):(\d\d):(\d\d)/.exec(text ?? "")?.slice(1);
  if (!parts) return undefined;
  const [year, month, day, hour, minute, second] = parts;
  const written = `${year}-${month}-${day}T${hour}:${minute}:${second}`;
  const date = new Date(`${written}Z`);
  // 31 February is no day. A day ahead is what a camera set to the easternmost time zone can say.
  if (Number.isNaN(date.getTime()) || date.toISOString().slice(0, 19) !== written) return undefined;
  return date.getUTCFullYear() < FIRST_YEAR || date.getTime() > now + DAY ? undefined : written;
}

/** How the picture lies, 1 to 8. Of a type that browsers do not read it does not count. */
export function orientationOf(exif: Uint8Array | undefined): number {
  const orientation = tiffOf(exif)?.number(0, ORIENTATION, SHORT) ?? 1;
  return orientation >= 1 && orientation <= 8 ? orientation : 1;
}

/** Whether a camera says that it wrote Adobe RGB: ColorSpace is not sRGB's, and DCF 2.0's interoperability index is R03. */
export function isAdobeRgb(exif: Uint8Array | undefined): boolean {
  const tiff = tiffOf(exif);
  const photo = tiff?.number(0, EXIF_DIRECTORY, LONG);
  if (!tiff || photo === undefined || tiff.number(photo, COLOR_SPACE, SHORT) === 1) return false;
  const directory = tiff.number(photo, INTEROPERABILITY, LONG);
  return directory !== undefined && tiff.text(directory, 1, 4).startsWith("R03");
}

/** Before the directory of an iPhone's note, whose places count from its start. */
const APPLE = "Apple iOS\0\0\x01MM";

/**
 * How many times brighter than white an iPhone's picture may be, by its maker's note and "Applying Apple HDR effect to your
 * photos" (developer.apple.com); none where it is not.
 */
export function appleHeadroomOf(exif: Uint8Array | undefined): number | undefined {
  const tiff = tiffOf(exif);
  const photo = tiff?.number(0, EXIF_DIRECTORY, LONG);
  const note = photo === undefined ? undefined : tiff?.bytes(photo, MAKER_NOTE, 65_535, UNDEFINED);
  if (note?.toString("latin1", 0, APPLE.length) !== APPLE) return undefined;
  const apple = new Tiff(note, false);
  const [headroom, gain] = [HDR_HEADROOM, HDR_GAIN].map((tag) => apple.rational(APPLE.length, tag));
  if (headroom === undefined || gain === undefined) return undefined;
  const lines =
    headroom < 1
      ? { near: 1.8 - 20 * gain, far: 1.601 - 0.101 * gain }
      : // biome-ignore lint/suspicious/noApproximativeNumericConstant: Apple's, and no logarithm.
        { near: 3 - 70 * gain, far: 2.303 - 0.303 * gain };
  const stops = gain <= 0.01 ? lines.near : lines.far;
  return stops > 0 && stops <= MOST_STOPS ? 2 ** stops : undefined;
}
/** Apple's own go up to 3. */
const MOST_STOPS = 6;

/** Of a copyright the photographer's part; the editor's, after a zero, where that is blank. */
export function rightsInExif(exif: Uint8Array | undefined): Found {
  const tiff = tiffOf(exif);
  const parts = (tag: number) => textOf(tiff?.bytes(0, tag, 4000) ?? new Uint8Array()).split("\0");
  const [creator = ""] = parts(ARTIST);
  const copyright = parts(COPYRIGHT).find((part) => part.trim()) ?? "";
  return { ...(creator.trim() && { creator }), ...(copyright && { copyright }) };
}

function tiffOf(exif: Uint8Array | undefined): Tiff | undefined {
  if (!exif) return undefined;
  const all = Buffer.from(exif.buffer, exif.byteOffset, exif.byteLength);
  const bytes = all.toString("latin1", 0, 6) === "Exif\0\0" ? all.subarray(6) : all;
  const order = bytes.toString("latin1", 0, 4);
  return order === "II*\0" || order === "MM\0*" ? new Tiff(bytes, order === "II*\0") : undefined;
}

class Tiff {
  readonly #bytes: Buffer;
  readonly #isLittle: boolean;

  constructor(bytes: Buffer, isLittle: boolean) {
    this.#bytes = bytes;
    this.#isLittle = isLittle;
  }

  /** 0 past the end. */
  #read(at: number, size: 2 | 4): number {
    if (at + size > this.#bytes.length) return 0;
    return this.#isLittle ? this.#bytes.readUIntLE(at, size) : this.#bytes.readUIntBE(at, size);
  }

  /** @param directory where it begins; 0 for the first */
  #entry(directory: number, tag: number): { type: number; count: number; at: number } | undefined {
    const start = directory || this.#read(4, 4);
    for (let left = this.#read(start, 2), at = start + 2; left > 0; left--, at += 12) {
      if (at + 12 > this.#bytes.length) return undefined;
      if (this.#read(at, 2) === tag)
        return { type: this.#read(at + 2, 2), count: this.#read(at + 4, 4), at: at + 8 };
    }
    return undefined;
  }

  number(directory: number, tag: number, type: typeof SHORT | typeof LONG): number | undefined {
    const entry = this.#entry(directory, tag);
    if (entry?.type !== type || entry.count !== 1) return undefined;
    return this.#read(entry.at, type === SHORT ? 2 : 4);
  }

  rational(directory: number, tag: number): number | undefined {
    const entry = this.#entry(directory, tag);
    const at = entry?.type === SRATIONAL && entry.count === 1 ? this.#read(entry.at, 4) : 0;
    const [above, below] = [this.#read(at, 4) | 0, this.#read(at + 4, 4) | 0];
    return at === 0 || below === 0 ? undefined : above / below;
  }

  text(directory: number, tag: number, most: number): string {
    return this.bytes(directory, tag, most).toString("latin1");
  }

  bytes(directory: number, tag: number, most: number, type = ASCII): Buffer {
    const entry = this.#entry(directory, tag);
    if (entry?.type !== type) return this.#bytes.subarray(0, 0);
    const at = entry.count <= 4 ? entry.at : this.#read(entry.at, 4);
    return this.#bytes.subarray(at, at + Math.min(entry.count, most));
  }
}
