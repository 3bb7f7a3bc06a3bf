/** Longer weather than outage.test.ts has. */
import assert from "node:assert/strict";
import test from "node:test";
import { PHOTOS, survive } from "../bench/outage.ts";

test("S3 away for ten hours: nothing fails, and all is ready within 20 minutes of its return", () => {
  const { failed, secondsAfter } = survive({ ...PHOTOS, minutes: 600 });
  assert.equal(failed, 0);
  assert.ok(secondsAfter < 20 * 60, `${secondsAfter} s`);
});

test("two days away are two days of patience, and the queue is never full", () => {
  const { failed, mostInFlight } = survive({ ...PHOTOS, minutes: 2880 });
  assert.equal(failed, 0);
  assert.ok(mostInFlight < 60_000);
});
