/** A HEIC's clean aperture, through rotation and mirroring, against the pixels themselves. */
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { apertureOf } from "../../pixels/decoders/aperture.ts";
import { box } from "./avif-of.ts";

const numbers = (...values: number[]) => {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) bytes.writeInt32BE(value, i * 4);
  return bytes;
};
type Turn = readonly ["irot" | "imir", number];

/** A file whose primary image has these properties, in this order. */
function fileOf(width: number, height: number, clap: number[], turns: readonly Turn[]): Buffer {
  const ipco = box(
    "ipco",
    box("ispe", numbers(0, width, height)),
    box("clap", numbers(...clap)),
    ...turns.map(([type, value]) => box(type, [value])),
  );
  const indexes = Array.from({ length: 2 + turns.length }, (_, i) => (i + 1) | (i > 0 ? 0x80 : 0));
  const ipma = box("ipma", numbers(0, 1), [0, 7, indexes.length, ...indexes]);
  return box("meta", numbers(0), box("pitm", [0, 0, 0, 0, 0, 7]), box("iprp", ipco, ipma));
}

/** The same by moving every pixel: a picture of its pixels' numbers. */
function turnedBy(picture: number[][], [type, value]: Turn): number[][] {
  if (type === "imir") return value === 0 ? picture.toReversed() : picture.map((row) => row.toReversed());
  let all = picture;
  for (let i = 0; i < value; i++)
    all = (all[0] ?? []).map((_, x) => all.map((row) => row[row.length - 1 - x] ?? -1));
  return all;
}

test("what is cut out is what would have been turned", () => {
  const side = fc.integer({ min: 1, max: 7 });
  const turn: fc.Arbitrary<Turn> = fc.oneof(
    fc.tuple(fc.constant("irot" as const), fc.integer({ min: 0, max: 3 })),
    fc.tuple(fc.constant("imir" as const), fc.integer({ min: 0, max: 1 })),
  );
  fc.assert(
    fc.property(side, side, side, side, side, side, fc.array(turn, { maxLength: 3 }), (...all) => {
      const [width, height, left, top, right, bottom, turns] = all;
      const [wide, high] = [left + width + right, top + height + bottom];
      const found = apertureOf(
        fileOf(wide, high, [width, 1, height, 1, left - right, 2, top - bottom, 2], turns),
      );
      assert(found);
      const whole = Array.from({ length: high }, (_, y) =>
        Array.from({ length: wide }, (_, x) => y * wide + x),
      );
      const cut = whole.slice(top, top + height).map((row) => row.slice(left, left + width));
      const { rectangle } = found;
      const seen = turns
        .reduce(turnedBy, whole)
        .slice(rectangle.top, rectangle.top + rectangle.height)
        .map((row) => row.slice(rectangle.left, rectangle.left + rectangle.width));
      assert.deepEqual(seen, turns.reduce(turnedBy, cut));
    }),
  );
});

test("an aperture outside of the picture, or of nothing, is refused", () => {
  for (const clap of [
    [0, 1, 4, 1, 0, 1, 0, 1],
    [4, 0, 4, 1, 0, 1, 0, 1],
    [9, 1, 4, 1, 0, 1, 0, 1],
    [4, 1, 4, 1, 5, 1, 0, 1],
  ])
    assert.throws(() => apertureOf(fileOf(8, 8, clap, [])), RangeError);
  assert.equal(apertureOf(Buffer.from("not a file of boxes")), undefined);
});
