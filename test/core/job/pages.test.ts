import assert from "node:assert/strict";
import test from "node:test";
import { virtualJob } from "./pages.ts";

test("a million images take ten workers three and a half days, and the schedule never lets them wait", async () => {
  const { days, scanned, mostWaiting } = await virtualJob(1000, 10);
  assert.equal(scanned, 1000);
  assert.ok(days > 3.47 && days < 3.48, `${days} days`);
  // The limit, and the page that passes it.
  assert.ok(mostWaiting <= 101_000, `${mostWaiting} waiting`);
});
