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

for (const minutes of [5, 60])
  test(`S3 away for ${minutes} minutes: nothing fails, and all is ready within 20 of its return`, () => {
    const { failed, secondsAfter } = survive({ ...photos, minutes });
    assert.equal(failed, 0);
    assert.ok(secondsAfter < 20 * 60, `${secondsAfter} s`);
  });
