/** The React layer, rendered by React: on the server as markup, in Chromium as a page that uploads. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { build } from "esbuild";
import { createElement } from "react";
import { renderToStaticMarkup, renderToString } from "react-dom/server";
import sharp from "sharp";
import { createDarkroom, type Image, picture } from "../../client/darkroom.ts";
import { Picture, type PictureProps, useUpload } from "../../client/react.ts";
import { startStack } from "../../laptop/stack.ts";
import { settingsOf, startChromium } from "./chromium.ts";

const image: Image = {
  id: "x",
  status: "ready",
  source: { bytes: 1, width: 1000, height: 500, alpha: false },
  placeholder: { thumbhash: "", dataUrl: "data:image/webp;base64,AAAA", color: "#7a8b99" },
  variants: ["avif", "webp", "jpeg"].flatMap((format) =>
    [320, 640].map((width) => ({
      name: `w${width}`,
      format,
      type: `image/${format}`,
      width,
      height: width / 2,
      bytes: 1,
      url: `https://cdn.example/w${width}.${format}?a=1&b=2`,
    })),
  ),
  pending: [],
  processedAt: "2026-05-01T10:00:00Z",
};

/** Attributes by tag; names in lower case and sorted, as their order and case mean nothing in HTML. */
const tags = (html: string) =>
  [...html.matchAll(/<(\/?\w+)([^>]*)>/g)].map(([, name, attributes = ""]) => [
    name,
    [...attributes.matchAll(/([\w-]+)="([^"]*)"/g)]
      .map(([, attribute = "", value]) => `${attribute.toLowerCase()}=${value}`)
      .sort(),
  ]);

test("<Picture> renders what picture() writes", () => {
  const options = { alt: 'A "boat" <3', sizes: "50vw" };
  const html = renderToStaticMarkup(createElement(Picture, { image, ...options, className: "hero" }));
  assert.deepEqual(tags(html), tags(picture(image, { ...options, class: "hero" }).html));
  const bright = {
    ...image,
    variants: image.variants.map((one) => ({ ...one, hdr: one.format === "jpeg" })),
  };
  const shown = renderToStaticMarkup(createElement(Picture, { image: bright, ...options }));
  assert.deepEqual(tags(shown), tags(picture(bright, options).html), "a source for some screens alone");
  const styled = renderToStaticMarkup(createElement(Picture, { image, alt: "", style: { borderRadius: 4 } }));
  assert.match(styled, /style="background:[^"]+;border-radius:4px"/);
});

test("<Picture credit> says whose it is and whether AI had a part in it, escaped, and nothing where nothing is known", () => {
  const rights = {
    creator: "Zoë <b>",
    credit: "Agency",
    copyright: "© 2026",
    digitalSourceType: "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
  };
  const shown = (rights: Image["rights"], credit: PictureProps["credit"] = true) =>
    renderToStaticMarkup(createElement(Picture, { image: { ...image, rights }, alt: "", credit })).replace(
      /<picture>.*<\/picture>/,
      "…",
    );
  const words = "Zoë &lt;b&gt; / Agency · © 2026 · Made with AI";
  assert.equal(shown(rights), `<figure>…<figcaption>${words}</figcaption></figure>`);
  assert.equal(shown({ copyright: "© 2026" }), "<figure>…<figcaption>© 2026</figcaption></figure>");
  assert.equal(
    shown(rights, ({ ai }) => `KI: ${ai}`),
    "<figure>…<figcaption>KI: made</figcaption></figure>",
  );
  for (const nothing of [shown(undefined), shown({}), shown(rights, false)]) assert.equal(nothing, "…");
  const captured = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture";
  assert.equal(shown({ digitalSourceType: captured }), "…");
});

test("a component with useUpload and <Picture> renders on a server, where there is no browser", () => {
  const darkroom = createDarkroom({ endpoint: "https://api.example", token: () => assert.fail("asked") });
  function Gallery() {
    const { uploads } = useUpload(darkroom);
    return createElement("main", null, uploads.length, createElement(Picture, { image, alt: "A boat" }));
  }
  const html = renderToString(createElement(Gallery));
  assert.equal(html.replace(/<picture>.*<\/picture>/, "…"), "<main>0…</main>");
});

