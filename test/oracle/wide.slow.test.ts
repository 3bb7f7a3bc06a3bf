/** Wide and bright pictures in Chromium: the colours of the source, and the right one chosen by what the screen can show. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test, { after } from "node:test";
import sharp from "sharp";
import type { Variant } from "../../client/image.ts";
import { pictureData } from "../../client/picture.ts";
import { formatNames, formats, outputFormats } from "../../core/formats.ts";
import { pngOf } from "../../pixels/png.ts";
import { pixelProcess } from "../../pixels/process.ts";
import { launchChromium } from "../client/chromium.ts";
import { developWith, presetOf } from "../pixels/develop-with.ts";
import { pqPng } from "../pixels/pq-png.ts";
import { picture, quarters } from "../pixels/quarters.ts";
import { startOracle } from "./browser.ts";

const [pixels, oracle] = [pixelProcess({ accept: formatNames }), await startOracle()];
after(() => Promise.all([pixels.close(), oracle.close()]));
const size = { width: 64, height: 40 };
const names = [...outputFormats];
const quality = Object.fromEntries(names.map((format) => [format, 100]));

test("a tagged variant shows what the source shows", async () => {
  const made = sharp({ create: { ...size, channels: 3, background: "#000" } }).withIccProfile("p3");
  const { icc } = await sharp(await made.png().toBuffer()).metadata();
  assert.ok(icc);
  const source = pngOf({ data: picture(size, quarters), ...size, channels: 3 }, icc);
  const preset = presetOf({ ladder: { widths: [64], formats: names, quality }, colour: "p3" });
  const { get } = await developWith(pixels, source, "png", preset);
  const blocks = async (bytes: Uint8Array, type: string) => {
    const { pictures } = await oracle.look(bytes, { type, canvas: size, times: 1 });
    return Buffer.from(pictures[0] ?? "", "base64");
  };
  const wanted = await blocks(source, "image/png");
  for (const format of names) {
    const seen = await blocks(get(`w64.${format}`), formats[format].type);
    assert.equal(seen.length, wanted.length, format);
    const off = Math.max(...seen.map((value, at) => Math.abs(value - (wanted[at] ?? 0))));
    assert.ok(off <= 14, `${format}: off by ${off}`);
  }
});

const CDN = "https://cdn.example/";
/** By which the browser is told what screen it has, and whether that shows HDR. */
const screens = [
  ["srgb", false],
  ["hdr10", true],
] as const;
const hdr = {
  "a picture with a gain map": {
    format: "jpeg" as const,
    source: readFileSync(new URL("../images/valid/ultra-hdr.jpg", import.meta.url)),
    bright: "w256.jpeg",
  },
  "a picture in PQ": { format: "png" as const, source: pqPng(), bright: "w256-hdr.avif" },
};

for (const [name, { format, source, bright }] of Object.entries(hdr)) {
  test(`of ${name} a screen with HDR gets ${bright}, any other the fewest bytes`, async () => {
    const preset = presetOf({ ladder: { widths: [256], formats: ["avif", "jpeg"], quality }, hdr: true });
    const { get, made } = await developWith(pixels, source, format, preset);
    // Both are for all screens that the oracle knows: it brings both down alike.
    const shown = await Promise.all(
      [
        [get(bright), formats[bright.endsWith("avif") ? "avif" : "jpeg"].type] as const,
        [source, formats[format].type] as const,
      ].map(([bytes, type]) => oracle.look(bytes, { type, canvas: size, times: 1 })),
    );
    const [own, wanted] = shown.map(({ pictures }) => Buffer.from(pictures[0] ?? "", "base64"));
    assert.ok(own && wanted && own.every((value, at) => Math.abs(value - (wanted[at] ?? 0)) <= 8));

    const variants = [...made].map(([file, bytes]): Variant => {
      const [name = "", format = ""] = file.split(".");
      const type = `image/${format}`;
      const url = `${CDN}${file}`;
      return { name, format, type, width: 256, height: 192, bytes: bytes.length, url, hdr: file === bright };
    });
    const { sources, img } = pictureData({ id: "x", variants }, { alt: "", loading: "eager" });
    for (const [flag, isBright] of screens) {
      const browser = await launchChromium([`--force-color-profile=${flag}`]);
      after(() => browser.close());
      const page = await browser.newPage();
      await page.route(`${CDN}*`, (route) => {
        const file = route.request().url().slice(CDN.length);
        return route.fulfill({ body: Buffer.from(get(file)), contentType: `image/${file.split(".")[1]}` });
      });
      const chosen = await page.evaluate(
        async ([sources, img]) => {
          const picture = document.createElement("picture");
          for (const source of sources)
            picture.append(Object.assign(document.createElement("source"), source));
          const shown = document.createElement("img");
          picture.append(shown);
          document.body.replaceChildren(picture);
          shown.srcset = img.srcset;
          await new Promise((resolve) => Object.assign(shown, { onload: resolve, onerror: resolve }));
          return [matchMedia("(dynamic-range: high)").matches, shown.currentSrc];
        },
        [sources, img] as const,
      );
      const file = isBright ? bright : "w256.avif";
      assert.deepEqual(chosen, [isBright, CDN + file]);
    }
  });
}
