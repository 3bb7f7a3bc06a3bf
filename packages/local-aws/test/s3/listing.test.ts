import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import test from "node:test";
import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetBucketLocationCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import fc from "fast-check";
import { call, encode, encodePath, failure, md5, startFixture } from "./fixture.ts";

const fixture = await startFixture();
const { client } = fixture;
const bucketOf = async (Bucket: string, keys: readonly string[]) => {
  await client.send(new CreateBucketCommand({ Bucket }));
  for (const Key of keys) await client.send(new PutObjectCommand({ Bucket, Key, Body: Key }));
  return Bucket;
};
const byBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));

const nasty = [
  "a",
  "a b",
  "a+b",
  "a%20b",
  "a%2Bb",
  "a%2Fb",
  "a/b",
  "a//b",
  "/a",
  "//a",
  "a/",
  "a//",
  "../a",
  "a/../b",
  "./a",
  "a/./b",
  "..",
  ".",
  "a\\b",
  "a?b",
  "a#b",
  "a&b=c",
  "a;b",
  "a:b@c",
  "a'b",
  'a"b',
  "a<b>",
  "a*b",
  "(a)[b]{c}",
  "a~b!",
  "a|b^c`d",
  "a$b,c",
  "%",
  "%%",
  "100%.jpg",
  "ä",
  "a\u0308",
  "日本語.jpg",
  "😀.jpg",
  "\uffee",
  "\u{10ffff}",
  "\u200b",
  "e\u0301",
  "soap",
  "a=b",
  " a ",
  "  ",
  "a\tb",
  "a\nb",
  "\u007f",
  "\ufeffbom",
  "x".repeat(1024),
  `${"ä".repeat(512)}`,
  "con",
  "-rf",
  "'; DROP TABLE objects; --",
  "__proto__",
  "constructor",
  "toString",
];
const corpus = new URL("../../../../shared/corpus/names.json", import.meta.url);
if (existsSync(corpus)) {
  for (const { name } of JSON.parse(readFileSync(corpus, "utf8")) as { name: string }[]) {
    // Not a key of S3: empty, too long, or what no UTF-8 and no XML can hold.
    if (name !== "" && Buffer.byteLength(name) <= 1024 && name.isWellFormed()) nasty.push(name);
  }
}
const keys = [...new Set(nasty)];

test(`${keys.length} nasty keys come back as they went in, and are listed in the order of their bytes`, async () => {
  const Bucket = await bucketOf("nasty", keys);
  for (const Key of keys) {
    const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
    assert.equal(await Body?.transformToString(), Key);
  }
  const { body } = await call(fixture, { path: "/nasty?list-type=2&encoding-type=url" });
  const listed = [...body.matchAll(/<Key>(.*?)<\/Key>/g)].map(([, key = ""]) =>
    decodeURIComponent(key.replaceAll("+", " ")),
  );
  assert.deepEqual(listed, [...keys].sort(byBytes));
  for (const Key of keys) {
    const raw = await call(fixture, { method: "DELETE", path: `/nasty/${encodePath(Key)}` });
    assert.equal(raw.status, 204, Key);
  }
  assert.equal((await client.send(new ListObjectsV2Command({ Bucket }))).KeyCount, 0);
  await client.send(new DeleteBucketCommand({ Bucket }));
});

test("a key may have 1,024 bytes and not one more", async () => {
  const Bucket = await bucketOf("long", []);
  assert.equal(
    await failure(client.send(new PutObjectCommand({ Bucket, Key: "x".repeat(1025), Body: "x" }))),
    "400 KeyTooLongError",
  );
  assert.equal(
    await failure(client.send(new PutObjectCommand({ Bucket, Key: "ä".repeat(513), Body: "x" }))),
    "400 KeyTooLongError",
  );
});

/** What S3's documents say a list is, written as plainly as possible. */
function model(all: readonly string[], prefix: string, delimiter: string, after: string): string[] {
  const seen = new Set<string>();
  for (const key of [...all].sort(byBytes)) {
    if (!key.startsWith(prefix) || byBytes(key, after) <= 0) continue;
    const at = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
    seen.add(at < 0 ? key : `${key.slice(0, at + delimiter.length)}\u0000prefix`);
  }
  return [...seen];
}

