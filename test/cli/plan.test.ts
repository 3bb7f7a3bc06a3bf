import assert from "node:assert/strict";
import test from "node:test";
import { darkroom } from "./darkroom.ts";

test("the plan of a file, as a table and as JSON", async () => {
  const table = await darkroom(["plan", "docs/sample.jpg"]);
  assert.equal(table.status, 0, table.err);
  assert.match(table.out, /jpeg 1600 × 1067, .*, preset photo \(balanced\)/);
  assert.match(table.out, /w640 +640 × 427 +w1280 +avif +score 65\.5, effort 2 +\d+/);
  assert.match(table.out, /about \d+ ms of CPU and [\d.]+ MB of memory/);
  const json = await darkroom(["plan", "--preset", "avatar", "--json", "docs/sample.jpg"]);
  const plan = JSON.parse(json.out);
  assert.deepEqual(plan.source, { width: 1600, height: 1067 });
  assert.deepEqual(
    plan.steps.map(({ width }: { width: number }) => width),
    [256, 64],
  );
  assert(plan.estimate.cpuMs > 0 && plan.estimate.peakBytes > 0);
});

test("what is no image, and a preset that there is not", async () => {
  const text = await darkroom(["plan", "README.md"]);
  assert.deepEqual([text.status, text.out], [1, ""]);
  assert.match(text.err, /not an image/);
  const both = await darkroom(["plan", "missing.jpg", "docs/sample.jpg"]);
  assert.equal(both.status, 1);
  assert.match(both.err, /missing\.jpg: There is no such file/);
  assert.match(both.out, /docs\/sample\.jpg +jpeg/, "one that cannot be read keeps nobody from the next");
  assert.equal((await darkroom(["plan", "--preset", "nope", "docs/sample.jpg"])).status, 2);
});
