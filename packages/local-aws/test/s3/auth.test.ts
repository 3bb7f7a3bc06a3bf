import assert from "node:assert/strict";
import test from "node:test";
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import {
  call,
  failure,
  hmacHex,
  KEYS,
  newClient,
  presigned,
  type RawCall,
  send,
  sha256,
  signed,
  signingKey,
  startFixture,
  timestamp,
} from "./fixture.ts";

const fixture = await startFixture();
await fixture.client.send(new CreateBucketCommand({ Bucket: "auth" }));
const put: RawCall = {
  method: "PUT",
  path: "/auth/key",
  body: "hello",
  headers: { "content-type": "image/jpeg", "x-amz-meta-owner": "u1", "cache-control": "no-cache" },
};
const minutes = (n: number) => new Date(Date.now() + n * 60_000);
const outcome = async (raw: RawCall) => {
  const { status, code } = await send(fixture, raw);
  return code ? `${status} ${code}` : String(status);
};

test("a well signed request is served", async () => {
  assert.equal(await outcome(await signed(fixture, put)), "200");
  assert.equal((await call(fixture, { path: "/auth/key" })).body, "hello");
  assert.equal(await outcome(await signed(fixture, { path: "/auth/key" }, { date: minutes(14) })), "200");
  assert.equal(await outcome(await signed(fixture, { path: "/auth/key" }, { date: minutes(-14) })), "200");
});

test("who is refused, and with which code", async (t) => {
  const cases: Record<string, [Promise<RawCall>, string]> = {
    anonymous: [Promise.resolve({ path: "/auth/key" }), "403 AccessDenied"],
    "anonymous writer": [Promise.resolve(put), "403 AccessDenied"],
    "wrong secret": [signed(fixture, put, { secret: "other" }), "403 SignatureDoesNotMatch"],
    "unknown key": [signed(fixture, put, { accessKeyId: "AKIDOTHER" }), "403 InvalidAccessKeyId"],
    "another region": [signed(fixture, put, { region: "us-west-2" }), "400 AuthorizationHeaderMalformed"],
    "another service": [signed(fixture, put, { service: "sqs" }), "400 AuthorizationHeaderMalformed"],
    "16 minutes early": [signed(fixture, put, { date: minutes(16) }), "403 RequestTimeTooSkewed"],
    "16 minutes late": [signed(fixture, put, { date: minutes(-16) }), "403 RequestTimeTooSkewed"],
    "presigned, expired": [presigned(fixture, put, { date: minutes(-6), expires: 300 }), "403 AccessDenied"],
    "presigned, in the future": [presigned(fixture, put, { date: minutes(16) }), "403 AccessDenied"],
    "presigned, wrong secret": [presigned(fixture, put, { secret: "other" }), "403 SignatureDoesNotMatch"],
    "presigned, unknown key": [
      presigned(fixture, put, { accessKeyId: "AKIDOTHER" }),
      "403 InvalidAccessKeyId",
    ],
    "presigned, another region": [
      presigned(fixture, put, { region: "us-west-2" }),
      "400 AuthorizationQueryParametersError",
    ],
  };
  for (const [name, [raw, expected]] of Object.entries(cases)) {
    await t.test(name, async () => assert.equal(await outcome(await raw), expected));
  }
});

test("an expired URL says since when", async () => {
  const { body } = await send(
    fixture,
    await presigned(fixture, { path: "/auth/key" }, { date: minutes(-6), expires: 300 }),
  );
  assert.match(
    body,
    /<Message>Request has expired<\/Message><X-Amz-Expires>300<\/X-Amz-Expires><Expires>.*<\/Expires>/,
  );
});

