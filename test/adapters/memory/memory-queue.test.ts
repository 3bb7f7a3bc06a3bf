import assert from "node:assert/strict";
import test from "node:test";
import { ManualClock } from "local-aws/manual-clock";
import { MemoryQueue } from "../../../adapters/memory/memory-queue.ts";
import { describeQueue, MAX_RECEIVES, VISIBILITY_SECONDS } from "../../contracts/queue.ts";

describeQueue("memory", async () => {
  const clock = new ManualClock();
  const deadLetters = new MemoryQueue({ clock });
  const redrive = { to: deadLetters, maxReceives: MAX_RECEIVES };
  return {
    queue: new MemoryQueue({ clock, visibilitySeconds: VISIBILITY_SECONDS, redrive }),
    deadLetters,
    now: clock.now,
    advance: async (seconds) => clock.advance(seconds * 1_000),
    polling: (waitSeconds) => clock.timerIn(waitSeconds * 1_000),
    hungUp: (waitSeconds) => clock.timerIn(waitSeconds * 1_000, false),
    close: async () => assert.equal(clock.timers, 0, "a poll or an alarm was left behind"),
  };
});

const bodiesOf = (messages: readonly { body: string }[]) => messages.map(({ body }) => body);

test("a simulation chooses the order", async () => {
  const queue = new MemoryQueue({ pick: (count) => count - 1 });
  await queue.sendMany(["a", "b", "c"]);
  assert.deepEqual(bodiesOf(await queue.receive({ max: 10 })), ["c", "b", "a"]);
});

test("messages are dropped when their retention is over, dead letters by the age they had", async () => {
  const clock = new ManualClock();
  const deadLetters = new MemoryQueue({ clock, retentionSeconds: 100 });
  const queue = new MemoryQueue({
    clock,
    retentionSeconds: 60,
    redrive: { to: deadLetters, maxReceives: 1 },
  });
  await queue.send("poison");
  await queue.receive({ max: 1, visibilitySeconds: 50 });
  clock.advance(50_000);
  await queue.send("young");
  assert.deepEqual(bodiesOf(await queue.receive({ max: 10 })), ["young"]);
  assert.deepEqual(deadLetters.count(), { visible: 1, inFlight: 0, delayed: 0 });
  clock.advance(50_000);
  assert.deepEqual(deadLetters.count(), { visible: 0, inFlight: 0, delayed: 0 });
  clock.advance(10_000);
  assert.deepEqual(queue.count(), { visible: 0, inFlight: 0, delayed: 0 });
});

test("several polls are served in the order they began; the system's clock ends one", async () => {
  const queue = new MemoryQueue();
  const [first, second] = [1, 2].map(() => queue.receive({ max: 1, waitSeconds: 20 }));
  await queue.sendMany(["a", "b"]);
  assert.deepEqual([bodiesOf((await first) ?? []), bodiesOf((await second) ?? [])], [["a"], ["b"]]);
  assert.deepEqual(await queue.receive({ max: 1, waitSeconds: 0.01 }), []);
});
