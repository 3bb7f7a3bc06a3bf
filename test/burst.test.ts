import assert from "node:assert/strict";
import test from "node:test";
import { type Burst, drain } from "../bench/burst.ts";

const even: Burst = { uploads: 1000, seconds: 0, meanSeconds: 2, spread: 0, workers: 5, batch: 4 };

test("with equal images and no more workers than Lambda starts with, it is arithmetic", () => {
  // All there at once: 250 batches of 8 s for five workers, after the notification's second and the start.
  const { last, mostWaiting } = drain(even);
  assert.ok(Math.abs(last - (1 + 1.5 + (250 / 5) * 8)) < 1e-6, String(last));
  assert.equal(mostWaiting, 1000);
});

test("more workers help until they are not the limit; a spread makes the last wait longer", () => {
  const last = (changes: Partial<Burst>) => drain({ ...even, ...changes }).last;
  assert.ok(last({ workers: 50 }) < last({ workers: 5 }) / 2);
  assert.ok(last({ seconds: 600, workers: 50 }) < 20, "nobody waits where work comes slowly");
  assert.ok(last({ workers: 50, spread: 1 }) > last({ workers: 50 }));
  assert.deepEqual(drain({ ...even, spread: 1 }), drain({ ...even, spread: 1 }));
});
