/** What we take from IPTC-IIM, version 4, which lies among Photoshop's resources. */
import { type Found, textOf } from "./text.ts";

/** Datasets of record 2. */
const NAMES = { 80: "creator", 110: "credit", 116: "copyright" } as const;
const isKnown = (dataset: number): dataset is keyof typeof NAMES => Object.hasOwn(NAMES, dataset);
/** Photoshop's number for the record. */
const IPTC = 0x0404;
/** No byline is longer than 32 bytes by the standard; programs do not mind. */
const LONGEST = 4000;

export function rightsInIptc(iptc: Uint8Array | undefined): Found {
  const bytes = Buffer.from(iptc ?? []);
  const record = resourceOf(bytes) ?? bytes;
  const found: Found = {};
  for (let at = 0; at + 5 <= record.length && record[at] === 0x1c; ) {
    const [, number, dataset = 0] = record.subarray(at, at + 3);
    const length = record.readUInt16BE(at + 3);
    // Longer ones say their length elsewhere, which no text of ours needs.
    if (length > 0x7fff) break;
    if (number === 2 && isKnown(dataset)) {
      const text = textOf(record.subarray(at + 5, at + 5 + Math.min(length, LONGEST)));
      const name = NAMES[dataset];
      // A byline is there once for everybody who made it.
      found[name] =
        name === "creator" && found.creator ? `${found.creator}, ${text}`.slice(0, LONGEST) : text;
    }
    at += 5 + length;
  }
  return found;
}

/** `8BIM`, a number, a name and a length, both padded to an even number of bytes. */
function resourceOf(bytes: Buffer): Buffer | undefined {
  let at = bytes.indexOf("8BIM", 0, "latin1");
  while (at >= 0 && at + 12 <= bytes.length && bytes.toString("latin1", at, at + 4) === "8BIM") {
    const name = bytes[at + 6] ?? 0;
    const size = at + 6 + name + 1 + ((name + 1) % 2);
    if (size + 4 > bytes.length) return undefined;
    const length = bytes.readUInt32BE(size);
    if (bytes.readUInt16BE(at + 4) === IPTC) return bytes.subarray(size + 4, size + 4 + length);
    at = size + 4 + length + (length % 2);
  }
  return undefined;
}
