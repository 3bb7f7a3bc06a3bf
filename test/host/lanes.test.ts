/** Live uploads never wait behind a job: each queue of the worker is consumed by itself. */
import assert from "node:assert/strict";
import test from "node:test";
import type { SQSEvent } from "aws-lambda";
import { MemoryQueue } from "../../adapters/memory/memory-queue.ts";
import { queueTrigger } from "../../host/queue-trigger.ts";
import { readTemplate } from "../../host/template.ts";

test("while a job has every worker it may have, an upload finds one of its own", async () => {
  const { functions } = readTemplate(new URL("../../", import.meta.url));
  const sources = functions.find(({ name }) => name === "worker")?.sources ?? [];
  assert.deepEqual(sources.map(({ queue }) => queue).sort(), ["BackfillQueue", "ImagesQueue"]);
  let release = () => {};
  const jobsEnd = new Promise<void>((resolve) => {
    release = resolve;
  });
  let atOnce = 0;
  let tellFull = () => {};
  const full = new Promise<void>((resolve) => {
    tellFull = resolve;
  });
  let tellUploaded = () => {};
  const uploaded = new Promise<void>((resolve) => {
    tellUploaded = resolve;
  });
  const limit = 2;
  const invoke = async (event: unknown) => {
    const [record] = (event as SQSEvent).Records;
    if (record?.eventSourceARN === "ImagesQueue") {
      tellUploaded();
    } else {
      atOnce++;
      assert.ok(atOnce <= limit, `${atOnce} invocations for jobs at once`);
      if (atOnce === limit) tellFull();
      await jobsEnd;
      atOnce--;
    }
    return { batchItemFailures: [] };
  };
  const queues = new Map(sources.map(({ queue }) => [queue, new MemoryQueue()]));
  const triggers = sources.flatMap(({ queue: arn, batchSize, concurrency }) => {
    const queue = queues.get(arn);
    const options = { arn, batchSize, concurrency: Math.min(limit, concurrency), log: () => {} };
    return queue ? [queueTrigger(invoke, { queue, ...options })] : [];
  });
  await queues.get("BackfillQueue")?.sendMany(Array.from({ length: 100 }, (_, i) => `job ${i}`));
  await full;
  await queues.get("ImagesQueue")?.send("upload");
  await uploaded;
  assert.equal(atOnce, limit, "the job has not moved meanwhile");
  release();
  await Promise.all(triggers.map((trigger) => trigger.close(1000)));
});
