import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import {
  CreateQueueCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  type SQSClient,
} from "@aws-sdk/client-sqs";
import { ManualClock } from "local-aws/manual-clock";
import { startSqs } from "local-aws/sqs";
import { sqsClient, sqsQueue, unchained } from "../../../adapters/aws/sqs-queue.ts";
import { describeQueue, MAX_RECEIVES, VISIBILITY_SECONDS } from "../../contracts/queue.ts";

/** A queue and its dead-letter queue, by any SQS server. */
async function makeQueues(client: SQSClient) {
  const name = `test-${randomUUID()}`;
  const dead = await client.send(new CreateQueueCommand({ QueueName: `${name}-dead` }));
  const { Attributes } = await client.send(
    new GetQueueAttributesCommand({ QueueUrl: dead.QueueUrl, AttributeNames: ["QueueArn"] }),
  );
  const RedrivePolicy = JSON.stringify({
    deadLetterTargetArn: Attributes?.["QueueArn"],
    maxReceiveCount: MAX_RECEIVES,
  });
  const { QueueUrl } = await client.send(
    new CreateQueueCommand({
      QueueName: name,
      Attributes: { RedrivePolicy, VisibilityTimeout: String(VISIBILITY_SECONDS) },
    }),
  );
  assert.ok(QueueUrl && dead.QueueUrl);
  return { url: QueueUrl, deadUrl: dead.QueueUrl };
}

const REGION = "eu-central-1";
const CREDENTIALS = { accessKeyId: "local", secretAccessKey: "local-secret" };
const clock = new ManualClock(Math.floor(Date.now() / 1_000) * 1_000);
const data = mkdtempSync(join(tmpdir(), "darkroom-sqs-"));
const local = await startSqs({ data, port: 0, region: REGION, credentials: CREDENTIALS, clock });
// One attempt: a test wants to see the error, not the retry.
const localClient = sqsClient({
  endpoint: local.url,
  region: REGION,
  credentials: CREDENTIALS,
  maxAttempts: 1,
});
after(async () => {
  localClient.destroy();
  await local.close();
  rmSync(data, { recursive: true });
});

describeQueue("AWS's SDK and the local SQS", async () => {
  const { url, deadUrl } = await makeQueues(localClient);
  return {
    queue: sqsQueue(localClient, url),
    deadLetters: sqsQueue(localClient, deadUrl),
    now: clock.now,
    advance: async (seconds) => clock.advance(seconds * 1_000),
    polling: (waitSeconds) => clock.timerIn(waitSeconds * 1_000),
    hungUp: (waitSeconds) => clock.timerIn(waitSeconds * 1_000, false),
    close: async () => {},
  };
});

// A server that we do not know: its clock is the real one, and all that can be done is wait.
const foreign = process.env["DARKROOM_TEST_SQS"];
if (foreign) {
  const client = sqsClient({ endpoint: foreign });
  after(() => client.destroy());
  const sleep = (seconds: number) => new Promise<void>((resolve) => setTimeout(resolve, seconds * 1_000));
  describeQueue(foreign, async () => {
    const { url, deadUrl } = await makeQueues(client);
    return {
      queue: sqsQueue(client, url),
      deadLetters: sqsQueue(client, deadUrl),
      now: Date.now,
      // Servers round to whole seconds, and some a little up.
      advance: (seconds) => sleep(seconds > 1 ? seconds + 0.2 : seconds + 0.5),
      polling: () => sleep(0.5),
      hungUp: () => sleep(0.5),
      async close() {
        await client.send(new DeleteQueueCommand({ QueueUrl: url }));
        await client.send(new DeleteQueueCommand({ QueueUrl: deadUrl }));
      },
    };
  });
}

test("the client talks to the endpoint in the environment, whatever host the queue's URL names", async (t) => {
  const { url } = await makeQueues(localClient);
  process.env["AWS_ENDPOINT_URL_SQS"] = local.url;
  const client = sqsClient({ region: REGION, credentials: CREDENTIALS, maxAttempts: 1 });
  t.after(() => {
    delete process.env["AWS_ENDPOINT_URL_SQS"];
    client.destroy();
  });
  const elsewhere = url.replace(local.url, "http://sqs.eu-central-1.amazonaws.com.invalid");
  await sqsQueue(client, elsewhere).send("stays here");
  assert.equal((await sqsQueue(localClient, url).receive({ max: 1 })).length, 1);
});

test("errors that are not about a stale receipt are the client's own", async () => {
  const queue = sqsQueue(localClient, `${local.url}/000000000000/missing`);
  const missing = { name: "QueueDoesNotExist" };
  await assert.rejects(queue.send("x"), missing);
  await assert.rejects(queue.receive({ max: 1 }), missing);
  await assert.rejects(queue.delete("x"), missing);
  await assert.rejects(queue.retryIn("x", 1), missing);
  const { url } = await makeQueues(localClient);
  await sqsQueue(localClient, url).send("x");
  const [message] = await sqsQueue(localClient, url).receive({ max: 1 });
  assert.ok(message);
  await assert.rejects(sqsQueue(localClient, url).retryIn(message.receipt, 43_201), {
    name: /InvalidParameterValue/,
  });
});

test("a receipt that the server does not know is as good as a message that is gone", async () => {
  const { url } = await makeQueues(localClient);
  await sqsQueue(localClient, url).delete("never a receipt");
  await sqsQueue(localClient, url).retryIn("never a receipt", 5);
});

test("what fails for a moment is tried again, five times in all", async (t) => {
  let requests = 0;
  const flaky = createServer((request, response) => {
    request.resume();
    request.on("end", () => (++requests < 3 ? response.writeHead(500).end() : response.end("{}")));
  });
  await new Promise<void>((resolve) => flaky.listen(0, "127.0.0.1", resolve));
  const endpoint = `http://127.0.0.1:${(flaky.address() as AddressInfo).port}`;
  const client = sqsClient({ endpoint, region: REGION, credentials: CREDENTIALS });
  t.after(() => {
    client.destroy();
    flaky.close();
  });
  await sqsQueue(client, `${endpoint}/000000000000/q`).delete("receipt");
  assert.equal(requests, 3);
  assert.equal(await client.config.maxAttempts(), 5);
});

test("on Lambda messages carry on their chain of invocations, but those of a client that begins anew", async (t) => {
  const trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Lineage=a87bd80c:15";
  const lambda = { AWS_LAMBDA_FUNCTION_NAME: "worker", _X_AMZN_TRACE_ID: trace };
  t.after(() => {
    for (const name of Object.keys(lambda)) delete process.env[name];
  });
  Object.assign(process.env, lambda);
  const { url } = await makeQueues(localClient);
  const client = () => sqsClient({ endpoint: local.url, region: REGION, credentials: CREDENTIALS });
  const clients = [client(), unchained(client())];
  t.after(() => {
    for (const one of clients) one.destroy();
  });
  for (const one of clients) {
    await sqsQueue(one, url).send("alone");
    await sqsQueue(one, url).sendMany(["among others"]);
  }
  const received = await sqsQueue(localClient, url).receive({ max: 10 });
  assert.deepEqual(
    received.map((message) => message.trace),
    [trace, trace, undefined, undefined],
  );
});
