/** Versions, as "Using versioning in S3 buckets" and the operations' own pages describe them. */
import assert from "node:assert/strict";
import test from "node:test";
import * as s3 from "@aws-sdk/client-s3";
import { call, startFixture } from "./fixture.ts";

const fixture = await startFixture();
const { client } = fixture;
const QUEUE = "arn:aws:sqs:eu-central-1:000000000000:told";

let buckets = 0;
/** A bucket of its own for each test. */
async function bucketWith(...statuses: ("Enabled" | "Suspended")[]) {
  const Bucket = `versions-${buckets++}`;
  await client.send(new s3.CreateBucketCommand({ Bucket }));
  const set = (Status: "Enabled" | "Suspended") =>
    client.send(new s3.PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status } }));
  for (const status of statuses) await set(status);
  const put = async (Key: string, Body: string, more: Partial<s3.PutObjectCommandInput> = {}) =>
    client.send(new s3.PutObjectCommand({ Bucket, Key, Body, ...more }));
  const get = async (Key: string, VersionId?: string) =>
    (await client.send(new s3.GetObjectCommand({ Bucket, Key, VersionId }))).Body?.transformToString();
  const remove = (Key: string, VersionId?: string) =>
    client.send(new s3.DeleteObjectCommand({ Bucket, Key, VersionId }));
  const list = (more: Partial<s3.ListObjectVersionsCommandInput> = {}) =>
    client.send(new s3.ListObjectVersionsCommand({ Bucket, ...more }));
  /** Newest first: `V` a version, `D` a marker, `*` the latest. */
  const seen = async (Key: string) => {
    const { Versions = [], DeleteMarkers = [] } = await list({ Prefix: Key });
    const all = [
      ...Versions.map((one) => ["V", one] as const),
      ...DeleteMarkers.map((one) => ["D", one] as const),
    ];
    return all
      .map(([kind, { IsLatest }]) => `${kind}${IsLatest ? "*" : ""}`)
      .sort()
      .join(" ");
  };
  return { Bucket, set, put, get, remove, list, seen };
}

const refused = (promise: Promise<unknown>, name: string, status: number) =>
  assert.rejects(promise, (error: s3.S3ServiceException) => {
    assert.deepEqual([error.name, error.$metadata.httpStatusCode], [name, status]);
    return true;
  });

test("a bucket keeps none until it is told to, and says so", async () => {
  const { Bucket, set, put, remove, get, seen } = await bucketWith();
  const status = async () => (await client.send(new s3.GetBucketVersioningCommand({ Bucket }))).Status;
  assert.equal(await status(), undefined);
  assert.equal((await put("a", "1")).VersionId, undefined);
  await set("Enabled");
  assert.equal(await status(), "Enabled");
  // What was there before is the version that has no name.
  assert.equal(await get("a", "null"), "1");
  await put("a", "2");
  assert.deepEqual([await get("a"), await get("a", "null"), await seen("a")], ["2", "1", "V V*"]);
  assert.equal((await remove("a")).DeleteMarker, true);
  await refused(
    client.send(
      new s3.PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Off" as "Enabled" } }),
    ),
    "IllegalVersioningConfigurationException",
    400,
  );
});

test("every write is a version, and each can be read, with what belongs to it", async () => {
  const { Bucket, put, get } = await bucketWith("Enabled");
  const first = await put("a", "one", { ContentType: "text/one", Metadata: { owner: "anna" } });
  const second = await put("a", "two");
  assert.ok(first.VersionId && second.VersionId && first.VersionId !== second.VersionId);
  assert.deepEqual([await get("a"), await get("a", first.VersionId)], ["two", "one"]);
  const head = await client.send(new s3.HeadObjectCommand({ Bucket, Key: "a", VersionId: first.VersionId }));
  assert.deepEqual(
    [head.ContentType, head.Metadata?.["owner"], head.VersionId, head.ETag],
    ["text/one", "anna", first.VersionId, first.ETag],
  );
  assert.equal(
    (await client.send(new s3.HeadObjectCommand({ Bucket, Key: "a" }))).VersionId,
    second.VersionId,
  );
});

