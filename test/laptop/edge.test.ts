/** The laptop's CDN: it holds, and forgets when CloudFront's own client asks, within CloudFront's limits. */
import assert from "node:assert/strict";
import test from "node:test";
import { CloudFrontClient } from "@aws-sdk/client-cloudfront";
import { cloudFrontForget } from "../../adapters/aws/cdn.ts";
import { memoryStore } from "../../adapters/memory/memory-store.ts";
import { cloudFront, Edge } from "../../laptop/edge.ts";
import { mediaServer } from "../../laptop/media.ts";
import { served } from "./served.ts";

const [MINUTE, DAY] = [60_000, 86_400_000];
const immutable = { type: "image/webp", cacheControl: "public, max-age=31536000, immutable" };

async function edge(t: Parameters<typeof served>[0]) {
  let now = Date.UTC(2026, 10, 20);
  const media = memoryStore({ now: () => new Date(now) });
  const held = new Edge(media, () => now);
  const url = await served(
    t,
    cloudFront(
      held,
      mediaServer(held, new Map(), () => {}),
    ),
  );
  const client = new CloudFrontClient({
    endpoint: url,
    region: "us-east-1",
    credentials: { accessKeyId: "a", secretAccessKey: "b" },
    maxAttempts: 1,
  });
  t.after(() => client.destroy());
  const look = async (key: string) => {
    const response = await fetch(`${url}/${key}`);
    return response.ok ? response.text() : response.status;
  };
  const pass = (ms: number) => {
    now += ms;
  };
  return { media, look, pass, url, forget: cloudFrontForget("ELOCAL", client) };
}

test("a deleted picture is held for a day, or until it was asked to be forgotten and a minute is over", async (t) => {
  const { media, look, pass, forget } = await edge(t);
  for (const id of ["a", "b", "c"]) await media.put(`images/${id}/w1.webp`, id, immutable);
  for (const id of ["a", "b"]) assert.equal(await look(`images/${id}/w1.webp`), id);
  for (const id of ["a", "b", "c"]) await media.delete(`images/${id}/w1.webp`);
  assert.deepEqual([await look("images/a/w1.webp"), await look("images/c/w1.webp")], ["a", 403]);
  assert.equal(await forget(["/images/a/*"], "1"), true);
  assert.equal(await look("images/a/w1.webp"), "a", "CloudFront is at it");
  pass(MINUTE);
  assert.deepEqual([await look("images/a/w1.webp"), await look("images/b/w1.webp")], [403, "b"]);
  pass(DAY);
  assert.equal(await look("images/b/w1.webp"), 403);
});

test("documents are always as they are", async (t) => {
  const { media, look } = await edge(t);
  for (const text of ["one", "two"]) {
    await media.put("images/a/meta.json", text, { cacheControl: "public, max-age=5" });
    assert.equal(await look("images/a/meta.json"), text);
  }
});

test("fifteen wildcards and three thousand paths at a time, and one that is repeated is none", async (t) => {
  const { pass, forget } = await edge(t);
  const some = (count: number, end = "") => Array.from({ length: count }, (_, n) => `/images/${n}/${end}`);
  assert.equal(await forget(some(15, "*"), "all"), true);
  assert.equal(await forget(some(15, "*"), "all"), true);
  assert.equal(await forget(["/images/x/*"], "more"), false);
  assert.equal(await forget(some(2985), "files"), true);
  assert.equal(await forget(["/images/x/w1.webp"], "a file"), false);
  pass(MINUTE);
  assert.equal(await forget(["/images/x/*"], "more"), true);
});

test("what is no batch of paths is refused in CloudFront's own form", async (t) => {
  const { url } = await edge(t);
  const response = await fetch(`${url}/2020-05-31/distribution/ELOCAL/invalidation`, {
    method: "POST",
    body: "{",
  });
  assert.equal(response.status, 400);
  assert.match(await response.text(), /<Code>MalformedXML</);
});
