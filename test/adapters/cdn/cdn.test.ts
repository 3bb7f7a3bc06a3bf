/** The CDNs that are not CloudFront: what each is sent, by its documentation, and what its documented answers come to. */
import assert from "node:assert/strict";
import test from "node:test";
import { cdnForget } from "../../../adapters/cdn/forget.ts";
import { accessSigner } from "../../../adapters/cdn/signer.ts";

const access = { zone: "Z1", token: "secret-token", mediaUrl: "https://images.example.com" };
const [ONE, TWO] = ["0123456789abcdefghjkmnpqrs", "1123456789abcdefghjkmnpqrs"];
const CLOUDFLARE = "https://api.cloudflare.com/client/v4/zones/Z1/purge_cache";
const FASTLY = "https://api.fastly.com/service/Z1/purge";
const BUNNY = "https://api.bunny.net/purge?url=https%3A%2F%2Fimages.example.com%2Fimages";

/** Requests for two images, those for everything, and the answers that each documents. */
const recorded = {
  // https://developers.cloudflare.com/api/resources/cache/methods/purge/
  cloudflare: {
    header: ["authorization", "Bearer secret-token"],
    two: [
      [CLOUDFLARE, { prefixes: [`images.example.com/images/${ONE}`, `images.example.com/images/${TWO}`] }],
    ],
    all: [[CLOUDFLARE, { prefixes: ["images.example.com/images"] }]],
    done: '{"errors":[],"messages":[],"success":true,"result":{"id":"023e105f4ecef8ad9ca31a8372d0c353"}}',
    forbidden:
      '{"success":false,"errors":[{"code":10000,"message":"Authentication error"}],"messages":[],"result":null}',
  },
  // https://docs.bunny.net/reference/purgepublic_indexpost
  bunny: {
    header: ["accesskey", "secret-token"],
    two: [
      [`${BUNNY}%2F${ONE}%2F`, undefined],
      [`${BUNNY}%2F${TWO}%2F`, undefined],
    ],
    all: [[`${BUNNY}%2F`, undefined]],
    done: "",
    forbidden: "",
  },
  // https://www.fastly.com/documentation/reference/api/purging/
  fastly: {
    header: ["fastly-key", "secret-token"],
    two: [[FASTLY, { surrogate_keys: [`images/${ONE}`, `images/${TWO}`] }]],
    all: [[FASTLY, { surrogate_keys: ["images"] }]],
    done: '{"images":"108-1391560174-974124"}',
    forbidden: '{"msg":"Provided credentials are missing or invalid"}',
  },
} as const;

for (const [cdn, { header, two, all, done, forbidden }] of Object.entries(recorded)) {
  test(`${cdn} is asked as it documents, and says when it has been asked too much`, async () => {
    let [status, body]: [number, string] = [200, done];
    let sent: [string, unknown][] = [];
    const forget = cdnForget(
      cdn as keyof typeof recorded,
      access,
      async (url, { method, headers, body: said } = {}) => {
        assert.equal(method, "POST");
        assert.equal(new Headers(headers).get(header[0]), header[1]);
        assert.equal(new Headers(headers).has("content-type"), said !== undefined);
        sent.push([String(url), said === undefined ? undefined : JSON.parse(String(said))]);
        return new Response(body, { status });
      },
    );
    const asked = async (...paths: string[]) => {
      sent = [];
      return forget(paths, "reference");
    };
    assert.equal(await asked(`/images/${ONE}/*`, `/images/${TWO}/*`), true);
    assert.deepEqual(sent, two);
    assert.equal(await asked("/images/*"), true);
    assert.deepEqual(sent, all);
    [status, body] = [429, ""];
    assert.equal(await asked("/images/*"), false);
    for (const refused of [401, 403, 500]) {
      [status, body] = [refused, forbidden];
      await assert.rejects(asked("/images/*"), (error: Error) => {
        assert.match(error.message, new RegExp(`${cdn} .* ${refused}$`));
        assert.doesNotMatch(error.message, /secret-token/);
        return true;
      });
    }
  });
}

test("Bunny's signature is that of Bunny's own test vectors", () => {
  // https://github.com/BunnyWay/BunnyCDN.TokenAuthentication, e2e/vectors.json, "path_only"
  const sign = accessSigner({ CDN: "bunny", CDN_PRIVATE_KEY: "SecurityKey" }) ?? assert.fail();
  const until = new Date(1_598_024_587_999);
  const { query, cookies } = sign("https://token-tester.b-cdn.net/abc*", until);
  assert.deepEqual(query, {
    token: "HS256-uVZvT3SbEoVKYJyDJgbcsDmSFf73cv-uNUVaJiKWpbQ",
    token_path: "/abc",
    expires: "1598024587",
  });
  assert.deepEqual(cookies, {});
  assert.equal(sign("https://cdn.example.com/private/home/*", until).query["token_path"], "/private/home/");
  assert.equal(accessSigner({ CDN: "bunny" }), undefined);
  // Those that verify none sign none, also where a key has stayed behind.
  for (const CDN of ["cloudflare", "fastly"])
    assert.equal(accessSigner({ CDN, CDN_KEY_ID: "K", CDN_PRIVATE_KEY: "key" }), undefined);
});
