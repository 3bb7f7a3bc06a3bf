import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import test from "node:test";
import { memoryStore } from "../../../adapters/memory/memory-store.ts";
import { memoryUploads } from "../../../adapters/memory/memory-uploads.ts";
import { readRevision } from "../../../core/commit.ts";
import { deleteImage } from "../../../core/image/delete-image.ts";
import {
  attentionKey,
  metaKey,
  newId,
  ORIGINALS,
  originalKey,
  ownerKey,
  SWEEP_KEY,
  variantKey,
} from "../../../core/keys.ts";
import { listed } from "../../../core/listing.ts";
import type { ObjectStore } from "../../../core/ports.ts";
import config from "../../../core/shipped.ts";
import { askSweep, sweepState } from "../../../core/sweep/ask-sweep.ts";
import { confirmStop, readStop } from "../../../core/sweep/breaker.ts";
import { PATIENCE, TOMBSTONE_MS } from "../../../core/sweep/diagnose.ts";
import { sweep } from "../../../core/sweep/sweep.ts";
import { readCursor } from "../../../core/sweep/sweep-cursor.ts";
import { readSweepRequest } from "../../../core/sweep/sweep-request.ts";
import { writeUploadMetadata } from "../../../core/upload-metadata.ts";

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
    "LIST attach/",
    "LIST counts/",
    "LIST edits/",
    "LIST failures/failed/",
    "LIST failures/held/",
    "LIST failures/original-expired/",
    "LIST failures/original-gone/",
    "LIST failures/rejected/",
    "LIST held/",
    "LIST homes/",
    "LIST images/",
    "LIST jobs/open/",
    "LIST originals/",
    "LIST owners/",
  ]);
});

/** So many ready images with two variants each, an hour old, swept once. */
async function gallery(count: number) {
  const system_ = await system(0);
  const { deps, run, pass } = system_;
  const ids = Array.from({ length: count }, () => newId(randomBytes)).sort();
  const variants = (id: string) => ["a", "b"].map((name) => variantKey(id, name, "0123456789abcdef", "webp"));
  const put = async (id: string) => {
    const { etag } = await deps.uploads.put(originalKey(id), id);
    const at = deps.now().toISOString();
    const made = variants(id).map((key) => ({
      name: key,
      format: "webp",
      type: "image/webp",
      key,
      url: key,
    }));
    for (const { key } of made) await deps.media.put(key, "x");
    const document = {
      schema: 1,
      id,
      status: "ready",
      rev: 1,
      writeId: id,
      source: { bytes: 26, etag },
      variants: made.map((one) => ({ ...one, width: 1, height: 1, bytes: 1 })),
      pending: [],
      uploadedAt: at,
      processedAt: at,
      superseded: [],
      deleting: [],
    };
    await deps.media.put(metaKey(id), JSON.stringify(document));
  };
  for (const id of ids) await put(id);
  const told: string[] = [];
  deps.events.send = async (body) => void told.push(body);
  pass(2 * HOUR);
  assert.equal((await run({ begin: true })).state, "finished");
  const documents = async () =>
    Promise.all(ids.map(async (id) => (await readRevision(deps.media, id)).document));
  const objects = async () => (await everything(deps.media)).length;
  return { ...system_, ids, variants, told, put, documents, objects };
}

async function everything(store: ObjectStore, prefix = ""): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of listed(store, prefix)) keys.push(key);
  return keys;
}

async function clearAll(store: ObjectStore, prefix = ""): Promise<void> {
  for (const key of await everything(store, prefix)) await store.delete(key);
}

test("an uploads bucket that cannot be seen deletes nothing, by its old name or by a new one", async () => {
  for (const bucket of ["emptied", "another"]) {
    const { deps, run, pass, documents, objects, told, queued } = await gallery(500);
    const uploads = deps.uploads;
    if (bucket === "emptied") await clearAll(deps.uploads, ORIGINALS);
    else Object.assign(deps, { uploads: memoryStore({ now: deps.now }) });
    for (const hours of [2, 25, 25 * 16]) {
      pass(hours * HOUR);
      assert.equal((await run()).state, "stopped", bucket);
    }
    assert.ok((await documents()).every((one) => one?.status === "ready" && !one.source?.gone));
    assert.equal(await objects(), 1500);
    assert.deepEqual([told, queued], [[], []]);
    const stop = await readStop(deps.uploads, (await readCursor(deps.uploads)).cursor?.stopped);
    assert.deepEqual(
      [stop?.why, stop?.prefix, stop?.full],
      ["emptied", ORIGINALS, bucket === "emptied" ? 500 : 1000],
    );

    // As it was: the right bucket again, or this one confirmed, whose images then say what they lack.
    if (bucket === "another") Object.assign(deps, { uploads });
    else await confirmStop(deps, stop?.id ?? "");
    assert.equal((await run({ begin: true })).state, "finished");
    const gone = (await documents()).filter((one) => one?.source?.gone).length;
    assert.equal(gone, bucket === "emptied" ? 500 : 0);
    assert.equal(await objects(), 1500);
    assert.equal((await everything(deps.uploads, "failures/original-gone/")).length, gone);
  }
});

