/** What stands in for Lambda's event source mapping: batches, partial answers, and a graceful end. */
import assert from "node:assert/strict";
import test from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { SQSEvent } from "aws-lambda";
import { ManualClock } from "local-aws/manual-clock";
import { MemoryQueue } from "../../adapters/memory/memory-queue.ts";
import { type QueueTrigger, queueTrigger } from "../../host/queue-trigger.ts";

const ARN = "arn:aws:sqs:eu-central-1:000000000000:images";
/** A minute of real time: a test that used it up would be killed. */
const LONG_MS = 60_000;
/** The trigger's long poll. */
const POLL_MS = 1000;

const silent = () => {};

function triggered(
  invoke: (event: SQSEvent) => Promise<unknown>,
  bodies: string[],
  { batchSize = 10, concurrency = 1 } = {},
) {
  const clock = new ManualClock();
  let ids = 0;
  const queue = new MemoryQueue({ clock, newId: () => `m${++ids}` });
  for (const body of bodies) void queue.send(body);
  const options = { queue, arn: ARN, batchSize, concurrency, log: silent };
  const trigger = queueTrigger((event) => invoke(event as SQSEvent), options);
  return { clock, queue, trigger };
}

/** Lets every poll end empty, and waits for what is in work. */
async function closeIdle(trigger: QueueTrigger, clock: ManualClock): Promise<void> {
  const closed = trigger.close(LONG_MS);
  clock.advance(POLL_MS);
  await closed;
}

const three = ["m1", "m2", "m3"];
const failing = (...ids: unknown[]) => ({
  batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })),
});
/** AWS's list: "Success and failure conditions" of partial batch responses. */
const answers: [string, () => unknown, string[]][] = [
  ["one named", () => failing("m2"), ["m2"]],
  ["two named", () => failing("m3", "m1"), ["m1", "m3"]],
  ["one named twice", () => failing("m2", "m2"), ["m2"]],
  ["all named", () => failing(...three), three],
  ["an empty list", () => failing(), []],
  ["null for a list", () => ({ batchItemFailures: null }), []],
  ["an empty answer", () => ({}), []],
  ["null", () => null, []],
  ["undefined", () => undefined, []],
  ["an unknown id", () => failing("m2", "m4"), three],
  ["an empty id", () => failing(""), three],
  ["a null id", () => failing(null), three],
  ["a wrong key", () => ({ batchItemFailures: [{ id: "m2" }] }), three],
  ["a null entry", () => ({ batchItemFailures: [null] }), three],
  ["ids without their objects", () => ({ batchItemFailures: ["m2"] }), three],
  ["a text for a list", () => ({ batchItemFailures: "m2" }), three],
  ["an object for a list", () => ({ batchItemFailures: {} }), three],
  [
    "a throw",
    () => {
      throw new Error("no");
    },
    three,
  ],
];
for (const [name, answer, left] of answers) {
  test(`queue trigger: ${name} leaves ${left.join(", ") || "nothing"}`, async () => {
    let invocations = 0;
    const { clock, queue, trigger } = triggered(async () => {
      invocations++;
      return answer();
    }, three);
    await clock.timerIn(POLL_MS);
    assert.equal(invocations, 1);
    // Failed ones wait for their visibility time-out.
    assert.deepEqual(queue.count(), { visible: 0, inFlight: left.length, delayed: 0 });
    await closeIdle(trigger, clock);
    assert.equal(queue.count().visible, 0, "close gives back only what is in work");
    clock.advance(30_000);
    const kept = await queue.receive({ max: 10 });
    assert.deepEqual(kept.map(({ id }) => id).sort(), left);
  });
}

