import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { buffer } from "node:stream/consumers";
import test from "node:test";
import { MemoryQueue } from "../../../adapters/memory/memory-queue.ts";
import { memoryStore } from "../../../adapters/memory/memory-store.ts";
import { memoryUploads } from "../../../adapters/memory/memory-uploads.ts";
import { readRevision, readText } from "../../../core/commit.ts";
import { DarkroomError } from "../../../core/errors.ts";
import { deleteImage } from "../../../core/image/delete-image.ts";
import { awaitImage, getImage, listImages, removeImage } from "../../../core/image/images.ts";
import { retire } from "../../../core/image/retire.ts";
import { attentionKey, imagePrefix, newId, originalKey } from "../../../core/keys.ts";
import type { ObjectStore, Pixels } from "../../../core/ports.ts";
import { defineConfig } from "../../../core/preset.ts";
import type { ImageEvent } from "../../../core/tell/tell.ts";
import { writeUploadMetadata } from "../../../core/upload-metadata.ts";
import { developMessage, failMessage } from "../../../core/worker/handle-message.ts";
import { toyPicture, toyPixels } from "../../toy-pixels.ts";

const preset = (widths: number[]) => ({
  defaultPreset: "photo",
  presets: {
    photo: {
      accept: ["jpeg" as const],
      maxBytes: 1000,
      ladder: { widths, formats: ["webp" as const, "jpeg" as const] },
    },
  },
});
const me = { owner: "me", scopes: new Set(["upload"] as const) };
const you = { owner: "you", scopes: new Set(["upload"] as const) };

/** A small system with one image uploaded, every request to the stores written down. */
async function system({
  picture = toyPicture("good"),
  declared = {} as { sha256?: string; preset?: string },
} = {}) {
  const requests: string[] = [];
  const told: ImageEvent[] = [];
  const counted = (name: string, store: ObjectStore): ObjectStore => {
    const note =
      <A extends unknown[], R>(verb: string, method: (...args: A) => R) =>
      (...args: A): R => {
        requests.push(`${verb} ${name}/${String(args[0]).replace(id, "ID")}`);
        return method(...args);
      };
    return {
      head: note("HEAD", store.head),
      get: note("GET", store.get),
      put: note("PUT", store.put),
      delete: note("DELETE", store.delete),
      list: note("LIST", store.list),
    };
  };
  const id = newId(randomBytes);
  const now = () => new Date("2026-11-20T12:00:00Z");
  const deps = {
    uploads: counted("uploads", memoryStore({ now })),
    media: counted("media", memoryStore({ now })),
    events: { send: async (body: string) => void told.push(JSON.parse(body).event) },
    backfill: new MemoryQueue(),
    openUploads: memoryUploads(),
    pixels: toyPixels(),
    config: defineConfig(preset([32, 48])),
    mediaUrl: "https://cdn.example",
    now,
    random: randomBytes,
  };
  const metadata = writeUploadMetadata({ owner: "me", preset: "photo", ...declared });
  const { etag } = await deps.uploads.put(originalKey(id), picture, { metadata });
  requests.length = 0;
  const event = (eventName = "ObjectCreated:Put", sequencer = "01", eTag = etag) =>
    JSON.stringify({
      Records: [
        { eventName, s3: { bucket: { name: "uploads" }, object: { key: originalKey(id), eTag, sequencer } } },
      ],
    });
  const work = async (body: string, receives = 1) => {
    requests.length = 0;
    const [outcome] = await developMessage(deps, { body, receives, bucket: "uploads" });
    return `${outcome?.status}${outcome?.reason ? ` ${outcome.reason}` : ""}`;
  };
  const document = async () => (await readRevision(deps.media, id)).document;
  return { id, deps, requests, told, event, work, document };
}

