/** What an operator does on the page: see what needs attention, try again, re-process, cancel, delete. */
import assert from "node:assert/strict";
import test from "node:test";
import type { Page } from "playwright-core";
import { card, choose, jpeg, openPage, ready, running, violations } from "./page.ts";

const its = running();

/** A row of a list, by a part of what it says, its lines without a space between them. */
const row = (page: Page, list: string, says: RegExp) =>
  page.getByRole("list", { name: list }).getByRole("listitem").filter({ hasText: says }).first();

/** Chooses images by status, looks what a job would do, and starts it. */
async function reprocess(page: Page, status: string, force: boolean): Promise<string> {
  await page.getByLabel("Images").selectOption(status);
  await page.getByLabel("Make everything anew").setChecked(force);
  assert.equal(await page.getByRole("button", { name: "Start" }).count(), 0, "the dry run comes first");
  await page.getByRole("button", { name: "See what it would do" }).click();
  const begin = page.getByRole("button", { name: "Start" });
  await begin.waitFor();
  const said = await page.locator(".job-form .notice p").innerText();
  await begin.click();
  return said;
}

test("what was refused is seen, tried again, re-processed with all the others, and deleted", async () => {
  const { page, problems, close } = await openPage(its);
  await choose(page, await jpeg("boat.jpg"), {
    name: "broken.jpg",
    buffer: Buffer.from("no picture at all"),
  });
  await ready(page, "boat.jpg");
  await card(page, "broken.jpg").getByText("JPEG").waitFor();

  await page.getByRole("link", { name: "Operations" }).click();
  const broken = row(page, "Rejected", /unsupported-format/);
  await broken.waitFor();
  await broken.getByRole("button", { name: "Try again" }).click();
  await row(page, "Jobs", /Done: 1 image1 of 1 · 1 rejected/).waitFor();

  assert.match(await reprocess(page, "all", true), /^2 images, 2 of them to change: \d+ variants, /);
  await row(page, "Jobs", /Done: all images, everything anew2 of 2 · 1 done · 1 rejected/).waitFor();

  await page.getByRole("button", { name: "Look again" }).last().click();
  await row(page, "Webhooks", /image\.ready/).waitFor();
  await row(page, "Webhooks", /image\.rejected/).waitFor();

  await broken.getByRole("button", { name: "Delete" }).click();
  await broken.getByRole("button", { name: "Really?" }).click();
  await broken.waitFor({ state: "detached" });
  const { images } = (await (
    await fetch(`${its.stack.api}/admin/images?status=rejected`, {
      headers: { authorization: `Bearer ${its.stack.adminToken}` },
    })
  ).json()) as { images: unknown[] };
  assert.deepEqual(images, []);
  assert.deepEqual(problems, []);
  await close();
});

test("a job is cancelled", async () => {
  const { page, problems, close } = await openPage(its);
  const files = Array.from({ length: 12 }, (_, n) => jpeg(`${n}.jpg`, { width: 1500, height: 1000 }));
  await choose(page, ...(await Promise.all(files)));
  for (let n = 0; n < 12; n++) await ready(page, `${n}.jpg`);
  await page.getByRole("link", { name: "Operations" }).click();
  await reprocess(page, "all", true);
  await page.getByRole("button", { name: "Cancel job" }).click();
  await row(page, "Jobs", /Cancelled: all images/).waitFor();
  assert.deepEqual(problems, []);
  await close();
});

for (const [look, options] of Object.entries({
  light: { colorScheme: "light" },
  dark: { colorScheme: "dark" },
  phone: { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true },
} as const)) {
  test(`nobody is left out: ${look}`, async () => {
    const { page, problems, close } = await openPage(its, options);
    await choose(page, { name: "broken.jpg", buffer: Buffer.from("no picture at all") });
    await card(page, "broken.jpg").getByText("JPEG").waitFor();
    await page.getByRole("link", { name: "Operations" }).click();
    await row(page, "Rejected", /unsupported-format/).waitFor();
    await row(page, "Jobs", /all images/).waitFor();
    await row(page, "Webhooks", /image\.rejected/).waitFor();
    assert.deepEqual(await violations(page), []);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
    assert.deepEqual(problems, []);
    await close();
  });
}
