import assert from "node:assert/strict";
import test from "node:test";
import * as sdk from "@aws-sdk/client-s3";
import { call, failure, startFixture } from "./fixture.ts";

const fixture = await startFixture();
const { client } = fixture;
const Bucket = "routes";
await client.send(new sdk.CreateBucketCommand({ Bucket }));
await client.send(new sdk.PutObjectCommand({ Bucket, Key: "key", Body: "as it was" }));

/** Operations of S3 that are there; the tests beside this one say how they behave. */
const implemented = new Set(
  `AbortMultipartUpload CompleteMultipartUpload CopyObject CreateBucket CreateMultipartUpload DeleteBucket DeleteBucketCors
   DeleteBucketEncryption DeleteBucketLifecycle DeleteBucketOwnershipControls DeleteBucketPolicy DeleteBucketTagging DeleteObject
   DeleteObjects DeletePublicAccessBlock GetBucketCors GetBucketEncryption GetBucketLifecycleConfiguration GetBucketLocation
   GetBucketNotificationConfiguration GetBucketOwnershipControls GetBucketPolicy GetBucketTagging GetBucketVersioning GetObject
   GetPublicAccessBlock HeadBucket HeadObject ListBuckets ListMultipartUploads ListObjectVersions ListObjects ListObjectsV2 ListParts PutBucketCors
   PutBucketEncryption PutBucketLifecycleConfiguration PutBucketNotificationConfiguration PutBucketOwnershipControls PutBucketPolicy
   PutBucketTagging PutBucketVersioning PutObject PutPublicAccessBlock UploadPart UploadPartCopy`.split(
    /\s+/,
  ),
);
/** These go to other hosts than S3's. */
const elsewhere = new Set(["ListDirectoryBuckets", "WriteGetObjectResponse"]);

/** The SDK's own table of operations: kind 9, then their HTTP form among the traits. */
const operations = Object.entries(sdk).flatMap(([name, schema]) => {
  if (!Array.isArray(schema) || schema[0] !== 9) return [];
  const [method, template] = (schema[3] as unknown as { http: [string, string] }).http;
  return [{ name: name.replace("$", ""), method, path: `/routes${template.replace("/{Key+}", "/key")}` }];
});

test("every operation that the SDK knows is there, or says that it is not: none is taken for another", async () => {
  assert.ok(operations.length > 100, "the SDK's table is where it was");
  for (const name of implemented)
    assert.ok(
      operations.some((one) => one.name === name),
      name,
    );
  const missing = operations.filter(({ name }) => !implemented.has(name) && !elsewhere.has(name));
  assert.ok(missing.length > 50);
  for (const { name, method, path } of missing) {
    const answer = await call(fixture, {
      method,
      path: path.replace(/([?&][^=&]+)(?=&|$)/g, "$1="),
      body: "<Not/>",
    });
    assert.deepEqual([answer.status, answer.code], [501, "NotImplemented"], name);
    const [, sub = ""] = path.split(/[?&]/);
    assert.match(answer.body, new RegExp(`\\?${sub}\\b`), `${name} names what is missing`);
  }
  assert.equal((await call(fixture, { path: "/routes/key" })).body, "as it was");
});

test("parameters that a write does not know are not disregarded", async () => {
  const code = async (method: string, path: string) =>
    (await call(fixture, { method, path, body: "x" })).code;
  assert.equal(await code("PUT", "/routes/key?brandnew="), "NotImplemented");
  assert.equal(await code("PUT", "/routes/key?brandnew=1"), "NotImplemented");
  assert.equal(await code("PUT", "/routes/key?partNumber=1"), "NotImplemented");
  assert.equal(await code("DELETE", "/routes/key?brandnew=1"), "NotImplemented");
  assert.equal(await code("GET", "/routes/key?brandnew="), "NotImplemented");
  assert.equal(await code("PUT", "/routes/key?uploadId=abc"), "NoSuchUpload");
  assert.equal(await code("GET", "/routes?cors=&policy="), "InvalidArgument");
  assert.equal(await code("PATCH", "/routes/key"), "MethodNotAllowed");
  assert.equal(await code("DELETE", "/"), "MethodNotAllowed");
  assert.equal(await code("POST", "/routes/key"), "MethodNotAllowed");
  assert.equal(await code("GET", "/routes/key?versionId=abc"), "InvalidArgument");
  assert.equal(await code("DELETE", "/routes/key?versionId=abc"), "InvalidArgument");
  for (const path of ["/routes/key?x-trace=1", "/routes/key?cache-buster=1", "/routes/key?versionId=null"]) {
    assert.equal((await call(fixture, { path })).body, "as it was", path);
  }
});