test("an image costs five requests and one for each variant", async () => {
  const { work, event, requests, document, deps, id } = await system();
  assert.equal(await work(event()), "ready");
  const variants = requests.filter((request) => request.startsWith("PUT media/images/ID/w"));
  assert.equal(variants.length, 4);
  assert.deepEqual(
    requests.filter((request) => !variants.includes(request)),
    [
      "GET media/images/ID/meta.json",
      "GET uploads/originals/ID",
      "PUT uploads/owners/me/8204823999999-ID",
      "PUT media/images/ID/meta.json",
      "PUT uploads/counts/me/8204823999999-ID-8-32",
    ],
  );
  const ready = await document();
  assert.deepEqual(ready?.variants.map(({ name, format }) => `${name}.${format}`).sort(), [
    "w32.jpeg",
    "w32.webp",
    "w48.jpeg",
    "w48.webp",
  ]);
  for (const { key, url } of ready?.variants ?? []) {
    assert.ok(await deps.media.head(key));
    assert.equal(url, `https://cdn.example/${key}`);
    assert.match(key, new RegExp(`^images/${id}/w\\d+\\.[0-9a-z]{16}\\.(webp|jpg)$`));
  }
  // Public: nobody's name, nobody's file name.
  assert.doesNotMatch(JSON.stringify(ready), /"me"|filename|owner/);
});

test("whose it is stands in the document as far as its preset keeps it; that it has content credentials always", async () => {
  const { deps, work, event, document } = await system();
  const rights = { creator: "Ann", credit: "Agency" };
  const seen = {
    format: "jpeg" as const,
    width: 60,
    height: 40,
    frames: 1,
    alpha: false,
    rights,
    c2pa: true,
  };
  const toy = deps.pixels;
  deps.pixels = {
    develop: (source, format, planFor, write) => toy.develop(source, format, () => planFor(seen), write),
  };
  await work(event());
  const before = await document();
  assert.deepEqual([before?.rights, before?.source?.c2pa], [undefined, true]);
  assert.doesNotMatch(JSON.stringify(before), /Ann|Agency/);
  const { photo } = preset([32, 48]).presets;
  deps.config = defineConfig({
    defaultPreset: "photo",
    presets: { photo: { ...photo, keep: ["creator"] } },
  });
  assert.equal(await work(event()), "ready", "another recipe");
  const after = await document();
  assert.deepEqual(after?.rights, { creator: "Ann" });
  assert.doesNotMatch(JSON.stringify(after), /Agency/);
  const [old = [], made = []] = [before, after].map((one) => one?.variants.map(({ key }) => key));
  assert.ok(made.length > 0 && made.every((key) => !old.includes(key)), "what is said is part of the key");
});

test("a duplicate costs one GET", async () => {
  const { work, event, requests } = await system();
  await work(event());
  assert.equal(await work(event()), "skipped duplicate");
  assert.deepEqual(requests, ["GET media/images/ID/meta.json"]);
  assert.equal(await work(event("ObjectCreated:Put", "00")), "skipped superseded");
});

test("a file that kills its workers is rejected, and can be tried again by a job", async () => {
  const { work, event, deps, id, document, requests } = await system();
  const killing = { ...deps, pixels: { develop: () => new Promise<never>(() => {}) } };
  for (const receives of [1, 2, 3, 4, 5]) {
    void developMessage(killing, { body: event(), receives, bucket: "uploads" });
    for (let turns = 0; turns < 5; turns++) await new Promise(setImmediate);
  }
  assert.equal(await work(event(), 6), "rejected decoder-crashed");
  assert.ok(requests.includes("HEAD uploads/marks/ID"));
  assert.deepEqual((await document())?.error?.code, "decoder-crashed");
  assert.equal(await work(JSON.stringify({ darkroom: "develop", id, retry: true })), "ready");
});

test("a rejection is written once, listed among those that need attention, and leaves it when it is made good", async () => {
  const { work, event, document, deps, id } = await system({ picture: toyPicture("corrupt") });
  assert.equal(await work(event()), "rejected corrupt");
  assert.deepEqual((await document())?.error, {
    code: "corrupt",
    message: "The image is damaged and cannot be read.",
  });
  assert.ok(await deps.uploads.head(attentionKey("rejected", id)));
  assert.equal(await work(event()), "skipped duplicate");
  const { etag } = await deps.uploads.put(originalKey(id), toyPicture("good"));
  assert.equal(await work(event("ObjectCreated:Post", "02", etag)), "ready");
  assert.equal(await deps.uploads.head(attentionKey("rejected", id)), undefined);
});

