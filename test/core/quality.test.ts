import assert from "node:assert/strict";
import test from "node:test";
import { formats, profiles } from "../../core/formats.ts";
import {
  type Aim,
  aimOf,
  isUnlike,
  isUnsure,
  qualityAgain,
  qualityFor,
  qualityNames,
  qualityOfGraphic,
} from "../../core/quality.ts";
import table from "../../core/quality-table.ts";

const lossy = ["avif", "webp", "jpeg"] as const;

test("a word is a score of the format; numbers and what loses nothing aim at none", () => {
  for (const format of lossy) {
    const [high = 0, good = 0, low = 0] = qualityNames.map(
      (name) => aimOf(format, name, 640, "balanced")?.score ?? 0,
    );
    assert(high > good && good > low, format);
    assert.equal(
      aimOf(format, { score: 66 }, 2560, "balanced")?.score,
      66,
      "what is said is meant of every rung",
    );
    assert((aimOf(format, "good", 2560, "balanced")?.score ?? 99) < good, "shown at two pixels per pixel");
    assert.equal(aimOf(format, 70, 640, "balanced"), undefined);
  }
  assert.equal(aimOf("png", "good", 640, "balanced"), undefined);
});

test("the encoder's quality rises with the score, within bounds, and is the format's own where nothing is known", () => {
  for (const format of lossy) {
    const encode = formats[format].encode.balanced;
    const aim = (score: number): Aim => ({ score, table: "" });
    const chosen = (score: number, trial?: number[]) => qualityFor(format, encode, aim(score), trial);
    assert.equal(chosen(70), encode.quality);
    // A trial of zeros predicts the constants, of thousands anything at all.
    for (const number of [0, 1000, -1000]) {
      const trial = (table.axes[0] ?? []).slice(1).map(() => number);
      const rising = [30, 50, 60, 70, 80, 90].map((score) => chosen(score, trial));
      assert.deepEqual(
        rising,
        [...rising].sort((a, b) => a - b),
      );
      for (const quality of rising) assert(quality >= encode.quality - 24 && quality <= encode.quality + 24);
    }
  }
});

test("in best what a trial is unsure of is looked at, and encoded with more or less where it missed, within bounds", () => {
  const zeros = (table.axes[0] ?? []).slice(1).map(() => 0);
  for (const format of ["avif", "webp"] as const) {
    const encode = formats[format].encode.best;
    const aim = aimOf(format, "good", 640, "best");
    assert(aim?.again && isUnsure(format, aim, 640, zeros), "no picture has a trial of zeros");
    const once = aimOf(format, "good", 640, "balanced");
    assert(once && once.again === undefined);
    const again = (score: number) =>
      qualityAgain(format, encode, { ...aim, score }, encode.quality, zeros, zeros);
    const chosen = Array.from({ length: 400 }, (_, i) => again(i - 200));
    assert.deepEqual(
      chosen,
      [...chosen].sort((a, b) => a - b),
    );
    assert.deepEqual([chosen[0], chosen.at(-1)], [encode.quality - 8, encode.quality + 8]);
    assert(chosen.includes(encode.quality), "what is near stays");
  }
  assert.equal(aimOf("jpeg", "good", 640, "best")?.again, undefined);
  assert.equal(aimOf("avif", "good", 1920, "best")?.again, undefined, "wider than what it was fitted on");
});

test("WebPs of a photograph unlike others are looked at in every profile, up to the width that looks are fitted on", () => {
  const { means, deviations } = table.photographs;
  const odd = means.map((mean, i) => mean + (i === 20 ? 5 * (deviations[i] ?? 0) : 0));
  for (const profile of profiles) {
    const isLookedAt = (format: (typeof lossy)[number], width: number, trial: readonly number[]) => {
      const { again: _, ...aim } = aimOf(format, "good", width, profile) ?? { score: 0, table: "" };
      return isUnsure(format, aim, width, trial);
    };
    assert(isLookedAt("webp", 1280, odd));
    assert(!isLookedAt("webp", 1281, odd));
    assert(!isLookedAt("webp", 1280, means));
    assert(!isLookedAt("avif", 1280, odd));
  }
});

test("a graphic is encoded again where a look says that it misses its aim, with the more the more it misses, never with less", () => {
  const { means } = table.photographs;
  for (const format of lossy) {
    const { quality } = formats[format].encode.balanced;
    const again = (score: number) => qualityOfGraphic(format, { score, table: "" }, quality, means);
    const chosen = Array.from({ length: 400 }, (_, i) => again(i - 200));
    assert.deepEqual(
      chosen,
      [...chosen].sort((a, b) => a - b),
    );
    assert.deepEqual([chosen[0], chosen.at(-1)], [quality, Math.min(100, quality + 24)]);
    // Noise takes more bytes than whatever has edges, and stays as it is.
    const noise = means.with(1, Math.log(10 * formats[format].encoder.written));
    assert.equal(qualityOfGraphic(format, { score: 200, table: "" }, quality, noise), quality);
  }
});

test("photographs' own numbers are like photographs, with any of them two deviations off; far off in many they are not", () => {
  const { means, deviations } = table.photographs;
  assert(!isUnlike(means));
  for (const [i, deviation] of deviations.entries())
    for (const by of [-2, 2])
      assert(!isUnlike(means.map((mean, j) => (i === j ? mean + by * deviation : mean))));
  const odd = means.map((mean, i) => mean + 3 * (i % 2) * (deviations[i] ?? 0));
  assert(isUnlike(odd));
  // But for noise, whose variance is gone at half the size.
  assert(!isUnlike(odd.with(11, (odd[6] ?? 0) - 1)));
  // A black and white photograph loses nothing of its colours: the numbers of the last two looks.
  const isColours = (i: number) => i >= 22;
  assert(!isUnlike(means.map((mean, i) => (isColours(i) ? mean - 6 * (deviations[i] ?? 0) : mean))));
});
