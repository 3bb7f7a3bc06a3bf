import assert from "node:assert/strict";
import { request } from "node:http";
import { networkInterfaces } from "node:os";
import test, { after, before } from "node:test";
import { CreateQueueCommand, ReceiveMessageCommand } from "@aws-sdk/client-sqs";
import { json, query, signedFetch } from "./raw.ts";
import { CREDENTIALS, REGION, testSqs } from "./server.ts";

let sqs: Awaited<ReturnType<typeof testSqs>>;
let QueueUrl: string;
before(async () => {
  sqs = await testSqs();
  QueueUrl = (await sqs.client.send(new CreateQueueCommand({ QueueName: "wire" }))).QueueUrl ?? "";
});
after(() => sqs.close());

const fields = async (response: Response) => ({
  status: response.status,
  query: response.headers.get("x-amzn-query-error"),
  type: ((await response.json()) as { __type: string }).__type,
});

test("JSON errors carry SQS's type, its older code and its status", async () => {
  const batch = (Entries: unknown[]) => ({ QueueUrl, Entries });
  const missing = `${sqs.url}/000000000000/missing`;
  const other = `${sqs.url}/111111111111/wire`;
  const old = "AWS.SimpleQueueService";
  const cases: [string, unknown, number, string, string][] = [
    [
      "SendMessage",
      { QueueUrl: missing, MessageBody: "x" },
      400,
      "QueueDoesNotExist",
      `${old}.NonExistentQueue`,
    ],
    [
      "SendMessage",
      { QueueUrl: other, MessageBody: "x" },
      400,
      "QueueDoesNotExist",
      `${old}.NonExistentQueue`,
    ],
    ["SendMessage", { QueueUrl: "http://[", MessageBody: "x" }, 404, "InvalidAddress", "InvalidAddress"],
    ["SendMessage", { QueueUrl }, 400, "MissingRequiredParameterException", "MissingParameter"],
    ["SendMessage", { QueueUrl, MessageBody: 5 }, 400, "SerializationException", "MalformedInput"],
    [
      "SendMessage",
      { QueueUrl, MessageBody: "\u0000" },
      400,
      "InvalidMessageContents",
      "InvalidMessageContents",
    ],
    ["SendMessage", "{", 400, "SerializationException", "MalformedInput"],
    ["SendMessage", "[]", 400, "SerializationException", "MalformedInput"],
    [
      "ReceiveMessage",
      { QueueUrl, MaxNumberOfMessages: 11 },
      400,
      "InvalidParameterValueException",
      "InvalidParameterValue",
    ],
    [
      "CreateQueue",
      { QueueName: "wire", Attributes: { DelaySeconds: "1" } },
      400,
      "QueueNameExists",
      "QueueAlreadyExists",
    ],
    [
      "DeleteMessage",
      { QueueUrl, ReceiptHandle: "x" },
      404,
      "ReceiptHandleIsInvalid",
      "ReceiptHandleIsInvalid",
    ],
    ["SendMessageBatch", batch([]), 400, "EmptyBatchRequest", `${old}.EmptyBatchRequest`],
    ["SendMessageBatch", batch([{ Id: "*" }]), 400, "InvalidBatchEntryId", `${old}.InvalidBatchEntryId`],
    ["AddPermission", { QueueUrl }, 400, "UnknownOperationException", "InvalidAction"],
    ["toString", { QueueUrl }, 400, "UnknownOperationException", "InvalidAction"],
  ];
  for (const [action, input, status, type, code] of cases) {
    const expected = { status, query: `${code};Sender`, type: `com.amazonaws.sqs#${type}` };
    assert.deepEqual(
      await fields(await json(sqs.url, action, input)),
      expected,
      `${action} ${JSON.stringify(input)}`,
    );
  }
});

test("an empty receive has no Messages, a request id stands in the header", async () => {
  const response = await json(sqs.url, "ReceiveMessage", { QueueUrl });
  assert.equal(response.headers.get("content-type"), "application/x-amz-json-1.0");
  assert.match(response.headers.get("x-amzn-requestid") ?? "", /^[0-9a-f-]{36}$/);
  assert.deepEqual(await response.json(), {});
});

