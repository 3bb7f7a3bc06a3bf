import assert from "node:assert/strict";
import test from "node:test";
import * as v from "valibot";
import { cancelJob, ReprocessRequest, reprocess } from "../../../core/job/job.ts";
import type { Progress } from "../../../core/job/job-progress.ts";
import { listAttention } from "../../../core/job/list-attention.ts";
import { FORGETS, imagePrefix, metaKey, newId, originalKey } from "../../../core/keys.ts";
import { developMessage, failMessage } from "../../../core/worker/handle-message.ts";
import { toyPicture } from "../../toy-pixels.ts";
import { type JobSystem, jobSystem, recipe, watched } from "./job-system.ts";

/** A system at rest: S3 knows seconds only, and what came in the second of the order may have come after it. */
async function settled(count: number, ...options: Parameters<JobSystem["develop"]>) {
  const system = jobSystem();
  const ids = await many(system, count, ...options);
  system.clock.advance(2000);
  return { system, ids };
}
const many = (system: JobSystem, count: number, ...options: Parameters<JobSystem["develop"]>) =>
  Promise.all(Array.from({ length: count }, () => system.develop(...options)));

const remove = (system: JobSystem, select: ReprocessRequest["select"]) =>
  system.start({ action: "delete", select });
async function dryRun(system: JobSystem, select: ReprocessRequest["select"]) {
  const request = v.parse(ReprocessRequest, { action: "delete", select, dryRun: true });
  const answer = await reprocess(system.deps, request);
  assert.ok("dryRun" in answer && "action" in answer);
  return answer;
}
const figures = ({ state, queued, done, skipped, failed }: Progress) =>
  `${state} ${queued}: ${done} ${skipped} ${failed}`;

/** What is left of an image: its status, and whether anything lies beside its document. */
async function left(system: JobSystem, id: string): Promise<string> {
  const { document } = await system.document(id);
  const { objects } = await system.deps.media.list(imagePrefix(id));
  const original = await system.deps.uploads.head(originalKey(id));
  const files = objects.filter(({ key }) => key !== metaKey(id)).length;
  return `${document?.status ?? "nothing"}${original ? " +original" : ""}${files > 0 ? " +variants" : ""}`;
}

test("a job deletes what is selected as a single delete does: files, original, CDN, event; all else stays", async () => {
  const { system, ids } = await settled(3, { owner: "leaves" });
  const [other] = await many(system, 1, { owner: "stays" });
  const told: string[] = [];
  system.deps.events.send = async (body) => void told.push(JSON.parse(body).event.type);
  const { id: job, action } = await remove(system, { owner: "leaves" });
  assert.equal(action, "delete");
  await system.drain({ copies: 2 });
  assert.equal(figures(await system.progress(job)), "done 3: 3 0 0");
  for (const id of ids) assert.equal(await left(system, id), "deleted");
  assert.equal(await left(system, other ?? ""), "ready +original +variants");
  assert.deepEqual(told, ["image.deleted", "image.deleted", "image.deleted"]);
  assert.equal((await system.deps.uploads.list(FORGETS)).objects.length, 3);
  // Nothing is left to be selected.
  const again = await remove(system, { owner: "leaves" });
  await system.drain();
  assert.equal(figures(await system.progress(again.id)), "done 0: 0 0 0");
});

test("nothing is deleted without a selection, in words; nor made anew", () => {
  const refused = (body: unknown) => v.safeParse(ReprocessRequest, body).issues?.[0].message;
  assert.match(refused({ action: "delete" }) ?? "", /say which images/);
  assert.match(refused({ action: "delete", select: {} }) ?? "", /status: all for every one/);
  assert.match(refused({ action: "delete", select: { owner: "me" }, force: true }) ?? "", /force/);
  assert.match(refused({ action: "forget", select: { owner: "me" } }) ?? "", /Invalid/);
});

test("what is uploaded after the order, or in its very second, is not meant; named by its id it is", async () => {
  const { system, ids } = await settled(1);
  const { id: job, select } = await remove(system, { status: "all" });
  assert.equal(
    select["uploadedBefore"],
    new Date(Math.floor(system.clock.now() / 1000) * 1000).toISOString(),
  );
  const late = await system.develop();
  await system.drain();
  assert.equal(figures(await system.progress(job)), "done 1: 1 0 0");
  assert.deepEqual(
    [await left(system, ids[0] ?? ""), await left(system, late)],
    ["deleted", "ready +original +variants"],
  );
  const named = await remove(system, { ids: [late] });
  await system.drain();
  assert.equal(figures(await system.progress(named.id)), "done 1: 1 0 0");
  assert.equal(await left(system, late), "deleted");
});

