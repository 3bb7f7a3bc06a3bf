import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import test, { before } from "node:test";
import fc from "fast-check";
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from "jose";
import { readClaim, verify } from "local-aws/sigv4";
import { uploadSigner } from "../../adapters/aws/upload-signer.ts";
import { isId } from "../../core/keys.ts";
import type { SignedUpload } from "../../core/upload/issue-uploads.ts";
import { call, SECRET, token } from "./api.ts";

const credentials = {
  accessKeyId: "AKIDEXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
};
const endpoint = "http://127.0.0.1:9";
const bucket = "uploads";
Object.assign(process.env, {
  UPLOADS_BUCKET: bucket,
  AUTH_SECRET: SECRET,
  AWS_REGION: "eu-central-1",
  AWS_ACCESS_KEY_ID: credentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  AWS_ENDPOINT_URL_S3: endpoint,
  LOG_LEVEL: "error",
});
const { handler } = await import("../../functions/presign.ts");

let mine: string;
before(async () => {
  mine = await token();
});
const SHA256 = createHash("sha256").update("x").digest("base64");
const photo = { name: "IMG 0042.jpg", type: "image/jpeg", size: 4_823_991 };
const ask = (body: unknown, bearer = mine) => call(handler, "POST /uploads", { token: bearer, body });
const problem = async (body: unknown, bearer = mine) => {
  const { status, json, headers } = await ask(body, bearer);
  assert.equal(headers["content-type"], "application/problem+json");
  for (const field of ["type", "title", "status", "detail", "code", "requestId"])
    assert.ok(json[field], field);
  assert.equal(json.status, status);
  return `${status} ${json.code}`;
};

/** The PUT a client would send, with changes. */
function verifyPut(
  upload: { url: string; headers: Record<string, string> },
  size: number,
  changes: Record<string, string> = {},
) {
  const url = new URL(upload.url);
  const headers = { host: url.host, "content-length": String(size), ...upload.headers, ...changes };
  const request = {
    method: "PUT",
    path: url.pathname,
    query: url.search.slice(1),
    headers: Object.entries(headers),
  };
  const claim = readClaim(request);
  assert.ok(claim);
  return verify(request, claim, "UNSIGNED-PAYLOAD", {
    credentials,
    region: "eu-central-1",
    service: "s3",
    now: new Date(),
  });
}

test("a PUT is signed so that S3 holds the client to every term", async () => {
  const focus = { x: 0.4, y: 0.3 };
  const { status, json } = await ask({ preset: "photo", files: [{ ...photo, sha256: SHA256, focus }] });
  assert.equal(status, 201);
  const [upload] = json.uploads;
  assert.ok(isId(upload.id));
  assert.equal(upload.key, `originals/${upload.id}`);
  assert.equal(upload.method, "PUT");
  assert.deepEqual(upload.headers, {
    "content-type": "image/jpeg",
    "if-none-match": "*",
    "x-amz-checksum-sha256": SHA256,
    "x-amz-sdk-checksum-algorithm": "SHA256",
    "x-amz-meta-owner": "me",
    "x-amz-meta-preset": "photo",
    "x-amz-meta-filename": "IMG%200042.jpg",
    "x-amz-meta-focus": "0.4,0.3",
    "x-amz-meta-sha256": SHA256,
  });
  const url = new URL(upload.url);
  assert.equal(`${url.origin}${url.pathname}`, `${endpoint}/${bucket}/${upload.key}`);
  const signed = url.searchParams.get("X-Amz-SignedHeaders")?.split(";");
  assert.deepEqual(
    signed,
    [
      "content-length",
      "content-type",
      "host",
      "if-none-match",
      ...Object.keys(upload.headers).filter((h) => h.startsWith("x-amz-")),
    ].sort(),
  );
  // Nothing the client must send may stand in the query, least of all the SDK's checksum of an empty body.
  for (const name of url.searchParams.keys()) assert.doesNotMatch(name, /x-amz-(meta|checksum|sdk)/i);

  verifyPut(upload, photo.size);
  for (const name of Object.keys(upload.headers))
    assert.throws(() => verifyPut(upload, photo.size, { [name]: "other" }), name);
  assert.throws(() => verifyPut(upload, photo.size + 1), "another size");
  assert.throws(
    () => verifyPut({ ...upload, url: upload.url.replace(upload.id, "0".repeat(26)) }, photo.size),
    "another key",
  );
  const minutes = (Date.parse(upload.expiresAt) - Date.now()) / 60_000;
  assert.ok(minutes > 4.9 && minutes <= 5, String(minutes));
});

