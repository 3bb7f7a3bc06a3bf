import assert from "node:assert/strict";
import test from "node:test";
import { removeImage } from "../../../core/image/images.ts";
import { releaseImage } from "../../../core/image/judgement.ts";
import { undeleteImage } from "../../../core/image/undelete-image.ts";
import { deleteMeant } from "../../../core/job/delete-meant.ts";
import {
  attachKey,
  homeOf,
  imagePrefix,
  metaKey,
  newId,
  originalKey,
  ownerPrefix,
} from "../../../core/keys.ts";
import { defineConfig } from "../../../core/preset.ts";
import { writeUploadMetadata } from "../../../core/upload-metadata.ts";
import { keptVersions } from "../../kept-versions.ts";
import { toyPicture } from "../../toy-pixels.ts";
import { jobSystem, recipe, watched } from "../job/job-system.ts";

const OWNER = { owner: "me", scopes: new Set(["upload"] as const) };

/** As where the parameter `undoDays` is set. */
function system() {
  const plain = jobSystem();
  const { deps, clock } = plain;
  const [uploads, media] = [keptVersions(deps.uploads, deps.now), keptVersions(deps.media, deps.now)];
  Object.assign(deps, { uploads: uploads.store, media: media.store });
  const told: { type: string; rev: number; id: string }[] = [];
  deps.events.send = async (body) => {
    const { event } = JSON.parse(body);
    told.push({ type: event.type, rev: event.data.rev, id: event.data.id });
  };
  const kept = { uploads: uploads.versions, media: media.versions };
  const expire = () => {
    for (const one of [uploads, media]) one.expire(deps.now());
  };
  const undelete = (id: string, options = {}) => undeleteImage({ ...deps, kept }, id, options);
  const remove = async (id: string) => {
    clock.advance(1000);
    await removeImage(deps, OWNER, id);
    clock.advance(1000);
  };
  const work = async (id: string, more = {}) => {
    await deps.backfill.send(JSON.stringify({ darkroom: "develop", id, ...more }));
    await plain.drain();
  };
  const document = async (id: string) => (await plain.document(id)).document;
  /** All of it but the revision, and that it is back. */
  const looks = async (id: string) => {
    const { objects } = await deps.media.list(imagePrefix(id));
    const files = objects.filter(({ key }) => key !== metaKey(id)).map(({ key, etag }) => `${key} ${etag}`);
    const { status, variants, placeholder, uploadedAt, source } = (await document(id)) ?? {};
    const original = await deps.uploads.head(originalKey(id));
    return {
      files,
      status,
      variants,
      placeholder,
      uploadedAt,
      source,
      original: original?.etag,
      by: original?.metadata,
    };
  };
  return { ...plain, deps, told, kept, undelete, remove, work, document, looks, expire };
}

test("a delete is taken back within its days: files, original, lists, document; and it is told", async () => {
  const { told, undelete, remove, looks, work, document, deps, ...plain } = system();
  const id = await plain.develop();
  const before = await looks(id);
  await remove(id);
  assert.deepEqual([(await looks(id)).files, (await document(id))?.status], [[], "deleted"]);
  const would = await undelete(id, { dryRun: true });
  assert.deepEqual([would.status, would.original, would.already], ["ready", true, false]);
  assert.equal((await document(id))?.status, "deleted");
  const back = await undelete(id);
  assert.deepEqual([back.status, back.original, back.variants], ["ready", true, before.variants?.length]);
  assert.deepEqual(await looks(id), before);
  assert.deepEqual(
    told.slice(-2).map(({ type }) => type),
    ["image.deleted", "image.ready"],
  );
  assert.ok((told.at(-1)?.rev ?? 0) > (told.at(-2)?.rev ?? 0), "receivers know it for the later one");
  assert.equal((await deps.uploads.list(ownerPrefix("me"))).objects.length, 1);
  // The event of its original finds nothing to do, and a change of sizes is made as of any other.
  await work(id);
  assert.deepEqual(await looks(id), before);
  deps.config = recipe(32, 40);
  await work(id);
  assert.deepEqual([(await document(id))?.status, !!(await document(id))?.undeletedAt], ["ready", true]);
});

