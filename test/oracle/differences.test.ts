/** What the table of differences explains, and what it must not. */
import assert from "node:assert/strict";
import test from "node:test";
import { type Differing, reasons } from "../../docs/differences.ts";

test("chroma that is spread over a pixel is explained; a wrong matrix or range, and a large picture, are not", () => {
  const explains = (ours: string, theirs: string, width = 16) =>
    reasons["small-halved-chroma"]?.applies({
      path: "squares.avif",
      kind: "colour",
      detail: `by 5.9 in the mean, 15 in block 0: ${ours} ${ours}, in the browser ${theirs} ${theirs} (over black, over white)`,
      end: "ready",
      format: "avif",
      header: { format: "avif", width, height: 16, frames: 1, alpha: false },
      bytes: new Uint8Array(),
      facts: new Set(["halved-chroma"]),
    } satisfies Differing);
  // As Chromium shows test/images/valid/odd/small-halved-chroma.avif, and a file of another project.
  assert.equal(explains("fe0000", "ef0802"), true);
  assert.equal(explains("0000fe", "0806d5"), true);
  assert.equal(explains("fe0000", "ef0802", 320), false);
  // Red of BT.601, read by the matrix of BT.709; grey of full range, read as if it were limited.
  assert.equal(explains("ff0000", "ff1800"), false);
  assert.equal(explains("404040", "383838"), false);
});