test("a POST policy conditions every field exactly", async () => {
  const { json } = await ask({ method: "POST", files: [{ ...photo, sha256: SHA256 }] });
  const [{ fields, url, method }] = json.uploads;
  assert.equal(method, "POST");
  assert.equal(url, `${endpoint}/${bucket}`);
  const policy = JSON.parse(Buffer.from(fields.policy, "base64").toString("utf8"));
  const conditioned = Object.assign(
    {},
    ...policy.conditions.filter((condition: unknown) => !Array.isArray(condition)),
  );
  const { policy: _, "x-amz-signature": signature, ...rest } = fields;
  assert.deepEqual(conditioned, { ...rest, bucket });
  assert.deepEqual(policy.conditions.filter(Array.isArray), [
    ["content-length-range", photo.size, photo.size],
  ]);
  assert.doesNotMatch(JSON.stringify(policy), /starts-with|\$\{filename\}|redirect/);
  // The signature, worked out by hand as AWS describes it.
  const [, date, region, service] = fields["x-amz-credential"].split("/");
  const key = [date, region, service, "aws4_request"].reduce<string | Buffer>(
    (last, part) => createHmac("sha256", last).update(part).digest(),
    `AWS4${credentials.secretAccessKey}`,
  );
  assert.equal(createHmac("sha256", key).update(fields.policy).digest("hex"), signature);
});

test("with a role's temporary credentials the session token goes along, in a URL and in a policy", async () => {
  // With the characters that have to be encoded in a query.
  const sessionToken = "IQoJb3JpZ2luX2VjE/+a==";
  const terms = { key: "originals/x", type: "image/jpeg", size: 10, maxBytes: 10, metadata: {} };
  const sign = (method: "PUT" | "POST", session: { sessionToken?: string }) =>
    uploadSigner({
      bucket,
      region: "eu-central-1",
      credentials: { ...credentials, ...session },
      validitySeconds: 300,
      now: () => new Date("2025-06-01T12:00:00Z"),
    })(method, terms);
  const tokenInUrl = ({ url }: SignedUpload) => new URL(url).searchParams.get("X-Amz-Security-Token");
  const signatureOf = ({ url }: SignedUpload) => new URL(url).searchParams.get("X-Amz-Signature");
  const [put, putWithout] = [await sign("PUT", { sessionToken }), await sign("PUT", {})];
  assert.equal(tokenInUrl(put), sessionToken);
  assert.equal(tokenInUrl(putWithout), null);
  assert.notEqual(signatureOf(put), signatureOf(putWithout), "it is signed along");

  const tokenInPolicy = async (session: { sessionToken?: string }) => {
    const upload = await sign("POST", session);
    assert.ok(upload.method === "POST");
    const policy = JSON.parse(Buffer.from(upload.fields["policy"] ?? "", "base64").toString("utf8"));
    const named = policy.conditions.filter((condition: object) => "x-amz-security-token" in condition);
    return { field: upload.fields["x-amz-security-token"], named };
  };
  assert.deepEqual(await tokenInPolicy({ sessionToken }), {
    field: sessionToken,
    named: [{ "x-amz-security-token": sessionToken }],
  });
  assert.deepEqual(await tokenInPolicy({}), { field: undefined, named: [] });
});

test("up to 50 files are signed at once, each under an id of its own", async () => {
  const { json } = await ask({ files: Array.from({ length: 50 }, () => photo) });
  assert.equal(new Set(json.uploads.map(({ id }: { id: string }) => id)).size, 50);
});

test("what the preset refuses is refused whole, and says which file and why", async () => {
  const refused = async (file: object) => problem({ files: [photo, { ...photo, ...file }] });
  assert.equal(await refused({ type: "image/svg+xml" }), "422 type-not-accepted");
  assert.equal(await refused({ size: 25_000_001 }), "422 file-too-large");
  assert.equal(await refused({ size: 0 }), "422 file-empty");
  const { json } = await ask({ files: [photo, { ...photo, size: 26_000_000 }] });
  assert.match(json.detail, /files\[1\].*26000000 bytes.*25000000/);
});

