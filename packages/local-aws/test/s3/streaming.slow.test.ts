import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import test from "node:test";
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { formBody, newClient, policyFields, type RawCall, signed } from "./fixture.ts";
import { startChild } from "./start-child.ts";

/** 200 MB, not to be held in memory by either side. */
const PIECE = Buffer.alloc(1024 * 1024, "0123456789abcdef");
const PIECES = 200;
const SIZE = PIECES * PIECE.length;
/** What a server may hold over what it holds when idle: pieces under way and what the collector has not collected yet. */
const ALLOWED_GROWTH = 100 * 1024 * 1024;

const data = mkdtempSync(join(tmpdir(), "local-s3-"));
const child = await startChild(data);
const client = newClient(child.url, { requestStreamBufferSize: 65_536 });
test.after(async () => {
  client.destroy();
  await child.kill();
  rmSync(data, { recursive: true });
});
const Bucket = "big";
await client.send(new CreateBucketCommand({ Bucket }));
await client.send(new PutObjectCommand({ Bucket, Key: "warm", Body: Buffer.alloc(1_000_000) }));
const idle = await child.maxRss();

function* pieces(count = PIECES): Generator<Buffer> {
  for (let i = 0; i < count; i++) yield PIECE;
}
const expected = createHash("sha256");
for (const piece of pieces()) expected.update(piece);
const sha256 = expected.digest("hex");

async function exchange(
  { method = "GET", path, headers }: RawCall,
  body: Iterable<Buffer> = [],
): Promise<{ status: number; sha256: string; size: number }> {
  const outgoing = httpRequest({
    host: "127.0.0.1",
    port: child.port,
    agent: false,
    method,
    path,
    headers: headers as Record<string, string>,
  });
  const answered = once(outgoing, "response");
  await pipeline(Readable.from(body), outgoing);
  const [response] = await answered;
  const hash = createHash("sha256");
  let size = 0;
  for await (const chunk of response) {
    hash.update(chunk);
    size += chunk.length;
  }
  return { status: response.statusCode, sha256: hash.digest("hex"), size };
}

async function checkStored(key: string): Promise<void> {
  const read = await exchange(await signed(child, { path: `/big/${key}` }));
  assert.deepEqual(read, { status: 200, sha256, size: SIZE });
  const grown = (await child.maxRss()) - idle;
  assert.ok(grown < ALLOWED_GROWTH, `${key}: grew by ${Math.round(grown / 1024 / 1024)} MB`);
}

test("200 MB in one PUT whose hash is signed", async () => {
  const headers = { "x-amz-content-sha256": sha256, "content-length": String(SIZE) };
  const { status } = await exchange(
    await signed(child, { method: "PUT", path: "/big/put", headers }),
    pieces(),
  );
  assert.equal(status, 200);
  await checkStored("put");
});

test("200 MB as aws-chunked with a CRC-64 behind it, by the SDK", async () => {
  await client.send(
    new PutObjectCommand({
      Bucket,
      Key: "stream",
      Body: Readable.from(pieces(), { objectMode: false }),
      ContentLength: SIZE,
      ChecksumAlgorithm: "CRC64NVME",
    }),
  );
  await checkStored("stream");
});

test("200 MB in a browser's form", async () => {
  const fields = policyFields([{ bucket: Bucket }, { key: "form" }, ["content-length-range", SIZE, SIZE]]);
  const { headers, body } = formBody([["key", "form"], ...fields], "");
  // The form around an empty file, cut where the file goes.
  const at = body.indexOf("image/png\r\n\r\n") + "image/png\r\n\r\n".length;
  const form = function* () {
    yield body.subarray(0, at);
    yield* pieces();
    yield body.subarray(at);
  };
  const length = { "content-length": String(body.length + SIZE) };
  const { status } = await exchange(
    { method: "POST", path: "/big", headers: { ...headers, ...length } },
    form(),
  );
  assert.equal(status, 204);
  await checkStored("form");
});

test("200 MB in parts of 20 MB, four at a time", async () => {
  const upload = { Bucket, Key: "parts" };
  const { UploadId } = await client.send(
    new CreateMultipartUploadCommand({ ...upload, ChecksumAlgorithm: "CRC32" }),
  );
  const part = async (PartNumber: number) => {
    const Body = Readable.from(pieces(20), { objectMode: false });
    const { ETag, ChecksumCRC32 } = await client.send(
      new UploadPartCommand({
        ...upload,
        UploadId,
        PartNumber,
        Body,
        ContentLength: 20 * PIECE.length,
        ChecksumAlgorithm: "CRC32",
      }),
    );
    return { PartNumber, ETag, ChecksumCRC32 };
  };
  const Parts = [];
  for (const first of [1, 5, 9])
    Parts.push(
      ...(await Promise.all(
        [0, 1, 2, 3]
          .map((i) => first + i)
          .filter((n) => n <= 10)
          .map(part),
      )),
    );
  await client.send(new CompleteMultipartUploadCommand({ ...upload, UploadId, MultipartUpload: { Parts } }));
  await checkStored("parts");
});

test("a copy of 200 MB, and eight readers at once, one of them slow", async () => {
  const copy = await signed(child, {
    method: "PUT",
    path: "/big/copy",
    headers: { "x-amz-copy-source": "/big/parts" },
  });
  assert.equal((await exchange(copy)).status, 200);
  await checkStored("copy");
  const { path, headers } = await signed(child, { path: "/big/copy" });
  const slow = httpRequest({
    host: "127.0.0.1",
    port: child.port,
    agent: false,
    path,
    headers: headers as Record<string, string>,
  });
  slow.end();
  // Takes nothing: whatever the server read ahead for it would pile up.
  const [response] = await once(slow, "response");
  response.pause();
  await Promise.all(Array.from({ length: 8 }, () => checkStored("copy")));
  slow.destroy();
});
