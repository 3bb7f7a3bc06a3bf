/** A local SQS on a clock that stands still, in a folder of its own, and a client that may use it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SQSClient } from "@aws-sdk/client-sqs";
import { ManualClock } from "../../manual-clock.ts";
import { type LocalSqsOptions, startSqs } from "../../sqs/server.ts";

export const REGION = "eu-central-1";
export const CREDENTIALS = { accessKeyId: "local", secretAccessKey: "local-secret" };

/** One attempt: a test wants to see the error, not the retry. */
export const sqsClient = (endpoint: string) =>
  new SQSClient({ endpoint, region: REGION, credentials: CREDENTIALS, maxAttempts: 1 });

export async function testSqs(options: Partial<LocalSqsOptions> = {}) {
  const clock = new ManualClock(Math.floor(Date.now() / 1_000) * 1_000);
  const data = await mkdtemp(join(tmpdir(), "local-sqs-"));
  const all = { data, port: 0, region: REGION, credentials: CREDENTIALS, clock, ...options };
  let server = await startSqs(all);
  let client = sqsClient(server.url);
  return {
    clock,
    data,
    get url() {
      return server.url;
    },
    get client() {
      return client;
    },
    deliver: (arn: string, body: string) => server.send(arn, body),
    /** Stops and starts again on the same folder. */
    async restart(changed: Partial<LocalSqsOptions> = {}) {
      client.destroy();
      await server.close();
      server = await startSqs({ ...all, ...changed });
      client = sqsClient(server.url);
    },
    async close() {
      client.destroy();
      await server.close();
      await rm(data, { recursive: true });
    },
  };
}
