/** Edits from the request to the document, in memory: who may, who wins, what it costs, and that none is lost. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import test from "node:test";
import { MemoryQueue } from "../../../adapters/memory/memory-queue.ts";
import { memoryStore } from "../../../adapters/memory/memory-store.ts";
import { memoryUploads } from "../../../adapters/memory/memory-uploads.ts";
import { readRevision } from "../../../core/commit.ts";
import type { Changes } from "../../../core/edit.ts";
import { DarkroomError } from "../../../core/errors.ts";
import { editImage, readEdit } from "../../../core/image/edit.ts";
import { removeImage } from "../../../core/image/images.ts";
import { releaseImage } from "../../../core/image/judgement.ts";
import { editKey, newId, originalKey } from "../../../core/keys.ts";
import { developBody } from "../../../core/message.ts";
import type { ObjectStore } from "../../../core/ports.ts";
import { type Config, defineConfig } from "../../../core/preset.ts";
import type { ImageEvent } from "../../../core/tell/tell.ts";
import { writeUploadMetadata } from "../../../core/upload-metadata.ts";
import { developMessage, failMessage } from "../../../core/worker/handle-message.ts";
import { toyPicture, toyPixels } from "../../toy-pixels.ts";

const configOf = (widths: number[]): Config =>
  defineConfig({
    defaultPreset: "photo",
    presets: {
      photo: {
        accept: ["jpeg"],
        ladder: { widths, formats: ["webp"] },
        named: { thumb: { width: 10, height: 10, fit: "cover", format: "webp" } },
      },
    },
  });
const me = { owner: "me", scopes: new Set(["upload"] as const) };
const you = { owner: "you", scopes: new Set(["upload"] as const) };
const admin = { owner: "operator", scopes: new Set(["admin"] as const) };

/** One image that is ready, every request to the stores written down, and a clock that moves with every look. */
async function system(kind: "good" | "corrupt" = "good") {
  const requests: string[] = [];
  const told: ImageEvent[] = [];
  const queued: string[] = [];
  let turn = async () => {};
  let time = Date.parse("2026-11-20T12:00:00Z");
  const now = () => {
    time += 1000;
    return new Date(time);
  };
  const id = newId(randomBytes);
  const counted = (store: ObjectStore): ObjectStore => {
    const note =
      <A extends unknown[], R>(verb: string, method: (...args: A) => R) =>
      (...args: A): R => {
        requests.push(`${verb} ${String(args[0]).replace(id, "ID")}`);
        return method(...args);
      };
    const { head, get, put, delete: remove, list } = store;
    return {
      head: note("HEAD", head),
      get: note("GET", get),
      put: note("PUT", put),
      delete: note("DELETE", remove),
      list: note("LIST", list),
    };
  };
  const deps = {
    uploads: counted(memoryStore({ now })),
    media: counted(memoryStore({ now })),
    events: { send: async (body: string) => void told.push(JSON.parse(body).event) },
    images: { send: async (body: string) => void queued.push(body) },
    backfill: new MemoryQueue(),
    openUploads: memoryUploads(),
    pixels: toyPixels(() => turn()),
    config: configOf([32, 48]),
    mediaUrl: "https://cdn.example",
    now,
    random: randomBytes,
  };
  const metadata = writeUploadMetadata({ owner: "me", preset: "photo", focus: { x: 0.25, y: 0.5 } });
  const { etag } = await deps.uploads.put(originalKey(id), toyPicture(kind), { metadata });
  const object = { key: originalKey(id), eTag: etag, sequencer: "01" };
  const created = JSON.stringify({
    Records: [{ eventName: "ObjectCreated:Put", s3: { bucket: { name: "uploads" }, object } }],
  });
  const work = async (body: string, receives = 1) => {
    requests.length = 0;
    const [outcome] = await developMessage(deps, { body, receives, bucket: "uploads" });
    return `${outcome?.status}${outcome?.reason ? ` ${outcome.reason}` : ""}`;
  };
  await work(created);
  told.length = 0;
  return {
    id,
    deps,
    requests,
    told,
    queued,
    created,
    work,
    /** What comes between two steps of the pixel work, once. */
    meanwhile: (act: () => Promise<unknown>) => {
      turn = async () => {
        turn = async () => {};
        await act();
      };
    },
    edit: (changes: Changes, caller: Parameters<typeof editImage>[1] = me, seen?: string) =>
      editImage(deps, caller, id, changes, seen === undefined ? undefined : (etag) => etag === seen),
    workAll: async () => {
      const outcomes: string[] = [];
      for (const body of queued.splice(0)) outcomes.push(await work(body));
      return outcomes;
    },
    document: async () => {
      const { document } = await readRevision(deps.media, id);
      assert.ok(document);
      return document;
    },
  };
}
const refuses = (code: string) => (error: unknown) => error instanceof DarkroomError && error.code === code;
const keysOf = ({ variants }: { variants: readonly { key: string }[] }) =>
  variants.map(({ key }) => key).sort();
