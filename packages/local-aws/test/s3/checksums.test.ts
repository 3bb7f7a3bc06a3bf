import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import test from "node:test";
import { crc32 } from "node:zlib";
import {
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import fc from "fast-check";
import { combineCrc, createCrc } from "../../s3/crc.ts";
import { call, md5, startFixture } from "./fixture.ts";

const fixture = await startFixture();
const { client } = fixture;
const Bucket = "checksums";
await client.send(new CreateBucketCommand({ Bucket }));

/** Of "123456789": the check values of the "Catalogue of parametrised CRC algorithms", and hashes by OpenSSL. */
const check = Buffer.from("123456789");
const hash = (name: string) => createHash(name).update(check).digest("base64");
const expected = {
  crc32: Buffer.from("cbf43926", "hex").toString("base64"),
  crc32c: Buffer.from("e3069283", "hex").toString("base64"),
  crc64nvme: Buffer.from("ae8b14860a799888", "hex").toString("base64"),
  sha1: hash("sha1"),
  sha256: hash("sha256"),
  sha512: hash("sha512"),
  md5: hash("md5"),
};
type Name = keyof typeof expected;
const crcs = ["crc32", "crc32c", "crc64nvme"] as const;

test("CRCs of published check values", () => {
  for (const name of crcs) {
    const crc = createCrc(name);
    crc.update(check);
    assert.equal(crc.digest().toString("base64"), expected[name]);
  }
});

const digestOf = (name: (typeof crcs)[number], ...pieces: Uint8Array[]): Buffer => {
  const crc = createCrc(name);
  for (const piece of pieces) crc.update(Buffer.from(piece));
  return crc.digest();
};

/** Bit by bit, from the definition. */
function slowCrc(poly: bigint, width: bigint, data: Uint8Array): string {
  const ones = (1n << width) - 1n;
  let crc = ones;
  for (const byte of data) {
    crc ^= BigInt(byte);
    for (let i = 0; i < 8; i++) crc = crc & 1n ? (crc >> 1n) ^ poly : crc >> 1n;
  }
  return (crc ^ ones).toString(16).padStart(Number(width / 4n), "0");
}

test("CRCs equal their definition, however the bytes are cut, and combine", () => {
  const bytes = fc.uint8Array({ maxLength: 100 });
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      const whole = Buffer.concat([a, b]);
      assert.equal(digestOf("crc32", whole).readUInt32BE(), crc32(whole));
      assert.equal(digestOf("crc32c", whole).toString("hex"), slowCrc(0x82f63b78n, 32n, whole));
      assert.equal(digestOf("crc64nvme", whole).toString("hex"), slowCrc(0x9a6c9329ac4bc9b5n, 64n, whole));
      for (const name of crcs) {
        assert.deepEqual(digestOf(name, a, b), digestOf(name, whole));
        assert.deepEqual(
          combineCrc(name, digestOf(name, a), digestOf(name, b), b.length),
          digestOf(name, whole),
        );
      }
    }),
    { numRuns: 100 },
  );
});