test("a request whose signature is missing, wrong, old or of something else is refused", async () => {
  const input = { QueueUrl, MessageBody: "x" };
  const headers = { "content-type": "application/x-amz-json-1.0", "x-amz-target": "AmazonSQS.SendMessage" };
  const anonymous = await fetch(sqs.url, { method: "POST", headers, body: JSON.stringify(input) });
  const send = (options: Parameters<typeof json>[3]) => json(sqs.url, "SendMessage", input, options);
  const cases: [Response, number, string][] = [
    [anonymous, 403, "MissingAuthenticationTokenException"],
    [
      await send({ credentials: { ...CREDENTIALS, secretAccessKey: "wrong" } }),
      403,
      "InvalidSignatureException",
    ],
    [
      await send({ credentials: { ...CREDENTIALS, accessKeyId: "other" } }),
      403,
      "UnrecognizedClientException",
    ],
    [await send({ region: "us-west-2" }), 403, "InvalidSignatureException"],
    [await send({ signedAt: new Date(Date.now() - 16 * 60_000) }), 403, "InvalidSignatureException"],
    [
      await send({ sentBody: JSON.stringify({ ...input, MessageBody: "y" }) }),
      403,
      "InvalidSignatureException",
    ],
    [
      await fetch(sqs.url, {
        method: "POST",
        headers: { ...headers, authorization: "AWS4-HMAC-SHA256 x" },
        body: "{}",
      }),
      400,
      "IncompleteSignatureException",
    ],
  ];
  for (const [response, status, type] of cases) {
    const answer = await fields(response);
    assert.deepEqual([answer.status, answer.type], [status, `com.amazonaws.sqs#${type}`]);
  }
  assert.equal((await sqs.client.send(new ReceiveMessageCommand({ QueueUrl }))).Messages, undefined);
});

test("a request longer than any valid one is refused before it is read", async () => {
  const response = await json(sqs.url, "SendMessage", { QueueUrl, MessageBody: "x".repeat(4_200_000) });
  assert.equal(response.status, 413);
});

/** The text of every element of this name. */
const texts = (xml: string, name: string) =>
  [...xml.matchAll(new RegExp(`<${name}>(.*?)</${name}>`, "gs"))].map(([, text]) => text);

test("the Query protocol sends, receives, changes and deletes", async () => {
  const created = await query(sqs.url, {
    Action: "CreateQueue",
    QueueName: "query",
    "Attribute.1.Name": "VisibilityTimeout",
    "Attribute.1.Value": "60",
    "Attribute.2.Name": "DelaySeconds",
    "Attribute.2.Value": "0",
  });
  assert.equal(created.status, 200);
  assert.match(
    created.xml,
    /^<\?xml version="1.0" encoding="UTF-8"\?>\n<CreateQueueResponse xmlns="http:\/\/queue.amazonaws.com\/doc\/2012-11-05\/">/,
  );
  const [url = ""] = texts(created.xml, "QueueUrl");
  assert.equal(url, `${sqs.url}/000000000000/query`);

  const sent = await query(url, {
    Action: "SendMessage",
    MessageBody: `<a b="c">&'</a>\r\n`,
    "MessageAttribute.1.Name": "Foo",
    "MessageAttribute.1.Value.DataType": "String",
    "MessageAttribute.1.Value.StringValue": "Bar",
  });
  // As AWS gave it for this attribute.
  assert.deepEqual(texts(sent.xml, "MD5OfMessageAttributes"), ["ae7155c6026991b6d54b11589678bf9c"]);

  const received = await query(url, {
    Action: "ReceiveMessage",
    MaxNumberOfMessages: "10",
    "AttributeName.1": "ApproximateReceiveCount",
    "AttributeName.2": "SenderId",
    "MessageAttributeName.1": "All",
  });
  assert.deepEqual(texts(received.xml, "Body"), ["&lt;a b=&quot;c&quot;&gt;&amp;&apos;&lt;/a&gt;&#xd;\n"]);
  assert.deepEqual(texts(received.xml, "Attribute"), [
    "<Name>SenderId</Name><Value>000000000000</Value>",
    "<Name>ApproximateReceiveCount</Name><Value>1</Value>",
  ]);
  assert.deepEqual(texts(received.xml, "MessageAttribute"), [
    "<Name>Foo</Name><Value><DataType>String</DataType><StringValue>Bar</StringValue></Value>",
  ]);
  const [ReceiptHandle = ""] = texts(received.xml, "ReceiptHandle");

  const changed = await query(sqs.url, {
    Action: "ChangeMessageVisibilityBatch",
    QueueUrl: url,
    "ChangeMessageVisibilityBatchRequestEntry.1.Id": "a",
    "ChangeMessageVisibilityBatchRequestEntry.1.ReceiptHandle": ReceiptHandle,
    "ChangeMessageVisibilityBatchRequestEntry.1.VisibilityTimeout": "0",
    "ChangeMessageVisibilityBatchRequestEntry.2.Id": "b",
    "ChangeMessageVisibilityBatchRequestEntry.2.ReceiptHandle": "garbage",
    "ChangeMessageVisibilityBatchRequestEntry.2.VisibilityTimeout": "0",
  });
  assert.deepEqual(texts(changed.xml, "ChangeMessageVisibilityBatchResultEntry"), ["<Id>a</Id>"]);
  assert.match(
    texts(changed.xml, "BatchResultErrorEntry")[0] ?? "",
    /^<Id>b<\/Id>.*<Code>ReceiptHandleIsInvalid<\/Code>/,
  );

  const again = await query(url, { Action: "ReceiveMessage" });
  const [second = ""] = texts(again.xml, "ReceiptHandle");
  assert.equal((await query(url, { Action: "DeleteMessage", ReceiptHandle: second })).status, 200);
  const attributes = await query(url, { Action: "GetQueueAttributes", "AttributeName.1": "All" });
  assert.ok(texts(attributes.xml, "Attribute").includes("<Name>VisibilityTimeout</Name><Value>60</Value>"));
  assert.ok(
    texts(attributes.xml, "Attribute").includes("<Name>ApproximateNumberOfMessages</Name><Value>0</Value>"),
  );
  assert.deepEqual(
    texts((await query(sqs.url, { Action: "ListQueues", QueueNamePrefix: "que" })).xml, "QueueUrl"),
    [url],
  );
});

