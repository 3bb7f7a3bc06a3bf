import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import test from "node:test";
import { memoryStore } from "../../../adapters/memory/memory-store.ts";
import { memoryUploads } from "../../../adapters/memory/memory-uploads.ts";
import { readRevision } from "../../../core/commit.ts";
import { removeImage } from "../../../core/image/images.ts";
import { COUNTS, imagePrefix, newId, originalKey } from "../../../core/keys.ts";
import type { ObjectStore } from "../../../core/ports.ts";
import { defineConfig } from "../../../core/preset.ts";
import { PATIENCE } from "../../../core/sweep/diagnose.ts";
import { sweep } from "../../../core/sweep/sweep.ts";
import { topOwners } from "../../../core/sweep/tally.ts";
import { type UploadMetadata, writeUploadMetadata } from "../../../core/upload-metadata.ts";
import { usageOf } from "../../../core/usage.ts";
import { developMessage, failMessage } from "../../../core/worker/handle-message.ts";
import { toyPicture, toyPixels } from "../../toy-pixels.ts";

const HOUR = 3_600_000;
const config = defineConfig({
  defaultPreset: "photo",
  presets: { photo: { accept: ["jpeg"], ladder: { widths: [32], formats: ["webp", "jpeg"] } } },
});

function system() {
  let now = Date.parse("2026-11-20T12:00:00Z");
  const clock = { now: () => new Date(now) };
  const deps = {
    uploads: memoryStore(clock),
    media: memoryStore(clock),
    openUploads: memoryUploads(),
    events: { send: async () => {} },
    backfill: { send: async () => {}, sendMany: async () => {}, backlog: async () => 0 },
    pixels: toyPixels(),
    config,
    mediaUrl: "https://cdn.example",
    ...clock,
    random: randomBytes,
    log: () => {},
  };
  const develop = (id: string, more: object = {}, changes: Partial<typeof deps> = {}, receives = 1) =>
    developMessage(
      { ...deps, ...changes },
      { body: JSON.stringify({ darkroom: "develop", id, ...more }), bucket: "uploads", receives },
    );
  const put = async (terms: Partial<UploadMetadata> = {}, kind: "good" | "corrupt" = "good") => {
    const id = newId(randomBytes);
    const metadata = writeUploadMetadata({ owner: "me", preset: "photo", ...terms });
    now += 1000;
    await deps.uploads.put(originalKey(id), toyPicture(kind, id), { metadata });
    return id;
  };
  const upload = async (...args: Parameters<typeof put>) => {
    const id = await put(...args);
    await develop(id);
    return id;
  };
  const document = async (id: string) => (await readRevision(deps.media, id)).document;
  const codeOf = async (id: string) => {
    const found = await document(id);
    return found?.error?.code ?? found?.status;
  };
  const usage = (owner = "me") => usageOf(deps.uploads, owner, clock.now());
  const round = () => sweep(deps, { begin: true, patience: PATIENCE, timeLeft: () => true, batch: 2 });
  const pass = (ms: number) => {
    now += ms;
  };
  return { deps, put, develop, upload, document, codeOf, usage, round, pass };
}
const me = { owner: "me", scopes: new Set(["upload"] as const) };

test("what an owner has is added up as it comes, changes and goes", async () => {
  const { deps, upload, document, usage, develop } = system();
  const [first = "", , corrupt = ""] = [await upload(), await upload(), await upload({}, "corrupt")];
  await upload({ owner: "you" });
  const bytes = async (id: string) => {
    const { source, variants = [] } = (await document(id)) ?? {};
    return [source?.bytes ?? 0, variants.reduce((sum, one) => sum + one.bytes, 0)] as const;
  };
  const [original, variants] = await bytes(first);
  const [rejected] = await bytes(corrupt);
  const all = { images: 3, originals: 2 * original + rejected, variants: 2 * variants, uploadsThisMonth: 3 };
  assert.deepEqual(await usage(), all);
  await develop(first, { force: true });
  assert.deepEqual(await usage(), all);
  await removeImage(deps, me, first);
  assert.deepEqual(await usage(), {
    images: 2,
    originals: original + rejected,
    variants,
    uploadsThisMonth: 3,
  });
  assert.equal((await usage("you")).images, 1);
  assert.deepEqual(await usage("nobody"), { images: 0, originals: 0, variants: 0, uploadsThisMonth: 0 });
});

test("over what the token allows an image is rejected before anything is made, and its original goes", async () => {
  const { deps, upload, document, codeOf, usage, round, pass } = system();
  const terms = { maxImages: 2 };
  const [first = ""] = [await upload(terms), await upload(terms)];
  const third = await upload(terms);
  const rejected = await document(third);
  assert.equal(rejected?.error?.code, "over-quota");
  assert.match(rejected?.error?.message ?? "", /2 of 2 images are used/);
  assert.equal(await deps.uploads.head(originalKey(third)), undefined);
  assert.equal((await deps.media.list(imagePrefix(third))).objects.length, 1, "its document alone");
  assert.equal((await usage()).images, 2);
  // Rest, and room again once one is deleted.
  assert.equal((await round()).done["error"], undefined);
  pass(HOUR);
  assert.deepEqual((await round()).done, {});
  assert.equal(await codeOf(third), "over-quota");
  await removeImage(deps, me, first);
  assert.equal(await codeOf(await upload(terms)), "ready");
  assert.equal(await codeOf(await upload(terms)), "over-quota");
  assert.equal(await codeOf(await upload()), "ready", "a token without a limit");
});