test("nothing that is signed can be changed", async (t) => {
  const original = await signed(fixture, put);
  const changed = (headers: Record<string, string>): RawCall => ({
    ...original,
    headers: { ...original.headers, ...headers },
  });
  const cases: Record<string, [RawCall, string]> = {
    method: [{ ...original, method: "DELETE" }, "403 SignatureDoesNotMatch"],
    key: [{ ...original, path: "/auth/kez" }, "403 SignatureDoesNotMatch"],
    "a query parameter more": [
      { ...original, path: "/auth/key?x-id=PutObject" },
      "403 SignatureDoesNotMatch",
    ],
    "content-type": [changed({ "content-type": "image/svg+xml" }), "403 SignatureDoesNotMatch"],
    metadata: [changed({ "x-amz-meta-owner": "u2" }), "403 SignatureDoesNotMatch"],
    "content-length": [{ ...changed({ "content-length": "4" }), body: "hell" }, "403 SignatureDoesNotMatch"],
    "content hash": [changed({ "x-amz-content-sha256": "UNSIGNED-PAYLOAD" }), "403 SignatureDoesNotMatch"],
    host: [changed({ host: "localhost" }), "403 SignatureDoesNotMatch"],
    date: [changed({ "x-amz-date": timestamp(minutes(1)) }), "403 SignatureDoesNotMatch"],
    "metadata more": [changed({ "x-amz-meta-admin": "true" }), "403 AccessDenied"],
    "an ACL": [changed({ "x-amz-acl": "public-read" }), "403 AccessDenied"],
    "a session token": [changed({ "x-amz-security-token": "t" }), "403 AccessDenied"],
    body: [{ ...original, body: "jello" }, "400 XAmzContentSHA256Mismatch"],
    "not signed, so free: cache-control": [changed({ "cache-control": "max-age=1" }), "200"],
  };
  for (const [name, [raw, expected]] of Object.entries(cases)) {
    await t.test(name, async () => assert.equal(await outcome(raw), expected));
  }
});

test("nothing in a presigned URL can be changed", async (t) => {
  const headers = {
    "content-type": "image/jpeg",
    "content-length": "5",
    "if-none-match": "*",
    "x-amz-checksum-sha256": Buffer.from(sha256("hello"), "hex").toString("base64"),
  };
  let count = 0;
  const fresh = async () =>
    presigned(fixture, { method: "PUT", path: `/auth/presigned-${count++}`, headers, body: "hello" });
  assert.equal(await outcome(await fresh()), "200");
  const again = await fresh();
  assert.equal(await outcome(again), "200");
  assert.equal(await outcome(again), "412 PreconditionFailed", "write-once");

  const url = await fresh();
  const parameters = (url.path.split("?")[1] ?? "").split("&");
  for (const parameter of parameters) {
    const [name = "", value = ""] = parameter.split("=");
    const other = `${value.slice(0, -1)}${value.endsWith("1") ? "2" : "1"}`;
    await t.test(`parameter ${name}`, async () => {
      assert.match(
        await outcome({ ...url, path: url.path.replace(parameter, `${name}=${other}`) }),
        /^40[03] /,
      );
      assert.match(await outcome({ ...url, path: url.path.replace(parameter, "") }), /^40[03] /);
    });
  }
  const { "x-amz-checksum-sha256": _, ...withoutChecksum } = { ...url.headers } as Record<string, string>;
  const { "if-none-match": __, ...withoutCondition } = { ...url.headers } as Record<string, string>;
  const cases: Record<string, [Partial<RawCall>, string]> = {
    "another type": [
      { headers: { ...url.headers, "content-type": "text/html" } },
      "403 SignatureDoesNotMatch",
    ],
    "another length": [
      { headers: { ...url.headers, "content-length": "6" }, body: "hello!" },
      "403 SignatureDoesNotMatch",
    ],
    "no condition": [{ headers: withoutCondition }, "403 SignatureDoesNotMatch"],
    "no checksum": [{ headers: withoutChecksum }, "403 SignatureDoesNotMatch"],
    "another body": [{ body: "jello" }, "400 BadDigest"],
    "metadata more": [{ headers: { ...url.headers, "x-amz-meta-owner": "me" } }, "403 AccessDenied"],
    "another bucket": [{ path: url.path.replace("/auth/", "/other/") }, "403 SignatureDoesNotMatch"],
  };
  for (const [name, [change, expected]] of Object.entries(cases)) {
    await t.test(name, async () => assert.equal(await outcome({ ...url, ...change }), expected));
  }
  assert.equal(await outcome(url), "200", "all of it failed, so the key is still free");
});

