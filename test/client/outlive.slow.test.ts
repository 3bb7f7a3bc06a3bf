/** Uploads whose tab is closed in the middle, in a real Chromium: a service worker goes on, and gives way to a page. */
import assert from "node:assert/strict";
import test, { afterEach, beforeEach } from "node:test";
import { ListObjectsV2Command } from "@aws-sdk/client-s3";
import type { BrowserContext, Page } from "playwright-core";
import sharp from "sharp";
import { createDarkroom } from "../../client/node.ts";
import { load, settingsOf } from "./chromium.ts";
import { arrived, running } from "./running.ts";

let context: BrowserContext;
let page: Page;
/** Bodies that came to S3, by part number, 0 for whole files: as many as began, and those that it took. */
let begun: number[] = [];
/** S3 does not answer for these until they are let through. */
let held = new Map<number, Promise<void>>();
const told = new Set<() => void>();

const its = running({
  s3Fault: async ({ method, query, key = "" }) => {
    if (method !== "PUT" || !key.startsWith("originals/")) return undefined;
    const part = Number(query.get("partNumber") ?? 0);
    begun.push(part);
    for (const look of told) look();
    await held.get(part);
    return undefined;
  },
});
beforeEach(async () => {
  begun = [];
  held = new Map();
  ({ context, page } = await its.chromium.open());
  await prepare(page);
  await page.evaluate(async () => {
    await navigator.serviceWorker.register("/service-worker.js");
    await navigator.serviceWorker.ready;
  });
});
afterEach(() => context.close());

const prepare = (tab: Page) =>
  tab.evaluate((settings) => void Object.assign(globalThis, { settings }), settingsOf(its.stack));

/** Resolves once so many bodies have begun to come for a part. */
const came = (part: number, times = 1) =>
  new Promise<void>((resolve) => {
    const look = () => {
      if (begun.filter((one) => one === part).length < times) return;
      told.delete(look);
      resolve();
    };
    told.add(look);
    look();
  });
function hold(part: number): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  held.set(part, promise);
  return resolve;
}

/** Begins an upload of a picture of so many bytes, with whatever decoders ignore after its end. Resolves with its image's id. */
async function begin(bytes: number): Promise<string> {
  const picture = await sharp({ create: { width: 64, height: 48, channels: 3, background: "#1f6f8b" } })
    .jpeg()
    .toBuffer();
  return page.evaluate(
    async ({ base64, bytes }) => {
      const picture = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
      const rest = new Uint8Array(bytes - picture.length);
      const file = new File([picture, rest], "a.jpg", { type: "image/jpeg" });
      const { onState, ...kept } = await client.resumable(file, { list: "mine" });
      return new Promise<string>((resolve) => {
        const options = {
          ...kept,
          onState: async (state: Parameters<NonNullable<typeof onState>>[0]) => {
            await onState?.(state);
            if (state) resolve(state.id);
          },
        };
        // Left alone: the page will be gone before it ends.
        client
          .createDarkroom(settings)
          .upload(file, options)
          .catch(() => {});
      });
    },
    { base64: picture.toString("base64"), bytes },
  );
}

/** Closes the tab, whose upload a worker waits for. */
async function leave(): Promise<void> {
  await page.waitForFunction(async () => ((await navigator.locks.query()).pending ?? []).length > 0);
  await page.close();
  assert.equal(context.pages().length, 0);
}

/** Asked by somebody else than the browser, until it is there. */
async function ready(id: string): Promise<void> {
  const { waitUntilReady } = createDarkroom(settingsOf(its.stack));
  for (;;) {
    // Not when the API says, which is after 14 s for 17 MB of padding.
    const image = await waitUntilReady(id, { timeout: 0 }).catch((error: { code?: string }) => {
      if (!["not-found", "still-processing"].includes(error.code ?? "")) throw error;
    });
    if (image) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function originals(): Promise<number> {
  const { Contents = [] } = await its.s3.send(
    new ListObjectsV2Command({ Bucket: its.stack.env["UPLOADS_BUCKET"] ?? "", Prefix: "originals/" }),
  );
  return Contents.length;
}

for (const [what, bytes, last] of [
  ["a file in parts", 17_000_000, 3],
  ["a whole file", 300_000, 0],
] as const) {
  test(`${what} becomes ready when its tab was closed in the middle, without any page`, async () => {
    const before = await originals();
    const letThrough = hold(last);
    const id = await begin(bytes);
    await came(last);
    await leave();
    await came(last, 2);
    letThrough();
    await ready(id);
    assert.equal(await originals(), before + 1);
    // And nothing is left for the next visit.
    page = await context.newPage();
    await load(page, its.chromium.url);
    await page.waitForFunction(async () => (await navigator.locks.query()).held?.length === 0);
    assert.deepEqual(await page.evaluate(() => client.unfinished()), []);
    assert.equal(await originals(), before + 1);
  });
}

test("a page that comes while the worker is at it brings nothing to S3 twice", async () => {
  const before = await originals();
  const letThrough = hold(3);
  const both = Promise.all([arrived(page, 1), arrived(page, 2)]);
  const id = await begin(17_000_000);
  await Promise.all([both, came(3)]);
  await leave();
  await came(3, 2);
  page = await context.newPage();
  await load(page, its.chromium.url);
  await prepare(page);
  await page.evaluate(() =>
    client.takeOver("mine", ({ file, options }) => {
      // Left alone: where the worker was faster, there is nothing to take over.
      client
        .createDarkroom(settings)
        .upload(file, options)
        .catch(() => {});
    }),
  );
  letThrough();
  await ready(id);
  assert.equal(await originals(), before + 1);
  await page.waitForFunction(async () => (await navigator.locks.query()).held?.length === 0);
  assert.deepEqual(await page.evaluate(() => client.unfinished()), []);
});
