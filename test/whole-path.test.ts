/** The README's promise, for real: from a signed upload through S3 and SQS to variants on the CDN's URL. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import sharp from "sharp";
import type { Progress } from "../core/job/job-progress.ts";
import type { Metadata } from "../core/metadata.ts";
import type { Forgotten } from "../core/tell/forget.ts";
import type { ImageEvent } from "../core/tell/tell.ts";
import type { SignedUpload } from "../core/upload/issue-uploads.ts";
import { type Stack, startStack } from "../laptop/stack.ts";
import { token } from "./functions/api.ts";

const data = mkdtempSync(join(tmpdir(), "darkroom-"));
/** Those who wait for an invocation of a queue's function to end. */
let waiting: (() => void)[] = [];
/** Images that the CDN was asked to forget. */
let forgotten = 0;
const onInvocation = (name: string, _: unknown, result: unknown) => {
  if (name === "parked") forgotten += (result as { forgotten: Forgotten }).forgotten.images;
  if (name !== "worker" && name !== "events") return;
  for (const wake of waiting.splice(0)) wake();
};
const start = () => startStack({ port: 0, data, logLevel: "error", onInvocation });
let stack: Stack;

before(async () => {
  stack = await start();
});
after(async () => {
  await stack.close();
  rmSync(data, { recursive: true, force: true });
});

const call = (path: string, init: RequestInit = {}) =>
  fetch(stack.api + path, {
    ...init,
    headers: { authorization: `Bearer ${stack.uploadToken}`, ...init.headers },
  });

async function sign(file: object, request: object = {}): Promise<SignedUpload & { id: string }> {
  const response = await call("/uploads", {
    method: "POST",
    body: JSON.stringify({ files: [file], ...request }),
  });
  assert.equal(response.status, 201, await response.clone().text());
  const { uploads } = (await response.json()) as { uploads: (SignedUpload & { id: string })[] };
  assert.ok(uploads[0]);
  return uploads[0];
}

/** Looks again after every invocation, and only then. */
async function settled(id: string): Promise<Metadata> {
  for (;;) {
    const invoked = new Promise<void>((resolve) => waiting.push(resolve));
    const response = await call(`/images/${id}`);
    if (response.status !== 202) return (await response.json()) as Metadata;
    await invoked;
  }
}

/** What the stack's own receiver of webhooks has verified of an image, once `type` is among it. */
async function told(id: string, type: ImageEvent["type"]): Promise<string[]> {
  for (;;) {
    const invoked = new Promise<void>((resolve) => waiting.push(resolve));
    const { webhooks } = (await (await fetch(`${stack.page}/webhooks.json`)).json()) as {
      webhooks: { event: ImageEvent }[];
    };
    const types = webhooks.flatMap(({ event }) => (event.data.id === id ? event.type : []));
    if (types.includes(type)) return types;
    await invoked;
  }
}

/** A portrait that a camera took lying on its side: red on top, blue below once it is upright. */
const photo = async () => {
  const half = (colour: string) =>
    sharp({ create: { width: 400, height: 300, channels: 3, background: colour } })
      .png()
      .toBuffer();
  return sharp({ create: { width: 800, height: 300, channels: 3, background: "#000" } })
    .composite([
      { input: await half("#c02020"), left: 0, top: 0 },
      { input: await half("#2020c0"), left: 400, top: 0 },
    ])
    .jpeg({ quality: 90 })
    .withExif({
      IFD0: { Artist: "Somebody" },
      IFD2: { DateTimeOriginal: "2026:05:01 10:00:00" },
      IFD3: { GPSLatitude: "51/1 30/1 0/1" },
    })
    .withMetadata({ orientation: 6 })
    .toBuffer();
};

