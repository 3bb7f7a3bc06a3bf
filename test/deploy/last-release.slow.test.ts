/**
 * An update, and going back, each with work under way: the last release's functions and today's on one account's buckets
 * and queues. What either has written or sent is read by the other.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import type { SQSBatchResponse } from "aws-lambda";
import sharp from "sharp";
import { s3Client, s3Store } from "../../adapters/aws/s3-store.ts";
import type { Progress } from "../../core/job/job-progress.ts";
import { originalKey } from "../../core/keys.ts";
import type { Metadata } from "../../core/metadata.ts";
import { type Stack, startStack } from "../../laptop/stack.ts";
import { lastRelease } from "./last-release.ts";

const last = lastRelease();
const data = mkdtempSync(join(tmpdir(), "darkroom-"));
after(() => {
  last.remove();
  rmSync(data, { recursive: true, force: true });
});

type Release = "last" | "today";
const START = { port: 0, data, logLevel: "error" } as const;

const QUEUED = ["worker", "events", "failures"];
/** Who waits for an invocation of a queue's function to end. */
const waiting: (() => void)[] = [];
/** Messages that went back. */
const returned: string[] = [];
function onInvocation(name: string, event: unknown, result: unknown): void {
  const failed = (result as SQSBatchResponse | undefined)?.batchItemFailures ?? [];
  if (failed.length > 0) returned.push(`${name}: ${JSON.stringify(event)}`);
  if (QUEUED.includes(name)) for (const wake of waiting.splice(0)) wake();
}

let stack: Stack;
/** The account with a release's code, its queues read or not. */
async function using(release: Release, poll: boolean, work: () => Promise<void>): Promise<void> {
  stack = await startStack({
    ...START,
    poll,
    onInvocation,
    ...(release === "last" ? { release: last.root } : {}),
  });
  try {
    await work();
  } finally {
    await stack.close();
  }
}

async function call(path: string, init: RequestInit = {}, token = stack.uploadToken) {
  const response = await fetch(stack.api + path, { ...init, headers: { authorization: `Bearer ${token}` } });
  const text = await response.text();
  return { status: response.status, json: text.startsWith("{") ? JSON.parse(text) : undefined };
}

const picture = (red: number) =>
  sharp({ create: { width: 320, height: 240, channels: 3, background: { r: red, g: 90, b: 40 } } })
    .jpeg()
    .toBuffer();

async function upload(bytes: Buffer): Promise<string> {
  const body = JSON.stringify({ files: [{ name: "a.jpg", type: "image/jpeg", size: bytes.length }] });
  const { status, json } = await call("/uploads", { method: "POST", body });
  assert.equal(status, 201);
  const [{ id, url, headers }] = json.uploads;
  assert.equal((await fetch(url, { method: "PUT", headers, body: new Uint8Array(bytes) })).status, 200);
  return id;
}

/** Looks again after every invocation, and only then. */
async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const invoked = new Promise<void>((resolve) => waiting.push(resolve));
    const found = await look();
    if (found !== undefined) return found;
    await invoked;
  }
}

const settled = (id: string): Promise<Metadata> =>
  until(async () => {
    const { status, json } = await call(`/images/${id}`);
    return status === 202 ? undefined : json;
  });

const reprocess = async (select: object) => {
  const body = JSON.stringify({ select, force: true });
  const { status, json } = await call("/admin/reprocess", { method: "POST", body }, stack.adminToken);
  assert.equal(status, 202, JSON.stringify(json));
  return (json as Progress).id;
};
const ended = (job: string): Promise<Progress> =>
  until(async () => {
    const { json } = await call(`/admin/jobs/${job}`, {}, stack.adminToken);
    return json.state === "running" ? undefined : json;
  });

const told = (id: string, type: string) =>
  until(async () => {
    const response = await fetch(`${stack.page}/webhooks.json`);
    const { webhooks } = (await response.json()) as {
      webhooks: { event: { type: string; data: { id: string } } }[];
    };
    return webhooks.find(({ event }) => event.data.id === id && event.type === type);
  });

interface Left {
  readonly ready: string;
  readonly rejected: string;
  readonly deleted: string;
  /** Uploaded, with its notification in the queue. */
  readonly waiting: string;
  /** Started, with its messages in the queue. */
  readonly job: string;
}

