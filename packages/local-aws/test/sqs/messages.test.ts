import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test, { after, before, beforeEach } from "node:test";
import {
  ChangeMessageVisibilityBatchCommand,
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  DeleteMessageCommand,
  ReceiveMessageCommand,
  type ReceiveMessageCommandInput,
  SendMessageBatchCommand,
  SendMessageCommand,
  type SendMessageCommandInput,
} from "@aws-sdk/client-sqs";
import { testSqs } from "./server.ts";

let sqs: Awaited<ReturnType<typeof testSqs>>;
let QueueUrl: string;
let count = 0;
before(async () => {
  sqs = await testSqs();
});
after(() => sqs.close());
beforeEach(async () => {
  const made = await sqs.client.send(new CreateQueueCommand({ QueueName: `queue-${++count}` }));
  assert.ok(made.QueueUrl);
  QueueUrl = made.QueueUrl;
});

const send = (input: Partial<SendMessageCommandInput>) =>
  sqs.client.send(new SendMessageCommand({ QueueUrl, MessageBody: "body", ...input }));
const receive = async (input: Partial<ReceiveMessageCommandInput> = {}) =>
  (await sqs.client.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, ...input })))
    .Messages ?? [];
const invalid = { name: "InvalidParameterValue" };

test("the digests are those that AWS gave for the same message attributes", async () => {
  const text = (StringValue: string) => ({ DataType: "String", StringValue });
  const MessageAttributes = { Hello: text("There"), General: text("Kenobi"), "Help.Me": text("Me") };
  const sent = await send({ MessageAttributes, MessageBody: "msg" });
  assert.equal(sent.MD5OfMessageBody, "6e2baaf3b97dbeef01c0043275f9a0e7");
  assert.equal(sent.MD5OfMessageAttributes, "4c360f3fdafd970e05fae2f149d997f5");

  const digests: [string[], string | undefined, string[]][] = [
    [["All"], "4c360f3fdafd970e05fae2f149d997f5", ["General", "Hello", "Help.Me"]],
    [[".*"], "4c360f3fdafd970e05fae2f149d997f5", ["General", "Hello", "Help.Me"]],
    [["General", "Hello"], "fca026605781cb4126a1e9044df24232", ["General", "Hello"]],
    [["Hello", "Missing"], "a311262e065454b75da111d535b8dacd", ["Hello"]],
    [["Hel.*"], "83fee93c1bcd8b9a5a923ffacdc636c7", ["Hello", "Help.Me"]],
    [["Missing"], undefined, []],
    [[], undefined, []],
  ];
  for (const [MessageAttributeNames, digest, names] of digests) {
    const [message] = await receive({ MessageAttributeNames, VisibilityTimeout: 0 });
    assert.equal(message?.MD5OfMessageAttributes, digest, MessageAttributeNames.join());
    assert.deepEqual(Object.keys(message?.MessageAttributes ?? {}).sort(), names);
  }

  const bytes = Buffer.from("traceparent\x1e00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01");
  await send({ MessageAttributes: { attr1: { DataType: "Binary", BinaryValue: bytes } } });
  const binary = (await receive({ MessageAttributeNames: ["All"] })).find(
    (m) => m.MessageAttributes?.["attr1"],
  );
  assert.equal(binary?.MD5OfMessageAttributes, "8cbe4db156db8a94db8b801b7addb984");
  assert.deepEqual(Buffer.from(binary?.MessageAttributes?.["attr1"]?.BinaryValue ?? []), bytes);
});

test("message attributes that SQS refuses are refused", async () => {
  const refused: Record<string, { DataType: string; StringValue?: string }>[] = [
    { empty: { DataType: "String", StringValue: "" } },
    { none: { DataType: "String" } },
    { type: { DataType: "Text", StringValue: "x" } },
    { number: { DataType: "Number", StringValue: "twelve" } },
    { "AWS.reserved": { DataType: "String", StringValue: "x" } },
    { "with space": { DataType: "String", StringValue: "x" } },
    { "dots..twice": { DataType: "String", StringValue: "x" } },
    Object.fromEntries(
      Array.from({ length: 11 }, (_, i) => [`a${i}`, { DataType: "String", StringValue: "x" }]),
    ),
  ];
  for (const MessageAttributes of refused) {
    await assert.rejects(send({ MessageAttributes }), invalid, JSON.stringify(MessageAttributes));
  }
  await send({ MessageAttributes: { "fine.Name-1": { DataType: "Number.float", StringValue: "-1.5e3" } } });
});

