import assert from "node:assert/strict";
import test from "node:test";
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { call, failure, md5, presigned, send, startFixture } from "./fixture.ts";

const fixture = await startFixture();
const { client } = fixture;
const Bucket = "objects";
await client.send(new CreateBucketCommand({ Bucket }));
const put = (Key: string, Body: string | Buffer, more: object = {}) =>
  client.send(new PutObjectCommand({ Bucket, Key, Body, ...more }));
const get = async (Key: string, more: object = {}) => {
  const answer = await client.send(new GetObjectCommand({ Bucket, Key, ...more }));
  return { ...answer, text: (await answer.Body?.transformToString()) ?? "" };
};

test("what is put comes back, with everything the uploader said of it", async () => {
  const said = {
    ContentType: "image/jpeg",
    CacheControl: "public, max-age=31536000, immutable",
    ContentDisposition: 'inline; filename="a.jpg"',
    ContentEncoding: "identity",
    ContentLanguage: "de",
    Metadata: { owner: "u1", "two-words": "a  b" },
    StorageClass: "STANDARD_IA" as const,
    ServerSideEncryption: "AES256" as const,
  };
  const { ETag, ServerSideEncryption } = await put("all", "hello", said);
  assert.equal(ETag, `"${md5("hello")}"`);
  assert.equal(ServerSideEncryption, "AES256");
  const { text, ...got } = await get("all");
  assert.equal(text, "hello");
  const head = await client.send(new HeadObjectCommand({ Bucket, Key: "all" }));
  for (const answer of [got, head]) {
    for (const [name, value] of Object.entries(said))
      assert.deepEqual((answer as Record<string, unknown>)[name], value, name);
    assert.deepEqual([answer.ETag, answer.ContentLength, answer.AcceptRanges], [ETag, 5, "bytes"]);
  }
  await put("all", "again");
  const { text: again, Metadata, ContentType } = await get("all");
  assert.deepEqual(
    [again, Metadata, ContentType],
    ["again", {}, "application/octet-stream"],
    "an overwrite keeps nothing",
  );
});

test("an empty object, and one without a type", async () => {
  await put("empty", "", { ContentLength: 0 });
  assert.equal((await get("empty")).text, "");
  assert.equal(
    (await client.send(new HeadObjectCommand({ Bucket, Key: "empty" }))).ETag,
    '"d41d8cd98f00b204e9800998ecf8427e"',
  );
  await call(fixture, { method: "PUT", path: "/objects/untyped", body: "x" });
  assert.equal((await get("untyped")).ContentType, "binary/octet-stream");
});

test("metadata: 2 KB and no more, and not only ASCII", async () => {
  await put("meta", "x", { Metadata: { a: "x".repeat(2047) } });
  assert.equal(
    await failure(put("meta", "x", { Metadata: { a: "x".repeat(2048) } })),
    "400 MetadataTooLarge",
  );
  // By hand: the SDK signs such a value as UTF-8 and Node sends it as Latin-1.
  const bytes = Buffer.from("Größe", "utf8").toString("latin1");
  const headers = { "x-amz-meta-a": bytes };
  assert.equal(
    (await call(fixture, { method: "PUT", path: "/objects/umlaut", headers, body: "" })).code,
    "SignatureDoesNotMatch",
  );
  const url = await presigned(fixture, {
    method: "PUT",
    path: `/objects/umlaut?x-amz-meta-a=${encodeURIComponent("Größe")}`,
    headers: { "content-length": "0" },
  });
  assert.equal((await send(fixture, url)).status, 200);
  assert.equal(
    (await get("umlaut")).Metadata?.["a"],
    `=?UTF-8?B?${Buffer.from("Größe").toString("base64")}?=`,
  );
  const override = await get("umlaut", { ResponseContentDisposition: "a\r\nb" });
  assert.equal(override.ContentDisposition, "=?UTF-8?B?YQ0KYg==?=", "no header of its own making");
});

