/**
 * `darkroom worker` from the files and packages that the Dockerfile takes, against an S3 and an SQS server that know
 * nothing of it. Without Docker: the steps of the file are carried out here, one by one.
 */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import test, { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { type LocalS3, startS3 } from "local-aws/s3";
import { type LocalSqs, startSqs } from "local-aws/sqs";
import { parse } from "yaml";
import { s3Client, s3Store } from "../../adapters/aws/s3-store.ts";
import { sqsClient, sqsQueue } from "../../adapters/aws/sqs-queue.ts";
import { settings } from "../../adapters/environment.ts";
import { metaKey, originalKey } from "../../core/keys.ts";
import { writeUploadMetadata } from "../../core/upload-metadata.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const dockerfile = readFileSync(`${ROOT}Dockerfile`, "utf8");
const folder = mkdtempSync(join(tmpdir(), "darkroom-worker-"));
const image = join(folder, "image");
const credentials = { accessKeyId: "theirs", secretAccessKey: "their secret" };
const region = "us-east-1";

let s3: LocalS3;
let sqs: LocalSqs;
let env: Record<string, string>;
/** Called when the original is read. */
let onRead: (() => void) | undefined;

before(async () => {
  mkdirSync(image);
  for (const [, from = "", to = ""] of dockerfile.matchAll(/^COPY (.+) (\S+)$/gm)) {
    const sources = from.split(" ");
    for (const source of globSync(sources, { cwd: ROOT }))
      cpSync(`${ROOT}${source}`, join(image, sources.length > 1 ? source : to), { recursive: true });
  }
  execFileSync("npm", ["ci", "--omit=dev", "--ignore-scripts"], {
    cwd: image,
    env: { ...process.env, npm_config_local_prefix: undefined, NODE_ENV: "production" },
    shell: process.platform === "win32",
  });
  sqs = await startSqs({ data: join(folder, "sqs"), port: 0, credentials, region });
  s3 = await startS3({
    data: join(folder, "s3"),
    port: 0,
    credentials,
    region,
    notify: (arn, body) => sqs.send(arn, body),
    fault: ({ method, key }) => {
      if (method === "GET" && key?.startsWith("originals/")) onRead?.();
      return undefined;
    },
  });
  env = {
    PATH: process.env["PATH"] ?? "",
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_ENDPOINT_URL_S3: s3.url,
    AWS_ENDPOINT_URL_SQS: sqs.url,
    UPLOADS_BUCKET: "their-uploads",
    MEDIA_BUCKET: "their-media",
    MEDIA_URL: "https://media.example.com",
    LOG_LEVEL: "info",
  };
});
after(async () => {
  await s3?.close();
  await sqs?.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Line {
  readonly event: string;
  readonly id?: string;
  readonly status?: string;
  readonly health?: string;
}

/** The process, and its log as it comes. */
class Worker {
  readonly child: ChildProcess;
  readonly #lines: Line[] = [];
  #wake = () => {};

  constructor(args: string[], changes: Record<string, string> = {}) {
    this.child = spawn(process.execPath, ["cli/darkroom.ts", "worker", "--health-port", "0", ...args], {
      cwd: image,
      env: { ...env, ...changes },
      stdio: ["ignore", "pipe", "inherit"],
    });
    if (!this.child.stdout) throw new Error("no output");
    createInterface({ input: this.child.stdout }).on("line", (line) => {
      if (line.startsWith("{")) this.#lines.push(JSON.parse(line));
      this.#wake();
    });
    this.child.on("exit", () => this.#wake());
  }

  /** The first line that fits, once it is there. */
  async line(fits: (line: Line) => boolean): Promise<Line> {
    for (;;) {
      const found = this.#lines.find(fits);
      if (found) return found;
      if (this.child.exitCode !== null) throw new Error(`ended with ${this.child.exitCode}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<number | null> {
    const ended = once(this.child, "exit");
    this.child.kill(signal);
    const [code] = (await ended) as [number | null];
    return code;
  }
}

const stores = () => {
  const client = s3Client({ endpoint: s3.url, region, credentials, forcePathStyle: true });
  return { client, uploads: s3Store(client, "their-uploads"), media: s3Store(client, "their-media") };
};

async function upload(id: string): Promise<void> {
  const { client, uploads } = stores();
  const metadata = writeUploadMetadata({ owner: "o", preset: "avatar", filename: "a.jpg" });
  await uploads.put(originalKey(id), readFileSync(`${ROOT}docs/sample.jpg`), {
    type: "image/jpeg",
    metadata,
  });
  client.destroy();
}
const status = async (id: string): Promise<string | undefined> => {
  const { client, media } = stores();
  const found = await media.get(metaKey(id));
  const chunks: Uint8Array[] = [];
  for await (const chunk of found?.body ?? []) chunks.push(chunk);
  client.destroy();
  return found ? (JSON.parse(Buffer.concat(chunks).toString()) as { status: string }).status : undefined;
};

const [FIRST, SECOND] = ["0123456789abcdefghjkmnpqrs", "1123456789abcdefghjkmnpqrs"];

test("it makes what is missing, develops what is uploaded, says how it is, and ends when told", async () => {
  const worker = new Worker(["--set-up"]);
  const { health = "" } = await worker.line(({ event }) => event === "worker started");
  await upload(FIRST);
  await worker.line(({ event, id }) => event === "developed" && id === FIRST);
  assert.equal(await status(FIRST), "ready");
  const answer = await fetch(health);
  assert.equal(answer.status, 200);
  const { status: said, queues } = (await answer.json()) as {
    status: string;
    queues: Record<string, unknown>;
  };
  assert.equal(said, "ok");
  assert.ok(queues["darkroom-images"]);
  assert.equal((await fetch(health.replace("/health", "/"))).status, 404);
  assert.equal(await worker.stop(), 0);
});

test("told to stop while it develops, it ends the image or gives it back; another finds it", async () => {
  const worker = new Worker(["--grace", "20"]);
  await worker.line(({ event }) => event === "worker started");
  const read = new Promise<void>((resolve) => {
    onRead = resolve;
  });
  await upload(SECOND);
  await read;
  assert.equal(await worker.stop(), 0);
  onRead = undefined;
  const client = sqsClient({ endpoint: sqs.url, region, credentials });
  const left = await sqsQueue(client, `${sqs.url}/000000000000/darkroom-images`).receive({ max: 1 });
  client.destroy();
  assert.ok((await status(SECOND)) === "ready" || left.length === 1, "neither done nor given back");
});

test("a missing setting, or a server without the queues, is said before anything is done", async () => {
  const said = async (args: string[], changes: Record<string, string>) => {
    const child = spawn(process.execPath, ["cli/darkroom.ts", "worker", "--health-port", "0", ...args], {
      cwd: image,
      env: { ...env, ...changes },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let text = "";
    child.stderr.on("data", (chunk) => {
      text += chunk;
    });
    const [code] = (await once(child, "close")) as [number];
    return `${code} ${text}`;
  };
  assert.match(await said([], { MEDIA_URL: "" }), /^1 [\s\S]*MEDIA_URL is not set/);
  const empty = await startSqs({ data: join(folder, "empty"), port: 0, credentials, region });
  try {
    assert.match(
      await said([], { AWS_ENDPOINT_URL_SQS: empty.url }),
      /^1 [\s\S]*There is no queue darkroom-.*--set-up/,
    );
  } finally {
    await empty.close();
  }
});

test("Dockerfile and compose file name what there is", () => {
  const [, base = ""] = /^FROM node:(\d+)-/m.exec(dockerfile) ?? [];
  const { devDependencies } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8"));
  assert.equal(base, devDependencies.node.split(".")[0]);
  assert.match(dockerfile, /^USER node$/m);
  const compose = parse(readFileSync(`${ROOT}compose.yml`, "utf8")) as {
    services: Record<string, { environment?: Record<string, string>; ports?: string[] }>;
  };
  const known = new Set([...Object.keys(settings), "AWS_ENDPOINT_URL_SQS"]);
  const given = Object.keys(compose.services["worker"]?.environment ?? {});
  assert.deepEqual(
    given.filter((name) => !known.has(name)),
    [],
  );
  for (const { ports = [] } of Object.values(compose.services))
    for (const port of ports) assert.match(port, /^127\.0\.0\.1:/, "open to the network");
});
