/** What core/ports.ts promises of an ObjectStore, one test a sentence. Every implementation runs it. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, test } from "node:test";
import fc from "fast-check";
import { DarkroomError } from "../../core/errors.ts";
import type { ObjectStore, StoredObject } from "../../core/ports.ts";

/** A new, empty bucket. */
export interface StoreUnderTest {
  readonly store: ObjectStore;
  close(): Promise<void>;
}

export const conflict = (error: unknown) =>
  error instanceof DarkroomError && error.code === "precondition-failed";

export async function bytesOf(object: StoredObject | undefined): Promise<Buffer> {
  assert.ok(object);
  const pieces: Uint8Array[] = [];
  for await (const piece of object.body) pieces.push(piece);
  return Buffer.concat(pieces);
}

export function describeObjectStore(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(`ObjectStore: ${name}`, () => {
    let store: ObjectStore;
    let close: () => Promise<void>;
    beforeEach(async () => {
      ({ store, close } = await make());
    });
    afterEach(() => close());

    const textOf = async (key: string) => (await bytesOf(await store.get(key))).toString();
    const keysOf = async (...args: Parameters<ObjectStore["list"]>) =>
      (await store.list(...args)).objects.map(({ key }) => key);

    test("what was put is got, with what was said of it", async () => {
      const body = randomBytes(300_000);
      const before = Date.now();
      const { etag } = await store.put("a/b.bin", body, {
        type: "image/avif",
        cacheControl: "public, max-age=5",
        metadata: { Owner: "somebody", filename: "IMG%200042.jpg", empty: "" },
      });
      const object = await store.get("a/b.bin");
      assert.deepEqual(await bytesOf(object), body);
      const { lastModified, ...head } = (await store.head("a/b.bin")) ?? assert.fail();
      assert.deepEqual(head, {
        etag,
        size: 300_000,
        type: "image/avif",
        cacheControl: "public, max-age=5",
        metadata: { owner: "somebody", filename: "IMG%200042.jpg", empty: "" },
      });
      const { body: _, lastModified: __, ...got } = object ?? assert.fail();
      assert.deepEqual(got, head);
      assert.equal(lastModified.getMilliseconds(), 0);
      assert.ok(Math.abs(lastModified.getTime() - before) < 60_000);
    });

    test("text is stored as UTF-8, nothing as nothing", async () => {
      await store.put("text", "ü😀");
      assert.equal(await textOf("text"), "ü😀");
      assert.equal((await store.head("text"))?.size, 6);
      await store.put("empty", "");
      assert.equal((await bytesOf(await store.get("empty"))).length, 0);
      assert.equal((await store.head("empty"))?.size, 0);
    });

    test("an ETag is the MD5 of the bytes, without quotes, the same wherever it comes up", async () => {
      const { etag } = await store.put("key", "content");
      assert.equal(etag, createHash("md5").update("content").digest("hex"));
      assert.equal((await store.head("key"))?.etag, etag);
      const object = await store.get("key");
      await bytesOf(object);
      assert.equal(object?.etag, etag);
      assert.deepEqual(
        (await store.list("")).objects.map((listed) => listed.etag),
        [etag],
      );
    });

    test("there is nothing where nothing was put, whatever the condition", async () => {
      assert.equal(await store.head("missing"), undefined);
      assert.equal(await store.get("missing"), undefined);
      assert.equal(await store.head("missing", { ifMatch: "0".repeat(32) }), undefined);
      assert.equal(await store.get("missing", { ifMatch: "0".repeat(32) }), undefined);
    });

    test("head and get with ifMatch want that version", async () => {
      const { etag } = await store.put("key", "one");
      assert.equal((await store.head("key", { ifMatch: etag }))?.size, 3);
      assert.equal((await bytesOf(await store.get("key", { ifMatch: etag }))).toString(), "one");
      await store.put("key", "two");
      await assert.rejects(store.head("key", { ifMatch: etag }), conflict);
      await assert.rejects(store.get("key", { ifMatch: etag }), conflict);
    });

    test("without a condition the last writer wins", async () => {
      await store.put("key", "one", { type: "text/plain", cacheControl: "no-store", metadata: { a: "1" } });
      await store.put("key", "two", { type: "text/html" });
      assert.equal(await textOf("key"), "two");
      const head = await store.head("key");
      assert.equal(head?.type, "text/html");
      assert.equal(head?.cacheControl, undefined);
      assert.deepEqual(head?.metadata, {});
    });

    test("ifNoneMatch writes only where nothing is", async () => {
      await store.put("key", "first", { ifNoneMatch: "*" });
      await assert.rejects(store.put("key", "second", { ifNoneMatch: "*" }), conflict);
      assert.equal(await textOf("key"), "first");
      await store.delete("key");
      await store.put("key", "third", { ifNoneMatch: "*" });
      assert.equal(await textOf("key"), "third");
    });

    test("ifMatch writes only over that version", async () => {
      const one = await store.put("key", "one");
      const two = await store.put("key", "two", { ifMatch: one.etag });
      await assert.rejects(store.put("key", "three", { ifMatch: one.etag }), conflict);
      assert.equal(await textOf("key"), "two");
      await store.delete("key");
      await assert.rejects(store.put("key", "three", { ifMatch: two.etag }), conflict);
      assert.equal(await store.head("key"), undefined);
    });

    test("equal bytes are an equal version", async () => {
      const { etag } = await store.put("key", "same");
      await store.put("key", "other");
      await store.put("key", "same");
      await store.put("key", "new", { ifMatch: etag });
      assert.equal(await textOf("key"), "new");
    });

    test("a delete over another version than the one named does nothing, and says so", async () => {
      const { etag } = await store.put("key", "one");
      await store.put("key", "two");
      await assert.rejects(store.delete("key", { ifMatch: etag }), conflict);
      assert.equal(await textOf("key"), "two");
      await store.delete("key", { ifMatch: (await store.head("key"))?.etag });
      assert.equal(await store.head("key"), undefined);
      await store.delete("key", { ifMatch: etag });
    });

    test("a deleted object is gone at once; deleting nothing is no error", async () => {
      await store.put("key", "x");
      await store.delete("key");
      assert.equal(await store.get("key"), undefined);
      assert.deepEqual(await keysOf(""), []);
      await store.delete("key");
    });

    test("of many writers at once exactly one finds nothing there", async () => {
      const tries = Array.from({ length: 12 }, (_, i) =>
        store.put("key", `writer ${i}`, { ifNoneMatch: "*" }),
      );
      const outcomes = await Promise.allSettled(tries);
      const winners = outcomes.flatMap((outcome, i) => (outcome.status === "fulfilled" ? [i] : []));
      assert.equal(winners.length, 1);
      for (const outcome of outcomes) assert.ok(outcome.status === "fulfilled" || conflict(outcome.reason));
      assert.equal(await textOf("key"), `writer ${winners[0]}`);
    });

    test("read, change, write if unchanged: of many at once no change is lost", async () => {
      await store.put("counter", "0");
      const increment = async () => {
        for (;;) {
          const object = await store.get("counter");
          const next = Number((await bytesOf(object)).toString()) + 1;
          try {
            await store.put("counter", String(next), { ifMatch: object?.etag });
            return;
          } catch (error) {
            if (!conflict(error)) throw error;
          }
        }
      };
      await Promise.all(Array.from({ length: 8 }, increment));
      assert.equal(await textOf("counter"), "8");
    });

    test("a list has the keys with the prefix, and what is known of them", async () => {
      for (const key of ["a", "b/1", "b/2", "bb", "c"]) await store.put(key, `the content of ${key}`);
      assert.deepEqual(await keysOf("b/"), ["b/1", "b/2"]);
      assert.deepEqual(await keysOf("b"), ["b/1", "b/2", "bb"]);
      assert.deepEqual(await keysOf("d"), []);
      const [listed] = (await store.list("c")).objects;
      const { etag, size, lastModified } = (await store.head("c")) ?? assert.fail();
      assert.deepEqual(
        { ...listed, lastModified: undefined },
        { key: "c", etag, size, lastModified: undefined },
      );
      assert.ok(Math.abs((listed?.lastModified.getTime() ?? 0) - lastModified.getTime()) < 1_000);
    });

    test("a list ends at its limit and says where to go on, and only when there is more", async () => {
      for (const key of ["a", "b", "c", "d"]) await store.put(key, "");
      const first = await store.list("", { limit: 3 });
      assert.deepEqual(
        first.objects.map(({ key }) => key),
        ["a", "b", "c"],
      );
      const second = await store.list("", { limit: 3, after: first.next });
      assert.deepEqual(
        second.objects.map(({ key }) => key),
        ["d"],
      );
      assert.equal(second.next, undefined);
      assert.equal((await store.list("", { limit: 4 })).next, undefined);
      assert.equal((await store.list("")).next, undefined);
    });

    test("a list goes on after any key, there or not", async () => {
      for (const key of ["a", "b", "c"]) await store.put(key, "");
      assert.deepEqual(await keysOf("", { after: "a" }), ["b", "c"]);
      assert.deepEqual(await keysOf("", { after: "aa" }), ["b", "c"]);
      assert.deepEqual(await keysOf("", { after: "c" }), []);
    });

    test("property: pages of any size give every key once, in the order of its UTF-8 bytes", async () => {
      // U+FF5E and the emoji sort one way as UTF-16 and the other as UTF-8.
      const alphabet = [
        "a",
        "b",
        "B",
        "0",
        "/",
        "-",
        ".",
        "_",
        " ",
        "+",
        "%",
        "&",
        "é",
        "\uff5e",
        "\u{1f600}",
      ];
      const key = fc
        .array(fc.constantFrom(...alphabet), { minLength: 1, maxLength: 5 })
        .map((parts) => `k${parts.join("")}k`);
      let round = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.uniqueArray(key, { maxLength: 12 }),
          fc.integer({ min: 1, max: 5 }),
          async (keys, limit) => {
            const prefix = `round-${++round}/`;
            await Promise.all(keys.map((k) => store.put(prefix + k, k)));
            const listed: string[] = [];
            let after: string | undefined;
            do {
              const page = await store.list(prefix, { after, limit });
              assert.ok(page.objects.length <= limit);
              listed.push(...page.objects.map((object) => object.key.slice(prefix.length)));
              after = page.next;
            } while (after !== undefined);
            const expected = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
            assert.deepEqual(listed, expected);
          },
        ),
        { numRuns: 12, examples: [[["k\u{1f600}", "k\uff5e"], 1]] },
      );
    });

    test("a body that is given up does no harm", async () => {
      await store.put("large", randomBytes(3_000_000));
      for (let i = 0; i < 3; i++) {
        const unread = await store.get("large");
        await unread?.body[Symbol.asyncIterator]().return?.();
        const begun = await store.get("large");
        for await (const piece of begun?.body ?? []) {
          assert.ok(piece.length < 3_000_000, "a large body comes in pieces");
          break;
        }
      }
      assert.equal((await store.head("large"))?.size, 3_000_000);
    });

    test("a get goes on with its version while another is put", async () => {
      const old = randomBytes(2_000_000);
      await store.put("key", old);
      const object = await store.get("key");
      await store.put("key", "new");
      assert.ok(old.equals(await bytesOf(object)));
    });
  });
}
