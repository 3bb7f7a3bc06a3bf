/** Publishing static files: what latest.json names is there at every instant, whatever breaks when. */
import assert from "node:assert/strict";
import fs, {
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, beforeEach } from "node:test";
import { memoryStore } from "../../adapters/memory/memory-store.ts";
import { CliError } from "../../cli/exit.ts";
import { readLatest } from "../../cli/static/documents.ts";
import { cacheControlOf, parseCacheRule, typeOf } from "../../cli/static/headers.ts";
import { planPublish, publish, type StaticStore } from "../../cli/static/publish.ts";
import { abandoned, expired, retire } from "../../cli/static/retire.ts";
import { scan } from "../../cli/static/scan.ts";
import { watchFolder } from "../../cli/static/watch.ts";
import { isStaticPath, isStaticVersion } from "../../core/keys.ts";

const root = mkdtempSync(join(tmpdir(), "darkroom-sync-"));
process.env["XDG_CACHE_HOME"] = join(root, "cache");
after(() => rmSync(root, { recursive: true, force: true }));

const CDN = "https://cdn.example";
let folder = "";
let cases = 0;
/** Advances with every look at it. */
let time = Date.UTC(2026, 0, 1);
const now = () => {
  time += 1000;
  return new Date(time);
};
/** Told of every call before it is made; may throw instead. */
let onCall: (name: string, key: string) => void = () => {};

function store(): StaticStore {
  const memory = memoryStore({ now });
  const copy: StaticStore["copy"] = async (from, to, { type, cacheControl }) => {
    const found = await memory.get(from);
    if (!found) return false;
    const bytes = new Uint8Array(await new Response(ReadableStream.from(found.body)).arrayBuffer());
    await memory.put(to, bytes, { type, cacheControl });
    return true;
  };
  return new Proxy<StaticStore>(
    { ...memory, copy },
    {
      get:
        (target, name: keyof StaticStore) =>
        async (...args: [string, string, never]) => {
          onCall(name, args[0]);
          return target[name](...args);
        },
    },
  );
}

const write = (path: string, text: string) => {
  mkdirSync(join(folder, path, ".."), { recursive: true });
  writeFileSync(join(folder, path), text);
};
beforeEach(() => {
  folder = join(root, `case-${cases++}`);
  onCall = () => {};
  write("css/app.css", "body { background: url(../img/a.svg) }");
  write("img/a.svg", "<svg/>");
  write("index.html", "<p>one</p>");
});

const scanned = (rules: string[] = []) =>
  scan(folder, { hidden: false, rules: rules.flatMap((rule) => parseCacheRule(rule) ?? []) });

async function sync(on: StaticStore, { version, rules }: { version?: string; rules?: string[] } = {}) {
  const over = await readLatest(on);
  const plan = await planPublish(on, over, await scanned(rules), version);
  if (!plan) return undefined;
  const signal = new AbortController().signal;
  await publish({ store: on, now, media: CDN, concurrency: 2, onFile: () => {}, signal }, plan);
  return plan;
}

/** Every file that `latest.json` names, as a browser gets it; fails when one is not there. */
async function published(on: StaticStore) {
  const before = onCall;
  onCall = () => {};
  const { latest } = await readLatest(on);
  const files = new Map<string, string>();
  for (const [path, url] of Object.entries(latest?.files ?? {})) {
    const stored = await on.get(decodeURIComponent(new URL(url).pathname.slice(1)));
    assert.ok(stored, `${path} is named and not there`);
    files.set(path, await new Response(ReadableStream.from(stored.body)).text());
  }
  onCall = before;
  return { latest, files };
}
const keys = async (on: StaticStore, prefix: string) => (await on.list(prefix)).objects.map(({ key }) => key);