test("every page size, prefix, delimiter and start gives the same list, in both versions", async () => {
  const alphabet = fc.constantFrom("a", "b", "/", "-", "ä", "😀", "\uffee");
  const someKeys = fc.uniqueArray(fc.string({ unit: alphabet, minLength: 1, maxLength: 5 }), {
    minLength: 1,
    maxLength: 12,
  });
  const text = fc.string({ unit: alphabet, maxLength: 2 });
  let count = 0;
  await fc.assert(
    fc.asyncProperty(
      someKeys,
      text,
      fc.constantFrom("", "/", "a", "-ä"),
      text,
      fc.integer({ min: 1, max: 5 }),
      async (all, Prefix, Delimiter, StartAfter, MaxKeys) => {
        const Bucket = await bucketOf(`property-${count++}`, all);
        const expected = model(all, Prefix, Delimiter, StartAfter);
        const two: string[] = [];
        let token: string | undefined;
        do {
          const page = await client.send(
            new ListObjectsV2Command({
              Bucket,
              Prefix,
              Delimiter,
              MaxKeys,
              StartAfter,
              ...(token ? { ContinuationToken: token } : {}),
            }),
          );
          const names = [
            ...(page.Contents ?? []).map(({ Key = "" }) => Key),
            ...(page.CommonPrefixes ?? []).map((p) => `${p.Prefix}\u0000prefix`),
          ];
          assert.ok(names.length <= MaxKeys && page.KeyCount === names.length);
          assert.equal(page.IsTruncated, page.NextContinuationToken !== undefined);
          two.push(...names);
          token = page.NextContinuationToken;
        } while (token);
        assert.deepEqual(two.sort(byBytes), expected.sort(byBytes));

        // A marker that is itself a common prefix stands for all in it, so only lists from the start compare.
        const one: string[] = [];
        let Marker = "";
        for (;;) {
          const page = await client.send(
            new ListObjectsCommand({ Bucket, Prefix, Delimiter, MaxKeys, Marker }),
          );
          const names = [
            ...(page.Contents ?? []).map(({ Key = "" }) => Key),
            ...(page.CommonPrefixes ?? []).map((p) => `${p.Prefix}\u0000prefix`),
          ];
          one.push(...names);
          if (!page.IsTruncated) break;
          Marker = page.NextMarker ?? names.at(-1) ?? "";
          assert.equal(page.NextMarker !== undefined, Delimiter !== "");
        }
        assert.deepEqual(one.sort(byBytes), model(all, Prefix, Delimiter, "").sort(byBytes));
      },
    ),
    { numRuns: 25 },
  );
});

test("a page goes on where it stopped although its last key was deleted", async () => {
  const Bucket = await bucketOf("gone", ["a", "b", "c"]);
  const first = await client.send(new ListObjectsV2Command({ Bucket, MaxKeys: 1 }));
  await client.send(new DeleteObjectCommand({ Bucket, Key: "b" }));
  const second = await client.send(
    new ListObjectsV2Command({ Bucket, ContinuationToken: first.NextContinuationToken }),
  );
  assert.deepEqual(
    second.Contents?.map(({ Key }) => Key),
    ["c"],
  );
});

test("what an entry says, and the odd parameters", async () => {
  const Bucket = await bucketOf("entry", ["a b"]);
  const { Contents: [entry] = [] } = await client.send(
    new ListObjectsV2Command({ Bucket, FetchOwner: true }),
  );
  assert.deepEqual(
    { ...entry, LastModified: undefined },
    {
      Key: "a b",
      ETag: `"${md5("a b")}"`,
      Size: 3,
      StorageClass: "STANDARD",
      Owner: { ID: "000000000000", DisplayName: "local" },
      LastModified: undefined,
    },
  );
  const { LastModified } = await client.send(new HeadObjectCommand({ Bucket, Key: "a b" }));
  assert.deepEqual(entry?.LastModified, LastModified);
  const { Contents: plain = [] } = await client.send(new ListObjectsV2Command({ Bucket }));
  assert.equal(plain[0]?.Owner, undefined);
  const code = async (query: string) => (await call(fixture, { path: `/entry?${query}` })).code;
  assert.equal(await code("max-keys=-1"), "InvalidArgument");
  assert.equal(await code("max-keys=many"), "InvalidArgument");
  assert.equal(await code("encoding-type=base64"), "InvalidArgument");
  assert.equal(await code("list-type=2&continuation-token=nonsense"), "InvalidArgument");
  const none = await client.send(new ListObjectsV2Command({ Bucket, MaxKeys: 0 }));
  assert.deepEqual([none.KeyCount, none.IsTruncated], [0, false]);
  const many = await client.send(new ListObjectsV2Command({ Bucket, MaxKeys: 5000 }));
  assert.equal(many.MaxKeys, 1000);
});

