/** A server that takes no forms, as Cloudflare R2: `uploadsBy: "put"`, from the signer to what Uppy is told. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { startS3 } from "local-aws/s3";
import { s3Client, s3Store } from "../../../adapters/aws/s3-store.ts";
import { uploadSigner } from "../../../adapters/aws/upload-signer.ts";
import { type UppyFile, uppySigner } from "../../../client/uppy.ts";
import { DarkroomError } from "../../../core/errors.ts";

const [region, bucket] = ["auto", "uploads"];
const credentials = { accessKeyId: "local", secretAccessKey: "local-secret" };
const data = mkdtempSync(join(tmpdir(), "darkroom-no-forms-"));
const s3 = await startS3({
  ...{ data, port: 0, region, credentials, notify: () => {} },
  // A form has no key in its path.
  fault: ({ method, key }) =>
    method === "POST" && !key ? { status: 501, code: "NotImplemented" } : undefined,
});
const client = s3Client({ endpoint: s3.url, forcePathStyle: true, region, credentials });
await client.send(new CreateBucketCommand({ Bucket: bucket }));
after(async () => {
  client.destroy();
  await s3.close();
  rmSync(data, { recursive: true });
});

const signerFor = (uploadsBy: "any" | "put") =>
  uploadSigner({
    ...{ bucket, region, credentials, endpoint: s3.url, validitySeconds: 300, uploadsBy },
    now: () => new Date(),
  });
const file = new File(["pixels"], "a.png", { type: "image/png" });
const terms = { key: "originals/a", type: "image/png", size: 6, maxBytes: 10, metadata: { owner: "me" } };

test("what would be a form is a PUT, held to its size; Uppy is told so, and sends it", async () => {
  const sign = signerFor("put");
  const calls: unknown[] = [];
  const api = {
    endpoint: "https://api",
    authorization: async () => "Bearer t",
    call: async (_: string, path: string, { json }: { json?: unknown } = {}) => {
      calls.push([path, json]);
      return { json: { uploads: [{ id: "i", key: terms.key, ...(await sign("POST", terms)) }] } };
    },
  };
  const uppy = uppySigner({ api } as unknown as Parameters<typeof uppySigner>[0]);
  const key = uppy.generateObjectKey({ id: "uppy-a", name: "a.png", data: file } satisfies UppyFile);
  const signed = await uppy.signRequest({ method: "PUT", key });
  assert.deepEqual([signed.fields, signed.key], [undefined, terms.key]);
  const put = (body: Blob) =>
    fetch(signed.url, { method: "PUT", body, headers: { "content-type": "image/png", ...signed.headers } });
  assert.equal((await put(new Blob(["pixels!"]))).status, 403);
  assert.equal((await put(file)).status, 200);
  assert.equal((await put(file)).status, 412);
  assert.equal((await s3Store(client, bucket).head(terms.key))?.metadata["owner"], "me");
});

test("a form is refused there, which is why; what only a form can do is refused by us", async () => {
  const form = await signerFor("any")("POST", { ...terms, key: "originals/b" });
  assert.ok(form.method === "POST");
  const body = new FormData();
  for (const [name, value] of Object.entries(form.fields)) body.append(name, value);
  body.append("file", file);
  assert.equal((await fetch(form.url, { method: "POST", body })).status, 501);
  await assert.rejects(
    async () => signerFor("put")("POST", { ...terms, size: undefined }),
    (error: unknown) => error instanceof DarkroomError && error.code === "no-forms",
  );
});
