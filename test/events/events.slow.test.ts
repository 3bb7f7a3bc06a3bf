/** Every sample event through the deployed handler, on the real local S3 and SQS. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test, { after, before } from "node:test";
import type { SQSEvent } from "aws-lambda";
import { SignJWT } from "jose";
import { metricTable } from "../../adapters/aws/metrics.ts";
import { mintToken } from "../../adapters/http/mint.ts";
import type { Scope } from "../../core/caller.ts";
import { DELIVERIES, receiverKey, receiverOf } from "../../core/keys.ts";
import { rows } from "../../docs/openapi.ts";
import { readTemplate } from "../../host/template.ts";
import { EVENTS, sampleEvents } from "./cases.ts";
import { type Deployed, startDeployed } from "./deployed.ts";
import { assertRoutesAsDescribed, seen } from "./described.ts";
import { privateLives } from "./private.ts";
import { queueGrantFor } from "./roles.ts";

let deployed: Deployed;

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
  deployed = await startDeployed();
});
after(async () => {
  await deployed?.close();
  process.stdout.write = write;
  delete process.env["METRICS_SERVICE"];
});

for (const sample of sampleEvents) test(sample.name, () => deployed.play(sample));

test("docs/openapi.ts describes every route as it is, and no answer that no sample event is given", async () => {
  const { stack } = deployed;
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
  const { stack, world, refusing } = deployed;
  const as = (fn: string, event: unknown) => deployed.as(fn, () => stack.invoke(fn, event));
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
  const headers = { authorization: `Bearer ${stack.adminToken}` };
  const answer = await deployed.as("webhooks", () =>
    fetch(`${stack.api}/admin/webhooks/failed`, { method: "POST", headers }),
  );
  assert.equal(answer.status, 202);
  assert.deepEqual(await parked(), []);
});

test("private images, within the roles' rights", async () => {
  const { stack, world, refusing } = deployed;
  const as = (fn: string, event: unknown) => deployed.as(fn, () => stack.invoke(fn, event));
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
  const { grants, used } = deployed;
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
    "imports: s3:ListBucket on MediaBucket",
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
