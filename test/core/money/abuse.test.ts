import assert from "node:assert/strict";
import test from "node:test";
import { abuses } from "../../../core/money/abuse.ts";

const bounds = { requestsPerSecond: 100, workers: 50, senders: 20, files: 50, maxBytes: 25_000_000 };

test("what lowers an abuse is what it is computed by", () => {
  const dollars = (changes: Partial<typeof bounds>) =>
    abuses({ ...bounds, ...changes }).map((one) => one.dollars);
  const usual = dollars({});
  const lowered = (changes: Partial<typeof bounds>) =>
    dollars(changes).flatMap((one, i) => (one < (usual[i] ?? 0) ? [i] : []));
  assert.deepEqual(lowered({ requestsPerSecond: 10 }), [0, 3]);
  assert.deepEqual(lowered({ workers: 5 }), [2]);
  assert.deepEqual(lowered({ files: 1 }), [3]);
  assert.deepEqual(lowered({ senders: 2 }), [5]);
  // 50 workers of 2 GB for a day: 8.64 million GB-seconds.
  assert.ok(Math.abs((usual[2] ?? 0) - 8.64e6 * 0.0000133334) < 0.01);
});
