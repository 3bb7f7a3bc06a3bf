/** Many pages at once against the API's throttle, in virtual time: the shipped client, and what the API says of waiting. */
import assert from "node:assert/strict";
import test from "node:test";
import { type Rush, rush, SHIPPED } from "../bench/waiting.ts";

const shipped: Rush = { ...SHIPPED, uploadsPerMinute: 6000, minutes: 0.2 };

test("at 6,000 uploads a minute every upload is signed at once, and nobody gives up", async () => {
  const { uploads, signed, ready, gaveUp, signature } = await rush(shipped);
  assert.deepEqual([signed, ready, gaveUp], [uploads, uploads, 0]);
  assert.ok(signature.most < 1, `${signature.most} s`);
});

test("an image of 3 s is asked for twice or three times, a long queue does not make it many", async () => {
  assert.ok((await rush({ ...shipped, uploadsPerMinute: 300, minutes: 1 })).asks <= 3);
  const { asks, minutes } = await rush({ ...shipped, workers: 5 });
  assert.ok(minutes > 10 && asks < 15, `${asks} in ${minutes} minutes`);
});
