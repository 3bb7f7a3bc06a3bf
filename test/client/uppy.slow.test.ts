/** Unmodified Uppy (`@uppy/aws-s3` 6) in a real Chromium, with our signer and on the Companion routes. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before, beforeEach } from "node:test";
import { HeadObjectCommand, ListMultipartUploadsCommand, type S3Client } from "@aws-sdk/client-s3";
import type AwsS3 from "@uppy/aws-s3";
import type Uppy from "@uppy/core";
import { build } from "esbuild";
import fc from "fast-check";
import type { BrowserContext, Page } from "playwright-core";
import { s3Client } from "../../adapters/s3-store.ts";
import { createDarkroom, imageIdFromKey, uppySigner } from "../../client/darkroom.ts";
import { newId, originalKey, parseOriginalKey } from "../../core/keys.ts";
import { partSizeOf } from "../../core/multipart.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import { type Chromium, settingsOf, startChromium } from "./chromium.ts";

const data = mkdtempSync(join(tmpdir(), "darkroom-"));
const SIZE = 20_000_000;
let faults: Record<string, { status: number; code: string }[]> = {};
let stack: Stack;
let s3: S3Client;
let chromium: Chromium;
let context: BrowserContext;
let page: Page;
let script: string;

declare global {
  /** In the page. */
  var uppy: Uppy;
  var lib: { Uppy: typeof Uppy; AwsS3: typeof AwsS3 };
}

before(async () => {
  const contents = `export { default as Uppy } from "@uppy/core"; export { default as AwsS3 } from "@uppy/aws-s3";`;
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: process.cwd() },
    bundle: true,
    format: "iife",
    globalName: "lib",
    write: false,
  });
  script = outputFiles[0]?.text ?? "";
  stack = await startStack({
    port: 0,
    data,
    logLevel: "error",
    poll: false,
    s3Fault: ({ method, query }) =>
      method === "PUT" ? faults[query.get("partNumber") ?? ""]?.shift() : undefined,
  });
  // The stack has put its endpoint and credentials where clients look for them.
  s3 = s3Client({ forcePathStyle: true });
  chromium = await startChromium();
});
after(async () => {
  await chromium?.close();
  s3?.destroy();
  await stack?.close();
  rmSync(data, { recursive: true, force: true });
});

const modes = ["signRequest", "companionEndpoint"] as const;
beforeEach(async () => {
  faults = {};
  await context?.close();
  ({ context, page } = await chromium.open());
  await page.addScriptTag({ content: script });
});

/** Uppy in the page, in one of its modes. */
async function setUp(mode: (typeof modes)[number]): Promise<void> {
  // The hour that a token in a path may live.
  const { uploadToken } = (await (await fetch(`${stack.page}/local.json`)).json()) as { uploadToken: string };
  await page.evaluate(
    ({ mode, settings, token }) => {
      const options =
        mode === "signRequest"
          ? client.uppySigner(client.createDarkroom(settings), { preset: "photo" })
          : { companionEndpoint: `${settings.endpoint}/t/${token}` };
      globalThis.uppy = new lib.Uppy().use(lib.AwsS3, {
        ...options,
        shouldUseMultipart: (file) => (file.size ?? 0) > 1000,
      });
    },
    { mode, settings: settingsOf(stack), token: uploadToken },
  );
}

/** Adds a file and uploads it; the keys that Uppy reports, and what it says of failures. */
const uploadInPage = (size: number, retry = false) =>
  page.evaluate(
    async ({ size, retry }) => {
      const data = new File([new Uint8Array(size)], "boat ⛵.jpg", { type: "image/jpeg" });
      const keys: unknown[] = [];
      uppy.on("upload-success", (_, { body }) => keys.push(body?.["key"]));
      uppy.addFile({ name: data.name, type: data.type, data });
      const first = await uppy.upload();
      const failures = (first?.failed ?? []).map(({ error }) => error);
      if (retry) await uppy.retryAll();
      return { keys, failures };
    },
    { size, retry },
  );

const bucket = () => stack.env["UPLOADS_BUCKET"] ?? "";
const original = (key: unknown) =>
  s3
    .send(new HeadObjectCommand({ Bucket: bucket(), Key: String(key) }))
    .then(({ ContentLength }) => ContentLength);
const openUploads = async () =>
  (await s3.send(new ListMultipartUploadsCommand({ Bucket: bucket(), Prefix: "originals/" }))).Uploads ?? [];

for (const mode of modes) {
  test(`${mode}: a small file and one in parts, and the image's id in the key that Uppy reports`, async () => {
    await setUp(mode);
    for (const size of [500, SIZE]) {
      const { keys, failures } = await uploadInPage(size);
      assert.deepEqual(failures, []);
      // The handlers of earlier rounds report too.
      assert.ok(imageIdFromKey(String(keys.at(-1))), String(keys));
      assert.equal(await original(keys.at(-1)), size);
      await page.evaluate(() => uppy.clear());
    }
    assert.deepEqual(await openUploads(), []);
  });

  test(`${mode}: after a part that failed, a retry goes on where it was`, async () => {
    await setUp(mode);
    faults = { "2": [{ status: 403, code: "AccessDenied" }] };
    const sent: string[] = [];
    page.on("request", (request) => {
      const part = new URL(request.url()).searchParams.get("partNumber");
      if (part && request.method() === "PUT") sent.push(part);
    });
    const { keys, failures } = await uploadInPage(SIZE, true);
    assert.equal(failures.length, 1);
    assert.equal(await original(keys[0]), SIZE);
    assert.equal(sent.filter((part) => part === "1").length, 1, `parts sent: ${sent}`);
  });

  test(`${mode}: cancelling takes the parts back`, async () => {
    await setUp(mode);
    const aborted = page.waitForResponse((response) => response.request().method() === "DELETE");
    await page.evaluate(async (size) => {
      const data = new File([new Uint8Array(size)], "boat.jpg", { type: "image/jpeg" });
      uppy.on("s3-multipart:part-uploaded" as "upload-progress", () => uppy.cancelAll());
      uppy.addFile({ name: data.name, type: data.type, data });
      await uppy.upload();
    }, SIZE);
    assert.ok((await aborted).ok());
    assert.deepEqual(await openUploads(), []);
  });
}

test("signRequest: what is refused reaches the user as the API's sentence", async () => {
  await setUp("signRequest");
  const failures = await page.evaluate(async () => {
    uppy.addFile({ name: "notes.txt", type: "text/plain", data: new Blob(["text"], { type: "text/plain" }) });
    return ((await uppy.upload())?.failed ?? []).map(({ error }) => error);
  });
  assert.match(String(failures), /Files of this type are not accepted\. Its type is not one of image/);
});

test("parts are cut as the API signs them, and ids are read as the API writes them", () => {
  const signer = uppySigner(createDarkroom({ endpoint: "https://api.example", token: "" }));
  for (const size of [1, 8_388_608, 83_886_080_000, 83_886_080_001, 5_000_000_000_000]) {
    assert.equal(signer.getChunkSize({ size }), partSizeOf(size));
  }
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.string(), (bytes, text) => {
      const id = newId(() => bytes);
      assert.equal(imageIdFromKey(originalKey(id)), id);
      for (const key of [text, `originals/${text}`, `${originalKey(id)}${text}`]) {
        assert.equal(imageIdFromKey(key), parseOriginalKey(key));
      }
    }),
  );
});
