/** The page in a real Chromium, against the whole local stack: what a person does there. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test, { afterEach } from "node:test";
import type { BrowserContextOptions, Page } from "playwright-core";
import { card, choose, copied, jpeg, type OpenPage, openPage, ready, running, violations } from "./page.ts";

const its = running();
let opened: OpenPage;
const open = async (options?: BrowserContextOptions): Promise<Page> => {
  opened = await openPage(its, options);
  return opened.page;
};
afterEach(() => opened.close());

/** Of the displayed picture. */
const shown = (page: Page, name: string) =>
  card(page, name)
    .locator(".developed img")
    .evaluate((img: HTMLImageElement) => ({
      width: img.naturalWidth,
      height: img.naturalHeight,
      source: img.currentSrc,
    }));

const LOOKS: Record<string, BrowserContextOptions> = {
  light: { colorScheme: "light" },
  dark: { colorScheme: "dark" },
  phone: { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true },
};

test("the page may load and reach what it needs, and nothing else", async () => {
  opened = await openPage(its);
  const page = await fetch(its.stack.page);
  const header = (name: string) => page.headers.get(name) ?? "";
  const policy = new Map(
    header("content-security-policy")
      .split("; ")
      .map((one) => one.split(/ (.*)/) as [string, string]),
  );
  assert.equal(policy.get("default-src"), "'none'");
  assert.equal(policy.get("script-src"), "'self'");
  assert.equal(policy.get("connect-src"), `'self' ${its.stack.api} ${its.stack.s3}`);
  assert.deepEqual([header("x-content-type-options"), header("referrer-policy")], ["nosniff", "no-referrer"]);
  const [, script = ""] = /<script[^>]* src="\.\/([^"]+)"/.exec(await page.text()) ?? [];
  const loaded = await fetch(`${its.stack.page}/${script}`);
  assert.match(loaded.headers.get("cache-control") ?? "", /immutable/);
  assert.match(loaded.headers.get("content-type") ?? "", /^text\/javascript/);
  for (const path of ["/main.tsx", "/..%2fpackage.json", "/assets/", "/nothing"])
    assert.equal((await fetch(its.stack.page + path)).status, 404, path);
});

for (const [look, options] of Object.entries(LOOKS)) {
  test(`nobody is left out of the empty page: ${look}`, async () => {
    const page = await open(options);
    assert.deepEqual(await violations(page), []);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
    assert.deepEqual(opened.problems, []);
  });
}

test("a photo is developed, shown as AVIF, its markup and metadata copied, there after a reload, and removed", async () => {
  const page = await open();
  await choose(page, await jpeg("boat.jpg", { bytes: 100_000 }));
  await ready(page, "boat.jpg");
  const { source } = await shown(page, "boat.jpg");
  assert.equal((await fetch(source)).headers.get("content-type"), "image/avif");
  const boat = card(page, "boat.jpg");
  const style = (selector: string, property: "backgroundImage" | "transitionDuration") =>
    boat.locator(selector).evaluate((element, name) => getComputedStyle(element)[name], property);
  assert.match(await style(".developed", "backgroundImage"), /^url\("data:image\/png/);
  assert.equal(await style(".developed img", "transitionDuration"), "0.6s");
  await page.emulateMedia({ reducedMotion: "reduce" });
  assert.equal(await style(".developed img", "transitionDuration"), "0s");

  assert.match(await boat.getByRole("row", { name: "AVIF" }).innerText(), /AVIF\s+\d+\sbytes\s+−99\s%/);

  await boat.getByRole("button", { name: "Copy markup" }).click();
  await copied(page, /^<picture><source type="image\/avif" srcset="http.*alt="boat"/);
  await boat.getByRole("button", { name: "Copy URL" }).click();
  assert.equal((await fetch(await copied(page, /^http/))).headers.get("content-type"), "image/jpeg");
  await boat.getByRole("button", { name: "Copy JSON" }).click();
  const { id, source: about } = JSON.parse(await copied(page, /^\{/));
  assert.deepEqual([about.width, about.height, about.bytes], [700, 500, 100_000]);

  await page.reload();
  await page.getByRole("heading", { name: "Earlier" }).waitFor();
  const earlier = page.getByRole("listitem").filter({ hasText: "700 × 500" });
  await earlier.getByRole("button", { name: "Remove" }).click();
  await earlier.getByRole("button", { name: "Really?" }).click();
  await earlier.waitFor({ state: "detached" });
  const gone = await fetch(`${its.stack.api}/images/${id}`, {
    headers: { authorization: `Bearer ${its.stack.uploadToken}` },
  });
  assert.equal(gone.status, 410);
  assert.deepEqual(opened.problems, []);
});

test("a photo taken upright is shown upright, an animation moves", async () => {
  const page = await open();
  const gif = readFileSync("test/images/valid/anim.gif");
  await choose(page, await jpeg("upright.jpg", { width: 600, height: 400, orientation: 6 }), {
    name: "wave.gif",
    buffer: gif,
  });
  await ready(page, "upright.jpg");
  const upright = await shown(page, "upright.jpg");
  assert.ok(upright.width < upright.height, JSON.stringify(upright));
  await ready(page, "wave.gif");
  assert.match((await shown(page, "wave.gif")).source, /\.webp$/);
  assert.match(await card(page, "wave.gif").getByRole("table").innerText(), /JPEG still/);
  assert.deepEqual(opened.problems, []);
});

for (const [look, options] of Object.entries(LOOKS)) {
  test(`nobody is left out of the page with pictures, refusals and one large: ${look}`, async () => {
    const page = await open(options);
    await page.getByRole("heading", { name: "Earlier" }).waitFor();
    await choose(page, await jpeg("a rather long name of a picture that was taken at the lake.jpg"), {
      name: "empty.jpg",
      buffer: Buffer.alloc(0),
    });
    await ready(page, "a rather long name of a picture that was taken at the lake.jpg");
    assert.deepEqual(await violations(page), []);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
    await page.getByRole("button", { name: "at the lake.jpg large" }).click();
    await page.getByRole("dialog").waitFor();
    assert.deepEqual(await violations(page), []);
    assert.deepEqual(opened.problems, []);
  });
}

test("files that are refused say why and what to do, and do not hold up the others", async () => {
  const page = await open();
  const text = Buffer.from("This is no picture.");
  await choose(
    page,
    { name: "renamed.jpg", buffer: text },
    { name: "notes.txt", buffer: text },
    { name: "empty.png", buffer: Buffer.alloc(0) },
    await jpeg("large.jpg", { bytes: 25_000_001 }),
    await jpeg("good.jpg"),
  );
  const says = async (name: string, sentence: RegExp) => {
    await card(page, name).locator(".problem").waitFor();
    assert.match(await card(page, name).locator(".problem").innerText(), sentence);
    assert.equal(await card(page, name).getByRole("button", { name: "Try again" }).count(), 0);
  };
  await says("renamed.jpg", /not an image of a format we accept\.\s+Its content is what counts.*JPEG, PNG/);
  await says("notes.txt", /^Files of this type are not accepted\.\s+Choose JPEG, .* or HEIC\.$/);
  await says("empty.png", /^The file is empty\.\s+Perhaps it is still being copied/);
  await says("large.jpg", /^The file is larger than allowed\.\s+Up to 25\sMB/);
  await ready(page, "good.jpg");
  // The API's two refusals, which browsers report without being asked.
  assert.equal(opened.problems.length, 2);
  for (const problem of opened.problems) assert.match(problem, /status of 422/);
});
