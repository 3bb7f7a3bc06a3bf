/** The doctor, on a stack that is broken in one place after the other. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { LambdaClient } from "@aws-sdk/client-lambda";
import {
  DeleteBucketCorsCommand,
  DeleteBucketLifecycleCommand,
  type Event,
  GetBucketCorsCommand,
  PutBucketCorsCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketNotificationConfigurationCommand,
} from "@aws-sdk/client-s3";
import { GetQueueUrlCommand, SendMessageCommand, SetQueueAttributesCommand } from "@aws-sdk/client-sqs";
import { s3Client } from "../../adapters/aws/s3-store.ts";
import { sqsClient } from "../../adapters/aws/sqs-queue.ts";
import { apiAt } from "../../cli/api.ts";
import { findDeployment } from "../../cli/deployment.ts";
import { apiChecks } from "../../cli/doctor/api.ts";
import type { Patient } from "../../cli/doctor/check.ts";
import { functionChecks } from "../../cli/doctor/functions.ts";
import { queueChecks } from "../../cli/doctor/queues.ts";
import { storageChecks } from "../../cli/doctor/storage.ts";
import { examine } from "../../cli/doctor.ts";
import { type Stack, startStack } from "../../laptop/stack.ts";
import { fakeLambda } from "../deploy/fake-lambda.ts";

const data = mkdtempSync(join(tmpdir(), "darkroom-doctor-"));
const servers: Server[] = [];
let stack: Stack;
let healthy: Patient;
let refuse: { status: number; code: string } | undefined;

before(async () => {
  stack = await startStack({
    port: 0,
    data,
    // Nothing is developed, and dead letters stay where they are.
    poll: false,
    logLevel: "error",
    s3Fault: ({ method, key }) => (method === "PUT" && key?.startsWith("originals/") ? refuse : undefined),
  });
  process.env["DARKROOM_DATA"] = data;
  const deployment = await findDeployment({});
  healthy = {
    api: apiAt(stack.api, stack.uploadToken),
    apiUrl: stack.api,
    deployment,
    s3: s3Client(deployment.s3),
    sqs: sqsClient(deployment.sqs),
    lambda: new LambdaClient({ region: "eu-central-1" }),
    repair: "REPAIR",
    now: () => new Date(),
    timeout: 1,
  };
});
after(async () => {
  healthy.s3.destroy();
  healthy.sqs.destroy();
  delete process.env["DARKROOM_DATA"];
  await stack.close();
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
  rmSync(data, { recursive: true, force: true });
});

const checks = [...apiChecks.before, ...storageChecks, ...queueChecks, ...apiChecks.after];

/** What a check says, one line for each finding. */
async function says(name: string, changes: Partial<Patient> = {}): Promise<string[]> {
  const check = [...checks, ...functionChecks].find((one) => one.name === name);
  assert.ok(check, name);
  const { status, findings, reason } = await examine(check, { ...healthy, ...changes });
  if (status === "not checked") return [`not checked: ${reason}`];
  assert.equal(status, findings.length === 0 ? "ok" : "problem");
  for (const { advice } of findings) assert.notEqual(advice, "");
  return findings.map(({ message, advice }) => `${message} → ${advice}`);
}

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const bucket = () => healthy.deployment?.buckets.uploads ?? "";
const queue = () => healthy.deployment?.imagesQueue ?? "";
const attribute = (Attributes: Record<string, string>) =>
  healthy.sqs.send(new SetQueueAttributesCommand({ QueueUrl: queue(), Attributes }));

test("a whole stack is found healthy", async () => {
  for (const { name } of checks.filter((check) => !apiChecks.after.includes(check)))
    assert.deepEqual(await says(name), [], name);
});

test("clock", async () => {
  const off = (ms: number) => says("clock", { now: () => new Date(Date.now() + ms) });
  assert.match(
    (await off(120_000))[0] ?? "",
    /^This machine's clock is 1[12]\d seconds ahead of the API's.*NTP/,
  );
  assert.match((await off(-600_000))[0] ?? "", /^This machine's clock is (59|60)\d seconds behind the API's/);
});

test("API", async () => {
  const open = await serve((_, response) => response.end("{}"));
  assert.match(
    (await says("strangers", { apiUrl: open }))[0] ?? "",
    /answered with 200 instead of 401.*lets everybody in/,
  );
  const dead = { apiUrl: "http://127.0.0.1:9" };
  for (const name of ["strangers", "clock"])
    assert.match(
      (await says(name, dead))[0] ?? "",
      /→ Is http:\/\/127\.0\.0\.1:9 right, and can it be reached/,
    );
});

