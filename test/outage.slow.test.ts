/** Longer weather than outage.test.ts has. */
import assert from "node:assert/strict";
import test from "node:test";
import { type Outage, survive, WORKERS } from "../bench/outage.ts";
import { WORKER_BATCH } from "../core/money/prices.ts";

const photos: Outage = {
  minutes: 5,
  uploadsPerSecond: 1,
  meanSeconds: 3,
  spread: 0.6,
  workers: WORKERS,
  batch: WORKER_BATCH,
};

test("S3 away for ten hours: nothing fails, and all is ready within 20 minutes of its return", () => {
  const { failed, secondsAfter } = survive({ ...photos, minutes: 600 });
  assert.equal(failed, 0);
  assert.ok(secondsAfter < 20 * 60, `${secondsAfter} s`);
});

test("two days away are two days of patience, and the queue is never full", () => {
  const { failed, mostInFlight } = survive({ ...photos, minutes: 2880 });
  assert.equal(failed, 0);
  assert.ok(mostInFlight < 60_000);
});
