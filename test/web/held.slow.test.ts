/**
 * What is not for everybody, on the page and at the CDN: a preset with `hold`, whose pictures whoever judges has with buttons,
 * and one with `access: "private"`, whose owner sees them by URLs that are renewed, or by cookies.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import test from "node:test";
import { PutBucketVersioningCommand } from "@aws-sdk/client-s3";
import { cdnSigner } from "../../adapters/aws/cdn-signer.ts";
import { s3Client } from "../../adapters/aws/s3-store.ts";
import { createDarkroom } from "../../client/node.ts";
import { createToken } from "../../client/server.ts";
import { darkroom as run } from "../cli/darkroom.ts";
import { card, choose, jpeg, openPage, ready, running, violations } from "./page.ts";

const its = running();
const presets = join(its.data, "presets.mjs");
writeFileSync(
  presets,
  `import { defineConfig } from ${JSON.stringify(new URL("../../core/preset.ts", import.meta.url).href)};
  export default defineConfig({ defaultPreset: "photo", presets: { photo: {
    accept: ["jpeg"], hold: true, ladder: { widths: [160, 320], formats: ["webp", "jpeg"] },
  }, scan: {
    accept: ["jpeg"], access: "private", ladder: { widths: [160, 320], formats: ["webp", "jpeg"] },
  } } });`,
);
const SECRET = "of the test that looks at what is not for everybody";
Object.assign(process.env, { DARKROOM_CONFIG: presets, AUTH_SECRET: SECRET });

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

test("a private picture is its owner's: shown, its URLs renewed before they end, and given back", async () => {
  const { page, problems, close } = await openPage(its);
  await page.clock.install();
  await page.getByRole("radio", { name: "scan" }).check();
  const file = await jpeg("scan.jpg");
  await choose(page, file);
  await ready(page, "scan.jpg");
  await card(page, "scan.jpg").getByText("only for you").waitFor();
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    card(page, "scan.jpg").getByRole("button", { name: "Original" }).click(),
  ]);
  assert.equal(download.suggestedFilename(), "scan.jpg");
  assert.deepEqual(readFileSync(await download.path()), file.buffer);

  // An hour later by the page's clock, with the picture on the card and large.
  await card(page, "scan.jpg").getByRole("button", { name: "Show scan.jpg large" }).click();
  let asked = 0;
  const renewed = page.waitForResponse(
    (response) => /\/images\/[a-z0-9]+$/.test(response.url()) && response.ok() && ++asked === 2,
  );
  await page.clock.fastForward("59:00");
  await renewed;
  await page.waitForFunction(() => document.querySelector<HTMLImageElement>("dialog img")?.naturalWidth);
  assert.deepEqual(await violations(page), []);
  assert.deepEqual(problems, []);
  await close();
});

/** As an application's own host has it: the API under the same site as the page. */
async function sameSite() {
  const answer: RequestListener = (request, response) =>
    void (async () => {
      if (request.method !== "POST")
        return response.setHeader("content-type", "text/html").end("<!doctype html>");
      const { authorization = "" } = request.headers;
      const access = await fetch(`${its.stack.api}/access`, { method: "POST", headers: { authorization } });
      return response.setHeader("set-cookie", access.headers.getSetCookie()).end(await access.text());
    })();
  const server = createServer(answer).listen(0);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return { url: `http://localhost:${port}/`, close: () => server.close() };
}

