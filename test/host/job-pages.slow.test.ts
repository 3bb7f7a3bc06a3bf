/** A job of many pages under Lambda's recursion detection, its messages through AWS's client and the local SQS. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { pathToFileURL } from "node:url";
import { CreateQueueCommand } from "@aws-sdk/client-sqs";
import { startSqs } from "local-aws/sqs";
import { sqsClient, sqsQueue } from "../../adapters/aws/sqs-queue.ts";
import { scanOpenJobs } from "../../core/job/scan-page.ts";
import { developMessage } from "../../core/worker/handle-message.ts";
import { type Invoke, lambda } from "../../host/lambda.ts";
import { queueTrigger } from "../../host/queue-trigger.ts";
import { jobSystem } from "../core/job/job-system.ts";

const PAGES = 20;

test("a job of 20 pages ends, and no message of its is cut", async (t) => {
  const region = "eu-central-1";
  const credentials = { accessKeyId: "local", secretAccessKey: "local-secret" };
  const data = mkdtempSync(join(tmpdir(), "darkroom-job-pages-"));
  t.after(() => rmSync(data, { recursive: true }));
  writeFileSync(join(data, "worker.mjs"), "export const handler = (event) => event();\n");
  process.env["AWS_LAMBDA_FUNCTION_NAME"] = "local";
  const server = await startSqs({ data, port: 0, region, credentials });
  t.after(() => server.close());
  const client = sqsClient({ endpoint: server.url, region, credentials });
  t.after(() => client.destroy());
  const { QueueUrl = "" } = await client.send(new CreateQueueCommand({ QueueName: "backfill" }));
  const backfill = sqsQueue(client, QueueUrl);

  const system = jobSystem({ pageSize: 1 });
  system.deps.backfill = backfill;
  for (let image = 0; image < PAGES; image++) await system.upload();
  const { id: job } = await system.start({ select: { status: "all" } });

  const template = {
    name: "worker",
    file: "worker.mjs",
    timeoutSeconds: 60,
    memoryMb: 128,
    mayRecurse: false,
  };
  const run = lambda({ ...template, routes: [], sources: [], schedules: [] }, pathToFileURL(`${data}/`));
  const turn = () => scanOpenJobs({ ...system.deps, log: () => {} }, () => true);
  const cut: string[] = [];
  let ended = () => {};
  const end = new Promise<void>((resolve) => {
    ended = resolve;
  });
  const invoke: Invoke = async (event, chain) => {
    const { Records } = event as { Records: { body: string }[] };
    const delivery = { body: Records[0]?.body ?? "", receives: 1, bucket: "uploads" };
    await run(async () => void (await developMessage(system.deps, delivery)), chain);
    if ((await system.progress(job)).state === "done") ended();
  };
  const deadLetters = {
    async send(body: string) {
      cut.push(body);
      ended();
    },
  };
  const schedule = setInterval(() => void run(() => turn()), 20);
  const trigger = queueTrigger(invoke, {
    queue: backfill,
    arn: `arn:aws:sqs:${region}:000000000000:backfill`,
    batchSize: 1,
    concurrency: 1,
    recursion: { name: "worker", deadLetters },
    log: () => {},
  });
  await end;
  clearInterval(schedule);
  await trigger.close(60_000);
  assert.deepEqual(cut, []);
  const { state, done } = await system.progress(job);
  assert.deepEqual([state, done], ["done", PAGES]);
});
