/** Uploads in parts through the real API and S3, as our client, Uppy and Uppy's own S3 mode make them. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { HeadObjectCommand, ListMultipartUploadsCommand, type S3Client } from "@aws-sdk/client-s3";
import sharp from "sharp";
import { s3Client } from "../../adapters/aws/s3-store.ts";
import type { Metadata } from "../../core/metadata.ts";
import { type Stack, startStack } from "../../laptop/stack.ts";
import { token } from "./api.ts";

const MiB = 1_048_576;
const data = mkdtempSync(join(tmpdir(), "darkroom-multipart-"));
type Fault = NonNullable<Parameters<typeof startStack>[0]["s3Fault"]>;
let fault: Fault | undefined;
let stack: Stack;
let s3: S3Client;
let mine: string;
let photo: Buffer;
/** Those who wait for an invocation of the worker to end. */
const waiting: (() => void)[] = [];

before(async () => {
  const onInvocation = (name: string) => {
    if (name === "worker") for (const wake of waiting.splice(0)) wake();
  };
  const s3Fault: Fault = (request) => fault?.(request);
  stack = await startStack({ port: 0, data, logLevel: "error", onInvocation, s3Fault });
  s3 = s3Client({ forcePathStyle: true });
  mine = await tokenFor({});
  photo = await largePhoto(12_000_000);
});
after(async () => {
  s3?.destroy();
  await stack?.close();
  rmSync(data, { recursive: true, force: true });
});

const tokenFor = (claims: object) => token({ ...claims }, { secret: stack.env["AUTH_SECRET"] ?? "" });

/** A small picture behind comments: large as a file and quick to develop. */
async function largePhoto(bytes: number): Promise<Buffer> {
  const jpeg = await sharp({ create: { width: 64, height: 48, channels: 3, background: "#246" } })
    .jpeg()
    .toBuffer();
  const comments: Buffer[] = [];
  for (let left = bytes - jpeg.length; left > 0; ) {
    // A segment of a JPEG has at most 65,535 bytes besides its marker, and this one 4 at least.
    const size = left > 70_000 ? 65_537 : left > 65_537 ? left - 4 : left;
    const comment = Buffer.alloc(size, `${left} `);
    comment.writeUInt16BE(0xff_fe, 0);
    comment.writeUInt16BE(size - 2, 2);
    comments.push(comment);
    left -= size;
  }
  return Buffer.concat([jpeg.subarray(0, 2), ...comments, jpeg.subarray(2)]);
}

interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: bodies of many shapes, and a test fails where one is another
  readonly json: any;
}

