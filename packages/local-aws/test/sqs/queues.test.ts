import assert from "node:assert/strict";
import test, { after, before, beforeEach } from "node:test";
import {
  CreateQueueCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListDeadLetterSourceQueuesCommand,
  ListMessageMoveTasksCommand,
  ListQueuesCommand,
  ListQueueTagsCommand,
  PurgeQueueCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SetQueueAttributesCommand,
  StartMessageMoveTaskCommand,
  TagQueueCommand,
  UntagQueueCommand,
} from "@aws-sdk/client-sqs";
import { REGION, testSqs } from "./server.ts";

let sqs: Awaited<ReturnType<typeof testSqs>>;
let count = 0;
let name: string;
before(async () => {
  sqs = await testSqs();
});
after(() => sqs.close());
beforeEach(() => {
  name = `queue-${++count}`;
});

const arnOf = (queue: string) => `arn:aws:sqs:${REGION}:000000000000:${queue}`;
async function create(QueueName: string, Attributes: Record<string, string> = {}): Promise<string> {
  const { QueueUrl } = await sqs.client.send(new CreateQueueCommand({ QueueName, Attributes }));
  assert.ok(QueueUrl);
  return QueueUrl;
}
const attributesOf = async (QueueUrl: string) =>
  (await sqs.client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] }))).Attributes ??
  {};
const redriveTo = (queue: string, maxReceiveCount = 1) =>
  JSON.stringify({ deadLetterTargetArn: arnOf(queue), maxReceiveCount });

test("a queue has SQS's attributes and defaults", async () => {
  const url = await create(name);
  const seconds = String(sqs.clock.now() / 1_000);
  assert.equal(url, `${sqs.url}/000000000000/${name}`);
  assert.deepEqual(await attributesOf(url), {
    ApproximateNumberOfMessages: "0",
    ApproximateNumberOfMessagesDelayed: "0",
    ApproximateNumberOfMessagesNotVisible: "0",
    CreatedTimestamp: seconds,
    LastModifiedTimestamp: seconds,
    QueueArn: arnOf(name),
    DelaySeconds: "0",
    MaximumMessageSize: "1048576",
    MessageRetentionPeriod: "345600",
    ReceiveMessageWaitTimeSeconds: "0",
    SqsManagedSseEnabled: "true",
    VisibilityTimeout: "30",
  });
});

test("only the attributes asked for come, none without a question", async () => {
  const QueueUrl = await create(name);
  const some = await sqs.client.send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["QueueArn"] }),
  );
  assert.deepEqual(some.Attributes, { QueueArn: arnOf(name) });
  assert.deepEqual((await sqs.client.send(new GetQueueAttributesCommand({ QueueUrl }))).Attributes ?? {}, {});
});

test("creating a queue again finds it where the attributes are the same", async () => {
  const url = await create(name, { VisibilityTimeout: "60" });
  assert.equal(await create(name, { VisibilityTimeout: "60" }), url);
  assert.equal(await create(name, { DelaySeconds: "0" }), url);
  assert.equal(await create(name), url);
  await assert.rejects(create(name, { VisibilityTimeout: "61" }), {
    name: "QueueNameExists",
    message:
      "A queue already exists with the same name and a different value for attribute VisibilityTimeout",
  });
});

test("attributes out of range, unknown ones and impossible names are refused", async () => {
  const refused: [Record<string, string>, string][] = [
    [{ VisibilityTimeout: "43201" }, "InvalidAttributeValue"],
    [{ VisibilityTimeout: "-1" }, "InvalidAttributeValue"],
    [{ VisibilityTimeout: "" }, "InvalidAttributeValue"],
    [{ VisibilityTimeout: "ten" }, "InvalidAttributeValue"],
    [{ DelaySeconds: "901" }, "InvalidAttributeValue"],
    [{ MaximumMessageSize: "1023" }, "InvalidAttributeValue"],
    [{ MessageRetentionPeriod: "59" }, "InvalidAttributeValue"],
    [{ ReceiveMessageWaitTimeSeconds: "21" }, "InvalidAttributeValue"],
    [{ Policy: "{" }, "InvalidAttributeValue"],
    [{ RedrivePolicy: "none" }, "InvalidAttributeValue"],
    [{ Colour: "blue" }, "InvalidAttributeName"],
    [{ constructor: "x" }, "InvalidAttributeName"],
    [{ QueueArn: "x" }, "InvalidAttributeName"],
    [{ FifoQueue: "true" }, "UnsupportedOperation"],
  ];
  const QueueUrl = await create(name);
  for (const [Attributes, error] of refused) {
    await assert.rejects(create("refused", Attributes), { name: error }, JSON.stringify(Attributes));
    await assert.rejects(sqs.client.send(new SetQueueAttributesCommand({ QueueUrl, Attributes })), {
      name: error,
    });
  }
  for (const impossible of ["a/b", "a b", "", "x".repeat(81), "ü"]) {
    await assert.rejects(create(impossible), { name: "InvalidParameterValue" }, impossible);
  }
  await assert.rejects(create("orders.fifo"), /FIFO queues are not supported/);
  await assert.rejects(sqs.client.send(new GetQueueUrlCommand({ QueueName: "refused" })), {
    name: "QueueDoesNotExist",
  });
});

