import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import test from "node:test";
import { crc32 } from "node:zlib";
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  type CreateMultipartUploadCommandInput,
  GetObjectCommand,
  HeadObjectCommand,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from "@aws-sdk/client-s3";
import { failure, md5, newClient, startFixture } from "./fixture.ts";

const fixture = await startFixture();
/** Without checksums of its own: each test says what it wants. */
const client = newClient(fixture.url, {
  requestChecksumCalculation: "WHEN_REQUIRED",
  responseChecksumValidation: "WHEN_REQUIRED",
});
test.after(() => client.destroy());
const Bucket = "multipart";
await client.send(new CreateBucketCommand({ Bucket }));

const MIN = 5 * 1024 * 1024;
const big = [Buffer.alloc(MIN, "a"), Buffer.alloc(MIN + 1, "b"), Buffer.from("tail")];
const whole = Buffer.concat(big);
const etagOf = (parts: readonly Buffer[]) => {
  const digests = Buffer.concat(parts.map((part) => createHash("md5").update(part).digest()));
  return `"${md5(digests)}-${parts.length}"`;
};

const start = async (Key: string, more: Partial<CreateMultipartUploadCommandInput> = {}) => {
  const { UploadId = "" } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key, ...more }));
  const upload = { Bucket, Key, UploadId };
  const part = async (
    PartNumber: number,
    Body: Buffer | string,
    with_: object = {},
  ): Promise<CompletedPart> => {
    const {
      $metadata: _,
      ServerSideEncryption: __,
      ...sums
    } = await client.send(new UploadPartCommand({ ...upload, PartNumber, Body, ...with_ }));
    return { PartNumber, ...sums };
  };
  const complete = (Parts: CompletedPart[], with_: object = {}) =>
    client.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts }, ...with_ }));
  return { upload, part, complete };
};
const read = async (Key: string, more: object = {}) => {
  const answer = await client.send(new GetObjectCommand({ Bucket, Key, ...more }));
  return { ...answer, bytes: Buffer.from((await answer.Body?.transformToByteArray()) ?? []) };
};

test("parts in any order become one object", async () => {
  const { upload, part, complete } = await start("whole", {
    ContentType: "image/jpeg",
    Metadata: { a: "1" },
  });
  await part(5, "of no use");
  const third = await part(9, big[2] ?? "");
  await part(2, "overwritten");
  const [first, second] = [await part(1, big[0] ?? ""), await part(2, big[1] ?? "")];
  assert.equal(await failure(read("whole")), "404 NoSuchKey", "not before it is complete");
  const { ETag, Location } = await complete([first, second, third]);
  assert.equal(ETag, etagOf(big));
  assert.equal(Location, `${fixture.url}/multipart/whole`);
  const object = await read("whole");
  assert.ok(object.bytes.equals(whole));
  assert.deepEqual([object.ETag, object.ContentType, object.Metadata], [ETag, "image/jpeg", { a: "1" }]);
  assert.equal(await failure(complete([first])), "404 NoSuchUpload", "it is over");
  assert.equal(await failure(client.send(new ListPartsCommand(upload))), "404 NoSuchUpload");

  const across = await read("whole", { Range: `bytes=${MIN - 2}-${2 * MIN + 2}` });
  assert.ok(across.bytes.equals(whole.subarray(MIN - 2, 2 * MIN + 3)), "a range over all three parts");
  const numbered = await read("whole", { PartNumber: 2 });
  assert.ok(numbered.bytes.equals(big[1] ?? Buffer.alloc(0)));
  assert.deepEqual(
    [numbered.PartsCount, numbered.ContentRange],
    [3, `bytes ${MIN}-${2 * MIN}/${whole.length}`],
  );
  assert.equal(await failure(read("whole", { PartNumber: 4 })), "416 InvalidRange");
  const head = await client.send(new HeadObjectCommand({ Bucket, Key: "whole", PartNumber: 1 }));
  assert.deepEqual([head.ContentLength, head.PartsCount], [MIN, 3]);
});

