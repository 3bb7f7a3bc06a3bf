/** Lambda's recursion detection on a laptop: the chain travels as on AWS, through AWS's own client and SQS's header. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { pathToFileURL } from "node:url";
import { CreateQueueCommand } from "@aws-sdk/client-sqs";
import { type LocalSqs, startSqs } from "local-aws/sqs";
import { sqsClient, sqsQueue } from "../../adapters/aws/sqs-queue.ts";
import type { Queue } from "../../core/ports.ts";
import { type Invoke, lambda } from "../../host/lambda.ts";
import { hopsOf, MAX_HOPS, nextTrace } from "../../host/lineage.ts";
import { type QueueTrigger, queueTrigger } from "../../host/queue-trigger.ts";

const region = "eu-central-1";
const credentials = { accessKeyId: "local", secretAccessKey: "local-secret" };
const data = mkdtempSync(join(tmpdir(), "darkroom-recursion-"));
const client = () => sqsClient({ endpoint: server.url, region, credentials });
let server: LocalSqs;
before(async () => {
  writeFileSync(join(data, "function.mjs"), "export const handler = (event) => event();\n");
  server = await startSqs({ data, port: 0, region, credentials });
  process.env["AWS_LAMBDA_FUNCTION_NAME"] = "local";
});
after(async () => {
  await server.close();
  rmSync(data, { recursive: true });
});

async function queue(QueueName: string): Promise<Queue> {
  const { QueueUrl = "" } = await client().send(new CreateQueueCommand({ QueueName }));
  return sqsQueue(client(), QueueUrl);
}

/** A function whose event is code; what it sends goes the way that a handler's messages go. */
const functionCalled = (name: string): Invoke =>
  lambda(
    {
      name,
      file: "function.mjs",
      timeoutSeconds: 60,
      memoryMb: 128,
      routes: [],
      sources: [],
      schedules: [],
      mayRecurse: false,
    },
    pathToFileURL(`${data}/`),
  );

/** Runs `act` for every message until `end` is called. */
async function consume(
  of: Queue,
  name: string,
  act: (body: string, end: () => void) => Promise<unknown>,
  recursion: { name: string; deadLetters: Pick<Queue, "send"> } | undefined,
): Promise<void> {
  const run = functionCalled(name);
  let trigger: QueueTrigger | undefined;
  await new Promise<void>((resolve) => {
    const invoke: Invoke = async (event, chain) => {
      const { Records } = event as { Records: { body: string }[] };
      return run(async () => void (await act(Records[0]?.body ?? "", resolve)), chain);
    };
    const deadLetters = recursion && {
      ...recursion,
      deadLetters: {
        async send(body: string) {
          await recursion.deadLetters.send(body);
          resolve();
        },
      },
    };
    trigger = queueTrigger(invoke, {
      queue: of,
      arn: `arn:aws:sqs:${region}:000000000000:${name}`,
      batchSize: 1,
      concurrency: 1,
      recursion: deadLetters,
      log: () => {},
    });
  });
  await trigger?.close(60_000);
}

test("a function that sends to its own queue is cut after 16 invocations, its message a dead letter", async () => {
  const [own, letters] = [await queue("loop"), await queue("loop-dead-letters")];
  const sender = sqsQueue(client(), `${server.url}/000000000000/loop`);
  let invocations = 0;
  await own.send("0");
  await consume(
    own,
    "loop",
    async (body) => {
      invocations++;
      // Several at once, as another invocation's clients may be at work meanwhile.
      await Promise.all([sender.sendMany([String(Number(body) + 1)]), sender.backlog()]);
    },
    { name: "loop", deadLetters: letters },
  );
  assert.equal(invocations, MAX_HOPS);
  const [letter] = await letters.receive({ max: 1 });
  assert.equal(letter?.body, String(MAX_HOPS));
  assert.equal(await own.backlog(), 0);
});

test("a function that may recurse goes on, and so does what runs off Lambda", async () => {
  const own = await queue("free");
  const sender = sqsQueue(client(), `${server.url}/000000000000/free`);
  await own.send("0");
  await consume(
    own,
    "free",
    async (body, end) => (Number(body) === 2 * MAX_HOPS ? end() : sender.send(String(Number(body) + 1))),
    undefined,
  );
});

test("each function is counted by itself, along the longest chain of a batch", () => {
  const one = nextTrace("worker");
  const three = nextTrace("worker", [nextTrace("worker", [one])]);
  assert.deepEqual(
    [hopsOf("worker", [one]), hopsOf("worker", [three]), hopsOf("events", [three])],
    [1, 3, 0],
  );
  const next = nextTrace("events", [
    one,
    undefined,
    three,
    "Root=1-5759e988-bd862e3fe1be46a994272793",
    "nonsense",
  ]);
  assert.deepEqual([hopsOf("worker", [next]), hopsOf("events", [next])], [3, 1]);
  assert.match(
    next,
    /^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0;Lineage=[0-9a-f]{8}:3\|/,
  );
});

test("invocations side by side have their own chains", async () => {
  const [first, second] = [await queue("first"), await queue("second")];
  const run = functionCalled("both");
  const send = (to: Queue) => run(() => Promise.all([to.send("1"), to.send("2")]), [nextTrace("both")]);
  const fresh = run(() => second.send("1"));
  await Promise.all([send(first), fresh, send(first)]);
  const chains = async (of: Queue) =>
    (await of.receive({ max: 10 })).map(({ trace }) => hopsOf("both", [trace]));
  assert.deepEqual([await chains(first), await chains(second)], [[2, 2, 2, 2], [1]]);
});
