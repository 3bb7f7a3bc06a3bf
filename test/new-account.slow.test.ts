/** A new AWS account: ten invocations at once for all functions together, as `npm start` has them too. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { ManualClock } from "local-aws/manual-clock";
import { startSqs } from "local-aws/sqs";
import sharp from "sharp";
import { sqsClient, sqsQueue } from "../adapters/aws/sqs-queue.ts";
import { apiAt } from "../cli/api.ts";
import { openFile } from "../cli/local-file.ts";
import type { Metadata } from "../core/metadata.ts";
import { startStack } from "../laptop/stack.ts";
import { Receiver } from "./receiver.ts";

const credentials = { accessKeyId: "key", secretAccessKey: "secret" };
/** Images whose webhooks are held, which keeps most of the invocations busy that there may be. */
const HELD = 8;

test("at ten invocations at once uploads are slow and all become ready, and none fails by throttled receives", async () => {
  const data = mkdtempSync(join(tmpdir(), "darkroom-"));
  // The queues' time goes on as the test says: what is throttled hides for a quarter of an hour.
  const clock = new ManualClock(Date.now());
  const sqs = await startSqs({ data, port: 0, credentials, region: "eu-central-1", clock });
  const receiver = await Receiver.start();
  const held: (() => void)[] = [];
  receiver.answer = ({ response }) => held.push(() => response.writeHead(204).end());
  const variables = {
    AWS_ENDPOINT_URL_SQS: sqs.url,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_REGION: "eu-central-1",
    WEBHOOK_URLS: receiver.url,
  };
  Object.assign(process.env, variables);
  const stack = await startStack({ port: 0, data, logLevel: "error", accountConcurrency: 10 });
  const client = sqsClient({ endpoint: sqs.url, region: "eu-central-1", credentials });
  const lengthOf = (name: string) =>
    sqsQueue(client, new URL(`/000000000000/${name}`, sqs.url).href).backlog();
  /** Lets the queues' time go on until that is so. */
  const until = async (isSo: () => boolean | Promise<boolean>) => {
    while (!(await isSo())) {
      clock.advance(1000);
      await lengthOf("darkroom-images");
    }
  };
  try {
    const api = apiAt(stack.api, stack.uploadToken);
    const path = join(data, "a.jpg");
    await sharp({ create: { width: 64, height: 64, channels: 3, background: "#a03020" } })
      .jpeg()
      .toFile(path);
    const file = await openFile(path);
    const ids = await Promise.all(Array.from({ length: HELD }, () => api.upload(file)));
    const told = () => new Set(receiver.received.map(({ event }) => event.data.id)).size;
    await until(() => told() >= HELD);

    // What is left the workers and the API share: some are refused, and some are not.
    const headers = { authorization: `Bearer ${stack.uploadToken}` };
    const answered = new Set<number>();
    while (answered.size < 2) {
      const asked = Array.from({ length: 20 }, () => fetch(`${stack.api}/images?limit=1`, { headers }));
      for (const { status } of await Promise.all(asked)) answered.add(status);
    }
    assert.deepEqual([...answered].sort(), [200, 503]);
    let uploaded = false;
    const more = Promise.all(Array.from({ length: 16 }, () => api.upload(file))).then((all) => {
      uploaded = true;
      return all;
    });
    await until(() => uploaded);
    ids.push(...(await more));

    receiver.answer = ({ response }) => response.writeHead(204).end();
    for (const answer of held.splice(0)) answer();
    const statuses = new Map<string, string>();
    await until(async () => {
      for (const id of ids.filter((one) => statuses.get(one) !== "ready")) {
        const { status } = await api.call<Pick<Metadata, "status">>("GET", `/images/${id}`);
        statuses.set(id, status);
      }
      return [...statuses.values()].every((status) => status !== ("processing" as string));
    });
    assert.deepEqual(
      ids.filter((id) => statuses.get(id) !== "ready"),
      [],
    );
    // Webhooks that were held for too long are parked, until a time that no queue's clock hastens.
    for (const name of ["images", "backfill", "events"])
      assert.equal(await lengthOf(`darkroom-${name}-dead-letters`), 0, name);
  } finally {
    for (const answer of held.splice(0)) answer();
    // Long polls end with the queues' time.
    const ticking = setInterval(() => clock.advance(1000), 10);
    await stack.close();
    clearInterval(ticking);
    for (const name of Object.keys(variables)) delete process.env[name];
    client.destroy();
    receiver.close();
    await sqs.close();
    rmSync(data, { recursive: true });
  }
});
