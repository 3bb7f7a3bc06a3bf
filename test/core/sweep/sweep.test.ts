import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import test from "node:test";
import { memoryStore } from "../../../adapters/memory/memory-store.ts";
import { memoryUploads } from "../../../adapters/memory/memory-uploads.ts";
import { deleteImage } from "../../../core/image/delete-image.ts";
import { metaKey, newId, originalKey, SWEEP_KEY } from "../../../core/keys.ts";
import type { ObjectStore } from "../../../core/ports.ts";
import config from "../../../core/shipped.ts";
import { PATIENCE, TOMBSTONE_MS } from "../../../core/sweep/diagnose.ts";
import { sweep } from "../../../core/sweep/sweep.ts";
import { readSweepRequest } from "../../../core/sweep/sweep-request.ts";

const HOUR = 3_600_000;

/** Originals whose notifications were lost two hours ago. */
async function system(originals: number) {
  let now = Date.parse("2026-11-20T12:00:00Z");
  const clock = () => new Date(now);
  const queued: string[] = [];
  const logged: string[] = [];
  const requests: string[] = [];
  const counted = (store: ObjectStore): ObjectStore => ({
    ...store,
    get: (key, ...rest) => {
      requests.push(`GET ${key}`);
      return store.get(key, ...rest);
    },
    list: (prefix, ...rest) => {
      requests.push(`LIST ${prefix}`);
      return store.list(prefix, ...rest);
    },
  });
  const deps = {
    uploads: counted(memoryStore({ now: clock })),
    openUploads: memoryUploads(),
    media: counted(memoryStore({ now: clock })),
    events: { send: async (_: string) => {} },
    backfill: {
      send: async (body: string) => void queued.push(JSON.parse(body).id),
      sendMany: async () => {},
      backlog: async () => 0,
    },
    config,
    now: clock,
    random: randomBytes,
    log: (_: string, event: string, fields?: Record<string, unknown>) =>
      void logged.push(`${event} ${fields?.["id"]} ${fields?.["error"] ?? ""}`),
  };
  const ids = Array.from({ length: originals }, () => newId(randomBytes)).sort();
  for (const id of ids) await deps.uploads.put(originalKey(id), "x");
  now += 2 * HOUR;
  const run = (options: Partial<Parameters<typeof sweep>[1]> = {}) =>
    sweep(deps, { begin: false, patience: PATIENCE, timeLeft: () => true, batch: 2, ...options });
  const pass = (ms: number) => {
    now += ms;
  };
  return { deps, ids, queued, logged, requests, run, pass };
}

test("a round that runs out of time goes on where it was, and does nothing twice", async () => {
  const { ids, queued, run } = await system(7);
  let steps = 0;
  for (let runs = 0; ; runs++) {
    assert.ok(runs < 10);
    let left = 1;
    const { state } = await run({ timeLeft: () => left-- > 0 });
    steps++;
    if (state === "finished") break;
    assert.equal(state, "paused");
  }
  assert.ok(steps > 2);
  assert.deepEqual(queued, ids);
});

test("after a round it rests, unless a person asks, or the clock was wrong", async () => {
  const { run, pass, ids } = await system(1);
  assert.deepEqual(await run(), { state: "finished", images: ids.length, done: { develop: 1 } });
  pass(HOUR - 1);
  assert.equal((await run()).state, "resting");
  assert.equal((await run({ begin: true })).state, "finished");
  assert.equal((await run()).state, "resting");
  pass(HOUR);
  assert.equal((await run()).state, "finished");
  pass(-24 * HOUR);
  assert.equal((await run()).state, "finished");
});

test("of two sweeps the one that began last goes on", async () => {
  const { deps, ids, run, queued } = await system(6);
  const { send } = deps.backfill;
  let second: string | undefined;
  deps.backfill.send = async (body) => {
    await send(body);
    if (second !== undefined) return;
    second = "under way";
    second = (await run()).state;
  };
  assert.equal((await run()).state, "overtaken");
  assert.equal(second, "finished");
  assert.deepEqual([...new Set(queued)].sort(), ids);
});

test("what cannot be read is told, and keeps nobody else waiting", async () => {
  const { deps, ids, run, logged, queued } = await system(3);
  const [broken = "", ...others] = ids;
  await deps.media.put(metaKey(broken), "not JSON");
  assert.deepEqual((await run()).done, { develop: 2, error: 1 });
  assert.deepEqual(queued, others);
  assert.ok(logged.includes(`not swept ${broken} SyntaxError`), logged.join("\n"));
});

test("a cursor that cannot be read begins a round", async () => {
  const { deps, run } = await system(1);
  await deps.uploads.put(SWEEP_KEY, "{}");
  assert.equal((await run()).state, "finished");
});

test("once all is settled, old images cost their share of a list and no request of their own", async () => {
  const { deps, ids, run, pass, requests } = await system(20);
  for (const id of ids) {
    const { etag } = (await deps.uploads.head(originalKey(id))) ?? {};
    const at = deps.now().toISOString();
    const common = {
      schema: 1,
      id,
      rev: 1,
      writeId: id,
      variants: [],
      pending: [],
      superseded: [],
      deleting: [],
    };
    const document = {
      ...common,
      status: "ready",
      source: { bytes: 1, etag },
      uploadedAt: at,
      processedAt: at,
    };
    await deps.media.put(metaKey(id), JSON.stringify(document));
  }
  await run();
  assert.equal(requests.filter((one) => one.endsWith("/meta.json")).length, 20);
  pass(32 * 24 * HOUR);
  await run();
  pass(25 * HOUR);
  requests.length = 0;
  assert.deepEqual((await run()).done, {});
  assert.deepEqual(requests.sort(), [
    `GET ${SWEEP_KEY}`,
    "LIST failures/failed/",
    "LIST failures/rejected/",
    "LIST images/",
    "LIST jobs/open/",
    "LIST originals/",
    "LIST owners/",
  ]);
});

test("a tombstone is told once more before it goes: whoever deleted the image may have died before", async () => {
  const { deps, run, pass } = await system(0);
  const told: string[] = [];
  deps.events.send = async (body: string) => void told.push(JSON.parse(body).event.type);
  await deleteImage(
    { ...deps, events: { send: async () => Promise.reject(new Error("SQS")) } },
    newId(randomBytes),
    { document: undefined, etag: undefined },
  ).catch(() => {});
  pass(TOMBSTONE_MS + HOUR);
  assert.deepEqual((await run()).done, { ripe: 1, bury: 1 });
  assert.deepEqual(told, ["image.deleted"]);
});

test("a person may ask for less patience, in a form that is checked", () => {
  assert.deepEqual(readSweepRequest({ source: "aws.events" }, undefined), {
    begin: false,
    patience: PATIENCE,
  });
  assert.deepEqual(readSweepRequest(undefined, 7).patience.superseded, 7 * 24 * HOUR);
  assert.deepEqual(
    readSweepRequest({ begin: true, uploadMinutes: 0, orphanHours: 2, supersededDays: 0 }, 7),
    { begin: true, patience: { upload: 0, orphan: 2 * HOUR, superseded: 0 } },
  );
  for (const event of [{ begin: "yes" }, { uploadMinutes: -1 }, { supersededDays: "7" }, "now"])
    assert.throws(() => readSweepRequest(event, undefined), { code: "bad-request" }, JSON.stringify(event));
});