test("what has become something else since it was chosen stays: healed, written again, of another recipe", async () => {
  const { system, ids } = await settled(1, { kind: "corrupt" });
  const [rejected = ""] = ids;
  const [stale = ""] = await many(system, 1, { owner: "me" });
  system.deps.config = recipe(32, 40);
  system.clock.advance(2000);
  const jobs = [await remove(system, { status: "rejected" }), await remove(system, { status: "stale" })];
  // Chosen, and the messages wait.
  await system.drain({ limit: 2 });
  await system.deps.uploads.put(originalKey(rejected), toyPicture("good", "second"));
  const develop = (id: string) => JSON.stringify({ darkroom: "develop", id, force: true });
  const messages = await system.queue.receive({ max: 10 });
  for (const id of [rejected, stale]) await system.deps.backfill.send(develop(id));
  await system.drain();
  for (const { receipt } of messages) await system.queue.retryIn(receipt, 0);
  await system.drain();
  // What was rejected was stale as well.
  const counts = await Promise.all(jobs.map(async ({ id }) => figures(await system.progress(id))));
  assert.deepEqual(counts, ["done 1: 0 1 0", "done 2: 0 2 0"]);
  for (const id of [rejected, stale]) assert.equal(await left(system, id), "ready +original +variants");
});

test("what changes between the look and the delete is decided anew", async () => {
  const { system, ids } = await settled(1, { kind: "corrupt" });
  const [id = ""] = ids;
  const { id: job } = await remove(system, { status: "rejected" });
  await system.drain({ limit: 1 });
  const { media } = system.deps;
  let isHealed = false;
  system.deps.media = watched(media, async () => {});
  const put = media.put.bind(media);
  system.deps.media = {
    ...system.deps.media,
    head: (...args) => media.head(...args),
    get: (...args) => media.get(...args),
    list: (...args) => media.list(...args),
    delete: (...args) => media.delete(...args),
    async put(key, body, options) {
      if (!isHealed && String(body).includes('"deleted"')) {
        isHealed = true;
        const there = (await system.document(id)).document;
        await put(
          metaKey(id),
          JSON.stringify({ ...there, status: "ready", error: undefined, writeId: "another" }),
        );
      }
      return put(key, body, options);
    },
  };
  await system.drain();
  assert.equal(figures(await system.progress(job)), "done 1: 0 1 0");
  assert.equal((await system.document(id)).document?.status, "ready");
});

test("images without a document or without an original are deleted too", async () => {
  const { system, ids } = await settled(2, { owner: "me", preset: "avatar" });
  const [gone = "", kept = ""] = ids;
  const waiting = await system.upload({ owner: "me", preset: "avatar" });
  system.clock.advance(2000);
  await system.deps.uploads.delete(originalKey(gone));
  const again = JSON.stringify({ darkroom: "develop", id: gone, force: true });
  await system.deps.backfill.send(again);
  await system.drain();
  const listed = await listAttention(system.deps, "original-gone", { limit: 10, cursor: undefined });
  assert.deepEqual(
    listed.images.map(({ id }) => id),
    [gone],
  );
  const would = await dryRun(system, { preset: "avatar" });
  assert.deepEqual([would.images, would.exact], [3, true]);
  const { id: job } = await remove(system, { preset: "avatar" });
  await system.drain();
  assert.equal(figures(await system.progress(job)), "done 3: 3 0 0");
  for (const id of [gone, kept, waiting]) assert.equal(await left(system, id), "deleted");
});

test("an owner's image that has lost its original is the owner's still, also named by its id", async () => {
  const { system, ids } = await settled(1, { owner: "me" });
  const [id = ""] = ids;
  await system.deps.uploads.delete(originalKey(id));
  assert.equal((await dryRun(system, { ids: [id], owner: "another" })).images, 0);
  assert.equal((await dryRun(system, { ids: [id], owner: "me" })).images, 1);
  await remove(system, { owner: "me" });
  await system.drain();
  assert.equal(await left(system, id), "deleted");
});

test("a dry run counts images, bytes, cost and what is saved, and deletes nothing", async () => {
  const { system, ids } = await settled(4);
  const sizes = await Promise.all(
    ids.map(async (id) => {
      const { document } = await system.document(id);
      const variants = document?.variants.reduce((sum, { bytes }) => sum + bytes, 0) ?? 0;
      return { original: document?.source?.bytes ?? 0, variants };
    }),
  );
  const would = await dryRun(system, { status: "all" });
  assert.equal(would.images, 4);
  assert.equal(
    would.bytes.originals,
    sizes.reduce((sum, { original }) => sum + original, 0),
  );
  assert.equal(
    would.bytes.variants,
    sizes.reduce((sum, { variants }) => sum + variants, 0),
  );
  assert.ok(would.lambdaSeconds > 0 && would.requests.s3 > 40 && would.uploadedBefore);
  for (const id of ids) assert.equal(await left(system, id), "ready +original +variants");
});

