/** Every way into the page: many at once, dropped, pasted, by keyboard, and with an API that is elsewhere. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { afterEach, beforeEach } from "node:test";
import type { Page } from "playwright-core";
import { card, choose, copied, jpeg, type OpenPage, openPage, ready, running, violations } from "./page.ts";

const its = running();
let opened: OpenPage;
let page: Page;
beforeEach(async () => {
  opened = await openPage(its);
  page = opened.page;
});
afterEach(() => opened.close());

test("a folder that is dropped is sent whole, but for hidden files", async () => {
  const folder = join(its.data, "holiday");
  mkdirSync(join(folder, "day 2"), { recursive: true });
  const { buffer } = await jpeg("");
  writeFileSync(join(folder, "one.jpg"), buffer);
  writeFileSync(join(folder, "day 2", "two.jpg"), buffer);
  writeFileSync(join(folder, ".hidden.jpg"), buffer);
  const devtools = await page.context().newCDPSession(page);
  for (const type of ["dragEnter", "dragOver", "drop"] as const) {
    await devtools.send("Input.dispatchDragEvent", {
      type,
      x: 200,
      y: 200,
      data: { items: [], files: [folder], dragOperationsMask: 1 },
    });
    if (type === "dragOver") await page.getByText("Drop to upload").waitFor();
  }
  await ready(page, "one.jpg");
  await ready(page, "two.jpg");
  assert.equal(await page.getByText("hidden").count(), 0);
  assert.equal(await page.getByText("Drop to upload").count(), 0);
  assert.deepEqual(opened.problems, []);
});

test("a picture that is pasted is sent with the preset that is chosen", async () => {
  const { buffer } = await jpeg("");
  await page.getByRole("radio", { name: "avatar" }).check();
  await page.evaluate((base64) => {
    const clipboardData = new DataTransfer();
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    clipboardData.items.add(new File([bytes], "image.jpg", { type: "image/jpeg" }));
    dispatchEvent(new ClipboardEvent("paste", { clipboardData }));
  }, buffer.toString("base64"));
  await ready(page, "image.jpg");
  await page.getByRole("button", { name: "Show image.jpg large" }).click();
  assert.equal(
    await page
      .getByRole("dialog")
      .getByRole("link", { name: /^(small|large)\./ })
      .count(),
    6,
  );
  assert.deepEqual(opened.problems, []);
});

test("a picture that is pasted in the moment the page shows itself is taken", async () => {
  const { buffer } = await jpeg("");
  await page.addInitScript((base64) => {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    new MutationObserver((_, observer) => {
      if (!document.querySelector("h1")) return;
      observer.disconnect();
      const clipboardData = new DataTransfer();
      clipboardData.items.add(new File([bytes], "early.jpg", { type: "image/jpeg" }));
      dispatchEvent(new ClipboardEvent("paste", { clipboardData }));
    }).observe(document, { childList: true, subtree: true });
  }, buffer.toString("base64"));
  await page.reload();
  await ready(page, "early.jpg");
  assert.deepEqual(opened.problems, []);
});

test("all of it works without a mouse", async () => {
  const press = async (...keys: string[]) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  const focused = () =>
    page.evaluate(() => document.activeElement?.ariaLabel ?? document.activeElement?.textContent ?? "");
  // Past the tabs, however many there are.
  const atChooser = () => page.evaluate(() => document.activeElement?.matches("input[type=file]") ?? false);
  // Asked for before the keys: the browser has to be told to hand the dialog over, which takes it a moment.
  const chooser = page.waitForEvent("filechooser");
  for (let tabs = 0; tabs < 6 && !(await atChooser()); tabs++) await press("Tab");
  assert(await atChooser());
  await press("Space");
  const files = [await jpeg("first.jpg"), await jpeg("second.jpg")];
  await (await chooser).setFiles(files.map((file) => ({ ...file, mimeType: "image/jpeg" })));
  await ready(page, "first.jpg");
  await ready(page, "second.jpg");

  // Past the presets.
  await press("Tab", "Tab");
  assert.equal(await focused(), "Show first.jpg large");
  await press("Enter");
  await page.getByRole("dialog").waitFor();
  assert.equal(await focused(), "Edit");
  await press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.equal(await focused(), "Show first.jpg large");

  await press("Tab", "Enter");
  await copied(page, /^<picture>.*alt="first"/);
  await page
    .getByRole("status")
    .filter({ hasText: /^Copied\.$/ })
    .waitFor();
  // Past the other buttons, however many there are.
  for (let tabs = 0; tabs < 6 && !/^Remove/.test(await focused()); tabs++) await press("Tab");
  await press("Enter", "Enter");
  await card(page, "first.jpg").waitFor({ state: "detached" });
  // On the card that was beside it.
  assert.equal(await focused(), "Show second.jpg large");
  assert.deepEqual(opened.problems, []);
});

test("sixty at once all become ready, and a screen reader is told so a few times only", async () => {
  await page.evaluate(() => {
    const said: { text: string; at: number }[] = [];
    const previews = new Set<string>();
    Object.assign(globalThis, { said, previews });
    const { createObjectURL, revokeObjectURL } = URL;
    URL.createObjectURL = (blob) => {
      const url = createObjectURL.call(URL, blob);
      previews.add(url);
      return url;
    };
    URL.revokeObjectURL = (url) => {
      previews.delete(url);
      revokeObjectURL.call(URL, url);
    };
    const announcer = document.querySelector("[role=status]") as HTMLElement;
    new MutationObserver(() => said.push({ text: announcer.innerText, at: performance.now() })).observe(
      announcer,
      { childList: true },
    );
  });
  const files = Array.from({ length: 60 }, (_, i) => jpeg(`${i}.jpg`, { width: 20 + i, height: 20 }));
  await choose(page, ...(await Promise.all(files)));
  await page.getByRole("status").filter({ hasText: "60 of 60 images ready." }).waitFor();
  const { said, previews } = await page.evaluate(() => {
    const { said, previews } = globalThis as unknown as {
      said: { text: string; at: number }[];
      previews: Set<string>;
    };
    return { said, previews: previews.size };
  });
  assert.equal(previews, 0, "the files' previews are let go");
  assert.equal(said[0]?.text, "60 files added.");
  // Every ten seconds, however long it takes here; a millisecond may be lost between the telling and the hearing.
  const gaps = said.slice(2).map(({ at }, i) => at - (said[i + 1]?.at ?? Number.NaN));
  assert.ok(
    gaps.every((ms) => ms >= 9900),
    JSON.stringify(said),
  );
  assert.equal(await page.getByRole("complementary", { name: "All uploads" }).count(), 0);
  assert.deepEqual(opened.problems, []);

  await page.reload();
  await page.getByRole("button", { name: "Show more" }).click();
  await page.waitForFunction(() => document.querySelectorAll(".card").length === 48);
});

test("a thousand at once leave the page quick, and all can be cancelled", async () => {
  // In seconds of the page's own thread: by the clock a loaded machine would be the page's fault.
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Performance.enable", { timeDomain: "threadTicks" });
  await choose(
    page,
    ...Array.from({ length: 1000 }, (_, i) => ({ name: `${i}.jpg`, buffer: Buffer.from(`${i}`) })),
  );
  const all = page.getByRole("complementary", { name: "All uploads" });
  await all.getByText(/^\d+ of 1,000 images ready/).waitFor();
  assert.equal(await page.getByRole("region", { name: "New" }).getByRole("listitem").count(), 1000);
  await page.getByRole("button", { name: /^Cancel \d+$/ }).click();
  await page.getByRole("button", { name: /^Cancel \d+$/ }).waitFor({ state: "detached" });
  const { metrics } = await devtools.send("Performance.getMetrics");
  const busy = metrics.find(({ name }) => name === "TaskDuration")?.value ?? Number.NaN;
  // 1.6 to 2 s here, however loaded.
  assert.ok(busy < 8, `busy for ${busy} s`);
});

test("where no local stack answers, the page asks for an API and a token, and forgets them when told to", async () => {
  await page.route("**/local.json", (route) =>
    route.fulfill({ contentType: "text/html", body: "<!doctype html>" }),
  );
  await page.reload();
  await page.getByLabel("Address of the API").fill(its.stack.api);
  // Its time is up: what is chosen meanwhile waits, and goes on with the next one.
  await page.getByLabel("Token").fill("of-yesterday");
  assert.deepEqual(await violations(page), []);
  await page.getByRole("button", { name: "Connect" }).click();
  await choose(page, await jpeg("far.jpg"));
  await page.getByRole("alert").filter({ hasText: "does not accept the token" }).waitFor();
  await card(page, "far.jpg").waitFor();
  assert.deepEqual(await violations(page), []);
  await page.getByLabel("New token").fill(its.stack.uploadToken);
  await page.getByRole("button", { name: "Go on" }).click();
  await ready(page, "far.jpg");
  await page.getByRole("alert").waitFor({ state: "detached" });
  // The one complaint that browsers make of every 401.
  opened.problems.splice(0, opened.problems.length, ...opened.problems.filter((text) => !/ 401 /.test(text)));
  await page.reload();
  await page.getByRole("heading", { name: "Earlier" }).waitFor();
  assert.equal(await page.evaluate(() => localStorage.length), 0);
  await page.getByRole("button", { name: "Disconnect" }).click();
  await page.reload();
  assert.equal(await page.getByLabel("Token").inputValue(), "");
  assert.deepEqual(opened.problems, []);
});
