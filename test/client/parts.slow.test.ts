/** Uploads in parts in a real Chromium: each part retried alone, aborted without a trace, taken up after a reload. */
import assert from "node:assert/strict";
import test, { beforeEach } from "node:test";
import { HeadObjectCommand, ListMultipartUploadsCommand } from "@aws-sdk/client-s3";
import type { BrowserContext, Page } from "playwright-core";
import { seal } from "../../core/upload/seal.ts";
import { load, settingsOf } from "./chromium.ts";
import { arrived, running } from "./running.ts";

/** Two parts of 8 MiB and a rest. */
const SIZE = 20_000_000;
/** Answers of S3 by part number, first to last; then it does as it should. */
let faults: Record<string, { status: number; code: string }[]> = {};
let context: BrowserContext;
let page: Page;
/** Numbers of the parts that were sent, in order. */
let sent: string[] = [];

const its = running({
  poll: false,
  s3Fault: ({ method, query }) => {
    const part = query.get("partNumber");
    if (method !== "PUT" || part === undefined) return undefined;
    sent.push(part);
    return faults[part]?.shift();
  },
});
beforeEach(async () => {
  faults = {};
  sent = [];
  await context?.close();
  ({ context, page } = await its.chromium.open());
  await page.evaluate((settings) => {
    Object.assign(globalThis, { settings });
  }, settingsOf(its.stack));
});

declare global {
  /** In the page. */
  var settings: Parameters<typeof client.createDarkroom>[0];
}

const openUploads = async () => {
  const listed = await its.s3.send(
    new ListMultipartUploadsCommand({ Bucket: its.stack.env["UPLOADS_BUCKET"] ?? "", Prefix: "originals/" }),
  );
  return listed.Uploads ?? [];
};

/** Bytes of the original that S3 has. */
async function originalSize(id: string): Promise<number | undefined> {
  return its.s3
    .send(new HeadObjectCommand({ Bucket: its.stack.env["UPLOADS_BUCKET"] ?? "", Key: `originals/${id}` }))
    .then(({ ContentLength }) => ContentLength);
}

const uploadInPage = () =>
  page.evaluate(async (size) => {
    const file = new File([new Uint8Array(size)], "large.jpg", { type: "image/jpeg" });
    let last = 0;
    const { id } = await client.createDarkroom(settings).upload(file, {
      parts: true,
      onProgress: (progress) => {
        last = progress.sent;
      },
    });
    return { id, last };
  }, SIZE);

test("parts that fail are sent again alone, and a late signature is made anew", async () => {
  faults = { "2": [{ status: 503, code: "SlowDown" }], "3": [{ status: 403, code: "RequestTimeTooSkewed" }] };
  const { id, last } = await uploadInPage();
  assert.equal(last, SIZE);
  assert.deepEqual(sent.toSorted(), ["1", "2", "2", "3", "3"]);
  assert.equal(await originalSize(id), SIZE);
  assert.deepEqual(await openUploads(), []);
});

test("a token that expires between two parts is asked for again", async () => {
  let refused = 0;
  await page.route(/\/s3\/multipart\/[^/]+\/2\?/, (route) => {
    if (route.request().method() !== "GET" || refused++ > 0) return route.continue();
    return route.fulfill({
      status: 401,
      headers: { "access-control-allow-origin": "*" },
      contentType: "application/problem+json",
      body: JSON.stringify({ code: "unauthenticated", detail: "The token has expired." }),
    });
  });
  const { id, asked } = await page.evaluate(async (size) => {
    let asked = 0;
    const token = async () => {
      asked++;
      return String(settings.token);
    };
    const file = new File([new Uint8Array(size)], "large.jpg", { type: "image/jpeg" });
    const { id } = await client.createDarkroom({ ...settings, token }).upload(file, { parts: true });
    return { id, asked };
  }, SIZE);
  assert.equal(asked, 2);
  assert.equal(await originalSize(id), SIZE);
});

test("a ticket that has expired on the way is asked for again", async () => {
  const tickets = seal(its.stack.env["AUTH_SECRET"], "ticket", () => new Date());
  let late = true;
  await page.route(/\/s3\/multipart$/, (route) => {
    if (route.request().method() !== "POST" || !late) return route.continue();
    late = false;
    return route.continue({ postData: JSON.stringify({ ticket: tickets.close({}, Date.now() - 1) }) });
  });
  const signed: string[] = [];
  page.on("request", (request) => {
    if (request.method() === "POST") signed.push(new URL(request.url()).pathname.replace(/[^/]{30,}/, "…"));
  });
  const { id } = await uploadInPage();
  const both = ["/uploads", "/s3/multipart"];
  assert.deepEqual(signed, [...both, ...both, "/s3/multipart/…/complete"]);
  assert.equal(await originalSize(id), SIZE);
  assert.deepEqual(await openUploads(), []);
});

test("an answer to the completion that is lost does not lose the image", async () => {
  let tries = 0;
  await page.route(/\/complete\?/, async (route) => {
    if (route.request().method() !== "POST" || tries++ > 0) return route.continue();
    await route.fetch();
    return route.abort();
  });
  const { id } = await uploadInPage();
  assert.equal(tries, 2);
  assert.equal(await originalSize(id), SIZE);
});

