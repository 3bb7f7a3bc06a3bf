import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import test, { afterEach, before, type TestContext } from "node:test";
import fc from "fast-check";
import {
  CompactSign,
  type CryptoKey,
  exportJWK,
  exportSPKI,
  type GenerateKeyPairResult,
  generateKeyPair,
  importJWK,
  type JWTPayload,
  SignJWT,
  UnsecuredJWT,
} from "jose";
import { authenticator } from "../../../adapters/http/auth.ts";
import { DarkroomError } from "../../../core/errors.ts";
import { tries } from "../../thorough.ts";

const NOW = new Date("2025-06-01T12:00:00Z");
const SECONDS = NOW.getTime() / 1000;
const ISSUER = "https://login.example";
const AUDIENCE = "darkroom";
const SECRET = "a-secret-of-at-least-thirty-two-bytes";
const utf8 = (text: string) => new TextEncoder().encode(text);

const names = [
  "AUTH_SECRET",
  "AUTH_SECRET_PREVIOUS",
  "AUTH_JWKS_URL",
  "AUTH_ISSUER",
  "AUTH_AUDIENCE",
] as const;
const original = names.map((name) => [name, process.env[name]] as const);
afterEach(() => {
  for (const [name, value] of original) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});

/** An authenticator with these settings and no others. */
function withSettings(settings: Partial<Record<(typeof names)[number], string>>) {
  for (const name of names) delete process.env[name];
  Object.assign(process.env, settings);
  return authenticator(() => NOW);
}
const byProvider = (url: string) =>
  withSettings({ AUTH_JWKS_URL: url, AUTH_ISSUER: ISSUER, AUTH_AUDIENCE: AUDIENCE });

