/** The page on a bad day: slow networks, cut connections, reloads. */
import assert from "node:assert/strict";
import test, { after, afterEach, before, beforeEach } from "node:test";
import { ListMultipartUploadsCommand, ListObjectsV2Command, type S3Client } from "@aws-sdk/client-s3";
import type { Page } from "playwright-core";
import { s3Client } from "../../adapters/aws/s3-store.ts";
import { hurry } from "../browsers/tab.ts";
import { arrived } from "../client/running.ts";
import { card, choose, jpeg, type OpenPage, openPage, ready, running, violations } from "./page.ts";

let s3: S3Client;
let opened: OpenPage;
let page: Page;
/** Whether S3 is too busy for parts with this number. */
let busy: (part: number) => boolean = () => false;
let parts: number[] = [];
/** Whether S3 takes no file at all. */
let denied = false;
const its = running(({ method, query }) => {
  if (method !== "PUT") return undefined;
  const part = Number(query.get("partNumber") ?? 0);
  if (part === 0) return denied ? { status: 403, code: "AccessDenied" } : undefined;
  parts.push(part);
  return busy(part) ? { status: 503, code: "SlowDown" } : undefined;
});
before(() => {
  s3 = s3Client({ forcePathStyle: true });
});
after(() => s3?.destroy());
beforeEach(async () => {
  busy = () => false;
  parts = [];
  denied = false;
  opened = await openPage(its);
  page = opened.page;
});
afterEach(() => opened.close());

/** Says how the network is from now on: bytes a second upwards, -1 for no limit, 0 for none at all. */
async function network(): Promise<(uploadThroughput: number) => Promise<void>> {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Network.enable");
  return async (uploadThroughput) => {
    await devtools.send("Network.emulateNetworkConditions", {
      offline: uploadThroughput === 0,
      latency: 0,
      downloadThroughput: -1,
      uploadThroughput,
    });
  };
}

const Bucket = () => its.stack.env["UPLOADS_BUCKET"] ?? "";
async function originals(): Promise<(number | undefined)[]> {
  const { Contents = [] } = await s3.send(
    new ListObjectsV2Command({ Bucket: Bucket(), Prefix: "originals/" }),
  );
  return Contents.map(({ Size }) => Size);
}
async function openUploads(): Promise<number> {
  const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket: Bucket() }));
  return Uploads.length;
}
/** Resolves when the file's progress bar is somewhere between its ends. */
const underWay = (name: string) =>
  page.waitForFunction((label) => {
    const bar = document.querySelector<HTMLProgressElement>(`progress[aria-label="${label}"]`);
    return bar?.hasAttribute("value") && bar.position > 0 && bar.position < 1;
  }, `Upload of ${name}`);

test("on a slow network the bar moves, and another file can be cancelled without a trace", async () => {
  const before = (await originals()).length;
  await (await network())(300_000);
  await choose(
    page,
    await jpeg("slow.jpg", { bytes: 200_000 }),
    await jpeg("unwanted.jpg", { bytes: 4_000_000 }),
  );
  await underWay("slow.jpg");
  assert.deepEqual(await violations(page), []);
  // The file itself is to be seen meanwhile.
  const preview = card(page, "slow.jpg").getByRole("presentation");
  assert.equal(await preview.evaluate((img: HTMLImageElement) => img.naturalWidth), 700);
  await card(page, "unwanted.jpg").getByRole("button", { name: "Cancel" }).click();
  await card(page, "unwanted.jpg").waitFor({ state: "detached" });
  await ready(page, "slow.jpg");
  assert.equal((await originals()).length, before + 1);
  // Nor does it come back.
  await page.reload();
  await page.getByRole("heading", { name: "Earlier" }).waitFor();
  assert.equal(await page.getByText("unwanted.jpg").count(), 0);
  assert.deepEqual(opened.problems, []);
});

test("what fails through nobody's fault can be tried again, one by one or all", async () => {
  denied = true;
  const names = ["one.jpg", "two.jpg", "three.jpg"];
  await choose(page, ...(await Promise.all(names.map((name) => jpeg(name)))));
  for (const name of names) await card(page, name).getByText("The storage refused the file.").waitFor();
  denied = false;
  await card(page, "one.jpg").getByRole("button", { name: "Try again" }).click();
  await ready(page, "one.jpg");
  await page.getByRole("button", { name: "Try 2 again" }).click();
  for (const name of names) await ready(page, name);
  // S3's refusals, which browsers report without being asked.
  for (const problem of opened.problems) assert.match(problem, /status of 403/);
});

