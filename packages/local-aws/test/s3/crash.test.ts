import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import {
  CreateBucketCommand,
  GetObjectCommand,
  PutBucketNotificationConfigurationCommand,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { startS3 } from "../../s3/server.ts";
import { failure, KEYS, newClient, REGION, signed } from "./fixture.ts";
import { startChild } from "./start-child.ts";

const Bucket = "crash";
const read = async (client: ReturnType<typeof newClient>, Key: string) =>
  (await (await client.send(new GetObjectCommand({ Bucket, Key }))).Body?.transformToByteArray())?.length;

test("killed in the middle of an upload: the old object stays, nothing half-written, no event lost", async () => {
  const data = mkdtempSync(join(tmpdir(), "local-s3-"));
  const bodies = join(data, "bodies");
  const child = await startChild(data);
  const before = newClient(child.url);
  await before.send(new CreateBucketCommand({ Bucket }));
  const rule = {
    QueueArn: `arn:aws:sqs:${REGION}:000000000000:images`,
    Events: ["s3:ObjectCreated:*" as const],
  };
  await before.send(
    new PutBucketNotificationConfigurationCommand({
      Bucket,
      NotificationConfiguration: { QueueConfigurations: [rule] },
    }),
  );
  await before.send(new PutObjectCommand({ Bucket, Key: "old", Body: "old" }));
  before.destroy();

  const half = 1_000_000;
  const { headers } = await signed(child, {
    method: "PUT",
    path: "/crash/old",
    headers: { "x-amz-content-sha256": "UNSIGNED-PAYLOAD", "content-length": String(2 * half) },
  });
  const upload = httpRequest({
    host: "127.0.0.1",
    port: child.port,
    agent: false,
    method: "PUT",
    path: "/crash/old",
    headers: headers as Record<string, string>,
  });
  upload.on("error", () => {});
  upload.write(Buffer.alloc(half));
  const sizes = () =>
    readdirSync(bodies).map((file) =>
      existsSync(join(bodies, file)) ? statSync(join(bodies, file)).size : 0,
    );
  while (!sizes().some((size) => size >= half)) await new Promise(setImmediate);
  await child.kill();
  assert.equal(readdirSync(bodies).length, 2, "what was written of it is there");

  const told: string[] = [];
  let tell = () => {};
  const toldOnce = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const server = await startS3({
    data,
    port: 0,
    credentials: KEYS,
    region: REGION,
    notify: (_, body) => {
      told.push(body);
      tell();
    },
  });
  const client = newClient(server.url);
  assert.equal(readdirSync(bodies).length, 1);
  assert.equal(await read(client, "old"), 3);
  await toldOnce;
  assert.equal(JSON.parse(told[0] ?? "").Records[0].s3.object.key, "old");
  client.destroy();
  await server.close();
  assert.equal(told.length, 1);
  rmSync(data, { recursive: true });
});

test("a disk that fills up in the middle of an upload", async () => {
  const data = mkdtempSync(join(tmpdir(), "local-s3-"));
  const child = await startChild(data, 4000);
  const client = newClient(child.url);
  await client.send(new CreateBucketCommand({ Bucket }));
  await client.send(new PutObjectCommand({ Bucket, Key: "key", Body: Buffer.alloc(100_000) }));
  assert.equal(
    await failure(client.send(new PutObjectCommand({ Bucket, Key: "key", Body: Buffer.alloc(5_000_000) }))),
    "500 InternalError",
  );
  assert.equal(await read(client, "key"), 100_000);
  assert.equal(readdirSync(join(data, "bodies")).length, 1);
  await client.send(new PutObjectCommand({ Bucket, Key: "key", Body: Buffer.alloc(200_000) }));
  client.destroy();
  await child.kill();
  rmSync(data, { recursive: true });
});