test("files are refused before anything is decoded: empty, too large, of another kind, not the announced one", async () => {
  const other = Buffer.from("0".repeat(32)).toString("base64");
  const cases: [Uint8Array, { sha256?: string; preset?: string }, string][] = [
    [Buffer.alloc(0), {}, "rejected empty"],
    [Buffer.alloc(1001), {}, "rejected too-large"],
    [Buffer.from("<svg/>"), {}, "rejected unsupported-format"],
    [Buffer.from("GIF89a"), {}, "rejected unsupported-format"],
    [toyPicture("good"), { sha256: other }, "rejected checksum-mismatch"],
    [toyPicture("good"), { preset: "bygone" }, "failed unknown-preset"],
  ];
  for (const [picture, declared, expected] of cases) {
    const { work, event } = await system({ picture, declared });
    assert.equal(await work(event()), expected);
  }
});

test("a new recipe makes only what is missing and keeps the old for a while", async () => {
  const { work, event, requests, document, deps, id } = await system();
  await work(event());
  const before = (await document())?.variants ?? [];
  deps.config = defineConfig(preset([32, 40]));
  assert.equal(await work(JSON.stringify({ darkroom: "develop", id })), "ready");
  const made = requests
    .filter((request) => request.startsWith("PUT media/images/ID/w"))
    .map((request) => request.split("/")[3]?.split(".")[0]);
  assert.deepEqual(made, ["w40", "w40"]);
  const after = await document();
  assert.equal(after?.rev, 2);
  const gone = before.filter(({ name }) => name === "w48").map(({ key }) => key);
  assert.deepEqual(after?.superseded.map(({ key }) => key).sort(), gone.sort());
  // Back to the old one: what was superseded is there still, and comes back without being made.
  deps.config = defineConfig(preset([32, 48]));
  await work(JSON.stringify({ darkroom: "develop", id }));
  assert.deepEqual(
    requests.filter((request) => request.startsWith("PUT media/images/ID/w")),
    [],
  );
  assert.deepEqual(
    (await document())?.variants.map(({ key }) => key).sort(),
    before.map(({ key }) => key).sort(),
  );
});

test("a try that died before its commit has not worked for nothing", async () => {
  const { work, event, requests, deps } = await system();
  const { put } = deps.media;
  deps.media = {
    ...deps.media,
    put: async (key, ...rest) =>
      key.endsWith("meta.json") ? Promise.reject(new Error("reset")) : put(key, ...rest),
  };
  await assert.rejects(work(event()), /reset/);
  deps.media = { ...deps.media, put };
  assert.equal(await work(event(), 2), "ready");
  assert.deepEqual(
    requests.filter((request) => request.startsWith("PUT media/images/ID/w")),
    [],
  );
});

test("jobs leave alone what is settled, unless they force it", async () => {
  const { work, event, id } = await system();
  await work(event());
  assert.equal(await work(JSON.stringify({ darkroom: "develop", id })), "skipped unchanged");
  assert.equal(await work(JSON.stringify({ darkroom: "develop", id, force: true })), "ready");
});

test("an overwritten original waits for its own event", async () => {
  const { work, event, deps, id } = await system();
  await deps.uploads.put(originalKey(id), toyPicture("good", "second"));
  assert.equal(await work(event()), "skipped overwritten");
});