const crop = { x: 0.5, y: 0, width: 0.5, height: 1 };

test("an edit is made by the worker, switched at once, told as image.updated, and undone by another", async () => {
  const { deps, id, edit, workAll, document, told, requests } = await system();
  const before = await document();
  assert.deepEqual(await edit({ turn: 90, crop, alt: "A boat" }), {
    ...{ schema: 1, rev: 1, turn: 90, crop, alt: "A boat" },
    at: (await readEdit(deps.uploads, id, undefined)).edit?.at,
  });
  assert.deepEqual(keysOf(await document()), keysOf(before), "nothing is shown before it is made");
  assert.deepEqual(await workAll(), ["ready"]);
  const after = await document();
  assert.deepEqual([after.edit?.rev, after.edit?.turn, after.edit?.crop, after.alt], [1, 90, crop, "A boat"]);
  assert.deepEqual([after.source?.width, after.source?.height], [60, 40], "of the original");
  // Of 60 × 40, turned, the right half: 20 × 60.
  assert.deepEqual(after.variants.map(({ name, width, height }) => [name, width, height]).sort(), [
    ["thumb", 10, 10],
    ["w20", 20, 60],
  ]);
  assert.deepEqual([after.picture?.img.width, after.picture?.img.height], [20, 60]);
  assert.deepEqual(
    after.superseded.map(({ key }) => key).sort(),
    keysOf(before),
    "pages of yesterday still show them",
  );
  assert.deepEqual(
    told.map(({ type, data }) => [type, data.edit?.rev]),
    [["image.updated", 1]],
  );
  await edit({ turn: null, crop: null });
  await workAll();
  const undone = await document();
  assert.deepEqual(keysOf(undone), keysOf(before));
  assert.ok(
    !requests.some((request) => /^PUT images\/ID\/[wt]/.test(request)),
    "what is there is not made again",
  );
  assert.deepEqual([undone.recipe, undone.alt, undone.edit?.rev], [before.recipe, "A boat", 2]);
});

test("an edit whose answer was lost, and that the client has written again, is no rival of its own", async () => {
  const { edit, deps, queued } = await system();
  const { put } = deps.uploads;
  deps.uploads.put = async (...args) => {
    await put(...args);
    return put(...args);
  };
  assert.equal((await edit({ turn: 90, rev: 0 })).rev, 1);
  assert.equal(queued.length, 1);
});

test("the focus: what crops keep, and the uploader's own goes along with the picture", async () => {
  const { edit, workAll, document } = await system();
  const before = await document();
  const thumbOf = ({ variants }: typeof before) => variants.find(({ name }) => name === "thumb")?.key;
  await edit({ focus: { x: 1, y: 1 } });
  await workAll();
  const after = await document();
  assert.notEqual(thumbOf(after), thumbOf(before));
  const ladder = (document: typeof before) => keysOf(document).filter((key) => /\/w[0-9]+\./.test(key));
  assert.deepEqual(ladder(after), ladder(before), "only what changes is made");
});

test("words need no pixels: neither the original nor a variant is touched, also where the original is gone", async () => {
  const { deps, id, edit, workAll, document, requests, told, work, created } = await system();
  await edit({ alt: "A boat" });
  assert.deepEqual(await workAll(), ["ready"]);
  assert.deepEqual(requests, [
    "GET images/ID/meta.json",
    "GET edits/ID.json",
    "PUT images/ID/meta.json",
    "HEAD originals/ID",
  ]);
  const { alt, rev, readyAt, processedAt } = await document();
  assert.deepEqual([alt, rev, told.map(({ type }) => type)], ["A boat", 2, ["image.updated"]]);
  assert.ok(readyAt && readyAt < processedAt);
  await deps.uploads.delete(originalKey(id));
  await work(created.replace("ObjectCreated:Put", "ObjectRemoved:Delete"));
  assert.ok((await document()).source?.gone);
  await assert.rejects(edit({ turn: 90 }), refuses("original-gone"));
  await edit({ alt: null });
  assert.deepEqual(await workAll(), ["ready"]);
  assert.equal((await document()).alt, undefined);
});

