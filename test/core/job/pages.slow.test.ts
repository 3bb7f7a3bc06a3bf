import assert from "node:assert/strict";
import test from "node:test";
import { apart } from "../../apart.ts";
import { virtualJob } from "./pages.ts";

test("a job of 100,000 pages, a hundred million images, ends", async (t) => {
  const { days, turns, scanned } = await apart(
    new URL("pages.ts", import.meta.url),
    virtualJob,
    100_000,
    1000,
  );
  t.diagnostic(`${days.toFixed(2)} days, ${turns} turns of the schedule`);
  assert.equal(scanned, 100_000);
});