test("a version has every file under its path, and latest.json says where", async () => {
  const bucket = store();
  write("fonts/a b&c?.woff2", "font");
  const plan = await sync(bucket);
  const { latest, files } = await published(bucket);
  assert.equal(latest?.version, plan?.version);
  assert.deepEqual([...files.keys()], ["css/app.css", "fonts/a b&c?.woff2", "img/a.svg", "index.html"]);
  assert.equal(latest?.files["css/app.css"], `${CDN}/static/${plan?.version}/css/app.css`);
  assert.equal(
    latest?.files["fonts/a b&c?.woff2"],
    `${CDN}/static/${plan?.version}/fonts/a%20b%26c%3F.woff2`,
  );
  const css = await bucket.head(`static/${plan?.version}/css/app.css`);
  assert.equal(css?.type, "text/css; charset=utf-8");
  assert.equal(css?.cacheControl, "public, max-age=31536000, immutable");
});

test("an unchanged folder is one GET, and what did not change is copied", async () => {
  const bucket = store();
  const first = await sync(bucket);
  const calls: string[] = [];
  onCall = (name, key) => calls.push(`${name} ${key}`);
  assert.equal(await sync(bucket), undefined);
  assert.deepEqual(calls, ["get static/latest.json"]);

  write("index.html", "<p>two</p>");
  renameSync(join(folder, "img"), join(folder, "pictures"));
  calls.length = 0;
  const second = await sync(bucket);
  assert.deepEqual(calls.filter((call) => call.startsWith("copy")).sort(), [
    `copy static/${first?.version}/css/app.css`,
    `copy static/${first?.version}/img/a.svg`,
  ]);
  assert.deepEqual(
    second?.upload.map(({ path }) => path),
    ["index.html"],
  );
  assert.deepEqual(second?.gone, ["img/a.svg"]);
  assert.equal((await published(bucket)).files.get("pictures/a.svg"), "<svg/>");

  // Another header is another version; the bytes are copied and the headers are new.
  const third = await sync(bucket, { rules: ["*.html=no-cache", "css/**=max-age=9"] });
  assert.equal(third?.upload.length, 0);
  assert.equal((await bucket.head(`static/${third?.version}/index.html`))?.cacheControl, "no-cache");
  assert.equal((await bucket.head(`static/${third?.version}/css/app.css`))?.cacheControl, "max-age=9");

  // Back to what was published before: nothing is sent, only named again.
  calls.length = 0;
  const back = await sync(bucket);
  assert.equal(back?.version, second?.version);
  assert.deepEqual([back?.upload.length, back?.copy.length, back?.there], [0, 0, 3]);
  assert.deepEqual(
    (await published(bucket)).latest?.previous.map(({ version }) => version),
    [third?.version, first?.version],
  );
});

test("a version's name means one content for ever", async () => {
  const bucket = store();
  await sync(bucket, { version: "v1" });
  assert.equal(await sync(bucket, { version: "v2" }), undefined, "an unchanged folder does nothing");
  write("index.html", "<p>two</p>");
  await assert.rejects(sync(bucket, { version: "v1" }), /published with other content/);
  await sync(bucket, { version: "v2" });
  assert.equal((await published(bucket)).latest?.version, "v2");
});

test("whatever call fails, what is published stays whole, and the next run goes on", async () => {
  for (let failing = 1; ; failing++) {
    const bucket = store();
    write("index.html", "<p>one</p>");
    await sync(bucket);
    const before = await published(bucket);
    write("index.html", "<p>two</p>");
    write("new.js", "export {}");
    let calls = 0;
    onCall = () => {
      if (++calls === failing) throw new Error("the network is gone");
    };
    const failed = await sync(bucket).then(
      () => false,
      (error: unknown) => /network/.test(String(error)) || assert.fail(String(error)),
    );
    onCall = () => {};
    rmSync(join(folder, "new.js"), { force: true });
    if (!failed) break;
    assert.deepEqual(await published(bucket), before, `call ${failing}`);
    write("new.js", "export {}");
    await sync(bucket);
    assert.equal((await published(bucket)).files.get("index.html"), "<p>two</p>");
    rmSync(join(folder, "new.js"));
    assert.ok(failing < 50);
  }
});

