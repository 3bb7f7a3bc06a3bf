/** The promise of the README: uploading costs a page no more than 4.6 kB. */
import assert from "node:assert/strict";
import test from "node:test";
import { clientSizes } from "../../bench/client-size.ts";

test("every part of the client stays within its size", async () => {
  for (const { name, gzipped, limit } of await clientSizes()) {
    assert.ok(gzipped > 100, `${name} is ${gzipped} bytes: nothing was measured`);
    assert.ok(gzipped <= limit, `${name}: ${gzipped} bytes, at most ${limit}`);
  }
});
