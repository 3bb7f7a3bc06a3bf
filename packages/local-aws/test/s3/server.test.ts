import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request as httpRequest } from "node:http";
import { connect } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import {
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { startS3 } from "../../s3/server.ts";
import {
  call,
  encodePath,
  failure,
  formBody,
  KEYS,
  md5,
  newClient,
  policyFields,
  presigned,
  type RawCall,
  REGION,
  sendBytes,
  signed,
  startFixture,
} from "./fixture.ts";

const fixture = await startFixture();
const { client } = fixture;
const Bucket = "server";
await client.send(new CreateBucketCommand({ Bucket }));
const bodies = () => readdirSync(join(fixture.data, "bodies"));
const put = (Key: string, Body: string | Buffer, more: object = {}) =>
  client.send(new PutObjectCommand({ Bucket, Key, Body, ...more }));
const read = async (Key: string) =>
  (await client.send(new GetObjectCommand({ Bucket, Key }))).Body?.transformToString();

test("errors are S3's documents", async () => {
  const { status, headers, body } = await call(fixture, { path: "/server/absent%20%26" });
  assert.equal(status, 404);
  assert.equal(headers["content-type"], "application/xml");
  const id = headers["x-amz-request-id"];
  assert.match(id ?? "", /^[0-9A-F]{16}$/);
  assert.equal(
    body,
    '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message>' +
      `<Key>absent &amp;</Key><Resource>/server/absent%20%26</Resource><RequestId>${id}</RequestId><HostId>${id}</HostId></Error>`,
  );
  const head = await call(fixture, { method: "HEAD", path: "/server/absent" });
  assert.deepEqual([head.status, head.body, head.headers["content-type"]], [404, "", "application/xml"]);
});

test("malformed requests get a 4xx with a document, and the server goes on", async (t) => {
  const host = `Host: 127.0.0.1:${fixture.port}\r\n`;
  const end = "Connection: close\r\n\r\n";
  const cases: Record<string, [string, RegExp]> = {
    "no HTTP": ["hello\r\n\r\n", /400 .*<Code>BadRequest</s],
    "an unknown method": [`BREW / HTTP/1.1\r\n${host}${end}`, /400 .*<Code>BadRequest</s],
    "no host": [`GET /server/key HTTP/1.1\r\n${end}`, /403 .*<Code>AccessDenied</s],
    "a target that is no path": [`OPTIONS * HTTP/1.1\r\n${host}${end}`, /400 .*<Code>BadRequest</s],
    "a broken escape": [`GET /server/%zz HTTP/1.1\r\n${host}${end}`, /400 .*<Code>InvalidURI</s],
    "bytes that are not UTF-8": [`GET /server/%ff%fe HTTP/1.1\r\n${host}${end}`, /400 .*<Code>InvalidURI</s],
    "a broken escape in the query": [
      `GET /server/key?a=%zz HTTP/1.1\r\n${host}${end}`,
      /403 .*<Code>AccessDenied</s,
    ],
    "absolute form": [
      `GET http://127.0.0.1/server/key HTTP/1.1\r\n${host}${end}`,
      /403 .*<Code>AccessDenied</s,
    ],
    "headers without an end": [
      `GET / HTTP/1.1\r\n${host}x: ${"y".repeat(70_000)}\r\n\r\n`,
      /400 .*<Code>RequestHeaderSectionTooLarge</s,
    ],
    "two lengths": [
      `PUT /server/x HTTP/1.1\r\n${host}Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx`,
      /400 .*<Code>BadRequest</s,
    ],
    "a length that is none": [
      `PUT /server/x HTTP/1.1\r\n${host}Content-Length: -1\r\n\r\n`,
      /400 .*<Code>BadRequest</s,
    ],
    "chunks that are none": [
      `POST /server HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\nzz\r\n`,
      /^HTTP\/1.1 4\d\d .*<Code>/s,
    ],
    "an empty bucket name": [`GET //key HTTP/1.1\r\n${host}${end}`, /403 .*<Code>AccessDenied</s],
    "a key of 2,000 bytes": [
      `GET /server/${"x".repeat(2000)} HTTP/1.1\r\n${host}${end}`,
      /400 .*<Code>KeyTooLongError</s,
    ],
  };
  for (const [name, [bytes, expected]] of Object.entries(cases)) {
    await t.test(name, async () => assert.match(await sendBytes(fixture, bytes), expected));
  }
  assert.equal((await call(fixture, { path: "/" })).status, 200);
});

test("a client that closes its side after the request gets its answer", async () => {
  const { headers = {} } = await signed(fixture, {
    method: "PUT",
    path: "/server/half-closed",
    body: "hello",
  });
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  assert.match(
    await sendBytes(fixture, `PUT /server/half-closed HTTP/1.1\r\n${lines.join("")}\r\nhello`),
    /^HTTP\/1.1 200 /,
  );
  assert.equal(await read("half-closed"), "hello");
});

test("XML that is none, where XML is wanted", async () => {
  for (const body of [
    "",
    "nothing",
    "<Delete>",
    "<Other/>",
    '<!DOCTYPE d [<!ENTITY e "x">]><Delete><Object><Key>&e;</Key></Object></Delete>',
  ]) {
    const headers = { "content-md5": Buffer.from(md5(body), "hex").toString("base64") };
    for (const path of ["/server?delete=", "/server?cors=", "/server?notification=", "/server?tagging="]) {
      const method = path.endsWith("delete=") ? "POST" : "PUT";
      assert.equal(
        (await call(fixture, { method, path, body, headers })).code,
        "MalformedXML",
        `${path} ${body}`,
      );
    }
  }
  const endless = await call(fixture, {
    method: "PUT",
    path: "/server?tagging=",
    body: "x".repeat(9_000_000),
    headers: { "content-md5": "AAAAAAAAAAAAAAAAAAAAAA==" },
  });
  assert.equal(endless.code, "MaxMessageLengthExceeded");
});

test("a body cut off leaves nothing", async () => {
  const before = bodies().length;
  const { headers = {} } = await signed(fixture, {
    method: "PUT",
    path: "/server/cut",
    body: "x".repeat(1000),
  });
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const text = await sendBytes(fixture, `PUT /server/cut HTTP/1.1\r\n${head.join("")}\r\n${"x".repeat(500)}`);
  assert.match(text, /^HTTP\/1.1 400 .*<Code>IncompleteBody</s);
  assert.equal(await failure(read("cut")), "404 NoSuchKey");
  await fixture.restart();
  assert.equal(bodies().length, before);
});

test("one connection carries on after every kind of refusal", async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const sockets = new Set<unknown>();
  const over = async ({ method = "GET", path, headers = {}, body }: RawCall) => {
    const outgoing = httpRequest({
      host: "127.0.0.1",
      port: fixture.port,
      agent,
      method,
      path,
      headers: headers as Record<string, string>,
    });
    outgoing.end(body);
    const [response] = await once(outgoing, "response");
    sockets.add(outgoing.socket);
    for await (const _ of response);
    return response.statusCode;
  };
  await put("taken", "x");
  const big = "x".repeat(300_000);
  const refusals: [RawCall, number][] = [
    [
      {
        method: "PUT",
        path: "/server/anonymous",
        body: big,
        headers: { "content-length": String(big.length) },
      },
      403,
    ],
    [
      await signed(fixture, {
        method: "PUT",
        path: "/server/taken",
        body: big,
        headers: { "if-none-match": "*" },
      }),
      412,
    ],
    [await signed(fixture, { method: "PUT", path: "/nope/key", body: big }), 404],
    [
      {
        ...(await signed(fixture, { method: "PUT", path: "/server/sum", body: big })),
        body: big.replace("x", "y"),
      },
      400,
    ],
    [
      await signed(fixture, {
        method: "PUT",
        path: "/server/small",
        body: `5\r\nhello\r\n5\r\nhello\r\n${big}`,
        headers: {
          "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
          "x-amz-decoded-content-length": "10",
        },
      }),
      403,
    ],
    [await signed(fixture, { method: "PUT", path: "/server?cors=", body: big }), 400],
    [
      {
        method: "POST",
        path: "/server",
        ...formBody([["key", "k"], ...policyFields([{ key: "other" }])], big),
      },
      403,
    ],
    [{ method: "POST", path: "/server", ...formBody([["x-ignore-a", big]], big) }, 400],
    [
      {
        method: "OPTIONS",
        path: "/server/key",
        body: big,
        headers: { "content-length": String(big.length) },
      },
      400,
    ],
  ];
  for (const [refused, status] of refusals) {
    assert.equal(await over(refused), status, refused.path);
    assert.equal(await over(await signed(fixture, { path: "/server/taken" })), 200);
  }
  assert.equal(sockets.size, 1);
  agent.destroy();
});

