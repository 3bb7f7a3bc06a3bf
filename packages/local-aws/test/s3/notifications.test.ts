import assert from "node:assert/strict";
import test from "node:test";
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  type Event,
  GetBucketNotificationConfigurationCommand,
  PutBucketNotificationConfigurationCommand,
  PutObjectCommand,
  type QueueConfiguration,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { type Field, failure, formBody, md5, policyFields, send, startFixture } from "./fixture.ts";

const QUEUE = "arn:aws:sqs:eu-central-1:000000000000:images";
const OTHER = "arn:aws:sqs:eu-central-1:000000000000:others";
interface S3Record {
  readonly eventName: string;
  readonly s3: {
    readonly object: {
      readonly key: string;
      readonly size?: number;
      readonly eTag?: string;
      readonly sequencer: string;
    };
  };
}

/** A queue that can be told to refuse, and waited for. */
const queue = {
  messages: [] as { queue: string; body: string }[],
  refuse: false,
  called: () => {},
  async notify(arn: string, body: string): Promise<void> {
    await Promise.resolve();
    const refused = queue.refuse || arn.endsWith(":absent");
    if (!refused) queue.messages.push({ queue: arn, body });
    queue.called();
    if (refused) throw new Error("no such queue");
  },
};
const nextCall = () =>
  new Promise<void>((resolve) => {
    queue.called = resolve;
  });
const fixture = await startFixture({ notify: queue.notify });
const { client } = fixture;
const Bucket = "events";
await client.send(new CreateBucketCommand({ Bucket }));

const configure = (...QueueConfigurations: QueueConfiguration[]) =>
  client.send(
    new PutBucketNotificationConfigurationCommand({
      Bucket,
      NotificationConfiguration: { QueueConfigurations },
    }),
  );
const rule = (events: string[], filters: Record<string, string> = {}, arn = QUEUE): QueueConfiguration => ({
  QueueArn: arn,
  Events: events as Event[],
  ...(Object.keys(filters).length > 0
    ? {
        Filter: {
          Key: {
            FilterRules: Object.entries(filters).map(([Name, Value]) => ({ Name: Name as "prefix", Value })),
          },
        },
      }
    : {}),
});
/** The next `count` records. Queues are told in order, so one too many would be in the way of the next test. */
const told = async (count: number): Promise<S3Record[]> => {
  while (queue.messages.length < count) await nextCall();
  return queue.messages
    .splice(0, count)
    .flatMap(({ body }) => (JSON.parse(body) as { Records?: S3Record[] }).Records ?? []);
};
const put = (Key: string, Body = "x") => client.send(new PutObjectCommand({ Bucket, Key, Body }));

test("configuring sends the test event, and comes back with an id", async () => {
  await configure(
    rule(["s3:ObjectCreated:*"], { prefix: "originals/", suffix: ".jpg" }),
    rule(["s3:ObjectRemoved:*"], {}, OTHER),
  );
  const bodies = queue.messages.splice(0).map(({ queue: arn, body }) => ({ arn, ...JSON.parse(body) }));
  assert.deepEqual(
    bodies.map(({ arn }) => arn),
    [QUEUE, OTHER],
  );
  for (const { Service, Event, Bucket: bucket, Time, RequestId, HostId } of bodies) {
    assert.deepEqual([Service, Event, bucket], ["Amazon S3", "s3:TestEvent", Bucket]);
    assert.ok(Time && RequestId && HostId);
  }
  const { QueueConfigurations: [first, second] = [] } = await client.send(
    new GetBucketNotificationConfigurationCommand({ Bucket }),
  );
  assert.ok(first?.Id && second?.Id && first.Id !== second.Id);
  assert.deepEqual(
    { ...first, Id: undefined },
    { ...rule(["s3:ObjectCreated:*"], { prefix: "originals/", suffix: ".jpg" }), Id: undefined },
  );
});

