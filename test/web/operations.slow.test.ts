/** What an operator does on the page: see what needs attention, try again, re-process, cancel, delete. */
import assert from "node:assert/strict";
import test from "node:test";
import type { Page } from "playwright-core";
import { createDarkroom } from "../../client/node.ts";
import { createToken } from "../../client/server.ts";
import { card, choose, jpeg, openPage, ready, running, violations } from "./page.ts";

const SECRET = "of the test that looks at operations";
process.env["AUTH_SECRET"] = SECRET;
/** While there is one, no worker comes to an end. */
let gate: Promise<void> | undefined;
const its = running(async ({ method, key }) => {
  if (method === "PUT" && key?.startsWith("images/")) await gate;
  return undefined;
});

/** A row of a list, by a part of what it says, its lines without a space between them. */
const row = (page: Page, list: string, says: RegExp) =>
  page.getByRole("list", { name: list }).getByRole("listitem").filter({ hasText: says }).first();

/** Looks until the receiver has been told of it. */
async function told(page: Page, says: RegExp): Promise<void> {
  while (!(await row(page, "Webhooks", says).isVisible())) {
    const looked = page.waitForResponse(/\/webhooks\.json$/);
    await page.getByRole("button", { name: "Look again" }).last().click();
    await looked;
  }
}

/** Chooses images by status, looks what a job would do, and starts it. */
async function reprocess(page: Page, status: string, force: boolean): Promise<string> {
  await page.getByRole("region", { name: "Re-process" }).getByLabel("Images").selectOption(status);
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

  await told(page, /image\.ready/);
  await told(page, /image\.rejected/);

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

test("anybody's images are found, given back, and all of an owner's erased", async () => {
  const token = await createToken({ secret: SECRET, owner: "ann", ref: "order 7" });
  const darkroom = createDarkroom({ endpoint: its.stack.api, token });
  const { buffer } = await jpeg("hers.jpg");
  const file = new File([new Uint8Array(buffer)], "hers.jpg", { type: "image/jpeg" });
  for (const ref of ["slot 1", "slot 2"]) await (await darkroom.upload(file, { ref })).ready;

  const { page, problems, close } = await openPage(its);
  await page.getByRole("link", { name: "Operations" }).click();
  const find = page.getByRole("region", { name: "Find" });
  await find.getByLabel("Owner").fill("ann");
  await find.getByLabel("Reference").fill("slot 2");
  await find.getByRole("button", { name: "Find" }).click();
  const found = find.getByRole("list", { name: "Found" }).getByRole("listitem");
  await found.filter({ hasText: /hers\.jpg ready.*photo · .* · ann · order 7 · slot 2/s }).waitFor();
  assert.equal(await found.count(), 1);
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    found.getByRole("button", { name: "Original" }).click(),
  ]);
  assert.equal(download.suggestedFilename(), "hers.jpg");
  await find.getByLabel("Reference").fill("");
  await find.getByRole("button", { name: "Find" }).click();
  await found.nth(1).waitFor();
  assert.deepEqual(await violations(page), []);
  await found.first().getByRole("button", { name: "Delete" }).click();
  await found.first().getByRole("button", { name: "Really?" }).click();
  await found.nth(1).waitFor({ state: "detached" });

  const erase = page.getByRole("region", { name: "Erase" });
  await erase.getByLabel("Whose images").fill("ann");
  await erase.getByText("darkroom erased ann").waitFor();
  await erase.getByRole("button", { name: "See what would go" }).click();
  await erase.getByText(/^1 image to delete, \d/).waitFor();
  await erase.getByRole("button", { name: "Delete them" }).click();
  await erase.getByRole("button", { name: "Really?" }).click();
  await row(page, "Jobs", /Done: all images of ann before .*, to delete1 of 1 · 1 done/).waitFor();
  await find.getByRole("button", { name: "Find" }).click();
  await find.getByText("Nothing fits.").waitFor();
  assert.deepEqual((await darkroom.list()).images, []);
  assert.deepEqual(problems, []);
  await close();
});

test("a job is cancelled", async () => {
  const { page, problems, close } = await openPage(its);
  await choose(page, await jpeg("again.jpg"));
  await ready(page, "again.jpg");
  await page.getByRole("link", { name: "Operations" }).click();
  const { promise, resolve } = Promise.withResolvers<void>();
  gate = promise;
  await reprocess(page, "all", true);
  await page.getByRole("button", { name: "Cancel job" }).click();
  await row(page, "Jobs", /Cancelled: all images/).waitFor();
  resolve();
  gate = undefined;
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
    await told(page, /image\.rejected/);
    assert.deepEqual(await violations(page), []);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
    assert.deepEqual(problems, []);
    await close();
  });
}