test("types are the preset's exact strings, or unknown with a known extension", async () => {
  const accepted = async (type: string, name = "a.jpg") =>
    (await ask({ files: [{ name, type, size: 1 }] })).status === 201;
  for (const type of [
    "image/jpeg",
    "image/png",
    "image/webp",
    "image/gif",
    "image/avif",
    "image/heic",
    "image/heif",
    // What else browsers, phones and old servers call them.
    "image/jpg",
    "image/pjpeg",
    "image/x-png",
    "image/apng",
    "image/heic-sequence",
    "image/heif-sequence",
  ])
    assert.ok(await accepted(type), type);
  for (const name of ["DSC0001.HIF", "a.heics", "a.heifs", "a.avifs", "a.apng", "a.pjp"])
    assert.ok(await accepted("", name), name);
  for (const type of ["", "application/octet-stream"]) {
    assert.ok(await accepted(type, "IMG.HEIC"));
    assert.ok(!(await accepted(type, "x.jpg.php")));
    assert.ok(!(await accepted(type, "heic")));
  }
  for (const type of [
    "IMAGE/JPEG",
    "image/*",
    "image/jpeg; charset=utf-8",
    "image/jpeg\r\nX: y",
    "image/tiff",
  ])
    assert.ok(!(await accepted(type)), type);
  // A file without a type is signed with one, since a signed header must be there.
  const { json } = await ask({ files: [{ name: "a.heic", type: "", size: 1 }] });
  assert.equal(json.uploads[0].headers["content-type"], "application/octet-stream");
});

test("no name, however strange, gets into a key or breaks a header", async () => {
  const corpus = new URL("../../../shared/corpus/names.json", import.meta.url);
  const nasty = [
    "../../etc/passwd",
    "x\r\nSet-Cookie: a=b.jpg",
    "nul\0.jpg",
    "\u202egpj.exe",
    "日本語.jpg",
    "",
    "x".repeat(4000),
    "\ud800",
  ];
  const names = existsSync(corpus)
    ? [...nasty, ...JSON.parse(readFileSync(corpus, "utf8")).map(({ name }: { name: string }) => name)]
    : nasty;
  for (const name of names) {
    const { status, json } = await ask({ files: [{ ...photo, name }] });
    assert.equal(status, 201, name.slice(0, 80));
    const [upload] = json.uploads;
    assert.match(upload.key, /^originals\/[0-9a-hjkmnp-tv-z]{26}$/);
    assert.match(upload.headers["x-amz-meta-filename"] ?? "", /^[A-Za-z0-9%._~-]{0,1024}$/);
    verifyPut(upload, photo.size);
  }
});

test("a body that is not what the route expects is a problem, never a 500", async () => {
  for (const body of [
    "",
    "{",
    "[]",
    "null",
    "1",
    '"x"',
    { files: [] },
    { files: "x" },
    { files: [null] },
    { files: [{ ...photo, size: "1" }] },
    { files: [{ ...photo, size: 1.5 }] },
    { files: [{ ...photo, sha256: "short" }] },
    { files: [{ ...photo, focus: { x: 2, y: 0 } }] },
    { files: [photo], preset: "nope" },
    { files: [photo], extra: 1 },
    { files: Array.from({ length: 51 }, () => photo) },
    { preset: "__proto__", files: [photo] },
  ]) {
    assert.equal(await problem(body), "400 bad-request", JSON.stringify(body).slice(0, 80));
  }
  assert.equal(await problem({ files: Array.from({ length: 10_000 }, () => photo) }), "413 body-too-large");
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.json(), fc.string()), async (body) => {
      const { status } = await ask(body);
      assert.ok(status === 400, `${status}`);
    }),
  );
});