test("a delete hides, and what it hid can be read by its version; a read of the marker is refused", async () => {
  const { Bucket, put, get, remove, seen } = await bucketWith("Enabled");
  const { VersionId } = await put("a", "one");
  const marker = await remove("a");
  assert.ok(marker.DeleteMarker && marker.VersionId);
  await refused(get("a"), "NoSuchKey", 404);
  const raw = await call(fixture, { path: `/${Bucket}/a` });
  assert.deepEqual([raw.status, raw.headers["x-amz-delete-marker"]], [404, "true"]);
  assert.equal(await get("a", VersionId), "one");
  const ofMarker = await call(fixture, { path: `/${Bucket}/a?versionId=${marker.VersionId}` });
  assert.deepEqual(
    [ofMarker.status, ofMarker.code, ofMarker.headers["x-amz-delete-marker"], ofMarker.headers["allow"]],
    [405, "MethodNotAllowed", "true", "DELETE"],
  );
  assert.deepEqual((await client.send(new s3.ListObjectsV2Command({ Bucket }))).Contents ?? [], []);
  // Once more, and of what never was: a marker each.
  await remove("a");
  assert.equal(await seen("a"), "D D* V");
  assert.equal((await remove("never")).DeleteMarker, true);
  assert.equal(await seen("never"), "D*");
});

test("a marker that is removed shows again what it hid; a version that is, shows the one before", async () => {
  const { put, get, remove, seen } = await bucketWith("Enabled");
  await put("a", "one");
  const second = await put("a", "two");
  const marker = await remove("a");
  const gone = await remove("a", marker.VersionId);
  assert.deepEqual([gone.DeleteMarker, gone.VersionId], [true, marker.VersionId]);
  assert.equal(await get("a"), "two");
  assert.equal((await remove("a", second.VersionId)).DeleteMarker, undefined);
  assert.deepEqual([await get("a"), await seen("a")], ["one", "V*"]);
  await refused(get("a", second.VersionId), "NoSuchVersion", 404);
  // Again, and of none: the same answer.
  assert.equal((await remove("a", second.VersionId)).$metadata.httpStatusCode, 204);
  for (const version of ["short", "x".repeat(33), "../etc"])
    await refused(get("a", version), "InvalidArgument", 400);
});

test("conditions are those of the current version: where a marker is, nothing is", async () => {
  const { put, remove, get } = await bucketWith("Enabled");
  const { ETag } = await put("a", "one", { IfNoneMatch: "*" });
  await refused(put("a", "two", { IfNoneMatch: "*" }), "PreconditionFailed", 412);
  await remove("a");
  await refused(put("a", "two", { IfMatch: ETag }), "NoSuchKey", 404);
  await put("a", "three", { IfNoneMatch: "*" });
  assert.equal(await get("a"), "three");
});

test("a version is copied over what is there, with all that belongs to it", async () => {
  const { Bucket, put, get, remove } = await bucketWith("Enabled");
  const { VersionId, ETag } = await put("a", "one", { Metadata: { owner: "anna" }, ContentType: "image/x" });
  const marker = await remove("a");
  const copy = (version: string | undefined) =>
    client.send(
      new s3.CopyObjectCommand({ Bucket, Key: "a", CopySource: `${Bucket}/a?versionId=${version}` }),
    );
  await refused(copy(marker.VersionId), "InvalidRequest", 400);
  const copied = await copy(VersionId);
  assert.equal(copied.CopySourceVersionId, VersionId);
  assert.equal(await get("a"), "one");
  const head = await client.send(new s3.HeadObjectCommand({ Bucket, Key: "a" }));
  assert.deepEqual([head.Metadata, head.ContentType, head.ETag], [{ owner: "anna" }, "image/x", ETag]);
});

test("suspended, a bucket keeps what it has and one version without a name", async () => {
  const { set, put, get, remove, seen } = await bucketWith("Enabled");
  const { VersionId } = await put("a", "kept");
  await set("Suspended");
  assert.equal((await put("a", "null 1")).VersionId, "null");
  await put("a", "null 2");
  assert.deepEqual([await get("a"), await get("a", VersionId), await seen("a")], ["null 2", "kept", "V V*"]);
  assert.equal((await remove("a")).VersionId, "null");
  assert.equal(await seen("a"), "D* V");
  await remove("a", "null");
  assert.equal(await get("a"), "kept");
});