test("a media bucket that cannot be seen has nothing developed anew", async () => {
  const { deps, run, pass, queued } = await gallery(101);
  await clearAll(deps.media);
  pass(2 * HOUR);
  assert.equal((await run()).state, "stopped");
  assert.deepEqual(queued, []);
});

test("variants of no document go when two rounds a day apart have found them, and not before", async () => {
  const { deps, ids, run, pass, objects, variants } = await gallery(10);
  const [lost = ""] = ids;
  await deps.media.delete(metaKey(lost));
  await deps.uploads.delete(originalKey(lost));
  const patience = { upload: 0, orphan: 0, superseded: 0 };
  for (let hours = 0; hours < 24; hours += 2) {
    assert.deepEqual((await run({ begin: true, patience })).done, { stray: 1 });
    pass(2 * HOUR);
  }
  // What is written under the id meanwhile is another matter.
  const late = variantKey(lost, "late", "0123456789abcdef", "webp");
  await deps.media.put(late, "x");
  assert.deepEqual((await run({ begin: true, patience })).done, { stray: 1, clear: 1 });
  assert.deepEqual(await everything(deps.media, `images/${lost}/`), [late]);
  for (const key of variants(lost)) assert.equal(await deps.media.head(key), undefined);
  assert.equal(await objects(), 28);
});

test("a clock that jumps a day either way is no evidence: S3's counts", async () => {
  for (const jump of [24 * HOUR, -24 * HOUR]) {
    const { deps, ids, run, pass, objects } = await gallery(10);
    await deps.media.delete(metaKey(ids[0] ?? ""));
    await deps.uploads.delete(originalKey(ids[0] ?? ""));
    const right = deps.now;
    assert.deepEqual((await run({ begin: true })).done, { stray: 1 });
    deps.now = () => new Date(right().getTime() + jump);
    pass(HOUR);
    assert.deepEqual((await run({ begin: true })).done, { stray: 1 });
    assert.equal(await objects(), 29);
    pass(24 * HOUR);
    assert.deepEqual((await run({ begin: true })).done, { stray: 1, clear: 1 });
  }
});

test("what a clock that is a day ahead superseded goes a day later, and is not forgotten", async () => {
  const { deps, ids, run, pass, variants, documents } = await gallery(1);
  const id = ids[0] ?? "";
  const [document] = await documents();
  const [, key = ""] = variants(id);
  const superseded = [{ key, at: new Date(deps.now().getTime() + 24 * HOUR).toISOString() }];
  const kept = document?.variants.slice(0, 1);
  await deps.media.put(metaKey(id), JSON.stringify({ ...document, variants: kept, superseded }));
  const retired: number[] = [];
  for (let hours = 6; hours <= 33 * 24; hours += 6) {
    pass(6 * HOUR);
    if ((await run({ begin: true })).done.retire) retired.push(hours);
  }
  assert.deepEqual(retired, [31 * 24 + 6]);
  assert.equal(await deps.media.head(key), undefined);
});

