/** Every committed picture ends as `test/images/manifest.json` says, within memory, and tells nothing it should not. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import test, { after } from "node:test";
import { fileURLToPath } from "node:url";
import * as v from "valibot";
import { lastChild, peakMb, resetPeak } from "../../bench/peak.ts";
import { pixelProcess } from "../../pixels/process.ts";
import { accepted, checkVariants, outcomeOf, PATIENT, tellsNothing } from "./outcome.ts";

const folder = new URL("../images/", import.meta.url);
const Manifest = v.array(v.strictObject({ file: v.string(), what: v.string(), expected: v.string() }));
const manifest = v.parse(Manifest, JSON.parse(readFileSync(new URL("manifest.json", folder), "utf8")));
// Never replaced for its size, so that its peak can be read.
const pixels = pixelProcess({ ...PATIENT, maxRss: Number.POSITIVE_INFINITY });
after(() => pixels.close());

/** What stands in hostile files as text and must not come out in a picture. */
const MARKS = ["<script", "<html", "<svg", "alert(", "/etc/", "SERIAL", "PK\x03\x04", "%PDF"];

test("the manifest names every file", () => {
  const there = globSync("{hostile,valid,heic}/**/*", { cwd: fileURLToPath(folder), withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`.slice(fileURLToPath(folder).length));
  assert.deepEqual(manifest.map(({ file }) => file).sort(), there.sort());
});

test("committed pictures", async (t) => {
  for (const { file, what, expected } of manifest) {
    await t.test(`${file}: ${what}`, async () => {
      const bytes = readFileSync(new URL(file, folder));
      const child = startedChild();
      if (child) resetPeak(child);
      const outcome = await outcomeOf(pixels, bytes);
      const { end, made, developed } = outcome;
      const ends = accepted(expected, bytes);
      assert(ends.includes(end), `${end}; expected ${ends.join(" or ")}`);
      if (child) {
        assert.equal(lastChild(), child, "the child has not crashed");
        assert(peakMb(child) < 700, `${peakMb(child)} MB`);
      }
      await checkVariants(made);
      await tellsNothing(bytes, outcome);
      for (const mark of MARKS) {
        for (const { variant, bytes } of made) {
          assert(
            !Buffer.from(bytes).includes(mark, 0, "latin1"),
            `${variant.name}.${variant.format}: ${mark}`,
          );
        }
      }
      assert(JSON.stringify(developed ?? {}).length < 2000);
    });
  }
});

function startedChild(): number | undefined {
  try {
    return lastChild();
  } catch {
    return undefined;
  }
}