test("queue trigger: records have AWS's form, with the count of receives", async () => {
  const events: SQSEvent[] = [];
  const { clock, queue, trigger } = triggered(
    async (event) => {
      events.push(event);
      throw new Error("again");
    },
    ["hello"],
  );
  const sentAt = clock.now();
  await clock.timerIn(POLL_MS);
  const started = clock.now();
  // The poll under way ends empty; a later one gets the message when it is visible again.
  while (events.length < 2 && clock.now() - started <= 31_000) {
    clock.advance(POLL_MS);
    await turn();
  }
  const [first, second] = events.map(({ Records: [record] }) => record);
  assert.ok(first && second);
  const { attributes, receiptHandle, ...rest } = first;
  assert.deepEqual(rest, {
    messageId: "m1",
    body: "hello",
    messageAttributes: {},
    // As printed by md5sum.
    md5OfBody: "5d41402abc4b2a76b9719d911017c592",
    eventSource: "aws:sqs",
    eventSourceARN: ARN,
    awsRegion: "eu-central-1",
  });
  assert.equal(attributes.ApproximateReceiveCount, "1");
  assert.equal(attributes.SentTimestamp, String(sentAt));
  assert.equal(second.attributes.ApproximateReceiveCount, "2");
  assert.notEqual(second.receiptHandle, receiptHandle);
  await queue.delete(receiptHandle);
  assert.equal(queue.count().inFlight, 1, "an old receipt deletes nothing");
  await queue.delete(second.receiptHandle);
  assert.deepEqual(queue.count(), { visible: 0, inFlight: 0, delayed: 0 });
  await closeIdle(trigger, clock);
});

test("queue trigger: no more invocations than `concurrency`, no more messages than `batchSize`", async () => {
  const bodies = Array.from({ length: 13 }, (_, i) => `body ${i}`);
  const sizes: number[] = [];
  const handled: string[] = [];
  let active = 0;
  let most = 0;
  const all = Promise.withResolvers<void>();
  const { clock, queue, trigger } = triggered(
    async ({ Records }) => {
      most = Math.max(most, ++active);
      sizes.push(Records.length);
      // Long enough for any other lane to come in.
      await turn();
      handled.push(...Records.map(({ body }) => body));
      active--;
      if (handled.length === bodies.length) all.resolve();
    },
    bodies,
    { batchSize: 2, concurrency: 3 },
  );
  await all.promise;
  await closeIdle(trigger, clock);
  assert.equal(most, 3);
  assert.equal(Math.max(...sizes), 2);
  assert.deepEqual(handled.sort(), bodies.sort());
  assert.deepEqual(queue.count(), { visible: 0, inFlight: 0, delayed: 0 });
});

test("queue trigger: close waits for what ends within the grace, and takes nothing more", async () => {
  const invoked = Promise.withResolvers<void>();
  const end = Promise.withResolvers<void>();
  let invocations = 0;
  const { queue, trigger } = triggered(
    async () => {
      invocations++;
      invoked.resolve();
      await end.promise;
    },
    three,
    { batchSize: 2 },
  );
  await invoked.promise;
  let isClosed = false;
  const closed = trigger.close(LONG_MS).then(() => {
    isClosed = true;
  });
  await turn();
  assert.equal(isClosed, false);
  end.resolve();
  await closed;
  assert.equal(invocations, 1);
  assert.deepEqual(queue.count(), { visible: 1, inFlight: 0, delayed: 0 });
});

test("queue trigger: close gives back what has not ended after the grace", async () => {
  const invoked = Promise.withResolvers<void>();
  const end = Promise.withResolvers<void>();
  const { queue, trigger } = triggered(async () => {
    invoked.resolve();
    await end.promise;
  }, three);
  await invoked.promise;
  assert.equal(queue.count().inFlight, 3);
  await trigger.close(0);
  assert.deepEqual(queue.count(), { visible: 3, inFlight: 0, delayed: 0 });
  // Another has them now: the late end of the first must not take them away.
  assert.deepEqual(
    (await queue.receive({ max: 10 })).map(({ receives }) => receives),
    [2, 2, 2],
  );
  end.resolve();
  await turn();
  assert.equal(queue.count().inFlight, 3);
});

test("queue trigger: what is received while closing is visible again at once", async () => {
  let invocations = 0;
  const { clock, queue, trigger } = triggered(async () => {
    invocations++;
  }, []);
  await clock.timerIn(POLL_MS);
  const closed = trigger.close(LONG_MS);
  await queue.send("late");
  assert.equal(queue.count().inFlight, 1, "the poll took it");
  await closed;
  assert.equal(invocations, 0);
  assert.deepEqual(queue.count(), { visible: 1, inFlight: 0, delayed: 0 });
});
