/** `darkroom sync` as its user runs it: to the local stack, from a folder, until the page has its files. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import test, { after, before } from "node:test";
import type { Latest } from "../../cli/static/documents.ts";
import { type Stack, startStack } from "../../laptop/stack.ts";
import { darkroom } from "./darkroom.ts";

const root = mkdtempSync(join(tmpdir(), "darkroom-sync-"));
const site = join(root, "site");
const env = { DARKROOM_DATA: join(root, "data"), XDG_CACHE_HOME: join(root, "cache") };
let stack: Stack;
let requests: string[] = [];

before(async () => {
  stack = await startStack({
    port: 0,
    data: env.DARKROOM_DATA,
    poll: false,
    logLevel: "error",
    s3Fault: ({ method, key }) => {
      requests.push(`${method} ${key ?? ""}`);
      return undefined;
    },
  });
  mkdirSync(join(site, "css"), { recursive: true });
  mkdirSync(join(site, "img"));
  writeFileSync(join(site, "css", "app.css"), "body{background:url(../img/b%C3%A4r.svg)}");
  writeFileSync(join(site, "img", "bär.svg"), "<svg/>");
  writeFileSync(join(site, ".env"), "SECRET=1");
});
after(async () => {
  await stack.close();
  rmSync(root, { recursive: true, force: true });
});

const sync = (...args: string[]) => darkroom(["sync", ...args, site], { env });
const latest = async () => (await (await fetch(`${stack.media}/static/latest.json`)).json()) as Latest;

test("a site's files are on the CDN, and relative links in CSS lead on", async () => {
  const dry = await sync("--dry-run");
  assert.equal(dry.status, 0, dry.err);
  assert.match(dry.out, /^\+ css\/app\.css {2}41 B {2}text\/css; charset=utf-8\n\+ img\/bär\.svg/);
  assert.match(dry.out, /Would publish \w{16}: 2 to upload, 0 to copy, 0 there already, 0 gone\./);
  assert.equal((await fetch(`${stack.media}/static/latest.json`)).status, 403);

  const first = await sync();
  assert.equal(first.status, 0, first.err);
  assert.match(first.out, /^Published (\w{16}): 2 uploaded \(47 B\), 0 copied, 0 there already, 0 gone\.\n/);
  const { files, version } = await latest();
  assert.deepEqual(Object.keys(files), ["css/app.css", "img/bär.svg"]);
  const css = await fetch(files["css/app.css"] ?? "");
  assert.equal(css.headers.get("content-type"), "text/css; charset=utf-8");
  assert.equal(css.headers.get("cache-control"), "public, max-age=31536000, immutable");
  assert.equal(css.headers.get("access-control-allow-origin"), "*");
  assert.equal(css.headers.get("content-security-policy"), null);
  const [, link = ""] = /url\((.+)\)/.exec(await css.text()) ?? [];
  assert.equal(await (await fetch(new URL(link, css.url))).text(), "<svg/>");

  requests = [];
  const again = await sync();
  assert.equal(again.out, `Nothing changed: ${version} is published, 2 files.\n`);
  assert.deepEqual(requests, ["GET static/latest.json"]);

  writeFileSync(join(site, "app.js"), "export {}");
  const second = await sync("--json", "--version", "v2", "--cache-control", "*.js=no-cache");
  assert.deepEqual(JSON.parse(second.out), {
    version: "v2",
    published: true,
    uploaded: 1,
    bytes: 9,
    copied: 2,
    there: 0,
    gone: 0,
  });
  assert.equal((await fetch(`${stack.media}/static/v2/app.js`)).headers.get("cache-control"), "no-cache");
  // Pages of the old version find their files until the grace is over.
  assert.equal((await fetch(files["css/app.css"] ?? "")).status, 200);
  requests = [];
  const third = await sync("--cache-control", "*.js=no-cache", "--grace", "0");
  assert.match(third.out, /^Nothing changed: v2/);
  assert.match(third.err, new RegExp(`^Deleted what no page should name any more: ${version}\\.`));
  // The CDN holds what it was asked for a day longer.
  assert.ok(requests.includes(`DELETE static/${version}/css/app.css`), String(requests));
});

test("mistakes and broken folders publish nothing, and say why", async () => {
  const { version } = await latest();
  symlinkSync("nowhere", join(site, "broken.js"));
  const broken = await sync();
  rmSync(join(site, "broken.js"));
  assert.equal(broken.status, 1);
  assert.match(broken.err, /Nothing is published.*\n {2}broken\.js: The link leads to nowhere/);
  writeFileSync(join(site, "app.js"), "other");
  const taken = await sync("--version", "v2");
  assert.equal(taken.status, 1);
  assert.match(taken.err, /The version v2 was published with other content/);
  for (const args of [
    ["--version", "../x"],
    ["--cache-control", "nonsense"],
    ["--grace", "soon"],
    ["--bucket", "b"],
  ])
    assert.equal((await sync(...args)).status, 2, args.join(" "));
  assert.equal((await latest()).version, version);
});

test("--watch publishes whatever changes, until Ctrl-C", async () => {
  const child = spawn(process.execPath, ["cli/darkroom.ts", "sync", "--watch", "--json", site], {
    env: { ...process.env, ...env, NO_COLOR: "1" },
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () =>
    JSON.parse((await lines.next()).value ?? "") as { version: string; published: boolean };
  assert.equal((await next()).published, true);
  writeFileSync(join(site, "new.css"), "p{}");
  const { version } = await next();
  assert.equal((await fetch(`${stack.media}/static/${version}/new.css`)).status, 200);
  assert.equal((await latest()).version, version);
  child.kill("SIGINT");
  assert.equal(await ended, 130);
});

test("any bucket, with the credentials that the SDK finds", async () => {
  writeFileSync(join(site, "app.js"), "elsewhere");
  const place = ["--bucket", "darkroom-media", "--cdn", "https://cdn.example.com/", "--endpoint", stack.s3];
  const args = ["sync", ...place, "--region", "us-east-1", "--version", "elsewhere", site];
  const keys = { AWS_ACCESS_KEY_ID: "darkroom", AWS_SECRET_ACCESS_KEY: "darkroom-local-secret" };
  const own = { XDG_CACHE_HOME: env.XDG_CACHE_HOME, DARKROOM_DATA: join(root, "none") };
  const { status, out, err } = await darkroom(args, { env: { ...own, ...keys } });
  assert.equal(status, 0, err);
  assert.match(out, /^Published elsewhere: .*\nhttps:\/\/cdn\.example\.com\/static\/latest\.json\n$/);
  assert.equal((await latest()).files["app.js"], "https://cdn.example.com/static/elsewhere/app.js");
  const refused = await darkroom(args, { env: { ...own, ...keys, AWS_SECRET_ACCESS_KEY: "wrong" } });
  assert.equal(refused.status, 1);
  assert.match(refused.err, /signature/i);
});
