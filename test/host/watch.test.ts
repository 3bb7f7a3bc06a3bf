/** New originals found by listing, where a server cannot notify. */
import assert from "node:assert/strict";
import { syncBuiltinESMExports } from "node:module";
import test, { type TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { S3Event } from "aws-lambda";
import { ManualClock } from "local-aws/manual-clock";
import { MemoryQueue } from "../../adapters/memory/memory-queue.ts";
import { memoryStore } from "../../adapters/memory/memory-store.ts";
import { metaKey, newId, originalKey } from "../../core/keys.ts";
import type { ObjectStore } from "../../core/ports.ts";
import { watchOriginals } from "../../host/watch.ts";

const NOW = Date.UTC(2026, 10, 20);
const INTERVAL_MS = 2000;

/** A watch on its own time; everything it waits for is in memory, so one turn of the event loop ends a listing. */
function watched(t: TestContext, { graceMs = 0, brokenLists = 0 } = {}) {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: NOW });
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.timers.reset();
    syncBuiltinESMExports();
  });
  const now = () => new Date(Date.now());
  const stored = memoryStore({ now });
  let broken = brokenLists;
  const uploads: ObjectStore = {
    ...stored,
    list: async (...args) => {
      if (broken-- > 0) throw new Error("the server is starting");
      return stored.list(...args);
    },
  };
  const media = memoryStore({ now });
  const queue = new MemoryQueue({ clock: new ManualClock(NOW) });
  const logged: string[] = [];
  const log = (level: string, event: string) => logged.push(`${level}: ${event}`);
  const start = async () => {
    const watch = watchOriginals({ uploads, media, queue, bucket: "uploads", graceMs, log });
    t.after(() => watch.close());
    await turn();
  };
  const nextListing = async () => {
    t.mock.timers.tick(INTERVAL_MS);
    await turn();
  };
  /** What has been queued since the last call: event name, key and etag. */
  const queued = async () => {
    const messages = await queue.receive({ max: 10 });
    return messages.map(({ body }) => {
      const { Records } = JSON.parse(body) as S3Event;
      const [record] = Records;
      assert.ok(record && Records.length === 1);
      assert.equal(record.eventSource, "aws:s3");
      assert.equal(record.s3.bucket.name, "uploads");
      return [record.eventName, record.s3.object.key, record.s3.object.eTag];
    });
  };
  return { uploads, media, queue, start, nextListing, queued, logged };
}

let made = 0;
const id = () => newId(() => Buffer.from(String(++made).padStart(16, "0")));

test("watch: a new original is queued once, an overwritten one again, a removed one as removed", async (t) => {
  const { uploads, start, nextListing, queued } = watched(t);
  const key = originalKey(id());
  const { etag } = await uploads.put(key, "one");
  await start();
  assert.deepEqual(await queued(), [["ObjectCreated:Put", key, etag]]);
  await nextListing();
  assert.deepEqual(await queued(), []);
  const later = originalKey(id());
  const second = await uploads.put(later, "two");
  await nextListing();
  assert.deepEqual(await queued(), [["ObjectCreated:Put", later, second.etag]]);
  const again = await uploads.put(key, "three");
  await nextListing();
  assert.deepEqual(await queued(), [["ObjectCreated:Put", key, again.etag]]);
  await uploads.delete(later);
  await nextListing();
  assert.deepEqual(await queued(), [["ObjectRemoved:Delete", later, undefined]]);
  await nextListing();
  assert.deepEqual(await queued(), []);
});

test("watch: a settled original is left alone until it is overwritten or removed; no other key counts", async (t) => {
  const { uploads, media, start, nextListing, queued } = watched(t);
  const settled = id();
  const removed = id();
  for (const image of [settled, removed]) {
    await uploads.put(originalKey(image), "one");
    await media.put(metaKey(image), "{}");
  }
  await uploads.put("originals/not-an-id", "x");
  await uploads.put(`parts/${id()}`, "x");
  await start();
  await nextListing();
  assert.deepEqual(await queued(), []);
  const { etag } = await uploads.put(originalKey(settled), "two");
  await uploads.delete(originalKey(removed));
  await nextListing();
  assert.deepEqual(await queued(), [
    ["ObjectCreated:Put", originalKey(settled), etag],
    ["ObjectRemoved:Delete", originalKey(removed), undefined],
  ]);
});

test("watch: an original younger than the grace is left to the notification", async (t) => {
  const { uploads, start, nextListing, queued } = watched(t, { graceMs: 5000 });
  const key = originalKey(id());
  const { etag } = await uploads.put(key, "one");
  await start();
  await nextListing();
  await nextListing();
  assert.deepEqual(await queued(), [], "4 s old");
  await nextListing();
  assert.deepEqual(await queued(), [["ObjectCreated:Put", key, etag]], "6 s old");
});

test("watch: sees past one page of a listing", async (t) => {
  const { uploads, queue, start, nextListing } = watched(t);
  for (let i = 0; i < 1001; i++) await uploads.put(originalKey(id()), "one");
  await start();
  assert.equal(queue.count().visible, 1001);
  await nextListing();
  assert.equal(queue.count().visible, 1001);
});

test("watch: a listing that fails is logged and made good by the next", async (t) => {
  const { uploads, start, nextListing, queued, logged } = watched(t, { brokenLists: 1 });
  const key = originalKey(id());
  const { etag } = await uploads.put(key, "one");
  await start();
  assert.deepEqual(await queued(), []);
  assert.deepEqual(logged, ["warn: cannot list originals"]);
  await nextListing();
  assert.deepEqual(await queued(), [["ObjectCreated:Put", key, etag]]);
});