test("ranges", async (t) => {
  await put("range", "0123456789");
  const cases: Record<string, [status: number, body: string, contentRange?: string]> = {
    "bytes=0-0": [206, "0", "bytes 0-0/10"],
    "bytes=2-5": [206, "2345", "bytes 2-5/10"],
    "bytes=5-": [206, "56789", "bytes 5-9/10"],
    "bytes=-3": [206, "789", "bytes 7-9/10"],
    "bytes=-100": [206, "0123456789", "bytes 0-9/10"],
    "bytes=8-100": [206, "89", "bytes 8-9/10"],
    "bytes=10-": [416, "InvalidRange", "bytes */10"],
    "bytes=-0": [416, "InvalidRange", "bytes */10"],
    "bytes=5-2": [200, "0123456789"],
    "bytes=0-1,3-4": [200, "0123456789"],
    "chars=0-1": [200, "0123456789"],
    "bytes=": [200, "0123456789"],
  };
  for (const [range, [status, body, contentRange]] of Object.entries(cases)) {
    await t.test(range, async () => {
      const answer = await call(fixture, { path: "/objects/range", headers: { range } });
      assert.deepEqual(
        [answer.status, answer.code ?? answer.body, answer.headers["content-range"]],
        [status, body, contentRange],
      );
      const head = await call(fixture, { method: "HEAD", path: "/objects/range", headers: { range } });
      assert.deepEqual([head.status, head.body], [status, ""]);
      if (status !== 416) assert.equal(head.headers["content-length"], String(body.length));
    });
  }
  assert.equal(await failure(get("empty", { Range: "bytes=0-" })), "416 InvalidRange");
  const { etag = "" } = (await call(fixture, { method: "HEAD", path: "/objects/range" })).headers;
  const ifRange = async (value: string) =>
    (await call(fixture, { path: "/objects/range", headers: { range: "bytes=0-0", "if-range": value } }))
      .status;
  assert.deepEqual([await ifRange(etag), await ifRange('"other"')], [206, 200]);
});

test("conditional reads, with S3's precedence", async (t) => {
  const { ETag = "" } = await put("cond", "hello");
  const { LastModified } = await client.send(new HeadObjectCommand({ Bucket, Key: "cond" }));
  const at = (ms: number) => new Date((LastModified?.getTime() ?? 0) + ms).toUTCString();
  const [before, same, later] = [at(-1000), at(0), at(1000)];
  const cases: [headers: Record<string, string>, status: number][] = [
    [{ "if-match": ETag }, 200],
    [{ "if-match": ETag.replaceAll('"', "") }, 200],
    [{ "if-match": "*" }, 200],
    [{ "if-match": `"a", ${ETag}` }, 200],
    [{ "if-match": '"other"' }, 412],
    [{ "if-none-match": ETag }, 304],
    [{ "if-none-match": `W/${ETag}` }, 304],
    [{ "if-none-match": "*" }, 304],
    [{ "if-none-match": '"other"' }, 200],
    [{ "if-modified-since": before }, 200],
    [{ "if-modified-since": same }, 304],
    [{ "if-modified-since": later }, 304],
    [{ "if-unmodified-since": before }, 412],
    [{ "if-unmodified-since": same }, 200],
    [{ "if-match": ETag, "if-unmodified-since": before }, 200],
    [{ "if-none-match": ETag, "if-modified-since": before }, 304],
    [{ "if-none-match": '"other"', "if-modified-since": later }, 200],
    [{ "if-modified-since": "no date" }, 200],
  ];
  for (const [headers, status] of cases) {
    for (const method of ["GET", "HEAD"]) {
      await t.test(`${method} ${JSON.stringify(headers)}`, async () => {
        const answer = await call(fixture, { method, path: "/objects/cond", headers });
        assert.equal(answer.status, status);
        if (status === 304) assert.deepEqual([answer.body, answer.headers["etag"]], ["", ETag]);
      });
    }
  }
});