test("bytes are those of the originals; 0 is nothing more; a limit lowered later takes nothing away", async () => {
  const { deps, upload, document, codeOf, develop } = system();
  const first = await upload({ maxOwnerBytes: 1_000_000 });
  const { bytes = 0 } = (await document(first))?.source ?? {};
  assert.equal(await codeOf(await upload({ maxOwnerBytes: 2 * bytes })), "ready");
  const third = await upload({ maxOwnerBytes: 3 * bytes - 1 });
  assert.match((await document(third))?.error?.message ?? "", /MB are used, and this file has/);
  assert.equal(await codeOf(await upload({ maxImages: 0 })), "over-quota");
  for (const { key } of (await deps.uploads.list("originals/")).objects) {
    const id = key.slice("originals/".length);
    await develop(id, { force: true });
    assert.equal(await codeOf(id), "ready");
  }
});

test("a worker that dies at any request rejects once, counts once, and leaves no original", async () => {
  for (let at = 0; ; at++) {
    const { deps, put, upload, develop, codeOf, usage } = system();
    await upload({ maxImages: 1 });
    const id = await put({ maxImages: 1 });
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
    const stores = { uploads: mortal(deps.uploads), media: mortal(deps.media) };
    await develop(id, {}, stores).catch(() => {});
    await develop(id, {}, {}, 2);
    assert.equal(await codeOf(id), "over-quota", `at request ${at}`);
    assert.equal(await deps.uploads.head(originalKey(id)), undefined, `at request ${at}`);
    assert.equal((await usage()).images, 1);
    if (!died) break;
  }
});

test("of two tries at one upload the one that finds room decides, and the original stays", async () => {
  const { deps, put, upload, develop, codeOf } = system();
  const id = await put({ maxImages: 1 });
  let isRaced = false;
  const list: ObjectStore["list"] = async (...args) => {
    if (args[0]?.startsWith(COUNTS) && !isRaced) {
      isRaced = true;
      // The other one has listed before, and commits while this one still looks.
      await develop(id);
      await upload();
    }
    return deps.uploads.list(...args);
  };
  await assert.rejects(develop(id, {}, { uploads: { ...deps.uploads, list } }), { code: "unavailable" });
  await develop(id, {}, {}, 2);
  assert.equal(await codeOf(id), "ready");
  assert.ok(await deps.uploads.head(originalKey(id)));
});

test("between the verdict and its removal an original is nobody's to develop, whatever job forces it", async () => {
  for (const when of ["before the verdict", "after it"]) {
    const { deps, put, upload, develop, document } = system();
    const first = await upload({ maxImages: 1 });
    const id = await put({ maxImages: 1 });
    const remove: ObjectStore["delete"] = async (...args) => {
      await removeImage(deps, me, first);
      if (when === "after it") await develop(id, { force: true });
      return deps.uploads.delete(...args);
    };
    const refuse = () => develop(id, {}, { uploads: { ...deps.uploads, delete: remove } });
    let isRaced = false;
    const list: ObjectStore["list"] = async (...args) => {
      if (!isRaced) await refuse();
      isRaced = true;
      return deps.uploads.list(...args);
    };
    if (when === "after it") await refuse();
    else await assert.rejects(develop(id, { force: true }, { uploads: { ...deps.uploads, list } }));
    await develop(id, { force: true }, {}, 2);
    const { status, error, source } = (await document(id)) ?? {};
    assert.deepEqual([status, error?.code, !!source?.gone], ["rejected", "over-quota", true], when);
    assert.equal(await deps.uploads.head(originalKey(id)), undefined);
  }
});

test("a dead letter removes the original as well, of whatever recipe its verdict was", async () => {
  const { deps, put, upload, develop, codeOf } = system();
  await upload({ maxImages: 1 });
  const id = await put({ maxImages: 1 });
  const dies = () => Promise.reject(new Error("it dies"));
  await assert.rejects(develop(id, {}, { uploads: { ...deps.uploads, delete: dies } }));
  const presets = {
    photo: { accept: ["jpeg" as const], ladder: { widths: [48], formats: ["webp" as const] } },
  };
  const today = defineConfig({ defaultPreset: "photo", presets });
  const body = JSON.stringify({ darkroom: "develop", id });
  await failMessage({ ...deps, config: today }, { body, bucket: "uploads" });
  assert.deepEqual([await codeOf(id), await deps.uploads.head(originalKey(id))], ["over-quota", undefined]);
});

test("a round puts counts right, makes those of before, and says who has the most", async () => {
  const { deps, upload, usage, round, pass } = system();
  const [first = ""] = [await upload(), await upload()];
  for (let n = 0; n < 3; n++) await upload({ owner: "you" });
  const [mine, yours] = [await usage(), await usage("you")];
  for (const { key } of (await deps.uploads.list(COUNTS)).objects) await deps.uploads.delete(key);
  assert.equal((await usage()).images, 0);
  await round();
  assert.deepEqual([await usage(), await usage("you")], [mine, yours]);
  const top = await topOwners(deps.uploads);
  assert.deepEqual(top?.owners, [
    { owner: "you", ...yours },
    { owner: "me", ...mine },
  ]);
  for (const { key } of (await deps.uploads.list(`${COUNTS}me/`)).objects)
    if (key.includes(first)) await deps.uploads.put(`${key}0`, "");
  pass(HOUR);
  await round();
  assert.deepEqual(await usage(), mine);
  await removeImage(deps, me, first);
  for (let days = 0; days < 20; days += 2) {
    pass(48 * HOUR);
    await round();
  }
  assert.equal((await deps.uploads.list(`${COUNTS}me/`)).objects.length, 1, "gone with the owner's entry");
});