test("only a token that this function can verify opens it", async () => {
  const one = { files: [photo] };
  const encode = (value: string) => new TextEncoder().encode(value);
  const { privateKey } = await generateKeyPair("RS256");
  const tokens: [string, string, string][] = [
    ["none at all", "", "401 unauthenticated"],
    ["garbage", "a.b.c", "401 unauthenticated"],
    [
      "alg none",
      new UnsecuredJWT({ scope: "upload" }).setSubject("me").setExpirationTime("1h").encode(),
      "401 unauthenticated",
    ],
    [
      "another secret",
      await token({}, { secret: "another-secret-of-thirty-two-bytes!!" }),
      "401 unauthenticated",
    ],
    ["expired", await token({}, { expires: "-1m" }), "401 unauthenticated"],
    [
      "another algorithm",
      await new SignJWT({ scope: "upload" })
        .setProtectedHeader({ alg: "HS512" })
        .setSubject("me")
        .setExpirationTime("1h")
        .sign(encode(SECRET)),
      "401 unauthenticated",
    ],
    [
      "a key we do not know",
      await new SignJWT({ scope: "upload" })
        .setProtectedHeader({ alg: "RS256" })
        .setSubject("me")
        .setExpirationTime("1h")
        .sign(privateKey),
      "401 unauthenticated",
    ],
    [
      "no expiry",
      await new SignJWT({ scope: "upload" })
        .setProtectedHeader({ alg: "HS256" })
        .setSubject("me")
        .sign(encode(SECRET)),
      "401 unauthenticated",
    ],
    [
      "no subject",
      await new SignJWT({ scope: "upload" })
        .setProtectedHeader({ alg: "HS256" })
        .setExpirationTime("1h")
        .sign(encode(SECRET)),
      "401 unauthenticated",
    ],
    ["no scope of ours", await token({ scope: "read" }), "403 forbidden"],
    ["a claim of the wrong kind", await token({ maxBytes: "many" }), "401 unauthenticated"],
  ];
  for (const [name, bearer, expected] of tokens) assert.equal(await problem(one, bearer), expected, name);
});

test("a token may narrow what its bearer can do", async () => {
  assert.equal(await problem({ files: [photo] }, await token({ maxBytes: 1000 })), "422 file-too-large");
  // Narrow only: the preset's limit stands whatever the token says.
  const generous = await token({ maxBytes: 1_000_000_000 });
  const ofSize = (size: number) => ({ files: [{ ...photo, size }] });
  assert.equal((await ask(ofSize(25_000_000), generous)).status, 201);
  assert.equal(await problem(ofSize(25_000_001), generous), "422 file-too-large");
  assert.equal(
    await problem({ preset: "photo", files: [photo] }, await token({ preset: "avatar" })),
    "403 forbidden",
  );
  const { json } = await ask({ files: [photo] }, await token({ preset: "avatar" }));
  assert.equal(json.uploads[0].headers["x-amz-meta-preset"], "avatar");
  const limited = await token({ sub: "hasty", maxUploadsPerMinute: 2 });
  assert.equal((await ask({ files: [photo, photo] }, limited)).status, 201);
  const third = await ask({ files: [photo] }, limited);
  assert.equal(third.status, 429);
  assert.ok(Number(third.headers["retry-after"]) > 0 && Number(third.headers["retry-after"]) <= 30);
});

test("a token's reference and a file's go along, signed; what is none is a problem", async () => {
  const trusted = await token({ ref: "listing 7/cover" });
  const { json } = await ask({ files: [{ ...photo, ref: "عربي 📷" }] }, trusted);
  const [upload] = json.uploads;
  const text = (name: string) => Buffer.from(upload.headers[`x-amz-meta-${name}`], "base64url").toString();
  assert.deepEqual([text("ref"), text("client-ref")], ["listing 7/cover", "عربي 📷"]);
  verifyPut(upload, photo.size);
  assert.throws(() => verifyPut(upload, photo.size, { "x-amz-meta-ref": "b3RoZXI" }));
  for (const ref of ["", "x".repeat(257), "r".repeat(10_000), 7])
    assert.equal(await problem({ files: [{ ...photo, ref }] }), "400 bad-request");
  assert.equal(
    await problem({ files: [photo] }, await token({ ref: "x".repeat(300) })),
    "401 unauthenticated",
  );
});

test("a token says in how many seconds its uploads are to be attached, within bounds", async () => {
  const { json } = await ask({ files: [photo] }, await token({ attachWithin: 3600 }));
  const [upload] = json.uploads;
  assert.equal(upload.headers["x-amz-meta-attach-within"], "3600");
  assert.throws(() => verifyPut(upload, photo.size, { "x-amz-meta-attach-within": "7200" }));
  for (const attachWithin of [0, 59, 2_592_001, 1e9, 90.5, "3600"])
    assert.equal(await problem({ files: [photo] }, await token({ attachWithin })), "401 unauthenticated");
});

