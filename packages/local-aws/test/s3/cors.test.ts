import assert from "node:assert/strict";
import test from "node:test";
import {
  type CORSRule,
  CreateBucketCommand,
  DeleteBucketCorsCommand,
  GetBucketCorsCommand,
  PutBucketCorsCommand,
} from "@aws-sdk/client-s3";
import { call, failure, presigned, send, startFixture } from "./fixture.ts";

const fixture = await startFixture();
const { client } = fixture;
const Bucket = "cors";
await client.send(new CreateBucketCommand({ Bucket }));
await client.send(new CreateBucketCommand({ Bucket: "bare" }));

const put = (...CORSRules: CORSRule[]) =>
  client.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules } }));
const rules: CORSRule[] = [
  {
    ID: "app",
    AllowedOrigins: ["http://localhost:3000"],
    AllowedMethods: ["PUT", "POST"],
    AllowedHeaders: ["content-type", "if-none-match", "X-Amz-*"],
    ExposeHeaders: ["ETag", "x-amz-request-id"],
    MaxAgeSeconds: 600,
  },
  { AllowedOrigins: ["https://*.example.com"], AllowedMethods: ["PUT"], AllowedHeaders: ["*"] },
  { AllowedOrigins: ["https://overlap"], AllowedMethods: ["PUT"], AllowedHeaders: ["x-*-x"] },
  { AllowedOrigins: ["*"], AllowedMethods: ["GET", "HEAD"] },
];
await put(...rules);
const preflight = (origin: string, method: string, headers?: string, path = "/cors/key") =>
  send(fixture, {
    method: "OPTIONS",
    path,
    headers: {
      origin,
      "access-control-request-method": method,
      ...(headers ? { "access-control-request-headers": headers } : {}),
    },
  });

test("the rules come back as they were put", async () => {
  assert.deepEqual((await client.send(new GetBucketCorsCommand({ Bucket }))).CORSRules, rules);
});

test("preflights", async (t) => {
  const allowed = await preflight(
    "http://localhost:3000",
    "PUT",
    "Content-Type, if-none-match, x-amz-meta-owner,x-amz-checksum-sha256",
  );
  assert.equal(allowed.status, 200);
  assert.deepEqual(
    Object.fromEntries(
      Object.entries(allowed.headers).filter(([name]) => /^(access-control|vary)/.test(name)),
    ),
    {
      "access-control-allow-origin": "http://localhost:3000",
      "access-control-allow-methods": "PUT, POST",
      "access-control-allow-headers": "content-type, if-none-match, x-amz-meta-owner, x-amz-checksum-sha256",
      "access-control-expose-headers": "ETag, x-amz-request-id",
      "access-control-max-age": "600",
      "access-control-allow-credentials": "true",
      vary: "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
    },
  );
  const cases: [origin: string, method: string, headers: string | undefined, allow: string | undefined][] = [
    ["http://localhost:3000", "POST", undefined, "http://localhost:3000"],
    ["http://localhost:3001", "PUT", undefined, undefined],
    ["http://localhost:3000", "DELETE", undefined, undefined],
    ["http://localhost:3000", "PUT", "content-type, authorization", undefined],
    ["http://localhost:3000.evil.com", "PUT", undefined, undefined],
    ["https://a.example.com", "PUT", "anything-at-all", "https://a.example.com"],
    ["https://example.com", "PUT", undefined, undefined],
    ["https://a.example.com.evil.com", "PUT", undefined, undefined],
    ["http://a.example.com", "PUT", undefined, undefined],
    ["https://overlap", "PUT", "x--x, x-a-x", "https://overlap"],
    ["https://overlap", "PUT", "x-x", undefined],
    ["https://anyone", "GET", undefined, "*"],
    ["https://anyone", "GET", "range", undefined],
    ["null", "HEAD", undefined, "*"],
  ];
  for (const [origin, method, headers, allow] of cases) {
    await t.test(`${origin} ${method} ${headers ?? ""}`, async () => {
      const answer = await preflight(origin, method, headers);
      assert.deepEqual(
        [answer.status, answer.headers["access-control-allow-origin"], answer.code],
        allow ? [200, allow, undefined] : [403, undefined, "AccessForbidden"],
      );
    });
  }
});

