import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListQueueTagsCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  type SQSClient,
} from "@aws-sdk/client-sqs";
import { startSqs } from "../../sqs/server.ts";
import { CREDENTIALS, REGION, sqsClient, testSqs } from "./server.ts";

async function urlOf(client: SQSClient, QueueName: string): Promise<string> {
  const { QueueUrl } = await client.send(new GetQueueUrlCommand({ QueueName }));
  assert.ok(QueueUrl);
  return QueueUrl;
}
const receive = async (client: SQSClient, QueueUrl: string) =>
  (
    await client.send(
      new ReceiveMessageCommand({
        QueueUrl,
        MaxNumberOfMessages: 10,
        AttributeNames: ["All"],
        MessageAttributeNames: ["All"],
      }),
    )
  ).Messages ?? [];

test("queues, messages, receive counts and invisible times are there after a restart", async (t) => {
  const sqs = await testSqs();
  t.after(() => sqs.close());
  await sqs.client.send(new CreateQueueCommand({ QueueName: "dead" }));
  const deadLetterTargetArn = `arn:aws:sqs:${REGION}:000000000000:dead`;
  const created = await sqs.client.send(
    new CreateQueueCommand({
      QueueName: "images",
      Attributes: {
        VisibilityTimeout: "60",
        RedrivePolicy: JSON.stringify({ deadLetterTargetArn, maxReceiveCount: 2 }),
      },
      tags: { app: "photos" },
    }),
  );
  const MessageAttributes = { kind: { DataType: "String", StringValue: "photo" } };
  await sqs.client.send(
    new SendMessageCommand({ QueueUrl: created.QueueUrl, MessageBody: "m", MessageAttributes }),
  );
  const [first] = await receive(sqs.client, created.QueueUrl ?? "");
  sqs.clock.advance(20_000);

  await sqs.restart();
  const QueueUrl = await urlOf(sqs.client, "images");
  const { Attributes } = await sqs.client.send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] }),
  );
  assert.equal(Attributes?.["VisibilityTimeout"], "60");
  assert.equal(Attributes?.["ApproximateNumberOfMessagesNotVisible"], "1");
  assert.deepEqual((await sqs.client.send(new ListQueueTagsCommand({ QueueUrl }))).Tags, { app: "photos" });
  sqs.clock.advance(39_000);
  assert.deepEqual(await receive(sqs.client, QueueUrl), []);
  sqs.clock.advance(1_000);
  const [second] = await receive(sqs.client, QueueUrl);
  assert.deepEqual(second?.MessageAttributes, MessageAttributes);
  assert.deepEqual(second?.Attributes, { ...first?.Attributes, ApproximateReceiveCount: "2" });

  await sqs.restart();
  sqs.clock.advance(60_000);
  assert.deepEqual(await receive(sqs.client, await urlOf(sqs.client, "images")), []);
  await sqs.restart();
  const [dead] = await receive(sqs.client, await urlOf(sqs.client, "dead"));
  assert.equal(dead?.MessageId, first?.MessageId);
  assert.equal(dead?.Attributes?.["SentTimestamp"], first?.Attributes?.["SentTimestamp"]);
  assert.equal(dead?.Attributes?.["DeadLetterQueueSourceArn"], `arn:aws:sqs:${REGION}:000000000000:images`);
});

test("a receipt given out before a restart is good after it, a deleted message stays deleted", async (t) => {
  const sqs = await testSqs();
  t.after(() => sqs.close());
  const { QueueUrl = "" } = await sqs.client.send(new CreateQueueCommand({ QueueName: "images" }));
  for (const MessageBody of ["a", "b"])
    await sqs.client.send(new SendMessageCommand({ QueueUrl, MessageBody }));
  const [a, b] = await receive(sqs.client, QueueUrl);
  await sqs.client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: a?.ReceiptHandle }));
  await sqs.restart();
  const again = await urlOf(sqs.client, "images");
  const retry = { QueueUrl: again, ReceiptHandle: b?.ReceiptHandle, VisibilityTimeout: 0 };
  await sqs.client.send(new ChangeMessageVisibilityCommand(retry));
  assert.deepEqual(
    (await receive(sqs.client, again)).map(({ MessageId }) => MessageId),
    [b?.MessageId],
  );
});

test("a start can make visible what the last run had in flight, and only that", async (t) => {
  const sqs = await testSqs();
  t.after(() => sqs.close());
  const { QueueUrl = "" } = await sqs.client.send(new CreateQueueCommand({ QueueName: "images" }));
  await sqs.client.send(new SendMessageCommand({ QueueUrl, MessageBody: "in flight" }));
  await receive(sqs.client, QueueUrl);
  await sqs.client.send(new SendMessageCommand({ QueueUrl, MessageBody: "delayed", DelaySeconds: 60 }));
  await sqs.restart({ releaseInFlight: true });
  const [message, ...others] = await receive(sqs.client, await urlOf(sqs.client, "images"));
  assert.equal(message?.Body, "in flight");
  assert.equal(message?.Attributes?.["ApproximateReceiveCount"], "2");
  assert.deepEqual(others, []);
});

test("what was in flight comes after what has waited longer", async (t) => {
  const sqs = await testSqs();
  t.after(() => sqs.close());
  const { QueueUrl = "" } = await sqs.client.send(new CreateQueueCommand({ QueueName: "images" }));
  await sqs.client.send(new SendMessageCommand({ QueueUrl, MessageBody: "in flight" }));
  await receive(sqs.client, QueueUrl);
  await sqs.client.send(new SendMessageCommand({ QueueUrl, MessageBody: "waits" }));
  await sqs.restart({ releaseInFlight: true });
  const messages = await receive(sqs.client, await urlOf(sqs.client, "images"));
  assert.deepEqual(
    messages.map(({ Body }) => Body),
    ["waits", "in flight"],
  );
});

test("what was accepted is there after kill -9, and nobody else can use the folder before", async (t) => {
  const data = await mkdtemp(join(tmpdir(), "local-sqs-"));
  t.after(() => rm(data, { recursive: true }));
  const child = fork(fileURLToPath(new URL("child.ts", import.meta.url)), [data]);
  t.after(() => child.kill("SIGKILL"));
  const [url] = await once(child, "message");
  const options = { data, port: 0, region: REGION, credentials: CREDENTIALS };
  await assert.rejects(startSqs(options), /is another process running on it/);

  const client = sqsClient(url);
  const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: "images" }));
  const bodies = Array.from({ length: 20 }, (_, i) => `message ${i}`);
  for (const MessageBody of bodies) await client.send(new SendMessageCommand({ QueueUrl, MessageBody }));
  child.kill("SIGKILL");
  await once(child, "exit");
  client.destroy();

  const after = await startSqs(options);
  t.after(() => after.close());
  const other = sqsClient(after.url);
  t.after(() => other.destroy());
  const received: (string | undefined)[] = [];
  const again = await urlOf(other, "images");
  for (let i = 0; i < 2; i++) received.push(...(await receive(other, again)).map(({ Body }) => Body));
  assert.deepEqual(received, bodies);
});
