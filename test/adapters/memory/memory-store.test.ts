import assert from "node:assert/strict";
import test from "node:test";
import { memoryStore, type StoreChange } from "../../../adapters/memory/memory-store.ts";
import { bytesOf, conflict, describeObjectStore } from "../../contracts/object-store.ts";

const now = () => new Date();

describeObjectStore("memory", async () => ({ store: memoryStore({ now }), close: async () => {} }));

test("changes are told in their order, what did not change is not", async () => {
  const changes: StoreChange[] = [];
  const store = memoryStore({ now, onChange: (change) => changes.push(change) });
  const { etag } = await store.put("a", "one");
  await assert.rejects(store.put("a", "two", { ifNoneMatch: "*" }), conflict);
  const second = await store.put("a", "three");
  await store.delete("missing");
  await store.delete("a");
  assert.deepEqual(
    changes.map(({ sequencer: _, ...change }) => change),
    [
      { kind: "created", key: "a", etag, size: 3 },
      { kind: "created", key: "a", etag: second.etag, size: 5 },
      { kind: "removed", key: "a", etag: second.etag, size: 5 },
    ],
  );
  const sequencers = changes.map(({ sequencer }) => sequencer);
  assert.deepEqual([...sequencers].sort(), sequencers);
  assert.equal(new Set(sequencers).size, 3);
  for (const sequencer of sequencers) assert.match(sequencer, /^[0-9A-F]{16}$/);
});

test("the clock is the caller's, seconds are exact", async () => {
  const store = memoryStore({ now: () => new Date("2026-05-01T10:00:00.999Z") });
  await store.put("a", "x");
  assert.equal((await store.head("a"))?.lastModified.toISOString(), "2026-05-01T10:00:00.000Z");
});

test("neither side can reach into the other's bytes", async () => {
  const store = memoryStore({ now });
  const body = Buffer.from("before");
  const putting = store.put("a", body);
  body.write("after!");
  await putting;
  const object = await store.get("a");
  for await (const piece of object?.body ?? []) piece.fill(0);
  assert.equal((await bytesOf(await store.get("a"))).toString(), "before");
});

test("calls made together take effect in their order, each after one turn", async () => {
  const store = memoryStore({ now });
  const first = store.put("a", "one", { ifNoneMatch: "*" });
  const second = store.put("a", "two", { ifNoneMatch: "*" });
  const third = store.head("a");
  await assert.rejects(second, conflict);
  assert.equal((await third)?.etag, (await first).etag);
});

test("a list stops at 1,000 keys, as S3's does", async () => {
  const store = memoryStore({ now });
  await Promise.all(Array.from({ length: 1_001 }, (_, i) => store.put(String(i).padStart(4, "0"), "")));
  const page = await store.list("", { limit: 5_000 });
  assert.equal(page.objects.length, 1_000);
  assert.equal(page.next, "0999");
});
