/** Our verifier against signatures of other code, right ones and all that could be wrong with them. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import test from "node:test";
import { getSignedCookies, getSignedUrl } from "@aws-sdk/cloudfront-signer";
import { cdnSigner } from "../../adapters/aws/cdn-signer.ts";
import { memoryStore } from "../../adapters/memory/memory-store.ts";
import { untilOf } from "../../core/image/access.ts";
import { refusalOf } from "../../laptop/cdn-signature.ts";
import { mediaServer } from "../../laptop/media.ts";

const pair = () => {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return {
    publicKey,
    pem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    base64: privateKey.export({ type: "pkcs8", format: "der" }).toString("base64"),
  };
};
const [ours, next, foreign] = [pair(), pair(), pair()];
const keys = new Map([
  ["K1", ours.publicKey],
  ["K2", next.publicKey],
]);
const NOW = new Date("2026-11-20T12:00:00Z");
const seconds = NOW.getTime() / 1000;
const IMAGE = "https://cdn.example/private/o1/i1/w640.abc.avif";
const mine = { keyPairId: "K1", privateKey: ours.pem };
const refusal = (url: string, cookie?: string, at = NOW, sourceIp = "203.0.113.7") =>
  refusalOf({ url: new URL(url), cookie, sourceIp }, keys, at);
const policyOf = (
  Resource: string,
  Condition: object = { DateLessThan: { "AWS:EpochTime": seconds + 60 } },
) => JSON.stringify({ Statement: [{ Resource, Condition }] });
const header = (cookies: object) =>
  Object.entries(cookies)
    .map(([name, value]) => `${name}=${value}`)
    .join("; ");
const change = (url: string, name: string, value: string | undefined) => {
  const changed = new URL(url);
  if (value === undefined) changed.searchParams.delete(name);
  else changed.searchParams.set(name, value);
  return changed.href;
};
const custom = getSignedUrl({ ...mine, url: IMAGE, policy: policyOf("https://cdn.example/private/o1/*") });

test("what others sign rightly is served", () => {
  const in60 = { dateLessThan: new Date(NOW.getTime() + 60_000) };
  for (const algorithm of ["SHA1", "SHA256"] as const) {
    const canned = getSignedUrl({ ...mine, ...in60, algorithm, url: IMAGE });
    assert.equal(refusal(canned), undefined);
    assert.equal(refusal(canned, undefined, new Date(NOW.getTime() + 60_000)), "expired");
    const cookies = getSignedCookies({ ...mine, ...in60, algorithm, url: IMAGE });
    assert.equal(refusal(IMAGE, header(cookies)), undefined);
  }
  assert.equal(refusal(custom), undefined);
  // The key that follows is known before it signs.
  const policy = policyOf("https://cdn.example/private/o1/*");
  const byNext = { keyPairId: "K2", privateKey: next.pem };
  assert.equal(refusal(getSignedUrl({ ...byNext, url: IMAGE, policy })), undefined);
  assert.equal(
    refusal(`${IMAGE}?x=1`, header({ a: "b", ...getSignedCookies({ ...mine, policy }) })),
    undefined,
  );
  const there = { ...in60, url: IMAGE, ipAddress: "203.0.113.7/32" };
  assert.equal(refusal(getSignedUrl({ ...mine, ...there })), undefined);
});

test("what is not right is refused, and nothing throws", () => {
  const unsigned = policyOf("https://cdn.example/private/*");
  const encode = (text: string) =>
    Buffer.from(text).toString("base64").replaceAll("+", "-").replaceAll("=", "_").replaceAll("/", "~");
  const cookies = getSignedCookies({ ...mine, policy: policyOf("https://cdn.example/private/o1/*") });
  const cases: [what: string, url: string, cookie?: string][] = [
    ["MissingKey", IMAGE],
    ["MissingKey", change(custom, "Signature", undefined)],
    ["MissingKey", change(custom, "Key-Pair-Id", undefined)],
    ["malformed policy", change(custom, "Policy", undefined)],
    ["wrong signature", change(custom, "Policy", encode(unsigned))],
    ["wrong signature", change(custom, "Policy", "%00~")],
    [
      "wrong signature",
      change(custom, "Signature", `${new URL(custom).searchParams.get("Signature")?.slice(0, -4)}AAA_`),
    ],
    ["wrong signature", change(custom, "Signature", "x")],
    ["unknown key", change(custom, "Key-Pair-Id", "K9")],
    ["wrong signature", change(custom, "Key-Pair-Id", "K2")],
    ["unknown algorithm", change(custom, "Hash-Algorithm", "MD5")],
    ["wrong signature", change(custom, "Hash-Algorithm", "SHA256")],
    [
      "wrong signature",
      getSignedUrl({ keyPairId: "K1", privateKey: foreign.pem, url: IMAGE, policy: unsigned }),
    ],
    ["another resource", custom.replace("/o1/", "/o2/")],
    ["another resource", custom.replace("/o1/", "/o1/../o2/")],
    ["another resource", custom.replace("/o1/", "/o1/%2e%2e/o2/")],
    ["another resource", custom.replace("https:", "http:")],
    ["another resource", custom.replace("cdn.example", "cdn.example.org")],
    ["another resource", IMAGE.replace("/o1/", "/o10/"), header(cookies)],
    ["MissingKey", IMAGE, header({ ...cookies, "CloudFront-Signature": "" })],
    ["MissingKey", IMAGE, "CloudFront-Policy; =; ;;CloudFront-Signature"],
    ["wrong signature", IMAGE, header({ ...cookies, "CloudFront-Policy": encode(unsigned) })],
    // Of both the URL counts.
    ["malformed policy", `${IMAGE}?Signature=x&Key-Pair-Id=K1`, header(cookies)],
  ];
  for (const [what, url, cookie] of cases) assert.equal(refusal(url, cookie), what, `${url} ${cookie}`);
  const signed = (policy: string) => getSignedUrl({ ...mine, url: IMAGE, policy });
  const any = { DateLessThan: { "AWS:EpochTime": seconds + 60 } };
  for (const [what, condition] of [
    ["expired", { DateLessThan: { "AWS:EpochTime": seconds } }],
    ["not yet", { ...any, DateGreaterThan: { "AWS:EpochTime": seconds + 1 } }],
    ["another address", { ...any, IpAddress: { "AWS:SourceIp": "198.51.100.1/32" } }],
    ["malformed policy", {}],
    ["malformed policy", { ...any, Weather: { "AWS:Sun": true } }],
    ["malformed policy", { DateLessThan: { "AWS:EpochTime": "later" } }],
  ] as const)
    assert.equal(refusal(signed(policyOf("*", condition))), what);
  assert.equal(refusal(signed(JSON.stringify({ Statement: [] }))), "malformed policy");
  assert.equal(refusal(signed(policyOf("https://cdn.example/private/o1.i1/*"))), "another resource");
});

test("our signature opens what is under the pattern, through the media URL, and 403 is all that others get", async (t) => {
  const media = memoryStore({ now: () => NOW });
  for (const owner of ["o1", "o2"])
    await media.put(`private/${owner}/i1/w1.webp`, owner, { type: "image/webp" });
  const server = createServer(mediaServer(media, keys, () => {})).listen(0, "localhost");
  t.after(() => server.close());
  await new Promise((listening) => server.once("listening", listening));
  const base = `http://localhost:${(server.address() as AddressInfo).port}`;
  const sign = cdnSigner("K1", ours.base64);
  assert.ok(sign);
  const query = new URLSearchParams(
    sign(`${base}/private/o1/*`, new Date(Date.now() + 60_000)).query,
  ).toString();
  const statusOf = async (path: string) => {
    // As it stands: fetch would resolve what is to be tried.
    const { request } = await import("node:http");
    return new Promise((resolve, reject) => {
      request(base, { path }, (answer) => resolve(answer.resume().statusCode))
        .on("error", reject)
        .end();
    });
  };
  assert.equal(await statusOf(`/private/o1/i1/w1.webp?${query}`), 200);
  for (const path of [
    "/private/o1/i1/w1.webp",
    `/private/o2/i1/w1.webp?${query}`,
    `/private/o1/../o2/i1/w1.webp?${query}`,
    `/private/o1/%2e%2e/o2/i1/w1.webp?${query}`,
    `/private/o1/..%2fo2/i1/w1.webp?${query}`,
    `/private/o1%2f../o2/i1/w1.webp?${query}`,
    `//private/o1/i1/w1.webp?${query}`,
    `/private/o1/i1/none.webp?${query}`,
    `/private/o1/i1/w1.webp?${query.replace("Policy=", "Policy=x")}`,
    "/private/%?Policy=%&Signature=%&Key-Pair-Id=%",
  ])
    assert.equal(await statusOf(path), 403, path);
});

test("whoever asks again within half of the time is given the same URLs, good for another half at least", () => {
  assert.equal(cdnSigner(undefined, ours.base64), undefined);
  const sign = cdnSigner("K1", ours.base64);
  const until = (at: number) => untilOf(new Date(at), 3600).getTime();
  const began = Math.floor(NOW.getTime() / 1_800_000) * 1_800_000;
  for (const at of [began, began + 1, began + 1_799_999]) {
    assert.equal(until(at), until(began));
    assert.ok(until(at) - at > 1_800_000 && until(at) - at <= 3_600_000);
    assert.deepEqual(sign?.("x/*", new Date(until(at))), sign?.("x/*", new Date(until(began))));
  }
});