test("the Query protocol's errors are XML with SQS's older codes", async () => {
  const missing = await query(sqs.url, { Action: "GetQueueUrl", QueueName: "missing" });
  assert.equal(missing.status, 400);
  assert.deepEqual(texts(missing.xml, "Code"), ["AWS.SimpleQueueService.NonExistentQueue"]);
  assert.deepEqual(texts(missing.xml, "Type"), ["Sender"]);
  assert.deepEqual(texts((await query(sqs.url, { Action: "Dance" })).xml, "Code"), ["InvalidAction"]);
  assert.deepEqual(texts((await query(sqs.url, {})).xml, "Code"), ["MissingParameter"]);
  const hostile = await query(QueueUrl, {
    Action: "SendMessage",
    "__proto__.polluted": "1",
    "MessageBody.1": "x",
  });
  assert.equal(hostile.status, 400);
  assert.equal("polluted" in {}, false);
  assert.equal((await fetch(sqs.url)).status, 403);
});

test("the Query protocol works with GET as well", async () => {
  const response = await signedFetch(`${sqs.url}/?Action=GetQueueUrl&QueueName=wire`, "", { method: "GET" });
  assert.deepEqual(texts(await response.text(), "QueueUrl"), [QueueUrl]);
});

test("only this machine can reach it", async () => {
  const { port } = new URL(sqs.url);
  const outside = Object.values(networkInterfaces()).flatMap((all = []) =>
    all.filter(({ internal, family }) => !internal && family === "IPv4"),
  );
  const others = ["::1", ...outside.map(({ address }) => address)];
  for (const host of others) {
    const refused = new Promise<string>((resolve) => {
      request({ host, port }, () => resolve("answered"))
        .on("error", (error) => resolve(error.message))
        .end();
    });
    assert.match(await refused, /ECONNREFUSED|ENETUNREACH|EADDRNOTAVAIL/, host);
  }
});

test("other services deliver from inside the process", async () => {
  sqs.deliver(`arn:aws:sqs:${REGION}:000000000000:wire`, "from S3");
  const { Messages } = await sqs.client.send(new ReceiveMessageCommand({ QueueUrl }));
  assert.equal(Messages?.[0]?.Body, "from S3");
  assert.throws(() => sqs.deliver(`arn:aws:sqs:${REGION}:000000000000:nobody`, "x"), {
    code: "QueueDoesNotExist",
  });
});
