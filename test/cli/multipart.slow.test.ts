/** The CLI's side of an upload in parts, which no preset that ships has files large enough for. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import test, { after, before } from "node:test";
import { ListMultipartUploadsCommand } from "@aws-sdk/client-s3";
import { s3Client, s3Store } from "../../adapters/aws/s3-store.ts";
import { type Api, apiAt } from "../../cli/api.ts";
import { openFile } from "../../cli/local-file.ts";
import { hasCode } from "../../client/errors.ts";
import { type Stack, startStack } from "../../laptop/stack.ts";

const data = mkdtempSync(join(tmpdir(), "darkroom-cli-parts-"));
const path = join(data, "large.jpg");
const bytes = Buffer.concat([Buffer.from("ffd8ffe0", "hex"), randomBytes(20_000_000)]);
let stack: Stack;
let proxy: Server;
let api: Api;
/** Of PUTs of parts, by number: what S3 answers before it takes one. */
const faults = new Map<string, { status: number; code: string }[]>();

before(async () => {
  writeFileSync(path, bytes);
  stack = await startStack({
    port: 0,
    data,
    poll: false,
    logLevel: "error",
    s3Fault: ({ method, query }) =>
      method === "PUT" ? faults.get(query.get("partNumber") ?? "")?.shift() : undefined,
  });
  // The API, but for this: it answers every PUT as if the file were above the preset's threshold.
  proxy = createServer(async (request, response) => {
    const body = await buffer(request);
    const signing = request.url === "/uploads";
    const sent = signing ? JSON.stringify({ ...JSON.parse(body.toString()), method: "MULTIPART" }) : body;
    const answer = await fetch(`${stack.api}${request.url}`, {
      method: request.method ?? "GET",
      headers: { authorization: request.headers.authorization ?? "" },
      ...(body.length > 0 ? { body: sent } : {}),
    });
    response.writeHead(answer.status).end(await answer.text());
    if (request.method === "DELETE") proxy.emit("taken back");
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  api = apiAt(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, stack.uploadToken);
});
after(async () => {
  proxy.close();
  proxy.closeAllConnections();
  await stack?.close();
  rmSync(data, { recursive: true, force: true });
});

test("parts arrive as the file, those that fail at first too", async () => {
  const slow = { status: 503, code: "SlowDown" };
  faults.set("1", [slow]).set("3", [slow, { status: 500, code: "InternalError" }]);
  const id = await api.upload(await openFile(path));
  assert.deepEqual([...faults.values()].flat(), [], "every fault was met");
  const client = s3Client({ forcePathStyle: true });
  const stored = await s3Store(client, stack.env["UPLOADS_BUCKET"] ?? "").get(`originals/${id}`);
  assert.ok(stored);
  const hash = createHash("sha256");
  for await (const chunk of stored.body) hash.update(chunk);
  assert.equal(hash.digest("hex"), createHash("sha256").update(bytes).digest("hex"));
  assert.match(stored.etag, /-3$/);
  client.destroy();
});

test("what S3 refuses for good is told, and taken back", async () => {
  faults.set("2", [{ status: 400, code: "BadDigest" }]);
  const takenBack = once(proxy, "taken back");
  await assert.rejects(api.upload(await openFile(path)), (error: unknown) => hasCode(error, "file-changed"));
  await takenBack;
  const client = s3Client({ forcePathStyle: true });
  const open = await client.send(
    new ListMultipartUploadsCommand({ Bucket: stack.env["UPLOADS_BUCKET"] ?? "" }),
  );
  assert.equal(open.Uploads, undefined);
  client.destroy();
});

test("an expired signature is asked for again", async () => {
  // S3's own words for it, but for the injected message, stand in the code here.
  faults.set("1", [{ status: 403, code: "RequestExpired" }]);
  await api.upload(await openFile(path));
  assert.deepEqual(faults.get("1"), []);
});