test("conditional writes: If-None-Match and If-Match", async () => {
  const { ETag } = await put("once", "first", { IfNoneMatch: "*" });
  assert.equal(await failure(put("once", "second", { IfNoneMatch: "*" })), "412 PreconditionFailed");
  assert.equal(await failure(put("once", "second", { IfMatch: '"other"' })), "412 PreconditionFailed");
  assert.equal(await failure(put("absent", "x", { IfMatch: ETag })), "404 NoSuchKey");
  assert.equal((await get("once")).text, "first");
  const second = await put("once", "second", { IfMatch: ETag });
  assert.equal(await failure(put("once", "third", { IfMatch: ETag })), "412 PreconditionFailed");
  assert.equal(await failure(put("once", "x", { IfNoneMatch: ETag })), "501 NotImplemented");
  const dated = await call(fixture, {
    method: "PUT",
    path: "/objects/once",
    body: "x",
    headers: { "if-unmodified-since": new Date(0).toUTCString() },
  });
  assert.equal(dated.code, "NotImplemented");

  const remove = (IfMatch?: string, Key = "once") =>
    client.send(new DeleteObjectCommand({ Bucket, Key, ...(IfMatch ? { IfMatch } : {}) }));
  assert.equal(await failure(remove(ETag)), "412 PreconditionFailed");
  assert.equal(await failure(remove("*", "absent")), "404 NoSuchKey");
  await remove(second.ETag);
  assert.equal(await failure(get("once")), "404 NoSuchKey");
  await remove();
  await put("once", "new", { IfNoneMatch: "*" });
});

test("of many concurrent writers of a write-once key exactly one wins", async () => {
  for (const round of [1, 2, 3]) {
    const bodies = Array.from({ length: 12 }, (_, i) => `${round} ${i} ${"x".repeat(i * 5000)}`);
    const results = await Promise.allSettled(
      bodies.map((body) => put(`race-${round}`, body, { IfNoneMatch: "*" })),
    );
    const won = results.flatMap(({ status }, i) => (status === "fulfilled" ? [i] : []));
    assert.equal(won.length, 1);
    assert.equal((await get(`race-${round}`)).text, bodies[won[0] ?? -1]);
    for (const result of results)
      if (result.status === "rejected") assert.equal(result.reason.name, "PreconditionFailed");
  }
  const { ETag } = await put("swap", "0");
  const swaps = await Promise.allSettled(
    Array.from({ length: 12 }, (_, i) => put("swap", `new ${i}`, { IfMatch: ETag })),
  );
  assert.equal(swaps.filter(({ status }) => status === "fulfilled").length, 1);
});

test("copies", async () => {
  const { ETag } = await put("from / é+%", "hello", {
    Metadata: { a: "1" },
    ContentType: "a/b",
    ChecksumAlgorithm: "SHA256",
  });
  const CopySource = `${Bucket}/${encodeURIComponent("from / é+%")}`;
  const copy = (Key: string, more: object = {}) =>
    client.send(new CopyObjectCommand({ Bucket, Key, CopySource, ...more }));
  const { CopyObjectResult } = await copy("copy");
  assert.deepEqual(
    [CopyObjectResult?.ETag, CopyObjectResult?.ChecksumSHA256],
    [ETag, "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="],
  );
  const kept = await get("copy");
  assert.deepEqual([kept.text, kept.Metadata, kept.ContentType], ["hello", { a: "1" }, "a/b"]);
  await copy("copy", { MetadataDirective: "REPLACE", Metadata: { b: "2" }, ContentType: "c/d" });
  const replaced = await get("copy");
  assert.deepEqual([replaced.text, replaced.Metadata, replaced.ContentType], ["hello", { b: "2" }, "c/d"]);

  assert.equal(await failure(copy("copy", { IfNoneMatch: "*" })), "412 PreconditionFailed");
  assert.equal(await failure(copy("copy", { IfMatch: '"other"' })), "412 PreconditionFailed");
  assert.equal(await failure(copy("x", { CopySourceIfMatch: '"other"' })), "412 PreconditionFailed");
  assert.equal(await failure(copy("x", { CopySourceIfNoneMatch: ETag })), "412 PreconditionFailed");
  await copy("x", { CopySourceIfMatch: ETag, CopySourceIfUnmodifiedSince: new Date(0) });
  assert.equal(await failure(copy("x", { CopySource: `${Bucket}/absent` })), "404 NoSuchKey");
  assert.equal(await failure(copy("x", { CopySource: "absent/absent" })), "404 NoSuchBucket");
  assert.equal(await failure(copy("x", { CopySource: "nonsense" })), "400 InvalidArgument");
  assert.equal(await failure(copy("from / é+%")), "400 InvalidRequest", "onto itself with nothing changed");
  await copy("from / é+%", { MetadataDirective: "REPLACE", Metadata: { c: "3" } });
  const itself = await get("from / é+%");
  assert.deepEqual([itself.text, itself.Metadata], ["hello", { c: "3" }]);
});