test("deleting is final, for whoever comes later", async () => {
  const { work, event, deps, id, document } = await system();
  await work(event());
  await removeImage(deps, me, id);
  await removeImage(deps, me, id);
  assert.equal((await document())?.status, "deleted");
  await assert.rejects(getImage(deps, me, id), { code: "gone" });
  await assert.rejects(getImage(deps, you, id), { code: "not-found" });
  // A signature still valid, or an event late by days.
  await deps.uploads.put(originalKey(id), toyPicture("good"), {
    metadata: writeUploadMetadata({ owner: "me", preset: "photo" }),
  });
  assert.equal(await work(event("ObjectCreated:Put", "FF")), "skipped deleted");
  assert.equal(await deps.uploads.head(originalKey(id)), undefined);
  assert.deepEqual(
    (await deps.media.list(imagePrefix(id))).objects.map(({ key }) => key),
    [`${imagePrefix(id)}meta.json`],
  );
});

test("an original that went by other means than a delete leaves its image as it is, which says so", async () => {
  const { work, event, deps, id, document, told } = await system();
  await work(event());
  const before = await document();
  assert.equal(await work(event("ObjectRemoved:Delete", "02")), "skipped written again");
  const original = await deps.uploads.get(originalKey(id));
  const bytes = original ? await buffer(original.body) : "";
  await deps.uploads.delete(originalKey(id));
  for (const receives of [1, 2])
    assert.equal(await work(event("LifecycleExpiration:Delete", "03"), receives), "skipped original-gone");
  const gone = await document();
  assert.equal(gone?.source?.gone, deps.now().toISOString());
  assert.deepEqual(gone?.variants, before?.variants);
  assert.equal(gone?.rev, 2);
  assert.ok(await deps.uploads.head(attentionKey("original-gone", id)));
  assert.deepEqual(
    told.map(({ type }) => type),
    ["image.ready"],
    "nothing that a page shows has changed",
  );

  // A job is told what it cannot do, and says so in the document.
  const job = JSON.stringify({ darkroom: "develop", id, force: true });
  assert.equal(await work(job), "failed original-gone");
  assert.equal(await work(job), "failed original-gone");
  const tried = await document();
  assert.equal(tried?.status, "ready");
  assert.equal(tried?.lastError?.code, "original-gone");
  assert.equal(tried?.rev, 3);
  assert.equal(told.at(-1)?.type, "image.updated");

  // It comes back, by a restore: nothing is made anew.
  const { etag } = await deps.uploads.put(originalKey(id), bytes, { metadata: original?.metadata ?? {} });
  assert.equal(await work(event("ObjectCreated:Copy", "04", etag)), "skipped unchanged");
  const back = await document();
  assert.equal(back?.source?.gone, undefined);
  assert.equal(back?.lastError, undefined);
  assert.equal(await deps.uploads.head(attentionKey("original-gone", id)), undefined);
  assert.equal(await work(event("ObjectCreated:Copy", "04", etag)), "skipped duplicate");

  const never = await system();
  await never.deps.uploads.delete(originalKey(never.id));
  assert.equal(await never.work(never.event()), "skipped original-gone");
  assert.equal(await never.document(), undefined);
});

test("a gone original can be asked for, owned, and deleted for good; its dead letters end in a mark too", async () => {
  const { work, event, deps, id, document } = await system();
  await work(event());
  await deps.uploads.delete(originalKey(id));
  const job = JSON.stringify({ darkroom: "develop", id });
  assert.equal((await failMessage(deps, { body: job, bucket: "uploads" }))[0]?.reason, "original-gone");
  assert.equal((await getImage(deps, me, id)).metadata?.status, "ready");
  await assert.rejects(removeImage(deps, you, id), { code: "not-found" });
  await removeImage(deps, me, id);
  assert.equal((await document())?.status, "deleted");
  assert.equal(await deps.uploads.head(attentionKey("original-gone", id)), undefined);
  assert.equal(await work(event("ObjectRemoved:Delete", "03")), "deleted");
});

