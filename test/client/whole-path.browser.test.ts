/** The whole path in a real Chromium: from a file in the page to its AVIF on the page. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import sharp from "sharp";
import type { Image } from "../../client/darkroom.ts";
import { type Stack, startStack } from "../../laptop/stack.ts";
import { type Chromium, settingsOf, startChromium } from "./chromium.ts";

const data = mkdtempSync(join(tmpdir(), "darkroom-"));
let stack: Stack;
let chromium: Chromium;

before(async () => {
  chromium = await startChromium();
  stack = await startStack({ port: 0, data, logLevel: "error" });
});
after(async () => {
  await chromium?.close();
  await stack?.close();
  rmSync(data, { recursive: true, force: true });
});

test("a photo goes up with progress, becomes ready, and is shown as AVIF without moving anything", async () => {
  const { page, problems } = await chromium.open();
  const jpeg = await sharp({ create: { width: 700, height: 500, channels: 3, background: "#1f6f8b" } })
    .jpeg()
    .toBuffer();
  const { id, image, progress } = await page.evaluate(
    async ({ settings, bytes }) => {
      const content = Uint8Array.from(atob(bytes), (character) => character.charCodeAt(0));
      const file = new File([content], "boat ⛵.jpg", { type: "image/jpeg" });
      const progress: number[] = [];
      const { id, ready } = await client.createDarkroom(settings).upload(file, {
        preset: "photo",
        focus: { x: 0.5, y: 0.2 },
        onProgress: ({ sent, total }) => progress.push(sent / total),
      });
      return { id, progress, image: await ready };
    },
    { settings: settingsOf(stack), bytes: jpeg.toString("base64") },
  );
  assert.match(id, /^[0-9a-z]{26}$/);
  assert.equal(image.id, id);
  assert.equal(progress.at(-1), 1);

  const shown = await show(image);
  assert.match(shown.src, /\/w320\.[0-9a-z]+\.avif$/);
  assert.match(shown.background, /^url\("data:image/);
  assert.equal(shown.shift, 0);
  // What is measured there is not always 0: an image whose sides nobody says does move what is below.
  assert.ok((await show(image, ["width", "height"])).shift > 0);
  assert.deepEqual([...problems, ...shown.problems], []);
});

/** Puts the picture above a text, lets it load once both have been painted, and measures how far that moved. */
async function show(image: Image, without: string[] = []) {
  const { page, context, problems } = await chromium.open();
  const painted = Promise.withResolvers<void>();
  page.on("console", (message) => {
    if (message.text() === "painted") painted.resolve();
  });
  await page.route(/\.avif$/, async (route) => {
    await painted.promise;
    await route.continue();
  });
  const shown = await page.evaluate(
    async ({ image, without }) => {
      const { html } = client.picture(image, { alt: "A boat", sizes: "300px", loading: "eager" });
      document.body.innerHTML = `<style>img { width: 300px; height: auto }</style>${html}<p>What is below.</p>`;
      const img = document.querySelector("img");
      if (!img) throw new Error("no img");
      for (const name of without) img.removeAttribute(name);
      const paint = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
      let shift = 0;
      const add = (entries: PerformanceEntryList) => {
        for (const entry of entries) shift += (entry as unknown as { value: number }).value;
      };
      const observer = new PerformanceObserver((list) => add(list.getEntries()));
      observer.observe({ type: "layout-shift" });
      await paint();
      console.debug("painted");
      await img.decode();
      await paint();
      await paint();
      add(observer.takeRecords());
      return { src: img.currentSrc, background: getComputedStyle(img).backgroundImage.slice(0, 20), shift };
    },
    { image, without },
  );
  await context.close();
  return { ...shown, problems };
}
