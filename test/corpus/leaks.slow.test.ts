/** Nothing that a file says about people comes out, whatever a preset keeps: every file of the repository and of the corpus. */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test, { after } from "node:test";
import { rightNames } from "../../core/rights.ts";
import { pixelProcess } from "../../pixels/process.ts";
import { presetOf } from "../pixels/develop-with.ts";
import { isMadeOfPicture } from "./made-of.ts";
import { outcomeOf, PATIENT, tellsNothing } from "./outcome.ts";

const CORPUS = "../shared/corpus";
const ladder: Parameters<typeof presetOf>[0]["ladder"] = {
  widths: [64],
  formats: ["avif", "webp", "jpeg", "png"],
};
const presets = {
  nothing: presetOf({ ladder }),
  all: presetOf({ ladder, keep: [...rightNames], colour: "p3", hdr: true }),
};
const pixels = pixelProcess(PATIENT);
after(() => pixels.close());

for (const folder of ["test/images", "docs", ...(existsSync(CORPUS) ? [CORPUS] : [])]) {
  test(`${folder}: pixels, and what is kept`, async (t) => {
    const paths = globSync("**/*", { cwd: folder, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
    let made = 0;
    for (const path of paths) {
      const bytes = readFileSync(path);
      for (const [kept, preset] of Object.entries(presets)) {
        try {
          const outcome = await outcomeOf(pixels, bytes, preset);
          outcome.made.forEach(isMadeOfPicture);
          await tellsNothing(bytes, outcome);
          made += outcome.made.length;
        } catch (error) {
          throw new Error(`${path}, keeping ${kept}`, { cause: error });
        }
      }
    }
    assert(paths.length > 0);
    t.diagnostic(`${paths.length} files, ${made} variants`);
  });
}