test("changed attributes hold at once and tell when they changed", async () => {
  const QueueUrl = await create(name);
  await sqs.client.send(new SendMessageCommand({ QueueUrl, MessageBody: "m" }));
  sqs.clock.advance(10_000);
  await sqs.client.send(
    new SetQueueAttributesCommand({ QueueUrl, Attributes: { VisibilityTimeout: "5", Policy: "{}" } }),
  );
  const attributes = await attributesOf(QueueUrl);
  assert.equal(attributes["VisibilityTimeout"], "5");
  assert.equal(attributes["Policy"], "{}");
  assert.equal(Number(attributes["LastModifiedTimestamp"]) - Number(attributes["CreatedTimestamp"]), 10);
  await sqs.client.send(new ReceiveMessageCommand({ QueueUrl }));
  sqs.clock.advance(5_000);
  assert.equal((await attributesOf(QueueUrl))["ApproximateNumberOfMessages"], "1");
  await sqs.client.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { Policy: "" } }));
  assert.equal("Policy" in (await attributesOf(QueueUrl)), false);
});

test("the queue's own long poll applies to a receive that names none", async () => {
  const QueueUrl = await create(name, { ReceiveMessageWaitTimeSeconds: "11" });
  const polling = sqs.client.send(new ReceiveMessageCommand({ QueueUrl }));
  await sqs.clock.timerIn(11_000);
  sqs.clock.advance(11_000);
  assert.equal((await polling).Messages, undefined);
});

test("the queue's own delay applies to a send that names none", async () => {
  const QueueUrl = await create(name, { DelaySeconds: "10" });
  await sqs.client.send(new SendMessageCommand({ QueueUrl, MessageBody: "later" }));
  await sqs.client.send(new SendMessageCommand({ QueueUrl, MessageBody: "now", DelaySeconds: 0 }));
  const { Messages = [] } = await sqs.client.send(
    new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }),
  );
  assert.deepEqual(
    Messages.map(({ Body }) => Body),
    ["now"],
  );
  const counts = await attributesOf(QueueUrl);
  assert.equal(counts["ApproximateNumberOfMessagesDelayed"], "1");
  assert.equal(counts["ApproximateNumberOfMessagesNotVisible"], "1");
});

test("queues are listed by prefix, in pages", async () => {
  for (const suffix of ["c", "a", "b"]) await create(`${name}-${suffix}`);
  const names: (string | undefined)[] = [];
  let pages = 0;
  let NextToken: string | undefined;
  do {
    const page = await sqs.client.send(
      new ListQueuesCommand({
        QueueNamePrefix: `${name}-`,
        MaxResults: 2,
        ...(NextToken ? { NextToken } : {}),
      }),
    );
    assert.ok((page.QueueUrls ?? []).length <= 2);
    names.push(...(page.QueueUrls ?? []).map((url) => url.split("-").at(-1)));
    NextToken = page.NextToken;
    pages++;
  } while (NextToken);
  assert.equal(pages, 2);
  assert.deepEqual(names, ["a", "b", "c"]);
});

test("a deleted queue is gone with its messages", async () => {
  const QueueUrl = await create(name);
  await sqs.client.send(new SendMessageCommand({ QueueUrl, MessageBody: "m" }));
  await sqs.client.send(new DeleteQueueCommand({ QueueUrl }));
  await assert.rejects(sqs.client.send(new ReceiveMessageCommand({ QueueUrl })), {
    name: "QueueDoesNotExist",
    message: "The specified queue does not exist.",
  });
  await create(name);
  assert.equal((await attributesOf(QueueUrl))["ApproximateNumberOfMessages"], "0");
});

test("a queue is purged at most once a minute", async () => {
  const QueueUrl = await create(name);
  await sqs.client.send(new SendMessageCommand({ QueueUrl, MessageBody: "m" }));
  await sqs.client.send(new PurgeQueueCommand({ QueueUrl }));
  assert.equal((await attributesOf(QueueUrl))["ApproximateNumberOfMessages"], "0");
  await assert.rejects(sqs.client.send(new PurgeQueueCommand({ QueueUrl })), {
    name: "PurgeQueueInProgress",
    message: `Only one PurgeQueue operation on ${name} is allowed every 60 seconds.`,
  });
  sqs.clock.advance(60_000);
  await sqs.client.send(new PurgeQueueCommand({ QueueUrl }));
});

test("tags can be set, seen and taken away", async () => {
  const { QueueUrl } = await sqs.client.send(new CreateQueueCommand({ QueueName: name, tags: { a: "1" } }));
  await sqs.client.send(new TagQueueCommand({ QueueUrl, Tags: { b: "2", c: "" } }));
  await sqs.client.send(new UntagQueueCommand({ QueueUrl, TagKeys: ["a"] }));
  assert.deepEqual((await sqs.client.send(new ListQueueTagsCommand({ QueueUrl }))).Tags, { b: "2", c: "" });
});

