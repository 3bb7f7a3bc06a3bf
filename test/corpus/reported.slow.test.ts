/** Files after public bug reports, and one for each kind of disagreement with browsers, end and look as their manifests say. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import test from "node:test";
import sharp from "sharp";
import { DarkroomError } from "../../core/errors.ts";
import { detectFormat, formatNames } from "../../core/formats.ts";
import { pixelProcess } from "../../pixels/process.ts";
import { developWith, presetOf } from "../pixels/develop-with.ts";
import { csv } from "./csv.ts";
import { PATIENT } from "./outcome.ts";

const corpus = new URL("../../../shared/corpus/", import.meta.url);
const whole = presetOf({ named: { whole: { width: 16_384, format: "png" } } });

/** Every pixel is there and the checksum alone is wrong: the manifest has it refused. */
const SHOWN_ALL_THE_SAME = ["reported/png-crc-bad-idat.png"];
/** What a manifest notes of our own decisions: a WebP lies as it is stored. */
const LIES = ["reported/webp-exif6.webp", "reported/webp-anim-exif6.webp"];

interface Expected {
  readonly file: string;
  readonly end: string;
  readonly size?: readonly [number, number];
  readonly frames?: number;
  readonly takenAt?: string;
  /** At these shares of width and height. */
  readonly points: readonly { readonly x: number; readonly y: number; readonly rgba: readonly number[] }[];
}

const numbers = (text: string) => text.split(",").map(Number);

/** `ready 64x48 c80a0a01 …`: four quarters; `3 frames 64x48, …`; `takenAt …`; anything else is words. */
function reported({ file = "", expected = "", why = "" }: Partial<Record<string, string>>): Expected {
  const [, frames, width, height, ...rest] =
    /^(?:ready|(\d+) frames) (\d+)x(\d+)(?: ([0-9a-f]{8}) ([0-9a-f]{8}) ([0-9a-f]{8}) ([0-9a-f]{8}))?/.exec(
      expected,
    ) ?? [];
  const isOurs = why.startsWith("what differs") && !expected.startsWith("rejected");
  const colours = isOurs ? [] : rest.filter((colour) => colour !== undefined);
  return {
    file: `reported/${file}`,
    end: expected.startsWith("rejected") ? "rejected" : "ready",
    ...(width && height && !isOurs ? { size: [Number(width), Number(height)] } : {}),
    ...(frames ? { frames: Number(frames) } : {}),
    ...(expected.startsWith("takenAt ") ? { takenAt: expected.slice(8) } : {}),
    points: colours.map((colour, i) => ({
      x: i % 2 === 0 ? 0.25 : 0.75,
      y: i < 2 ? 0.25 : 0.75,
      rgba: [...Buffer.from(colour, "hex")],
    })),
  };
}

/** `10,10=220,40,40;28,10=transparent`: pixels after orientation. */
function minimal({ file = "", expected = "", pixels = "" }: Partial<Record<string, string>>): Expected {
  const points = pixels
    .split(";")
    .filter(Boolean)
    .map((point) => {
      const [at = "", colour = ""] = point.split("=");
      const [x = 0, y = 0] = numbers(at);
      return { x, y, rgba: colour === "transparent" ? [0, 0, 0, 0] : [...numbers(colour), 255] };
    });
  return { file: `minimal/${file}`, end: expected.split(":")[0] ?? "", points };
}

if (existsSync(new URL("reported/", corpus))) {
  const read = (name: string) => csv(readFileSync(new URL(`${name}/manifest.csv`, corpus), "utf8"));
  const rows = [...read("reported").map(reported), ...read("minimal").map(minimal)];

  test("what was reported, and what browsers were seen to do otherwise", async (t) => {
    const pixels = pixelProcess({ ...PATIENT, accept: formatNames });
    t.after(() => pixels.close());
    assert(rows.length > 250, "the manifests have been read");
    for (const row of rows) await t.test(row.file, () => check(row, pixels));
  });
} else {
  test("what was reported", (t) => {
    t.diagnostic(
      "there is no ../shared/corpus/reported here: only the committed images (images.test.ts) are tested",
    );
  });
}

async function check(row: Expected, pixels: ReturnType<typeof pixelProcess>): Promise<void> {
  const bytes = readFileSync(new URL(row.file, corpus));
  const format = detectFormat(bytes.subarray(0, 4096));
  const made = await (format ? developWith(pixels, bytes, format, whole) : undefined)?.catch(
    (error: unknown) => {
      if (error instanceof DarkroomError) return error.code;
      throw error;
    },
  );
  if (typeof made !== "object") {
    assert.equal(row.end, "rejected", `refused: ${made}`);
    return;
  }
  if (!SHOWN_ALL_THE_SAME.includes(row.file)) assert.equal(row.end, "ready");
  const { header, get } = made;
  if (LIES.includes(row.file)) return;
  if (row.size) assert.deepEqual([header.width, header.height], row.size);
  if (row.frames !== undefined) assert.equal(header.frames, row.frames);
  if (row.takenAt) assert.equal(header.takenAt, row.takenAt);
  const { data, info } = await sharp(get("whole.png"))
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  // Of two rows there are no four quarters.
  for (const { x, y, rgba } of info.height > 2 ? row.points : []) {
    const [column, line] = x < 1 ? [Math.floor(x * info.width), Math.floor(y * info.height)] : [x, y];
    const at = (line * info.width + column) * 4;
    const pixel = [...data.subarray(at, at + 4)];
    const off = Math.max(
      ...rgba.map((value, c) => Math.abs(value - (pixel[c] ?? 0)) * (c < 3 ? (rgba[3] ?? 255) / 255 : 1)),
    );
    assert(off <= 12, `${x},${y}: ${pixel}, expected ${rgba}`);
  }
}
