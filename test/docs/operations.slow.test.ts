/** What docs/operations.md shows is what the commands print, one after the other, on the same files. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import test, { after, before } from "node:test";
import { DeleteBucketCorsCommand } from "@aws-sdk/client-s3";
import { s3Client, s3Store } from "../../adapters/aws/s3-store.ts";
import { sqsClient, sqsQueue } from "../../adapters/aws/sqs-queue.ts";
import { readRevision } from "../../core/commit.ts";
import { reprocess, stopJob } from "../../core/job/job.ts";
import type { Progress } from "../../core/job/job-progress.ts";
import { metaKey, variantKey } from "../../core/keys.ts";
import type { Metadata } from "../../core/metadata.ts";
import type { ObjectStore } from "../../core/ports.ts";
import config from "../../core/shipped.ts";
import { writeStop } from "../../core/sweep/breaker.ts";
import { readCursor, writeCursor } from "../../core/sweep/sweep-cursor.ts";
import { eventOf } from "../../core/tell/tell.ts";
import { type Stack, startStack } from "../../laptop/stack.ts";
import { compare, examplesOf } from "./examples.ts";

const root = mkdtempSync(join(tmpdir(), "darkroom-docs-"));
const data = join(root, "data");
let stack: Stack;
let uploads: ObjectStore;
let media: ObjectStore;
let invoked = () => {};
/** For each id on the page the one that was printed in its place. */
const ids = new Map<string, string>();

before(async () => {
  stack = await startStack({ port: 0, data, logLevel: "error", onInvocation: () => invoked() });
  const s3 = s3Client({ forcePathStyle: true });
  uploads = s3Store(s3, stack.env["UPLOADS_BUCKET"] ?? "");
  media = s3Store(s3, stack.env["MEDIA_BUCKET"] ?? "");
});
after(async () => {
  await stack.close();
  rmSync(root, { recursive: true, force: true });
});

/** What is there before a section's examples. */
const preparations: Readonly<Record<string, () => Promise<void> | void>> = {
  "Upload files": () => {
    mkdirSync(join(root, "docs"));
    copyFileSync("docs/sample.jpg", join(root, "docs", "sample.jpg"));
    writeFileSync(join(root, "broken.jpg"), readFileSync("docs/sample.jpg").subarray(0, 3000));
    writeFileSync(join(root, "page.jpg"), "<html>404 Not Found</html>\n");
  },
  "Import what exists": () => {
    const site = join(root, "site");
    mkdirSync(site);
    copyFileSync("test/images/valid/base-progressive.jpg", join(site, "lake.jpg"));
    copyFileSync("test/images/valid/base-progressive.jpg", join(site, "lake-copy.jpg"));
    copyFileSync("test/images/valid/anim.gif", join(site, "anim.gif"));
    writeFileSync(join(site, "empty.jpg"), "");
    writeFileSync(join(site, "notes.txt"), "not an image");
    symlinkSync("nowhere", join(site, "broken.jpg"));
  },
  "Before an update": async () => {
    for (const { document } of await readyImages()) await makeStale(document);
  },
  "Look after jobs": async () => {
    // One whose first step became a dead letter, and one that waits for it: their message is lost on the way.
    const backfill = { ...queue("BACKFILL_QUEUE_URL"), send: async () => {} };
    const queues = { backfill, imports: backfill };
    const deps = { uploads, media, ...queues, config, now: () => new Date(), random: randomBytes };
    const start = async (owner: string) =>
      (await reprocess(deps, { select: { owner }, force: false, dryRun: false })) as Progress;
    const { id: job } = await start("shop");
    await stopJob(uploads, { kind: "scan", job, page: 0, scanned: 0, queued: 0 });
    await start("local");
  },
  "Publish static files": () => {
    mkdirSync(join(root, "public", "css"), { recursive: true });
    mkdirSync(join(root, "public", "img"));
    writeFileSync(join(root, "public", "css", "app.css"), "body { background: url(../img/logo.svg) }\n");
    writeFileSync(join(root, "public", "img", "logo.svg"), '<svg xmlns="http://www.w3.org/2000/svg"/>\n');
  },
  "Is everything as it should be?": async () => {
    const client = s3Client({ forcePathStyle: true });
    await client.send(new DeleteBucketCorsCommand({ Bucket: stack.env["UPLOADS_BUCKET"] ?? "" }));
    client.destroy();
  },
  Webhooks: async () => {
    const [{ document } = assert.fail("nothing is ready")] = await readyImages();
    // The two files that are no images, each told of twice.
    await received("image.rejected", 4);
    const [url] = (stack.env["WEBHOOK_URLS"] ?? "").split(" ");
    const letter = { darkroom: "deliver", url, event: eventOf(document) };
    await queue("EVENTS_DEAD_LETTERS_URL").send(JSON.stringify(letter));
  },
  "What the sweep does": async () => {
    // Of a round that found more than it may delete, in a bucket of many more images than are here.
    const [{ document } = assert.fail("nothing is ready")] = await readyImages();
    const deps = { uploads, media, now: () => new Date(), random: randomBytes };
    const startedAt = new Date().toISOString();
    const seen = { originals: 1, images: 1002, owners: 1 };
    const found = { strays: {}, found: {}, ripe: [], doomed: 102, settled: false, longest: 0 };
    const round = { schema: 2, stage: "deletes", startedAt, images: 1, seen, ...found } as const;
    const stopped = await writeStop(deps, round, [document.id], { why: "too-much" });
    const { etag } = await readCursor(uploads);
    assert.ok(await writeCursor(deps, { ...round, stopped }, etag));
  },
};

