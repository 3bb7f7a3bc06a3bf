/** `darkroom import` as its user runs it, against a running stack, with everything a folder can hold. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import test, { after, before, beforeEach } from "node:test";
import sharp from "sharp";
import { s3Client, s3Store } from "../../adapters/aws/s3-store.ts";
import type { Mapped } from "../../cli/import/mapping.ts";
import { ownerPrefix } from "../../core/keys.ts";
import { type Stack, startStack } from "../../laptop/stack.ts";
import { darkroom as run } from "./darkroom.ts";

const root = mkdtempSync(join(tmpdir(), "darkroom-import-test-"));
const picture = join(root, "one.png");
const other = join(root, "two.webp");
let stack: Stack;
/** Originals that were put, as S3 saw the requests come. */
let puts: string[] = [];
let onPut: () => void = () => {};
let folder = "";
let out = "";

before(async () => {
  const blank = sharp({ create: { width: 40, height: 30, channels: 3, background: "#246" } });
  await blank.clone().png().toFile(picture);
  await blank.clone().webp().toFile(other);
  stack = await startStack({
    port: 0,
    data: join(root, "data"),
    logLevel: "error",
    s3Fault: ({ method, key }) => {
      if (method === "PUT" && key?.startsWith("originals/")) {
        puts.push(key);
        onPut();
      }
      return undefined;
    },
  });
});
after(async () => {
  await stack.close();
  rmSync(root, { recursive: true, force: true });
});
let cases = 0;
beforeEach(() => {
  folder = join(root, `case-${cases++}`);
  out = join(folder, "out");
  mkdirSync(folder);
  puts = [];
  onPut = () => {};
});

const env = { DARKROOM_DATA: join(root, "data") };
const darkroom = (args: string[], input?: string) =>
  run(["import", "--out", out, ...args], { env, ...(input === undefined ? {} : { input }) });
const mapping = () =>
  new Map(
    readFileSync(`${out}.ndjson`, "utf8")
      .trim()
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Mapped)
      .map((line) => [line.source.replace(`${folder}/`, ""), line]),
  );

test("a folder: every image once, what is no image left alone, and all of it in the mapping", async () => {
  const photos = join(folder, "photos");
  mkdirSync(join(photos, "inner", ".thumbnails"), { recursive: true });
  copyFileSync(picture, join(photos, "one.png"));
  copyFileSync(picture, join(photos, "inner", "copy.png"));
  // The content counts, whatever it is called.
  copyFileSync(other, join(photos, "inner", "no-extension"));
  copyFileSync(other, join(photos, "inner", ".thumbnails", "hidden.webp"));
  writeFileSync(join(photos, "notes.txt"), "not an image");
  writeFileSync(join(photos, "nothing"), "");

  const first = await darkroom(["--owner", "shop", photos]);
  assert.equal(first.status, 0, first.err);
  assert.match(
    first.out,
    /^2 ready, 1 with the content of another, 2 skipped as no image; .* sent in \d+:\d\d\n$/,
  );
  assert.equal(puts.length, 2);
  const lines = mapping();
  assert.deepEqual([...lines.keys()].sort(), [
    "photos/inner/copy.png",
    "photos/inner/no-extension",
    "photos/one.png",
  ]);
  const one = lines.get("photos/one.png");
  assert.equal(one?.status, "ready");
  assert.equal(one?.owner, "shop");
  assert.equal(one?.sha256, createHash("sha256").update(readFileSync(picture)).digest("base64"));
  assert.equal(lines.get("photos/inner/copy.png")?.id, one?.id);
  const webp = one?.variants.find(({ name, format }) => name === "w40" && format === "webp");
  assert.equal((await fetch(webp?.url ?? "")).headers.get("content-type"), "image/webp");
  const csv = readFileSync(`${out}.csv`, "utf8").split("\r\n");
  assert.equal(csv[0], "source,ref,owner,id,status,variant,format,width,height,url,error");
  assert.ok(csv.includes(`${join(photos, "one.png")},,shop,${one?.id},ready,w40,webp,40,30,${webp?.url},`));

  const second = await darkroom(["--owner", "shop", photos]);
  assert.equal(second.status, 0);
  assert.match(second.out, /^3 done before, 2 skipped as no image; 0 B sent/);
  assert.equal(puts.length, 2);
  assert.deepEqual(mapping(), lines);

  // Touched, it is hashed again and found; changed, it is another image.
  writeFileSync(join(photos, "inner", "copy.png"), readFileSync(picture));
  copyFileSync(other, join(photos, "one.png"));
  const third = await darkroom(["--owner", "shop", photos]);
  assert.match(third.out, /^1 with the content of another, 2 done before/);
  assert.equal(puts.length, 2);
  assert.equal(mapping().get("photos/one.png")?.id, lines.get("photos/inner/no-extension")?.id);

  // For another owner the same bytes are another image.
  assert.match((await darkroom(["--owner", "other", picture])).out, /^1 ready/);
  assert.equal(puts.length, 3);
});