test("more than a hundredth and a hundred objects need a person; the confirmation is of this stop, and not for ever", async () => {
  const { deps, ids, run, pass, objects, documents } = await gallery(300);
  const lose = async (from: number, to: number) => {
    for (const id of ids.slice(from, to)) {
      await deps.media.delete(metaKey(id));
      await deps.uploads.delete(originalKey(id));
    }
  };
  // Fifty are few enough.
  await lose(0, 50);
  pass(25 * HOUR);
  assert.deepEqual((await run({ begin: true })).done, { stray: 50 });
  pass(25 * HOUR);
  assert.deepEqual((await run({ begin: true })).done, { stray: 50, clear: 50 });
  assert.equal(await objects(), 750);

  await lose(50, 101);
  pass(25 * HOUR);
  assert.equal((await run({ begin: true })).state, "finished");
  pass(25 * HOUR);
  assert.equal((await run({ begin: true })).state, "stopped");
  const { cursor } = await readCursor(deps.uploads);
  const stop = await readStop(deps.uploads, cursor?.stopped);
  assert.deepEqual([stop?.why, stop?.objects, stop?.images], ["too-much", 102, ids.slice(50, 101)]);
  pass(25 * HOUR);
  const { stopped, ...rest } = await run({ begin: true });
  assert.deepEqual(rest, { state: "stopped", images: 250, done: {} });
  assert.equal(stopped?.id, stop?.id);
  assert.equal(await objects(), 750 - 51);

  await assert.rejects(confirmStop(deps, newId(randomBytes)), { code: "not-stopped" });
  await confirmStop(deps, stop?.id ?? "");
  await confirmStop(deps, stop?.id ?? "");
  assert.deepEqual((await run()).done, { clear: 51 });
  assert.equal(await objects(), 199 * 3);

  // The same again within the week is more than was confirmed by none; after it, it is asked for anew.
  await lose(101, 152);
  pass(25 * HOUR);
  await run({ begin: true });
  pass(25 * HOUR);
  assert.deepEqual((await run({ begin: true })).done, { stray: 51, clear: 51 });
  await lose(152, 203);
  for (let days = 0; days < 8; days++) pass(24 * HOUR);
  await run({ begin: true });
  pass(25 * HOUR);
  assert.equal((await run({ begin: true })).state, "stopped");
  await assert.rejects(confirmStop(deps, stop?.id ?? ""), { code: "not-stopped" }, "of an earlier stop");
  assert.equal((await documents()).filter((one) => one?.status === "ready").length, 97);
});

test("an operator ends the rest between two rounds, and lets a stopped sweep go on; a dry run changes nothing", async () => {
  const { deps, run, pass } = await gallery(40);
  const ask = (asked: { now?: boolean; confirm?: string; dryRun?: boolean }) =>
    askSweep(deps, { now: false, dryRun: false, ...asked });
  assert.equal((await sweepState(deps)).state, "resting");
  assert.equal((await ask({ now: true, dryRun: true })).wanted, undefined);
  assert.equal((await run()).state, "resting");
  for (const state of [await ask({ now: true }), await ask({ now: true })])
    assert.deepEqual([state.state, state.wanted], ["resting", true]);
  assert.equal((await run()).state, "finished");
  assert.equal((await run()).state, "resting", "it was for one round");

  await clearAll(deps.media);
  pass(2 * HOUR);
  assert.equal((await run()).state, "stopped");
  const { state, stopped } = await sweepState(deps);
  assert.deepEqual([state, stopped?.why, stopped?.prefix], ["stopped", "emptied", "images/"]);
  await assert.rejects(ask({ confirm: newId(randomBytes) }), { code: "not-stopped" });
  assert.equal((await ask({ now: true })).state, "stopped");
  const confirm = stopped?.id ?? "";
  assert.equal((await ask({ confirm, dryRun: true })).state, "stopped");
  assert.equal((await ask({ confirm })).state, "running");
  assert.equal((await ask({ confirm })).state, "running");
  assert.notEqual((await run()).state, "stopped");
});

test("of two sweeps at once that delete, one goes on; what both delete is deleted once", async () => {
  const { deps, ids, run, pass, objects } = await gallery(40);
  for (const id of ids.slice(0, 20)) {
    await deps.media.delete(metaKey(id));
    await deps.uploads.delete(originalKey(id));
  }
  pass(25 * HOUR);
  await run({ begin: true });
  assert.deepEqual(
    (await sweepState(deps)).due,
    { count: 0, images: [] },
    "they have not been seen for a day",
  );
  pass(25 * HOUR);
  assert.deepEqual((await sweepState(deps)).due, { count: 20, images: ids.slice(0, 20).sort() });
  const states = (await Promise.all([run({ begin: true }), run({ begin: true })])).map(({ state }) => state);
  assert.deepEqual(states.sort(), ["finished", "overtaken"]);
  assert.equal(await objects(), 60);
});

