import assert from "node:assert/strict";
import test from "node:test";
import { startImport } from "../../../core/job/import.ts";
import { cancelJob } from "../../../core/job/job.ts";
import { jobProgress } from "../../../core/job/job-progress.ts";
import { DELIVERIES, EVENTS, homeOf, metaKey, newId, ownerOf } from "../../../core/keys.ts";
import { clearTraces, isErased, tracesOf } from "../../../core/sweep/erased.ts";
import { keptVersions } from "../../kept-versions.ts";
import { jobSystem } from "../job/job-system.ts";

const DAY = 86_400_000;

function system({ undo = false } = {}) {
  const plain = jobSystem();
  const { deps, clock } = plain;
  const versioned = keptVersions(deps.uploads, deps.now);
  Object.assign(deps, { uploads: versioned.store });
  const none = { ...versioned.versions, list: async function* () {} };
  const traces = (sub: string) => tracesOf({ ...deps, kept: undo ? versioned.versions : none }, sub);
  const erase = async (sub: string) => {
    clock.advance(2000);
    const { id } = await plain.start({ action: "delete", select: { owner: sub } });
    await plain.drain();
    return id;
  };
  const isOver = async (job: string) => (await jobProgress(deps, job)).state !== "running";
  const clear = async (sub: string) => clearTraces(deps, await traces(sub), isOver);
  return { ...plain, traces, erase, clear, expire: () => versioned.expire(deps.now()) };
}

test("who was never here is erased; who has images is not", async () => {
  const { traces, develop } = system();
  assert.ok(isErased(await traces("anna")));
  const id = await develop({ owner: "anna" });
  await develop({ owner: "bert" });
  const found = await traces("anna");
  assert.deepEqual([found.images, isErased(found)], [[id], false]);
});

test("after a delete what still names him is said, with its end; cleared, nothing does, and others keep theirs", async () => {
  const { traces, develop, erase, clear, deps } = system();
  for (let i = 0; i < 3; i++) await develop({ owner: "anna" });
  await develop({ owner: "bert" });
  const job = await erase("anna");
  const found = await traces("anna");
  assert.deepEqual([found.images, found.entries.length, found.jobs], [[], 3, [job]]);
  const now = deps.now().getTime();
  const inDays = (time = "") => Math.round((Date.parse(time) - now) / DAY);
  assert.deepEqual(
    [inDays(found.entriesUntil), inDays(found.jobsUntil), inDays(found.cdn.until)],
    [15, 180, 1],
  );
  assert.equal(found.cdn.toForget, 3);
  await clear("anna");
  const after = await traces("anna");
  assert.ok(isErased(after), JSON.stringify(after));
  assert.deepEqual([(await traces("bert")).images.length, after.looked.jobs], [1, 0]);
  // No key has his name, but for those that say it of others.
  for (const prefix of ["owners/anna/", "counts/anna/", `jobs/${job}/`])
    assert.deepEqual((await deps.uploads.list(prefix)).objects, []);
});

test("erased while he uploads: what came after is found, also before a worker has been at it, and goes the same way", async () => {
  const { traces, develop, upload, erase, clear } = system();
  await develop({ owner: "anna" });
  await erase("anna");
  // His token holds for an hour.
  const late = await upload({ owner: "anna" });
  const found = await traces("anna");
  assert.deepEqual([found.images, isErased(found)], [[late], false]);
  await assert.rejects(clear("anna"), { code: "precondition-failed" });
  await develop({ owner: "bert" });
});

test("an import names him too, by each of its URLs, and goes once it is over", async () => {
  const { traces, clear, deps } = system();
  const images = ["anna", "bert"].map((owner) => ({ url: `https://old.example/${owner}.jpg`, owner }));
  const { id } = await startImport(deps, { images });
  assert.deepEqual([(await traces("anna")).jobs, (await traces("carla")).jobs], [[id], []]);
  await clear("anna");
  assert.deepEqual((await traces("anna")).jobs, [id]);
  await cancelJob(deps, id);
  await clear("anna");
  assert.ok(isErased(await traces("anna")));
});

test("an order that is still at work is not cleared; a name of any kind is one", async () => {
  const { traces, develop, clear, start, clock, drain } = system();
  const sub = "anna@example.com 🛶";
  await develop({ owner: ownerOf(sub) });
  clock.advance(2000);
  await start({ action: "delete", select: { owner: sub } });
  await drain({ limit: 1 });
  await assert.rejects(clear(sub), { code: "precondition-failed" });
  await drain();
  await clear(sub);
  assert.ok(isErased(await traces(sub)));
});

test("copies of an earlier release name him, and what is private lies under a digest of his name", async () => {
  const { traces, deps } = system();
  const [event, delivery] = [`${EVENTS}2026-11-20/x.json`, `${DELIVERIES}r/x.json`];
  const copy = JSON.stringify({ context: { owner: "anna" }, data: { placeholder: "x".repeat(400) } });
  for (const key of [event, delivery]) await deps.uploads.put(key, copy);
  const found = await traces("anna");
  assert.deepEqual([found.events, found.deliveries], [[event], [delivery]]);
  assert.deepEqual((await traces("bert")).events, []);
  const id = newId(deps.random);
  const document = {
    schema: 1,
    id,
    status: "ready",
    rev: 1,
    writeId: id,
    variants: [],
    pending: [],
    superseded: [],
    deleting: [],
  };
  const text = JSON.stringify({ ...document, processedAt: deps.now().toISOString() });
  await deps.media.put(metaKey(id, homeOf("bert")), text);
  assert.deepEqual((await traces("bert")).images, [id]);
});

test("versions that are kept for an undelete name him until their days are over", async () => {
  const { traces, develop, erase, clear, clock, expire } = system({ undo: true });
  await develop({ owner: "anna" });
  assert.equal((await traces("anna")).versions, 0);
  await erase("anna");
  assert.ok((await traces("anna")).versions > 0);
  await clear("anna");
  assert.ok(!isErased(await traces("anna")));
  clock.advance(DAY);
  expire();
  assert.ok(isErased(await traces("anna")));
});
