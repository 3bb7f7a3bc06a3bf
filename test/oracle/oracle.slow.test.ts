/** Every image file in the repository, and of the corpus where that is, as a browser shows it: see `npm run oracle -- --help`. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import test from "node:test";
import { pixelProcess } from "../../pixels/process.ts";
import { PATIENT } from "../corpus/outcome.ts";
import { startOracle } from "./browser.ts";
import { imagesIn, judge } from "./judge.ts";

const CORPUS = "../shared/corpus";
const tracked = execFileSync("git", ["ls-files", "-z"], { encoding: "utf8" }).split("\0").filter(Boolean);
const folders: Record<string, string[]> = {
  "files of the repository": tracked.filter((path) => imagesIn([path], false).length > 0),
  ...(existsSync(CORPUS) && { [CORPUS]: imagesIn([CORPUS]) }),
};

for (const [name, paths] of Object.entries(folders)) {
  test(`${name} look as the browser shows them`, async (t) => {
    const [oracle, pixels] = [await startOracle(), pixelProcess(PATIENT)];
    t.after(() => Promise.all([oracle.close(), pixels.close()]));
    const unexplained: string[] = [];
    for (const path of paths) {
      const { differences } = await judge(path, pixels, oracle);
      for (const { kind, detail, reason } of differences)
        if (!reason) unexplained.push(`${path}: ${kind}, ${detail}`);
    }
    t.diagnostic(`${paths.length} files`);
    assert.ok(paths.length > 50, "the files have been found");
    assert.deepEqual(unexplained, []);
  });
}

if (!existsSync(CORPUS)) {
  test("the corpus", (t) =>
    t.diagnostic(`there is no ${CORPUS} here: only the repository's own files are looked at`));
}
