/** Animations frame by frame: the pixels of our decoders beside those of Chromium's `ImageDecoder`. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import test, { after } from "node:test";
import { detectFormat } from "../../core/formats.ts";
import { planOf, variantsOf } from "../../core/plan.ts";
import { openSource } from "../../pixels/decoders/open.ts";
import { launchChromium } from "../client/chromium.ts";
import { presetOf } from "../pixels/develop-with.ts";

const images = new URL("../images/", import.meta.url);
const corpus = new URL("../../../shared/corpus/", import.meta.url);
const moving = [images, corpus].flatMap((folder) =>
  globSync("**/*.{gif,png,webp}", { cwd: folder.pathname }).map(
    (file) => new URL(file.replaceAll("#", "%23"), folder),
  ),
);
/** Its colours are the oracle's to compare. */
const isProfiled = (bytes: Buffer) => bytes.includes("ICCP") || bytes.includes("iCCP");
const everyFrame = presetOf({
  maxPixels: 4e6,
  animation: { maxFrames: 1000, maxPixels: 1e7 },
  ladder: { widths: [16_384], formats: ["webp"] },
});

const browser = await launchChromium();
after(() => browser.close());
const page = await browser.newPage();

/** RGBA of every frame, its time in ms as browsers show it, and how often it plays. */
function shownBy(bytes: Buffer, type: string) {
  return page.evaluate(
    async ({ base64, type }) => {
      const data = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
      const decoder = new ImageDecoder({ data, type });
      await decoder.tracks.ready;
      await decoder.completed.catch(() => {});
      const track = decoder.tracks.selectedTrack;
      const frames: string[] = [];
      const delay: number[] = [];
      let size = { width: 0, height: 0 };
      for (let frameIndex = 0; frameIndex < (track?.frameCount ?? 0); frameIndex++) {
        const decoded = await decoder.decode({ frameIndex }).catch(() => undefined);
        if (!decoded) break;
        const { image } = decoded;
        size = { width: image.displayWidth, height: image.displayHeight };
        const context = new OffscreenCanvas(size.width, size.height).getContext("2d");
        context?.drawImage(image, 0, 0);
        const rgba = context?.getImageData(0, 0, size.width, size.height).data ?? [];
        let text = "";
        for (const value of rgba) text += String.fromCharCode(value);
        frames.push(btoa(text));
        delay.push((image.duration ?? 0) / 1000);
        image.close();
      }
      return { ...size, frames, delay, repetitions: track?.repetitionCount ?? 0 };
    },
    { base64: bytes.toString("base64"), type },
  );
}

/** Pixels that differ, over black and over white, by more than rounding. */
function differing(ours: Uint8Array, channels: number, theirs: Buffer): number {
  let count = 0;
  for (let i = 0; i * 4 < theirs.length; i++) {
    const alpha = channels === 4 ? (ours[i * 4 + 3] ?? 0) : 255;
    const other = theirs[i * 4 + 3] ?? 0;
    let most = Math.abs(alpha - other);
    for (let c = 0; c < 3; c++)
      most = Math.max(
        most,
        Math.abs((ours[i * channels + c] ?? 0) * alpha - (theirs[i * 4 + c] ?? 0) * other) / 255,
      );
    if (most > 4) count++;
  }
  return count;
}

test("every animation, frame by frame", async (t) => {
  // What decodes images is there on secure pages alone.
  await page.route("**/*", (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html>" }));
  await page.goto("http://localhost/");
  let compared = 0;
  for (const file of moving) {
    const bytes = readFileSync(file);
    const format = detectFormat(bytes);
    if (!format || !["gif", "webp", "png"].includes(format) || isProfiled(bytes)) continue;
    const source = await openSource(bytes, format).catch(() => undefined);
    if (!source || source.header.frames < 2) continue;
    const { width, height, frames } = source.header;
    if (width * height * frames > 1e7 || frames > 300) continue;
    await t.test(file.pathname.split("/").slice(-2).join("/"), async () => {
      const ours = await source.decode(planOf(source.header, variantsOf(source.header, everyFrame)));
      const theirs = await shownBy(bytes, `image/${format}`);
      assert.deepEqual(
        [ours.width, ours.height, ours.frames],
        [theirs.width, theirs.height, theirs.frames.length],
      );
      const size = ours.width * ours.height * ours.channels;
      for (const [i, frame] of theirs.frames.entries()) {
        const pixels = Buffer.from(frame, "base64");
        const off = differing(ours.data.subarray(i * size, (i + 1) * size), ours.channels, pixels);
        assert(off <= pixels.length / 4 / 1000, `frame ${i}: ${off} pixels of ${pixels.length / 4} differ`);
      }
      const shown = theirs.delay.map((ms) => (ms <= 10 ? 100 : Math.min(65_535, ms)));
      assert.deepEqual(ours.delay, shown);
      const plays = theirs.repetitions === Number.POSITIVE_INFINITY ? 0 : theirs.repetitions + 1;
      assert.equal(ours.loop ?? 0, Math.min(65_535, plays));
    });
    compared++;
  }
  assert(compared > 2, `${compared} animations compared`);
});