test("multipart uploads are listed by key, then by age, in pages", async () => {
  const Bucket = await bucketOf("uploads", []);
  const made: string[] = [];
  for (const Key of ["b/1", "a", "b/2", "a", "c ä"]) {
    const { UploadId = "" } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
    made.push(`${Key} ${UploadId}`);
  }
  const pages = async (more: object) => {
    const found: string[] = [];
    let marker: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } = {};
    for (;;) {
      const page = await client.send(
        new ListMultipartUploadsCommand({ Bucket, MaxUploads: 1, ...more, ...marker } as { Bucket: string }),
      );
      found.push(
        ...(page.Uploads ?? []).map(({ Key, UploadId }) => `${Key} ${UploadId}`),
        ...(page.CommonPrefixes ?? []).map(({ Prefix }) => `${Prefix}`),
      );
      if (!page.IsTruncated) return found;
      marker = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker };
    }
  };
  const key = (line: string) => line.split(" ").slice(0, -1).join(" ");
  const all = await pages({});
  assert.deepEqual(all.map(key), ["a", "a", "b/1", "b/2", "c ä"]);
  assert.deepEqual([...all].sort(), [...made].sort());
  assert.deepEqual((await pages({ Prefix: "b/" })).map(key), ["b/1", "b/2"]);
  assert.deepEqual((await pages({ Delimiter: "/" })).filter((line) => line === "b/").length, 1);
  assert.equal((await pages({ Delimiter: "/" })).length, 4);
  assert.match(
    (await call(fixture, { path: `/uploads?uploads=&encoding-type=url&prefix=${encode("c ")}` })).body,
    /<Key>c\+%C3%A4<\/Key>/,
  );
});

test("buckets", async () => {
  const Bucket = await bucketOf("bucket.one", ["k"]);
  assert.equal(
    await failure(client.send(new CreateBucketCommand({ Bucket }))),
    "409 BucketAlreadyOwnedByYou",
  );
  assert.equal((await client.send(new HeadBucketCommand({ Bucket }))).BucketRegion, "eu-central-1");
  assert.equal(
    (await client.send(new GetBucketLocationCommand({ Bucket }))).LocationConstraint,
    "eu-central-1",
  );
  assert.equal(await failure(client.send(new HeadBucketCommand({ Bucket: "nope" }))), "404 NotFound");
  assert.equal(await failure(client.send(new DeleteBucketCommand({ Bucket }))), "409 BucketNotEmpty");
  assert.equal(await failure(client.send(new DeleteBucketCommand({ Bucket: "nope" }))), "404 NoSuchBucket");
  await client.send(new DeleteObjectCommand({ Bucket, Key: "k" }));
  await client.send(new CreateMultipartUploadCommand({ Bucket, Key: "k" }));
  await client.send(new DeleteBucketCommand({ Bucket }));
  assert.equal(await failure(client.send(new ListObjectsV2Command({ Bucket }))), "404 NoSuchBucket");
  for (const name of ["Upper", "a", "-ab", "a..b", "1.2.3.4", "a_b", "x".repeat(64), "xn--a", "a-s3alias"]) {
    assert.equal((await call(fixture, { method: "PUT", path: `/${name}` })).code, "InvalidBucketName", name);
  }
  const elsewhere =
    "<CreateBucketConfiguration><LocationConstraint>us-west-2</LocationConstraint></CreateBucketConfiguration>";
  assert.equal(
    (await call(fixture, { method: "PUT", path: "/elsewhere", body: elsewhere })).code,
    "IllegalLocationConstraintException",
  );

  for (const name of ["list-a", "list-b", "list-c"]) await bucketOf(name, []);
  const first = await client.send(new ListBucketsCommand({ Prefix: "list-", MaxBuckets: 2 }));
  const second = await client.send(
    new ListBucketsCommand({ Prefix: "list-", ContinuationToken: first.ContinuationToken }),
  );
  assert.deepEqual(
    [first, second].map(({ Buckets }) => Buckets?.map(({ Name }) => Name)),
    [["list-a", "list-b"], ["list-c"]],
  );
  assert.equal(second.ContinuationToken, undefined);
});
