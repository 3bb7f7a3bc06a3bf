/**
 * Saves `docs/page.webp`, the page with finished pictures, for the README: `node test/web/render-page.ts`. The pictures
 * are our own sample at other times of the day.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp, { type Sharp } from "sharp";
import { startStack } from "../../laptop/stack.ts";
import { launchChromium } from "../client/chromium.ts";
import { choose, openPage, ready } from "./page.ts";

const sample = () => sharp("docs/sample.jpg");
const pictures: Record<string, Sharp> = {
  "Lake at dusk.jpg": sample(),
  "First light.jpg": sample().flop().modulate({ hue: 38, brightness: 1.2, saturation: 0.7 }),
  "Northern night.jpg": sample()
    .extract({ left: 700, top: 0, width: 800, height: 1067 })
    .modulate({ hue: -65, brightness: 0.75, saturation: 0.8 }),
};

const data = mkdtempSync(join(tmpdir(), "darkroom-"));
const stack = await startStack({ port: 0, data, logLevel: "error" });
const browser = await launchChromium();
const { page } = await openPage(
  { browser, stack },
  {
    viewport: { width: 1200, height: 1000 },
    deviceScaleFactor: 1.5,
    reducedMotion: "reduce",
  },
);
const files = Object.entries(pictures).map(async ([name, picture]) => ({
  name,
  buffer: await picture.jpeg({ quality: 88 }).toBuffer(),
}));
await choose(page, ...(await Promise.all(files)));
for (const name of Object.keys(pictures)) await ready(page, name);
await page.evaluate(() => scrollTo(0, 0));
const { y = 0, height = 0 } = (await page.getByRole("list").boundingBox()) ?? {};
const clip = { x: 0, y: 0, width: 1185, height: y + height + 28 };
const shot = await page.screenshot({ clip, fullPage: true });
const { size } = await sharp(shot).webp({ quality: 82, smartSubsample: true }).toFile("docs/page.webp");
console.log(`docs/page.webp: ${size} bytes`);

await browser.close();
await stack.close();
rmSync(data, { recursive: true, force: true });