test("two that publish at once: one is told, and what is named is whole", async () => {
  const bucket = store();
  await sync(bucket);
  write("index.html", "<p>two</p>");
  const plan = await planPublish(bucket, await readLatest(bucket), await scanned(), undefined);
  write("index.html", "<p>three</p>");
  await sync(bucket);
  assert.ok(plan);
  const signal = new AbortController().signal;
  const late = { store: bucket, now, media: CDN, concurrency: 1, onFile: () => {}, signal };
  await assert.rejects(publish(late, plan), /changed while it was being published/);
  write("index.html", "<p>two</p>");
  await assert.rejects(publish(late, plan), /Somebody else published in the meantime/);
  assert.equal((await published(bucket)).files.get("index.html"), "<p>three</p>");
  // Its own write whose answer was lost is no conflict.
  const again = await planPublish(bucket, await readLatest(bucket), await scanned(), undefined);
  assert.ok(again);
  const lossy: StaticStore = {
    ...bucket,
    put: async (key, body, options) => {
      const answer = await bucket.put(key, body, options);
      return key === "static/latest.json" ? bucket.put(key, body, options) : answer;
    },
  };
  await publish({ ...late, store: lossy }, again);
  assert.equal((await published(bucket)).files.get("index.html"), "<p>two</p>");
});

test("Ctrl-C publishes nothing new, and the next run sends only what is left", async () => {
  const bucket = store();
  const plan = await planPublish(bucket, await readLatest(bucket), await scanned(), undefined);
  assert.ok(plan);
  const stop = new AbortController();
  const onFile = () => stop.abort();
  await assert.rejects(
    publish({ store: bucket, now, media: CDN, concurrency: 1, onFile, signal: stop.signal }, plan),
    (error: unknown) =>
      error instanceof CliError && error.status === 130 && /nothing new/.test(error.message),
  );
  assert.equal((await readLatest(bucket)).latest, undefined);
  const rest = await sync(bucket);
  assert.deepEqual([rest?.upload.length, rest?.there], [2, 1]);
  assert.equal((await published(bucket)).files.size, 3);
});

test("a copy whose source is gone is uploaded", async () => {
  const bucket = store();
  const first = await sync(bucket);
  await bucket.delete(`static/${first?.version}/img/a.svg`);
  write("index.html", "<p>two</p>");
  await sync(bucket);
  assert.equal((await published(bucket)).files.get("img/a.svg"), "<svg/>");
});

test("old versions go after their grace, and an interrupted deletion is finished", async () => {
  const bucket = store();
  const first = await sync(bucket);
  write("index.html", "<p>two</p>");
  const second = await sync(bucket);
  write("index.html", "<p>three</p>");
  await sync(bucket);
  // One that was begun and never named.
  await bucket.put("static/manifests/begun.json", "{}");
  await bucket.put("static/begun/a.css", "a");
  const revision = await readLatest(bucket);
  const at = (version = "") =>
    Date.parse(
      revision.latest?.previous.find((previous) => previous.version === version)?.supersededAt ?? "",
    );
  const grace = 60_000;
  assert.deepEqual(expired(revision, new Date(at(first?.version) + grace - 1), grace), []);
  assert.deepEqual(expired(revision, new Date(at(first?.version) + grace), grace), [first?.version]);
  assert.deepEqual(await abandoned(bucket, revision, new Date(time), grace), []);
  assert.deepEqual(await abandoned(bucket, revision, new Date(time + grace), grace), ["begun"]);

  for (let failing = 1; failing < 20; failing++) {
    let calls = 0;
    onCall = () => {
      if (++calls === failing) throw new Error("the network is gone");
    };
    const over = await readLatest(bucket).catch(() => undefined);
    if (over)
      await retire(bucket, over, [first?.version ?? "", "begun", ...(over.latest?.retiring ?? [])]).catch(
        () => {},
      );
    onCall = () => {};
    await published(bucket);
  }
  const over = await readLatest(bucket);
  await retire(bucket, over, over.latest?.retiring ?? []);
  const { latest } = await published(bucket);
  assert.deepEqual(
    [latest?.retiring, latest?.previous.map(({ version }) => version)],
    [[], [second?.version]],
  );
  assert.deepEqual(await keys(bucket, `static/${first?.version}/`), []);
  assert.deepEqual(await keys(bucket, "static/begun/"), []);
  const manifests = () => keys(bucket, "static/manifests/").then((found) => found.length);
  assert.equal(await manifests(), 4, "the current version's, the one before it, and two names that rest");
  const later = new Date(time + 86_400_000);
  const names = await abandoned(bucket, over, later, 86_400_000);
  await retire(bucket, await readLatest(bucket), names, later);
  assert.equal(await manifests(), 2, "names are given free after a day");
  // Never the current one, whoever says so.
  await retire(bucket, await readLatest(bucket), [latest?.version ?? ""]);
  assert.equal((await published(bucket)).files.size, 3);
});

