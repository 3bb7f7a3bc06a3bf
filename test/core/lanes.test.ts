import assert from "node:assert/strict";
import test from "node:test";
import { inLanes } from "../../core/lanes.ts";

test("so many at a time, results in the values' order", async () => {
  let [now, most] = [0, 0];
  const doubled = await inLanes([1, 2, 3, 4, 5, 6, 7], 3, async (value) => {
    most = Math.max(most, ++now);
    // Later ones end earlier.
    for (let turns = 0; turns < 8 - value; turns++) await Promise.resolve();
    now--;
    return value * 2;
  });
  assert.deepEqual(doubled, [2, 4, 6, 8, 10, 12, 14]);
  assert.equal(most, 3);
});

test("after an error none is begun any more, and what runs is waited for", async () => {
  const begun: number[] = [];
  const gate = Promise.withResolvers<void>();
  let ended = false;
  const run = inLanes(new Set([0, 1, 2, 3, 4, 5]), 2, async (value) => {
    begun.push(value);
    if (value === 1) throw new Error("throttled");
    await gate.promise;
  }).finally(() => {
    ended = true;
  });
  // All that can go on without the gate does, before timers run.
  await new Promise(setImmediate);
  assert.equal(ended, false);
  gate.resolve();
  await assert.rejects(run, { message: "throttled" });
  assert.deepEqual(begun, [0, 1]);
});