test("a redrive policy must name a queue that is there, and a count from 1 to 1000", async () => {
  await create(`${name}-dead`);
  const refused = [
    JSON.stringify({ deadLetterTargetArn: "dummy", maxReceiveCount: 42 }),
    redriveTo(`${name}-missing`),
    redriveTo(`${name}-dead`, 0),
    redriveTo(`${name}-dead`, 1_001),
    "null",
  ];
  for (const RedrivePolicy of refused) {
    await assert.rejects(create(name, { RedrivePolicy }), { name: "InvalidParameterValue" }, RedrivePolicy);
  }
  const QueueUrl = await create(name, { RedrivePolicy: redriveTo(`${name}-dead`) });
  const own = { QueueUrl, Attributes: { RedrivePolicy: redriveTo(name) } };
  await assert.rejects(sqs.client.send(new SetQueueAttributesCommand(own)), {
    name: "InvalidParameterValue",
  });
});

test("a dead-letter queue knows its sources; its messages say where they came from", async () => {
  const dead = await create(`${name}-dead`);
  const QueueUrl = await create(name, { RedrivePolicy: redriveTo(`${name}-dead`), VisibilityTimeout: "0" });
  const { queueUrls } = await sqs.client.send(new ListDeadLetterSourceQueuesCommand({ QueueUrl: dead }));
  assert.deepEqual(queueUrls, [QueueUrl]);
  await sqs.client.send(new SendMessageCommand({ QueueUrl, MessageBody: "poison" }));
  await sqs.client.send(new ReceiveMessageCommand({ QueueUrl }));
  assert.equal((await sqs.client.send(new ReceiveMessageCommand({ QueueUrl }))).Messages, undefined);
  const { Messages } = await sqs.client.send(
    new ReceiveMessageCommand({ QueueUrl: dead, MessageSystemAttributeNames: ["DeadLetterQueueSourceArn"] }),
  );
  assert.deepEqual(Messages?.[0]?.Attributes, { DeadLetterQueueSourceArn: arnOf(name) });
});

test("when a dead-letter queue is deleted, messages stay where they are", async () => {
  const dead = await create(`${name}-dead`);
  const QueueUrl = await create(name, { RedrivePolicy: redriveTo(`${name}-dead`), VisibilityTimeout: "0" });
  await sqs.client.send(new DeleteQueueCommand({ QueueUrl: dead }));
  await sqs.client.send(new SendMessageCommand({ QueueUrl, MessageBody: "poison" }));
  for (let i = 0; i < 3; i++) {
    assert.equal((await sqs.client.send(new ReceiveMessageCommand({ QueueUrl }))).Messages?.length, 1);
  }
});

test("a move task brings dead letters back to their source, as new messages", async () => {
  const dead = await create(`${name}-dead`);
  const policy = { RedrivePolicy: redriveTo(`${name}-dead`), VisibilityTimeout: "0" };
  const QueueUrl = await create(name, policy);
  const { MessageId } = await sqs.client.send(new SendMessageCommand({ QueueUrl, MessageBody: "poison" }));
  for (let i = 0; i < 2; i++) await sqs.client.send(new ReceiveMessageCommand({ QueueUrl }));
  assert.equal((await attributesOf(dead))["ApproximateNumberOfMessages"], "1");

  const SourceArn = arnOf(`${name}-dead`);
  const { TaskHandle } = await sqs.client.send(new StartMessageMoveTaskCommand({ SourceArn }));
  assert.ok(TaskHandle);
  const { Results } = await sqs.client.send(new ListMessageMoveTasksCommand({ SourceArn }));
  assert.deepEqual(Results, [
    {
      SourceArn,
      Status: "COMPLETED",
      ApproximateNumberOfMessagesMoved: 1,
      ApproximateNumberOfMessagesToMove: 1,
      StartedTimestamp: sqs.clock.now(),
    },
  ]);
  const { Messages } = await sqs.client.send(
    new ReceiveMessageCommand({ QueueUrl, AttributeNames: ["All"] }),
  );
  assert.equal(Messages?.[0]?.Body, "poison");
  assert.notEqual(Messages?.[0]?.MessageId, MessageId);
  assert.equal(Messages?.[0]?.Attributes?.["ApproximateReceiveCount"], "1");
});

test("a move task needs a dead-letter queue and, if named, a destination that is there", async () => {
  await create(name);
  const start = (SourceArn: string, DestinationArn?: string) =>
    sqs.client.send(
      new StartMessageMoveTaskCommand({ SourceArn, ...(DestinationArn ? { DestinationArn } : {}) }),
    );
  await assert.rejects(start(arnOf(name)), /Source queue must be configured as a Dead Letter Queue/);
  await assert.rejects(start(arnOf("missing")), { name: "ResourceNotFoundException" });
  await create(`${name}-source`, { RedrivePolicy: redriveTo(name) });
  await assert.rejects(start(arnOf(name), arnOf("missing")), { name: "ResourceNotFoundException" });
});
