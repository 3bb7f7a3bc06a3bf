/** Files damaged by their structure end as verdicts: no crash, no hang, no error of ours, within memory. */
import assert from "node:assert/strict";
import test from "node:test";
import { folders, fuzz, seedsIn } from "./fuzz.ts";

test("two thousand damaged files", async (t) => {
  const trouble: string[] = [];
  const { ends, peak } = await fuzz(seedsIn(folders), { count: 2000, seed: 20_261 }, ({ i, seed, end }) =>
    trouble.push(`${i}, from ${seed.name}: ${end}`),
  );
  assert.deepEqual(trouble, []);
  for (const end of ["ready", "corrupt", "truncated", "unsupported-format"])
    assert((ends.get(end) ?? 0) > 20, `${end}: what is damaged is damaged in all ways`);
  assert(peak > 0 && peak < 700, `${peak} MB`);
  t.diagnostic(`${peak} MB at most`);
});