test("a delete in the middle of the work undoes it", async () => {
  for (const moment of ["before the commit", "after it"]) {
    const { work, event, deps, id, document } = await system();
    const { put } = deps.media;
    let once = true;
    deps.media = {
      ...deps.media,
      put: async (key, ...rest) => {
        const commits = key.endsWith("meta.json");
        if (once && commits === (moment === "after it")) {
          once = false;
          await deleteImage(
            { ...deps, media: { ...deps.media, put } },
            id,
            await readRevision(deps.media, id),
            { owner: "me" },
          );
        }
        return put(key, ...rest);
      },
    };
    const outcome = await work(event());
    assert.match(outcome, /^(deleted|skipped deleted)$/, moment);
    assert.equal((await document())?.status, "deleted", moment);
    assert.equal((await deps.media.list(imagePrefix(id))).objects.length, 1, moment);
  }
});

test("dead letters end an image, unless it has ended well", async () => {
  const { event, deps, id, document, work } = await system();
  const fail = async (body: string) => (await failMessage(deps, { body, bucket: "uploads" }))[0]?.status;
  assert.equal(await fail(event()), "failed");
  assert.equal((await document())?.error?.code, "retries-exhausted");
  const { images } = await listImages(deps, me, { limit: 10, cursor: undefined });
  assert.deepEqual(
    images.map(({ status }) => status),
    ["failed"],
  );
  assert.ok(await deps.uploads.head(attentionKey("failed", id)));
  assert.equal(await work(JSON.stringify({ darkroom: "develop", id })), "ready");
  assert.equal(await deps.uploads.head(attentionKey("failed", id)), undefined);
  assert.equal(await fail(event()), "skipped");
  assert.equal((await document())?.status, "ready");
});

test("an owner's images come newest first, page by page; nobody else's do", async () => {
  const { deps } = await system();
  const ids: string[] = [];
  for (let i = 0; i < 5; i++) {
    const id = newId(randomBytes);
    ids.unshift(id);
    const at = new Date(Date.parse("2026-11-20T12:00:00Z") + i * 1000);
    const store = memoryStore({ now: () => at });
    const metadata = writeUploadMetadata({ owner: "me", preset: "photo" });
    const { etag } = await store.put(originalKey(id), toyPicture("good"), { metadata });
    const body = JSON.stringify({
      Records: [
        {
          eventName: "ObjectCreated:Put",
          s3: { bucket: { name: "uploads" }, object: { key: originalKey(id), eTag: etag } },
        },
      ],
    });
    const { get, head } = store;
    await developMessage(
      { ...deps, uploads: { ...deps.uploads, get, head } },
      { body, receives: 1, bucket: "uploads" },
    );
  }
  const found: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await listImages(deps, me, { limit: 2, cursor });
    found.push(...page.images.map((image) => image.id));
    cursor = page.cursor;
  } while (cursor);
  assert.deepEqual(found, ids);
  assert.deepEqual((await listImages(deps, you, { limit: 2, cursor: undefined })).images, []);
  await assert.rejects(listImages(deps, me, { limit: 2, cursor: "../you/x" }), { code: "bad-request" });
});

test("an image on its way is neither missing nor done", async () => {
  const { deps, id } = await system();
  assert.ok(!(await getImage(deps, me, id)).metadata);
  await assert.rejects(getImage(deps, you, id), { code: "not-found" });
  await assert.rejects(getImage(deps, me, "../../x"), { code: "not-found" });
  await assert.rejects(getImage(deps, me, newId(randomBytes)), { code: "not-found" });
});

test("metadata is stored for the public, short-lived, as JSON", async () => {
  const { work, event, deps, id } = await system();
  await work(event());
  const stored = await deps.media.get(`${imagePrefix(id)}meta.json`);
  assert.equal(stored?.type, "application/json");
  assert.match(stored?.cacheControl ?? "", /max-age=\d{1,2}$/);
  assert.equal(JSON.parse(await readText(stored?.body ?? [])).schema, 1);
});

