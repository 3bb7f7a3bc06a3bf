/** Every file of the corpus ends as its manifest says, within memory. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import test from "node:test";
import { lastChild, peakMb, resetPeak } from "../../bench/peak.ts";
import { pixelProcess } from "../../pixels/process.ts";
import { csv } from "./csv.ts";
import { accepted, checkVariants, outcomeOf, PATIENT, tellsNothing } from "./outcome.ts";

const corpus = new URL("../../../shared/corpus/", import.meta.url);

/**
 * Of these the manifest, written for sharp's own verdicts, says that they are refused. Every pixel of theirs is there:
 * Chromium shows the first five whole, of the last two nothing but an end marker, and a checksum, is wrong.
 */
const WHOLE_ALL_THE_SAME: ReadonlySet<string> = new Set([
  "hostile/gif-corrupt/invalid_multiframe.gif",
  "hostile/jpeg-corrupt/jpeg_ff00_header.jpg",
  "hostile/jpeg-corrupt/junk_jpeg_header.jpg",
  "hostile/jpeg-corrupt/truncated_app14.jpg",
  "hostile/unsupported-real/star.avifs",
  "hostile/jpeg-corrupt/truncated_jpeg.jpg",
  "hostile/png-corrupt/xcsn0g01.png",
]);

if (existsSync(corpus)) {
  test("the corpus", async (t) => {
    // Never replaced for its size, so that its peak can be read.
    const pixels = pixelProcess({ ...PATIENT, maxRss: Number.POSITIVE_INFINITY });
    t.after(() => pixels.close());
    await outcomeOf(pixels, readFileSync(new URL("valid/generated/1x1.png", corpus)));
    const pid = lastChild();
    const peaks: { path: string; peak: number }[] = [];
    const rows = csv(readFileSync(new URL("manifest.csv", corpus), "utf8"));
    assert(rows.length > 300, "the manifest has been read");
    for (const { path = "", expected = "" } of rows) {
      await t.test(path, async () => {
        const bytes = readFileSync(new URL(path.replaceAll("#", "%23"), corpus));
        resetPeak(pid);
        const outcome = await outcomeOf(pixels, bytes);
        const { end, made } = outcome;
        assert.equal(lastChild(), pid, "the child has not crashed");
        const peak = peakMb(pid);
        peaks.push({ path, peak });
        // The manifest was written for sharp alone, which reads no HEVC.
        const isHeic = path.endsWith(".heic") && !path.startsWith("valid/");
        const ends = WHOLE_ALL_THE_SAME.has(path) ? ["ready"] : accepted(isHeic ? "either" : expected, bytes);
        assert(ends.includes(end), `${end}; expected ${ends.join(" or ")}`);
        assert(peak < (path === "valid/heic/48mp.heic" ? 900 : 700), `${peak} MB`);
        await checkVariants(made);
        await tellsNothing(bytes, outcome);
      });
    }
    peaks.sort((a, b) => b.peak - a.peak);
    for (const { path, peak } of peaks.slice(0, 5)) t.diagnostic(`${peak} MB ${path}`);
  });
} else {
  test("the corpus", (t) => {
    t.diagnostic("there is no ../shared/corpus here: only the committed images (images.test.ts) are tested");
  });
}
