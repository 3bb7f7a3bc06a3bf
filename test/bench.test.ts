import assert from "node:assert/strict";
import test from "node:test";
import { medianWithin, verdictOn } from "../bench/report.ts";
import { type Picture, ssimulacra2 } from "../pixels/ssimulacra2.ts";

/** Colours in gradients and a grid, so that every scale has something to lose. */
function picture(width: number, height: number, change: (value: number, at: number) => number): Picture {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * 3;
      const grid = x % 16 === 0 || y % 16 === 0 ? 60 : 0;
      const colour = [(x * 180) / width + grid, (y * 180) / height + grid, 90 + grid];
      for (let c = 0; c < 3; c++)
        data[at + c] = Math.max(0, Math.min(255, Math.round(change(colour[c] ?? 0, at + c))));
    }
  }
  return { data, width, height };
}

test("SSIMULACRA2 is 100 for the same picture and falls with every kind of damage", () => {
  const original = picture(128, 96, (value) => value);
  const noisy = (amount: number) =>
    picture(128, 96, (value, at) => value + ((at * 7919) % 2 ? amount : -amount));
  assert.equal(ssimulacra2(original, original), 100);
  const scores = [1, 3, 8, 20, 50].map((amount) => ssimulacra2(original, noisy(amount)));
  assert.deepEqual(
    scores,
    [...scores].sort((a, b) => b - a),
  );
  assert.ok((scores[0] ?? 0) > 85 && (scores[4] ?? 100) < 30, String(scores));
  assert.throws(
    () =>
      ssimulacra2(
        original,
        picture(96, 128, (value) => value),
      ),
    /sizes/,
  );
});

test("where a median lies, 95 times in 100: known values, and as often as that", () => {
  const upTo = (n: number) => Array.from({ length: n }, (_, at) => at + 1);
  // Tables of order statistics, two-sided, 95 %: 6 values 1 to 6, 10 values 2 to 9, 20 values 6 to 15.
  assert.deepEqual(
    [6, 10, 20].map((n) => medianWithin(upTo(n))),
    [
      [1, 6],
      [2, 9],
      [6, 15],
    ],
  );
  assert.deepEqual(medianWithin(upTo(5)), [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]);
});

test("a figure is told only where its runs tell it", () => {
  const told = (within: [number, number]) => verdictOn({ what: "", value: 1.05, within, atMost: 1.06 });
  assert.deepEqual(
    [
      told([1.04, 1.06]),
      told([1.04, 1.07]),
      verdictOn({ what: "", value: 1.08, within: [1.07, 1.1], atMost: 1.06 }),
    ],
    ["holds", "too few runs to tell", "does not hold"],
  );
});