test("a job for an image that is signed for and not there yet spoils nothing", async () => {
  const { deps, id, work, event } = await system();
  const original = await deps.uploads.get(originalKey(id));
  assert.ok(original);
  const bytes = await readText(original.body);
  await deps.uploads.delete(originalKey(id));
  const job = JSON.stringify({ darkroom: "develop", id });
  assert.equal(await work(job), "skipped unknown");
  assert.equal((await failMessage(deps, { body: job, bucket: "uploads" }))[0]?.reason, "unknown");
  const { metadata } = original;
  await deps.uploads.put(originalKey(id), Buffer.from(bytes, "latin1"), { metadata });
  assert.match(
    await work(event("ObjectCreated:Put", "01", undefined)),
    /^(ready|rejected|skipped overwritten)/,
  );
});

test("an original that is refused unread gives its connection back", async () => {
  for (const declared of [{ preset: "bygone" }, {}]) {
    const { deps, work, event } = await system({ declared, picture: Buffer.alloc(1001) });
    let open = 0;
    const { get } = deps.uploads;
    deps.uploads = {
      ...deps.uploads,
      get: async (...args) => {
        const stored = await get(...args);
        if (!stored) return undefined;
        open++;
        const pieces = stored.body[Symbol.asyncIterator]();
        const close = async () => {
          open--;
          return { done: true as const, value: undefined };
        };
        return {
          ...stored,
          body: { [Symbol.asyncIterator]: () => ({ next: () => pieces.next(), return: close }) },
        };
      },
    };
    assert.match(await work(event()), /^(failed|rejected)/);
    assert.equal(open, 0);
  }
});

test("an event of a removal does not remove the original once more", async () => {
  // In a bucket that keeps versions each removal is an event again: for ever.
  const { deps, id, work, event, requests } = await system();
  await work(event());
  await removeImage(deps, me, id);
  assert.equal(await work(event("ObjectRemoved:DeleteMarkerCreated", "02")), "deleted");
  assert.ok(!requests.includes("DELETE uploads/originals/ID"));
});

test("a document that another release wrote, with codes of its own, can be read, listed and deleted", async () => {
  const { deps, id, work, event } = await system();
  await work(event());
  const stored = await deps.media.get(`${imagePrefix(id)}meta.json`);
  assert.ok(stored);
  const document = JSON.parse(await readText(stored.body));
  document.lastError = { code: "too-beautiful", message: "…", at: document.processedAt };
  document.pending = ["jxl"];
  await deps.media.put(`${imagePrefix(id)}meta.json`, JSON.stringify(document));
  assert.equal((await getImage(deps, me, id)).metadata?.lastError?.code, "too-beautiful");
  assert.equal((await listImages(deps, me, { limit: 10, cursor: undefined })).images.length, 1);
  assert.equal(await work(JSON.stringify({ darkroom: "develop", id, force: true }), 2), "ready");
  await removeImage(deps, me, id);
});

const hold = async () => 20_000;

test("whoever waits for an image is answered as soon as there is an end, or when the time is over", async () => {
  const { deps, id, work, event, requests } = await system();
  let time = deps.now().getTime();
  const clocked = { ...deps, now: () => new Date(time) };
  /** Time goes by; once `ready` is near the worker does its work. */
  const sleeper = (readyAfterMs: number) => async (ms: number) => {
    const before = time;
    time += ms;
    if (before - start < readyAfterMs && time - start >= readyAfterMs) await work(event());
  };
  let start = time;
  assert.ok(!(await awaitImage(clocked, sleeper(60_000), me, id, hold)).metadata);
  assert.equal(time - start, 20_000, "to the millisecond, whatever the pauses are");
  const looks = requests.filter((request) => request.startsWith("HEAD media")).length;
  assert.ok(looks >= 30 && looks <= 50, `${looks} looks`);

  start = time;
  const found = await awaitImage(clocked, sleeper(3000), me, id, hold);
  assert.equal(found.metadata?.status, "ready");
  assert.ok(time - start < 3600, `${time - start} ms`);

  // There already: at once; and what is not the caller's is not waited for.
  const never = () => assert.fail("slept");
  assert.equal((await awaitImage(clocked, never, me, id, hold)).metadata?.status, "ready");
  await assert.rejects(awaitImage(clocked, never, you, id, hold), { code: "not-found" });
  await assert.rejects(awaitImage(clocked, never, me, newId(randomBytes), hold), { code: "not-found" });
});