async function call(
  method: string,
  path: string,
  { bearer, body }: { bearer?: string | null; body?: unknown } = {},
): Promise<Reply> {
  const response = await fetch(stack.api + path, {
    method,
    headers: bearer === null ? {} : { authorization: `Bearer ${bearer ?? mine}` },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const json = response.headers.get("content-type")?.includes("json") ? JSON.parse(text) : undefined;
  return { status: response.status, headers: response.headers, text, json };
}

async function begin(file: Buffer = photo) {
  const files = [{ name: "IMG 0042.jpg", type: "image/jpeg", size: file.length }];
  const signed = await call("POST", "/uploads", { body: { method: "MULTIPART", files } });
  assert.equal(signed.status, 201, signed.text);
  const [{ id, ticket, partSize, key }] = signed.json.uploads;
  const { status, text, json } = await call("POST", "/s3/multipart", { body: { ticket } });
  assert.equal(status, 200, text);
  assert.equal(json.key, key);
  const upload = `/s3/multipart/${encodeURIComponent(json.uploadId)}`;
  const count = Math.ceil(file.length / partSize);
  return {
    id,
    key,
    pass: json.pass as string,
    upload,
    query: `?key=${encodeURIComponent(key)}`,
    partSize,
    count,
    uploadId: json.uploadId,
    ticket,
  };
}
type Begun = Awaited<ReturnType<typeof begin>>;

const partOf = (file: Buffer, { partSize }: Begun, number: number) =>
  new Uint8Array(file.subarray((number - 1) * partSize, number * partSize));

/** Resolves with S3's answer. */
async function put(begun: Begun, number: number, body: Uint8Array<ArrayBuffer>): Promise<Response> {
  const { status, text, json } = await call("GET", `${begun.upload}/${number}${begun.query}`);
  assert.equal(status, 200, text);
  return fetch(json.url, { method: "PUT", body });
}

/** Sends parts side by side. */
function send(begun: Begun, numbers: number[], file = photo) {
  return Promise.all(
    numbers.map(async (PartNumber) => {
      const answer = await put(begun, PartNumber, partOf(file, begun, PartNumber));
      assert.equal(answer.status, 200);
      return { PartNumber, ETag: answer.headers.get("etag")?.replaceAll('"', "") ?? "" };
    }),
  );
}

/** Looks again after every invocation of the worker, and only then. */
async function settled(id: string): Promise<Metadata> {
  for (;;) {
    const invoked = new Promise<void>((resolve) => waiting.push(resolve));
    const { status, json } = await call("GET", `/images/${id}`);
    if (status !== 202) return json as Metadata;
    await invoked;
  }
}

const Bucket = () => stack.env["UPLOADS_BUCKET"] ?? "";
const openUploads = async (key: string) =>
  (await s3.send(new ListMultipartUploadsCommand({ Bucket: Bucket(), Prefix: key }))).Uploads?.length ?? 0;
const original = (key: string) =>
  s3.send(new HeadObjectCommand({ Bucket: Bucket(), Key: key })).catch(() => undefined);

test("a photo of 12 MB goes to S3 in parts, side by side, and becomes ready", async () => {
  const begun = await begin();
  assert.equal(begun.count, 2);
  const parts = await send(begun, [1, 2]);
  const complete = () => call("POST", `${begun.upload}/complete${begun.query}`, { body: { parts } });
  const { status, json } = await complete();
  assert.equal(status, 200);
  assert.equal(json.key, begun.key);
  assert.equal(json.location, `${stack.s3}/${Bucket()}/${begun.key}`);

  const image = await settled(begun.id);
  assert.equal(image.status, "ready", JSON.stringify(image.error));
  assert.equal(image.source?.bytes, photo.length);
  assert.equal(image.source?.sha256, createHash("sha256").update(photo).digest("hex"));
  assert.equal((await complete()).status, 200, "again, after a lost answer");
  const stored = await original(begun.key);
  assert.deepEqual([stored?.ContentType, stored?.Metadata?.["preset"]], ["image/jpeg", "photo"]);
});

test("S3, busy with another completion or a delete, is to be asked again", async () => {
  const begun = await begin();
  const parts = await send(begun, [1, 2]);
  const complete = () => call("POST", `${begun.upload}/complete${begun.query}`, { body: { parts } });
  for (const code of ["ConditionalRequestConflict", "OperationAborted"]) {
    fault = ({ method, query }) =>
      method === "POST" && query.has("uploadId") ? { status: 409, code } : undefined;
    const { status, json } = await complete();
    assert.deepEqual([status, json.code], [503, "unavailable"]);
  }
  fault = undefined;
  assert.equal((await complete()).status, 200);
  assert.equal((await original(begun.key))?.ContentLength, photo.length);
});

test("S3 refuses a part of another length, and the API one that the file has not", async () => {
  const begun = await begin();
  const body = partOf(photo, begun, 2);
  for (const wrong of [body.subarray(1), new Uint8Array([...body, 0])]) {
    const answer = await put(begun, 2, wrong);
    assert.equal(answer.status, 403);
    assert.match(await answer.text(), /<Code>SignatureDoesNotMatch<\/Code>/);
  }
  assert.equal((await put(begun, 2, body)).status, 200);
  for (const part of ["0", "3", "10001", "1e1x", "%20"])
    assert.equal((await call("GET", `${begun.upload}/${part}${begun.query}`)).status, 400, part);
});

test("after a break the client lists what is there and sends the rest", async () => {
  const begun = await begin();
  await send(begun, [2]);
  const early = await call("POST", `${begun.upload}/complete${begun.query}`, {
    body: { parts: [{ PartNumber: 2, ETag: "x" }] },
  });
  assert.equal(early.status, 400);
  const { json: listed } = await call("GET", begun.upload + begun.query);
  const second = partOf(photo, begun, 2);
  const ETag = `"${createHash("md5").update(second).digest("hex")}"`;
  assert.deepEqual(listed, [{ PartNumber: 2, ETag, Size: second.length }]);
  // Quoted from the list, unquoted from S3's answer, as Uppy mixes them.
  const parts = [...(await send(begun, [1])), { PartNumber: 2, ETag }];
  assert.equal(
    (await call("POST", `${begun.upload}/complete${begun.query}`, { body: { parts } })).status,
    200,
  );
  assert.equal((await original(begun.key))?.ContentLength, photo.length);
});

test("an upload that is cancelled leaves nothing behind", async () => {
  const begun = await begin();
  const parts = await send(begun, [1]);
  assert.equal(await openUploads(begun.key), 1);
  for (const _ of [1, 2]) {
    const { status, json } = await call("DELETE", begun.upload + begun.query);
    assert.deepEqual([status, json], [200, {}]);
  }
  assert.equal(await openUploads(begun.key), 0);
  assert.equal((await put(begun, 2, partOf(photo, begun, 2))).status, 404);
  assert.equal((await call("GET", begun.upload + begun.query)).status, 404);
  assert.equal(
    (await call("POST", `${begun.upload}/complete${begun.query}`, { body: { parts } })).status,
    404,
  );
  assert.equal(await original(begun.key), undefined);
});

test("an upload is nobody else's, and of no other key", async () => {
  const begun = await begin();
  const bearer = await tokenFor({ sub: "you" });
  const parts = await send(begun, [1, 2]);
  for (const [method, path, body] of [
    ["GET", begun.upload, undefined],
    ["GET", `${begun.upload}/1`, undefined],
    ["POST", `${begun.upload}/complete`, { parts }],
    ["DELETE", begun.upload, undefined],
  ] as const) {
    const { status, json } = await call(method, path + begun.query, { bearer, body });
    assert.deepEqual([status, json.code], [404, "not-found"], `${method} ${path}`);
    const other = await call(method, `${path}?key=originals/qbbfm3f3cr98440ngmn6a6rh3w`, { body });
    assert.equal(other.status, 404);
  }
  assert.equal((await call("GET", begun.upload + begun.query)).json.length, 2);
});

test("a pass stands for a token where its own upload is meant, and nowhere else", async () => {
  const [one, other] = [await begin(), await begin()];
  const parts = await send(one, [1, 2]);
  const bearer = one.pass;
  const statusOf = async (method: string, path: string, body?: object) =>
    (await call(method, path, { bearer, body })).status;
  for (const [method, path, body] of [
    ["GET", other.upload + other.query],
    ["GET", `${other.upload}/1${other.query}`],
    ["POST", `${other.upload}/complete${other.query}`, { parts }],
    ["POST", "/s3/multipart", { ticket: one.ticket }],
    ["GET", `/images/${one.id}`],
  ] as const)
    assert.equal(await statusOf(method, path, body), 401, `${method} ${path}`);
  // What stands in URLs is no pass.
  const byId = await call("GET", one.upload + one.query, { bearer: one.uploadId });
  assert.equal(byId.status, 401);
  assert.equal(await statusOf("GET", `${one.upload}?key=${other.key}`), 404);
  assert.equal(await statusOf("GET", `${one.upload}/2${one.query}`), 200);
  assert.equal(await statusOf("POST", `${one.upload}/complete${one.query}`, { parts }), 200);
  assert.equal((await settled(one.id)).status, "ready");
});

test("a ticket begins one upload, however often and at once it is exchanged, and none once its original is there", async () => {
  const bearer = await tokenFor({ sub: "many" });
  const files = [{ name: "a.jpg", type: "image/jpeg", size: photo.length }];
  const signed = await call("POST", "/uploads", { bearer, body: { method: "MULTIPART", files } });
  const [{ key, ticket, partSize }] = signed.json.uploads;
  const exchange = () => call("POST", "/s3/multipart", { bearer, body: { ticket } });
  const statuses = await Promise.all(Array.from({ length: 20 }, async () => (await exchange()).status));
  assert.deepEqual(new Set(statuses), new Set([200]));
  assert.equal(await openUploads(key), 1);
  // Exchanged again, it names the one that is open: a part sent by one answer is seen by the next.
  const again = async () => `/s3/multipart/${encodeURIComponent((await exchange()).json.uploadId)}`;
  const { json } = await call("GET", `${await again()}/2?key=${key}`, { bearer });
  const sent = await fetch(json.url, { method: "PUT", body: new Uint8Array(photo.subarray(partSize)) });
  assert.equal(sent.status, 200);
  assert.equal((await call("GET", `${await again()}?key=${key}`, { bearer })).json.length, 1);
  assert.equal(await openUploads(key), 1);

  const first = await begin();
  const parts = await send(first, [1, 2]);
  await call("POST", `${first.upload}/complete${first.query}`, { body: { parts } });
  const late = await call("POST", "/s3/multipart", { body: { ticket: first.ticket } });
  assert.deepEqual([late.status, late.json.code], [404, "not-found"]);
  assert.equal(await openUploads(first.key), 0);
});

test("uploads in parts count among those of a minute, an upload that is open already does not", async () => {
  const bearer = await tokenFor({ sub: "slow", maxUploadsPerMinute: 1 });
  const files = [{ name: "a.jpg", type: "image/jpeg", size: photo.length }];
  const signed = await call("POST", "/uploads", { bearer, body: { method: "MULTIPART", files } });
  const [{ ticket, key }] = signed.json.uploads;
  const exchange = () => call("POST", "/s3/multipart", { bearer, body: { ticket } });
  const { json } = await exchange();
  assert.equal((await exchange()).status, 200, "again, after a lost answer");
  const upload = `/s3/multipart/${encodeURIComponent(json.uploadId)}?key=${key}`;
  assert.equal((await call("DELETE", upload, { bearer })).status, 200);
  const again = await exchange();
  assert.deepEqual([again.status, again.json.code], [429, "rate-limited"]);
  assert.ok(Number(again.headers.get("retry-after")) > 0);
  assert.equal(await openUploads(key), 0);
});

test("where the size is unknown, a part is signed when those before it are there and leave room", async () => {
  const bearer = await tokenFor({ maxBytes: 12 * MiB });
  const body = { filename: "a.jpg", type: "image/jpeg" };
  const { json } = await call("POST", "/s3/multipart", { bearer, body });
  const sign = (part: number) =>
    call("GET", `/s3/multipart/${encodeURIComponent(json.uploadId)}/${part}?key=${json.key}`, { bearer });
  const send = async (part: number, bytes: number) =>
    fetch((await sign(part)).json.url, { method: "PUT", body: new Uint8Array(bytes) });
  for (const part of [2, 3]) {
    const early = await sign(part);
    assert.deepEqual([early.status, early.json.code], [429, "rate-limited"], `part ${part}`);
    assert.equal(early.headers.get("retry-after"), "1");
  }
  await send(1, 5 * MiB);
  // The one that is on its way may be signed again, and one that is there sent anew.
  for (const part of [1, 2, 2]) assert.equal((await sign(part)).status, 200);
  await send(2, 7 * MiB);
  const full = await sign(3);
  assert.deepEqual([full.status, full.json.code], [422, "file-too-large"]);
  assert.equal(await openUploads(json.key), 1, "it has no more than it may");
  await send(2, 7 * MiB + 1);
  const over = await sign(3);
  assert.deepEqual([over.status, over.json.code], [422, "file-too-large"]);
  assert.equal(await openUploads(json.key), 0, "what is over the limit is not kept");
});

test("Uppy that says the size in its metadata has parts signed side by side, each with its length", async () => {
  const bearer = await tokenFor({ maxBytes: 12 * MiB });
  const file = { filename: "a.jpg", type: "image/jpeg" };
  const create = (size: unknown) =>
    call("POST", "/s3/multipart", { bearer, body: { ...file, metadata: { name: "a.jpg", size } } });
  const tooLarge = await create(12 * MiB + 1);
  assert.deepEqual([tooLarge.status, tooLarge.json.code], [422, "file-too-large"]);
  assert.equal((await create("large")).status, 400);
  const { json } = await create(`${11 * MiB}`);
  const parts = await Promise.all(
    [5 * MiB, 5 * MiB, MiB].map(async (bytes, i) => {
      const upload = `/s3/multipart/${encodeURIComponent(json.uploadId)}/${i + 1}?key=${json.key}`;
      const { url } = (await call("GET", upload, { bearer })).json;
      const put = (size: number) => fetch(url, { method: "PUT", body: new Uint8Array(size) });
      assert.equal((await put(bytes + 1)).status, 403);
      return { PartNumber: i + 1, ETag: (await put(bytes)).headers.get("etag") };
    }),
  );
  const complete = `/s3/multipart/${encodeURIComponent(json.uploadId)}/complete?key=${json.key}`;
  assert.equal((await call("POST", complete, { bearer, body: { parts } })).status, 200);
});

/** As Uppy with a `companionEndpoint` that ends in a token: no headers of its own, and it never says the size. */
async function uppy(claims: object, sizes: number[]) {
  const api = `/t/${await tokenFor(claims)}`;
  const created = await call("POST", `${api}/s3/multipart`, {
    bearer: null,
    body: {
      filename: "große Datei.jpg",
      metadata: { relativePath: null, exif: { a: 1 } },
      type: "image/jpeg",
    },
  });
  assert.equal(created.status, 200, created.text);
  assert.equal(created.headers.get("referrer-policy"), "no-referrer");
  const { key, uploadId } = created.json;
  const upload = `${api}/s3/multipart/${encodeURIComponent(uploadId)}`;
  const query = `?${new URLSearchParams({ key })}`;
  const parts: object[] = [];
  for (const [i, size] of sizes.entries()) {
    const { json } = await call("GET", `${upload}/${i + 1}${query}`, { bearer: null });
    const answer = await fetch(json.url, { method: "PUT", body: new Uint8Array(size) });
    parts.push({ PartNumber: i + 1, ETag: answer.headers.get("etag")?.replaceAll('"', "") });
  }
  const answer = await call("POST", `${upload}/complete${query}`, { bearer: null, body: { parts } });
  return { key: String(key), answer, upload, query };
}

test("Uppy, whose parts are over the limit together, is refused, and nothing is kept", async () => {
  const over = await uppy({ maxBytes: 6 * MiB }, [5 * MiB, MiB + 1]);
  assert.deepEqual([over.answer.status, over.answer.json.code], [422, "file-too-large"]);
  assert.equal(await openUploads(over.key), 0);
  assert.equal(await original(over.key), undefined);
  const third = await call("GET", `${over.upload}/3${over.query}`, { bearer: null });
  assert.deepEqual([third.status, third.json.code], [422, "file-too-large"]);

  const within = await uppy({ maxBytes: 6 * MiB }, [5 * MiB, MiB]);
  assert.equal(within.answer.status, 200, within.answer.text);
  assert.equal((await original(within.key))?.ContentLength, 6 * MiB);
  assert.equal((await original(within.key))?.Metadata?.["filename"], "gro%C3%9Fe%20Datei.jpg");
});

test("parts that S3 finds too small are the client's fault", async () => {
  const { answer, key } = await uppy({}, [MiB, MiB]);
  assert.deepEqual([answer.status, answer.json.code], [400, "bad-request"]);
  assert.match(answer.json.detail, /EntityTooSmall/);
  assert.equal(await original(key), undefined);
});

test("Uppy's single upload is a form that S3 holds to the limit", async () => {
  const bearer = await tokenFor({ maxBytes: 1000 });
  const ask = (file: Record<string, string>) =>
    call("GET", `/s3/params?${new URLSearchParams({ ...file, "metadata[name]": "ünï" })}`, { bearer });
  const { json } = await ask({ filename: "IMG 0042.jpg", type: "image/jpeg" });
  assert.deepEqual([json.method, json.expires], ["POST", 300]);
  const post = async (bytes: number) => {
    const form = new FormData();
    for (const [name, value] of Object.entries<string>(json.fields)) form.append(name, value);
    form.append("file", new Blob([new Uint8Array(bytes)]), "blob");
    const answer = await fetch(json.url, { method: "POST", body: form });
    return `${answer.status} ${/<Code>(\w+)/.exec(await answer.text())?.[1] ?? ""}`;
  };
  assert.equal(await post(0), "400 EntityTooSmall");
  assert.equal(await post(1001), "400 EntityTooLarge");
  assert.equal(await post(1000), "201 ");
  assert.equal((await ask({ filename: "a.svg", type: "image/svg+xml" })).json.code, "type-not-accepted");
  assert.equal((await ask({ filename: "a.HEIC", type: "" })).status, 200);
});

test("who may only upload so many a minute may not go this way either", async () => {
  const bearer = await tokenFor({ sub: "hasty", maxUploadsPerMinute: 2 });
  const body = { filename: "a.jpg", type: "image/jpeg" };
  assert.equal((await call("GET", "/s3/params?filename=a.jpg&type=image/jpeg", { bearer })).status, 200);
  assert.equal((await call("POST", "/s3/multipart", { bearer, body })).status, 200);
  const third = await call("POST", "/s3/multipart", { bearer, body });
  assert.deepEqual([third.status, third.json.code], [429, "rate-limited"]);
  assert.ok(Number(third.headers.get("retry-after")) > 0);
});

test("in S3's XML: the same upload from its creation to its end", async () => {
  const files = [{ name: "a.jpg", type: "image/jpeg", size: photo.length }];
  const { json } = await call("POST", "/uploads", { body: { method: "MULTIPART", files } });
  const [{ key, ticket, id, partSize }] = json.uploads;
  const base = `/t/${mine}/s3/xml`;
  const created = await call("POST", `${base}/${key}?uploads&ticket=${ticket}`, { bearer: null, body: "" });
  assert.equal(created.status, 200, created.text);
  assert.equal(created.headers.get("content-type"), "application/xml");
  assert.equal(/<Key>([^<]+)<\/Key>/.exec(created.text)?.[1], key);
  const uploadId = /<UploadId>([^<]+)<\/UploadId>/.exec(created.text)?.[1] ?? "";
  // The key with its slash encoded, which API Gateway undoes.
  const target = `${base}/${encodeURIComponent(key)}?uploadId=${uploadId}`;
  const begun = { upload: `/s3/multipart/${uploadId}`, query: "", partSize } as Begun;
  const parts = await send(begun, [1, 2]);

  const list = await call("GET", target, { bearer: null });
  const found = [
    ...list.text.matchAll(/<Part><PartNumber>(\d)<\/PartNumber><ETag>&quot;(\w+)&quot;<\/ETag>/g),
  ];
  assert.deepEqual(
    found.map(([, number, etag]) => ({ PartNumber: Number(number), ETag: etag })),
    parts,
  );
  const document = (changed = "") =>
    `<CompleteMultipartUpload>${parts
      .map(
        ({ PartNumber, ETag }) =>
          `<Part><PartNumber>${PartNumber}</PartNumber><ETag>&quot;${changed || ETag}&quot;</ETag></Part>`,
      )
      .join("")}</CompleteMultipartUpload>`;
  const refused = await call("POST", target, { bearer: null, body: document("0".repeat(32)) });
  assert.equal(refused.status, 400);
  assert.equal(refused.headers.get("content-type"), "application/xml");
  assert.match(refused.text, /^<\?xml[^>]+\?>\n<Error><Code>bad-request<\/Code><Message>/);
  const done = await call("POST", target, { bearer: null, body: document() });
  assert.equal(done.status, 200, done.text);
  assert.match(done.text, new RegExp(`<Location>http[^<]+/${key}</Location>.*<Key>${key}</Key>`));
  assert.equal((await settled(id)).status, "ready");

  const late = await call("POST", `${base}/${key}?uploads&ticket=${ticket}`, { bearer: null, body: "" });
  assert.equal(late.status, 404);
  const second = await begin();
  const abort = await call("DELETE", `${base}/${second.key}?uploadId=${second.uploadId}`, { bearer: null });
  assert.deepEqual([abort.status, abort.text, await openUploads(second.key)], [204, "", 0]);
});

test("in XML every refusal is XML, as long as there is such a route", async () => {
  const path = "/s3/xml/originals/qbbfm3f3cr98440ngmn6a6rh3w";
  for (const [method, query, bearer, status, code] of [
    ["GET", "", null, 401, "unauthenticated"],
    ["GET", "?uploadId=x", undefined, 404, "not-found"],
    ["POST", "?uploads", undefined, 404, "not-found"],
    ["POST", "", undefined, 400, "bad-request"],
    ["DELETE", "?uploadId=x", undefined, 404, "not-found"],
  ] as const) {
    const answer = await call(method, path + query, bearer === null ? { bearer } : {});
    assert.equal(answer.headers.get("content-type"), "application/xml");
    assert.equal(`${answer.status} ${/<Code>([^<]+)/.exec(answer.text)?.[1]}`, `${status} ${code}`, method);
  }
});

test("a page may make every one of these requests", async () => {
  const origin = "http://localhost:5173";
  for (const [method, path] of [
    ["POST", "/s3/multipart"],
    ["POST", "/s3/multipart/x/complete"],
    ["DELETE", "/s3/multipart/x"],
    ["POST", "/s3/xml/originals/x"],
    // Uppy 5 and `signRequest` send an Authorization header of the page's with GETs too.
    ["GET", "/s3/multipart/x/1"],
  ] as const) {
    const answer = await fetch(stack.api + path, {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": method,
        "access-control-request-headers": "authorization,content-type",
      },
    });
    const listed = (name: string) => answer.headers.get(`access-control-allow-${name}`)?.split(",") ?? [];
    assert.deepEqual(listed("origin"), [origin]);
    assert.ok(listed("methods").includes(method), method);
    for (const header of ["authorization", "content-type"]) assert.ok(listed("headers").includes(header));
  }
});
