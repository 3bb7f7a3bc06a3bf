/** Every sample event through the deployed handler, on the real local S3 and SQS. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { s3Client, s3Store } from "../../adapters/aws/s3-store.ts";
import { readTemplate } from "../../host/template.ts";
import { fillPlaceholders } from "../../laptop/placeholders.ts";
import { type SampleWorld, samples, samplesIn, seedSamples } from "../../laptop/samples.ts";
import { type Stack, startStack } from "../../laptop/stack.ts";
import { assertOutcome, EVENTS, expectations, sampleEvents } from "./cases.ts";
import { type Grant, grantFor, grantsOf, queueGrantFor } from "./roles.ts";

let stack: Stack;
let world: SampleWorld;
const data = mkdtempSync(join(tmpdir(), "darkroom-events-"));
/** Whose rights hold at the moment; while samples are made, nobody's. */
let running: string | undefined;
const used = new Set<Grant>();
const grants = new Map(sampleEvents.map(({ fn }) => [fn, grantsOf(fn)]));

before(async () => {
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
  });
}

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
    // Here is no CDN.
    "events: cloudfront:CreateInvalidation on distribution/MediaDistribution",
    // Without it S3 says 403 instead of 404 for an original that is gone, which this server does not imitate.
    "failures: s3:ListBucket on UploadsBucket",
    "multipart: s3:ListBucket on UploadsBucket",
    // Calls nobody: this right is what its signatures are worth.
    "presign: s3:PutObject on UploadsBucket/originals/*",
    "reprocess: s3:ListBucket on MediaBucket",
    // Messages lost on their way and dead letters, which no sample makes.
    "sweep: sqs:SendMessage on BackfillQueue",
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
    headers: ["authorization", "if-none-match"],
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
