/** When to ask again, and how many requests wait at once. Time is the test's own. */
import assert from "node:assert/strict";
import test from "node:test";
import { memoryStore } from "../../../adapters/memory/memory-store.ts";
import { askAgainSeconds, asker, holdBudget } from "../../../core/image/ask-again.ts";
import { newId, originalKey } from "../../../core/keys.ts";
import { writeUploadMetadata } from "../../../core/upload-metadata.ts";

const image = (bytes: number, ageSeconds: number, backlog = 0) =>
  askAgainSeconds({ bytes, ageSeconds, backlog, workers: 50 });

test("a small image is asked for again after a second, a large one or one in a queue when it is likely to be ready", () => {
  assert.equal(image(100_000, 0), 1);
  assert.equal(image(4_000_000, 0), 4);
  assert.equal(image(4_000_000, 3), 1);
  assert.equal(image(25_000_000, 0), 20);
  // 17 images a second are taken from before it.
  assert.equal(image(100_000, 0, 1000), 61);
  assert.equal(image(100_000, 50, 150), 9);
  assert.equal(image(100_000, 0, 1e9), 300);
});

test("one that is late is asked for ever more rarely, down to every five minutes", () => {
  assert.equal(image(100_000, 2), 1);
  assert.equal(image(100_000, 60), 15);
  assert.equal(image(100_000, 900), 225);
  assert.equal(image(100_000, 86_400), 300);
  // In ten minutes of waiting for a photo of 3 s that does not come.
  let asked = 0;
  for (let age = 0; age < 600; age += image(4_000_000, age)) asked++;
  assert.ok(asked <= 30, `${asked} requests`);
});

/** Instances of Lambda, each with one request at a time, to which requests that would all wait for 20 s come evenly. */
function instances(perSecond: number, seconds: number): { most: number; held: number } {
  let time = 0;
  const now = () => new Date(time);
  const all: { budget: ReturnType<typeof holdBudget>; freeAt: number }[] = [];
  let [most, held] = [0, 0];
  for (let n = 0; n < perSecond * seconds; n++) {
    time = (n * 1000) / perSecond;
    const free = all.find(({ freeAt }) => freeAt <= time);
    const one = free ?? { budget: holdBudget(now), freeAt: 0 };
    if (!free) all.push(one);
    const granted = one.budget.take(20_000);
    held += granted;
    one.freeAt = time + 20 + granted;
    most = Math.max(most, all.filter(({ freeAt }) => freeAt > time).length);
  }
  return { most, held: held / (perSecond * seconds) };
}

test("a flood of requests that would wait keeps a fifth of an account's Lambdas busy, a trickle waits as it likes", () => {
  const flood = instances(100, 120);
  assert.ok(flood.most <= 250, `${flood.most} instances`);
  // One every half a minute, from the second on.
  const trickle = instances(1 / 100, 10_000);
  assert.ok(trickle.held > 19_000, `${trickle.held} ms`);
});

test("who waits is held where the image is likely to come, and told at once when to ask again where it is not", async () => {
  let time = Date.parse("2026-11-20T12:00:00Z");
  const now = () => new Date(time);
  const uploads = memoryStore({ now });
  const id = newId((bytes) => new Uint8Array(bytes).fill(7));
  const metadata = writeUploadMetadata({ owner: "me", preset: "photo", filename: "a.jpg" });
  await uploads.put(originalKey(id), new Uint8Array(1000), { type: "image/png", metadata });
  let [backlog, counted] = [0, 0];
  const images = {
    async backlog() {
      counted++;
      if (backlog < 0) throw new Error("no answer");
      return backlog;
    },
  };
  const sleep = async (ms: number) => {
    time += ms;
  };
  const ask = asker({ uploads, media: memoryStore({ now }), images, workers: 50, now }, sleep);
  const me = { owner: "me", scopes: new Set(["upload"] as const) };
  const took = async (seconds: number) => {
    const before = time;
    const { retryAfter } = await ask(me, id, seconds);
    return [time - before, retryAfter];
  };
  assert.deepEqual(await took(0), [0, 1]);
  // An instance that has just begun gives two seconds.
  assert.deepEqual(await took(20), [2000, 1]);
  time += 60_000;
  assert.equal((await took(5))[0], 5000);
  backlog = 2000;
  time += 60_000;
  assert.deepEqual(await took(20), [0, 120]);
  // Counted now and then, and as before where the queue does not answer.
  const before = counted;
  backlog = -1;
  await took(0);
  assert.equal(counted, before);
  time += 5000;
  assert.ok(((await took(20))[1] ?? 0) > 1);
  assert.equal(counted, before + 1);
});