test("buckets", async () => {
  const { deployment } = healthy;
  assert.ok(deployment);
  const gone = { ...deployment, buckets: { ...deployment.buckets, media: "no-such-bucket" } };
  assert.deepEqual(await says("buckets", { deployment: gone }), [
    "The bucket no-such-bucket is not there. → REPAIR",
  ]);
  const s3 = s3Client({
    ...deployment.s3,
    credentials: { accessKeyId: "somebody", secretAccessKey: "else" },
  });
  assert.match((await says("buckets", { s3 }))[0] ?? "", /cannot be reached \(403\)/);
  assert.match((await says("CORS", { s3 }))[0] ?? "", /InvalidAccessKeyId/);
  const open = await serve((_, response) => response.end());
  const public_ = s3Client({ ...deployment.s3, endpoint: open });
  assert.match(
    (await says("buckets", { s3: public_ }))[0] ?? "",
    /^Anybody may list the bucket darkroom-uploads/,
  );
  assert.match((await says("buckets", { deployment: undefined }))[0] ?? "", /^not checked: name its --stack/);
  s3.destroy();
  public_.destroy();
});

test("CORS", async () => {
  const { CORSRules = [] } = await healthy.s3.send(new GetBucketCorsCommand({ Bucket: bucket() }));
  const [rule] = CORSRules;
  assert.ok(rule);
  const put = (changes: Partial<typeof rule>) =>
    healthy.s3.send(
      new PutBucketCorsCommand({
        Bucket: bucket(),
        CORSConfiguration: { CORSRules: [{ ...rule, ...changes }] },
      }),
    );
  await healthy.s3.send(new DeleteBucketCorsCommand({ Bucket: bucket() }));
  assert.deepEqual(await says("CORS"), [
    "The bucket darkroom-uploads has no CORS rules: no browser can upload. → REPAIR",
  ]);
  await put({ AllowedHeaders: ["Content-Type", "x-amz-meta-*"], AllowedMethods: ["PUT"], ExposeHeaders: [] });
  assert.deepEqual(await says("CORS"), [
    "CORS of darkroom-uploads lacks method POST, header if-none-match, header x-amz-checksum-sha256, header x-amz-sdk-checksum-algorithm, exposed header ETag: browsers refuse to upload. → REPAIR",
  ]);
  await put({ AllowedHeaders: ["*"] });
  assert.deepEqual(await says("CORS"), []);
  await put({});
});

test("notifications", async () => {
  const put = (events: Event[], prefix: string) =>
    healthy.s3.send(
      new PutBucketNotificationConfigurationCommand({
        Bucket: bucket(),
        NotificationConfiguration: {
          QueueConfigurations: events.map((event) => ({
            QueueArn: `arn:aws:sqs:us-east-1:000000000000:${queue().split("/").at(-1)}`,
            Events: [event],
            Filter: { Key: { FilterRules: [{ Name: "prefix", Value: prefix }] } },
          })),
        },
      }),
    );
  await put([], "");
  const none = await says("notifications");
  assert.equal(none.length, 3);
  assert.match(none[0] ?? "", /s3:ObjectCreated:\* under originals\/: uploads never become ready\. → REPAIR/);
  await put(["s3:ObjectCreated:*", "s3:LifecycleExpiration:*"], "originals/");
  assert.match(
    (await says("notifications")).join(),
    /^darkroom-uploads does not tell the queue of s3:ObjectRemoved/,
  );
  await put(["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*"], "elsewhere/");
  assert.equal((await says("notifications")).length, 3);
  await put(["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*"], "originals/");
  assert.deepEqual(await says("notifications"), []);
});

test("lifecycle", async () => {
  const abort = {
    ID: "abort",
    Status: "Enabled",
    Filter: { Prefix: "" },
    AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 },
  } as const;
  const put = (...Rules: object[]) =>
    healthy.s3.send(
      new PutBucketLifecycleConfigurationCommand({
        Bucket: bucket(),
        LifecycleConfiguration: { Rules: [abort, ...(Rules as (typeof abort)[])] },
      }),
    );
  await healthy.s3.send(new DeleteBucketLifecycleCommand({ Bucket: bucket() }));
  assert.match((await says("lifecycle")).join(), /^Unfinished uploads in parts stay in darkroom-uploads/);
  const expiring = (Prefix: string) => ({
    ID: "old",
    Status: "Enabled",
    Filter: { Prefix },
    Expiration: { Days: 9 },
  });
  await put(expiring(""));
  assert.match(
    (await says("lifecycle")).join(),
    /rule old of .* deletes what is under originals\/, owners\//,
  );
  await put(expiring("originals/a"));
  assert.match((await says("lifecycle")).join(), /deletes what is under originals\/\./);
  await put(expiring("events/"), { ...expiring("originals/"), ID: "let-originals-go" });
  assert.deepEqual(await says("lifecycle"), []);
});

