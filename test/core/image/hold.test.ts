import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import test from "node:test";
import { memoryStore } from "../../../adapters/memory/memory-store.ts";
import { memoryUploads } from "../../../adapters/memory/memory-uploads.ts";
import { readRevision } from "../../../core/commit.ts";
import { revealHeld } from "../../../core/image/held.ts";
import { getImage, removeImage } from "../../../core/image/images.ts";
import { rejectImage, releaseImage } from "../../../core/image/judgement.ts";
import { attentionKey, HELD, imagePrefix, newId, originalKey } from "../../../core/keys.ts";
import type { Metadata } from "../../../core/metadata.ts";
import type { ObjectStore } from "../../../core/ports.ts";
import { defineConfig } from "../../../core/preset.ts";
import { PATIENCE } from "../../../core/sweep/diagnose.ts";
import { sweep } from "../../../core/sweep/sweep.ts";
import type { ImageEvent } from "../../../core/tell/tell.ts";
import { writeUploadMetadata } from "../../../core/upload-metadata.ts";
import { developMessage } from "../../../core/worker/handle-message.ts";
import { toyPicture, toyPixels } from "../../toy-pixels.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const configOf = (hold: boolean, widths = [32, 64]) =>
  defineConfig({
    defaultPreset: "photo",
    presets: {
      photo: { accept: ["jpeg"], hold, holdDays: 3, ladder: { widths, formats: ["webp", "jpeg"] } },
    },
  });

async function system(config = configOf(true)) {
  let now = Date.parse("2026-11-20T12:00:00Z");
  const told: ImageEvent[] = [];
  const clock = { now: () => new Date(now) };
  const deps = {
    uploads: memoryStore(clock),
    media: memoryStore(clock),
    openUploads: memoryUploads(),
    events: { send: async (body: string) => void told.push(JSON.parse(body).event) },
    backfill: { send: async () => {}, sendMany: async () => {}, backlog: async () => 0 },
    pixels: toyPixels(),
    config,
    mediaUrl: "https://cdn.example",
    ...clock,
    random: randomBytes,
    log: () => {},
  };
  const id = newId(randomBytes);
  const metadata = writeUploadMetadata({ owner: "me", preset: "photo" });
  await deps.uploads.put(originalKey(id), toyPicture("good"), { metadata });
  const develop = (more: object = {}, changes: Partial<typeof deps> = {}) =>
    developMessage(
      { ...deps, ...changes },
      { body: JSON.stringify({ darkroom: "develop", id, ...more }), bucket: "uploads", receives: 1 },
    );
  const document = async (): Promise<Metadata> => {
    const { document } = await readRevision(deps.media, id);
    return document ?? assert.fail("no document");
  };
  const shown = async () => (await deps.media.list(imagePrefix(id))).objects.length - 1;
  const kept = async () => (await deps.uploads.list(HELD)).objects.length;
  const round = () => sweep(deps, { begin: true, patience: PATIENCE, timeLeft: () => true });
  const pass = (ms: number) => {
    now += ms;
  };
  const types = () => told.map(({ type }) => type);
  return { deps, id, told, types, develop, document, shown, kept, round, pass };
}
const me = { owner: "me", scopes: new Set(["upload"] as const) };
const view = async (key: string) => ({ url: `https://signed.example/${key}` });