test("system attributes come when they are asked for, under their old and their new name", async () => {
  const trace = {
    AWSTraceHeader: { DataType: "String", StringValue: "Root=1-5759e988-bd862e3fe1be46a994272793" },
  };
  const sentAt = String(sqs.clock.now());
  const sent = await send({ MessageSystemAttributes: trace, MessageGroupId: "fair" });
  assert.match(sent.MD5OfMessageSystemAttributes ?? "", /^[0-9a-f]{32}$/);
  sqs.clock.advance(2_000);
  const firstAt = String(sqs.clock.now());
  const [bare] = await receive({ VisibilityTimeout: 0 });
  assert.equal(bare?.Attributes, undefined);
  sqs.clock.advance(1_000);
  const all = {
    SenderId: "000000000000",
    SentTimestamp: sentAt,
    ApproximateFirstReceiveTimestamp: firstAt,
    AWSTraceHeader: trace.AWSTraceHeader.StringValue,
    MessageGroupId: "fair",
  };
  const [old] = await receive({ AttributeNames: ["All"], VisibilityTimeout: 0 });
  assert.deepEqual(old?.Attributes, { ...all, ApproximateReceiveCount: "2" });
  const [one] = await receive({ MessageSystemAttributeNames: ["SentTimestamp"] });
  assert.deepEqual(one?.Attributes, { SentTimestamp: sentAt });
});

test("a request's trace header is that of its messages, as AWS's client sends it on Lambda", async (t) => {
  const trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Lineage=a87bd80c:1";
  const lambda = { AWS_LAMBDA_FUNCTION_NAME: "sender", _X_AMZN_TRACE_ID: trace };
  t.after(() => {
    for (const name of Object.keys(lambda)) delete process.env[name];
  });
  Object.assign(process.env, lambda);
  await send({ MessageBody: "one" });
  const own = {
    AWSTraceHeader: { DataType: "String", StringValue: "Root=1-67891233-abcdef012345678912345678" },
  };
  const Entries = [
    { Id: "two", MessageBody: "two" },
    { Id: "three", MessageBody: "three", MessageSystemAttributes: own },
  ];
  await sqs.client.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
  const received = await receive({ MessageSystemAttributeNames: ["AWSTraceHeader"] });
  assert.deepEqual(
    received.map(({ Body, Attributes }) => [Body, Attributes?.AWSTraceHeader]),
    [
      ["one", trace],
      ["two", trace],
      ["three", own.AWSTraceHeader.StringValue],
    ],
  );
});

test("a body arrives byte for byte, with its digest", async () => {
  for (const MessageBody of ["ü😀\t\r\n\"<&>'", "x".repeat(1_048_576)]) {
    const { MD5OfMessageBody } = await send({ MessageBody });
    assert.equal(MD5OfMessageBody, createHash("md5").update(MessageBody).digest("hex"));
    const [message] = await receive();
    assert.ok(message?.Body === MessageBody);
    await sqs.client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message.ReceiptHandle }));
  }
});

test("messages that are too long or hold forbidden characters are refused", async () => {
  const shorter = "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.";
  await assert.rejects(send({ MessageBody: "x".repeat(1_048_577) }), { ...invalid, message: shorter });
  const attribute = { a: { DataType: "String", StringValue: "1" } };
  await assert.rejects(send({ MessageBody: "x".repeat(1_048_569), MessageAttributes: attribute }), invalid);
  await send({ MessageBody: "x".repeat(1_048_568), MessageAttributes: attribute });
  await assert.rejects(send({ MessageBody: "\u0000" }), { name: "InvalidMessageContents" });
  await assert.rejects(send({ MessageBody: "\uffff" }), { name: "InvalidMessageContents" });
  await assert.rejects(send({ MessageBody: "" }), { name: "MissingParameter" });
  await assert.rejects(send({ MessageDeduplicationId: "x" }), invalid);
  const small = await sqs.client.send(
    new CreateQueueCommand({ QueueName: `small-${count}`, Attributes: { MaximumMessageSize: "1024" } }),
  );
  await assert.rejects(
    send({ QueueUrl: small.QueueUrl, MessageBody: "x".repeat(1_025) }),
    /shorter than 1024 bytes/,
  );
});