/** What a release leaves that is replaced in the middle of its work. */
async function leave(release: Release, red: number): Promise<Left> {
  const left = { ready: "", rejected: "", deleted: "", waiting: "", job: "" };
  await using(release, true, async () => {
    left.ready = await upload(await picture(red));
    left.deleted = await upload(await picture(red + 1));
    left.rejected = await upload(Buffer.from("<html>not a picture</html>"));
    assert.equal((await settled(left.ready)).status, "ready");
    assert.equal((await settled(left.rejected)).status, "rejected");
    assert.equal((await settled(left.deleted)).status, "ready");
  });
  await using(release, false, async () => {
    assert.equal((await call(`/images/${left.deleted}`, { method: "DELETE" })).status, 204);
    left.waiting = await upload(await picture(red + 2));
    left.job = await reprocess({ ids: [left.ready] });
  });
  return left;
}

/** The other release takes it from there. */
async function takeOver(release: Release, left: Left): Promise<void> {
  await using(release, true, async () => {
    assert.equal((await settled(left.waiting)).status, "ready", "its upload");
    const { state, done } = await ended(left.job);
    assert.deepEqual([state, done], ["done", 1], "its job");
    await told(left.deleted, "image.deleted");

    const { images } = (await call("/images?limit=100")).json as { images: Metadata[] };
    const listed = new Map(images.map(({ id, status }) => [id, status]));
    assert.deepEqual(
      [left.ready, left.rejected, left.waiting, left.deleted].map((id) => listed.get(id)),
      ["ready", "rejected", "ready", undefined],
    );
    assert.equal((await call(`/images/${left.deleted}`)).status, 410);
    assert.equal((await call(`/images/${left.rejected}`)).json.error.code, "unsupported-format");
    const attention = await call("/admin/images?status=rejected", {}, stack.adminToken);
    assert.ok(attention.json.images.some(({ id }: { id: string }) => id === left.rejected));
    const { variants } = await settled(left.ready);
    for (const { url } of variants)
      assert.equal((await fetch(stack.media + new URL(url).pathname)).status, 200, url);

    // Its own work on the other's images: made anew, swept over, deleted.
    assert.equal((await ended(await reprocess({ ids: [left.ready, left.waiting] }))).done, 2);
    await stack.invoke("sweep", {});
    for (const id of [left.ready, left.waiting]) assert.equal((await settled(id)).status, "ready");
    assert.equal((await call(`/images/${left.waiting}`, { method: "DELETE" })).status, 204);
    await told(left.waiting, "image.deleted");
    await stack.invoke("sweep", {});
    assert.equal((await call(`/images/${left.waiting}`)).status, 410);
  });
}

test("an update with work under way, going back with work under way, and the update again", async () => {
  const before = await leave("last", 10);
  await takeOver("today", before);
  const between = await leave("today", 100);
  await takeOver("last", between);
  await using("today", true, async () => {
    for (const { ready, rejected, deleted, waiting: gone } of [before, between]) {
      assert.equal((await settled(ready)).status, "ready");
      assert.equal((await settled(rejected)).status, "rejected");
      for (const id of [deleted, gone]) assert.equal((await call(`/images/${id}`)).status, 410);
    }
  });
  assert.deepEqual(returned, [], "messages that went back");
});

test("what the last release does otherwise, as docs/deploy.md warns", async () => {
  let [kept, gone] = ["", ""];
  await using("today", true, async () => {
    [kept, gone] = [await upload(await picture(200)), await upload(await picture(201))];
    for (const id of [kept, gone]) {
      await settled(id);
      await told(id, "image.ready");
    }
    const s3 = s3Client({ forcePathStyle: true });
    await s3Store(s3, stack.env["UPLOADS_BUCKET"] ?? "").delete(originalKey(gone));
    s3.destroy();
    await until(async () => ((await settled(gone)).source?.gone ? true : undefined));
    await stack.invoke("sweep", {});
    assert.equal((await settled(gone)).status, "ready", "no delete to us");
  });
  await using("last", true, async () => {
    const body = JSON.stringify({ id: kept });
    const replay = await call("/admin/webhooks/replay", { method: "POST", body }, stack.adminToken);
    assert.equal(replay.status, 500);
    await stack.invoke("sweep", {});
    assert.equal((await call(`/images/${gone}`)).status, 410);
    assert.equal((await settled(kept)).status, "ready");
  });
});
