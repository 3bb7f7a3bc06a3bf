/** What little we take from EXIF. Everything else in it stays with the original. */
import readExif from "exif-reader";

/** The year of the first photograph. */
const FIRST_YEAR = 1826;
const DAY = 86_400_000;

/**
 * When the picture was taken, as the camera's clock said (`2026-05-01T10:00:00`); undefined where there is no
 * plausible date. `exif` is the TIFF structure, with or without `Exif\0\0` before it. Never throws.
 */
export function takenAtOf(exif: Uint8Array | undefined, now = Date.now()): string | undefined {
  if (!exif) return undefined;
  const bytes = Buffer.from(exif.buffer, exif.byteOffset, exif.byteLength);
  try {
    const date: unknown = readExif(bytes).Photo?.DateTimeOriginal;
    if (!(date instanceof Date)) return undefined;
    // A day ahead is what a camera set to the easternmost time zone can say.
    if (date.getUTCFullYear() < FIRST_YEAR || date.getTime() > now + DAY) return undefined;
    const text = date.toISOString().slice(0, 19);
    // The reader turns 31 February into 3 March: what it read must be what stands there.
    const asWritten = text.replaceAll("-", ":").replace("T", " ");
    return bytes.includes(asWritten, 0, "latin1") ? text : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a camera says that it wrote Adobe RGB: ColorSpace is not sRGB's, and DCF 2.0's interoperability index is R03. */
export function isAdobeRgb(exif: Uint8Array | undefined): boolean {
  if (!exif) return false;
  try {
    const { Photo, Iop } = readExif(Buffer.from(exif.buffer, exif.byteOffset, exif.byteLength));
    return Photo?.ColorSpace !== 1 && Iop?.InteroperabilityIndex === "R03";
  } catch {
    return false;
  }
}

/**
 * Whether the orientation stands there as EXIF has it, one SHORT: browsers turn a JPEG by no other.
 * `exif` is the TIFF structure, with or without `Exif\0\0` before it.
 */
export function hasPlainOrientation(exif: Uint8Array | undefined): boolean {
  if (!exif) return false;
  const whole = Buffer.from(exif.buffer, exif.byteOffset, exif.byteLength);
  const tiff = whole.toString("latin1", 0, 4) === "Exif" ? whole.subarray(6) : whole;
  const isBig = tiff.toString("latin1", 0, 2) === "MM";
  const u16 = (at: number) => (isBig ? tiff.readUInt16BE(at) : tiff.readUInt16LE(at));
  try {
    const ifd = isBig ? tiff.readUInt32BE(4) : tiff.readUInt32LE(4);
    for (let entry = ifd + 2; entry < ifd + 2 + 12 * u16(ifd); entry += 12) {
      if (u16(entry) === ORIENTATION) return u16(entry + 2) === SHORT;
    }
  } catch {
    // It ends within.
  }
  return false;
}
const ORIENTATION = 0x0112;
const SHORT = 3;