test("what cannot be imported is named with its reason, and spoils nothing else", async () => {
  const photos = join(folder, "photos");
  mkdirSync(join(photos, "sub"), { recursive: true });
  copyFileSync(picture, join(photos, "good.png"));
  symlinkSync("good.png", join(photos, "alias.png"));
  symlinkSync("nowhere.png", join(photos, "broken.png"));
  symlinkSync("..", join(photos, "sub", "up"));
  symlinkSync("itself", join(photos, "itself"));
  symlinkSync(other, join(photos, "outside.webp"));
  writeFileSync(join(photos, "empty.jpg"), "");
  // As an old disk has it: Latin-1.
  writeFileSync(Buffer.concat([Buffer.from(`${photos}/b`), Buffer.from([0xe4]), Buffer.from("r.jpg")]), "x");
  writeFileSync(join(photos, "text.jpg"), "<html></html>");
  execFileSync("mkfifo", [join(photos, "pipe.jpg")]);
  const { status, out: printed } = await darkroom(["--owner", "shop", photos]);
  assert.equal(status, 1);
  const reason = (name: string) => new RegExp(`✗ .*${name} {2}(\\S+): (.*)\n`).exec(printed)?.slice(1);
  assert.deepEqual(reason("broken.png"), [
    "link-broken",
    "The link leads to nowhere.png, which is not there.",
  ]);
  assert.deepEqual(reason("sub/up"), ["link-loop", "The link leads in a circle."]);
  assert.deepEqual(reason("itself"), ["link-loop", "The link leads in a circle."]);
  assert.deepEqual(reason("outside.webp"), ["link-outside", "The link leads out of the folder."]);
  assert.equal(reason("empty.jpg")?.[0], "file-empty");
  assert.equal(reason("text.jpg")?.[0], "unsupported-format");
  assert.equal(reason("pipe"), undefined, "nobody waits at a pipe");
  assert.deepEqual(reason("b\ufffdr.jpg"), ["bad-name", "Its name is not UTF-8; rename it (convmv does)."]);
  assert.match(printed, /^1 ready, 1 with the content of another, 7 failed;/m);
  assert.equal(mapping().get("photos/alias.png")?.id, mapping().get("photos/good.png")?.id);
  assert.equal(mapping().get("photos/text.jpg")?.error?.code, "unsupported-format");

  // A second run asks what became of it instead of sending it again.
  puts = [];
  assert.equal((await darkroom(["--owner", "shop", photos])).status, 1);
  assert.deepEqual(puts, []);
});

