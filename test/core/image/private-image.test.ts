/** Private images: where they lie, who finds them, and how they move in and out, whatever breaks off or comes in between. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import test from "node:test";
import { MemoryQueue } from "../../../adapters/memory/memory-queue.ts";
import { memoryStore } from "../../../adapters/memory/memory-store.ts";
import { memoryUploads } from "../../../adapters/memory/memory-uploads.ts";
import { readRevision } from "../../../core/commit.ts";
import { DarkroomError } from "../../../core/errors.ts";
import { deleteImage } from "../../../core/image/delete-image.ts";
import { getImage, listImages, removeImage } from "../../../core/image/images.ts";
import { isMeant } from "../../../core/job/selection.ts";
import { FORGETS, homeOf, homePrefix, imagePrefix, metaKey, newId, originalKey } from "../../../core/keys.ts";
import { developBody } from "../../../core/message.ts";
import type { ObjectStore } from "../../../core/ports.ts";
import { defineConfig } from "../../../core/preset.ts";
import { PATIENCE, TOMBSTONE_MS } from "../../../core/sweep/diagnose.ts";
import { sweep } from "../../../core/sweep/sweep.ts";
import type { ImageEvent } from "../../../core/tell/tell.ts";
import { writeUploadMetadata } from "../../../core/upload-metadata.ts";
import { failMessage, developMessage as work } from "../../../core/worker/handle-message.ts";
import { toyPicture, toyPixels } from "../../toy-pixels.ts";

const DAY = 86_400_000;
const me = { owner: "me", scopes: new Set(["upload"] as const) };
const home = homeOf("me");
const configOf = (access: "public" | "private") =>
  defineConfig({
    defaultPreset: "photo",
    presets: { photo: { accept: ["jpeg"], access, ladder: { widths: [32, 48], formats: ["webp"] } } },
  });

/** One image signed for under a preset, and not yet developed. */
async function system(access: "public" | "private") {
  let ms = Date.parse("2026-11-20T12:00:00Z");
  const now = () => new Date(ms);
  const told: ImageEvent[] = [];
  const id = newId(randomBytes);
  const deps = {
    uploads: memoryStore({ now }),
    media: memoryStore({ now }),
    events: { send: async (body: string) => void told.push(JSON.parse(body).event) },
    backfill: new MemoryQueue(),
    openUploads: memoryUploads(),
    pixels: toyPixels(),
    config: configOf(access),
    mediaUrl: "https://cdn.example",
    now,
    random: randomBytes,
    log: () => {},
  };
  const metadata = writeUploadMetadata({
    owner: "me",
    preset: "photo",
    ...(access === "private" ? { access } : {}),
  });
  const { etag: eTag } = await deps.uploads.put(originalKey(id), toyPicture("good"), { metadata });
  const created = JSON.stringify({
    Records: [
      {
        eventName: "ObjectCreated:Put",
        s3: { bucket: { name: "uploads" }, object: { key: originalKey(id), eTag, sequencer: "01" } },
      },
    ],
  });
  const job = developBody({ id, force: false, retry: false });
  const develop = async (body = created, receives = 1) => {
    const [outcome] = await work(deps, { body, receives, bucket: "uploads" });
    return `${outcome?.status}${outcome?.reason ? ` ${outcome.reason}` : ""}`;
  };
  const keys = async (prefix: string) => (await deps.media.list(prefix)).objects.map(({ key }) => key);
  const document = async () => (await readRevision(deps.media, id)).document;
  /** What is private has nothing in public, but for a note that says no more than that. */
  const keepsSecret = async () => {
    const open = await keys(imagePrefix(id));
    assert.deepEqual(
      open.filter((key) => key !== metaKey(id)),
      [],
    );
    if (open.length === 0) return;
    const { status, move, ...rest } = await parsed(deps.media, metaKey(id));
    assert.deepEqual(
      [status, move, Object.keys(rest)],
      ["moved", "moved", ["schema", "id", "rev", "writeId"]],
    );
  };
  const isWhole = async () => {
    for (const { key, bytes, url } of (await document())?.variants ?? []) {
      assert.equal((await deps.media.head(key))?.size, bytes, key);
      assert.equal(url, `https://cdn.example/${key}`);
    }
  };
  const rounds = async (count: number) => {
    for (let round = 0; round < count; round++) {
      ms += DAY + 3_600_000;
      await sweep(deps, { begin: true, patience: PATIENCE, timeLeft: () => true });
    }
  };
  const pass = (by: number) => {
    ms += by;
  };
  return { ...{ id, deps, told, created, job, develop, keys, document }, keepsSecret, isWhole, rounds, pass };
}

