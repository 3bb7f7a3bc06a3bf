/** A new AWS account: ten invocations at once for all functions, and event sources that ask for more. */
import assert from "node:assert/strict";
import test from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { SQSEvent } from "aws-lambda";
import { ManualClock } from "local-aws/manual-clock";
import { MemoryQueue } from "../../adapters/memory/memory-queue.ts";
import { accountOf } from "../../host/concurrency.ts";
import { queueTrigger } from "../../host/queue-trigger.ts";
import { readTemplate } from "../../host/template.ts";

const VISIBILITY = 900;
const ACCOUNT = 10;

test("at ten invocations at once all is done in the end, and no throttled receive makes a dead letter", async () => {
  const worker = readTemplate(new URL("../../", import.meta.url)).queues.find(
    ({ logicalId }) => logicalId === "ImagesQueue",
  );
  assert.ok(worker?.deadLetters);
  assert.equal(worker.visibilitySeconds, VISIBILITY);
  const clock = new ManualClock();
  const dead = new MemoryQueue({ clock });
  const { maxReceives } = worker.deadLetters;
  const queues = [0, 1].map(
    () => new MemoryQueue({ clock, visibilitySeconds: VISIBILITY, redrive: { to: dead, maxReceives } }),
  );
  const bodies = Array.from({ length: 60 }, (_, i) => String(i));
  for (const [i, body] of bodies.entries()) await queues[i % 2]?.send(body);

  const done: string[] = [];
  let [running, most, throttled] = [0, 0, 0];
  const bounded = accountOf(ACCOUNT);
  const invoke = bounded(async (event) => {
    most = Math.max(most, ++running);
    // As long as it takes the other lanes to come in.
    for (let i = 0; i < 20; i++) await turn();
    done.push(...(event as SQSEvent).Records.map(({ body }) => body));
    running--;
  });
  const log = (_: string, event: string) => {
    if (event === "throttled") throttled++;
  };
  const triggers = queues.map((queue) =>
    queueTrigger(invoke, { queue, arn: "arn:aws:sqs:eu-central-1:0:q", batchSize: 1, concurrency: 20, log }),
  );
  while (done.length < bodies.length) {
    await turn();
    // Nothing but the queues' own time brings back what was throttled.
    clock.advance(1000);
  }
  await Promise.all([
    ...triggers.map((trigger) => trigger.close(60_000)),
    turn().then(() => clock.advance(2000)),
  ]);
  assert.deepEqual(done.sort(), bodies.sort());
  assert.equal(most, ACCOUNT);
  assert.ok(throttled > 0, "some were throttled");
  assert.deepEqual(dead.count(), { visible: 0, inFlight: 0, delayed: 0 });
});