test("a version that is published again while another run still deletes it stays whole", async () => {
  const bucket = store();
  const first = await sync(bucket);
  write("index.html", "<p>two</p>");
  await sync(bucket);
  // The late run holds its breath before its first delete, until the other one is through.
  let goOn = () => {};
  const holding = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  let reached = () => {};
  const deleting = new Promise<void>((resolve) => {
    reached = resolve;
  });
  const slow: StaticStore = {
    ...bucket,
    get: (key) => bucket.get(key),
    head: (key) => bucket.head(key),
    put: (key, body, options) => bucket.put(key, body, options),
    list: (prefix, options) => bucket.list(prefix, options),
    delete: async (key) => {
      reached();
      await holding;
      await bucket.delete(key);
    },
  };
  const late = retire(slow, await readLatest(bucket), [first?.version ?? ""]);
  await deleting;
  const over = await readLatest(bucket);
  await retire(bucket, over, over.latest?.retiring ?? []);
  write("index.html", "<p>one</p>");
  const again = await sync(bucket);
  goOn();
  await late;
  assert.equal((await published(bucket)).files.get("index.html"), "<p>one</p>");
  assert.equal(again?.version, `${first?.version}-2`);
  write("index.html", "<p>three</p>");
  await sync(bucket, { version: "v3" });
  await retire(bucket, await readLatest(bucket), [again?.version ?? ""]);
  write("index.html", "<p>one</p>");
  await assert.rejects(sync(bucket, { version: again?.version ?? "" }), /was deleted a short while ago/);
});

test("a folder that the system does not let us watch ends the watching, in words", async (t) => {
  t.mock.method(fs, "watch", () => {
    throw Object.assign(new Error("ENOSPC: System limit for number of file watchers reached"), {
      code: "ENOSPC",
    });
  });
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  const watching = watchFolder(folder, new AbortController().signal, async () => {});
  await assert.rejects(
    watching,
    (error: unknown) => error instanceof CliError && /number of file watchers/.test(error.message),
  );
});

test("what cannot be published as a whole is not published at all", async () => {
  symlinkSync("nowhere", join(folder, "broken.css"));
  symlinkSync("..", join(folder, "img", "up"));
  writeFileSync(join(folder, "two\nlines.css"), "");
  await assert.rejects(scanned(), (error: unknown) => {
    assert.ok(error instanceof CliError);
    assert.match(error.message, /broken\.css: The link leads to nowhere/);
    assert.match(error.message, /img\/up: The link leads in a circle/);
    assert.match(error.message, /two\?lines\.css: Its name cannot be part of a URL/);
    return true;
  });
  rmSync(folder, { recursive: true });
  await assert.rejects(scanned(), /There is no such file or folder/);
  mkdirSync(folder);
  write(".env", "SECRET=1");
  await assert.rejects(scanned(), /There are no files/);
});