test("what a delete has left is finished after a day, and its entry with it", async () => {
  const { deps, ids, run, pass, told } = await gallery(2);
  const [id = ""] = ids;
  await deleteImage(deps, id, await readRevision(deps.media, id), { owner: "me" });
  told.length = 0;
  await deps.uploads.put(originalKey(id), "again");
  assert.deepEqual((await run({ begin: true })).done, { stray: 1 });
  pass(25 * HOUR);
  assert.deepEqual((await run({ begin: true })).done, { stray: 1, purge: 1 });
  assert.equal(await deps.uploads.head(originalKey(id)), undefined);
  assert.equal(told.length, 1);
  pass(TOMBSTONE_MS);
  assert.deepEqual((await run({ begin: true })).done, { ripe: 1, unlist: 1, bury: 1 });
  assert.deepEqual(await everything(deps.media, `images/${id}/`), []);

  // An entry of an image that there never was.
  await deps.uploads.put(ownerKey("me", deps.now().getTime(), newId(randomBytes)), "");
  pass(2 * HOUR);
  assert.deepEqual((await run({ begin: true })).done, { stray: 1 });
  pass(25 * HOUR);
  assert.deepEqual((await run({ begin: true })).done, { stray: 1, unlist: 1 });
});

test("an image of which there was nothing but its entry for a day is listed and counted again once all is back", async () => {
  const { deps, ids, run, pass, documents } = await gallery(1);
  const [id = ""] = ids;
  const [document] = await documents();
  const entry = ownerKey("me", Date.parse(document?.uploadedAt ?? ""), id);
  await deps.uploads.put(entry, "");
  const { media } = deps;
  await deps.uploads.delete(originalKey(id));
  deps.media = memoryStore({ now: deps.now });
  for (const deed of ["stray", "unlist"]) {
    pass(25 * HOUR);
    assert.ok(deed in (await run({ begin: true })).done);
  }
  assert.deepEqual(await everything(deps.uploads, "owners/"), []);

  deps.media = media;
  await run({ begin: true });
  const metadata = writeUploadMetadata({ owner: "me", preset: "photo" });
  await deps.uploads.put(originalKey(id), id, { metadata });
  assert.deepEqual((await run({ begin: true })).done, { back: 1 });
  assert.deepEqual(await everything(deps.uploads, "owners/"), [entry]);
  assert.equal((await everything(deps.uploads, "counts/me/")).length, 1);
});

test("a tombstone is told once more before it goes: whoever deleted the image may have died before", async () => {
  const { deps, run, pass } = await system(0);
  const told: string[] = [];
  deps.events.send = async (body: string) => void told.push(JSON.parse(body).event.type);
  await deleteImage(
    { ...deps, events: { send: async () => Promise.reject(new Error("SQS")) } },
    newId(randomBytes),
    { document: undefined, etag: undefined, home: "" },
  ).catch(() => {});
  pass(TOMBSTONE_MS + HOUR);
  assert.deepEqual((await run()).done, { ripe: 1, bury: 1 });
  assert.deepEqual(told, ["image.deleted"]);
});

test("a person may ask for less patience, in a form that is checked", () => {
  assert.equal(readSweepRequest({ confirm: "x" }, {}).confirm, "x");
  assert.deepEqual(readSweepRequest({ source: "aws.events" }, {}), {
    begin: false,
    patience: PATIENCE,
  });
  assert.deepEqual(readSweepRequest(undefined, { supersededDays: 7 }).patience.superseded, 7 * 24 * HOUR);
  assert.deepEqual(
    readSweepRequest(
      { begin: true, uploadMinutes: 0, orphanHours: 2, supersededDays: 0 },
      { supersededDays: 7, rejectedDays: 0 },
    ),
    { begin: true, patience: { upload: 0, orphan: 2 * HOUR, superseded: 0 } },
  );
  const rejected = (event: unknown, rejectedDays: number) =>
    readSweepRequest(event, { rejectedDays }).patience.rejected;
  assert.deepEqual(
    [rejected({}, 30), rejected({}, 0), rejected({ rejectedDays: 0 }, 30)],
    [30 * 24 * HOUR, undefined, 0],
  );
  for (const event of [{ begin: "yes" }, { uploadMinutes: -1 }, { supersededDays: "7" }, "now"])
    assert.throws(() => readSweepRequest(event, {}), { code: "bad-request" }, JSON.stringify(event));
});

