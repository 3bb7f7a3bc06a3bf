/** Unmodified Uppy in a real Chromium: 6 with our signer and on the Companion routes, 5 on those with a header. */
import assert from "node:assert/strict";
import test, { after, before, beforeEach } from "node:test";
import { HeadObjectCommand, ListMultipartUploadsCommand } from "@aws-sdk/client-s3";
import type AwsS3 from "@uppy/aws-s3";
import type Uppy from "@uppy/core";
import { build } from "esbuild";
import fc from "fast-check";
import { SignJWT } from "jose";
import type { BrowserContext, Page, Request } from "playwright-core";
import { createDarkroom, imageIdFromKey, uppySigner } from "../../client/darkroom.ts";
import { newId, originalKey, parseOriginalKey } from "../../core/keys.ts";
import { partSizeOf } from "../../core/upload/multipart.ts";
import { settingsOf } from "./chromium.ts";
import { running } from "./running.ts";

/** Three parts of 8 MiB. */
const SIZE = 17_000_000;
interface Fault {
  readonly status: number;
  readonly code: string;
}
/** What S3 does when it is sent a second part; as it should where absent. */
let secondPart: (() => Promise<Fault>) | undefined;
/** Ends the wait of a part that is held up. */
let release = () => {};
let context: BrowserContext;
let page: Page;
/** Uppy by its major version, as a script that makes `lib`. */
let scripts: Record<5 | 6, string>;

declare global {
  /** In the page. */
  var uppy: Uppy;
  var lib: { Uppy: typeof Uppy; AwsS3: typeof AwsS3 };
}

/** A page's script with Uppy; 5 is installed beside 6 under another name, and finds its own core there. */
async function bundle(plugin: string, alias: Record<string, string>): Promise<string> {
  const contents = `export { default as Uppy } from "@uppy/core"; export { default as AwsS3 } from "${plugin}";`;
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: process.cwd() },
    bundle: true,
    format: "iife",
    globalName: "lib",
    alias,
    write: false,
  });
  return outputFiles[0]?.text ?? "";
}

before(async () => {
  scripts = {
    5: await bundle("@uppy/aws-s3-5", { "@uppy/core": "@uppy/core-5" }),
    6: await bundle("@uppy/aws-s3", {}),
  };
});
// Before the stack waits for what it holds up.
after(() => release());
const its = running({
  poll: false,
  s3Fault: ({ method, query }) =>
    method === "PUT" && query.get("partNumber") === "2" ? secondPart?.() : undefined,
});

/** By what the documentation calls them, with the major version. */
const modes = { signRequest: 6, companionEndpoint: 6, endpoint: 5 } as const;
type Mode = keyof typeof modes;

beforeEach(async () => {
  secondPart = undefined;
  release();
  await context?.close();
  ({ context, page } = await its.chromium.open());
});