test("preflights that cannot be answered", async () => {
  assert.equal((await preflight("https://a", "PUT", undefined, "/bare/key")).code, "AccessForbidden");
  assert.equal((await preflight("https://a", "PUT", undefined, "/nope/key")).code, "NoSuchBucket");
  assert.equal((await preflight("https://a", "PUT", undefined, "/")).code, "AccessForbidden");
  assert.equal((await send(fixture, { method: "OPTIONS", path: "/cors/key" })).code, "BadRequest");
  assert.equal(
    (await send(fixture, { method: "OPTIONS", path: "/cors/key", headers: { origin: "https://a" } })).code,
    "BadRequest",
  );
});

test("answers carry the headers, refusals too", async () => {
  const origin = "http://localhost:3000";
  const url = await presigned(fixture, { method: "PUT", path: "/cors/key", body: "x" });
  const answer = async (headers: Record<string, string>, path = url.path) => {
    const { status, headers: got } = await send(fixture, {
      ...url,
      path,
      headers: { ...url.headers, "content-length": "1", ...headers },
    });
    return [
      status,
      got["access-control-allow-origin"],
      got["access-control-expose-headers"],
      got["vary"]?.split(",")[0],
    ];
  };
  assert.deepEqual(await answer({ origin }), [200, origin, "ETag, x-amz-request-id", "Origin"]);
  assert.deepEqual(await answer({ origin: "https://evil" }), [200, undefined, undefined, "Origin"]);
  assert.deepEqual(await answer({}), [200, undefined, undefined, "Origin"]);
  assert.deepEqual(await answer({ origin }, "/cors/key"), [403, origin, "ETag, x-amz-request-id", "Origin"]);
  const bare = await send(fixture, { path: "/bare/key", headers: { origin } });
  assert.deepEqual([bare.status, bare.headers["vary"]], [403, undefined]);
});

test("configurations that are refused", async (t) => {
  const rule: CORSRule = { AllowedOrigins: ["*"], AllowedMethods: ["GET"] };
  const cases: [Partial<CORSRule>, string][] = [
    [{ AllowedMethods: ["PATCH"] }, "400 InvalidRequest"],
    [{ AllowedMethods: ["get"] }, "400 InvalidRequest"],
    [{ AllowedMethods: [] }, "400 MalformedXML"],
    [{ AllowedOrigins: [] }, "400 MalformedXML"],
    [{ AllowedOrigins: ["https://*.*.com"] }, "400 InvalidRequest"],
    [{ AllowedHeaders: ["x-*-*"] }, "400 InvalidRequest"],
    [{ ExposeHeaders: ["*"] }, "400 InvalidRequest"],
    [{ ExposeHeaders: ["a\r\nb"] }, "400 InvalidRequest"],
    [{ MaxAgeSeconds: -1 }, "400 MalformedXML"],
  ];
  for (const [more, expected] of cases) {
    await t.test(JSON.stringify(more), async () =>
      assert.equal(await failure(put({ ...rule, ...more })), expected),
    );
  }
  assert.equal(await failure(put(...Array.from({ length: 101 }, () => rule))), "400 MalformedXML");
  const body =
    "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>";
  assert.equal(
    (await call(fixture, { method: "PUT", path: "/cors?cors=", body })).code,
    "InvalidRequest",
    "without a checksum",
  );
  assert.deepEqual(
    (await client.send(new GetBucketCorsCommand({ Bucket }))).CORSRules,
    rules,
    "none of it changed anything",
  );
});

test("a deleted configuration", async () => {
  await client.send(new DeleteBucketCorsCommand({ Bucket }));
  assert.equal(
    await failure(client.send(new GetBucketCorsCommand({ Bucket }))),
    "404 NoSuchCORSConfiguration",
  );
  assert.equal((await preflight("http://localhost:3000", "PUT")).code, "AccessForbidden");
});