test("Expect: 100-continue: told to send when wanted, and refused before sending when not", async () => {
  const conversation = async (raw: RawCall) => {
    const { headers = {} } = raw;
    const outgoing = httpRequest({
      host: "127.0.0.1",
      port: fixture.port,
      agent: false,
      method: "PUT",
      path: raw.path,
      headers: { ...headers, expect: "100-continue", connection: "keep-alive" } as Record<string, string>,
    });
    outgoing.flushHeaders();
    let continued = false;
    outgoing.on("continue", () => {
      continued = true;
      outgoing.end(raw.body);
    });
    const [response] = await once(outgoing, "response");
    for await (const _ of response);
    outgoing.destroy();
    return [response.statusCode, continued, response.headers.connection];
  };
  const want = { method: "PUT", path: "/server/expected", body: "hello", headers: { "if-none-match": "*" } };
  assert.deepEqual(await conversation(await signed(fixture, want)), [200, true, "keep-alive"]);
  assert.equal(await read("expected"), "hello");
  assert.deepEqual(await conversation(await signed(fixture, want)), [412, false, "close"]);
  assert.deepEqual(await conversation({ ...want, headers: { "content-length": "5" } }), [
    403,
    false,
    "close",
  ]);
});

test("a refusal reaches a client that is still sending", async () => {
  await put("wanted-once", "x");
  const started = performance.now();
  const body = Buffer.alloc(30_000_000);
  assert.equal(await failure(put("wanted-once", body, { IfNoneMatch: "*" })), "412 PreconditionFailed");
  const url = await presigned(fixture, {
    method: "PUT",
    path: "/server/wanted-once",
    headers: { "if-none-match": "*", "content-length": String(body.length) },
  });
  const answer = await fetch(`${fixture.url}${url.path}`, {
    method: "PUT",
    body,
    headers: { "if-none-match": "*" },
  });
  assert.equal(answer.status, 412);
  await answer.text();
  assert.ok(performance.now() - started < 5000);
});

