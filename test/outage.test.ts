import assert from "node:assert/strict";
import test from "node:test";
import { PHOTOS, survive } from "../bench/outage.ts";

for (const minutes of [5, 60])
  test(`S3 away for ${minutes} minutes: nothing fails, and all is ready within 20 of its return`, () => {
    const { failed, secondsAfter } = survive({ ...PHOTOS, minutes });
    assert.equal(failed, 0);
    assert.ok(secondsAfter < 20 * 60, `${secondsAfter} s`);
  });
