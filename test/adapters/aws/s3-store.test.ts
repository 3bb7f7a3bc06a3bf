import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before, type TestContext } from "node:test";
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  type S3Client,
  type S3ClientConfig,
} from "@aws-sdk/client-s3";
import { type LocalS3, startS3 } from "local-aws/s3";
import { s3Client, s3Store } from "../../../adapters/aws/s3-store.ts";
import { bytesOf, conflict, describeObjectStore } from "../../contracts/object-store.ts";

const region = "eu-central-1";
const credentials = { accessKeyId: "local", secretAccessKey: "local-secret" };

let data: string;
let local: LocalS3;
let client: S3Client;
before(async () => {
  data = await mkdtemp(join(tmpdir(), "darkroom-s3-"));
  local = await startS3({ data, port: 0, region, credentials, notify: () => {} });
  client = s3Client({ endpoint: local.url, forcePathStyle: true, region, credentials });
});
after(async () => {
  client.destroy();
  await local.close();
  await rm(data, { recursive: true });
});

async function makeBucket(by: S3Client): Promise<string> {
  const Bucket = `test-${randomUUID()}`;
  await by.send(new CreateBucketCommand({ Bucket }));
  return Bucket;
}

describeObjectStore("AWS's SDK and the local S3", async () => ({
  store: s3Store(client, await makeBucket(client)),
  close: async () => {},
}));

// A server that we do not know; region and credentials come from the environment.
const foreign = process.env["DARKROOM_TEST_S3"];
if (foreign) {
  const other = s3Client({ endpoint: foreign, forcePathStyle: true });
  after(() => other.destroy());
  describeObjectStore(foreign, async () => {
    const Bucket = await makeBucket(other);
    const store = s3Store(other, Bucket);
    return {
      store,
      async close() {
        for (const { key } of (await store.list("")).objects) await store.delete(key);
        await other.send(new DeleteBucketCommand({ Bucket }));
      },
    };
  });
}

test("a body that is given up frees its connection, also when none of it was read", async () => {
  const narrow = s3Client({
    endpoint: local.url,
    forcePathStyle: true,
    region,
    credentials,
    requestHandler: { httpAgent: { keepAlive: true, maxSockets: 1 } },
  });
  const store = s3Store(narrow, await makeBucket(narrow));
  await store.put("large", new Uint8Array(20_000_000));
  for (let i = 0; i < 3; i++) {
    const object = await store.get("large");
    await object?.body[Symbol.asyncIterator]().return?.();
  }
  assert.equal((await store.head("large"))?.size, 20_000_000);
  narrow.destroy();
});

