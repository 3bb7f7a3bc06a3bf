/** What stands in for the CDN: what it serves, and what stands beside it. */
import assert from "node:assert/strict";
import test from "node:test";
import { memoryStore } from "../../adapters/memory/memory-store.ts";
import type { ObjectStore } from "../../core/ports.ts";
import { mediaServer } from "../../laptop/media.ts";
import { served } from "./served.ts";

const NOW = Date.UTC(2026, 10, 20);
const silent = () => {};

/** What stands between a hostile file and the site's visitors, on whatever is answered. */
function assertSafe({ headers, url }: Response, what: string) {
  // The operator's own files may run.
  const sandbox = url.includes("/static/") ? null : "default-src 'none'; sandbox";
  assert.equal(headers.get("content-security-policy"), sandbox, what);
  assert.equal(headers.get("x-content-type-options"), "nosniff", what);
}

test("media: serves images/ and static/, and nothing else", async (t) => {
  const media = memoryStore({ now: () => new Date(NOW) });
  const body = Buffer.alloc(200_000, "picture");
  for (const key of [
    "images/a/w1.jpg",
    "static/é.svg",
    "originals/a",
    "owners/images/a",
    "failures/failed/a.json",
    "images/",
    "private/o/a/w1.jpg",
    "homes/a",
  ])
    await media.put(key, body, { type: "image/jpeg", cacheControl: "public, max-age=31536000, immutable" });
  const url = await served(t, mediaServer(media, new Map(), silent));
  const cases: [string, number][] = [
    ["/images/a/w1.jpg", 200],
    ["/images/a/w1.jpg?v=1", 200],
    ["/static/%C3%A9.svg", 200],
    ["/images/a/missing.jpg", 403],
    ["/images/", 403],
    ["/originals/a", 403],
    ["/homes/a", 403],
    ["/private/o/a/w1.jpg", 403],
    ["/images/../private/o/a/w1.jpg", 403],
    ["/images/%2e%2e/private/o/a/w1.jpg", 403],
    ["/%70rivate/o/a/w1.jpg", 403],
    ["/images/..%2fprivate/o/a/w1.jpg", 403],
    ["/owners/images/a", 403],
    ["/failures/failed/a.json", 403],
    ["//images/a/w1.jpg", 403],
    ["/images/%", 403],
    ["/", 403],
  ];
  for (const [path, status] of cases) {
    for (const method of ["GET", "HEAD"]) {
      const response = await fetch(url + path, { method });
      assert.equal(response.status, status, `${method} ${path}`);
      assertSafe(response, path);
      const received = Buffer.from(await response.arrayBuffer());
      if (method === "HEAD") assert.equal(received.length, 0);
      else assert.equal(received.equals(body), status === 200, path);
      if (status !== 200) continue;
      assert.equal(response.headers.get("content-length"), "200000");
      assert.equal(response.headers.get("content-type"), "image/jpeg");
      assert.equal(response.headers.get("cache-control"), "public, max-age=31536000, immutable");
      assert.equal(response.headers.get("last-modified"), "Fri, 20 Nov 2026 00:00:00 GMT");
    }
  }
});

test("media: 304 for the version the browser has, 200 for another", async (t) => {
  const media = memoryStore({ now: () => new Date(NOW) });
  await media.put("images/a/meta.json", "{}");
  const url = `${await served(t, mediaServer(media, new Map(), silent))}/images/a/meta.json`;
  // The MD5 of `{}`, as printed by md5sum.
  const etag = '"99914b932bd37a50b983c5e7c90ae93b"';
  const get = (ifNoneMatch: string) => fetch(url, { headers: { "if-none-match": ifNoneMatch } });
  for (const known of [etag, `W/${etag}`, `"other", ${etag}`]) {
    const response = await get(known);
    assert.equal(response.status, 304, known);
    assert.equal(await response.text(), "");
    assert.equal(response.headers.get("etag"), etag);
    assert.equal(response.headers.get("cache-control"), "public, max-age=5");
    assertSafe(response, known);
  }
  const other = await get('"other"');
  assert.equal(other.status, 200);
  assert.equal(await other.text(), "{}");
});

test("media: only reads, and 503 while the store is away", async (t) => {
  const media: ObjectStore = {
    ...memoryStore({ now: () => new Date(NOW) }),
    get: () => Promise.reject(new Error("away")),
  };
  const url = await served(t, mediaServer(media, new Map(), silent));
  for (const method of ["PUT", "POST", "DELETE", "OPTIONS"]) {
    const response = await fetch(`${url}/images/a/w1.jpg`, { method });
    assert.equal(response.status, 405, method);
    assertSafe(response, method);
  }
  const response = await fetch(`${url}/images/a/w1.jpg`);
  assert.equal(response.status, 503);
  assertSafe(response, "503");
});