const APP = `
import { createElement as h } from "react";
import { createRoot } from "react-dom/client";
import { createDarkroom, DarkroomError } from "./client/darkroom.ts";
import { Picture, useUpload } from "./client/react.ts";
export const sent = [];
export function start(settings) {
  const real = createDarkroom(settings);
  const darkroom = { ...real, upload: async (file, options) => {
    sent.push(file.name);
    const uploaded = await real.upload(file, options);
    if (file.name !== "late.jpg") return uploaded;
    return { id: uploaded.id, ready: Promise.reject(new DarkroomError("still-processing", "Later.", { retryable: true })) };
  } };
  function App() {
    const { uploads, upload, cancel, retry } = useUpload(darkroom, { everywhere: true });
    return h("main", null,
      h("input", { type: "file", multiple: true, onChange: (event) => upload(event.target.files) }),
      uploads.map(({ key, file, status, image, error }) => h("p", { key, id: file.name.split(".")[0], className: status },
        image ? h(Picture, { image, alt: file.name, sizes: "100px" }) : error?.message,
        h("button", { onClick: () => cancel(key) }, "Remove"),
        h("button", { onClick: () => retry(key) }, "Again"))));
  }
  createRoot(document.body.appendChild(document.createElement("div"))).render(h(App));
}`;

test("useUpload takes files from an input to pictures on the page, and says what is wrong with the others", async () => {
  const { outputFiles } = await build({
    stdin: { contents: APP, resolveDir: process.cwd(), loader: "ts" },
    bundle: true,
    format: "iife",
    globalName: "app",
    define: { "process.env.NODE_ENV": '"production"' },
    write: false,
  });
  const data = mkdtempSync(join(tmpdir(), "darkroom-"));
  const stack = await startStack({ port: 0, data, logLevel: "error" });
  const chromium = await startChromium();
  try {
    const { page, problems } = await chromium.open();
    await page.addScriptTag({ content: outputFiles[0]?.text ?? "" });
    await page.evaluate((settings) => {
      // What is pasted in the moment the page shows itself is taken: a drop would otherwise replace the page.
      new MutationObserver((_, observer) => {
        if (!document.querySelector("main")) return;
        observer.disconnect();
        const clipboardData = new DataTransfer();
        clipboardData.items.add(new File(["<html>"], "early.jpg", { type: "image/jpeg" }));
        document.dispatchEvent(new ClipboardEvent("paste", { clipboardData }));
      }).observe(document.body, { childList: true, subtree: true });
      (globalThis as unknown as { app: { start: (settings: object) => void } }).app.start(settings);
    }, settingsOf(stack));
    await page.waitForSelector("#early.failed");
    await page.click("#early button:text('Remove')");
    const buffer = await sharp({ create: { width: 400, height: 300, channels: 3, background: "#1f6f8b" } })
      .jpeg()
      .toBuffer();
    await page.setInputFiles("input", [
      { name: "boat.jpg", mimeType: "image/jpeg", buffer },
      { name: "none.jpg", mimeType: "image/jpeg", buffer: Buffer.from("<html>") },
    ]);
    await page.waitForSelector("#boat.ready img[alt='boat.jpg']");
    await page.waitForSelector("#none.failed");
    assert.match((await page.textContent("#none")) ?? "", /^This is not an image of a format we accept\./);
    await page.click("#none button");
    await page.waitForSelector("#none", { state: "detached" });
    assert.equal(await page.locator("p").count(), 1);

    // S3 has it and only the wait for it was too long: trying again waits on, and sends nothing.
    await page.setInputFiles("input", [{ name: "late.jpg", mimeType: "image/jpeg", buffer }]);
    await page.waitForSelector("#late.failed");
    await page.click("#late button:text('Again')");
    await page.waitForSelector("#late.ready img");
    const sent = await page.evaluate(() => (globalThis as unknown as { app: { sent: string[] } }).app.sent);
    assert.deepEqual(sent, ["early.jpg", "boat.jpg", "none.jpg", "late.jpg"]);
    assert.deepEqual(problems, []);
  } finally {
    await chromium.close();
    await stack.close();
    rmSync(data, { recursive: true, force: true });
  }
});