async function parsed(store: ObjectStore, key: string) {
  const stored = await store.get(key);
  let text = "";
  for await (const chunk of stored?.body ?? []) text += Buffer.from(chunk).toString();
  return JSON.parse(text);
}

test("of a private preset nothing is ever in public, and its owner finds all of it", async () => {
  const { id, deps, develop, document, keepsSecret, isWhole, keys, told, rounds, created } =
    await system("private");
  assert.equal(await develop(), "ready");
  await keepsSecret();
  await isWhole();
  const ready = await document();
  assert.deepEqual([ready?.access, ready?.variants.length], ["private", 2]);
  assert.match(ready?.picture?.img.src ?? "", new RegExp(`/private/${home}/${id}/`));
  const there = await keys("");
  assert.deepEqual(
    there.filter((key) => !key.startsWith(`${homePrefix(home)}${id}/`)),
    [`homes/${id}`],
  );
  for (const key of there.filter((one) => one.endsWith(".webp")))
    assert.equal((await deps.media.head(key))?.cacheControl, "private, max-age=31536000, immutable");
  assert.equal(told.at(-1)?.data.access, "private");
  assert.equal(await develop(), "skipped duplicate");
  assert.equal((await listImages(deps, me, { limit: 9, cursor: undefined })).images.length, 1);
  assert.equal((await getImage(deps, me, id)).metadata?.id, id);
  await assert.rejects(getImage(deps, { ...me, owner: "you" }, id), { code: "not-found" });
  await rounds(3);
  assert.deepEqual(await keys(""), there);
  // Its original is taken away past us: it stays, says so, and is found by those who know only its id.
  await deps.uploads.delete(originalKey(id));
  await develop(created.replace("Created:Put", "Removed:Delete"));
  assert.ok((await document())?.source?.gone);
  assert.ok((await getImage(deps, me, id)).metadata?.source?.gone);
  await removeImage(deps, me, id);
  await keepsSecret();
  assert.equal((await document())?.status, "deleted");
  assert.deepEqual((await keys("")).sort(), [`homes/${id}`, metaKey(id, home)]);
  assert.equal(await develop(), "skipped deleted");
  await rounds(Math.ceil(TOMBSTONE_MS / DAY) + 2);
  assert.deepEqual([await keys(""), (await deps.uploads.list("owners/")).objects], [[], []]);
  // No CDN keeps it, so none is asked to forget.
  assert.deepEqual((await deps.uploads.list(FORGETS)).objects, []);
});

test("a private image that is deleted before it is developed has its tombstone in private", async () => {
  const { id, deps, develop, document, keys, rounds } = await system("private");
  // As a job, or a time that is over: they know its id alone.
  await deleteImage(deps, id, await readRevision(deps.media, id));
  assert.deepEqual((await keys("")).sort(), [`homes/${id}`, metaKey(id, home)]);
  assert.equal((await document())?.status, "deleted");
  assert.equal(await develop(), "skipped deleted");
  await rounds(Math.ceil(TOMBSTONE_MS / DAY) + 2);
  assert.deepEqual(await keys(""), []);
});

test("a private image that cannot be made ends in private", async () => {
  for (const end of ["failed", "deleted", "rejected"]) {
    const { id, deps, develop, document, keepsSecret, created } = await system("private");
    if (end === "failed") await failMessage(deps, { body: created, bucket: "uploads" });
    if (end === "deleted") await removeImage(deps, me, id);
    if (end === "rejected") {
      Object.assign(deps, { pixels: { develop: () => Promise.reject(new DarkroomError("corrupt")) } });
      await develop();
    }
    assert.deepEqual([(await document())?.status, (await document())?.access], [end, "private"]);
    await keepsSecret();
  }
});