test("everything survives a restart", async () => {
  await put("kept/ü", "hello", { Metadata: { a: "1" }, ContentType: "a/b" });
  const before = await client.send(new HeadObjectCommand({ Bucket, Key: "kept/ü" }));
  await fixture.restart();
  const after = await client.send(new HeadObjectCommand({ Bucket, Key: "kept/ü" }));
  assert.deepEqual({ ...after, $metadata: undefined }, { ...before, $metadata: undefined });
  assert.equal(await read("kept/ü"), "hello");
});

test("files that nothing names go at the next start; the others stay", async () => {
  await put("stays", "x");
  await fixture.stop();
  const before = bodies();
  writeFileSync(join(fixture.data, "bodies", "0".repeat(32)), "half an upload");
  await fixture.restart();
  assert.deepEqual(bodies().sort(), before.sort());
  assert.equal(await read("stays"), "x");
});

test("an object that is overwritten or deleted while it is read is read to its end", async () => {
  for (const change of ["overwrite", "delete"]) {
    const old = Buffer.alloc(8_000_000, "o");
    await put("read", old);
    const count = bodies().length;
    const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: "read" }));
    const stream = Body?.transformToWebStream().getReader();
    let size = (await stream?.read())?.value?.length ?? 0;
    if (change === "overwrite") await put("read", "new");
    else await call(fixture, { method: "DELETE", path: "/server/read" });
    assert.equal(bodies().length, change === "overwrite" ? count + 1 : count, "the old file is still there");
    for (;;) {
      const { done, value } = (await stream?.read()) ?? { done: true };
      if (done) break;
      assert.ok(value?.every((byte: number) => byte === 111));
      size += value?.length ?? 0;
    }
    assert.equal(size, old.length);
    assert.equal(await failure(read("read")), change === "overwrite" ? "no failure" : "404 NoSuchKey");
    assert.equal(bodies().length, change === "overwrite" ? count : count - 1, "and then it is gone");
  }
});

test("a reader that leaves does no harm", async () => {
  await put("left", Buffer.alloc(8_000_000));
  const { path, headers } = await signed(fixture, { path: "/server/left" });
  const outgoing = httpRequest({
    host: "127.0.0.1",
    port: fixture.port,
    agent: false,
    path,
    headers: headers as Record<string, string>,
  });
  outgoing.end();
  const [response] = await once(outgoing, "response");
  await once(response, "data");
  outgoing.destroy();
  assert.equal((await call(fixture, { method: "HEAD", path: "/server/left" })).status, 200);
});

