/** `darkroom/server` against the functions' own verifier and signer: what one side makes the other takes. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import test from "node:test";
import { Webhook } from "standardwebhooks";
import { authenticator } from "../../adapters/http/auth.ts";
import { createToken, signImage, signUrl, verifyWebhook, type WebhookEvent } from "../../client/server.ts";
import { EVENT_TYPES } from "../../core/tell/tell.ts";
import { refusalOf } from "../../laptop/cdn-signature.ts";

const secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const body = JSON.stringify({
  type: "image.ready",
  timestamp: "",
  data: { id: "x", rev: 1, status: "ready" },
});

function request(at = new Date(), text = body, by = secret) {
  const headers = new Headers({
    "webhook-id": "x-1",
    "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
    "webhook-signature": new Webhook(by).sign("x-1", at, body),
  });
  return new Request("https://shop.example", { method: "POST", headers, body: text });
}

test("a webhook counts only with a signature that is ours and fresh", async () => {
  const event = await verifyWebhook(request(), { secret });
  assert.equal(event.data.id, "x");
  // As Node has headers, and while one secret is being replaced by another.
  const headers = Object.fromEntries(request().headers);
  const both = { secret: `whsec_AAAA ${secret}` };
  assert.equal((await verifyWebhook({ headers, text: () => body }, both)).type, "image.ready");
  const long = new Date(Date.now() - 400_000);
  const soon = new Date(Date.now() + 400_000);
  for (const wrong of [
    request(long),
    request(soon),
    request(new Date(), body.replace("1", "2")),
    request(new Date(), body, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    new Request("https://shop.example", { method: "POST", body }),
  ])
    await assert.rejects(verifyWebhook(wrong, { secret }), { code: "unsigned" });
  await assert.rejects(verifyWebhook(request(), { secret: "" }), { code: "unsigned" });
});

test("it knows every type of event", () => {
  const known = {
    "image.ready": true,
    "image.updated": true,
    "image.held": true,
    "image.rejected": true,
    "image.failed": true,
    "image.deleted": true,
  } satisfies Record<WebhookEvent["type"], true>;
  assert.deepEqual(Object.keys(known).sort(), [...EVENT_TYPES].sort());
});

test("a token is the one that the functions verify, and a short secret makes none", async () => {
  const authSecret = "a secret of more than thirty-two bytes";
  process.env["AUTH_SECRET"] = authSecret;
  const authenticate = authenticator(() => new Date());
  const token = await createToken({
    secret: authSecret,
    owner: "42",
    preset: "photo",
    maxBytes: 1000,
    ref: "höher",
  });
  const caller = await authenticate(token, "header");
  const { owner, preset, maxBytes, ref } = caller;
  assert.deepEqual(
    { owner, preset, maxBytes, ref },
    { owner: "42", preset: "photo", maxBytes: 1000, ref: "höher" },
  );
  const forged = await createToken({ secret: `${authSecret}.`, owner: "42" });
  await assert.rejects(authenticate(forged, "header"), { code: "unauthenticated" });
  await assert.rejects(createToken({ secret: "short", owner: "42" }), TypeError);
});

test("a back end signs one URL, or an image's, as the CDN wants them", async () => {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const options = {
    keyId: "K1",
    privateKey: privateKey.export({ type: "pkcs8", format: "der" }).toString("base64"),
    expiresIn: 600,
  };
  const keys = new Map([["K1", publicKey]]);
  const refusal = (url: string, after = 0) =>
    refusalOf({ url: new URL(url) }, keys, new Date(Date.now() + after * 1000));
  const folder = "https://cdn.example/private/o/i/";
  const [thumb, large] = [`${folder}thumb.a.webp`, `${folder}w640.b.avif`];
  const signed = await signUrl(thumb, options);
  assert.equal(refusal(signed), undefined);
  assert.equal(refusal(signed, 299), undefined, "good for a half at least");
  assert.equal(refusal(signed, 601), "expired");
  assert.equal(refusal(signed.replace(thumb, large)), "another resource");
  const variant = { name: "w640", format: "avif", type: "image/avif", width: 640, height: 480, bytes: 1 };
  const img = { src: large, srcset: `${thumb} 64w, ${large} 640w`, width: 640, height: 480 };
  const image = {
    variants: [
      { ...variant, url: thumb },
      { ...variant, url: large },
    ],
    picture: { sources: [{ type: "image/avif", srcset: `${large} 640w` }], img },
  };
  const { variants, picture } = await signImage(image, options);
  const urls = [...variants.map(({ url }) => url), picture?.img.src ?? ""];
  for (const srcset of [picture?.img.srcset ?? "", picture?.sources[0]?.srcset ?? ""])
    urls.push(...srcset.split(", ").map((one) => one.split(" ")[0] ?? ""));
  assert.equal(urls.length, 6);
  for (const url of urls) assert.equal(refusal(url), undefined, url);
  assert.deepEqual(await signImage({ variants: [] }, options), { variants: [] });
});
