/** A preset with `hold`, on the page: whoever uploads is told, nobody sees it, and whoever judges has it with buttons. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { card, choose, jpeg, openPage, running, violations } from "./page.ts";

const its = running();
const presets = join(its.data, "presets.mjs");
writeFileSync(
  presets,
  `import { defineConfig } from ${JSON.stringify(new URL("../../core/preset.ts", import.meta.url).href)};
  export default defineConfig({ defaultPreset: "photo", presets: { photo: {
    accept: ["jpeg"], hold: true, ladder: { widths: [160, 320], formats: ["webp", "jpeg"] },
  } } });`,
);
process.env["DARKROOM_CONFIG"] = presets;

interface Held {
  readonly id: string;
  readonly status: string;
  readonly variants: readonly { readonly url: string }[];
  readonly error?: { readonly code: string; readonly message: string };
}

test("what is held is seen by whoever judges, released to everybody, or rejected with a reason", async () => {
  const { page, problems, close } = await openPage(its);
  const ask = async <T>(path: string, token = its.stack.adminToken) =>
    (await (
      await fetch(its.stack.api + path, { headers: { authorization: `Bearer ${token}` } })
    ).json()) as T;
  for (const name of ["boat.jpg", "tree.jpg"]) {
    await choose(page, await jpeg(name));
    await card(page, name).getByText("once somebody has looked at it").waitFor();
  }
  const { images } = await ask<{ images: { id: string }[] }>("/admin/images?status=held");
  const [first = "", second = ""] = images.map(({ id }) => id);
  const seen = await ask<Held>(`/images/${first}`);
  assert.equal(seen.variants.length, 4);
  for (const { url } of seen.variants) assert.equal((await fetch(url)).status, 200);
  assert.deepEqual((await ask<Held>(`/images/${first}`, its.stack.uploadToken)).variants, []);

  await page.getByRole("link", { name: "Operations" }).click();
  const row = (id: string) =>
    page.getByRole("list", { name: "Held" }).getByRole("listitem").filter({ hasText: id });
  await row(first).getByRole("img").waitFor();
  // Loaded, and by what the page's own policy lets it load.
  await page.waitForFunction(() =>
    [...document.querySelectorAll<HTMLImageElement>("[aria-label=Held] img")].every(
      (img) => img.naturalWidth > 0,
    ),
  );
  assert.deepEqual(await violations(page), []);
  await page.getByText("Nobody has been counted yet").waitFor();
  await its.stack.invoke("sweep", { begin: true });
  await page.reload();
  await page.getByRole("link", { name: "Operations" }).click();
  await page.getByRole("table").getByRole("cell", { name: "2", exact: true }).first().waitFor();
  assert.deepEqual(await violations(page), []);
  await row(first).getByRole("button", { name: "Release" }).click();
  await row(first).waitFor({ state: "detached" });
  await row(second).getByRole("textbox").fill("A photo of yourself, please.");
  await row(second).getByRole("button", { name: "Reject" }).click();
  await row(second).waitFor({ state: "detached" });

  const released = await ask<Held>(`/images/${first}`, its.stack.uploadToken);
  assert.equal(released.status, "ready");
  for (const { url } of released.variants) assert.equal((await fetch(url)).status, 200);
  const { status, error } = await ask<Held>(`/images/${second}`, its.stack.uploadToken);
  assert.deepEqual(
    [status, error],
    ["rejected", { code: "not-allowed", message: "A photo of yourself, please." }],
  );
  assert.deepEqual(problems, []);
  await close();
});
