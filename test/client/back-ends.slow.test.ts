/** The back ends of `examples/` in front of one stack, each through the same: from a token to a user who has left. */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { setTimeout } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { createDarkroom } from "../../client/node.ts";
import { startProcess } from "../stack-process.ts";

/** With what is asked whether it is here, and Debian's packages that have it. */
const backEnds: Readonly<
  Record<string, { run: (port: string) => string[]; probe: string[]; debian: string }>
> = {
  Express: {
    run: (port) => [process.execPath, "examples/express.ts", port],
    probe: [process.execPath, "-v"],
    debian: "nodejs",
  },
  Django: {
    // Debian's own Python, which knows Debian's Django; another one may stand before it.
    run: (port) => ["/usr/bin/python3", "examples/django_app.py", "runserver", port],
    probe: ["/usr/bin/python3", "-c", "import django"],
    debian: "python3-django",
  },
  Rails: {
    run: (port) => ["ruby", "examples/rails.rb", port],
    probe: ["ruby", "-e", 'require "rails"; require "active_record"; require "sqlite3"; require "webrick"'],
    debian: "ruby-railties ruby-activerecord ruby-sqlite3 ruby-webrick",
  },
  Laravel: {
    run: (port) => ["php", "-S", `127.0.0.1:${port}`, "examples/laravel.php"],
    probe: ["php", "-r", "require 'Illuminate/autoload.php'; exit((int) !extension_loaded('pdo_sqlite'));"],
    debian: "php-laravel-framework php-sqlite3",
  },
  Go: {
    run: (port) => ["go", "run", "examples/net_http.go", port],
    probe: ["go", "version"],
    debian: "golang-go",
  },
};

const AUTH_SECRET = "of the back ends that are examples";
const KEY = Buffer.from("of their webhooks, 32 bytes long");
const WEBHOOK_SECRET = `whsec_${KEY.toString("base64")}`;
const data = mkdtempSync(join(tmpdir(), "darkroom-"));
const presets = `
import { defineConfig } from ${JSON.stringify(pathToFileURL("core/preset.ts").href)};
const preset = { accept: ["jpeg"], ladder: { widths: [64], formats: ["webp", "jpeg"] } };
export default defineConfig({ defaultPreset: "photo", presets: { photo: preset, scan: { ...preset, access: "private" } } });
`;
const picture = new Blob([readFileSync("events/originals/landscape.jpg")], { type: "image/jpeg" });
let stack: Awaited<ReturnType<typeof startProcess>>;
let relay: Server;
let app: { readonly child: ChildProcess; readonly site: string } | undefined;
/** What the back end has answered to each webhook, and who waits for one. */
const told = new Set<string>();
const waiting: (() => void)[] = [];

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

before(async () => {
  execFileSync("npm", ["run", "--silent", "build:client"], { stdio: "inherit" });
  writeFileSync(join(data, "presets.ts"), presets);
  relay = createServer(async (request, response) => {
    const body = await bodyOf(request);
    const headers = Object.entries(request.headers).filter(([name]) => /^webhook-|^content-type/.test(name));
    const { status } = await webhook(Object.fromEntries(headers) as Record<string, string>, body);
    const { data: document } = JSON.parse(body);
    told.add(`${document.id} ${document.status} ${status}`);
    for (const wake of waiting.splice(0)) wake();
    response.writeHead(status).end();
  }).listen(0, "127.0.0.1");
  await once(relay, "listening");
  const { port } = relay.address() as AddressInfo;
  const WEBHOOK_URLS = `http://localhost:${port}/`;
  const DARKROOM_CONFIG = join(data, "presets.ts");
  Object.assign(process.env, { AUTH_SECRET, WEBHOOK_SECRET, WEBHOOK_URLS, DARKROOM_CONFIG });
  stack = await startProcess(data);
});
after(async () => {
  await stop();
  stack?.child.kill();
  if (stack) await once(stack.child, "exit");
  relay?.close();
  relay?.closeAllConnections();
  rmSync(data, { recursive: true, force: true });
});

/** On a port that was free a moment ago; until it answers. */
async function start(run: (port: string) => string[], owner: string): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  const [command = "", ...args] = run(String(port));
  const env = { ...process.env, API: stack.note.api, DEMO_USER: owner, DATABASE: join(data, `${owner}.db`) };
  // A group of its own: `go run` starts what it has built.
  const child = spawn(command, args, { env, detached: true, stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk;
  });
  app = { child, site: `http://localhost:${port}` };
  for (;;) {
    assert.equal(child.exitCode, null, said);
    const answer = await fetch(`${app.site}/darkroom-token`).catch(() => undefined);
    if (answer) return app.site;
    await setTimeout(50);
  }
}

async function stop(): Promise<void> {
  const child = app?.child;
  app = undefined;
  if (!child?.pid || child.exitCode !== null) return;
  const ended = once(child, "exit");
  process.kill(-child.pid, "SIGKILL");
  await ended;
}