test("an id nobody knows is skipped and gets no tombstone; a cancelled job deletes no more", async () => {
  const { system, ids } = await settled(4);
  const unknown = newId(system.deps.random);
  const { id: job } = await remove(system, { ids: [unknown] });
  await system.drain();
  assert.equal(figures(await system.progress(job)), "done 1: 0 1 0");
  assert.equal(await left(system, unknown), "nothing");
  const all = await remove(system, { status: "all" });
  await assert.rejects(remove(system, { status: "all" }), { code: "job-running" });
  await system.drain({ limit: 2 });
  await cancelJob(system.deps, all.id);
  await system.drain();
  const states = await Promise.all(ids.map((id) => left(system, id)));
  assert.equal(states.filter((state) => state === "deleted").length, 1);
});

test("a delete that every try is used up for leaves the image as it was, and counts as failed", async () => {
  const { system, ids } = await settled(1);
  const [id = ""] = ids;
  const { id: job } = await remove(system, { owner: "me" });
  await system.drain({ limit: 1 });
  const { media } = system.deps;
  system.deps.media = watched(media, (call) => {
    if (call.startsWith("put")) throw new Error("away");
  });
  await system.drain();
  system.deps.media = media;
  await system.drainDead();
  assert.equal(figures(await system.progress(job)), "done 1: 0 0 1");
  assert.equal(await left(system, id), "ready +original +variants");
});

test("whoever dies at any line of it leaves what the next try finishes", async () => {
  for (let line = 0; ; line++) {
    const { system, ids } = await settled(1);
    const [id = ""] = ids;
    const told: string[] = [];
    let calls = 0;
    const die = () => {
      if (calls++ === line) throw new Error("killed");
    };
    const { id: job } = await remove(system, { owner: "me" });
    await system.drain({ limit: 1 });
    const { uploads, media } = system.deps;
    system.deps.uploads = watched(uploads, die);
    system.deps.media = watched(media, die);
    system.deps.events.send = async (body) => void told.push(JSON.parse(body).event.type);
    await system.drain();
    system.deps.uploads = uploads;
    system.deps.media = media;
    assert.equal(await left(system, id), "deleted", `after call ${line}`);
    assert.ok(told.includes("image.deleted"), `told after call ${line}`);
    assert.match(figures(await system.progress(job)), /^done 1: (1 0|0 1) 0$/);
    if (calls <= line) break;
  }
});

/** A delete that has come as far as its tombstone, with its message, and deps by which it comes no further. */
async function half() {
  const { system, ids } = await settled(1);
  const [id = ""] = ids;
  const { id: job } = await remove(system, { owner: "me" });
  await system.drain({ limit: 1 });
  const [message] = await system.queue.receive({ max: 1 });
  const first = { body: message?.body ?? "", receives: 1, bucket: "uploads" };
  const refused = async () => {
    throw new Error("away");
  };
  const stuck = { ...system.deps, uploads: { ...system.deps.uploads, delete: refused } };
  await assert.rejects(developMessage(stuck, first), /away/);
  assert.equal(await left(system, id), "deleted +original +variants");
  return { system, id, job, first, stuck };
}

test("a second message of one image finishes what the first was killed over", async () => {
  const { system, id, job, first } = await half();
  // Sent twice: the other one has its result, by which the first, once every try is used up, takes it for done.
  await developMessage(system.deps, first);
  await failMessage(system.deps, first);
  assert.equal(await left(system, id), "deleted");
  assert.equal(figures(await system.progress(job)), "done 1: 0 1 0");
});

test("so does one that is sent anew when the original went first", async () => {
  const { system, id, first } = await half();
  await system.deps.uploads.delete(originalKey(id));
  await developMessage(system.deps, first);
  assert.equal(await left(system, id), "deleted");
});

test("dead letters finish a delete, also when a try of theirs has died and counted it as failed", async () => {
  const { system, id, first, stuck } = await half();
  await assert.rejects(failMessage(stuck, first), /away/);
  await failMessage(system.deps, first);
  assert.equal(await left(system, id), "deleted");
});

test("a job that is cancelled in the middle of a delete leaves no half of it", async () => {
  const { system, id, job, first } = await half();
  await cancelJob(system.deps, job);
  await developMessage(system.deps, { ...first, receives: 2 });
  assert.equal(await left(system, id), "deleted");
});
