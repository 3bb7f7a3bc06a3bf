import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import test from "node:test";
import { fileURLToPath } from "node:url";
import {
  CreateBucketCommand,
  PutBucketNotificationConfigurationCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { CreateQueueCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";

const command = fileURLToPath(new URL("../command.ts", import.meta.url));
const run = (...args: string[]) =>
  new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
    execFile(process.execPath, [command, ...args], (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stdout, stderr }),
    );
  });

test("an upload to its S3 is told to its SQS, by the environment that it prints", async (t) => {
  const data = await mkdtemp(join(tmpdir(), "local-aws-"));
  t.after(() => rm(data, { recursive: true }));
  const child = spawn(process.execPath, [command, "--s3-port", "0", "--sqs-port", "0", "--data", data]);
  t.after(() => child.kill("SIGKILL"));
  const env: Record<string, string> = {};
  for await (const line of createInterface(child.stdout)) {
    const [, name = "", value = ""] = /^export (\w+)='(.*)'$/.exec(line) ?? [];
    env[name] = value;
    if (name === "AWS_SECRET_ACCESS_KEY") break;
  }
  const common = {
    region: env["AWS_REGION"] ?? "",
    credentials: {
      accessKeyId: env["AWS_ACCESS_KEY_ID"] ?? "",
      secretAccessKey: env["AWS_SECRET_ACCESS_KEY"] ?? "",
    },
  };
  const s3 = new S3Client({ ...common, endpoint: env["AWS_ENDPOINT_URL_S3"] ?? "", forcePathStyle: true });
  const sqs = new SQSClient({ ...common, endpoint: env["AWS_ENDPOINT_URL_SQS"] ?? "" });
  t.after(() => [s3, sqs].map((client) => client.destroy()));

  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: "uploads" }));
  await s3.send(new CreateBucketCommand({ Bucket: "photos" }));
  const QueueArn = `arn:aws:sqs:${common.region}:000000000000:uploads`;
  const QueueConfigurations = [{ QueueArn, Events: ["s3:ObjectCreated:*" as const] }];
  await s3.send(
    new PutBucketNotificationConfigurationCommand({
      Bucket: "photos",
      NotificationConfiguration: { QueueConfigurations },
    }),
  );
  await s3.send(new PutObjectCommand({ Bucket: "photos", Key: "a.jpg", Body: "bytes" }));
  const told: string[] = [];
  while (told.length < 2) {
    const received = await sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 }));
    for (const { Body = "" } of received.Messages ?? []) told.push(Body);
  }
  assert.match(told.find((body) => body.includes("Records")) ?? "", /"key":"a.jpg"/);

  child.kill("SIGTERM");
  assert.deepEqual(await once(child, "exit"), [0, null]);
});

test("--help says what there is; what it cannot do it says in a sentence", async () => {
  const help = await run("--help");
  assert.equal(help.code, 0);
  for (const option of ["--s3-port", "--sqs-port", "--data"]) assert.ok(help.stdout.includes(option), option);
  const bad = await run("--s3-port", "many");
  assert.equal(bad.code, 1);
  assert.equal(bad.stderr, '--s3-port takes a number from 0 to 65535, not "many".\n');
  assert.equal((await run("--colour")).code, 1);
});
