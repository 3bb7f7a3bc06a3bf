/** The probes of `darkroom doctor --certify`: ours keeps to all of them, and each sees a server that does not. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type RequestListener, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before, type TestContext } from "node:test";
import { CreateBucketCommand, ListBucketsCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { type LocalS3, startS3 } from "local-aws/s3";
import { s3Client, s3Store } from "../../adapters/aws/s3-store.ts";
import type { Judged } from "../../cli/certify/promises.ts";
import { type CertifyOptions, certified } from "../../cli/certify/run.ts";

const region = "eu-central-1";
const credentials = { accessKeyId: "local", secretAccessKey: "local-secret" };
const data = mkdtempSync(join(tmpdir(), "darkroom-certify-"));
let local: LocalS3;
before(async () => {
  process.env["AWS_ACCESS_KEY_ID"] = credentials.accessKeyId;
  process.env["AWS_SECRET_ACCESS_KEY"] = credentials.secretAccessKey;
  local = await startS3({ data, port: 0, region, credentials, notify: () => {} });
});
after(async () => {
  await local.close();
  rmSync(data, { recursive: true });
});

const ask = (options: Partial<CertifyOptions> = {}) =>
  certified({ certify: local.url, region, ...options }, () => {});
const badly = (promises: readonly Judged[]) =>
  promises.flatMap(({ name, probes }) =>
    probes
      .filter(({ is }) => is !== "enforced")
      .map(({ probe, is, saw }) => `${name}: ${probe}: ${is} ${saw}`),
  );

test("our own server keeps to every promise, and nothing is left on it", async () => {
  const { fit, promises } = await ask();
  assert.deepEqual(badly(promises), []);
  assert.ok(fit);
  assert.ok(promises.every(({ holds }) => holds));
  const s3 = s3Client({ endpoint: local.url, region, credentials, forcePathStyle: true });
  assert.deepEqual((await s3.send(new ListBucketsCommand({}))).Buckets ?? [], []);
  s3.destroy();
});

test("a bucket of somebody's: refused, or told that it may; its objects and rules stay as they are", async () => {
  const s3 = s3Client({ endpoint: local.url, region, credentials, forcePathStyle: true });
  await s3.send(new CreateBucketCommand({ Bucket: "theirs" }));
  await s3.send(new PutObjectCommand({ Bucket: "theirs", Key: "holiday.jpg", Body: "x" }));
  await assert.rejects(ask({ bucket: "theirs" }), /holds objects of somebody's.*--in-use/);
  await assert.rejects(ask({ bucket: "nobodys" }), /The bucket nobodys: /);
  const { fit, promises } = await ask({ bucket: "theirs", inUse: true });
  assert.ok(fit);
  const unasked = promises.filter(({ holds }) => holds === undefined).map(({ name }) => name);
  assert.deepEqual(unasked, ["CORS", "notifications", "lifecycle", "versions"]);
  const { objects } = await s3Store(s3, "theirs").list("");
  assert.deepEqual(
    objects.map(({ key }) => key),
    ["holiday.jpg"],
  );
  s3.destroy();
});

/** A server that answers everything alike. */
const alike = (t: TestContext, listener: RequestListener) =>
  serve(t, (request, response) => {
    request.resume();
    request.on("end", () => listener(request, response));
  });

async function serve(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("what takes everything is not to be run on: no probe is blind", async (t) => {
  const forwarded = await alike(t, (_, response) =>
    response
      .writeHead(200, {
        etag: '"x"',
        "content-type": "application/xml",
        "access-control-allow-origin": "*",
        "access-control-allow-headers": "*",
      })
      .end("<Any><UploadId>u</UploadId></Any>"),
  );
  const { fit, promises } = await ask({ certify: forwarded });
  assert.ok(!fit);
  // It takes what is right, which is all that may be found good.
  const first = new Set(promises.map(({ probes }) => probes[0]?.probe));
  const good = promises.flatMap(({ probes }) => probes.filter(({ is }) => is === "enforced"));
  const RIGHT = ["write over the version that was read"];
  assert.deepEqual(
    good.map(({ probe }) => probe).filter((probe) => !first.has(probe) && !RIGHT.includes(probe)),
    [],
  );
  assert.ok(
    promises.every(({ name, holds }) => name === "sum of parts" || holds === false),
    badly(promises).join("\n"),
  );
});

test("what says that it has deleted, and keeps, is not to be run on", async (t) => {
  const keeping = await serve(t, (incoming, response) => {
    const { method = "", url = "", headers } = incoming;
    if (method === "DELETE" && headers.authorization) return response.writeHead(204).end();
    const outgoing = request(new URL(url, local.url), { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    return incoming.pipe(outgoing);
  });
  const { fit, promises } = await ask({ certify: keeping });
  assert.ok(!fit);
  assert.deepEqual(badly(promises), [
    "parts: a part after the upload was given up: ignored 200",
    "conditional deletes: delete the version that was read: ignored still there",
    "conditional deletes: delete another version: ignored not played",
    "lists: what is deleted is not listed: ignored still listed",
    "versions: what was deleted can be read, and put back: ignored 1 of 2 kept",
  ]);
});

test("what knows nothing is told apart from what ignores, with what to do", async (t) => {
  const { promises } = await ask({
    bucket: "any",
    inUse: true,
    certify: await alike(t, ({ url }, response) =>
      url?.includes("list-type")
        ? response.writeHead(200).end("<ListBucketResult/>")
        : response.writeHead(501).end("<Error><Code>NotImplemented</Code></Error>"),
    ),
  });
  const forms = promises.find(({ name }) => name === "signed POST");
  assert.deepEqual(new Set(forms?.probes.map(({ is }) => is)), new Set(["unsupported"]));
  assert.match(forms?.means ?? "", /UPLOADS_BY=put/);
});

test("what it is asked with: an address, and credentials", async () => {
  await assert.rejects(ask({ certify: "s3.example.com" }), /the address of an S3 server/);
});