test("only what a rule wants is told", async () => {
  for (const key of ["originals/a.jpg", "originals/a.png", "other/a.jpg", "originals.jpg"]) await put(key);
  await client.send(new DeleteObjectCommand({ Bucket, Key: "other/a.jpg" }));
  await client.send(new DeleteObjectCommand({ Bucket, Key: "never/was" }));
  const records = await told(2);
  assert.deepEqual(
    records.map(({ eventName, s3 }) => [eventName, s3.object.key]),
    [
      ["ObjectCreated:Put", "originals/a.jpg"],
      ["ObjectRemoved:Delete", "other/a.jpg"],
    ],
  );
});

test("a record in AWS's form", async () => {
  await configure({ ...rule(["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]), Id: "mine" });
  assert.match(queue.messages.shift()?.body ?? "", /s3:TestEvent/);
  await put("red flower+ü%.jpg", "hello");
  await client.send(new DeleteObjectCommand({ Bucket, Key: "red flower+ü%.jpg" }));
  const [created, removed] = await told(2);
  assert.ok(created && removed);
  const { eventTime, responseElements, s3, ...rest } = created as S3Record & {
    eventTime: string;
    responseElements: Record<string, string>;
  };
  assert.deepEqual(rest, {
    eventVersion: "2.6",
    eventSource: "aws:s3",
    awsRegion: "eu-central-1",
    eventName: "ObjectCreated:Put",
    userIdentity: { principalId: "000000000000" },
    requestParameters: { sourceIPAddress: "127.0.0.1" },
  } as unknown);
  assert.ok(Math.abs(Date.parse(eventTime) - Date.now()) < 60_000);
  assert.match(responseElements["x-amz-request-id"] ?? "", /^[0-9A-F]{16}$/);
  assert.deepEqual(s3, {
    s3SchemaVersion: "1.0",
    configurationId: "mine",
    bucket: { name: Bucket, ownerIdentity: { principalId: "000000000000" }, arn: "arn:aws:s3:::events" },
    object: {
      key: "red+flower%2B%C3%BC%25.jpg",
      size: 5,
      eTag: md5("hello"),
      sequencer: s3.object.sequencer,
    },
  } as unknown);
  assert.equal(s3.object.key, "red+flower%2B%C3%BC%25.jpg", "encoded like a form field");
  assert.match(s3.object.sequencer, /^[0-9A-F]{18}$/);
  assert.deepEqual(Object.keys(removed.s3.object), ["key", "sequencer"], "nothing is known of what is gone");
});

test("each way of writing and removing has its name", async () => {
  const fields: Field[] = [["key", "post"], ...policyFields([{ bucket: Bucket }, { key: "post" }])];
  await send(fixture, { method: "POST", path: "/events", ...formBody(fields, "x") });
  await client.send(new CopyObjectCommand({ Bucket, Key: "copy", CopySource: "events/post" }));
  const upload = { Bucket, Key: "multi" };
  const { UploadId } = await client.send(new CreateMultipartUploadCommand(upload));
  const { ETag } = await client.send(
    new UploadPartCommand({ ...upload, UploadId, PartNumber: 1, Body: "x" }),
  );
  await client.send(
    new CompleteMultipartUploadCommand({
      ...upload,
      UploadId,
      MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] },
    }),
  );
  await client.send(
    new DeleteObjectsCommand({
      Bucket,
      Delete: { Objects: [{ Key: "post" }, { Key: "copy" }, { Key: "absent" }] },
    }),
  );
  assert.deepEqual(
    (await told(5)).map(({ eventName, s3 }) => `${eventName} ${s3.object.key}`),
    [
      "ObjectCreated:Post post",
      "ObjectCreated:Copy copy",
      "ObjectCreated:CompleteMultipartUpload multi",
      "ObjectRemoved:Delete post",
      "ObjectRemoved:Delete copy",
    ],
  );
});

test("a refused write is not told", async () => {
  await put("once");
  assert.equal(
    await failure(client.send(new PutObjectCommand({ Bucket, Key: "once", Body: "y", IfNoneMatch: "*" }))),
    "412 PreconditionFailed",
  );
  assert.equal(
    await failure(
      client.send(
        new PutObjectCommand({ Bucket, Key: "bad", Body: "y", ContentMD5: "AAAAAAAAAAAAAAAAAAAAAA==" }),
      ),
    ),
    "400 BadDigest",
  );
  await put("after");
  assert.deepEqual(
    (await told(2)).map(({ s3 }) => s3.object.key),
    ["once", "after"],
  );
});

test("sequencers rise, also over a restart and under a clock that goes back", async () => {
  const sequencers: string[] = [];
  // Signatures hold for 15 minutes around the server's time.
  for (const now of [
    () => new Date(Date.now() + 600_000),
    () => new Date(Date.now() - 600_000),
    () => new Date(),
  ]) {
    await fixture.restart({ now });
    for (let i = 0; i < 4; i++) await put("seq");
    sequencers.push(...(await told(4)).map(({ s3 }) => s3.object.sequencer));
  }
  assert.equal(sequencers.length, 12);
  for (const [i, sequencer] of sequencers.entries()) {
    if (i > 0) assert.ok((sequencers[i - 1] ?? "") < sequencer, `${sequencers[i - 1]} < ${sequencer}`);
  }
  await fixture.restart();
});

test("what the queue did not take is kept, over a restart too", async () => {
  queue.refuse = true;
  const refused = nextCall();
  await put("kept-1");
  await put("kept-2");
  await refused;
  await fixture.restart();
  await fixture.stop();
  assert.equal(queue.messages.length, 0);
  queue.refuse = false;
  await fixture.restart();
  await put("kept-3");
  assert.deepEqual(
    (await told(3)).map(({ s3 }) => s3.object.key),
    ["kept-1", "kept-2", "kept-3"],
    "each once",
  );
});

test("configurations that are refused", async (t) => {
  const created = ["s3:ObjectCreated:*"];
  const cases: Record<string, [QueueConfiguration[], string]> = {
    "an event that S3 does not have": [[rule(["s3:ObjectCreated:Append"])], "400 InvalidArgument"],
    "an event without its prefix": [[rule(["ObjectCreated:Put"])], "400 InvalidArgument"],
    "no event": [[rule([])], "400 MalformedXML"],
    "an ARN that is none": [[rule(created, {}, "images")], "400 InvalidArgument"],
    "a FIFO queue": [[rule(created, {}, `${QUEUE}.fifo`)], "400 InvalidArgument"],
    "a queue that is not there": [
      [rule(created, {}, QUEUE.replace("images", "absent"))],
      "400 InvalidArgument",
    ],
    "two rules for one event": [
      [rule(created), rule(["s3:ObjectCreated:Put"], { prefix: "a/" }, OTHER)],
      "400 InvalidArgument",
    ],
    "two rules with one id": [
      [
        { ...rule(created), Id: "a" },
        { ...rule(["s3:ObjectRemoved:*"]), Id: "a" },
      ],
      "400 InvalidArgument",
    ],
    "a filter by something else": [[rule(created, { infix: "a" })], "400 InvalidArgument"],
    "rules that cannot meet": [
      [rule(created, { prefix: "a/" }), rule(created, { prefix: "b/" })],
      "no failure",
    ],
    "the rest of S3's events": [
      [rule(["s3:ObjectTagging:*", "s3:LifecycleExpiration:Delete", "s3:IntelligentTiering"])],
      "no failure",
    ],
    none: [[], "no failure"],
  };
  for (const [name, [rules, expected]] of Object.entries(cases)) {
    await t.test(name, async () => assert.equal(await failure(configure(...rules)), expected));
  }
  const topic = {
    TopicConfigurations: [
      { TopicArn: "arn:aws:sns:eu-central-1:000000000000:t", Events: ["s3:ObjectCreated:*" as Event] },
    ],
  };
  assert.equal(
    await failure(
      client.send(
        new PutBucketNotificationConfigurationCommand({ Bucket, NotificationConfiguration: topic }),
      ),
    ),
    "501 NotImplemented",
  );
  const skip = {
    NotificationConfiguration: {
      QueueConfigurations: [rule(created, {}, QUEUE.replace("images", "absent"))],
    },
    SkipDestinationValidation: true,
  };
  assert.equal(
    await failure(client.send(new PutBucketNotificationConfigurationCommand({ Bucket, ...skip }))),
    "no failure",
  );
});