test("a token says what its owner may have, within bounds", async () => {
  const { json } = await ask({ files: [photo] }, await token({ maxImages: 0, maxOwnerBytes: 5e9 }));
  const [upload] = json.uploads;
  assert.equal(upload.headers["x-amz-meta-max-images"], "0");
  assert.equal(upload.headers["x-amz-meta-max-owner-bytes"], "5000000000");
  assert.throws(() => verifyPut(upload, photo.size, { "x-amz-meta-max-images": "9" }));
  for (const limit of [-1, 1.5, 1e15, "3"])
    assert.equal(await problem({ files: [photo] }, await token({ maxImages: limit })), "401 unauthenticated");
});

test("only an admin uploads for others", async () => {
  assert.equal(await problem({ owner: "you", files: [photo] }), "403 forbidden");
  const { json } = await ask({ owner: "you@example.com", files: [photo] }, await token({ scope: "admin" }));
  assert.equal(
    json.uploads[0].headers["x-amz-meta-owner"],
    `_${Buffer.from("you@example.com").toString("base64url")}`,
  );
});

test("a token in the path must be short-lived, is never an admin's, and leaves no referrer", async () => {
  const viaPath = async (bearer: string, body: unknown = { files: [photo] }) =>
    call(handler, "POST /t/{token}/uploads", { params: { token: bearer }, body });
  const ok = await viaPath(mine);
  assert.equal(ok.status, 201);
  assert.equal(ok.headers["referrer-policy"], "no-referrer");
  assert.equal((await viaPath(await token({}, { expires: "3h" }))).status, 401);
  assert.equal(
    (await viaPath(await token({ scope: "upload admin" }), { owner: "you", files: [photo] })).status,
    403,
  );
});

/** The function anew, under other settings; those it had are put back. */
async function presignWith(settings: Record<string, string>, bearer: string, body: unknown) {
  const changed = ["AUTH_SECRET", "SEAL_SECRET", ...Object.keys(settings)];
  const before = changed.map((name) => [name, process.env[name]] as const);
  for (const name of changed) delete process.env[name];
  Object.assign(process.env, settings);
  try {
    const specifier = `../../functions/presign.ts?${JSON.stringify(settings)}`;
    const fresh = (await import(specifier)) as typeof import("../../functions/presign.ts");
    return await call(fresh.handler, "POST /uploads", { token: bearer, body });
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

test("with no key configured at all every request is refused, and that is no fault of ours", async () => {
  const { status, json } = await presignWith({}, mine, { files: [photo] });
  assert.equal(`${status} ${json.code}`, "401 unauthenticated");
});

test("keys behind a JWKS URL are enough to sign; only uploads in parts need a secret of ours", async () => {
  const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
  const keys = [{ ...(await exportJWK(publicKey)), kid: "one" }];
  const server = createServer((_, response) => response.end(JSON.stringify({ keys }))).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const bearer = await new SignJWT({ scope: "upload" })
      .setProtectedHeader({ alg: "ES256", kid: "one" })
      .setSubject("me")
      .setIssuer("issuer")
      .setAudience("darkroom")
      .setExpirationTime("10m")
      .sign(privateKey);
    const { port } = server.address() as AddressInfo;
    const settings = {
      AUTH_JWKS_URL: `http://127.0.0.1:${port}/`,
      AUTH_ISSUER: "issuer",
      AUTH_AUDIENCE: "darkroom",
    };
    assert.equal((await presignWith(settings, bearer, { files: [photo] })).status, 201);
    assert.equal((await presignWith(settings, bearer, { method: "MULTIPART", files: [photo] })).status, 500);
    const sealed = { ...settings, SEAL_SECRET: SECRET };
    assert.equal((await presignWith(sealed, bearer, { method: "MULTIPART", files: [photo] })).status, 201);
    const large = { files: [{ ...photo, size: 16_777_217 }] };
    for (const [given, method] of [
      [settings, "PUT"],
      [sealed, "MULTIPART"],
    ] as const) {
      const { json } = await presignWith(given, bearer, large);
      assert.equal(json.uploads[0].method, method);
    }
  } finally {
    server.close();
    server.closeAllConnections();
  }
});