test("completing: every way it is refused, and that it can be tried again", async () => {
  const { part, complete } = await start("refused");
  const [first, second] = [await part(1, big[0] ?? ""), await part(2, "small")];
  const third = await part(3, "last");
  assert.equal(await failure(complete([])), "400 MalformedXML");
  assert.equal(await failure(complete([second, first])), "400 InvalidPartOrder");
  assert.equal(await failure(complete([first, first])), "400 InvalidPartOrder");
  assert.equal(await failure(complete([first, { PartNumber: 4, ETag: first.ETag }])), "400 InvalidPart");
  assert.equal(
    await failure(complete([{ PartNumber: 1, ETag: '"00000000000000000000000000000000"' }])),
    "400 InvalidPart",
  );
  assert.equal(await failure(complete([first, second, third])), "400 EntityTooSmall");
  assert.equal(await failure(complete([first, third], { MpuObjectSize: 1 })), "400 InvalidRequest");
  assert.equal(await failure(complete([first, third], { ChecksumCRC32: "AAAAAA==" })), "400 InvalidRequest");
  const unquoted = { PartNumber: 3, ETag: third.ETag?.replaceAll('"', "") };
  await complete([first, unquoted], { MpuObjectSize: MIN + 4 });
  assert.equal((await read("refused")).ContentLength, MIN + 4);
});

test("completing is a conditional write", async () => {
  const { part, complete } = await start("conditional");
  const only = await part(1, "new");
  await client.send(new PutObjectCommand({ Bucket, Key: "conditional", Body: "old" }));
  assert.equal(await failure(complete([only], { IfNoneMatch: "*" })), "412 PreconditionFailed");
  assert.equal(await failure(complete([only], { IfMatch: '"other"' })), "412 PreconditionFailed");
  assert.equal((await read("conditional")).bytes.toString(), "old");
  await complete([only], { IfMatch: `"${md5("old")}"` });
  assert.equal((await read("conditional")).bytes.toString(), "new");

  const rivals = await Promise.all(
    [1, 2, 3, 4].map(async (n) => {
      const rival = await start("rival");
      return { ...rival, only: await rival.part(1, `${n}`) };
    }),
  );
  const outcomes = await Promise.all(
    rivals.map((rival) => failure(rival.complete([rival.only], { IfNoneMatch: "*" }))),
  );
  assert.deepEqual(outcomes.sort(), [
    "412 PreconditionFailed",
    "412 PreconditionFailed",
    "412 PreconditionFailed",
    "no failure",
  ]);
});

test("an upload belongs to its key, and ends with an abort", async () => {
  const { upload, part, complete } = await start("aborted");
  const first = await part(1, "x");
  const elsewhere = { ...upload, Key: "other" };
  assert.equal(
    await failure(client.send(new UploadPartCommand({ ...elsewhere, PartNumber: 1, Body: "x" }))),
    "404 NoSuchUpload",
  );
  assert.equal(await failure(client.send(new AbortMultipartUploadCommand(elsewhere))), "404 NoSuchUpload");
  assert.equal(await failure(part(0, "x")), "400 InvalidArgument");
  assert.equal(await failure(part(10_001, "x")), "400 InvalidArgument");
  await client.send(new AbortMultipartUploadCommand(upload));
  assert.equal(await failure(client.send(new AbortMultipartUploadCommand(upload))), "404 NoSuchUpload");
  assert.equal(await failure(part(2, "x")), "404 NoSuchUpload");
  assert.equal(await failure(complete([first])), "404 NoSuchUpload");
});