test("an image that is deleted while somebody waits is gone", async () => {
  const { deps, id } = await system();
  const sleep = () => removeImage(deps, me, id);
  await assert.rejects(awaitImage(deps, sleep, me, id, hold), { code: "gone" });
});

test("a store that fails while somebody waits costs a look, not the answer", async () => {
  const { deps, id, work, event } = await system();
  let [looks, slept] = [0, 0];
  const head: typeof deps.media.head = async (...args) => {
    if (++looks % 2 === 1) throw new Error("SlowDown");
    return deps.media.head(...args);
  };
  const sleep = async () => {
    if (++slept === 3) await work(event());
  };
  const found = await awaitImage({ ...deps, media: { ...deps.media, head } }, sleep, me, id, hold);
  assert.equal(found.metadata?.status, "ready");
  assert.ok(looks >= 4, `${looks} looks`);
});

test("what was written before the process died is carried over, by its second try and by the next delivery", async () => {
  const { id, deps, requests, event, work, document } = await system();
  const whole = toyPixels();
  const planned: number[] = [];
  /** Dies after so many variants, in both of its tries. */
  const dying = (after: number): Pixels => ({
    async develop(source, format, planFor, write) {
      const late = new DarkroomError("unavailable", "no time left");
      for (const last of [false, true]) {
        let made = 0;
        const spy: typeof planFor = async (header) => {
          const plan = await planFor(header);
          planned.push(plan.steps.flatMap(({ encodes }) => encodes).length);
          return plan;
        };
        const until: typeof write = (variant) => {
          if (made++ === after) throw late;
          return write(variant);
        };
        try {
          return await whole.develop(source, format, spy, until);
        } catch (error) {
          if (last || error !== late) throw error;
        }
      }
      throw late;
    },
  });
  deps.pixels = dying(1);
  await assert.rejects(work(event()), { code: "unavailable" });
  assert.equal(await document(), undefined, "nothing is visible yet");
  deps.pixels = dying(1);
  assert.equal(await work(event(), 2), "ready");
  assert.deepEqual(planned, [4, 3, 2, 1], "each try plans only what is not there");
  assert.equal(requests.filter((request) => /^PUT media.*\.(webp|jpg)$/.test(request)).length, 2);
  const made = await document();
  assert.equal(made?.variants.length, 4);
  for (const { key, bytes } of made?.variants ?? [])
    assert.equal((await deps.media.head(key))?.size, bytes, `${key} of ${id}`);
});

test("an image beyond the means of the function is refused before it is decoded", async () => {
  const { deps, event, work, document } = await system();
  const means = { memoryBytes: 1_000_000_000, seconds: 60, vcpus: 1 };
  Object.assign(deps, { means: { ...means, memoryBytes: 110_000_500 } });
  assert.equal(await work(event()), "rejected too-many-pixels");
  assert.match((await document())?.error?.message ?? "", /MB to develop/);
  const none = await system();
  Object.assign(none.deps, { means: { ...means, memoryBytes: 50_000_000 } });
  assert.equal(await none.work(none.event()), "rejected too-large", "before it is read");
  const other = await system();
  Object.assign(other.deps, { means });
  assert.equal(await other.work(other.event()), "ready");
});

