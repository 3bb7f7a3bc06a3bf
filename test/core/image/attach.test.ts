import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import test from "node:test";
import { memoryStore } from "../../../adapters/memory/memory-store.ts";
import { memoryUploads } from "../../../adapters/memory/memory-uploads.ts";
import { readRevision } from "../../../core/commit.ts";
import { attachImage } from "../../../core/image/attach.ts";
import { removeImage } from "../../../core/image/images.ts";
import { ATTACH, attachKey, newId, originalKey } from "../../../core/keys.ts";
import type { ObjectStore } from "../../../core/ports.ts";
import config from "../../../core/shipped.ts";
import { PATIENCE } from "../../../core/sweep/diagnose.ts";
import { sweep } from "../../../core/sweep/sweep.ts";
import { writeUploadMetadata } from "../../../core/upload-metadata.ts";
import { developMessage, failMessage } from "../../../core/worker/handle-message.ts";
import { toyPicture, toyPixels } from "../../toy-pixels.ts";

const HOUR = 3_600_000;

async function system({ attachWithin = 3600 } = {}) {
  let now = Date.parse("2026-11-20T12:00:00Z");
  /** Of the functions' clock, against S3's. */
  let ahead = 0;
  const told: string[] = [];
  const deps = {
    uploads: memoryStore({ now: () => new Date(now) }),
    media: memoryStore({ now: () => new Date(now) }),
    openUploads: memoryUploads(),
    events: { send: async (body: string) => void told.push(JSON.parse(body).event.type) },
    backfill: { send: async () => {}, sendMany: async () => {}, backlog: async () => 0 },
    pixels: toyPixels(),
    config,
    mediaUrl: "https://cdn.example",
    now: () => new Date(now + ahead),
    random: randomBytes,
    log: () => {},
  };
  const id = newId(randomBytes);
  const metadata = writeUploadMetadata({
    owner: "me",
    preset: "photo",
    ...(attachWithin ? { attachWithin } : {}),
  });
  const upload = () => deps.uploads.put(originalKey(id), toyPicture("good"), { metadata });
  const message = { body: JSON.stringify({ darkroom: "develop", id }), bucket: "uploads" };
  const develop = () => developMessage(deps, { ...message, receives: 1 });
  const round = (stores: Partial<typeof deps> = {}) =>
    sweep({ ...deps, ...stores }, { begin: true, patience: PATIENCE, timeLeft: () => true });
  const status = async () => (await readRevision(deps.media, id)).document?.status;
  const pass = (ms: number) => {
    now += ms;
  };
  const skew = (ms: number) => {
    ahead = ms;
  };
  return {
    deps,
    id,
    told,
    upload,
    develop,
    round,
    status,
    pass,
    skew,
    fail: () => failMessage(deps, message),
  };
}

test("what is not attached in time goes, files and all, and is told", async () => {
  const { deps, id, told, upload, develop, round, status, pass, skew } = await system();
  await upload();
  await develop();
  pass(HOUR);
  await round();
  assert.equal(await status(), "ready", "a minute more for an attach that is on its way");
  pass(61_000);
  skew(-24 * HOUR);
  assert.deepEqual((await round()).done, { expire: 1 });
  assert.equal(await status(), "deleted");
  assert.deepEqual(told, ["image.ready", "image.deleted"]);
  assert.equal(await deps.uploads.head(originalKey(id)), undefined);
  assert.deepEqual((await deps.uploads.list(ATTACH)).objects, []);
  await assert.rejects(attachImage(deps, id), { code: "gone" });
});

test("a clock of ours that is a day ahead ends nothing", async () => {
  const { upload, develop, round, status, skew } = await system();
  await upload();
  await develop();
  skew(24 * HOUR);
  await round();
  assert.equal(await status(), "ready");
});

test("attached it stays, whenever that was: before the file, before the worker, in time, late, twice", async () => {
  for (const when of ["before the file", "before the worker", "in time", "late"]) {
    const { deps, id, upload, develop, round, status, pass } = await system();
    const attach = async (now: string) => {
      if (when !== now) return;
      await attachImage(deps, id);
      await attachImage(deps, id);
    };
    await attach("before the file");
    await upload();
    await attach("before the worker");
    await develop();
    await attach("in time");
    pass(2 * HOUR);
    await attach("late");
    for (let days = 0; days < 40; days += 10) {
      pass(240 * HOUR);
      await develop();
      await round();
    }
    assert.equal(await status(), "ready", when);
  }
});

test("what waited for long, or failed, has its time from then on", async () => {
  for (const act of ["develop", "fail"] as const) {
    const { upload, round, status, pass, [act]: end } = await system();
    await upload();
    pass(5 * HOUR);
    await end();
    pass(0.9 * HOUR);
    await round();
    assert.notEqual(await status(), "deleted");
    pass(HOUR);
    await round();
    assert.equal(await status(), "deleted");
  }
});

test("of an attach and a sweep that meet, at any request, one has decided", async () => {
  let [kept, gone] = [0, 0];
  for (let at = 0; at < 60; at++) {
    const { deps, id, upload, develop, round, status, pass } = await system();
    await upload();
    await develop();
    pass(2 * HOUR);
    let left = at;
    let attached: Promise<boolean> | undefined;
    const meeting = (store: ObjectStore): ObjectStore => {
      const before =
        <A extends unknown[], R>(method: (...args: A) => Promise<R>) =>
        async (...args: A): Promise<R> => {
          if (left-- === 0)
            attached = attachImage(deps, id).then(
              () => true,
              () => false,
            );
          await attached;
          return method(...args);
        };
      return { ...store, head: before(store.head), put: before(store.put), delete: before(store.delete) };
    };
    await round({ uploads: meeting(deps.uploads), media: meeting(deps.media) });
    if (attached === undefined) break;
    assert.equal(await status(), (await attached) ? "ready" : "deleted", `at request ${at}`);
    if (await attached) kept++;
    else gone++;
  }
  assert.ok(kept > 2 && gone > 2, `${kept} kept, ${gone} gone`);
});

test("a sweep that has decided and died is finished by the next", async () => {
  const { deps, upload, develop, round, status, pass } = await system();
  await upload();
  await develop();
  pass(2 * HOUR);
  const put: ObjectStore["put"] = async (key, ...rest) => {
    if (key.startsWith("images/")) throw new Error("it dies");
    return deps.media.put(key, ...rest);
  };
  assert.deepEqual((await round({ media: { ...deps.media, put } })).done, { error: 1 });
  assert.equal(await status(), "ready");
  await round();
  assert.equal(await status(), "deleted");
});

test("what nobody has to attach is left alone, and what is no id is not found", async () => {
  const { deps, id, upload, develop, round, status, pass } = await system({ attachWithin: 0 });
  await upload();
  await develop();
  await attachImage(deps, id);
  assert.deepEqual((await deps.uploads.list(ATTACH)).objects, [], "nothing to remember");
  pass(2 * HOUR);
  await round();
  assert.equal(await status(), "ready");
  await assert.rejects(attachImage(deps, "../x"), { code: "not-found" });
});

test("a delete ends an attached image too, and an attach that meets it says so", async () => {
  const { deps, id, upload, develop } = await system();
  await upload();
  await develop();
  await attachImage(deps, id);
  await removeImage(deps, { owner: "me", scopes: new Set(["upload"]) }, id);
  assert.equal(await deps.uploads.head(attachKey(id)), undefined);
  await assert.rejects(attachImage(deps, id), { code: "gone" });
});