test("a photo is uploaded as the README says, and comes out upright, in every format, for everyone", async () => {
  const bytes = await photo();
  const sha256 = createHash("sha256").update(bytes).digest("base64");
  const upload = await sign({ name: "IMG 0042.jpg", type: "image/jpeg", size: bytes.length, sha256 });
  assert.equal(upload.method, "PUT");
  const put = () =>
    fetch(upload.url, { method: "PUT", headers: upload.headers, body: new Uint8Array(bytes) });
  assert.equal((await put()).status, 200);
  assert.equal((await put()).status, 412, "written once");

  let response: Response;
  do response = await call(`/images/${upload.id}?wait=20`);
  while (response.status === 202);
  const image = (await response.json()) as Metadata;
  assert.equal(image.status, "ready", JSON.stringify(image));
  assert.deepEqual([image.source?.width, image.source?.height], [300, 800]);
  assert.equal(image.source?.takenAt, "2026-05-01T10:00:00");
  assert.equal(image.source?.sha256, createHash("sha256").update(bytes).digest("hex"));
  assert.match(image.placeholder?.color ?? "", /^#[0-9a-f]{6}$/);
  assert.ok(image.placeholder?.dataUrl.startsWith("data:image/webp;base64,"));
  assert.deepEqual(new Set(image.variants.map(({ format }) => format)), new Set(["avif", "webp", "jpeg"]));

  for (const variant of image.variants) {
    const response = await fetch(variant.url);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), variant.type);
    assert.match(response.headers.get("cache-control") ?? "", /immutable/);
    assert.equal(response.headers.get("x-content-type-options"), "nosniff");
    const body = Buffer.from(await response.arrayBuffer());
    assert.equal(body.length, variant.bytes);
    assert.doesNotMatch(body.toString("latin1"), /Somebody|Exif|<x:xmpmeta/);
    // Decoded by other means than it was made with: sharp from scratch.
    const { data: pixels, info } = await sharp(body)
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    assert.deepEqual([info.width, info.height], [variant.width, variant.height]);
    const [red = 0, , blue = 0] = pixels.subarray(3 * (info.width >> 1));
    assert.ok(red > blue, `${variant.name} has its red side up`);
  }
});

test("metadata answers with an ETag, lists the owner's images, and a delete takes all of it away", async () => {
  const bytes = await photo();
  const upload = await sign({ name: "a.jpg", type: "image/jpeg", size: bytes.length }, { method: "POST" });
  assert.equal(upload.method, "POST");
  const form = new FormData();
  for (const [name, value] of Object.entries(upload.fields)) form.append(name, value);
  form.append("file", new Blob([new Uint8Array(bytes)], { type: "image/jpeg" }), "a.jpg");
  assert.equal((await fetch(upload.url, { method: "POST", body: form })).status, 201);
  const image = await settled(upload.id);
  assert.equal(image.status, "ready");

  const path = `/images/${upload.id}`;
  const etag = (await call(path)).headers.get("etag") ?? "";
  assert.match(etag, /^"[0-9a-f]{32}"$/);
  assert.equal((await call(path, { headers: { "if-none-match": etag } })).status, 304);
  const { images } = (await (await call("/images?limit=10")).json()) as { images: Metadata[] };
  assert.ok(images.some(({ id, status }) => id === upload.id && status === "ready"));

  const [seen, ...unseen] = image.variants.map(({ url }) => url);
  assert.equal((await fetch(seen ?? "")).status, 200);
  assert.equal((await call(path, { method: "DELETE" })).status, 204);
  assert.equal((await call(path, { method: "DELETE" })).status, 204);
  assert.equal((await call(path)).status, 410);
  for (const url of unseen) assert.equal((await fetch(url)).status, 403);
  // The CDN holds what somebody has looked at, until it was asked to forget and has had its minute.
  assert.equal((await fetch(seen ?? "")).status, 200);
  await stack.invoke("parked", {});
  assert.equal(forgotten, 1);

  // Told by each of the three deletes, the third when the original went, and heard once.
  assert.deepEqual((await told(upload.id, "image.deleted")).sort(), ["image.deleted", "image.ready"]);
  const foreign = await fetch(`${stack.page}/webhooks`, { method: "POST", body: "{}" });
  assert.equal(foreign.status, 401);
});

test("a picture of our own goes the whole way, and nothing of it stays", async () => {
  const probed = (await stack.invoke("probe", {})) as { step: string; ms: number };
  assert.deepEqual([probed.step, probed.ms > 0], ["done", true], JSON.stringify(probed));
});

test("an operator re-processes images: what it would do, the job, its end, and not for everyone", async () => {
  const bytes = await photo();
  const ids: string[] = [];
  for (const name of ["a.jpg", "b.jpg"]) {
    const upload = await sign({ name, type: "image/jpeg", size: bytes.length });
    assert.equal(upload.method, "PUT");
    await fetch(upload.url, { method: "PUT", headers: upload.headers, body: new Uint8Array(bytes) });
    assert.equal((await settled(upload.id)).status, "ready");
    ids.push(upload.id);
  }
  const admin = { authorization: `Bearer ${stack.adminToken}` };
  const post = (body: object, headers: Record<string, string> = admin) =>
    call("/admin/reprocess", { method: "POST", headers, body: JSON.stringify(body) });
  const select = { ids };
  assert.equal((await post({ select }, {})).status, 403);
  const dry = (await (await post({ select, force: true, dryRun: true })).json()) as Record<string, number>;
  assert.deepEqual([dry["images"], dry["changed"], (dry["lambdaSeconds"] ?? 0) > 0], [2, 2, true]);

  const started = await post({ select, force: true });
  assert.equal(started.status, 202);
  let job = (await started.json()) as Progress;
  while (job.state === "running") {
    const invoked = new Promise<void>((resolve) => waiting.push(resolve));
    job = (await (await call(`/admin/jobs/${job.id}`, { headers: admin })).json()) as Progress;
    if (job.state === "running") await invoked;
  }
  assert.deepEqual([job.state, job.queued, job.done], ["done", 2, 2]);
  for (const id of ids) {
    const image = (await (await call(`/images/${id}`)).json()) as Metadata;
    assert.deepEqual([image.status, image.rev, image.superseded], ["ready", 2, []]);
  }
});