/** Uppy in the page, in one of its modes. */
async function setUp(mode: Mode): Promise<void> {
  await page.addScriptTag({ content: scripts[modes[mode]] });
  // The hour that a token in a path may live.
  const { uploadToken } = (await (await fetch(`${its.stack.page}/local.json`)).json()) as {
    uploadToken: string;
  };
  await page.evaluate(
    ({ mode, settings, token }) => {
      const { endpoint } = settings;
      const options = {
        signRequest: () => {
          const ask = (globalThis as unknown as { freshToken?: () => Promise<string> }).freshToken;
          const darkroom = client.createDarkroom({ endpoint, token: ask ?? settings.token });
          return client.uppySigner(darkroom, { preset: "photo" });
        },
        companionEndpoint: () => ({ companionEndpoint: `${endpoint}/t/${token}` }),
        // Options of 5, of which the types of 6 know nothing.
        endpoint: () => ({ endpoint, headers: { authorization: `Bearer ${token}` } }) as object as never,
      }[mode]();
      globalThis.uppy = new lib.Uppy().use(lib.AwsS3, {
        ...options,
        shouldUseMultipart: (file) => (file.size ?? 0) > 1000,
      });
      // 5 sends parts side by side, which takes a size.
      if (mode === "endpoint") uppy.on("file-added", ({ id, size }) => uppy.setFileMeta(id, { size }));
    },
    { mode, settings: settingsOf(its.stack), token: uploadToken },
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

const bucket = () => its.stack.env["UPLOADS_BUCKET"] ?? "";
const original = (key: unknown) =>
  its.s3
    .send(new HeadObjectCommand({ Bucket: bucket(), Key: String(key) }))
    .then(({ ContentLength }) => ContentLength);
const openUploads = async () =>
  (await its.s3.send(new ListMultipartUploadsCommand({ Bucket: bucket(), Prefix: "originals/" }))).Uploads ??
  [];

/** The number of the part that a request to S3 sends. */
const partOf = (request: Request) =>
  request.method() === "PUT" ? new URL(request.url()).searchParams.get("partNumber") : null;
/** Numbers of the parts that are sent from now on, in order. */
function partsSent(): string[] {
  const sent: string[] = [];
  page.on("request", (request) => {
    const part = partOf(request);
    if (part) sent.push(part);
  });
  return sent;
}

/** Holds the next second part up, once the first has arrived, for ever or until it is refused. Resolves when it is held. */
function holdSecondPart(fault?: Fault): { readonly held: Promise<void> } {
  const { promise: held, resolve } = Promise.withResolvers<void>();
  const first = page.waitForResponse((response) => partOf(response.request()) === "1" && response.ok());
  secondPart = async () => {
    secondPart = undefined;
    await first;
    resolve();
    if (!fault) await new Promise<void>((end) => (release = end));
    return fault ?? { status: 503, code: "SlowDown" };
  };
  return { held };
}

for (const mode of Object.keys(modes) as Mode[]) {
  const name = `Uppy ${modes[mode]}, ${mode}`;

  test(`${name}: a small file and one in parts, and the image's id in the key that Uppy reports`, async () => {
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

  test(`${name}: after a part that failed, a retry goes on where it was`, async () => {
    await setUp(mode);
    const sent = partsSent();
    holdSecondPart({ status: 403, code: "AccessDenied" });
    const { keys, failures } = await uploadInPage(SIZE, true);
    assert.equal(failures.length, 1);
    assert.equal(await original(keys[0]), SIZE);
    // 5 always begins anew.
    const tries = modes[mode] === 5 ? 2 : 1;
    assert.equal(sent.filter((part) => part === "1").length, tries, `parts sent: ${sent}`);
    assert.deepEqual(await openUploads(), []);
  });

  test(`${name}: paused, nothing is sent; resumed, only what is missing`, async () => {
    await setUp(mode);
    const sent = partsSent();
    const { held } = holdSecondPart();
    const uploaded = uploadInPage(SIZE);
    await held;
    const stopped = page.waitForEvent("requestfailed", (request) => partOf(request) === "2");
    await page.evaluate(() => uppy.pauseAll());
    await stopped;
    const listed = page.waitForResponse(
      (response) =>
        response.request().method() === "GET" && /multipart\/[^/]+\?|\/xml\//.test(response.url()),
    );
    await page.evaluate(() => uppy.resumeAll());
    assert.equal((await listed).status(), 200);
    const { keys, failures } = await uploaded;
    assert.deepEqual(failures, []);
    assert.equal(await original(keys[0]), SIZE);
    assert.equal(sent.filter((part) => part === "1").length, 1, `parts sent: ${sent}`);
    assert.deepEqual(await openUploads(), []);
  });

  test(`${name}: cancelling takes the parts back`, async () => {
    await setUp(mode);
    const { held } = holdSecondPart();
    const uploaded = uploadInPage(SIZE);
    await held;
    assert.equal((await openUploads()).length, 1);
    const aborted = page.waitForResponse((response) => response.request().method() === "DELETE");
    await page.evaluate(() => uppy.cancelAll());
    assert.ok((await aborted).ok());
    assert.deepEqual((await uploaded).keys, []);
    assert.deepEqual(await openUploads(), []);
  });
}

test("signRequest: a token that expires between two parts does not end the upload", async () => {
  const secret = new TextEncoder().encode(its.stack.env["AUTH_SECRET"]);
  const given: string[] = [];
  await page.exposeFunction("freshToken", async () => {
    const claims = { sub: "local", scope: "upload", jti: `${given.length}` };
    const token = await new SignJWT(claims)
      .setProtectedHeader({ alg: "HS256" })
      .setExpirationTime("5m")
      .sign(secret);
    given.push(`Bearer ${token}`);
    return token;
  });
  await setUp("signRequest");
  // Those given out before the second part was begun are no longer good after it.
  const expired = new Set<string>();
  page.on("request", (request) => {
    if (partOf(request) === "2") for (const token of given) expired.add(token);
  });
  let refused = 0;
  await page.route(`${its.stack.api}/**`, (route) => {
    if (!expired.has(route.request().headers()["authorization"] ?? "")) return route.continue();
    refused++;
    return route.fulfill({ status: 401, headers: { "access-control-allow-origin": "*" }, body: "{}" });
  });
  const { keys, failures } = await uploadInPage(SIZE);
  assert.deepEqual(failures, []);
  assert.equal(refused, 1, "the signature of the third part");
  assert.equal(await original(keys[0]), SIZE);
});

test("signRequest: what is refused reaches the user as the API's sentence", async () => {
  await setUp("signRequest");
  for (const [name, type, content, sentence] of [
    ["notes.txt", "text/plain", "text", /Files of this type are not accepted\. Its type is not one of image/],
    ["empty.jpg", "image/jpeg", "", /^The file is empty\.$/],
  ] as const) {
    const failures = await page.evaluate(
      async ({ name, type, content }) => {
        uppy.clear();
        uppy.addFile({ name, type, data: new Blob([content], { type }) });
        return ((await uppy.upload())?.failed ?? []).map(({ error }) => error);
      },
      { name, type, content },
    );
    assert.match(String(failures), sentence);
  }
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