test("a browser with the cookies of `POST /access` is shown its owner's pictures, nobody else's, and none once they have ended", async () => {
  const upload = async (owner: string) => {
    const token = await createToken({ secret: SECRET, owner });
    const darkroom = createDarkroom({ endpoint: its.stack.api, token });
    const { buffer } = await jpeg("scan.jpg");
    const sent = await darkroom.upload(new Blob([new Uint8Array(buffer)], { type: "image/jpeg" }), {
      preset: "scan",
    });
    const [variant = assert.fail()] = (await sent.ready).variants;
    return { token, url: variant.url.replace(/\?.*/, ""), width: variant.width };
  };
  const [ann, bob] = [await upload("ann"), await upload("bob")];
  const host = await sameSite();
  const context = await its.browser.newContext();
  const page = await context.newPage();
  await page.goto(host.url);
  /** Width of the picture as an `<img>` of this page shows it; 0 where it does not. */
  const shows = (url: string) =>
    page.evaluate(
      (src) =>
        new Promise<number>((resolve) => {
          const img = new Image();
          img.onload = () => resolve(img.naturalWidth);
          img.onerror = () => resolve(0);
          img.src = src;
        }),
      url,
    );
  assert.equal(await shows(ann.url), 0, "without cookies");
  const { prefix } = await page.evaluate(async (token) => {
    const answer = await fetch("/access", { method: "POST", headers: { authorization: `Bearer ${token}` } });
    return (await answer.json()) as { prefix: string };
  }, ann.token);
  assert.deepEqual([await shows(ann.url), await shows(bob.url)], [ann.width, 0]);
  assert.equal(await page.evaluate(() => document.cookie), "", "no script reads them");

  // The same cookies, by the stack's own key, of an hour that is over.
  const sign = cdnSigner(its.stack.env["CDN_KEY_ID"], its.stack.env["CDN_PRIVATE_KEY"]) ?? assert.fail();
  const cookies = await context.cookies(prefix);
  const over = sign(`${prefix}*`, new Date(Date.now() - 1000));
  const ended = cookies.map((one) => ({ ...one, value: over.cookies[one.name] ?? "" }));
  assert.equal(ended.length, 3);
  await context.addCookies(ended);
  assert.equal(await shows(`${ann.url}?again`), 0, "ended");
  await context.addCookies(cookies);
  assert.equal(await shows(`${ann.url}?once-more`), ann.width);
  await context.close();
  host.close();
});

test("a delete is taken back: what was private is private and opens, what was held waits, and is released", async () => {
  const s3 = s3Client({ forcePathStyle: true });
  for (const Bucket of [its.stack.env["UPLOADS_BUCKET"], its.stack.env["MEDIA_BUCKET"]])
    await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Enabled" } }));
  s3.destroy();
  const env = { DARKROOM_DATA: its.data };
  const token = await createToken({ secret: SECRET, owner: "eve" });
  const eve = createDarkroom({ endpoint: its.stack.api, token });
  const bytes = new Blob([new Uint8Array((await jpeg("x.jpg")).buffer)], { type: "image/jpeg" });
  const took = async (preset: string) => {
    const { id, ready } = await eve.upload(bytes, { preset });
    const was = await ready.catch(({ code }: { code: string }) => assert.equal(code, "held"));
    await eve.remove(id);
    const back = await run(["undelete", id], { env });
    assert.equal(back.status, 0, back.err);
    return { id, was };
  };
  const scan = await took("scan");
  const is = await eve.waitUntilReady(scan.id);
  const plain = (urls: typeof is.variants = []) => urls.map(({ url }) => url.replace(/\?.*/, ""));
  assert.deepEqual([is.access, plain(is.variants)], ["private", plain(scan.was?.variants)]);
  for (const { url } of is.variants) {
    assert.equal((await fetch(url)).status, 200);
    assert.equal((await fetch(url.replace(/\?.*/, ""))).status, 403);
  }

  const photo = await took("photo");
  const headers = { authorization: `Bearer ${its.stack.adminToken}` };
  // Its worker is at it, or has been: until then it cannot be released.
  const release = () => fetch(`${its.stack.api}/images/${photo.id}/release`, { method: "POST", headers });
  let answer = await release();
  while (answer.status === 503) answer = await release();
  assert.equal(answer.status, 200);
  for (const { url } of (await eve.waitUntilReady(photo.id)).variants)
    assert.equal((await fetch(url)).status, 200);
});