test("a worker that comes to after the sweep has been there does not name what is gone", async () => {
  for (const again of [true, false]) {
    const { deps, id, work, event, document } = await system();
    await work(event());
    deps.config = defineConfig(preset([32, 40]));
    const { put } = deps.media;
    let once = true;
    deps.media = {
      ...deps.media,
      put: async (key, ...rest) => {
        if (once && key.endsWith("meta.json")) {
          once = false;
          // Its variants lie there, named by nobody yet; days go by before it goes on.
          const found = await readRevision(deps.media, id);
          assert.ok(found.document);
          const named = new Set(found.document.variants.map((variant) => variant.key));
          const { objects } = await deps.media.list(imagePrefix(id));
          const orphans = objects
            .map((object) => object.key)
            .filter((one) => !/meta/.test(one) && !named.has(one));
          assert.equal(orphans.length, 2);
          const media = { ...deps.media, put };
          assert.ok(await retire({ ...deps, media }, { ...found, document: found.document }, orphans));
          if (again) for (const one of orphans) await put(one, "made again by another");
        }
        return put(key, ...rest);
      },
    };
    const job = JSON.stringify({ darkroom: "develop", id });
    if (again) assert.equal(await work(job), "ready");
    else await assert.rejects(work(job), { code: "unavailable" });
    for (const variant of (await document())?.variants ?? [])
      assert.ok(await deps.media.head(variant.key), variant.key);
    assert.equal(await work(job, 2), again ? "skipped unchanged" : "ready");
  }
});

test("a delete aborts what is being uploaded in parts under the id, and nothing else", async () => {
  const { deps, id, work, event } = await system();
  await work(event());
  const mine = { key: originalKey(id), uploadId: "1", startedAt: deps.now() };
  const other = { key: originalKey(newId(randomBytes)), uploadId: "2", startedAt: deps.now() };
  for (const upload of [mine, { ...mine, uploadId: "3" }, other]) deps.openUploads.begin(upload);
  await removeImage(deps, me, id);
  assert.deepEqual((await deps.openUploads.list("originals/")).uploads, [other]);
});

test("later: ready with the other formats first, pending names the rest, and the backfill queue brings them", async () => {
  const { deps, told, event, work, document } = await system();
  const now = { ms: Date.parse("2026-11-20T12:00:00Z") };
  deps.now = () => new Date(now.ms);
  const later = { formats: ["webp" as const], aboveMegapixels: 0.001 };
  const { presets, ...rest } = preset([32, 48]);
  deps.config = defineConfig({ ...rest, presets: { photo: { ...presets.photo, later } } });
  const formatsOf = async () => (await document())?.variants.map(({ format }) => format).sort();

  assert.equal(await work(event()), "ready");
  assert.deepEqual((await document())?.pending, ["webp"]);
  assert.deepEqual(await formatsOf(), ["jpeg", "jpeg"]);
  const [message] = await deps.backfill.receive({ max: 10 });
  assert(message, "the rest is queued after the commit");

  now.ms += 1000;
  assert.equal(await work(message.body), "ready");
  assert.deepEqual((await document())?.pending, []);
  assert.deepEqual(await formatsOf(), ["jpeg", "jpeg", "webp", "webp"]);
  assert.deepEqual(
    told.map(({ type }) => type),
    ["image.ready", "image.updated"],
  );
  assert.deepEqual(await deps.backfill.receive({ max: 10 }), [], "nothing is left to do");
  assert.equal(await work(message.body), "skipped unchanged");
  assert.equal(await work(event()), "skipped duplicate");
});

test("later: a delivery after a crash between commit and queue makes the rest itself; small images wait for nothing", async () => {
  const { deps, event, work, document } = await system();
  const { presets, ...rest } = preset([32, 48]);
  const later = { formats: ["webp" as const], aboveMegapixels: 0.001 };
  deps.config = defineConfig({ ...rest, presets: { photo: { ...presets.photo, later } } });
  const queue = deps.backfill;
  deps.backfill = Object.assign(new MemoryQueue(), { send: () => Promise.reject(new Error("crashed")) });
  await assert.rejects(work(event()), /crashed/);
  assert.deepEqual((await document())?.pending, ["webp"]);
  deps.backfill = queue;
  assert.equal(await work(event(), 2), "ready");
  assert.deepEqual((await document())?.pending, []);
  assert.equal((await document())?.variants.length, 4);

  const small = await system();
  small.deps.config = defineConfig({
    ...rest,
    presets: { photo: { ...presets.photo, later: { ...later, aboveMegapixels: 1 } } },
  });
  assert.equal(await small.work(small.event()), "ready");
  assert.deepEqual((await small.document())?.pending, []);
});