test("what is not an image ends rejected, with a code and a sentence", async () => {
  const bytes = Buffer.from("<html>not a picture</html>");
  const upload = await sign({ name: "a.jpg", type: "image/jpeg", size: bytes.length });
  assert.equal(upload.method, "PUT");
  await fetch(upload.url, { method: "PUT", headers: upload.headers, body: bytes });
  const image = await settled(upload.id);
  assert.equal(image.status, "rejected");
  assert.deepEqual(image.error, {
    code: "unsupported-format",
    message: "This is not an image of a format we accept.",
  });
});

test("S3 refuses what was not signed for, and browsers of other origins", async () => {
  const upload = await sign({ name: "a.jpg", type: "image/jpeg", size: 3 });
  assert.equal(upload.method, "PUT");
  const { url, headers } = upload;
  const put = (body: string, changes: Record<string, string> = {}) =>
    fetch(url, { method: "PUT", headers: { ...headers, ...changes }, body });
  assert.equal((await put("four")).status, 403);
  assert.equal((await put("abc", { "content-type": "text/html" })).status, 403);
  assert.equal((await put("abc", { "x-amz-meta-owner": "you" })).status, 403);
  const preflight = (origin: string) =>
    fetch(url, {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": "PUT",
        "access-control-request-headers": Object.keys(headers).join(","),
      },
    });
  const ours = await preflight("http://localhost:5173");
  assert.equal(ours.status, 200);
  assert.equal(ours.headers.get("access-control-allow-origin"), "http://localhost:5173");
  assert.equal((await preflight("https://evil.example")).status, 403);
  const api = await fetch(`${stack.api}/uploads`, {
    method: "OPTIONS",
    headers: { origin: "https://evil.example", "access-control-request-method": "POST" },
  });
  assert.equal(api.headers.get("access-control-allow-origin"), null);
});

test("an upload accepted just before the stack stops is developed after the next start", async () => {
  const bytes = await photo();
  const upload = await sign({ name: "late.jpg", type: "image/jpeg", size: bytes.length });
  assert.equal(upload.method, "PUT");
  assert.equal(
    (await fetch(upload.url, { method: "PUT", headers: upload.headers, body: new Uint8Array(bytes) })).status,
    200,
  );
  await stack.close();
  waiting = [];
  stack = await start();
  assert.equal((await settled(upload.id)).status, "ready");
});

test("an AWS account in the user's shell is left alone", async () => {
  await stack.close();
  const mine = {
    AWS_PROFILE: "work",
    AWS_SESSION_TOKEN: "a-real-session",
    AUTH_SECRET: "the-secret-of-my-own-back-end-32-bytes",
  };
  Object.assign(process.env, mine);
  try {
    waiting = [];
    stack = await start();
    const bytes = await photo();
    const upload = await sign({ name: "a.jpg", type: "image/jpeg", size: bytes.length });
    assert.equal(upload.method, "PUT");
    assert.doesNotMatch(upload.url, /security-token/i);
    await fetch(upload.url, { method: "PUT", headers: upload.headers, body: new Uint8Array(bytes) });
    assert.equal((await settled(upload.id)).status, "ready");
    const own = await token({}, { secret: mine.AUTH_SECRET });
    assert.equal(
      (await fetch(`${stack.api}/images`, { headers: { authorization: `Bearer ${own}` } })).status,
      200,
    );
    await stack.close();
    assert.equal(process.env["AWS_PROFILE"], "work");
  } finally {
    for (const name of Object.keys(mine)) delete process.env[name];
    stack = await start();
  }
});

test("local.json is for this machine's own names only", async () => {
  const local = (await (await fetch(`${stack.page}/local.json`)).json()) as Record<string, string>;
  assert.deepEqual(Object.keys(local).sort(), ["adminToken", "api", "media", "s3", "sqs", "uploadToken"]);
  const { port } = new URL(stack.page);
  const { request } = await import("node:http");
  const status = await new Promise((resolve) =>
    request({ port, path: "/local.json", headers: { host: `evil.example:${port}` } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).end(),
  );
  assert.equal(status, 404);
});