test("what was never deleted, never was, or is no id: clear answers", async () => {
  const { undelete, ...plain } = system();
  const id = await plain.develop();
  await assert.rejects(undelete(id), { code: "not-deleted" });
  await assert.rejects(undelete(newId(plain.deps.random)), { code: "not-found" });
  await assert.rejects(undelete("../originals"), { code: "not-found" });
});

test("an upload that is private and was removed before it was developed comes back in private", async () => {
  const { undelete, deps, clock } = system();
  const id = newId(deps.random);
  const metadata = writeUploadMetadata({ owner: "me", preset: "photo", access: "private" });
  await deps.uploads.put(originalKey(id), toyPicture("good"), { metadata });
  clock.advance(1000);
  await deps.uploads.delete(originalKey(id));
  clock.advance(1000);
  const back = await undelete(id);
  assert.deepEqual([back.status, back.original], ["failed", true]);
  assert.equal(await deps.media.head(metaKey(id)), undefined);
  assert.ok(await deps.media.head(metaKey(id, homeOf("me"))));
});

test("after the days nothing can be taken back, and nothing is changed", async () => {
  const { undelete, remove, expire, looks, clock, ...plain } = system();
  const id = await plain.develop();
  await remove(id);
  clock.advance(86_400_000);
  expire();
  const before = await looks(id);
  await assert.rejects(undelete(id), { code: "not-kept" });
  assert.deepEqual(await looks(id), before);
});

test("twice: the second time it says that it is back already, and does what the first has left undone", async () => {
  const { undelete, remove, looks, told, deps, ...plain } = system();
  const id = await plain.develop();
  const before = await looks(id);
  await remove(id);
  await undelete(id);
  const again = await undelete(id);
  assert.deepEqual([again.already, again.variants, again.original], [true, 0, false]);
  // Whoever was still at removing it took a file once more.
  await deps.media.delete(before.variants?.[0]?.key ?? "");
  await deps.uploads.delete(originalKey(id));
  const third = await undelete(id);
  assert.deepEqual([third.variants, third.original], [1, true]);
  assert.deepEqual(await looks(id), before);
  // Deleted once more, and back once more.
  await remove(id);
  await undelete(id);
  assert.deepEqual(await looks(id), before);
  assert.equal(told.filter(({ type }) => type === "image.deleted").length, 2);
});

test("wherever it dies, another one brings all of it back", async () => {
  for (let line = 0; ; line++) {
    const { undelete, remove, looks, told, deps, kept, ...plain } = system();
    const id = await plain.develop();
    const before = await looks(id);
    await remove(id);
    let calls = 0;
    const die = () => {
      if (calls++ === line) throw new Error("killed");
    };
    const mortal = {
      ...deps,
      uploads: watched(deps.uploads, die),
      media: watched(deps.media, die),
      kept: { uploads: watched(kept.uploads, die), media: watched(kept.media, die) },
    };
    // What lists is no promise.
    for (const name of ["uploads", "media"] as const)
      mortal.kept[name] = { ...kept[name], restore: mortal.kept[name].restore, read: mortal.kept[name].read };
    await undeleteImage(mortal, id).catch(() => {});
    await undelete(id);
    assert.deepEqual(await looks(id), before, `after call ${line}`);
    assert.equal(told.at(-1)?.type, "image.ready");
    if (calls <= line) break;
  }
});

test("an image that was deleted before it was developed is developed; without its original it is as it was", async () => {
  const { undelete, remove, work, document, looks, deps, ...plain } = system();
  const waiting = await plain.upload();
  await remove(waiting);
  const back = await undelete(waiting);
  assert.deepEqual([back.status, back.original], ["failed", true]);
  await work(waiting);
  assert.equal((await document(waiting))?.status, "ready");

  const gone = await plain.develop();
  await deps.uploads.delete(originalKey(gone));
  await work(gone, { force: true });
  const before = await looks(gone);
  await plain.start({ action: "delete", select: { ids: [gone] } });
  await plain.drain();
  // Its original is kept as well, and comes back with it.
  assert.equal((await undelete(gone)).original, true);
  assert.deepEqual((await looks(gone)).files, before.files);
});