/** A server that answers whatever a test wants, and a store in front of it; by default it tries once. */
async function fake(t: TestContext, listener: RequestListener, config: S3ClientConfig = { maxAttempts: 1 }) {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const to = s3Client({ endpoint, forcePathStyle: true, region, credentials, ...config });
  t.after(() => {
    to.destroy();
    server.closeAllConnections();
    server.close();
  });
  return s3Store(to, "bucket");
}
const s3Error = (status: number, code: string): RequestListener => {
  const xml = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>m</Message></Error>`;
  return (request, response) => {
    request.resume();
    request.on("end", () => response.writeHead(status, { "content-type": "application/xml" }).end(xml));
  };
};

test("a condition that does not hold is the same whatever the server calls it", async (t) => {
  const answers: [number, string][] = [
    [412, "PreconditionFailed"],
    [409, "ConditionalRequestConflict"],
    [404, "NoSuchKey"],
  ];
  for (const [status, code] of answers) {
    const store = await fake(t, s3Error(status, code));
    await assert.rejects(store.put("k", "x", { ifMatch: "e" }), conflict, code);
    await assert.rejects(store.put("k", "x", { ifNoneMatch: "*" }), conflict, code);
  }
});

test("every other error is the client's own", async (t) => {
  const busy = await fake(t, s3Error(503, "SlowDown"));
  const condition = { ifMatch: "e" };
  await assert.rejects(busy.put("k", "x", condition), { name: "SlowDown" });
  await assert.rejects(busy.get("k", condition), { name: "SlowDown" });
  await assert.rejects(busy.list(""), { name: "SlowDown" });
  await assert.rejects(busy.delete("k"), { name: "SlowDown" });
  const denied = await fake(t, s3Error(403, "AccessDenied"));
  await assert.rejects(denied.get("k"), { name: "AccessDenied" });
  const racing = await fake(t, s3Error(409, "OperationAborted"));
  await assert.rejects(racing.put("k", "x"), { name: "OperationAborted" });
});

test("a missing bucket is not a missing object", async () => {
  const store = s3Store(client, "no-such-bucket-here");
  const missing = { name: "NoSuchBucket" };
  await assert.rejects(store.get("k"), missing);
  await assert.rejects(store.put("k", "x", { ifMatch: "e" }), missing);
  await assert.rejects(store.put("k", "x", { ifNoneMatch: "*" }), missing);
  await assert.rejects(store.delete("k"), missing);
  await assert.rejects(store.list(""), missing);
});

test("a 404 to a delete means that there is nothing to delete", async (t) => {
  const store = await fake(t, s3Error(404, "NoSuchKey"));
  await store.delete("k");
});

const head = { etag: '"e"', "last-modified": "Fri, 01 May 2026 10:00:00 GMT" };

for (const [how, hangUp] of [
  ["broken", (socket: Socket) => socket.resetAndDestroy()],
  ["closed", (socket: Socket) => socket.end()],
] as const) {
  test(`a body ends in an error when the connection is ${how} before its end`, async (t) => {
    const store = await fake(t, ({ socket }, response) => {
      response.writeHead(200, { ...head, "content-length": 1_000 });
      response.write("x".repeat(400), () => hangUp(socket));
    });
    const object = await store.get("k");
    assert.equal(object?.size, 1_000);
    await assert.rejects(bytesOf(object));
  });
}

test("a server that leaves out an ETag or a length is an error, not an empty object", async (t) => {
  const withoutETag = await fake(t, (_, response) =>
    response.writeHead(200, { "content-length": 1 }).end("x"),
  );
  await assert.rejects(withoutETag.get("k"), /no ETag/);
  const withoutLength = await fake(t, (_, response) => response.writeHead(200, head).write("x"));
  await assert.rejects(withoutLength.get("k"), /no Content-Length/);
});

test("keys that XML cannot hold are asked for and read in URL form", async (t) => {
  const store = await fake(t, ({ url }, response) => {
    assert.match(url ?? "", /encoding-type=url/);
    const facts =
      "<ETag>&quot;e&quot;</ETag><Size>1</Size><LastModified>2026-05-01T10:00:00.000Z</LastModified>";
    const contents = ["a%01b+c%2B", "100%25"].map((key) => `<Contents><Key>${key}</Key>${facts}</Contents>`);
    const xml = `<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>${contents.join("")}`;
    response.end(`<?xml version="1.0"?><ListBucketResult>${xml}</ListBucketResult>`);
  });
  const { objects, next } = await store.list("");
  assert.deepEqual(
    objects.map(({ key }) => key),
    ["a\u0001b c+", "100%"],
  );
  assert.equal(next, "100%");
  const real = s3Store(client, await makeBucket(client));
  const keys = ["100%25", "a\u0001b", "a b+c", "line\rbreak", "tab\t"];
  for (const key of keys) await real.put(key, "");
  assert.deepEqual(
    (await real.list("")).objects.map(({ key }) => key),
    [...keys].sort(),
  );
});

test("a put says its length, also of nothing, and has no checksums that other servers refuse", async (t) => {
  const warn = t.mock.method(console, "warn");
  const seen: Record<string, unknown>[] = [];
  const store = await fake(t, ({ headers }, response) => {
    seen.push({
      length: headers["content-length"],
      chunked: headers["transfer-encoding"],
      encoding: headers["content-encoding"],
      checksums: Object.keys(headers).filter((name) => /^x-amz-(checksum|trailer|sdk-checksum)/.test(name)),
    });
    response.writeHead(200, { etag: '"e"' }).end();
  });
  await store.put("k", "ü");
  await store.put("k", "");
  await store.put("k", new Uint8Array(0));
  assert.equal(warn.mock.callCount(), 0);
  const plain = { chunked: undefined, encoding: undefined, checksums: [] };
  assert.deepEqual(
    seen,
    [2, 0, 0].map((length) => ({ length: String(length), ...plain })),
  );
});

test("what fails for a moment is tried again, five times in all", async (t) => {
  let requests = 0;
  const store = await fake(
    t,
    (request, response) => {
      if (++requests < 3) s3Error(500, "InternalError")(request, response);
      else response.writeHead(200, { etag: '"e"' }).end();
    },
    {},
  );
  assert.deepEqual(await store.put("k", "x"), { etag: "e" });
  assert.equal(requests, 3);
  assert.equal(await client.config.maxAttempts(), 5);
});
