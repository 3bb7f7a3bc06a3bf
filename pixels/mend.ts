/** Copies of a refused file in which one thing is put right, without a pixel that was not there: for support staff. */
import type { Finding } from "../core/checks.ts";
import { detectFormat, type FormatName } from "../core/formats.ts";
import { chunksOf } from "./look/png.ts";
import { chunkOf, SIGNATURE } from "./png.ts";

export interface Mend {
  /** What was done, as the end of "It can be mended: …". */
  readonly what: string;
  readonly bytes: Buffer;
}

/** So far into a file a picture is looked for: behind the head of an HTTP answer, a byte order mark, a line of text. */
const LOOK_WITHIN = 65_536;
const BEGINNINGS = [Buffer.from([0xff, 0xd8, 0xff]), SIGNATURE, Buffer.from("GIF8"), Buffer.from("RIFF")];
const EOI = Buffer.from([0xff, 0xd9]);
const TRAILER = Buffer.from(";");

/** What is worth a try, the likeliest first; whether it is a whole picture then, the pixel process says. */
export function* mendsOf(bytes: Buffer, finding: Finding | undefined): Generator<Mend, undefined> {
  const format = detectFormat(bytes.subarray(0, 4096));
  for (const beginning of BEGINNINGS) {
    const at = bytes.indexOf(beginning, 1);
    if (format === undefined && at > 0 && at < LOOK_WITHIN)
      yield { what: `the ${at} bytes before the picture are cut off`, bytes: bytes.subarray(at) };
  }
  if (format && finding) yield* byFormat[format]?.(bytes, finding) ?? [];
  return undefined;
}

const byFormat: Partial<Record<FormatName, (bytes: Buffer, finding: Finding) => Iterable<Mend>>> = {
  *jpeg(bytes, { check, at }) {
    if (bytes.readUInt16BE(2) === 0xffd8)
      yield { what: "the second start marker is cut out", bytes: bytes.subarray(2) };
    // A progressive picture is complete, if coarser, after each of its scans.
    if (check === "ends-early" && at > 2)
      yield {
        what: `the scan at byte ${at}, of which a part is missing, is cut off: the picture is coarser`,
        bytes: Buffer.concat([bytes.subarray(0, at), EOI]),
      };
  },
  *png(bytes) {
    const chunks = [...chunksOf(bytes)]
      .filter(({ isCut }) => !isCut)
      .map(({ type, data }) => chunkOf(type, data));
    yield { what: "the checksums are made right", bytes: Buffer.concat([SIGNATURE, ...chunks]) };
  },
  *webp(bytes) {
    const mended = Buffer.from(bytes);
    if (mended.length < 12) return;
    mended.writeUInt32LE(mended.length - 8, 4);
    yield { what: "the length in the header is made the file's own", bytes: mended };
  },
  *gif(bytes, { check, at }) {
    if (check === "ends-early")
      yield {
        what: `the frame at byte ${at}, of which a part is missing, is cut off`,
        bytes: Buffer.concat([bytes.subarray(0, at), TRAILER]),
      };
  },
};