test("aborting cleans up on S3", async () => {
  // Until then it waits, as the part never succeeds.
  faults = { "2": Array.from({ length: 7 }, () => ({ status: 503, code: "SlowDown" })) };
  const cleaned = page.waitForResponse((response) => response.request().method() === "DELETE");
  const ended = await page.evaluate(async (size) => {
    const controller = new AbortController();
    const file = new File([new Uint8Array(size)], "large.jpg", { type: "image/jpeg" });
    const states: boolean[] = [];
    const name = await client
      .createDarkroom(settings)
      .upload(file, {
        parts: true,
        signal: controller.signal,
        onState: (state) => states.push(state !== undefined),
        onProgress: ({ sent }) => {
          if (sent > 8_388_608) controller.abort();
        },
      })
      .then(String, ({ name }) => name);
    return { name, states };
  }, SIZE);
  assert.deepEqual(ended, { name: "AbortError", states: [true, false] });
  assert.equal((await cleaned).status(), 200);
  assert.deepEqual(await openUploads(), []);
});

const leaving: Record<string, () => Promise<void>> = {
  "a reload mid-way": () => load(page),
  "a tab that was closed shortly before the end": async () => {
    const url = page.url();
    const next = await context.newPage();
    await page.close();
    page = next;
    await load(page, url);
  },
};
for (const [name, leave] of Object.entries(leaving))
  test(`${name} costs only the part that was on its way`, async () => {
    faults = { "3": Array.from({ length: 7 }, () => ({ status: 503, code: "SlowDown" })) };
    const both = Promise.all([arrived(page, 1), arrived(page, 2)]);
    await page.evaluate(async (size) => {
      const file = new File([new Uint8Array(size)], "large.jpg", { type: "image/jpeg" });
      // Left alone: the page will be gone before it ends.
      client
        .createDarkroom(settings)
        .upload(file, await client.resumable(file))
        .catch(() => {});
    }, SIZE);
    await both;
    await leave();
    faults = {};
    sent = [];
    const after = await page.evaluate(
      async ({ settings }) => {
        const [one, ...more] = await client.unfinished();
        if (!one || more.length > 0) return undefined;
        const progress: number[] = [];
        const { id } = await client
          .createDarkroom(settings)
          .upload(one.file, { ...one.options, onProgress: (now) => progress.push(now.sent) });
        return { id, first: progress[0], left: (await client.unfinished()).length };
      },
      { settings: settingsOf(its.stack) },
    );
    assert.deepEqual(sent, ["3"]);
    assert.deepEqual({ ...after, id: "" }, { id: "", first: 2 * 8_388_608, left: 0 });
    assert.equal(await originalSize(after?.id ?? ""), SIZE);
    assert.deepEqual(await openUploads(), []);
  });

test("what is kept is written before anything is sent, and gone before the upload is said to be there", async () => {
  const order = await page.evaluate(async () => {
    const order: string[] = [];
    const { put, delete: forget } = IDBObjectStore.prototype;
    const note = (store: IDBObjectStore, what: string) =>
      store.transaction.addEventListener("complete", () => order.push(what));
    IDBObjectStore.prototype.put = function (...args) {
      note(this, "written");
      return put.apply(this, args);
    };
    IDBObjectStore.prototype.delete = function (key) {
      note(this, "gone");
      return forget.call(this, key);
    };
    const { send } = XMLHttpRequest.prototype;
    XMLHttpRequest.prototype.send = function (body) {
      order.push("sent");
      send.call(this, body);
    };
    const file = new File(["a"], "a.jpg", { type: "image/jpeg" });
    await client.createDarkroom(settings).upload(file, await client.resumable(file));
    return [...order, "uploaded"];
  });
  assert.deepEqual(order, ["written", "sent", "gone", "uploaded"]);
});

test("what was cancelled while it waited, and what another tab is busy with, is not taken up", async () => {
  await page.evaluate(async () => {
    const cancelled = new File(["a"], "cancelled.jpg");
    await client
      .createDarkroom(settings)
      .upload(cancelled, { ...(await client.resumable(cancelled)), signal: AbortSignal.abort() })
      .catch(() => {});
    await client.resumable(new File(["b"], "busy.jpg"));
  });
  const names = (tab: Page) =>
    tab.evaluate(async () => (await client.unfinished()).map(({ file }) => (file as File).name));
  const other = await context.newPage();
  await load(other, page.url());
  assert.deepEqual(await names(other), []);
  await page.close();
  assert.deepEqual(await names(other), ["busy.jpg"]);
});

test("what S3 has thrown away meanwhile is begun anew", async () => {
  const state = await page.evaluate(async (size) => {
    const darkroom = client.createDarkroom(settings);
    const file = new File([new Uint8Array(size)], "large.jpg", { type: "image/jpeg" });
    let state: Parameters<NonNullable<import("../../client/darkroom.ts").UploadOptions["onState"]>>[0];
    const controller = new AbortController();
    await darkroom
      .upload(file, {
        parts: true,
        signal: controller.signal,
        onState: (now) => {
          if (!now) return;
          state = now;
          controller.abort();
        },
      })
      .catch(() => {});
    // The abort's own cleaning may still be on its way; once more is no harm.
    const { key = "", uploadId = "" } = state?.parts ?? {};
    await darkroom.api.call("DELETE", `/s3/multipart/${encodeURIComponent(uploadId)}?key=${key}`);
    const { id } = await darkroom.upload(file, { parts: true, resume: state });
    return { before: state?.id, after: id };
  }, SIZE);
  assert.notEqual(state.before, state.after);
  assert.equal(await originalSize(state.after), SIZE);
});