test("a file is read again when anything about it changed, and only then", async () => {
  // Those of the folders before: on a slow machine they have been scanned late enough to be believed.
  rmSync(join(root, "cache"), { recursive: true, force: true });
  const scanAt = async (now: () => number) => (await scan(folder, { hidden: false, rules: [], now })).tree;
  const later = () => scanAt(() => Date.now() + 5000);
  const stamp = new Date(2026, 0, 1);
  utimesSync(join(folder, "index.html"), stamp, stamp);
  const first = await later();
  // What the cache says is believed: with another hash in it, the tree is another.
  const [cache = ""] = globSync(join(root, "cache/darkroom/*.json"));
  const text = readFileSync(cache, "utf8");
  writeFileSync(cache, text.replaceAll(/[0-9a-f]{64}/g, "0".repeat(64)));
  assert.notEqual(await later(), first);
  writeFileSync(cache, text);
  assert.equal(await later(), first);
  // Same size and same time, as a tool leaves it that resets times; the file system's own clock has to move on meanwhile.
  const changedAt = () => statSync(join(folder, "index.html")).ctimeMs;
  const before = changedAt();
  while (changedAt() === before) {
    write("index.html", "<p>six</p>");
    utimesSync(join(folder, "index.html"), stamp, stamp);
  }
  assert.notEqual(await later(), first);
  write("index.html", "<p>one</p>");
  assert.equal(await later(), first);
  writeFileSync(cache, "not JSON");
  assert.equal(await later(), first);
  // Just written, it is not believed yet: it may change within the same tick of the clock.
  write("index.html", "<p>new</p>");
  await scanAt(changedAt);
  assert.ok(!readFileSync(cache, "utf8").includes("index.html"));
});

test("types and times by name", () => {
  const types = {
    "a.css": "text/css; charset=utf-8",
    "A.JS": "text/javascript; charset=utf-8",
    "a.mjs": "text/javascript; charset=utf-8",
    "a.woff2": "font/woff2",
    "a.svg": "image/svg+xml",
    "favicon.ico": "image/vnd.microsoft.icon",
    "app.webmanifest": "application/manifest+json; charset=utf-8",
    "a.wasm": "application/wasm",
    "a.js.map": "application/json; charset=utf-8",
  };
  for (const [path, type] of Object.entries(types)) assert.equal(typeOf(path, true), type);
  assert.equal(typeOf("LICENSE", true), "text/plain; charset=utf-8");
  assert.equal(typeOf("x/blob.unknown-to-all", false), "application/octet-stream");
  const rules = ["*.html=no-cache", "blog/**=max-age=60"].flatMap((text) => parseCacheRule(text) ?? []);
  assert.equal(cacheControlOf("a/b.html", rules), "no-cache");
  assert.equal(cacheControlOf("blog/b.html", rules), "max-age=60");
  assert.equal(cacheControlOf("a.css", rules), "public, max-age=31536000, immutable");
  assert.equal(parseCacheRule("no-equals-sign"), undefined);
  assert.equal(parseCacheRule("a=b\r\nx-evil: 1"), undefined);
});

test("keys: only clean paths and names", () => {
  for (const path of ["a", "a/b.css", "é/ü", "a b", ".well-known/x", "__proto__"])
    assert.ok(isStaticPath(path), path);
  for (const path of [
    "",
    "/a",
    "a/",
    "a//b",
    "../a",
    "a/./b",
    "a\\b",
    "a\nb",
    "\ud800",
    "�",
    "x".repeat(901),
  ])
    assert.ok(!isStaticPath(path), JSON.stringify(path));
  for (const version of ["v1", "1.2.3", "re3jkb19y3pxteny"]) assert.ok(isStaticVersion(version));
  for (const version of ["", "manifests", "latest.json", ".x", "a/b", "x".repeat(65)])
    assert.ok(!isStaticVersion(version));
});
