/** What takes as long as the command line is patient. */
import assert from "node:assert/strict";
import test from "node:test";
import { darkroom } from "./darkroom.ts";

test("an API that is not there is named, after some tries", async () => {
  const args = ["upload", "--api", "http://127.0.0.1:9", "--token", "x", "docs/sample.jpg"];
  const { status, out } = await darkroom(args, {});
  assert.equal(status, 1);
  assert.match(out, /127\.0\.0\.1:9 cannot be reached/);
});