/** A provider's key server for one test. */
async function serve(context: TestContext, answer: RequestListener) {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = async () => {
    server.closeAllConnections();
    if (server.listening) await new Promise((closed) => server.close(closed));
  };
  context.after(close);
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`, close };
}

let keys: Record<"RS256" | "ES256" | "next" | "forger", GenerateKeyPairResult>;
let jwks: string;
before(async () => {
  const [RS256, ES256, next, forger] = await Promise.all([
    generateKeyPair("RS256", { extractable: true }),
    generateKeyPair("ES256"),
    generateKeyPair("RS256"),
    generateKeyPair("RS256"),
  ]);
  keys = { RS256, ES256, next, forger };
  // Two RSA keys, as while a provider changes its keys.
  const published = Object.entries({ RS256, ES256, next }).map(async ([kid, { publicKey }]) => ({
    ...(await exportJWK(publicKey)),
    kid,
    use: "sig",
  }));
  jwks = JSON.stringify({ keys: await Promise.all(published) });
});
const publish: RequestListener = (_, response) => {
  response.setHeader("content-type", "application/json").end(jwks);
};

const good = { sub: "me", scope: "upload read-all", iss: ISSUER, aud: AUDIENCE, exp: SECONDS + 600 };
const without = (claim: keyof typeof good): JWTPayload =>
  Object.fromEntries(Object.entries(good).filter(([name]) => name !== claim));
const sign = (
  claims: JWTPayload = good,
  { alg = "RS256", kid = alg, key }: { alg?: string; kid?: string; key?: CryptoKey | Uint8Array } = {},
) =>
  new SignJWT(claims)
    .setProtectedHeader({ alg, kid })
    .sign(key ?? (alg === "ES256" ? keys.ES256 : keys.RS256).privateKey);

/** `code: detail` of the refusal, or `accepted`. */
const outcome = (decision: Promise<unknown>) =>
  decision.then(
    () => "accepted",
    (error: unknown) => {
      assert.ok(error instanceof DarkroomError, String(error));
      return `${error.row.status} ${error.code}`;
    },
  );
const REFUSED = "401 unauthenticated";
const UNAVAILABLE = "503 unavailable";

test("a provider's RS256 and ES256 tokens are accepted, with what they grant", async (context) => {
  const authenticate = byProvider((await serve(context, publish)).url);
  for (const alg of ["RS256", "ES256"]) {
    const claims = { ...good, preset: "photo", maxBytes: 1000, maxUploadsPerMinute: 5 };
    assert.deepEqual(await authenticate(await sign(claims, { alg }), "header"), {
      owner: "me",
      scopes: new Set(["upload"]),
      preset: "photo",
      maxBytes: 1000,
      maxUploadsPerMinute: 5,
    });
  }
});

test("a token that the provider did not sign for us, for now, is refused", async (context) => {
  const authenticate = byProvider((await serve(context, publish)).url);
  const spki = utf8(await exportSPKI(keys.RS256.publicKey));
  const tokens: Record<string, string> = {
    "another issuer": await sign({ ...good, iss: `${ISSUER}/` }),
    "no issuer": await sign(without("iss")),
    "another audience": await sign({ ...good, aud: "another" }),
    "no audience": await sign(without("aud")),
    "no subject": await sign(without("sub")),
    "no expiry": await sign(without("exp")),
    expired: await sign({ ...good, exp: SECONDS - 6 }),
    "not yet valid": await sign({ ...good, nbf: SECONDS + 6 }),
    "forged under a known key's id": await sign(good, { key: keys.forger.privateKey }),
    "forged under an unknown id": await sign(good, { kid: "x", key: keys.forger.privateKey }),
    "the public key as an HS256 secret": await sign(good, { alg: "HS256", kid: "RS256", key: spki }),
    "alg none": new UnsecuredJWT(good).encode(),
    "another algorithm of the same key": await new SignJWT(good)
      .setProtectedHeader({ alg: "PS256", kid: "RS256" })
      .sign(await importJWK(await exportJWK(keys.RS256.privateKey), "PS256")),
    "no key's id, where two would do": await new SignJWT(good)
      .setProtectedHeader({ alg: "RS256" })
      .sign(keys.RS256.privateKey),
    "a critical extension unknown here": await new CompactSign(utf8(JSON.stringify(good)))
      .setProtectedHeader({ alg: "RS256", kid: "RS256", crit: ["x"], x: 1 })
      .sign(keys.RS256.privateKey, { crit: { x: true } }),
    "signed, but no claims": await new CompactSign(utf8("[]"))
      .setProtectedHeader({ alg: "RS256", kid: "RS256" })
      .sign(keys.RS256.privateKey),
    "an expiry of the wrong kind": await sign({ ...good, exp: "tomorrow" as unknown as number }),
    "five parts": "e30.e30.e30.e30.e30",
    "no token": "not-a-token",
  };
  for (const [name, token] of Object.entries(tokens))
    assert.equal(await outcome(authenticate(token, "header")), REFUSED, name);
  assert.equal(await outcome(authenticate(undefined, "header")), REFUSED);
  await assert.rejects(
    authenticate(tokens["expired"], "header"),
    (error: DarkroomError) => /expired/.test(error.message) && error.headers["www-authenticate"] === "Bearer",
  );
});

test("no token, however mangled, looks like an outage", async (context) => {
  const authenticate = byProvider((await serve(context, publish)).url);
  const base64 = (value: string) => Buffer.from(value).toString("base64url");
  const header = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.json(),
    fc
      .record(
        {
          alg: fc.oneof(fc.constantFrom("RS256", "ES256", "none", "EdDSA"), fc.jsonValue()),
          kid: fc.oneof(fc.constantFrom("RS256", "ES256"), fc.jsonValue()),
          crit: fc.oneof(fc.constant(["b64"]), fc.jsonValue()),
          b64: fc.boolean(),
          jwk: fc.jsonValue(),
        },
        { requiredKeys: [] },
      )
      .map((value) => JSON.stringify(value)),
  );
  const mangled = fc
    .tuple(header, fc.oneof(fc.json(), fc.string()), fc.string())
    .map(([head, body, end]) => `${base64(head)}.${base64(body)}.${base64(end)}`);
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.string({ minLength: 1 }), mangled), async (token) => {
      assert.equal(await outcome(authenticate(token, "header")), REFUSED);
    }),
    { numRuns: tries(8, 300) },
  );
});

test("a key server that does not answer as it should is an outage, and says why", async (context) => {
  const answers: [string, RequestListener, RegExp][] = [
    ["500", (_, response) => response.writeHead(500).end(jwks), /200 OK/],
    ["a redirect", (_, response) => response.writeHead(302, { location: "/login" }).end(), /200 OK/],
    ["HTML", (_, response) => response.end("<!doctype html><title>Maintenance</title>"), /JSON/],
    ["JSON of another kind", (_, response) => response.end('{"keys":"later"}'), /malformed/],
    ["hanging up", (request) => request.socket.destroy(), /fetch failed/],
  ];
  const token = await sign();
  for (const [name, answer, cause] of answers) {
    const { url } = await serve(context, answer);
    await assert.rejects(
      byProvider(url)(token, "header"),
      (error: DarkroomError) => {
        assert.equal(error.code, "unavailable", name);
        assert.match(String(error.cause), cause, name);
        return true;
      },
      name,
    );
  }
  const { url, close } = await serve(context, publish);
  await close();
  const authenticate = byProvider(url);
  assert.equal(await outcome(authenticate(token, "header")), UNAVAILABLE);
  assert.equal(await outcome(authenticate("a.b.c", "header")), REFUSED, "judged without any key");
});

test("keys once fetched outlive the outage, and a server that is back is asked again", async (context) => {
  let up = false;
  const { url, close } = await serve(context, (request, response) => {
    if (up) publish(request, response);
    else response.writeHead(503).end();
  });
  const authenticate = byProvider(url);
  const token = await sign();
  assert.equal(await outcome(authenticate(token, "header")), UNAVAILABLE);
  up = true;
  assert.equal(await outcome(authenticate(token, "header")), "accepted");
  await close();
  assert.equal(await outcome(authenticate(token, "header")), "accepted");
});

test("a provider's keys without an issuer and an audience are an error at set-up", () => {
  const AUTH_JWKS_URL = "http://127.0.0.1:9/keys";
  for (const rest of [{}, { AUTH_ISSUER: ISSUER }, { AUTH_AUDIENCE: AUDIENCE }])
    assert.throws(() => withSettings({ AUTH_JWKS_URL, ...rest }), /AUTH_ISSUER and AUTH_AUDIENCE/);
});

test("with no key configured every token is refused", async () => {
  const tokens = [
    await sign(),
    await sign(good, { alg: "ES256" }),
    await sign(good, { alg: "HS256", key: utf8(SECRET) }),
    await sign(good, { alg: "HS256", key: new Uint8Array(32) }),
    new UnsecuredJWT(good).encode(),
  ];
  // An empty variable is what a template without a value sets.
  for (const settings of [{}, { AUTH_SECRET: "", AUTH_JWKS_URL: "" }]) {
    const authenticate = withSettings(settings);
    for (const token of tokens) assert.equal(await outcome(authenticate(token, "header")), REFUSED);
  }
});

test("beside a provider's keys our own secret verifies our own tokens, and only those", async (context) => {
  const { url } = await serve(context, publish);
  const authenticate = withSettings({
    AUTH_SECRET: SECRET,
    AUTH_JWKS_URL: url,
    AUTH_ISSUER: ISSUER,
    AUTH_AUDIENCE: AUDIENCE,
  });
  const own = { sub: "me", scope: "upload", exp: SECONDS + 600 };
  const byUs = await sign(own, { alg: "HS256", key: utf8(SECRET) });
  assert.equal(await outcome(authenticate(byUs, "header")), "accepted");
  assert.equal(await outcome(authenticate(await sign(), "header")), "accepted");
  assert.equal(await outcome(authenticate(await sign(own), "header")), REFUSED, "the provider's, not for us");
});

test("while one secret replaces another both sign, and a third does not", async () => {
  const signed = (secret: string) =>
    new SignJWT({ scope: "upload" })
      .setProtectedHeader({ alg: "HS256" })
      .setSubject("u")
      .setExpirationTime(SECONDS + 60)
      .sign(utf8(secret));
  const [older, other] = [SECRET.toUpperCase(), `${SECRET}, or another`];
  const both = withSettings({ AUTH_SECRET: SECRET, AUTH_SECRET_PREVIOUS: older });
  assert.equal((await both(await signed(SECRET), "header")).owner, "u");
  assert.equal((await both(await signed(older), "header")).owner, "u");
  await assert.rejects(both(await signed(other), "header"), /not valid here/);
  await assert.rejects(
    withSettings({ AUTH_SECRET: SECRET })(await signed(older), "header"),
    /not valid here/,
  );
});