test("of a thousand edits the last one is shown, one is made, and each other message costs one GET", async () => {
  const { edit, queued, work, document, requests } = await system();
  const turns = [90, 180, 270, 0] as const;
  const edits = Array.from({ length: 1000 }, (_, i) => edit({ turn: turns[i % 4] ?? 0, alt: `edit ${i}` }));
  const made = await Promise.allSettled(edits);
  const refused = made.filter((one) => one.status === "rejected");
  for (const { reason } of refused) assert.ok(refuses("unavailable")(reason), "busy, and nothing else");
  const last = await edit({ turn: 270, alt: "the last" });
  const outcomes: string[] = [];
  for (const body of queued.splice(0)) {
    outcomes.push(await work(body));
    if (outcomes.length > 1) assert.deepEqual(requests, ["GET images/ID/meta.json"]);
  }
  assert.deepEqual(new Set(outcomes.slice(1)), new Set(["skipped duplicate"]));
  assert.equal(outcomes[0], "ready");
  const { edit: shown, alt } = await document();
  assert.deepEqual([shown?.rev, shown?.turn, alt], [last.rev, 270, "the last"]);
});

test("two editors: who names what they have seen is told when it is no longer so", async () => {
  const { deps, id, edit, workAll } = await system();
  const etag = async () => (await readRevision(deps.media, id)).etag ?? "";
  const seen = await etag();
  await edit({ turn: 90, rev: 0 });
  await assert.rejects(edit({ turn: 180, rev: 0 }), refuses("edited-since"));
  await assert.rejects(edit({ turn: 180 }, me, seen), refuses("edited-since"), "one is on its way");
  await workAll();
  await assert.rejects(edit({ turn: 180 }, me, seen), refuses("edited-since"), "and one was made");
  await edit({ turn: 180 }, me, await etag());
  assert.equal((await edit({ crop, rev: 2 })).rev, 3);
  assert.equal((await edit({ turn: 180 })).rev, 3, "what changes nothing is no edit");
});

test("an edit is its owner's or an admin's; what is not ready is not edited", async () => {
  const { deps, id, edit, work, created } = await system();
  await assert.rejects(edit({ turn: 90 }, you), refuses("not-found"));
  await edit({ turn: 90 }, admin);
  await assert.rejects(
    edit({ crop: { x: 0, y: 0, width: 0.001, height: 1 } }),
    refuses("bad-request"),
    "no pixel",
  );
  await removeImage(deps, me, id);
  assert.equal(await deps.uploads.head(editKey(id)), undefined, "a delete takes the edit along");
  await assert.rejects(edit({ turn: 90 }), refuses("gone"));
  const rejected = await system("corrupt");
  await assert.rejects(rejected.edit({ turn: 90 }), refuses("not-ready"));
  assert.deepEqual(rejected.queued, []);
  assert.equal(await work(created), "skipped deleted");
});

test("one that comes during a delete goes with it; one whose message was lost is found", async () => {
  const { deps, id, edit, queued, work, document } = await system();
  const { get } = deps.uploads;
  deps.uploads.get = async (key, condition) => {
    const found = await get(key, condition);
    if (key === editKey(id)) {
      deps.uploads.get = get;
      await removeImage(deps, me, id);
    }
    return found;
  };
  await edit({ turn: 90 });
  assert.ok(await deps.uploads.head(editKey(id)), "written behind the tombstone");
  assert.equal(await work(queued[0] ?? ""), "skipped deleted");
  assert.equal(await deps.uploads.head(editKey(id)), undefined);
  assert.equal((await document()).status, "deleted");

  const lost = await system();
  await lost.edit({ turn: 90 });
  lost.queued.length = 0;
  assert.equal((await lost.edit({ turn: 90 })).rev, 1);
  assert.deepEqual(await lost.workAll(), ["ready"], "asked again, it is queued again");
});