test("versions are listed by key and newest first, in pages", async () => {
  const { put, remove, list } = await bucketWith("Enabled");
  for (const key of ["a", "b/1", "b/2"]) for (const body of ["1", "2", "3"]) await put(key, body);
  await remove("b/1");
  const all: string[] = [];
  let page: Partial<s3.ListObjectVersionsCommandInput> = {};
  for (let more = true; more; ) {
    const answer = await list({ MaxKeys: 2, ...page });
    const rows = [...(answer.Versions ?? []), ...(answer.DeleteMarkers ?? [])];
    assert.ok(rows.length <= 2);
    all.push(...rows.map(({ Key, VersionId }) => `${Key} ${VersionId}`));
    more = answer.IsTruncated ?? false;
    page = { KeyMarker: answer.NextKeyMarker, VersionIdMarker: answer.NextVersionIdMarker };
  }
  assert.equal(new Set(all).size, 10);
  assert.deepEqual([...new Set(all.map((one) => one.split(" ")[0]))], ["a", "b/1", "b/2"]);
  assert.deepEqual((await list({ Prefix: "b/", KeyMarker: "b/1" })).Versions?.length, 3);
  await refused(list({ VersionIdMarker: "x" }), "InvalidArgument", 400);
});

test("several are deleted at once, by version too", async () => {
  const { Bucket, put, get, seen } = await bucketWith("Enabled");
  const { VersionId } = await put("a", "one");
  await put("b", "one");
  const answer = await client.send(
    new s3.DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: "a", VersionId }, { Key: "b" }] } }),
  );
  const [a, b] = answer.Deleted ?? [];
  assert.deepEqual([a?.VersionId, a?.DeleteMarker, b?.DeleteMarker], [VersionId, undefined, true]);
  await refused(get("b"), "NoSuchKey", 404);
  assert.deepEqual([await seen("a"), await seen("b")], ["", "D* V"]);
});

test("parts make a version as well; a bucket with versions is not empty; all of it outlives a restart", async () => {
  const { Bucket, put, get, remove, list } = await bucketWith("Enabled");
  const { UploadId } = await client.send(new s3.CreateMultipartUploadCommand({ Bucket, Key: "p" }));
  const { ETag } = await client.send(
    new s3.UploadPartCommand({ Bucket, Key: "p", UploadId, PartNumber: 1, Body: "part" }),
  );
  const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] };
  const made = await client.send(
    new s3.CompleteMultipartUploadCommand({ Bucket, Key: "p", UploadId, MultipartUpload }),
  );
  assert.ok(made.VersionId);
  const old = await put("a", "one");
  await put("a", "two");
  for (const key of ["a", "p"]) await remove(key);
  await fixture.restart();
  assert.deepEqual([await get("p", made.VersionId), await get("a", old.VersionId)], ["part", "one"]);
  await refused(client.send(new s3.DeleteBucketCommand({ Bucket })), "BucketNotEmpty", 409);
  const { Versions = [], DeleteMarkers = [] } = await list();
  for (const { Key = "", VersionId } of [...Versions, ...DeleteMarkers]) await remove(Key, VersionId);
  await client.send(new s3.DeleteBucketCommand({ Bucket }));
});

test("notifications say which version, and that a delete has only hidden", async () => {
  const { Bucket, put, remove } = await bucketWith("Enabled");
  await client.send(
    new s3.PutBucketNotificationConfigurationCommand({
      Bucket,
      NotificationConfiguration: {
        QueueConfigurations: [{ QueueArn: QUEUE, Events: ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"] }],
      },
    }),
  );
  const { VersionId } = await put("a", "one");
  const marker = await remove("a");
  await remove("a", VersionId);
  await remove("a", marker.VersionId);
  const told = () =>
    fixture.sent.flatMap(({ body }) => {
      const [record] = JSON.parse(body).Records ?? [];
      return record?.s3.bucket.name === Bucket ? [`${record.eventName} ${record.s3.object.versionId}`] : [];
    });
  for (let looks = 0; told().length < 4 && looks < 100; looks++)
    await new Promise((done) => setImmediate(done));
  assert.deepEqual(told(), [
    `ObjectCreated:Put ${VersionId}`,
    `ObjectRemoved:DeleteMarkerCreated ${marker.VersionId}`,
    `ObjectRemoved:Delete ${VersionId}`,
    `ObjectRemoved:Delete ${marker.VersionId}`,
  ]);
});