test("DeleteObjects", async () => {
  const names = ["d/1", "d/ä & <b>", "d/3"];
  const { ETag } = await put("d/1", "x");
  await put("d/ä & <b>", "x");
  const remove = (Objects: { Key: string; ETag?: string }[], Quiet = false) =>
    client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet } }));
  const first = await remove([
    { Key: "d/1", ETag: '"other"' },
    { Key: "d/3", ETag: '"other"' },
  ]);
  assert.deepEqual(
    first.Errors?.map(({ Key, Code }) => [Key, Code]),
    [
      ["d/1", "PreconditionFailed"],
      ["d/3", "NoSuchKey"],
    ],
  );
  assert.deepEqual((await remove([{ Key: "d/1", ...(ETag ? { ETag } : {}) }], true)).Deleted, undefined);
  const { Deleted } = await remove(names.map((Key) => ({ Key })));
  assert.deepEqual(
    Deleted?.map(({ Key }) => Key),
    names,
    "an absent key counts as deleted",
  );
  for (const Key of names) assert.equal(await failure(get(Key)), "404 NoSuchKey");
  assert.equal(
    await failure(remove(Array.from({ length: 1001 }, (_, i) => ({ Key: `${i}` })))),
    "400 MalformedXML",
  );

  const body = "<Delete><Object><Key>k</Key></Object></Delete>";
  const bare = await call(fixture, { method: "POST", path: "/objects?delete=", body });
  assert.equal(bare.code, "InvalidRequest", "S3 wants Content-MD5 or a checksum");
  const withMd5 = { "content-md5": Buffer.from(md5(body), "hex").toString("base64") };
  assert.equal(
    (await call(fixture, { method: "POST", path: "/objects?delete=", body, headers: withMd5 })).status,
    200,
  );
  assert.equal(
    (await call(fixture, { method: "POST", path: "/objects?delete=", body: `${body} `, headers: withMd5 }))
      .code,
    "BadDigest",
  );
});

test("headers whose promise would not be kept are refused, not forgotten", async () => {
  const refused: [object, string][] = [
    [{ Tagging: "a=b" }, "501 NotImplemented"],
    [{ ServerSideEncryption: "aws:kms" }, "501 NotImplemented"],
    [{ WebsiteRedirectLocation: "/x" }, "501 NotImplemented"],
    [{ ObjectLockMode: "GOVERNANCE", ObjectLockRetainUntilDate: new Date() }, "501 NotImplemented"],
    [{ ACL: "public-read" }, "400 AccessControlListNotSupported"],
    [{ GrantRead: "id=1" }, "400 AccessControlListNotSupported"],
    [{ StorageClass: "CHEAP" }, "400 InvalidStorageClass"],
    [{ ExpectedBucketOwner: "111111111111" }, "403 AccessDenied"],
  ];
  for (const [more, expected] of refused)
    assert.equal(await failure(put("refused", "x", more)), expected, JSON.stringify(more));
  await put("accepted", "x", {
    ACL: "bucket-owner-full-control",
    ExpectedBucketOwner: "000000000000",
    StorageClass: "GLACIER_IR",
  });
  assert.equal(await failure(get("refused")), "404 NoSuchKey");
});

test("lengths", async () => {
  const answer = async (headers: Record<string, string>) =>
    (await call(fixture, { method: "PUT", path: "/objects/length", headers })).code;
  assert.equal(await answer({ "content-length": String(5 * 1024 ** 3 + 1) }), "EntityTooLarge");
  assert.equal(await answer({ "transfer-encoding": "chunked" }), "NotImplemented");
  assert.equal(
    await answer({ "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER" }),
    "MissingContentLength",
  );
});