test("what is held has no variant for anybody, and says nothing of what it shows", async () => {
  const { deps, id, told, develop, document, shown, kept } = await system();
  assert.equal((await develop())[0]?.status, "held");
  const held = await document();
  assert.equal(held.status, "held");
  assert.deepEqual([held.variants, held.placeholder, held.picture], [[], undefined, undefined]);
  assert.equal(await shown(), 0);
  assert.equal(await kept(), 5, "four variants and what will be said of them");
  assert.doesNotMatch(JSON.stringify([held, told]), /dataUrl|thumbhash|webp|"url"/);
  assert.ok(await deps.uploads.head(attentionKey("held", id)));
  assert.equal((await getImage(deps, me, id)).metadata?.status, "held");
  const seen = await revealHeld(deps.uploads, view, held);
  assert.equal(seen.variants.length, 4);
  assert.ok(seen.placeholder);
  for (const { url, key } of seen.variants) {
    assert.match(url, /^https:\/\/signed\.example\/held\//);
    assert.ok(await deps.uploads.head(url.slice("https://signed.example/".length)), key);
  }
});

test("released it is as if it had never been held; again, the answer is the same", async () => {
  const { deps, id, types, develop, document, shown, kept, round } = await system();
  await develop();
  const released = await releaseImage(deps, id);
  assert.deepEqual(
    [released.status, released.variants.length, await shown(), await kept()],
    ["ready", 4, 4, 0],
  );
  assert.ok(released.releasedAt && released.picture && released.placeholder && !released.held);
  for (const { key, bytes, type } of released.variants) {
    const stored = await deps.media.head(key);
    assert.deepEqual([stored?.size, stored?.type], [bytes, type]);
    assert.match(stored?.cacheControl ?? "", /immutable/);
  }
  assert.equal((await releaseImage(deps, id)).rev, released.rev);
  assert.equal(await deps.uploads.head(attentionKey("held", id)), undefined);
  assert.deepEqual(types(), ["image.held", "image.ready", "image.ready"]);
  await assert.rejects(rejectImage(deps, id), { code: "not-held" });
  assert.deepEqual((await round()).done, {});
  // By another recipe it stays shown.
  await develop({}, { config: configOf(true, [32, 48]) });
  assert.equal((await document()).status, "ready");
  assert.equal((await document()).releasedAt, released.releasedAt);
});

test("rejected it stays so, with the reason, whatever a job tries; only force brings it back, to be judged", async () => {
  const { deps, id, types, develop, document, shown, kept } = await system();
  await develop();
  const rejected = await rejectImage(deps, id, "Faces only.");
  assert.deepEqual(
    [rejected.status, rejected.error],
    ["rejected", { code: "not-allowed", message: "Faces only." }],
  );
  assert.deepEqual([await shown(), await kept()], [0, 0]);
  assert.equal((await rejectImage(deps, id, "Another reason.")).rev, rejected.rev);
  for (const config of [configOf(true), configOf(true, [48]), configOf(false)])
    await develop({ retry: true }, { config });
  assert.equal((await document()).rev, rejected.rev);
  await develop({ force: true }, { config: configOf(false) });
  assert.equal((await document()).status, "held");
  assert.equal(await shown(), 0);
  await releaseImage(deps, id);
  assert.equal((await document()).status, "ready");
  assert.equal(types().at(-1), "image.ready");
});

test("what was never held, is deleted, or is not there cannot be judged", async () => {
  const { deps, id, develop } = await system(configOf(false));
  for (const judge of [releaseImage, rejectImage]) {
    await assert.rejects(judge(deps, "../x"), { code: "not-found" });
    await assert.rejects(judge(deps, newId(randomBytes)), { code: "not-found" });
    await assert.rejects(judge(deps, id), { code: "not-held" }, "on its way");
  }
  await develop();
  for (const judge of [releaseImage, rejectImage])
    await assert.rejects(judge(deps, id), { code: "not-held" });
  await removeImage(deps, me, id);
  for (const judge of [releaseImage, rejectImage]) await assert.rejects(judge(deps, id), { code: "gone" });
});

test("a release that a delete overtakes leaves nothing of what it has shown", async () => {
  const { deps, id, develop, shown, kept } = await system();
  await develop();
  const put: ObjectStore["put"] = async (...args) => {
    await removeImage(deps, me, id);
    return deps.media.put(...args);
  };
  await assert.rejects(releaseImage({ ...deps, media: { ...deps.media, put } }, id), { code: "gone" });
  assert.deepEqual([await shown(), await kept()], [0, 0]);
});

test("a delete of what is held leaves nothing", async () => {
  const { deps, id, develop, kept, document } = await system();
  await develop();
  await removeImage(deps, me, id);
  assert.equal((await document()).status, "deleted");
  assert.equal(await kept(), 0);
  assert.equal(await deps.uploads.head(attentionKey("held", id)), undefined);
});

test("made anew while it waits, by other sizes or a preset that holds nothing any more, it waits on", async () => {
  const { deps, id, develop, document, shown, pass } = await system();
  await develop();
  const { held } = await document();
  pass(HOUR);
  for (const config of [configOf(true, [32, 48]), configOf(false, [48])]) {
    await develop({}, { config });
    assert.equal((await document()).status, "held");
    assert.deepEqual((await document()).held, held);
    assert.equal(await shown(), 0);
  }
  const { variants } = await releaseImage(deps, id);
  assert.deepEqual(variants.map(({ name }) => name).sort(), ["w48", "w48"]);
  assert.equal(await shown(), 2);
});

test("another file in the place of one that was released waits as well", async () => {
  const { deps, id, develop, document } = await system();
  await develop();
  await releaseImage(deps, id);
  const metadata = writeUploadMetadata({ owner: "me", preset: "photo" });
  await deps.uploads.put(originalKey(id), toyPicture("good", "another"), { metadata });
  await develop();
  assert.equal((await document()).status, "held");
  assert.deepEqual((await document()).variants, []);
});

test("a judgement that dies at any request is finished by its repetition, and shows nothing half", async () => {
  for (const judge of [releaseImage, rejectImage]) {
    for (let at = 0; ; at++) {
      const { deps, id, types, develop, document, shown, kept } = await system();
      await develop();
      let left = at;
      let died = false;
      const mortal = (store: ObjectStore): ObjectStore => {
        const dying =
          <A extends unknown[], R>(method: (...args: A) => Promise<R>) =>
          async (...args: A): Promise<R> => {
            died ||= left-- <= 0;
            if (died) throw new Error("it dies");
            return method(...args);
          };
        const { head, get, put, delete: remove, list } = store;
        return {
          head: dying(head),
          get: dying(get),
          put: dying(put),
          delete: dying(remove),
          list: dying(list),
        };
      };
      const mortals = { ...deps, uploads: mortal(deps.uploads), media: mortal(deps.media) };
      await judge(mortals, id).catch(() => {});
      const between = await document();
      for (const { key } of between.variants) assert.ok(await deps.media.head(key), key);
      const end = await judge(deps, id);
      assert.equal(await shown(), end.variants.length);
      assert.equal(await kept(), 0);
      assert.ok(types().at(-1)?.endsWith(end.status));
      if (!died) break;
    }
  }
});

test("a judgement and a worker that makes it anew, at any request: one is first, and nothing is shown unjudged", async () => {
  for (const judge of [releaseImage, rejectImage]) {
    let met = true;
    for (let at = 0; met; at++) {
      const { deps, id, develop, document, shown } = await system();
      await develop();
      let left = at;
      met = false;
      const meeting = (store: ObjectStore): ObjectStore => {
        const before =
          <A extends unknown[], R>(method: (...args: A) => Promise<R>) =>
          async (...args: A): Promise<R> => {
            if (left-- === 0) {
              met = true;
              await judge(deps, id).catch((error: Error & { code?: string }) => {
                assert.equal(error.code, "unavailable");
              });
            }
            return method(...args);
          };
        return { ...store, get: before(store.get), put: before(store.put), list: before(store.list) };
      };
      const stores = { uploads: meeting(deps.uploads), media: meeting(deps.media) };
      const config = configOf(true, [32, 48]);
      await develop({}, { ...stores, config }).catch((error: { code?: string }) =>
        assert.equal(error.code, "unavailable"),
      );
      await develop({}, { config });
      const { status, variants } = await document();
      assert.ok(["held", "ready", "rejected"].includes(status));
      for (const { key } of variants) assert.ok(await deps.media.head(key), key);
      if (status !== "ready") assert.equal(await shown(), 0, `${judge.name} at request ${at}`);
      if (status === "held") await releaseImage(deps, id);
    }
  }
});

test("what nobody judges is told again, and then rejected; a sweep cleans up after a judgement that died", async () => {
  const { deps, id, types, develop, document, kept, round, pass } = await system();
  await develop();
  pass(3 * DAY - HOUR);
  assert.deepEqual((await round()).done, {});
  pass(2 * HOUR);
  assert.deepEqual((await round()).done, { remind: 1 });
  assert.deepEqual((await round()).done, {});
  assert.deepEqual(types(), ["image.held", "image.held"]);
  pass(3 * DAY);
  assert.deepEqual((await round()).done, { refuse: 1 });
  assert.equal((await document()).error?.code, "not-allowed");
  assert.equal(types().at(-1), "image.rejected");
  assert.equal(await kept(), 0);
  await deps.uploads.put(`${HELD}${id}/w32.0123456789abcdef.webp`, "left");
  for (let days = 0; days < 4; days++) {
    pass(1.1 * DAY);
    await round();
  }
  assert.equal(await kept(), 0);
});

test("judged while it is made anew, it stays so; whoever forces it again has it held, to be released", async () => {
  const { deps, id, develop, document } = await system();
  await develop();
  const put: ObjectStore["put"] = async (key, ...rest) => {
    const written = await deps.uploads.put(key, ...rest);
    if (key.startsWith(`${HELD}${id}/document`)) await rejectImage(deps, id);
    return written;
  };
  await assert.rejects(develop({ force: true }, { uploads: { ...deps.uploads, put } }), {
    code: "unavailable",
  });
  assert.equal((await document()).error?.code, "not-allowed");
  await develop({ force: true });
  assert.equal((await document()).status, "held");
  assert.equal((await releaseImage(deps, id)).status, "ready");
});

test("a reminder that its sweep did not live to send is sent by the next round", async () => {
  const { deps, develop, round, pass, types } = await system();
  await develop();
  pass(3 * DAY + HOUR);
  const { send } = deps.events;
  deps.events.send = () => Promise.reject(new Error("SQS is away"));
  assert.deepEqual((await round()).done, { error: 1 });
  deps.events.send = send;
  for (const expected of [{ remind: 1 }, {}]) assert.deepEqual((await round()).done, expected);
  assert.deepEqual(types(), ["image.held", "image.held"]);
});

test("what is no picture is rejected, and not held", async () => {
  const { deps, id, develop, document, kept } = await system();
  const metadata = writeUploadMetadata({ owner: "me", preset: "photo" });
  await deps.uploads.put(originalKey(id), toyPicture("corrupt"), { metadata });
  await develop();
  assert.deepEqual([(await document()).status, await kept()], ["rejected", 0]);
});