test("a re-process keeps the edit; one that began before it does not undo it", async () => {
  const { deps, id, edit, workAll, work, document, meanwhile } = await system();
  const develop = (force = false) => developBody({ id, force, retry: false });
  await edit({ turn: 90 });
  await workAll();
  deps.config = configOf([16]);
  assert.equal(await work(develop()), "ready");
  assert.deepEqual(
    (await document()).variants.map(({ name, width, height }) => [name, width, height]).sort(),
    [
      ["thumb", 10, 10],
      ["w16", 16, 24],
    ],
  );
  meanwhile(async () => {
    await edit({ turn: 180, alt: "while it was made" });
    await workAll();
  });
  assert.equal(await work(develop(true)), "skipped superseded");
  const { edit: shown, alt } = await document();
  assert.deepEqual([shown?.rev, shown?.turn, alt], [2, 180, "while it was made"]);
  assert.equal(await work(develop()), "skipped unchanged");
});

test("an edit that a try at a newer event has overtaken, which did not know of it, is made by the next", async () => {
  const { id, deps, created, queued, work, meanwhile, edit } = await system();
  await edit({ turn: 90 });
  const get: ObjectStore["get"] = async (key, ...rest) =>
    key.startsWith("edits/") ? undefined : deps.uploads.get(key, ...rest);
  const blind = { ...deps, uploads: { ...deps.uploads, get }, config: configOf([32, 56]) };
  const later = { body: created.replace('"01"', '"02"'), receives: 1, bucket: "uploads" };
  meanwhile(() => developMessage(blind, later));
  await assert.rejects(work(queued[0] ?? ""), { code: "unavailable" });
  assert.equal(await work(queued[0] ?? "", 2), "ready");
  assert.equal((await readRevision(deps.media, id)).document?.edit?.rev, 1);
});

test("of an image whose edit is gone, as after a delete that was taken back, the document tells it", async () => {
  const { deps, id, edit, workAll, work, document } = await system();
  await edit({ turn: 90, alt: "A boat" });
  await edit({ turn: 180 });
  await workAll();
  await deps.uploads.delete(editKey(id));
  assert.equal(await work(developBody({ id, force: true, retry: false })), "ready");
  assert.deepEqual([(await document()).edit?.turn, (await document()).alt], [180, "A boat"]);
  assert.equal((await edit({ turn: 270 })).rev, 3);
  assert.deepEqual(await workAll(), ["ready"]);
  assert.deepEqual([(await document()).edit?.turn, (await document()).alt], [270, "A boat"]);
});

test("an edit that every try was used up for is said, listed, and made when it can be", async () => {
  const { deps, edit, queued, document, work, id } = await system();
  await edit({ turn: 90 });
  const body = queued.splice(0)[0] ?? "";
  await failMessage(deps, { body, bucket: "uploads" });
  const failed = await document();
  assert.deepEqual(
    [failed.status, failed.lastError?.code, failed.edit],
    ["ready", "retries-exhausted", undefined],
  );
  assert.equal(await work(developBody({ id, force: false, retry: true })), "ready");
  const { edit: shown, lastError } = await document();
  assert.deepEqual([shown?.turn, lastError], [90, undefined]);
  await failMessage(deps, { body, bucket: "uploads" });
  assert.equal((await document()).lastError, undefined, "another delivery had done it");
});

test("what is held says neither its words nor whose it is before it is released, and all of it then", async () => {
  const { deps, id, edit, workAll, work, document } = await system();
  const [photo] = [...deps.config.presets.values()];
  assert.ok(photo);
  const { name: _, recipe: __, ...plain } = photo;
  await edit({ turn: 90, alt: "A boat" });
  await workAll();
  deps.config = defineConfig({
    defaultPreset: "photo",
    presets: { photo: { ...plain, hold: true, keep: ["creator"] } },
  });
  const toy = deps.pixels;
  deps.pixels = {
    develop: (source, format, planFor, write) =>
      toy.develop(source, format, (header) => planFor({ ...header, rights: { creator: "Ann" } }), write),
  };
  const metadata = writeUploadMetadata({ owner: "me", preset: "photo" });
  const { etag } = await deps.uploads.put(originalKey(id), toyPicture("good", "another"), { metadata });
  const object = { key: originalKey(id), eTag: etag, sequencer: "02" };
  const s3 = { bucket: { name: "uploads" }, object };
  assert.equal(await work(JSON.stringify({ Records: [{ eventName: "ObjectCreated:Put", s3 }] })), "held");
  const held = await document();
  assert.deepEqual([held.alt, held.rights, held.variants], [undefined, undefined, []]);
  await assert.rejects(edit({ turn: 180 }), refuses("not-ready"));
  const released = await releaseImage(deps, id);
  assert.deepEqual([released.alt, released.rights, released.edit?.turn], ["A boat", { creator: "Ann" }, 90]);
});