test("documents that are stored and given back", async () => {
  const stored: [put: Promise<unknown>, get: () => Promise<object>, expected: object][] = [
    [
      client.send(new sdk.PutBucketPolicyCommand({ Bucket, Policy: '{"Statement":[]}' })),
      () => client.send(new sdk.GetBucketPolicyCommand({ Bucket })),
      { Policy: '{"Statement":[]}' },
    ],
    [
      client.send(
        new sdk.PutBucketTaggingCommand({ Bucket, Tagging: { TagSet: [{ Key: "a", Value: "b & c" }] } }),
      ),
      () => client.send(new sdk.GetBucketTaggingCommand({ Bucket })),
      { TagSet: [{ Key: "a", Value: "b & c" }] },
    ],
    [
      client.send(
        new sdk.PutPublicAccessBlockCommand({
          Bucket,
          PublicAccessBlockConfiguration: { BlockPublicAcls: true },
        }),
      ),
      () => client.send(new sdk.GetPublicAccessBlockCommand({ Bucket })),
      { PublicAccessBlockConfiguration: { BlockPublicAcls: true } },
    ],
    [
      client.send(
        new sdk.PutBucketOwnershipControlsCommand({
          Bucket,
          OwnershipControls: { Rules: [{ ObjectOwnership: "BucketOwnerEnforced" }] },
        }),
      ),
      () => client.send(new sdk.GetBucketOwnershipControlsCommand({ Bucket })),
      { OwnershipControls: { Rules: [{ ObjectOwnership: "BucketOwnerEnforced" }] } },
    ],
    [
      client.send(
        new sdk.PutBucketEncryptionCommand({
          Bucket,
          ServerSideEncryptionConfiguration: {
            Rules: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: "AES256" } }],
          },
        }),
      ),
      () => client.send(new sdk.GetBucketEncryptionCommand({ Bucket })),
      {
        ServerSideEncryptionConfiguration: {
          Rules: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: "AES256" } }],
        },
      },
    ],
    [
      client.send(
        new sdk.PutBucketLifecycleConfigurationCommand({
          Bucket,
          LifecycleConfiguration: {
            Rules: [{ ID: "x", Status: "Enabled", Filter: { Prefix: "a/" }, Expiration: { Days: 1 } }],
          },
        }),
      ),
      () => client.send(new sdk.GetBucketLifecycleConfigurationCommand({ Bucket })),
      { Rules: [{ ID: "x", Status: "Enabled", Filter: { Prefix: "a/" }, Expiration: { Days: 1 } }] },
    ],
  ];
  for (const [put, get, expected] of stored) {
    await put;
    const { $metadata: _, ...got } = (await get()) as { $metadata: unknown };
    assert.deepEqual(got, expected);
  }
  assert.equal((await client.send(new sdk.GetBucketVersioningCommand({ Bucket }))).Status, undefined);
  const gone: [Promise<unknown>, () => Promise<unknown>, string][] = [
    [
      client.send(new sdk.DeleteBucketPolicyCommand({ Bucket })),
      () => client.send(new sdk.GetBucketPolicyCommand({ Bucket })),
      "NoSuchBucketPolicy",
    ],
    [
      client.send(new sdk.DeleteBucketTaggingCommand({ Bucket })),
      () => client.send(new sdk.GetBucketTaggingCommand({ Bucket })),
      "NoSuchTagSet",
    ],
    [
      client.send(new sdk.DeleteBucketLifecycleCommand({ Bucket })),
      () => client.send(new sdk.GetBucketLifecycleConfigurationCommand({ Bucket })),
      "NoSuchLifecycleConfiguration",
    ],
  ];
  for (const [remove, get, code] of gone) {
    await remove;
    assert.equal(await failure(get()), `404 ${code}`);
  }
  assert.equal(
    await failure(client.send(new sdk.PutBucketPolicyCommand({ Bucket, Policy: "no policy" }))),
    "400 MalformedPolicy",
  );
  assert.equal(
    await failure(client.send(new sdk.GetBucketPolicyCommand({ Bucket: "nope" }))),
    "404 NoSuchBucket",
  );
});