const queue = (setting: string) => sqsQueue(sqsClient(), stack.env[setting] ?? "");

async function readyImages(): Promise<{ document: Metadata }[]> {
  const { objects } = await uploads.list("originals/");
  const all = await Promise.all(
    objects.map(({ key }) => readRevision(media, key.slice("originals/".length))),
  );
  return all.flatMap(({ document }) => (document?.status === "ready" ? [{ document }] : []));
}

/** As if other sizes had made it: one variant of today's is missing, one of yesterday's stands in its place. */
async function makeStale(document: Metadata): Promise<void> {
  const [missing = assert.fail("no variants"), ...kept] = document.variants;
  const old = { ...missing, key: variantKey(document.id, "w48", "0123456789abcdef", "webp") };
  await media.put(old.key, Buffer.alloc(old.bytes), { type: "image/webp" });
  await media.delete(missing.key);
  const stale = { ...document, recipe: "fedcba9876543210", variants: [old, ...kept] };
  await media.put(metaKey(document.id), JSON.stringify(stale), { type: "application/json" });
}

/** Until the page's own receiver was told so many of a kind. */
async function received(type: string, count: number): Promise<void> {
  for (;;) {
    const next = new Promise<void>((wake) => {
      invoked = wake;
    });
    const answer = await fetch(`${stack.page}/webhooks.json`);
    const { webhooks } = (await answer.json()) as { webhooks: { event: { type: string } }[] };
    if (webhooks.filter(({ event }) => event.type === type).length >= count) return;
    await next;
  }
}

/** As a terminal shows it. With `stopAfter` Ctrl-C is pressed when so many lines are there. */
async function darkroom(args: readonly string[], stopAfter?: number): Promise<string> {
  const file = join(root, `terminal-${randomUUID()}`);
  // Both into one file: what is printed where makes no difference to its order.
  const terminal = openSync(file, "w");
  const child = spawn(process.execPath, [resolve("cli/darkroom.ts"), ...args], {
    env: {
      ...process.env,
      DARKROOM_DATA: data,
      XDG_CACHE_HOME: join(root, "cache"),
      LOG_LEVEL: "info",
      NO_COLOR: "1",
    },
    cwd: root,
    stdio: ["ignore", stopAfter === undefined ? terminal : "pipe", terminal],
  });
  let out = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    const before = out.split("\n").length;
    out += chunk;
    // Once: a second time means at once.
    if (stopAfter && before <= stopAfter && out.split("\n").length > stopAfter) child.kill("SIGINT");
  });
  await once(child, "close");
  closeSync(terminal);
  return out + readFileSync(file, "utf8");
}

/** Those that are not ours are run as what they come to: `serverless invoke local` calls the function. */
async function run(command: string, shown: readonly string[]): Promise<string> {
  const [, name = "", event = ""] =
    /^npx serverless invoke local -s local -f (\w+) -d '(.*)'$/.exec(command) ?? [];
  if (name) return JSON.stringify(await stack.invoke(name, JSON.parse(event)), undefined, 4);
  const [program, ...args] = command.split(" ");
  assert.equal(program, "darkroom", `${command}: nobody runs it here`);
  const stop = shown.indexOf("^C");
  // Another port than on the page: whatever else listens there.
  return stop < 0 ? darkroom(args) : darkroom([...args, "--health-port", "0"], stop);
}

test("operations.md shows what is printed", async () => {
  const examples = examplesOf(readFileSync("docs/operations.md", "utf8"));
  const late: Promise<void>[] = [];
  let section = "";
  for (const { heading, command, shown } of examples) {
    if (heading !== section) await preparations[heading]?.();
    section = heading;
    const typed = command.replaceAll(/[0-9a-z]{20,26}/g, (id) => ids.get(id) ?? id);
    const example = { heading, command, shown: shown.filter((line) => line !== "^C") };
    const printed = run(typed, shown);
    // A worker takes seconds to come back from its empty queues; nothing on the page waits for it.
    if (shown.includes("^C")) late.push(printed.then((text) => void compare(example, text)));
    else for (const [onPage, ours] of compare(example, await printed)) ids.set(onPage, ours);
  }
  await Promise.all(late);
  const headings = new Set(examples.map(({ heading }) => heading));
  assert.deepEqual(
    Object.keys(preparations).filter((heading) => !headings.has(heading)),
    [],
  );
});
