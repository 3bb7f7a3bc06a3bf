/** What sample events are, and one of each function through the deployed handler; all of them in events.slow. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { samples, samplesIn } from "../../laptop/samples.ts";
import { EVENTS, expectations, sampleEvents } from "./cases.ts";
import { startDeployed } from "./deployed.ts";

test("one event of each function, within the rights of its role", async (t) => {
  const deployed = await startDeployed();
  t.after(() => deployed.close());
  const first = new Map(sampleEvents.toReversed().map((sample) => [sample.fn, sample]));
  for (const sample of first.values()) await t.test(sample.name, () => deployed.play(sample));
});

test("every stated outcome belongs to an event, and every sample to an event", () => {
  assert.deepEqual(Object.keys(expectations).sort(), sampleEvents.map(({ name }) => name).sort());
  const spokenOf = new Set(sampleEvents.flatMap(({ event }) => samplesIn(event)));
  assert.deepEqual(
    Object.keys(samples).filter((id) => !spokenOf.has(id)),
    [],
  );
});

test("an event holds what handlers read, and nothing else", () => {
  const read = {
    http: [
      "body",
      "headers",
      "isBase64Encoded",
      "pathParameters",
      "queryStringParameters",
      "requestContext",
      "routeKey",
    ],
    headers: ["accept", "authorization", "if-match", "if-none-match"],
    requestContext: ["requestId"],
    record: ["attributes", "body", "eventSourceARN", "messageId", "receiptHandle"],
    attributes: ["ApproximateReceiveCount", "SentTimestamp"],
  };
  type Fields = Readonly<Record<string, unknown>>;
  const strange = ({ name, event }: (typeof sampleEvents)[number]) => {
    const unread = (what: keyof typeof read, fields: unknown) =>
      Object.keys(Object(fields)).flatMap((key) =>
        read[what].includes(key) ? [] : `${name}: ${what} ${key}`,
      );
    const { Records, ...fields } = event as { Records?: readonly Fields[] } & Fields;
    if ("routeKey" in fields)
      return [
        ...unread("http", fields),
        ...unread("headers", fields["headers"]),
        ...unread("requestContext", fields["requestContext"]),
      ];
    return (Records ?? []).flatMap((record) => [
      ...unread("record", record),
      ...unread("attributes", record["attributes"]),
    ]);
  };
  assert.deepEqual(sampleEvents.flatMap(strange), []);
});

test("the README lists every event", () => {
  const readme = readFileSync(new URL("README.md", EVENTS), "utf8");
  const listed = [...readme.matchAll(/^\| `([a-z]+\.[a-z0-9-]+)` \|/gm)].map(([, name]) => name);
  assert.deepEqual(listed.sort(), sampleEvents.map(({ name }) => name).sort());
});