for (const [name, value] of Object.entries(expected) as [Name, string][]) {
  const header = `x-amz-checksum-${name}`;
  const put = (headers: Record<string, string>, body: Buffer | string = check) =>
    call(fixture, { method: "PUT", path: `/checksums/${name}`, headers, body });

  test(`${name}: right, wrong and malformed, as a header`, async () => {
    const stored = await put({ [header]: value });
    assert.deepEqual(
      [stored.status, stored.headers[header], stored.headers["x-amz-checksum-type"]],
      [200, value, "FULL_OBJECT"],
    );
    const read = await call(fixture, {
      path: `/checksums/${name}`,
      headers: { "x-amz-checksum-mode": "ENABLED" },
    });
    assert.equal(read.headers[header], value);
    assert.equal(
      (await call(fixture, { path: `/checksums/${name}` })).headers[header],
      undefined,
      "only when asked for",
    );

    assert.equal((await put({ [header]: value }, "123456780")).code, "BadDigest");
    assert.equal((await put({ [header]: value.slice(0, -4) })).code, "InvalidRequest");
    assert.equal((await put({ [header]: "*" })).code, "InvalidRequest");
    assert.equal(
      (await put({ [header]: value, "x-amz-sdk-checksum-algorithm": name === "sha1" ? "SHA256" : "SHA1" }))
        .code,
      "InvalidRequest",
    );
    assert.equal(
      (await call(fixture, { path: `/checksums/${name}` })).body,
      "123456789",
      "none of those was stored",
    );
  });

  test(`${name}: as a trailer`, async () => {
    const trailed = (trailing: string, announced = header) =>
      put(
        {
          "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
          "x-amz-decoded-content-length": "9",
          "x-amz-trailer": announced,
        },
        `9\r\n123456789\r\n0\r\n${trailing}\r\n`,
      );
    const stored = await trailed(`${header}:${value}\r\n`);
    assert.deepEqual([stored.status, stored.headers[header]], [200, value]);
    const wrong = Buffer.from(value, "base64");
    wrong[0] = (wrong[0] ?? 0) ^ 1;
    assert.equal((await trailed(`${header}:${wrong.toString("base64")}\r\n`)).code, "BadDigest");
    assert.equal((await trailed(`${header}:abc\r\n`)).code, "InvalidRequest");
    assert.equal((await trailed("")).code, "MalformedTrailerError");
    assert.equal((await trailed(`x-amz-other:${value}\r\n`)).code, "MalformedTrailerError");
    assert.equal((await trailed(`${header}:${value}\r\n`, "x-amz-meta-a")).code, "InvalidRequest");
  });
}

test("the SDK, with every algorithm that it computes, from a buffer and from a stream", async () => {
  for (const algorithm of ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"] as const) {
    // A stream goes as aws-chunked with a trailer.
    for (const Body of [check, Readable.from([check])]) {
      const field = `Checksum${algorithm}` as const;
      const object = { Bucket, Key: `sdk-${algorithm}` };
      const put = await client.send(
        new PutObjectCommand({ ...object, Body, ContentLength: 9, ChecksumAlgorithm: algorithm }),
      );
      assert.equal(put[field], expected[algorithm.toLowerCase() as Name], algorithm);
      const head = await client.send(new HeadObjectCommand({ ...object, ChecksumMode: "ENABLED" }));
      assert.equal(head[field], put[field]);
      const read = await client.send(new GetObjectCommand({ ...object, ChecksumMode: "ENABLED" }));
      assert.equal(await read.Body?.transformToString(), "123456789", "which the SDK verifies as well");
    }
  }
});

test("an algorithm that is not there is named", async () => {
  const answer = await call(fixture, {
    method: "PUT",
    path: "/checksums/xx",
    headers: { "x-amz-checksum-xxhash64": "AAAAAAAAAAA=" },
    body: check,
  });
  assert.deepEqual([answer.status, answer.code], [501, "NotImplemented"]);
});

test("Content-MD5", async () => {
  const put = async (value: string) => {
    const { code, status } = await call(fixture, {
      method: "PUT",
      path: "/checksums/md5",
      headers: { "content-md5": value },
      body: "x",
    });
    return code ?? status;
  };
  assert.equal(await put(Buffer.from(md5("x"), "hex").toString("base64")), 200);
  assert.equal(await put(Buffer.from(md5("y"), "hex").toString("base64")), "BadDigest");
  assert.equal(await put(md5("x")), "InvalidDigest");
});

test("more than one claim, or a claim without a value", async () => {
  const put = async (headers: Record<string, string>) =>
    (await call(fixture, { method: "PUT", path: "/checksums/two", headers, body: check })).code;
  assert.equal(
    await put({ "x-amz-checksum-crc32": expected.crc32, "x-amz-checksum-sha1": expected.sha1 }),
    "InvalidRequest",
  );
  assert.equal(await put({ "x-amz-sdk-checksum-algorithm": "CRC32" }), "InvalidRequest");
  assert.equal(await put({ "x-amz-checksum-crc99": "AAAA" }), "InvalidRequest");
  assert.equal(await put({ "x-amz-trailer": "x-amz-checksum-crc32" }), "InvalidRequest");
});
