/** The parts of `darkroom import` that fail in ways a process of its own is hard to bring into. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import fc from "fast-check";
import { isPublicAddress } from "../../adapters/http/public-address.ts";
import { apiAt, connect } from "../../cli/api.ts";
import { CliError } from "../../cli/exit.ts";
import { type FetchOptions, fetchFile } from "../../cli/import/fetch-file.ts";
import { importAll } from "../../cli/import/importer.ts";
import { Journal, type JournalLine } from "../../cli/import/journal.ts";
import { csvRows, type Mapped } from "../../cli/import/mapping.ts";
import type { Entry } from "../../cli/import/sources.ts";
import { DarkroomError } from "../../client/errors.ts";
import { tries } from "../thorough.ts";

const folder = mkdtempSync(join(tmpdir(), "darkroom-import-parts-"));
const servers: Server[] = [];
after(() => {
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
  rmSync(folder, { recursive: true, force: true });
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("with a journal that cannot be written nothing is sent that nobody would know of", async () => {
  const path = join(folder, "a.jpg");
  writeFileSync(path, Buffer.from("ffd8ffe0", "hex"));
  let sent = 0;
  const url: string = await serve((request, response) => {
    if (request.method === "PUT") sent++;
    else if (request.url === "/uploads") {
      response.writeHead(201, { "content-type": "application/json" });
      response.write(
        JSON.stringify({ uploads: [{ id: "1", method: "PUT", url: `${url}/put`, headers: {} }] }),
      );
    }
    response.end();
  });
  const entries = async function* (): AsyncGenerator<Entry> {
    for (let i = 0; i < 10; i++) yield { source: path, owner: `${i}` };
  };
  const lines: string[] = [];
  const full = Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
  // Full after three images: id and sent for each.
  const journal = new Journal(async (line) => {
    if (lines.length === 6) throw full;
    lines.push(line);
  });
  await assert.rejects(
    importAll(entries(), {
      api: apiAt(url, "x"),
      journal,
      folder,
      concurrency: 1,
      wait: undefined,
      signal: new AbortController().signal,
      download: () => assert.fail("nothing to fetch"),
      onDone: () => {},
    }),
    (error: unknown) =>
      error instanceof CliError && /journal cannot be written: The disk is full\./.test(error.message),
  );
  const states = lines.map((line) => (JSON.parse(line) as JournalLine).state);
  assert.deepEqual(states, ["signed", "sent", "signed", "sent", "signed", "sent"]);
  assert.equal(sent, 3);
  await assert.rejects(journal.append({ source: "later", state: "sent" }), /cannot be written/);
});

test("the same content at once is sent once, also where the first to send it fails", async () => {
  const path = join(folder, "same.jpg");
  writeFileSync(path, Buffer.from("ffd8ffe1", "hex"));
  let signed = 0;
  let puts = 0;
  const url: string = await serve((request, response) => {
    if (request.method === "PUT") puts++;
    else {
      signed++;
      const refused = { code: "rate-limited", detail: "Not this one." };
      const upload = { id: `${signed}`, method: "PUT", url: `${url}/put`, headers: {} };
      response.writeHead(signed === 1 ? 422 : 201);
      response.write(JSON.stringify(signed === 1 ? refused : { uploads: [upload] }));
    }
    response.end();
  });
  const entries = async function* (): AsyncGenerator<Entry> {
    for (let ref = 0; ref < 8; ref++) yield { source: path, owner: "o", ref };
  };
  const done: string[] = [];
  await importAll(entries(), {
    api: apiAt(url, "x"),
    journal: new Journal(async () => {}),
    folder,
    concurrency: 8,
    wait: undefined,
    signal: new AbortController().signal,
    download: () => assert.fail("nothing to fetch"),
    onDone: ({ id }, outcome) => done.push(`${outcome} ${id}`),
  });
  assert.deepEqual(done.sort(), [...Array(6).fill("duplicate 2"), "failed undefined", "sent 2"]);
  assert.equal(puts, 1);
});

test("a journal is read up to where a crash cut it, and goes on from there", async () => {
  const path = join(folder, "cut.ndjson");
  const line = { source: "a", owner: "o", state: "sent", id: "1", sha256: "s" };
  writeFileSync(path, `${JSON.stringify(line)}\n\nnonsense\n[1]\n{"source":"b","sta`);
  const { journal, close } = await Journal.open(path);
  assert.equal(journal.entry({ source: "a", owner: "o" })?.id, "1");
  assert.equal(journal.idOf("s", { source: "other", owner: "o" }), "1");
  assert.equal(journal.idOf("s", { source: "a", owner: "another" }), undefined);
  assert.equal(journal.entry({ source: "b" }), undefined);
  await Promise.all(["c", "d", "e"].map((source) => journal.append({ source, state: "signed", id: source })));
  await close();
  const again = await Journal.open(path);
  assert.equal(again.journal.entry({ source: "d" })?.id, "d");
  await again.close();
  assert.match(readFileSync(path, "utf8"), /"sta\n\{"source":"c"/);
  // One at a time; a process that is gone holds nothing.
  const held = await Journal.open(path);
  await assert.rejects(Journal.open(path), new RegExp(`process ${process.pid}\\) uses this journal`));
  await held.close();
  const { pid } = spawnSync(process.execPath, ["--version"]);
  writeFileSync(`${path}.lock`, `${pid}`);
  await (await Journal.open(path)).close();
  await assert.rejects(
    Journal.open(join(folder, "no", "such", "folder")),
    /cannot be opened: There is no such/,
  );
});

/** RFC 4180, read by another hand than wrote it. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let rest = text;
  let row: string[] = [];
  while (rest !== "") {
    const [whole = "", quoted, plain, end] = /^(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/s.exec(rest) ?? [];
    assert.notEqual(whole, "", `not CSV: ${rest.slice(0, 40)}`);
    row.push(quoted?.replaceAll('""', '"') ?? plain ?? "");
    if (end === "\r\n") {
      rows.push(row);
      row = [];
    }
    rest = rest.slice(whole.length);
  }
  return rows;
}

test("no name, whatever is in it, leaves its cell or becomes a formula", () => {
  const name = fc.oneof(fc.string({ unit: "binary" }), fc.stringMatching(/^[=+@\t\r\n\-"',; A1()]*$/));
  fc.assert(
    fc.property(name, fc.oneof(name, fc.json(), fc.constant(undefined)), (source, ref) => {
      const line: Mapped = {
        source,
        ...(ref === undefined ? {} : { ref }),
        status: "ready",
        variants: [{ name: "w1", format: "avif", width: 1, height: 1, url: "https://cdn/x" }],
      };
      const [row, ...others] = parseCsv(csvRows(line));
      assert.deepEqual(others, []);
      assert.equal(row?.length, 11);
      for (const cell of row ?? []) assert.doesNotMatch(cell, /^[=+\-@\t\r\n]/);
      assert.ok(row?.[0] === source || row?.[0] === `'${source}`);
    }),
    { numRuns: tries(25, 200) },
  );
});

const options: FetchOptions = {
  maxBytes: 1000,
  allowPrivate: true,
  pauseMs: 1,
  signal: new AbortController().signal,
};
const fetched = join(folder, "fetched");

test("a download is bounded in size, time and hops, and tried again when the server may recover", async () => {
  let tries = 0;
  const site = await serve((request, response) => {
    switch (request.url) {
      case "/announces":
        response.writeHead(200, { "content-length": 1001 }).end(Buffer.alloc(1001));
        break;
      case "/streams":
        response.write(Buffer.alloc(600));
        response.end(Buffer.alloc(600));
        break;
      case "/round":
        response.writeHead(302, { location: "/round" }).end();
        break;
      case "/file":
        response.writeHead(302, { location: "file:///etc/passwd" }).end();
        break;
      case "/flaky":
        if (++tries < 3) response.writeHead(503).end();
        else response.end("here");
        break;
      case "/gzip":
        response.writeHead(200, { "content-encoding": "gzip" }).end("x");
        break;
      case "/silent":
        response.write("begun");
        break;
      default:
        response.socket?.destroy();
    }
  });
  const refusal = async (path: string, more: Partial<FetchOptions> = {}) => {
    const error: unknown = await fetchFile(`${site}${path}`, fetched, { ...options, ...more }).catch(
      (e) => e,
    );
    assert.ok(error instanceof DarkroomError, String(error));
    return `${error.code}: ${error.message}`;
  };
  assert.match(await refusal("/announces"), /^too-large: .*1000 bytes/);
  assert.match(await refusal("/streams"), /^too-large: .*1000 bytes/);
  assert.match(await refusal("/round"), /^download-failed: More than 5 redirects/);
  assert.match(await refusal("/file"), /^bad-url: Only http and https/);
  assert.match(await refusal("/file", { allowPrivate: false }), /^private-address/);
  assert.match(await refusal("/gzip"), /^download-failed: The server sends it compressed \(gzip\)/);
  assert.match(await refusal("/reset"), /^download-failed: /);
  assert.match(await refusal("/silent", { idleMs: 20 }), /^download-failed: /);
  await fetchFile(`${site}/flaky`, fetched, options);
  assert.equal(readFileSync(fetched, "utf8"), "here");
  // A name that leads to this machine is looked up and refused like the address.
  const byName = site.replace("127.0.0.1", "localhost");
  await assert.rejects(
    fetchFile(`${byName}/flaky`, fetched, { ...options, allowPrivate: false }),
    (error: unknown) => error instanceof DarkroomError && error.code === "private-address",
  );
});

test("addresses are public or they are not", () => {
  for (const address of ["93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946"])
    assert.equal(isPublicAddress(address), true, address);
  const hidden =
    "127.0.0.1 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1 255.255.255.255 " +
    "::1 :: fe80::1 fc00::1 ::ffff:10.0.0.1 64:ff9b::a00:1 fd00:ec2::254 nonsense 2130706433";
  for (const address of hidden.split(" ")) assert.equal(isPublicAddress(address), false, address);
});

test("a token whose hour is over is renewed from the local stack, once for all requests", async () => {
  let current = "second";
  let asked = 0;
  const url: string = await serve((request, response) => {
    if (request.url === "/local.json") {
      asked++;
      response.end(JSON.stringify({ api: url, uploadToken: "upload", adminToken: current }));
    } else if (request.headers.authorization === `Bearer ${current}`) response.end('{"fine":true}');
    else response.writeHead(401).end(JSON.stringify({ code: "unauthenticated", detail: "Expired." }));
  });
  writeFileSync(join(folder, "local.json"), JSON.stringify({ page: url }));
  const before = process.env["DARKROOM_DATA"];
  process.env["DARKROOM_DATA"] = folder;
  try {
    const api = await connect({}, "admin");
    current = "third";
    const answers = await Promise.all([1, 2, 3].map(() => api.call("GET", "/images")));
    assert.deepEqual(answers, [{ fine: true }, { fine: true }, { fine: true }]);
    assert.equal(asked, 2);
    // One that was named cannot be renewed.
    const named = await connect({ api: url, token: "first" }, "admin");
    await assert.rejects(
      named.call("GET", "/images"),
      (e) => e instanceof CliError && e.message === "Expired.",
    );
  } finally {
    if (before === undefined) delete process.env["DARKROOM_DATA"];
    else process.env["DARKROOM_DATA"] = before;
  }
});

test("nothing is left lying about", () => {
  assert.deepEqual(readdirSync(folder).sort(), ["a.jpg", "cut.ndjson", "fetched", "local.json", "same.jpg"]);
});