test("a list may hold paths, URLs and manifest lines; each bad one is named", async () => {
  const list = join(folder, "list.txt");
  const long = join(folder, "x".repeat(300));
  const lines = [
    picture,
    "",
    `${other}\r`,
    JSON.stringify({ source: picture, owner: "anna", ref: { table: "photos", id: 7 }, preset: "avatar" }),
    JSON.stringify({ source: picture, owner: "anna", ref: 8, preset: "avatar", focus: { x: 0.2, y: 1 } }),
    JSON.stringify({ source: picture, presett: "avatar" }),
    '{"source": ',
    folder,
    join(folder, "missing.jpg"),
    long,
    join(folder, "pipe"),
    "a".repeat(70_000),
  ];
  execFileSync("mkfifo", [join(folder, "pipe")]);
  writeFileSync(list, lines.join("\n"));
  const { status, out: printed } = await darkroom(["--json", "--owner", "shop", list]);
  assert.equal(status, 1);
  const documents = printed
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Mapped);
  const failed = documents.filter((line) => line.status === "failed");
  assert.deepEqual(
    failed.map(({ source, error }) => [source.replace(folder, "").slice(0, 12), error?.code]).sort(),
    [
      ["", "not-a-file"],
      ["/missing.jpg", "unreadable"],
      ["/pipe", "not-a-file"],
      ["/xxxxxxxxxxx", "unreadable"],
      ["aaaaaaaaaaaa", "bad-line"],
      ['{"source": ', "bad-line"],
      ['{"source":"/', "bad-line"],
    ],
  );
  assert.ok(failed.some(({ error }) => error?.message.includes('"presett"')));
  const ready = documents.filter((line) => line.status === "ready");
  assert.deepEqual(
    ready.map(({ source, owner, ref }) => [source, owner, ref]).sort(),
    [
      [picture, "anna", 8],
      [picture, "anna", { table: "photos", id: 7 }],
      [picture, "shop", undefined],
      [other, "shop", undefined],
    ].sort(),
  );
  // Another focus makes other variants.
  assert.equal(new Set(ready.map(({ id }) => id)).size, 4);
  const client = s3Client({ forcePathStyle: true });
  const { objects } = await s3Store(client, stack.env["UPLOADS_BUCKET"] ?? "").list(ownerPrefix("anna"));
  client.destroy();
  assert.equal(objects.length, 2);
});

test("standard input, as find writes it", async () => {
  const odd = join(folder, "two\nlines.png");
  copyFileSync(picture, odd);
  const { status, out: printed } = await darkroom(["--owner", "find", "-0", "-"], `${odd}\0${other}\0`);
  assert.equal(status, 0, printed);
  assert.deepEqual([...mapping().keys()].sort(), [other, "two\nlines.png"].sort());
  const ownerless = await darkroom(["-"], picture);
  assert.equal(ownerless.status, 1);
  assert.match(ownerless.out, /no-owner: Neither its line nor --owner says whose it is\./);
  const missing = await darkroom(["--owner", "x", picture, join(folder, "missing")]);
  assert.equal(missing.status, 2);
  assert.match(missing.err, /There is no such file or folder/);
});

test("without waiting it is mapped by a later run", async () => {
  const { out: printed } = await darkroom(["--no-wait", "--owner", "later", picture]);
  assert.match(printed, /^1 sent;/);
  assert.equal(mapping().get(picture)?.status, "processing");
  assert.match((await darkroom(["--no-wait", "--owner", "later", picture])).out, /^1 done before;/);
  assert.match((await darkroom(["--owner", "later", picture])).out, /^1 ready;/);
  assert.equal(mapping().get(picture)?.status, "ready");
  assert.equal(puts.length, 1);
});