test("a message of an order from before does not delete it again, nor one that says its original was removed", async () => {
  const { undelete, deps, looks, clock, ...plain } = system();
  const id = await plain.develop();
  const before = await looks(id);
  const { id: job } = await plain.start({ action: "delete", select: { ids: [id] } });
  await plain.drain();
  clock.advance(60_000);
  await undelete(id);
  const late = await deleteMeant(deps, { kind: "delete", id, counted: { job, label: "0000000-1" } }, 2);
  assert.deepEqual([late.status, late.reason], ["skipped", "undeleted"]);
  assert.deepEqual(await looks(id), before);
  clock.advance(60_000);
  await plain.start({ action: "delete", select: { ids: [id] } });
  await plain.drain();
  assert.deepEqual((await looks(id)).files, []);
});

test("an order that follows within the second deletes it again, as its dry run said", async () => {
  const { undelete, remove, document, ...plain } = system();
  const id = await plain.develop({ owner: "me" });
  await remove(id);
  await undelete(id);
  const { id: job } = await plain.start({ action: "delete", select: { owner: "me" } });
  await plain.drain();
  const { done, skipped } = await plain.progress(job);
  assert.deepEqual([done, skipped, (await document(id))?.status], [1, 0, "deleted"]);
});

test("what somebody brings back has not to be attached any more", async () => {
  const { undelete, deps, remove, work } = system();
  const id = newId(deps.random);
  const metadata = writeUploadMetadata({ owner: "me", preset: "photo", attachWithin: 60 });
  await deps.uploads.put(originalKey(id), toyPicture("good", id), { metadata });
  await work(id);
  await remove(id);
  assert.equal(await deps.uploads.head(attachKey(id)), undefined);
  await undelete(id);
  assert.equal((await deps.uploads.head(attachKey(id)))?.metadata["state"], "attached");
});

test("what was held is held again, developed anew, and nobody has seen it before it is released", async () => {
  const { undelete, deps, remove, work, document, looks, ...plain } = system();
  const photo = { accept: ["jpeg" as const], ladder: { widths: [32], formats: ["jpeg" as const] } };
  const config = (hold: boolean) =>
    defineConfig({ defaultPreset: "photo", presets: { photo: { ...photo, hold } } });
  deps.config = config(true);
  const id = await plain.develop();
  assert.equal((await document(id))?.status, "held");
  await remove(id);
  // Also where its preset holds nothing any more.
  deps.config = config(false);
  const back = await undelete(id);
  assert.deepEqual([back.status, back.original], ["held", true]);
  const released = releaseImage(deps, id);
  await assert.rejects(released, { code: "unavailable" }, "before its original's event");
  await work(id);
  assert.deepEqual([(await document(id))?.status, (await looks(id)).files], ["held", []]);
  assert.equal((await releaseImage(deps, id)).status, "ready");
  assert.equal((await looks(id)).files.length, 1);
});

test("what was private is back in private, under the keys that it had, and nothing of it is in public", async () => {
  const { undelete, deps, remove, document, work } = system();
  const ladder = { widths: [32], formats: ["jpeg" as const] };
  const photo = { accept: ["jpeg" as const], access: "private" as const, ladder };
  deps.config = defineConfig({ defaultPreset: "photo", presets: { photo } });
  const id = newId(deps.random);
  const metadata = writeUploadMetadata({ owner: "me", preset: "photo", access: "private" });
  await deps.uploads.put(originalKey(id), toyPicture("good", id), { metadata });
  await work(id);
  const keys = async (prefix: string) => (await deps.media.list(prefix)).objects.map(({ key }) => key);
  const before = [await keys(imagePrefix(id, homeOf("me"))), (await document(id))?.variants];
  assert.equal(before[0]?.length, 2);
  await remove(id);
  const back = await undelete(id);
  assert.deepEqual([back.status, back.variants, back.original], ["ready", 1, true]);
  assert.deepEqual([await keys(imagePrefix(id, homeOf("me"))), (await document(id))?.variants], before);
  assert.deepEqual(await keys(imagePrefix(id)), []);
});
