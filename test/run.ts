/**
 * `npm test` runs every quick test, `npm run test:all` the slow ones (`*.slow.test.ts`) too. A skipped test counts as
 * a failure: what was not checked must not look as if it had been. Arguments pick files by a part of their path.
 *
 * `*.browser.test.ts` are quick and need a Chromium. Where there is none they are left out, aloud, unless CI is set.
 */
import { globSync } from "node:fs";
import { availableParallelism } from "node:os";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { fileURLToPath } from "node:url";
import { findChromium } from "./client/find-chromium.ts";

// Whatever presets are the user's own, the tests speak of those that come with Darkroom; their processes inherit this.
process.env["DARKROOM_CONFIG"] = fileURLToPath(new URL("../core/shipped.ts", import.meta.url));

const args = process.argv.slice(2);
const all = args.includes("--all");
const wanted = args.filter((arg) => !arg.startsWith("--"));
const quick = !all && wanted.length === 0;
const noBrowser = quick && !process.env["CI"] && findChromium() === undefined;
const files = globSync("{test,packages/*/test}/**/*.test.ts")
  .filter((file) => !(quick && file.endsWith(".slow.test.ts")))
  .filter((file) => !(noBrowser && file.endsWith(".browser.test.ts")))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .sort();

const counts = { passed: 0, failed: 0, skipped: 0 };
const started = performance.now();
const tests = run({ files, concurrency: availableParallelism(), timeout: all ? 840_000 : 80_000 });
tests.on("test:summary", ({ file, counts: { tests: all, passed, skipped, todo } }) => {
  // One summary comes for each file and one for all.
  if (file !== undefined) return;
  counts.passed = passed;
  counts.skipped = skipped + todo;
  counts.failed = all - passed - counts.skipped;
});
tests.compose(spec).pipe(process.stdout);
tests.on("close", () => {
  if (files.length === 0) console.error("No such test file.");
  if (noBrowser)
    console.error(
      "The browser tests were left out: no Chromium was found. Install one, or set CHROMIUM_PATH.",
    );
  if (counts.skipped > 0) console.error("Skipped tests count as failed.");
  console.log(`\n${Math.round((performance.now() - started) / 1000)} s`);
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  process.exitCode = counts.failed + counts.skipped > 0 || counts.passed === 0 ? 1 : 0;
});