test("a receive asks for 1 to 10 messages and waits 0 to 20 seconds", async () => {
  await assert.rejects(receive({ MaxNumberOfMessages: 11 }), {
    ...invalid,
    message:
      "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.",
  });
  await assert.rejects(receive({ MaxNumberOfMessages: 0 }), invalid);
  await assert.rejects(receive({ WaitTimeSeconds: 21 }), invalid);
  await assert.rejects(receive({ VisibilityTimeout: 43_201 }), invalid);
});

const tooMany = Array.from({ length: 11 }, (_, i) => `${i}`);
const batches = {
  SendMessageBatch: (ids: string[]) =>
    sqs.client.send(
      new SendMessageBatchCommand({ QueueUrl, Entries: ids.map((Id) => ({ Id, MessageBody: Id })) }),
    ),
  DeleteMessageBatch: (ids: string[]) =>
    sqs.client.send(
      new DeleteMessageBatchCommand({ QueueUrl, Entries: ids.map((Id) => ({ Id, ReceiptHandle: "r" })) }),
    ),
  ChangeMessageVisibilityBatch: (ids: string[]) =>
    sqs.client.send(
      new ChangeMessageVisibilityBatchCommand({
        QueueUrl,
        Entries: ids.map((Id) => ({ Id, ReceiptHandle: "r" })),
      }),
    ),
};
for (const [name, batch] of Object.entries(batches)) {
  test(`${name} takes 1 to 10 entries with distinct, well-formed ids`, async () => {
    await assert.rejects(batch([]), { name: "EmptyBatchRequest" });
    await assert.rejects(batch(tooMany), {
      name: "TooManyEntriesInBatchRequest",
      message: "Maximum number of entries per request are 10. You have sent 11.",
    });
    await assert.rejects(batch(["a", "b", "a"]), { name: "BatchEntryIdsNotDistinct" });
    for (const id of ["", "invalid:id", "x".repeat(81)]) {
      await assert.rejects(batch([id]), { name: "InvalidBatchEntryId" }, id);
    }
  });
}

test("a batch does what it can and says what it could not", async () => {
  const sent = await sqs.client.send(
    new SendMessageBatchCommand({
      QueueUrl,
      Entries: [
        { Id: "good", MessageBody: "good" },
        { Id: "bad", MessageBody: "\u0001" },
        { Id: "later", MessageBody: "later", DelaySeconds: 5 },
      ],
    }),
  );
  assert.deepEqual(
    sent.Successful?.map(({ Id }) => Id),
    ["good", "later"],
  );
  assert.deepEqual(
    sent.Failed?.map(({ Id, Code, SenderFault }) => [Id, Code, SenderFault]),
    [["bad", "InvalidMessageContents", true]],
  );
  const [message, ...others] = await receive();
  assert.ok(message);
  assert.equal(others.length, 0);
  const handles = { good: message.ReceiptHandle, garbage: "garbage" };
  const entries = Object.entries(handles).map(([Id, ReceiptHandle]) => ({ Id, ReceiptHandle }));
  const changed = await sqs.client.send(
    new ChangeMessageVisibilityBatchCommand({
      QueueUrl,
      Entries: entries.map((entry) => ({ ...entry, VisibilityTimeout: 0 })),
    }),
  );
  assert.deepEqual(changed.Successful, [{ Id: "good" }]);
  assert.deepEqual(
    changed.Failed?.map(({ Id, Code }) => [Id, Code]),
    [["garbage", "ReceiptHandleIsInvalid"]],
  );
  const deleted = await sqs.client.send(new DeleteMessageBatchCommand({ QueueUrl, Entries: entries }));
  assert.deepEqual(deleted.Successful, [{ Id: "good" }]);
  assert.deepEqual(
    deleted.Failed?.map(({ Id, Code }) => [Id, Code]),
    [["garbage", "ReceiptHandleIsInvalid"]],
  );
  assert.deepEqual(await receive(), []);
});

test("a batch may be 1 MiB long, all its entries together", async () => {
  const entries = (bytes: number) => [
    { Id: "a", MessageBody: "x".repeat(bytes - 10) },
    { Id: "b", MessageBody: "x".repeat(10) },
  ];
  const batch = (bytes: number) =>
    sqs.client.send(new SendMessageBatchCommand({ QueueUrl, Entries: entries(bytes) }));
  await assert.rejects(batch(1_048_577), {
    name: "BatchRequestTooLong",
    message: "Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes.",
  });
  assert.equal((await batch(1_048_576)).Successful?.length, 2);
});
