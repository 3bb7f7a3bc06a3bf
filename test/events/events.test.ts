/** Every sample event through the deployed handler, on the real local S3 and SQS. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import type { SQSEvent } from "aws-lambda";
import { SignJWT } from "jose";
import { metricTable } from "../../adapters/aws/metrics.ts";
import { s3Client, s3Store } from "../../adapters/aws/s3-store.ts";
import { mintToken } from "../../adapters/http/mint.ts";
import type { Scope } from "../../core/caller.ts";
import { DELIVERIES, receiverKey, receiverOf } from "../../core/keys.ts";
import { rows } from "../../docs/openapi.ts";
import { readTemplate } from "../../host/template.ts";
import { fillPlaceholders } from "../../laptop/placeholders.ts";
import { type SampleWorld, samples, samplesIn, seedSamples } from "../../laptop/samples.ts";
import { type Stack, startStack } from "../../laptop/stack.ts";
import { Receiver } from "../receiver.ts";
import { assertOutcome, EVENTS, expectations, sampleEvents } from "./cases.ts";
import { assertDescribed, assertRoutesAsDescribed, seen } from "./described.ts";
import { privateLives } from "./private.ts";
import { type Grant, grantFor, grantsOf, queueGrantFor } from "./roles.ts";

let stack: Stack;
let world: SampleWorld;
const data = mkdtempSync(join(tmpdir(), "darkroom-events-"));
/** Whose rights hold at the moment; while samples are made, nobody's. */
let running: string | undefined;
const used = new Set<Grant>();
/** Configured as well, and takes nothing. */
let refusing: Receiver;
const grants = new Map(sampleEvents.map(({ fn }) => [fn, grantsOf(fn)]));

/** What was counted while samples ran: `ImagesRejected by service, code`. Powertools writes past `console.log`. */
const counted = new Set<string>();
const write = process.stdout.write.bind(process.stdout);
function listen(text: string | Uint8Array, ...rest: never[]): boolean {
  if (typeof text !== "string" || !text.includes('{"_aws"')) return write(text, ...rest);
  for (const line of text.split("\n").filter((one) => one.startsWith('{"_aws"')))
    for (const { Dimensions, Metrics } of (JSON.parse(line) as EmbeddedMetrics)._aws.CloudWatchMetrics)
      for (const { Name } of Metrics)
        for (const set of Dimensions) counted.add(`${Name} by ${set.join(", ")}`);
  return true;
}
interface EmbeddedMetrics {
  readonly _aws: {
    readonly CloudWatchMetrics: readonly {
      readonly Dimensions: readonly (readonly string[])[];
      readonly Metrics: readonly { readonly Name: string }[];
    }[];
  };
}

before(async () => {
  process.env["METRICS_SERVICE"] = "darkroom-test";
  process.stdout.write = listen;
  refusing = await Receiver.start();
  refusing.answer = ({ response }) => response.writeHead(500).end();
  process.env["WEBHOOK_URLS"] = refusing.url;
  stack = await startStack({
    port: 0,
    data,
    poll: false,
    logLevel: "error",
    s3Fault: denied,
    sqsFault: deniedQueue,
  });
  const s3 = s3Client({ forcePathStyle: true });
  const [bucket = "", media = ""] = [stack.env["UPLOADS_BUCKET"], stack.env["MEDIA_BUCKET"]];
  world = { s3, bucket, uploads: s3Store(s3, bucket), media: s3Store(s3, media), consumed: false };
});
after(async () => {
  world?.s3.destroy();
  await stack?.close();
  refusing?.close();
  process.stdout.write = write;
  for (const name of ["WEBHOOK_URLS", "METRICS_SERVICE"]) delete process.env[name];
  rmSync(data, { recursive: true, force: true });
});

/** A function may do what its role in `deploy/infra/roles.yml` says, and nothing else. */
function denied({
  method,
  bucket,
  key,
  query,
}: {
  method: string;
  bucket: string | undefined;
  key: string | undefined;
  query: ReadonlyMap<string, string>;
}) {
  if (running === undefined) return undefined;
  const logicalId = bucket === stack.env["UPLOADS_BUCKET"] ? "UploadsBucket" : "MediaBucket";
  const grant = grantFor(grants.get(running) ?? [], { method, bucket: logicalId, key, query });
  if (!grant) return { status: 403, code: "AccessDenied" };
  used.add(grant);
  return undefined;
}

function deniedQueue({ action, queue }: { action: string; queue: string }) {
  if (running === undefined) return undefined;
  const grant = queueGrantFor(grants.get(running) ?? [], action, queue);
  if (grant) used.add(grant);
  return grant ? undefined : "AccessDenied";
}

for (const sample of sampleEvents) {
  test(sample.name, async () => {
    const uploadIds = await seedSamples(sample.event, world);
    const secret = stack.env["AUTH_SECRET"] ?? "";
    const event = await fillPlaceholders(
      sample.event,
      secret,
      new Date(),
      uploadIds,
      stack.env["WEBHOOK_URLS"] ?? "",
    );
    running = sample.fn;
    const answer = await stack.invoke(sample.fn, event).finally(() => {
      running = undefined;
    });
    await assertOutcome(sample, answer, world);
    assertDescribed(event, answer);
  });
}