test("malformed signatures", async (t) => {
  const { headers = {} } = await signed(fixture, { path: "/auth/key" });
  const authorization = String(headers["authorization"]);
  const withHeader = (value: string) => ({
    path: "/auth/key",
    headers: { ...headers, authorization: value },
  });
  const query = (text: string) => ({ path: `/auth/key?${text}` });
  const url = (await presigned(fixture, { path: "/auth/key" })).path;
  const withExpiry = (value: string) => ({
    path: url.replace("X-Amz-Expires=300", `X-Amz-Expires=${value}`),
  });
  const cases: Record<string, [RawCall, string]> = {
    "version 2": [withHeader("AWS AKID:signature"), "400 InvalidRequest"],
    "version 2 in the query": [query("AWSAccessKeyId=a&Signature=b&Expires=1"), "400 InvalidRequest"],
    basic: [withHeader("Basic YTpi"), "400 InvalidRequest"],
    "no credential": [
      withHeader(authorization.replace("Credential=", "Cred=")),
      "400 AuthorizationHeaderMalformed",
    ],
    "short credential": [
      withHeader("AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=c"),
      "400 AuthorizationHeaderMalformed",
    ],
    "no signature": [
      withHeader(authorization.replace(/, Signature=.*/, "")),
      "400 AuthorizationHeaderMalformed",
    ],
    "upper-case names": [
      withHeader(authorization.replace("host", "Host")),
      "400 AuthorizationHeaderMalformed",
    ],
    "host not signed": [withHeader(authorization.replace("host;", "")), "403 AccessDenied"],
    "both kinds": [{ path: url, headers: { ...headers, authorization } }, "400 InvalidArgument"],
    "no date": [
      { path: "/auth/key", headers: { authorization, "x-amz-content-sha256": sha256("") } },
      "403 AccessDenied",
    ],
    "a date that is none": [
      { path: "/auth/key", headers: { ...headers, "x-amz-date": "20130231T000000Z" } },
      "403 AccessDenied",
    ],
    "no content hash": [
      { path: "/auth/key", headers: { authorization, "x-amz-date": String(headers["x-amz-date"]) } },
      "400 InvalidRequest",
    ],
    "a content hash that is none": [
      { path: "/auth/key", headers: { ...headers, "x-amz-content-sha256": "abc" } },
      "400 InvalidArgument",
    ],
    "expires: 0": [withExpiry("0"), "400 AuthorizationQueryParametersError"],
    "expires: over a week": [withExpiry("604801"), "400 AuthorizationQueryParametersError"],
    "expires: negative": [withExpiry("-1"), "400 AuthorizationQueryParametersError"],
    "expires: text": [withExpiry("soon"), "400 AuthorizationQueryParametersError"],
    "another algorithm": [
      { path: url.replace("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512") },
      "400 AuthorizationQueryParametersError",
    ],
    "only an algorithm": [query("X-Amz-Algorithm=AWS4-HMAC-SHA256"), "400 AuthorizationQueryParametersError"],
  };
  for (const [name, [raw, expected]] of Object.entries(cases)) {
    await t.test(name, async () => assert.equal(await outcome(raw), expected));
  }
});

test("hoisted x-amz-* parameters count as headers, except checksums", async () => {
  const wrong = Buffer.alloc(4).toString("base64");
  const headers = {
    "x-amz-meta-owner": "u1",
    "x-amz-storage-class": "STANDARD_IA",
    "x-amz-checksum-crc32": wrong,
    "x-amz-sdk-checksum-algorithm": "CRC32",
  };
  const url = await presigned(
    fixture,
    { method: "PUT", path: "/auth/hoisted", headers, body: "hello" },
    { hoist: true },
  );
  assert.match(url.path, /x-amz-checksum-crc32=AAAAAA%3D%3D/);
  assert.equal(
    await outcome({ ...url, headers: { host: `127.0.0.1:${fixture.port}`, "content-length": "5" } }),
    "200",
  );
  const stored = await call(fixture, {
    path: "/auth/hoisted",
    headers: { "x-amz-checksum-mode": "ENABLED" },
  });
  assert.equal(stored.headers["x-amz-meta-owner"], "u1");
  assert.equal(stored.headers["x-amz-storage-class"], "STANDARD_IA");
  assert.equal(stored.headers["x-amz-checksum-crc32"], undefined);
});

test("a presigned URL may carry an unsigned x-amz-content-sha256, which then is the payload's hash", async () => {
  const url = await presigned(fixture, { method: "PUT", path: "/auth/hash", body: "hello" });
  const headers = { ...url.headers, "content-length": "5" };
  assert.equal(
    await outcome({ ...url, headers: { ...headers, "x-amz-content-sha256": "UNSIGNED-PAYLOAD" } }),
    "200",
  );
  assert.equal(
    await outcome({ ...url, headers: { ...headers, "x-amz-content-sha256": sha256("hello") } }),
    "403 SignatureDoesNotMatch",
  );
});