test("a connection that is cut mid-way and comes back costs nothing but time", async () => {
  const limit = await network();
  await limit(1_000_000);
  await choose(page, await jpeg("cut.jpg", { bytes: 4_000_000 }));
  await underWay("cut.jpg");
  const failed = page.waitForEvent("requestfailed");
  await limit(0);
  await failed;
  await limit(-1);
  await ready(page, "cut.jpg");
  assert.deepEqual(
    opened.problems.filter((problem) => !/ERR_INTERNET_DISCONNECTED|ERR_FAILED|ERR_NETWORK/.test(problem)),
    [],
  );
});

test("a reload mid-way goes on by itself: one original, and only the part that was missing", async () => {
  const before = await originals();
  busy = (part) => part === 3;
  const size = 17_000_000;
  const both = Promise.all([arrived(page, 1), arrived(page, 2)]);
  await choose(page, await jpeg("large.jpg", { bytes: size }));
  await both;
  await page.reload();
  await page.evaluate(hurry);
  busy = () => false;
  parts = [];
  await ready(page, "large.jpg");
  assert.deepEqual(parts, [3]);
  assert.deepEqual((await originals()).filter((one) => one === size).length, 1);
  assert.equal((await originals()).length, before.length + 1);
  assert.equal(await openUploads(), 0);
});

test("small files that were on their way, in line or developing at a reload arrive too, once each", async () => {
  const before = (await originals()).length;
  const limit = await network();
  await limit(400_000);
  const names = Array.from({ length: 8 }, (_, i) => `small-${i}.jpg`);
  await choose(page, ...(await Promise.all(names.map((name) => jpeg(name, { bytes: 300_000 })))));
  await underWay("small-0.jpg");
  await page.reload();
  await limit(-1);
  for (const name of names) await ready(page, name);
  assert.equal((await originals()).length, before + names.length);
});

test("what was on its way when the tab was closed is ready at the next visit, without anybody's doing", async () => {
  const before = (await originals()).length;
  await opened.close();
  // A browser whose permissions are set has no others.
  opened = await openPage(its, { serviceWorkers: "allow", permissions: ["background-sync"] });
  page = opened.page;
  await page.evaluate(async () => void (await navigator.serviceWorker.ready));
  busy = (part) => part === 3;
  await choose(page, await jpeg("alone.jpg", { bytes: 17_000_000 }));
  await underWay("alone.jpg");
  const context = page.context();
  // A worker waits for the page to go.
  await page.waitForFunction(async () => ((await navigator.locks.query()).pending ?? []).length > 0);
  await page.close();
  busy = () => false;
  while ((await originals()).length === before) await new Promise((resolve) => setTimeout(resolve, 50));
  page = await context.newPage();
  // Of the same origin, and not the page: the worker has yet to forget the file.
  await page.goto(new URL("favicon.svg", its.stack.page).href);
  await page.waitForFunction(async () => (await navigator.locks.query()).held?.length === 0);
  await page.goto(its.stack.page);
  await page.getByRole("heading", { name: "Earlier" }).waitFor();
  assert.equal(await page.getByText("did not finish").count(), 0);
  assert.equal((await originals()).length, before + 1);
  assert.equal(await openUploads(), 0);
});

test("what an earlier visit left is asked about first, and gone on with or forgotten", async () => {
  const leave = async (name: string) => {
    await (await network())(100_000);
    await choose(page, await jpeg(name, { bytes: 1_000_000 }));
    await underWay(name);
    const next = await page.context().newPage();
    await page.close();
    page = next;
    // Of the same origin, and not the page: the browser may take a moment to give back what the closed one held.
    await page.goto(new URL("favicon.svg", its.stack.page).href);
    await page.evaluate(async () => {
      const { held = [] } = await navigator.locks.query();
      await Promise.all(held.map(({ name = "" }) => navigator.locks.request(name, () => {})));
    });
    await page.goto(its.stack.page);
    await page.getByText("1 upload did not finish last time.").waitFor();
  };
  await leave("left.jpg");
  await page.getByRole("button", { name: "Go on" }).click();
  await ready(page, "left.jpg");

  await leave("forgotten.jpg");
  await page.getByRole("button", { name: "Forget them" }).click();
  const rows = () =>
    page.evaluate(async () => {
      const database = await new Promise<IDBDatabase>((resolve, reject) => {
        const request = indexedDB.open("darkroom");
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
      const [store = ""] = database.objectStoreNames;
      return new Promise<number>((resolve) => {
        const request = database.transaction(store).objectStore(store).count();
        request.onsuccess = () => resolve(request.result);
      });
    });
  assert.equal(await rows(), 0);
});