test("docs/openapi.ts describes every route as it is, and no answer that no sample event is given", async () => {
  const token = (scope: Scope[]) => mintToken(stack.env["AUTH_SECRET"] ?? "", "sample", scope, "1h");
  await assertRoutesAsDescribed(stack.api, { none: await token([]), all: await token(["upload", "admin"]) });
  const described = Object.entries(rows).flatMap(([route, { answers }]) =>
    Object.keys(answers).map((status) => `${route} ${status}`),
  );
  assert.deepEqual(
    described.filter((one) => !seen.has(one)),
    [],
  );
});

test("what a receiver refuses is parked, brought back, and told when it takes it, within the roles' rights", async () => {
  const as = async (fn: string, event: unknown) => {
    running = fn;
    await stack.invoke(fn, event).finally(() => {
      running = undefined;
    });
  };
  const sample = JSON.parse(readFileSync(new URL("events.deliver.json", EVENTS), "utf8")) as SQSEvent;
  const body = (darkroom: string, receives: number) => {
    const [record] = sample.Records;
    const message = { ...JSON.parse(record?.body ?? ""), darkroom, url: refusing.url, replay: true };
    const attributes = { ...record?.attributes, ApproximateReceiveCount: String(receives) };
    return { Records: [{ ...record, attributes, body: JSON.stringify(message) }] };
  };
  const parked = async () => (await world.uploads.list(DELIVERIES)).objects.map(({ key }) => key);
  const [schedule] = sampleEvents.filter(({ fn }) => fn === "parked");
  for (let time = 0; time < 5; time++) await as("events", body("deliver", 5));
  await as("events", body("event", 1));
  const before = await parked();
  assert.ok(before.length >= 2, "one that was tried, one that was not, as five before it were in vain");
  await as("parked", schedule?.event);
  assert.equal((await parked()).length, before.length - 1);
  refusing.answer = ({ response }) => response.writeHead(204).end();
  await as("events", body("deliver", 1));
  const again = { type: "image.ready", timestamp: "2026-11-20T12:00:01.000Z", parked: 1 };
  await world.uploads.put(before[0] ?? "", JSON.stringify(again));
  await as("parked", schedule?.event);
  assert.equal((await parked()).length, before.length - 1, "taken again: all that is due comes back");
  await world.uploads.put(receiverKey(receiverOf(refusing.url)), JSON.stringify({ parked: 5 }));
  running = "webhooks";
  const headers = { authorization: `Bearer ${stack.adminToken}` };
  const answer = await fetch(`${stack.api}/admin/webhooks/failed`, { method: "POST", headers });
  running = undefined;
  assert.equal(answer.status, 202);
  assert.deepEqual(await parked(), []);
});

test("private images, within the roles' rights", async () => {
  const as = async (fn: string, event: unknown) => {
    running = fn;
    return stack.invoke(fn, event).finally(() => {
      running = undefined;
    });
  };
  const scope = ["upload", "admin"];
  const token = await new SignJWT({ scope })
    .setProtectedHeader({ alg: "HS256" })
    .setSubject("sample")
    .setExpirationTime("1h")
    .sign(new TextEncoder().encode(stack.env["AUTH_SECRET"]));
  await privateLives({ as, world, token, receiver: receiverOf(refusing.url) });
});

test("everything that dashboard and alarms may look at is counted by some function", () => {
  const wanted = Object.entries(metricTable as Readonly<Record<string, { by?: string }>>).flatMap(
    ([name, { by }]) => [`${name} by service`, ...(by ? [`${name} by service, ${by}`] : [])],
  );
  assert.deepEqual(
    wanted.filter((one) => !counted.has(one)),
    [],
  );
});

test("every right of a role is needed by some event, or by the service that polls for the function", () => {
  for (const { name, sources } of readTemplate(new URL("../", EVENTS)).functions) {
    for (const { queue } of sources)
      for (const action of ["ReceiveMessage", "DeleteMessage", "GetQueueAttributes"]) {
        const grant = queueGrantFor(grants.get(name) ?? [], action, queue);
        assert.ok(grant, `${name} lacks sqs:${action} on ${queue}`);
        used.add(grant);
      }
  }
  const needless = [...grants].flatMap(([fn, rights]) =>
    rights.filter((grant) => !used.has(grant)).map(({ action, on }) => `${fn}: ${action} on ${on}`),
  );
  assert.deepEqual(needless.sort(), [
    // Without it S3 says 403 instead of 404 for what is not there, which this server does not imitate.
    "events: s3:ListBucket on UploadsBucket",
    "multipart: s3:ListBucket on UploadsBucket",
    // Here is no CDN.
    "parked: cloudfront:CreateInvalidation on distribution/MediaDistribution",
    "parked: s3:ListBucket on MediaBucket",
    "parked: s3:PutObject on UploadsBucket/forget/*",
    // Calls nobody: this right is what its signatures are worth.
    "presign: s3:PutObject on UploadsBucket/originals/*",
    "reprocess: s3:ListBucket on MediaBucket",
    // Of what two rounds a day apart have found: here everything is of today.
    "sweep: s3:DeleteObject on MediaBucket/homes/*",
    "sweep: s3:PutObject on MediaBucket/homes/*",
    // Only a job over more than 1,000 images has a second page.
    "sweep: s3:PutObject on UploadsBucket/jobs/open/*",
    "webhooks: s3:ListBucket on MediaBucket",
    "webhooks: sqs:ChangeMessageVisibility on EventsDeadLetters",
    "webhooks: sqs:DeleteMessage on EventsDeadLetters",
    // As with the queue of images, of which there is a sample.
    "worker: sqs:ChangeMessageVisibility on BackfillQueue",
  ]);
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
