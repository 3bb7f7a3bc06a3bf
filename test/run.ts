/**
 * `npm test` runs every quick test, `npm run test:all` the slow ones (`*.slow.test.ts`) too. A skipped test counts as
 * a failure: what was not checked must not look as if it had been. Arguments pick files by a part of their path.
 *
 * `*.browser.test.ts` are quick and need a Chromium. Where there is none they are left out, aloud, unless CI is set.
 * The tests of `packages/` are left out, aloud, where nothing there has changed, unless CI is set.
 */
import { execFileSync } from "node:child_process";
import { existsSync, globSync } from "node:fs";
import { availableParallelism } from "node:os";
import { sep } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { fileURLToPath } from "node:url";
import { findChromium } from "./client/find-chromium.ts";

// Whatever presets are the user's own, the tests speak of those that come with Darkroom; their processes inherit this.
process.env["DARKROOM_CONFIG"] = fileURLToPath(new URL("../core/shipped.ts", import.meta.url));
/** Against uncommitted work and commits that are not on origin's main yet. Where git cannot say, all has changed. */
function isUnchanged(folder: string): boolean {
  const git = (...args: string[]) => execFileSync("git", args, { encoding: "utf8", stdio: "pipe" }).trim();
  try {
    const main = git("for-each-ref", "refs/remotes/origin/main", "--format=%(objectname)");
    const base = main === "" ? "HEAD" : git("merge-base", "HEAD", main);
    const changed = git("diff", "--name-only", base, "--", folder);
    return changed === "" && git("ls-files", "--others", "--exclude-standard", "--", folder) === "";
  } catch {
    return false;
  }
}

// What is loaded again and again, AWS's SDK above all, is compiled once: a quarter of the CPU time of `npm test`.
process.env["NODE_COMPILE_CACHE"] ??= fileURLToPath(new URL("../.cache/node", import.meta.url));

const OVER_A_MINUTE =
  /another-shop|browsers\.|client\/(sites|installed|examples)|corpus\.|oracle\.|memory\.|invoke-local\.|simulation\./;

const args = process.argv.slice(2);
const all = args.includes("--all");
if (all) process.env["TEST_ALL"] = "1";
const wanted = args.filter((arg) => !arg.startsWith("--"));
const quick = !all && wanted.length === 0;
const choosy = quick && !process.env["CI"];
const noBrowser = choosy && findChromium() === undefined;
const noPackages = choosy && isUnchanged("packages");
const files = globSync("{test,packages/*/test}/**/*.test.ts")
  .filter((file) => !(quick && file.endsWith(".slow.test.ts")))
  .filter((file) => !(noBrowser && file.endsWith(".browser.test.ts")))
  .filter((file) => !(noPackages && file.startsWith("packages/")))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .sort((a, b) => orderOf(a) - orderOf(b) || (a < b ? -1 : 1));

/** The longest first, then slow ones, then those of the whole system, which lie on top: last, they would leave the other cores idle. */
function orderOf(file: string): number {
  const isSlow = file.endsWith(".slow.test.ts");
  if (isSlow && OVER_A_MINUTE.test(file)) return 0;
  return (isSlow ? 0 : 100) + file.split(sep).length;
}

const counts = { passed: 0, failed: 0, skipped: 0 };
const started = performance.now();
// Only against what never ends: no test may depend on how fast the machine is.
// Many a test waits for a process of its own: one file to a core leaves a third of them idle, two none.
const concurrency = 2 * availableParallelism();
const tests = run({ files, concurrency, timeout: 1_800_000 });
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
  if (noPackages)
    console.error("The tests of packages/ were left out: nothing there has changed. (npm test -- packages/)");
  if (all && !existsSync(new URL("../../shared/corpus", import.meta.url)))
    console.error(
      "The corpus of images beside the repository is not there: only files of the repository were looked at.",
    );
  if (counts.skipped > 0) console.error("Skipped tests count as failed.");
  console.log(`\n${Math.round((performance.now() - started) / 1000)} s`);
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  process.exitCode = counts.failed + counts.skipped > 0 || counts.passed === 0 ? 1 : 0;
});