test("signed chunks over HTTP, each sealed by the one before", async () => {
  const data = ["a".repeat(8192), "b".repeat(100), ""];
  const date = new Date();
  const seeded = async (length: number) =>
    signed(
      fixture,
      {
        method: "PUT",
        path: "/auth/chunked",
        headers: {
          "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
          "x-amz-decoded-content-length": String(length),
          "content-encoding": "aws-chunked,gzip",
        },
      },
      { date },
    );
  const chunked = (raw: RawCall): RawCall => {
    const stamp = timestamp(date);
    let previous = /Signature=([0-9a-f]+)/.exec(String(raw.headers?.["authorization"]))?.[1] ?? "";
    const body = data
      .map((text) => {
        const scope = `${stamp.slice(0, 8)}/eu-central-1/s3/aws4_request`;
        const toSign = ["AWS4-HMAC-SHA256-PAYLOAD", stamp, scope, previous, sha256(""), sha256(text)].join(
          "\n",
        );
        previous = hmacHex(signingKey(stamp.slice(0, 8)), toSign);
        return `${text.length.toString(16)};chunk-signature=${previous}\r\n${text}\r\n`;
      })
      .join("");
    return { ...raw, body, headers: { ...raw.headers, "content-length": String(body.length) } };
  };
  const good = chunked(await seeded(8292));
  assert.equal(await outcome(good), "200");
  const { body, headers } = await call(fixture, { path: "/auth/chunked" });
  assert.equal(body, data.join(""));
  assert.equal(headers["content-encoding"], "gzip");
  const text = String(good.body);
  assert.equal(await outcome({ ...good, body: text.replace("bb", "bc") }), "403 SignatureDoesNotMatch");
  assert.equal(
    await outcome({
      ...good,
      body: text.slice(0, -30),
      headers: { ...good.headers, "content-length": String(text.length - 30) },
    }),
    "400 IncompleteBody",
  );
  assert.equal(await outcome(chunked(await seeded(8291))), "400 IncompleteBody");
  assert.equal(await outcome(chunked(await seeded(8293))), "400 IncompleteBody");
});

test("small chunks are refused unless they are the last, as S3 does", async () => {
  const raw = (sizes: number[]): RawCall => ({
    method: "PUT",
    path: "/auth/small",
    headers: {
      "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
      "x-amz-decoded-content-length": String(sizes.reduce((a, b) => a + b, 0)),
    },
    body: `${[...sizes, 0]
      .map((size) => `${size.toString(16)}\r\n${size ? `${"x".repeat(size)}\r\n` : ""}`)
      .join("")}\r\n`,
  });
  assert.equal(await outcome(await signed(fixture, raw([8192, 10]))), "200");
  assert.equal(await outcome(await signed(fixture, raw([100, 10]))), "403 InvalidChunkSizeError");
});

test("a configured session token must come along, signed", async () => {
  const session = await startFixture({ credentials: { ...KEYS, sessionToken: "token/1+2=" } });
  const outcomes = async (token: string | undefined, presign: boolean) => {
    const options = token === undefined ? {} : { sessionToken: token };
    const raw = { method: "GET", path: "/" };
    const { status, code } = await send(
      session,
      await (presign ? presigned(session, raw, options) : signed(session, raw, options)),
    );
    return code ?? status;
  };
  for (const presign of [false, true]) {
    assert.equal(await outcomes("token/1+2=", presign), 200);
    assert.equal(await outcomes("token", presign), "InvalidToken");
    assert.equal(await outcomes(undefined, presign), "InvalidToken");
  }
  assert.equal(
    (await call(fixture, { path: "/" }, { sessionToken: "any" })).status,
    200,
    "static credentials: any token, if signed",
  );
});

test("the SDK in virtual-hosted style", async () => {
  const { port } = fixture;
  const client = newClient(`http://localhost:${port}`, {
    forcePathStyle: false,
    requestHandler: {
      requestTimeout: 5000,
      httpAgent: {
        lookup: (
          _: string,
          __: unknown,
          found: (e: null, a: { address: string; family: number }[]) => void,
        ) => found(null, [{ address: "127.0.0.1", family: 4 }]),
      },
    },
  });
  const Key = "virtual host/ä+b.txt";
  await client.send(new PutObjectCommand({ Bucket: "auth", Key, Body: "v" }));
  assert.equal((await call(fixture, { path: "/auth/virtual%20host/%C3%A4%2Bb.txt" })).body, "v");
  const { Body } = await client.send(new GetObjectCommand({ Bucket: "auth", Key }));
  assert.equal(await Body?.transformToString(), "v");
  const { Contents = [] } = await client.send(
    new ListObjectsV2Command({ Bucket: "auth", Prefix: "virtual" }),
  );
  assert.deepEqual(
    Contents.map((entry) => entry.Key),
    [Key],
  );
  assert.equal(await failure(client.send(new GetObjectCommand({ Bucket: "nope", Key }))), "404 NoSuchBucket");
  client.destroy();
});