/** Stops the command by a signal while S3 takes the second image; resolves with its exit. */
async function interrupted(signal: "SIGINT" | "SIGKILL"): Promise<{ code: number | null; err: string }> {
  const child = spawn(
    process.execPath,
    ["cli/darkroom.ts", "import", "--out", out, "--owner", signal, "--json", "-c", "1", "-"],
    { env: { ...process.env, ...env, NO_COLOR: "1" } },
  );
  let err = "";
  child.stderr.on("data", (chunk: Buffer) => {
    err += chunk.toString();
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  child.stdin.on("error", () => {});
  child.stdin.write(`${picture}\n`);
  // Its document on standard output: the first one is ready.
  for await (const _ of createInterface({ input: child.stdout })) break;
  onPut = () => child.kill(signal);
  // The third is never begun, and the input stays open.
  child.stdin.write(`${other}\n${join(folder, "third.png")}\n`);
  return { code: await ended, err };
}

test("Ctrl-C finishes what is being sent, and the next run goes on there", async () => {
  copyFileSync(picture, join(folder, "third.png"));
  const { code, err } = await interrupted("SIGINT");
  assert.equal(code, 130, err);
  assert.match(err, /Finishing what is on its way/);
  assert.match(err, /Run the same command again to go on\.\n$/);
  assert.equal(mapping().get(picture)?.status, "ready");
  assert.equal(mapping().get(other)?.status, "processing");
  assert.equal(mapping().size, 2);
  const again = await darkroom(
    ["--owner", "SIGINT", "-"],
    [picture, other, join(folder, "third.png")].join("\n"),
  );
  assert.equal(again.status, 0, again.out);
  assert.match(again.out, /^1 ready, 1 with the content of another, 1 done before/);
  assert.equal(puts.length, 2);
});

test("killed without a word it repeats at most what was on its way", async () => {
  copyFileSync(picture, join(folder, "third.png"));
  const { code } = await interrupted("SIGKILL");
  assert.equal(code, null);
  const again = await darkroom(
    ["--owner", "SIGKILL", "-"],
    [picture, other, join(folder, "third.png")].join("\n"),
  );
  assert.equal(again.status, 0, again.out);
  // S3 may have had the second in full or not; either way there is one of it.
  const client = s3Client({ forcePathStyle: true });
  const { objects } = await s3Store(client, stack.env["UPLOADS_BUCKET"] ?? "").list(ownerPrefix("SIGKILL"));
  client.destroy();
  assert.equal(objects.length, 2);
  assert.equal(mapping().get(other)?.status, "ready");
});

test("a mapping that cannot be written costs nothing: the journal has it", async () => {
  // Where there is such a device, writing to it says that the disk is full.
  const full = existsSync("/dev/full");
  assert.ok(full || process.platform !== "linux");
  if (full) symlinkSync("/dev/full", `${out}.ndjson`);
  else mkdirSync(`${out}.ndjson`);
  const { status, err } = await darkroom(["--owner", "full", picture]);
  assert.equal(status, 1);
  assert.match(err, /out\.ndjson cannot be written: .*The journal has all of it/);
  if (full) assert.match(err, /The disk is full\./);
  rmSync(`${out}.ndjson`, { recursive: true });
  const again = await darkroom(["--owner", "full", picture]);
  assert.equal(again.status, 0);
  assert.match(again.out, /^1 done before;/);
  assert.equal(mapping().get(picture)?.status, "ready");
  // A journal cut short by a full disk, as one that a crash left behind.
  writeFileSync(`${out}.journal.ndjson`, `${readFileSync(`${out}.journal.ndjson`, "utf8")}{"source":"cut`);
  assert.match((await darkroom(["--owner", "full", other])).out, /^1 ready;/);
  assert.equal(mapping().size, 2);
});

test("URLs are fetched, those at private addresses only on request", async () => {
  const server: Server = createServer((request, response) => {
    if (request.url === "/a%20picture.png") response.end(readFileSync(picture));
    else if (request.url === "/moved") response.writeHead(302, { location: "/a%20picture.png" }).end();
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const site = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const list = `${site}/a%20picture.png\n${site}/moved\n${site}/gone.jpg\n`;
  try {
    const refused = await darkroom(["--owner", "web", "-"], list);
    assert.equal(refused.status, 1);
    assert.equal(refused.out.match(/private-address: It is at a private address/g)?.length, 3);
    const fetched = await darkroom(["--owner", "web", "--allow-private", "-"], list);
    assert.equal(fetched.status, 1);
    assert.match(fetched.out, /✗ .*gone\.jpg {2}download-failed: The server answers 404\./);
    assert.match(fetched.out, /^1 ready, 1 with the content of another, 1 failed;/m);
    assert.equal(puts.length, 1);

    // The same by the deployment: a job, whose images wait for nobody here.
    const remote = ["--remote", "--out", join(folder, "remote"), "--owner", "far"];
    const far = await darkroom([...remote, "-"], `${list}${picture}\n`);
    assert.equal(far.status, 1);
    assert.match(far.out, /✗ .*gone\.jpg {2}download-failed: The server answers 404\./);
    assert.match(far.out, /✗ .*one\.png {2}bad-url: Only http and https URLs/);
    assert.match(far.out, /^2 ready, 2 failed;/m);
    assert.equal(puts.length, 3);
    const lines = readFileSync(join(folder, "remote.ndjson"), "utf8").trim().split("\n");
    const ready = lines.map((line) => JSON.parse(line) as Mapped).filter(({ status }) => status === "ready");
    assert.deepEqual(
      ready.map(({ owner, variants }) => [owner, variants.some(({ name }) => name === "w40")]),
      [
        ["far", true],
        ["far", true],
      ],
    );
    // Without its journal: nothing is fetched twice.
    rmSync(join(folder, "remote.journal.ndjson"));
    const again = await darkroom([...remote, "-"], list);
    assert.match(again.out, /^2 done before, 1 failed;/m);
    assert.equal(puts.length, 3);
  } finally {
    server.close();
    server.closeAllConnections();
  }
});