const webhook = (headers: Record<string, string>, body: string) =>
  app ? fetch(`${app.site}/darkroom-webhook`, { method: "POST", headers, body }) : { status: 204 };

/** As Darkroom signs, with what may be wrong about it. */
async function send(
  document: object,
  {
    age = 0,
    key = KEY,
    before = "",
    sent = "",
  }: { age?: number; key?: Buffer; before?: string; sent?: string } = {},
): Promise<number> {
  const body = JSON.stringify({ type: "image.failed", data: document });
  const timestamp = String(Math.floor(Date.now() / 1000) - age);
  const mac = createHmac("sha256", key).update(`m.${timestamp}.${body}`).digest("base64");
  const headers = {
    "content-type": "application/json",
    "webhook-id": "m",
    "webhook-timestamp": timestamp,
    "webhook-signature": `${before}v1,${mac}`,
  };
  return (await webhook(headers, sent || body)).status;
}

/** Until the back end was told, and took it. */
async function heard(id: string, status: string): Promise<void> {
  while (!told.has(`${id} ${status} 204`)) await new Promise<void>((wake) => waiting.push(wake));
}

const shownBy = (html: string) =>
  [...html.matchAll(/ src="([^"]+)"/g)].map(([, url = ""]) => url.replaceAll("&amp;", "&"));

/** Its one form, as a browser sends it. */
async function leave(site: string, page: Response, html: string): Promise<void> {
  const fields = [...html.matchAll(/type="hidden" name="([^"]+)" value="([^"]+)"/g)].map(
    ([, name = "", value = ""]) => [name, value],
  );
  const cookie = page.headers
    .getSetCookie()
    .map((one) => one.split(";")[0])
    .join("; ");
  const press = (headers: Record<string, string>, body = new URLSearchParams(fields)) =>
    fetch(`${site}/delete-me`, { method: "POST", headers, body, redirect: "manual" });
  const elsewhere = await press({ "sec-fetch-site": "cross-site", cookie }, new URLSearchParams());
  assert.ok(elsewhere.status >= 400 && elsewhere.status < 500, `another site: ${elsewhere.status}`);
  const here = await press({ "sec-fetch-site": "same-origin", origin: site, cookie });
  assert.ok([302, 303].includes(here.status), `${here.status} ${await here.text()}`);
}

for (const [name, { run, probe, debian }] of Object.entries(backEnds)) {
  test(`${name}: a token, a webhook, pictures that are private too, a user who leaves`, async () => {
    const [command = "", ...args] = probe;
    assert.equal(spawnSync(command, args).status, 0, `${name} is not here: apt-get install ${debian}`);
    const site = await start(run, name.toLowerCase());
    const answer = await fetch(`${site}/darkroom-token`);
    assert.match(answer.headers.get("cache-control") ?? "", /no-store/);
    const token = await answer.text();
    const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
    assert.deepEqual([claims.sub, claims.scope], [name.toLowerCase(), "upload"]);
    assert.ok(Math.abs(claims.exp - Date.now() / 1000 - 600) < 60);

    const client = createDarkroom({ endpoint: stack.note.api, token });
    const photo = await (await client.upload(picture, { preset: "photo" })).ready;
    const scan = await (await client.upload(picture, { preset: "scan" })).ready;
    for (const { id } of [photo, scan]) await heard(id, "ready");

    const failed = { id: photo.id, rev: 9, status: "failed", error: { code: "internal", message: "" } };
    assert.equal(await send(failed, { age: 400 }), 401);
    assert.equal(await send(failed, { age: -400 }), 401);
    assert.equal(await send(failed, { key: Buffer.alloc(32) }), 401);
    assert.equal(await send(failed, { sent: JSON.stringify({ data: failed }) }), 401);
    assert.equal((await webhook({ "content-type": "application/json" }, "{}")).status, 401);
    assert.equal(
      await send({ ...failed, rev: 0 }, { before: "v1,AAAA v2,x " }),
      204,
      "late, and passed over",
    );

    const page = await fetch(site);
    const html = await page.text();
    const shown = shownBy(html);
    assert.equal(shown.length, 2, html);
    for (const url of shown) assert.equal((await fetch(url)).status, 200, url);
    const [secret = ""] = shown.filter((url) => url.includes(scan.id));
    assert.equal((await fetch(secret.replace(/\?.*/, ""))).status, 403);

    // Nothing goes that came in the second of the order.
    await setTimeout(1000 - (Date.now() % 1000));
    await leave(site, page, html);
    for (const { id } of [photo, scan]) await heard(id, "deleted");
    assert.deepEqual(shownBy(await (await fetch(site)).text()), []);
    const headers = { authorization: `Bearer ${token}` };
    assert.equal((await fetch(`${stack.note.api}/images/${scan.id}`, { headers })).status, 410);
    await stop();
  });
}
