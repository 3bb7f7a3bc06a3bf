/** What each function has to do with private images, so that its role is seen to let it. The samples speak of public ones. */
import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import type { SQSEvent } from "aws-lambda";
import { readRevision } from "../../core/commit.ts";
import { orderKey, resultKey } from "../../core/job-keys.ts";
import {
  deliveryKey,
  eventKey,
  homeOf,
  metaKey,
  newId,
  originalKey,
  SWEEP_KEY,
  variantKey,
} from "../../core/keys.ts";
import { countedBody, developBody } from "../../core/message.ts";
import type { Metadata } from "../../core/metadata.ts";
import { writeUploadMetadata } from "../../core/upload-metadata.ts";
import { cursorWith, type SampleWorld } from "../../laptop/samples.ts";
import { EVENTS } from "./cases.ts";

interface Running {
  /** Runs a function with its rights and no others. */
  readonly as: (fn: string, event: unknown) => Promise<unknown>;
  readonly world: SampleWorld;
  readonly token: string;
  readonly receiver: string;
}
const HOME = homeOf("sample");
const owned = writeUploadMetadata({ owner: "sample", preset: "photo", access: "private" });
const picture = readFileSync(new URL("originals/landscape.jpg", EVENTS));

const messages = (source: string, ...bodies: string[]): SQSEvent => {
  const { Records } = JSON.parse(readFileSync(new URL(`${source}.json`, EVENTS), "utf8")) as SQSEvent;
  const [record] = Records;
  assert.ok(record);
  return { Records: bodies.map((body) => ({ ...record, messageId: randomUUID(), body })) };
};

export async function privateLives({ as, world, token, receiver }: Running): Promise<void> {
  const { uploads, media, bucket } = world;
  const upload = async (id: string) =>
    (await uploads.put(originalKey(id), picture, { metadata: owned })).etag;
  const notified = (id: string, eventName: string, eTag?: string) =>
    JSON.stringify({
      Records: [
        {
          eventName,
          s3: { bucket: { name: bucket }, object: { key: originalKey(id), eTag, sequencer: "01" } },
        },
      ],
    });
  const http = (routeKey: string, id: string, body?: unknown) => ({
    ...{ routeKey, pathParameters: { id }, headers: { authorization: `Bearer ${token}` } },
    ...{ requestContext: { requestId: "private" }, ...(body ? { body: JSON.stringify(body) } : {}) },
  });
  const statusOf = async (id: string) => (await readRevision(media, id)).document?.status;
  const left = (id: string) => media.put(variantKey(id, "left", "0123456789abcdef", "webp", HOME), "");
  const [ready, lost, failed, deleted] = [0, 0, 0, 0].map(() => newId(randomBytes)) as [
    string,
    string,
    string,
    string,
  ];

  await as("worker", messages("worker.put", notified(ready, "ObjectCreated:Put", await upload(ready))));
  assert.equal(await statusOf(ready), "ready");
  assert.ok(await media.head(metaKey(ready, HOME)));
  assert.equal(await media.head(metaKey(ready)), undefined);
  const { body } = (await as("images", http("GET /images/{id}", ready))) as { body: string };
  const signed = JSON.parse(body) as Metadata & { signedUntil: string };
  assert.ok(signed.signedUntil);
  for (const url of [...signed.variants.map(({ url }) => url), signed.picture?.img.src ?? ""]) {
    assert.equal((await fetch(url)).status, 200);
    assert.equal((await fetch(url.replace(/\?.*/, ""))).status, 403);
  }
  const dryRun = { select: { ids: [ready], status: "stale" }, dryRun: true };
  await as("reprocess", http("POST /admin/reprocess", ready, dryRun));
  const told = { id: ready, rev: 1, type: "image.ready", at: new Date() };
  await uploads.put(eventKey(told), JSON.stringify({ ...told, timestamp: told.at.toISOString() }));
  await as("webhooks", http("POST /admin/webhooks/replay", ready, { id: ready }));
  const due = deliveryKey({ ...told, receiver, due: new Date(0) });
  await uploads.put(due, JSON.stringify({ type: told.type, timestamp: told.at.toISOString(), parked: 1 }));
  await as("parked", JSON.parse(readFileSync(new URL("parked.scheduled.json", EVENTS), "utf8")));

  await as("failures", messages("failures.put", notified(failed, "ObjectCreated:Put", await upload(failed))));
  assert.equal(await statusOf(failed), "failed");
  // Of no other document than one that lies elsewhere is it known whose it is.
  await uploads.delete(originalKey(failed));
  await as("failures", messages("failures.put", notified(failed, "ObjectRemoved:Delete")));

  await upload(deleted);
  await as("images", http("DELETE /images/{id}", deleted));
  assert.equal(await statusOf(deleted), "deleted");
  for (const fn of ["images", "failures", "worker"]) {
    await left(deleted);
    await upload(deleted);
    if (fn === "images") await as(fn, http("DELETE /images/{id}", deleted));
    else await as(fn, messages(`${fn}.put`, notified(deleted, "ObjectCreated:Put", await upload(deleted))));
    assert.deepEqual((await media.list(`private/${HOME}/${deleted}/`)).objects.length, 1, fn);
  }
  await importAgain(deleted, { as, world });
  await uploads.delete(originalKey(ready));
  const gone = await as("images", http("GET /images/{id}", ready));
  assert.equal((gone as { statusCode: number }).statusCode, 200);
  await as("worker", messages("worker.put", notified(ready, "ObjectRemoved:Delete")));
  assert.ok((await readRevision(media, ready)).document?.source?.gone);
  await upload(ready);
  // The preset of the samples has its images in public: a job takes it there.
  await as("worker", messages("worker.put", developBody({ id: ready, force: false, retry: false })));
  assert.ok(await media.head(metaKey(ready)));

  // Left of a delete, and an original that is gone: the sweep comes upon both.
  await as("images", http("DELETE /images/{id}", ready));
  await as("worker", messages("worker.put", notified(lost, "ObjectCreated:Put", await upload(lost))));
  await uploads.delete(originalKey(lost));
  await left(deleted);
  await uploads.put(SWEEP_KEY, JSON.stringify(cursorWith(deleted)));
  await as("sweep", { begin: true });
  assert.deepEqual((await media.list(`private/${HOME}/${deleted}/`)).objects.length, 1, "sweep");
  assert.ok((await readRevision(media, lost)).document?.source?.gone);
}

/** What was deleted where only its owner saw it is not fetched anew, wherever its preset has its images today. */
async function importAgain(id: string, { as, world: { uploads } }: Pick<Running, "as" | "world">) {
  const [job, label] = ["8204823999999pr1vate", "0000000-1"];
  const urls = [{ id, url: "http://127.0.0.1:9/a.jpg", owner: "sample", preset: "photo" }];
  const order = { schema: 1, job, action: "import", select: { ids: [id] }, urls, force: false };
  await uploads.put(orderKey(job), JSON.stringify({ ...order, startedAt: "2026-11-20", recipes: {} }));
  await as("imports", messages("imports.again", countedBody({ kind: "fetch", id, counted: { job, label } })));
  assert.equal((await uploads.head(resultKey(job, label, id)))?.metadata["code"], "gone");
}
