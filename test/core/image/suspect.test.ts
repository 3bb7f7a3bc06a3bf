/** Files over which the worker itself dies: found by the mark that a dead worker leaves. */
import assert from "node:assert/strict";
import test from "node:test";
import { memoryStore } from "../../../adapters/memory/memory-store.ts";
import { condemned, suspected } from "../../../core/image/suspect.ts";
import { markKey } from "../../../core/keys.ts";
import { type Metadata, transition } from "../../../core/metadata.ts";

const ID = "qbbfm3f3cr98440ngmn6a6rh3w";
const now = () => new Date("2026-11-20T12:00:00Z");
const turn = () => new Promise(setImmediate);

/** Tries at one file, as the queue delivers them. */
function tries(uploads = memoryStore({ now }), current?: Metadata) {
  const judged = (receives: number, etag = "e") =>
    suspected(uploads, { id: ID, etag, receives, current }, async () => "a verdict");
  /** A worker that never comes back. */
  const dies = async (receives: number, etag = "e") => {
    void suspected(uploads, { id: ID, etag, receives, current }, () => new Promise<never>(() => {}));
    await turn();
  };
  return { uploads, judged, dies };
}

test("the first three receives cost nothing", async () => {
  const { uploads, judged } = tries();
  for (const receives of [1, 2, 3]) assert.equal(await judged(receives), "a verdict");
  assert.deepEqual((await uploads.list("")).objects, []);
});

test("a file that has killed two workers is not tried a third time", async () => {
  const { judged, dies } = tries();
  for (const receives of [1, 2, 3, 4, 5]) await dies(receives);
  assert.equal(await judged(6), undefined);
});

test("one death may be bad luck; a try that ends, well or not, takes the mark away", async () => {
  const { uploads, judged, dies } = tries();
  await dies(4);
  assert.ok(await uploads.head(markKey(ID)));
  assert.equal(await judged(5), "a verdict");
  assert.equal(await uploads.head(markKey(ID)), undefined);
  await dies(6);
  const failing = suspected(uploads, { id: ID, etag: "e", receives: 7, current: undefined }, () =>
    Promise.reject(new Error("S3")),
  );
  await assert.rejects(failing, /S3/);
  await dies(8);
  assert.equal(await judged(9), "a verdict");
});

test("deaths over other bytes, and a mark that is none, are no charge", async () => {
  const { uploads, judged, dies } = tries();
  for (const receives of [4, 5]) await dies(receives, "other");
  assert.equal(await judged(6), "a verdict");
  await uploads.put(markKey(ID), "", { metadata: { etag: "e", tries: "many" } });
  assert.equal(await judged(7), "a verdict");
});

test("a mark that cannot be taken away changes nothing about the verdict", async () => {
  const store = memoryStore({ now });
  const { judged } = tries({ ...store, delete: () => Promise.reject(new Error("S3 is away")) });
  assert.equal(await judged(4), "a verdict");
});

test("who was condemned is tried again under a mark from the first receive on, and costs one worker at most", async () => {
  const verdict = { ...condemned(), source: { bytes: 3, etag: "e" } };
  const next = transition(undefined, ID, verdict, now());
  assert.ok("write" in next && next.write.failedAt === now().toISOString());
  const { uploads, judged, dies } = tries(undefined, { ...next.write, rev: 1, writeId: "w" });
  for (const receives of [4, 5]) await dies(receives);
  assert.equal(await judged(6), undefined);
  await dies(1);
  assert.equal(await judged(2), undefined);
  // Of other bytes it is no suspect; and where it was weather, it goes.
  assert.equal(await judged(1, "other"), "a verdict");
  assert.ok(await uploads.head(markKey(ID)));
  assert.equal(await judged(1), "a verdict");
  assert.equal(await uploads.head(markKey(ID)), undefined);
});