test("ListParts, in pages", async () => {
  const { upload, part } = await start("parts", { ChecksumAlgorithm: "SHA256" });
  for (const n of [10_000, 2, 7]) await part(n, `part ${n}`, { ChecksumAlgorithm: "SHA256" });
  const first = await client.send(new ListPartsCommand({ ...upload, MaxParts: 2 }));
  assert.deepEqual(
    [first.IsTruncated, first.NextPartNumberMarker, first.ChecksumAlgorithm, first.ChecksumType],
    [true, "7", "SHA256", "COMPOSITE"],
  );
  const second = await client.send(
    new ListPartsCommand({ ...upload, PartNumberMarker: first.NextPartNumberMarker }),
  );
  assert.equal(second.IsTruncated, false);
  const parts = [...(first.Parts ?? []), ...(second.Parts ?? [])];
  const sum = (text: string) => createHash("sha256").update(text).digest("base64");
  assert.deepEqual(
    parts.map(({ PartNumber, Size, ETag, ChecksumSHA256 }) => [PartNumber, Size, ETag, ChecksumSHA256]),
    [2, 7, 10_000].map((n) => [n, `part ${n}`.length, `"${md5(`part ${n}`)}"`, sum(`part ${n}`)]),
  );
});

test("checksums of parts: COMPOSITE", async () => {
  const { part, complete } = await start("composite", { ChecksumAlgorithm: "SHA256" });
  assert.equal(await failure(part(1, "x")), "400 InvalidRequest", "each part needs one");
  assert.equal(await failure(part(1, "x", { ChecksumAlgorithm: "CRC32" })), "400 InvalidRequest");
  const wrong = createHash("sha256").update("y").digest("base64");
  assert.equal(await failure(part(1, "x", { ChecksumSHA256: wrong })), "400 BadDigest");
  const parts = [
    await part(1, big[0] ?? "", { ChecksumAlgorithm: "SHA256" }),
    await part(2, "tail", { ChecksumAlgorithm: "SHA256" }),
  ];
  assert.equal(
    await failure(complete(parts.map(({ PartNumber, ETag }) => ({ PartNumber, ETag })))),
    "400 InvalidRequest",
  );
  assert.equal(
    await failure(complete(parts.map((one) => ({ ...one, ChecksumSHA256: wrong })))),
    "400 InvalidPart",
  );
  const digests = [big[0] ?? "", "tail"].map((bytes) => createHash("sha256").update(bytes).digest());
  const expected = `${createHash("sha256").update(Buffer.concat(digests)).digest("base64")}-2`;
  const done = await complete(parts);
  assert.deepEqual([done.ChecksumSHA256, done.ChecksumType], [expected, "COMPOSITE"]);
  const head = await client.send(
    new HeadObjectCommand({ Bucket, Key: "composite", ChecksumMode: "ENABLED" }),
  );
  assert.deepEqual([head.ChecksumSHA256, head.ChecksumType], [expected, "COMPOSITE"]);
});

test("checksums of parts: FULL_OBJECT, with and without one on each part", async () => {
  const value = Buffer.alloc(4);
  value.writeUInt32BE(crc32(whole));
  const expected = value.toString("base64");
  for (const [Key, with_] of [
    ["full", { ChecksumAlgorithm: "CRC32" }],
    ["full-bare", {}],
  ] as const) {
    const { part, complete } = await start(Key, { ChecksumAlgorithm: "CRC32", ChecksumType: "FULL_OBJECT" });
    const parts: CompletedPart[] = [];
    for (const [i, bytes] of big.entries()) parts.push(await part(i + 1, bytes, with_));
    assert.equal(await failure(complete(parts, { ChecksumCRC32: "AAAAAA==" })), "400 BadDigest");
    assert.equal(await failure(complete(parts, { ChecksumType: "COMPOSITE" })), "400 InvalidRequest");
    const done = await complete(parts, { ChecksumCRC32: expected, ChecksumType: "FULL_OBJECT" });
    assert.deepEqual([done.ChecksumCRC32, done.ChecksumType], [expected, "FULL_OBJECT"]);
  }
  assert.equal(
    await failure(start("x", { ChecksumAlgorithm: "SHA256", ChecksumType: "FULL_OBJECT" })),
    "400 InvalidRequest",
  );
  assert.equal(
    await failure(start("x", { ChecksumAlgorithm: "CRC64NVME", ChecksumType: "COMPOSITE" })),
    "400 InvalidRequest",
  );
});

