/** Longer weather than waiting.test.ts has. */
import assert from "node:assert/strict";
import test from "node:test";
import { type Rush, rush, SHIPPED } from "../bench/waiting.ts";

const shipped: Rush = { ...SHIPPED, uploadsPerMinute: 6000, minutes: 0.2 };

test("a throttle that is far too low is waited for", async () => {
  const low = { ...shipped, uploadsPerMinute: 3000, requestsPerSecond: 5, burst: 5 };
  const { uploads, signed, ready, gaveUp, signature } = await rush(low);
  assert.deepEqual([signed, ready, gaveUp], [uploads, uploads, 0]);
  assert.ok(signature.most > 60, `${signature.most} s: nobody had to wait, so this proves nothing`);
});

test("ten minutes without API and S3 are sat out", async () => {
  const { uploads, ready, gaveUp } = await rush({ ...shipped, uploadsPerMinute: 600, outage: [5, 605] });
  assert.deepEqual([ready, gaveUp], [uploads, 0]);
});
