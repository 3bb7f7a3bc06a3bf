import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import http from "node:http";
import { syncBuiltinESMExports } from "node:module";
import { Readable } from "node:stream";
import test, { type TestContext } from "node:test";
import { type DownloadOptions, download } from "../../../adapters/http/download.ts";
import { publicLookup } from "../../../adapters/http/public-address.ts";
import { readBytes } from "../../../core/commit.ts";
import { DarkroomError } from "../../../core/errors.ts";

const options: DownloadOptions = { maxBytes: 1000, allowPrivate: false, wholeMs: 60_000 };
/** The code of the refusal, or what came. */
const outcome = (url: string, more: Partial<DownloadOptions> = {}) =>
  readBytes(download(url, { ...options, ...more })).then(String, (error: unknown) =>
    error instanceof DarkroomError ? error.code : String(error),
  );

interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** One that never ends where it is absent. */
  readonly body?: readonly string[];
}

/** An internet of these answers; nothing is connected. @returns what was asked for, each with its look-up of names */
function internet(t: TestContext, answers: Readonly<Record<string, Answer>>) {
  const asked: { url: string; lookup: unknown }[] = [];
  const get = (url: URL, { lookup, signal }: http.RequestOptions, then: (response: unknown) => void) => {
    asked.push({ url: url.href, lookup });
    const { status = 200, headers = {}, body } = answers[url.href] ?? { status: 404, body: [] };
    const response = body
      ? Readable.from(body.map((part) => Buffer.from(part)))
      : new Readable({ read() {} });
    signal?.addEventListener("abort", () => response.destroy(new Error("aborted")));
    // At once: a time-out comes while somebody reads, however busy the machine is.
    queueMicrotask(() => then(Object.assign(response, { statusCode: status, headers })));
    return new EventEmitter();
  };
  t.mock.method(http, "get", get);
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  return asked;
}

test("nothing is fetched from a private address, by whatever way", async (t) => {
  const metadata = "http://169.254.169.254/latest/meta-data/";
  const asked = internet(t, {
    "http://93.184.216.34/a.jpg": { status: 302, headers: { location: metadata } },
    "http://old.example/a.jpg": { status: 301, headers: { location: "http://[::ffff:127.0.0.1]:9001/x" } },
    "http://old.example/b.jpg": { status: 307, headers: { location: "/c.jpg" } },
    "http://old.example/c.jpg": { body: ["here"] },
    [metadata]: { body: ["secret"] },
  });
  for (const url of [
    metadata,
    "http://127.0.0.1:9001/2018-06-01/runtime",
    "http://[fd00:ec2::254]/",
    "http://0x7f.1/",
    "http://2130706433/",
  ])
    assert.equal(await outcome(url), "private-address", url);
  assert.deepEqual(asked, []);
  assert.equal(await outcome("http://93.184.216.34/a.jpg"), "private-address");
  assert.equal(await outcome("http://old.example/a.jpg"), "private-address");
  assert.equal(await outcome("http://old.example/b.jpg"), "here");
  assert.deepEqual(
    asked.map(({ url }) => url),
    [
      "http://93.184.216.34/a.jpg",
      "http://old.example/a.jpg",
      "http://old.example/b.jpg",
      "http://old.example/c.jpg",
    ],
  );
  // A name is judged by the look-up of the very connection, at every hop.
  for (const { lookup } of asked) assert.equal(lookup, publicLookup);
});

test("a name that leads to this machine is not connected to", async () => {
  assert.equal(await outcome("http://localhost:9/"), "private-address");
});

test("a download is bounded in size, time and hops", async (t) => {
  const asked = internet(t, {
    "http://old.example/says": { headers: { "content-length": "1001" } },
    "http://old.example/lies": {
      headers: { "content-length": "1" },
      body: ["x".repeat(600), "x".repeat(600)],
    },
    "http://old.example/fits": { body: ["x".repeat(1000)] },
    "http://old.example/drips": {},
    "http://old.example/round": { status: 302, headers: { location: "/round" } },
    "http://old.example/away": { status: 303, headers: { location: "file:///etc/passwd" } },
    "http://old.example/zipped": { headers: { "content-encoding": "br" }, body: ["x"] },
    "http://old.example/busy": { status: 429, body: [] },
    "http://old.example/broken": { status: 502, body: [] },
  });
  const at = (path: string, more?: Partial<DownloadOptions>) => outcome(`http://old.example/${path}`, more);
  assert.equal(await at("says"), "too-large");
  assert.equal(await at("lies"), "too-large");
  assert.equal((await at("fits")).length, 1000);
  assert.equal(await at("drips", { wholeMs: 10 }), "unavailable");
  asked.length = 0;
  assert.equal(await at("round"), "download-failed");
  assert.equal(asked.length, 6);
  assert.equal(await at("away"), "bad-url");
  assert.equal(await at("zipped"), "download-failed");
  assert.equal(await at("none"), "download-failed");
  assert.equal(await at("busy"), "unavailable");
  assert.equal(await at("broken"), "unavailable");
});