test("queue", async () => {
  const statement = (more: object) =>
    JSON.stringify({
      Version: "2012-10-17",
      Statement: [
        {
          Effect: "Allow",
          Principal: { Service: "s3.amazonaws.com" },
          Action: "sqs:SendMessage",
          Resource: "*",
          ...more,
        },
      ],
    });
  const source = (arn: string) => ({ Condition: { ArnEquals: { "aws:SourceArn": arn } } });
  await attribute({ Policy: "" });
  assert.match(
    (await says("queue policy")).join(),
    /^S3 may not send to the queue darkroom-images: .* → REPAIR/,
  );
  await attribute({ Policy: statement(source("arn:aws:s3:::somebody-elses")) });
  assert.match((await says("queue policy")).join(), /^S3 may not send to the queue/);
  await attribute({ Policy: statement({}) });
  assert.match((await says("queue policy")).join(), /^Buckets of anybody may send/);
  await attribute({
    Policy: statement({ ...source(`arn:aws:s3:::${bucket()}`), Action: ["sqs:SendMessage"] }),
  });
  assert.deepEqual(await says("queue policy"), []);

  const letters = new GetQueueUrlCommand({ QueueName: "darkroom-images-dead-letters" });
  const { QueueUrl } = await healthy.sqs.send(letters);
  await healthy.sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: "lost" }));
  assert.match((await says("dead letters")).join(), /^1 dead letters lie in .*dead-letters/);
  await attribute({ RedrivePolicy: "" });
  assert.match((await says("dead letters")).join(), /has no dead letters: .* → REPAIR/);
  const { deployment } = healthy;
  assert.ok(deployment);
  const elsewhere = { ...deployment, imagesQueue: queue().replace("images", "none") };
  for (const name of ["queue policy", "dead letters", "notifications"])
    assert.match((await says(name, { deployment: elsewhere })).join(), /NonExistent|DoesNotExist/, name);
});

test("round trip: refused, never ready, and without a token", async () => {
  refuse = { status: 403, code: "AccessDenied" };
  assert.match(
    (await says("round trip")).join(),
    /^S3 refuses a signed upload: AccessDenied\. → .*presign's role/,
  );
  refuse = undefined;
  // Nobody develops it here.
  const stuck = await says("round trip");
  assert.match(
    stuck.join(),
    /^The test image did not become ready: still-processing\..* → .*the worker does not run/,
  );
  assert.match((await says("round trip", { api: undefined })).join(), /^not checked: give a --token/);
  const api = apiAt(stack.api, "nonsense");
  assert.match((await says("round trip", { api })).join(), /The token is not valid here/);
});

test("round trip: a server that lets files be replaced, a CDN that serves too much, a delete that deletes nothing", async () => {
  const id = "0".repeat(26);
  const url: string = await serve((request, response) => {
    const json = (body: object) => {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(body));
    };
    if (request.method === "POST") json({ uploads: [{ id, method: "PUT", url: `${url}/put`, headers: {} }] });
    else if (request.method === "GET" && request.url?.split("?")[0] === `/images/${id}`) {
      const variant = { type: "image/avif", bytes: 4, url: `${url}/images/${id}/w1.avif` };
      json({ id, status: "ready", variants: [variant] });
    } else {
      if (request.url?.endsWith(".avif")) response.setHeader("content-type", "text/html");
      response.end("1234");
    }
  });
  const found = await says("round trip", { api: apiAt(url, "x") });
  assert.deepEqual(
    found.map((line) => line.split(/ → /)[0]),
    [
      "A second upload under the same signature is answered with 200 instead of 412.",
      "The CDN serves images without the right cache-control, x-content-type-options, content-security-policy, content-type.",
      "The CDN serves originals.",
      "The deleted test image is not answered with 410.",
    ],
  );
});

test("an account that lets too few functions run at once, and a source that is off, are found", async () => {
  assert.deepEqual(await says("concurrency"), ["not checked: this is no Lambda"]);
  const { deployment } = healthy;
  assert.ok(deployment);
  const asked = async (limit: number, sources: NonNullable<Parameters<typeof fakeLambda>[0]["sources"]>) => {
    const server = await fakeLambda({ limit, unreserved: limit, sources });
    const lambda = new LambdaClient(server.config);
    try {
      return await says("concurrency", { lambda, deployment: { ...deployment, stack: "darkroom-prod" } });
    } finally {
      lambda.destroy();
      server.close();
    }
  };
  const usual = {
    "darkroom-prod-worker": [{ most: 50 }, { most: 10 }],
    "darkroom-prod-failures": [{ most: 2 }, { most: 2 }],
    "darkroom-prod-events": [{ most: 20 }],
  };
  assert.deepEqual(await asked(1000, usual), []);
  const [small, ...more] = await asked(10, usual);
  assert.match(
    String(small),
    /runs 10 functions at once.*50 \+ 10 \+ 2 \+ 2 \+ 20.*L-B99A9384.*eu-central-1/,
  );
  assert.deepEqual(more, []);
  // A worker that changes bit by bit is invoked by its alias.
  const { "darkroom-prod-worker": sources, ...others } = usual;
  assert.match(
    String((await asked(10, { ...others, "darkroom-prod-worker:live": sources }))[0]),
    /50 \+ 10 \+ 2/,
  );
  const off = { ...usual, "darkroom-prod-events": [{ most: 20, state: "Disabled" }] };
  assert.match(String(await asked(1000, off)), /Nobody takes from the queue darkroom-prod-images.*Disabled/);
});
