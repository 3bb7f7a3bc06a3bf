/** The client where there is no page: in Node, on a phone as far as Node can be one, and in a back end, on the local stack. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createReadStream, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import test, { after, before } from "node:test";
import { pathToFileURL } from "node:url";
import { type ExpoFile, createDarkroom as onPhone } from "../../client/expo.ts";
import { createDarkroom, type NodeDarkroom, type Source } from "../../client/node.ts";
import { adminApi, createToken } from "../../client/server.ts";
import { type Stack, startStack } from "../../laptop/stack.ts";

const data = mkdtempSync(join(tmpdir(), "darkroom-"));
const SAMPLE = resolve("test/images/valid/base-progressive.jpg");
let stack: Stack;
let darkroom: NodeDarkroom;
let secret: string;

before(async () => {
  stack = await startStack({ port: 0, data, logLevel: "error" });
  secret = stack.env["AUTH_SECRET"] ?? "";
  darkroom = createDarkroom({
    endpoint: stack.api,
    token: () => createToken({ secret, owner: "42", ref: "listing 7" }),
  });
});
after(async () => {
  await stack.close();
  rmSync(data, { recursive: true, force: true });
});

test("Node uploads from a path, a URL, bytes and a stream, in one piece and in parts", async () => {
  const bytes = readFileSync(SAMPLE);
  const named = { name: "sample.jpg" };
  const sources: readonly (readonly [Source, object])[] = [
    [SAMPLE, {}],
    [pathToFileURL(SAMPLE), { parts: true }],
    [bytes, named],
    [new Blob([bytes], { type: "image/jpeg" }), {}],
    [createReadStream(SAMPLE), named],
    [new Blob([bytes]).stream(), { type: "image/jpeg" }],
  ];
  for (const [source, options] of sources) {
    const told: number[] = [];
    const { ready } = await darkroom.upload(source, {
      ...options,
      onProgress: ({ sent }) => told.push(sent),
    });
    const image = await ready;
    assert.equal(image.source?.bytes, bytes.length);
    assert.equal(told.at(-1), bytes.length);
  }
  assert.equal((await darkroom.list()).images.length, sources.length);
  await assert.rejects(darkroom.upload("no-such-file.jpg"), { code: "ENOENT" });
});

/** `File` of expo-file-system, as its types have it; it sends what it says it is. */
class PhoneFile extends Blob implements ExpoFile {
  readonly name = "IMG_1.HEIC.jpg";
  readonly sent: string[] = [];
  async upload(url: string, options: Parameters<ExpoFile["upload"]>[1]) {
    const { httpMethod: method, headers, onProgress } = options;
    this.sent.push(method);
    const answer = await fetch(url, { method, headers, body: await this.arrayBuffer() });
    onProgress({ bytesSent: this.size });
    const said = Object.fromEntries([...answer.headers].map(([name, value]) => [name.toUpperCase(), value]));
    return { status: answer.status, body: await answer.text(), headers: said };
  }
}

test("a phone sends the file itself, with a digest of its own; parts go from memory", async () => {
  const digests: number[] = [];
  const phone = onPhone({
    endpoint: stack.api,
    token: stack.uploadToken,
    digest: async (bytes) => {
      digests.push(bytes.length);
      return new Uint8Array(createHash("sha256").update(bytes).digest()).buffer;
    },
  });
  const file = new PhoneFile([readFileSync(SAMPLE)], { type: "image/jpeg" });
  const { ready } = await phone.upload(file);
  assert.equal((await ready).status, "ready");
  assert.deepEqual([file.sent, digests], [["PUT"], [file.size]]);
  const inParts = await phone.upload(file, { parts: true });
  assert.equal((await inParts.ready).status, "ready");
  assert.deepEqual(file.sent, ["PUT"]);
});

test("a back end sees whose an image is, finds it, counts it, and deletes one or all", async () => {
  const admin = adminApi({ endpoint: stack.api, secret });
  const { id, ready } = await darkroom.upload(SAMPLE, { ref: "slot 2" });
  await ready;
  const { status, context } = await admin.image(id);
  assert.deepEqual(
    [status, context?.owner, context?.ref, context?.clientRef],
    ["ready", "42", "listing 7", "slot 2"],
  );
  assert.deepEqual((await admin.find({ status: "failed" })).images, []);
  const { images } = await admin.find({ owner: "42", ref: "slot 2" });
  assert.deepEqual([images.length, images[0]?.id, images[0]?.context?.ref], [1, id, "listing 7"]);
  assert.ok((await admin.usage("42")).images > 0);
  await assert.rejects(admin.release(id), { code: "not-held" });
  await assert.rejects(admin.reject(id, "No boats."), { code: "not-held" });
  await admin.attach(id);
  await admin.remove(id);
  await assert.rejects(admin.image(id), { code: "gone" });

  let job = await admin.start({ action: "delete", select: { owner: "nobody" } });
  while (job.state === "running") job = await admin.job(job.id);
  assert.deepEqual([job.state, job.done, (await admin.cancel(job.id)).state], ["done", 0, "done"]);

  job = await admin.import({ owner: "42", images: [{ url: "http://127.0.0.1:9/a.jpg", ref: "7" }] });
  assert.equal(job.queued, 1);
  const { images: imported } = await admin.imported(job.id);
  assert.deepEqual([imported[0]?.ref, imported[0]?.result], ["7", undefined]);
});