test("originals of rejected images go after their days, when two rounds have seen it; tried again they stay", async () => {
  const { deps, run, pass, documents } = await gallery(3);
  const ids = (await documents()).map((document) => document?.id ?? "");
  const [old = "", tried = "", whole = ""] = ids;
  const patience = { ...PATIENCE, rejected: 30 * 24 * HOUR };
  const reject = async (id: string, status: "rejected" | "ready") => {
    const { document } = await readRevision(deps.media, id);
    const error = { code: "corrupt", message: "…" };
    const processedAt = deps.now().toISOString();
    const at = status === "ready" ? { readyAt: processedAt } : { error };
    const next = { ...document, ...at, status, processedAt, writeId: newId(randomBytes) };
    await deps.media.put(metaKey(id), JSON.stringify(next));
  };
  for (const id of [old, tried]) await reject(id, "rejected");
  const there = async () =>
    Promise.all(ids.map(async (id) => ((await deps.uploads.head(originalKey(id))) ? "there" : "gone")));
  pass(29 * 24 * HOUR);
  await run({ begin: true, patience });
  pass(25 * HOUR);
  await run({ begin: true, patience });
  assert.deepEqual(await there(), ["there", "there", "there"]);
  // Seen a first time; and somebody tries one of them again, whose verdict is young then.
  await reject(tried, "rejected");
  pass(25 * HOUR);
  assert.equal((await run({ begin: true, patience })).done.letGo, 1);
  assert.deepEqual(await there(), ["gone", "there", "there"]);
  const { document } = await readRevision(deps.media, old);
  assert.deepEqual([document?.status, document?.source?.expired], ["rejected", true]);
  assert.ok(await deps.uploads.head(attentionKey("original-expired", old)));
  assert.equal(await deps.uploads.head(attentionKey("rejected", old)), undefined);
  // Nothing is left to be done, and none of it is read again and again.
  pass(25 * HOUR);
  const again = await run({ begin: true, patience });
  assert.equal(again.done.letGo, undefined);
  assert.equal((await readRevision(deps.media, old)).document?.rev, document?.rev);
  assert.equal((await readRevision(deps.media, whole)).document?.status, "ready");
  // Without the parameter they stay.
  pass(40 * 24 * HOUR);
  for (let round = 0; round < 2; round++, pass(25 * HOUR)) await run({ begin: true });
  assert.deepEqual(await there(), ["gone", "there", "there"]);
});

test("more rejected originals than a round may delete stop it", async () => {
  const { deps, run, pass, documents } = await gallery(150);
  for (const document of await documents()) {
    const next = { ...document, status: "rejected", error: { code: "corrupt", message: "…" } };
    await deps.media.put(metaKey(document?.id ?? ""), JSON.stringify(next));
  }
  const patience = { ...PATIENCE, rejected: 24 * HOUR };
  pass(26 * HOUR);
  await run({ begin: true, patience });
  pass(26 * HOUR);
  assert.equal((await run({ begin: true, patience })).state, "stopped");
  assert.equal((await everything(deps.uploads, ORIGINALS)).length, 150);
});

test("originals that a rule lets go after their days are no disaster: the images stay, and say why", async () => {
  const { deps, run, pass, documents, objects } = await gallery(150);
  for (const document of await documents())
    await deps.uploads.put(ownerKey("me", Date.parse(document?.uploadedAt ?? ""), document?.id ?? ""), "");
  Object.assign(deps, { originalsDays: 30 });
  pass(25 * HOUR);
  assert.equal((await run({ begin: true })).state, "finished");
  // The rule takes all of them in one night.
  pass(30 * 24 * HOUR);
  await clearAll(deps.uploads, ORIGINALS);
  assert.equal((await run({ begin: true })).state, "finished");
  assert.ok((await documents()).every((one) => one?.status === "ready" && one.source?.expired));
  assert.equal(await objects(), 450);
  assert.equal((await everything(deps.uploads, "failures/original-gone/")).length, 0);
  assert.equal((await everything(deps.uploads, "failures/original-expired/")).length, 150);
  // Another bucket is one all the same.
  const uploads = deps.uploads;
  Object.assign(deps, { uploads: memoryStore({ now: deps.now }) });
  assert.equal((await run({ begin: true })).state, "stopped");
  Object.assign(deps, { uploads });
});

test("an original that goes before its days is looked at by somebody", async () => {
  const { deps, ids, run, pass } = await gallery(2);
  Object.assign(deps, { originalsDays: 30 });
  await deps.uploads.delete(originalKey(ids[0] ?? ""));
  pass(2 * HOUR);
  await run({ begin: true });
  const { document } = await readRevision(deps.media, ids[0] ?? "");
  assert.deepEqual([document?.source?.gone !== undefined, document?.source?.expired], [true, undefined]);
  assert.ok(await deps.uploads.head(attentionKey("original-gone", ids[0] ?? "")));
});