test("a part checksum that the upload did not announce is verified, and no checksum of the whole", async () => {
  const { part, complete } = await start("unannounced");
  assert.equal(await failure(part(1, "x", { ChecksumCRC32: "AAAAAA==" })), "400 BadDigest");
  const only = await part(1, "x", { ChecksumAlgorithm: "CRC32" });
  assert.equal(await failure(complete([{ ...only, ChecksumCRC32: "AAAAAA==" }])), "400 InvalidPart");
  assert.equal(await failure(complete([only], { ChecksumCRC32: only.ChecksumCRC32 })), "400 InvalidRequest");
  assert.equal((await complete([only])).ChecksumCRC32, undefined);
});

test("the SDK as it comes, with its default checksums", async () => {
  const upload = { Bucket, Key: "default" };
  const { UploadId } = await fixture.client.send(new CreateMultipartUploadCommand(upload));
  const part = await fixture.client.send(
    new UploadPartCommand({ ...upload, UploadId, PartNumber: 1, Body: "hello" }),
  );
  const Parts = [{ PartNumber: 1, ETag: part.ETag, ChecksumCRC32: part.ChecksumCRC32 }];
  await fixture.client.send(
    new CompleteMultipartUploadCommand({ ...upload, UploadId, MultipartUpload: { Parts } }),
  );
  const { Body } = await fixture.client.send(new GetObjectCommand(upload));
  assert.equal(await Body?.transformToString(), "hello");
});

test("parts copied from an object", async () => {
  await client.send(new PutObjectCommand({ Bucket, Key: "source", Body: whole }));
  const { upload, complete } = await start("copied");
  const copy = async (PartNumber: number, CopySourceRange?: string, more: object = {}) => {
    const source = {
      CopySource: `${Bucket}/source`,
      ...(CopySourceRange ? { CopySourceRange } : {}),
      ...more,
    };
    const { CopyPartResult } = await client.send(
      new UploadPartCopyCommand({ ...upload, PartNumber, ...source }),
    );
    return { PartNumber, ETag: CopyPartResult?.ETag };
  };
  const Parts = [await copy(1, `bytes=1-${MIN}`), await copy(2)];
  await complete(Parts);
  assert.ok((await read("copied")).bytes.equals(Buffer.concat([whole.subarray(1, MIN + 1), whole])));
  const other = await start("copied");
  const refuse = (more: object) =>
    failure(
      client.send(
        new UploadPartCopyCommand({
          ...other.upload,
          PartNumber: 1,
          CopySource: `${Bucket}/source`,
          ...more,
        }),
      ),
    );
  assert.equal(await refuse({ CopySourceRange: `bytes=0-${whole.length}` }), "400 InvalidArgument");
  assert.equal(await refuse({ CopySourceRange: "bytes=5-" }), "400 InvalidArgument");
  assert.equal(await refuse({ CopySourceIfMatch: '"other"' }), "412 PreconditionFailed");
  assert.equal(await refuse({ CopySource: `${Bucket}/absent` }), "404 NoSuchKey");
});

test("no body is left of what was overwritten, aborted or not wanted", async () => {
  const bodies = () => readdirSync(`${fixture.data}/bodies`).length;
  const before = bodies();
  const { part, complete, upload } = await start("leftovers");
  const parts = [await part(1, big[0] ?? ""), await part(2, "y"), await part(3, "not wanted")];
  await part(2, "z");
  assert.equal(bodies(), before + 3);
  assert.equal(await failure(complete(parts)), "400 InvalidPart");
  assert.equal(await failure(part(4, "x", { ContentMD5: "AAAAAAAAAAAAAAAAAAAAAA==" })), "400 BadDigest");
  assert.equal(bodies(), before + 3);
  await client.send(new AbortMultipartUploadCommand(upload));
  assert.equal(bodies(), before);

  const second = await start("leftovers");
  const chosen = [await second.part(1, big[0] ?? ""), await second.part(3, "z")];
  await second.part(2, "not wanted");
  await second.complete(chosen);
  assert.equal(bodies(), before + 2);
  await client.send(new PutObjectCommand({ Bucket, Key: "leftovers", Body: "over it all" }));
  assert.equal(bodies(), before + 1);
});
