import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import middy from "@middy/core";
import type { Context, SQSEvent } from "aws-lambda";
import { type Meter, meter } from "../../../adapters/aws/metrics.ts";

const NOW = Date.parse("2026-11-20T12:00:00Z");
const message = (receives: number, waitedMs: number) => ({
  attributes: { ApproximateReceiveCount: String(receives), SentTimestamp: String(NOW - waitedMs) },
});

interface Line {
  readonly _aws: {
    readonly CloudWatchMetrics: readonly {
      readonly Namespace: string;
      readonly Dimensions: readonly (readonly string[])[];
      readonly Metrics: readonly { readonly Name: string; readonly Unit: string }[];
    }[];
  };
  readonly [name: string]: unknown;
}

/** The lines that an invocation writes, in which `act` counts. */
async function linesOf(
  t: TestContext,
  service: string | undefined,
  act: (meter: Meter) => void,
): Promise<Line[]> {
  const before = process.env["METRICS_SERVICE"];
  if (service) process.env["METRICS_SERVICE"] = service;
  else delete process.env["METRICS_SERVICE"];
  const lines: string[] = [];
  // Powertools writes by a console of its own, past `console.log`.
  const write = t.mock.method(process.stdout, "write", (text: string) => {
    lines.push(...text.split("\n").filter((line) => line.startsWith('{"_aws"')));
    return true;
  });
  try {
    const measured = meter(() => NOW);
    const handler = middy<SQSEvent, void>()
      .use(measured.middleware)
      .handler(async () => act(measured));
    await handler({ Records: [] }, {} as Context);
  } finally {
    write.mock.restore();
    if (before === undefined) delete process.env["METRICS_SERVICE"];
    else process.env["METRICS_SERVICE"] = before;
  }
  return lines.map((line) => JSON.parse(line) as Line);
}

test("a batch becomes one line of CloudWatch's embedded metric format, under the stack's name", async (t) => {
  const [line, ...more] = await linesOf(t, "darkroom-test", (measured) => {
    measured.received({ Records: [message(1, 300), message(2, 9000)] } as unknown as SQSEvent);
    measured.outcome({
      id: "x",
      status: "ready",
      sourceBytes: 5_000_000,
      variantBytes: 900_000,
      variants: 20,
      durationMs: 812,
      readyMs: 2100,
    });
    measured.outcome({ id: "y", status: "ready", variants: 3 });
    measured.outcome({ status: "ignored", reason: "test event" });
  });
  assert.deepEqual(more, []);
  assert.ok(line);
  const [{ Namespace, Dimensions, Metrics } = { Namespace: "", Dimensions: [], Metrics: [] }] =
    line._aws.CloudWatchMetrics;
  assert.equal(Namespace, "Darkroom");
  assert.deepEqual(Dimensions, [["service"]]);
  assert.equal(line["service"], "darkroom-test");
  const values = Object.fromEntries(Metrics.map(({ Name, Unit }) => [`${Name} ${Unit}`, line[Name]]));
  assert.deepEqual(values, {
    "Messages Count": 2,
    // The second has been received before: what it waited for was its back-off.
    "QueueTime Milliseconds": 300,
    "ImagesReady Count": [1, 1],
    "MessagesIgnored Count": 1,
    "TimeToReady Milliseconds": 2100,
    "DevelopTime Milliseconds": 812,
    "BytesIn Bytes": 5_000_000,
    "BytesOut Bytes": 900_000,
    "Variants Count": [20, 3],
  });
});

test("what was rejected or failed counts as a whole and by its code", async (t) => {
  const lines = await linesOf(t, "darkroom-test", (measured) => {
    measured.outcome({ id: "x", status: "rejected", reason: "corrupt" });
    measured.outcome({ id: "y", status: "failed", reason: "retries-exhausted" });
  });
  const found = lines.flatMap((line) =>
    line._aws.CloudWatchMetrics.flatMap(({ Dimensions, Metrics }) =>
      Metrics.map(({ Name }) => `${Name} by ${Dimensions.flat().join()} ${line["code"] ?? ""}`.trim()),
    ),
  );
  assert.deepEqual(found.sort(), [
    "ImagesFailed by service",
    "ImagesFailed by service,code retries-exhausted",
    "ImagesRejected by service",
    "ImagesRejected by service,code corrupt",
  ]);
});

test("without a name nothing is counted, as on a laptop", async (t) => {
  assert.deepEqual(
    await linesOf(t, undefined, (measured) => {
      measured.outcome({ id: "x", status: "ready", variants: 3 });
      measured.count("Messages", 1);
    }),
    [],
  );
});