test("a disk that fails: 500 InternalError, nothing half-written, and it goes on when the disk does", async () => {
  await put("old", "old");
  const folder = join(fixture.data, "bodies");
  const aside = `${folder}-aside`;
  renameSync(folder, aside);
  assert.equal(await failure(put("old", "new")), "500 InternalError");
  assert.equal(await failure(put("new", "new")), "500 InternalError");
  rmSync(folder, { recursive: true, force: true });
  renameSync(aside, folder);
  assert.equal(await failure(read("new")), "404 NoSuchKey");
  assert.equal(await read("old"), "old");
  await put("new", "new");
});

test("faults on demand, for tests of clients", async () => {
  let calls = 0;
  await fixture.restart({
    fault: ({ method, bucket, key }) =>
      method === "PUT" && bucket === Bucket && key === "f" && calls++ % 2 === 0
        ? { status: 503, code: "SlowDown" }
        : undefined,
  });
  assert.equal(await failure(put("f", "x")), "503 SlowDown");
  await put("f", "x");
  const retrying = newClient(fixture.url, { maxAttempts: 3 });
  await retrying.send(new PutObjectCommand({ Bucket, Key: "f", Body: "y" }));
  retrying.destroy();
  assert.equal(calls, 4);
  await fixture.restart();
});

test("closing ends idle and busy connections, and the folder and port are free again", async () => {
  const data = mkdtempSync(join(tmpdir(), "local-s3-"));
  const options = {
    data: join(data, "deep", "folder"),
    port: 0,
    credentials: KEYS,
    region: REGION,
    notify: () => {},
  };
  const server = await startS3(options);
  const port = Number(new URL(server.url).port);
  assert.equal(new URL(server.url).hostname, "127.0.0.1");
  await assert.rejects(startS3(options), /another process is using it/);
  await assert.rejects(startS3({ ...options, data: join(data, "other"), port }), { code: "EADDRINUSE" });
  assert.equal((await call({ port }, { method: "PUT", path: "/bucket" })).status, 200);
  const [idle, busy] = [connect(port, "127.0.0.1"), connect(port, "127.0.0.1")];
  const ask = (path: string, { method = "GET", headers = {} }: RawCall) =>
    `${method} ${path} HTTP/1.1\r\n${Object.entries(headers)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join("")}\r\n`;
  idle.write(ask("/", await signed({ port }, { path: "/" })));
  await once(idle, "data");
  // Told to send, and never does.
  const waiting = {
    "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
    "content-length": "100",
    expect: "100-continue",
  };
  busy.write(
    ask("/bucket/key", await signed({ port }, { method: "PUT", path: "/bucket/key", headers: waiting })),
  );
  const [answer] = await once(busy, "data");
  assert.match(String(answer), /^HTTP\/1.1 100 /);
  const started = performance.now();
  await Promise.all([server.close(), server.close(), once(idle, "close"), once(busy, "close")]);
  assert.ok(performance.now() - started < 3000);
  const again = await startS3({ ...options, port });
  await again.close();
  rmSync(data, { recursive: true });
});

test("it listens on loopback only", async () => {
  const outside = Object.values(networkInterfaces())
    .flat()
    .find((one) => one && !one.internal && one.family === "IPv4")?.address;
  if (outside === undefined) return;
  const socket = connect(fixture.port, outside);
  const [error] = await once(socket, "error");
  assert.equal(error.code, "ECONNREFUSED");
});

test("keys are never paths", async () => {
  mkdirSync(join(fixture.data, "secret"), { recursive: true });
  writeFileSync(join(fixture.data, "secret", "file"), "secret");
  for (const key of [
    "../secret/file",
    "../../index.sqlite",
    "..%2fsecret%2ffile",
    "/etc/passwd",
    "a\u0000b",
  ]) {
    const path = `/server/${encodePath(key)}`;
    assert.equal((await call(fixture, { path })).code, "NoSuchKey");
    assert.equal((await call(fixture, { method: "PUT", path, body: key })).status, 200);
    assert.equal((await call(fixture, { path })).body, key);
    assert.equal((await call(fixture, { method: "DELETE", path })).status, 204);
  }
  assert.deepEqual(readdirSync(join(fixture.data, "secret")), ["file"]);
  const { KeyCount } = await client.send(new ListObjectsV2Command({ Bucket }));
  assert.ok(KeyCount);
});