test("a job makes a public image private, and public again", async () => {
  const { id, deps, develop, document, job, keepsSecret, isWhole, keys, told, rounds, pass } =
    await system("public");
  await develop();
  pass(1000);
  assert.equal(await develop(job), "skipped unchanged");
  for (const access of ["private", "public", "private", "public"] as const) {
    assert.equal(await isMeant(deps, { status: "stale" }, { id, uploadedAt: 0 }), false);
    deps.config = configOf(access);
    assert.equal(await isMeant(deps, { status: "stale" }, { id, uploadedAt: 0 }), true);
    const rev = (await document())?.rev ?? 0;
    assert.equal(await develop(job), "ready");
    const moved = await document();
    assert.equal(moved?.access ?? "public", access);
    assert.ok((moved?.rev ?? 0) > rev);
    assert.equal(told.at(-1)?.type, "image.updated");
    await isWhole();
    assert.equal(await develop(job), "skipped unchanged");
    if (access === "public") continue;
    await keepsSecret();
    assert.equal((await deps.uploads.list(FORGETS)).objects.length, 1, "the CDN is asked to forget it");
  }
  await rounds(40);
  await isWhole();
  const left = (await keys("")).filter((key) => !key.startsWith(imagePrefix(id)));
  assert.deepEqual(left, [`homes/${id}`], "nothing of it is left in private");
  await removeImage(deps, me, id);
  await rounds(Math.ceil(TOMBSTONE_MS / DAY) + 2);
  assert.deepEqual(await keys(""), []);
});

class Crash extends Error {}
/** The store, whose request `at` does not come back: done or not. */
function crashing(store: ObjectStore, at: number, isDone: boolean): ObjectStore {
  let count = 0;
  const broken =
    <A extends unknown[], R>(method: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      if (++count < at) return method(...args);
      if (count === at && isDone) await method(...args);
      throw new Crash();
    };
  return {
    head: broken(store.head),
    get: broken(store.get),
    put: broken(store.put),
    delete: broken(store.delete),
    list: store.list,
  };
}

test("a move that is broken off at any request comes to its end, and private stays private", async () => {
  for (const [from, to] of [
    ["public", "private"],
    ["private", "public"],
  ] as const) {
    for (let at = 1, crashed = true; crashed; at++) {
      for (const isDone of [false, true]) {
        const { deps, develop, document, job, isWhole, keepsSecret, told, rounds } = await system(from);
        await develop();
        deps.config = configOf(to);
        const { media } = deps;
        deps.media = crashing(media, at, isDone);
        crashed = await develop(job).then(
          () => false,
          (error: unknown) => {
            if (error instanceof Crash) return true;
            throw error;
          },
        );
        deps.media = media;
        // What stands is whole at once, whoever looks; a sweep alone leaves it so.
        await isWhole();
        const between = (await document())?.access;
        if (at % 3 === 0) await rounds(2);
        assert.equal((await document())?.access, between);
        if (between === "private" && at % 3 === 0) await keepsSecret();
        await develop(job, 2);
        await isWhole();
        assert.equal((await document())?.access ?? "public", to);
        assert.equal(told.at(-1)?.data.access ?? "public", to);
        await rounds(2);
        if (to === "private") await keepsSecret();
        await isWhole();
      }
    }
  }
});

test("a delete that comes between any two requests of a move is final", async () => {
  for (const [from, to] of [
    ["public", "private"],
    ["private", "public"],
  ] as const) {
    for (let at = 1, reached = true; reached; at++) {
      const { id, deps, develop, document, job, keys, rounds } = await system(from);
      await develop();
      deps.config = configOf(to);
      const { media } = deps;
      let count = 0;
      reached = false;
      const between =
        <A extends unknown[], R>(method: (...args: A) => Promise<R>) =>
        async (...args: A): Promise<R> => {
          if (++count === at) {
            reached = true;
            await removeImage({ ...deps, media }, me, id);
          }
          return method(...args);
        };
      deps.media = {
        head: between(media.head),
        get: between(media.get),
        put: between(media.put),
        delete: between(media.delete),
        list: between(media.list),
      };
      await develop(job).catch((error: unknown) => assert.ok(error instanceof DarkroomError, String(error)));
      deps.media = media;
      if (!reached) break;
      assert.equal((await document())?.status, "deleted", `${from}, request ${at}`);
      await develop(job, 2);
      assert.equal((await document())?.status, "deleted", `${from}, request ${at}`);
      await rounds(Math.ceil(TOMBSTONE_MS / DAY) + 3);
      assert.deepEqual([await document(), await keys("")], [undefined, []], `${from}, request ${at}`);
    }
  }
});
