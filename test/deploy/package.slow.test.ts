/** `npx serverless package` for real, without AWS: what is in the zips, and that they run. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { buffer } from "node:stream/consumers";
import test, { after, before } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { s3Client, s3Store } from "../../adapters/aws/s3-store.ts";
import { CACHE } from "../../adapters/project.ts";
import { assertTarget, targetPackages } from "../../deploy/target.ts";
import { unzip } from "../../deploy/zip.ts";
import { fillPlaceholders } from "../../laptop/placeholders.ts";
import { seedSamples } from "../../laptop/samples.ts";
import { startStack } from "../../laptop/stack.ts";
import { assertOutcome, sampleEvents } from "../events/cases.ts";
import { fakeLambda } from "./fake-lambda.ts";
import { packageInto, ROOT, serverless } from "./packaged.ts";

const run = promisify(execFile);
/** Bytes that a zip may have, what Lambda loads before it can answer: 80,000 where nothing calls AWS, sharp in the worker's. */
const budgetOf = (name: string) => ({ presign: 80_000, worker: 12_000_000 })[name] ?? 250_000;
const FUNCTIONS = readdirSync(join(ROOT, "functions"))
  .map((file) => basename(file, ".ts"))
  .sort();

/** Inside the repository, where the packaged worker finds this machine's sharp in place of the target's. */
const unpacked = join(ROOT, ".cache", "darkroom", `test-${process.pid}`);
let packaged: string;
const zips = new Map<string, Map<string, Buffer>>();

before(async () => {
  packaged = await mkdtemp(join(tmpdir(), "darkroom-package-"));
  await packageInto(packaged);
  for (const name of FUNCTIONS) zips.set(name, unzip(await readFile(join(packaged, `${name}.zip`))));
  for (const [name, entries] of zips) {
    for (const [file, bytes] of entries) {
      if (file.includes("node_modules/")) continue;
      await mkdir(dirname(join(unpacked, name, file)), { recursive: true });
      await writeFile(join(unpacked, name, file), bytes);
    }
  }
});
after(async () => {
  await rm(packaged, { recursive: true, force: true });
  await rm(unpacked, { recursive: true, force: true });
});

test("one zip per function, within its budget", async () => {
  assert.deepEqual(
    (await readdir(packaged)).filter((file) => file.endsWith(".zip")).sort(),
    FUNCTIONS.map((name) => `${name}.zip`),
  );
  for (const name of FUNCTIONS) {
    const { length } = await readFile(join(packaged, `${name}.zip`));
    const limit = budgetOf(name);
    assert.ok(length <= limit, `${name}.zip has ${length} bytes, at most ${limit} are planned`);
  }
});

test("a zip holds the bundle, for the worker its child and native code for the target, and nothing else", () => {
  for (const [name, entries] of zips) {
    const own = [...entries.keys()].filter((file) => !file.startsWith("node_modules/"));
    assert.deepEqual(
      own,
      name === "worker" ? ["child.mjs", "chunk.mjs", "heic.mjs", "index.mjs"] : ["index.mjs"],
      name,
    );
  }
  const worker = zips.get("worker") ?? new Map<string, Buffer>();
  assertTarget(worker, ["sharp"]);
  const packages = new Set(
    [...worker.keys()].map((file) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? ""),
  );
  packages.delete("");
  assert.deepEqual([...packages].sort(), ["@img/sharp-libvips-linux-arm64", "@img/sharp-linux-arm64"]);
  const surplus = [...worker.keys()].filter((file) =>
    /\.(map|md|[cm]?ts|cc|h|gyp)$|(^|\/)tests?\//.test(file),
  );
  assert.deepEqual(surplus, []);
});

test("source maps are kept beside the zips, and name our sources", async () => {
  for (const [name, entries] of zips) {
    for (const [file, bytes] of entries) {
      // chunk.mjs is esbuild's own: how its modules call each other.
      if (!file.endsWith(".mjs") || file.startsWith("node_modules/") || file === "chunk.mjs") continue;
      assert.ok(!bytes.includes("sourceMappingURL="), `${name}/${file}`);
      const map = JSON.parse(await readFile(join(packaged, "source-maps", name, `${file}.map`), "utf8")) as {
        sources: string[];
      };
      const entry =
        file === "index.mjs"
          ? new RegExp(`functions/${name}\\.ts$`)
          : new RegExp(`pixels/(\\w+/)?${file.replace(".mjs", "\\.ts")}$`);
      assert.ok(
        map.sources.some((source) => entry.test(source)),
        `${name}/${file}.map`,
      );
    }
  }
});

test("again, and without a registry: the same bytes", async () => {
  const again = await mkdtemp(join(tmpdir(), "darkroom-package-"));
  try {
    await packageInto(again, [], { npm_config_registry: "http://127.0.0.1:9/", npm_config_offline: "true" });
    for (const name of FUNCTIONS) assert.equal(await hashOf(again, name), await hashOf(packaged, name), name);
  } finally {
    await rm(again, { recursive: true, force: true });
  }
});

const hashOf = async (folder: string, name: string) =>
  createHash("sha256")
    .update(await readFile(join(folder, `${name}.zip`)))
    .digest("hex");

test("a stage whose names AWS would refuse is refused before anything is packaged", async () => {
  const folder = await mkdtemp(join(tmpdir(), "darkroom-package-"));
  try {
    await assert.rejects(packageInto(folder, [], {}, "Prod"), ({ stdout, stderr }: Record<string, string>) =>
      /The stage "Prod" would be part of buckets' names/.test(`${stdout}${stderr}`),
    );
    assert.deepEqual(await readdir(folder), []);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("deploy reads the account's limit, packages, and goes on to CloudFormation", async () => {
  const lambda = await fakeLambda({ limit: 10, unreserved: 10 });
  const asked: string[] = [];
  const cloudFormation = createServer(async (request, response) => {
    const body = (await buffer(request)).toString();
    const [, action] = /^secretsmanager\.(\w+)$/.exec(String(request.headers["x-amz-target"])) ?? [];
    asked.push(action ?? new URLSearchParams(body).get("Action") ?? "");
    if (action === undefined) response.writeHead(403).end();
    else if (action === "CreateSecret") response.end("{}");
    else response.writeHead(400, { "x-amzn-errortype": "ResourceNotFoundException" }).end("{}");
  });
  await new Promise<void>((resolve) => cloudFormation.listen(0, "127.0.0.1", resolve));
  const elsewhere = `http://127.0.0.1:${(cloudFormation.address() as AddressInfo).port}`;
  try {
    await assert.rejects(
      serverless(["deploy"], {
        AWS_ACCESS_KEY_ID: "key",
        AWS_SECRET_ACCESS_KEY: "secret",
        AWS_ENDPOINT_URL: elsewhere,
        AWS_ENDPOINT_URL_LAMBDA: lambda.config.endpoint,
      }),
      ({ stderr }: { stderr: string }) => /runs 10 functions at once.*2, 2, 2, 2, 2 instead of/.test(stderr),
    );
    assert.ok(asked.includes("DescribeStacks"), asked.join());
    assert.ok(
      asked.indexOf("CreateSecret") < asked.indexOf("DescribeStacks"),
      "the keys of private images first",
    );
  } finally {
    lambda.close();
    cloudFormation.close();
    cloudFormation.closeAllConnections();
  }
});

test("native code that is not what the lockfile says is refused, and not kept", async () => {
  const root = await mkdtemp(join(tmpdir(), "darkroom-tampered-"));
  try {
    const lockfile = JSON.parse(await readFile(join(ROOT, "package-lock.json"), "utf8")) as {
      packages: Record<string, { integrity?: string }>;
    };
    const locked = lockfile.packages["node_modules/@img/sharp-linux-arm64"];
    assert.ok(locked?.integrity);
    locked.integrity = `sha512-${createHash("sha512").update("something else").digest("base64")}`;
    await writeFile(join(root, "package-lock.json"), JSON.stringify(lockfile));
    const targets = async () =>
      (await readdir(new URL("darkroom/", CACHE))).filter((name) => /^target/.test(name));
    const before = await targets();
    await assert.rejects(
      targetPackages(["sharp"], pathToFileURL(`${root}/`)),
      /not as the lockfile has it: node_modules\/@img\/sharp-linux-arm64/,
    );
    assert.deepEqual(await targets(), before);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});

/** A packaged function in a Node of its own, as Lambda runs it: no repository, no TypeScript. */
async function invoke(name: string, event: unknown, env: Record<string, string>): Promise<unknown> {
  const script = `
    const { handler } = await import(${JSON.stringify(pathToFileURL(join(unpacked, name, "index.mjs")).href)});
    const event = JSON.parse(process.env.EVENT);
    const answer = await handler(event, { awsRequestId: "1", getRemainingTimeInMillis: () => 300_000 });
    console.log(JSON.stringify({ answer }));
    process.exit();`;
  const { stdout } = await run(process.execPath, ["--input-type=module", "--no-strip-types", "-e", script], {
    cwd: join(unpacked, name),
    env: { ...env, EVENT: JSON.stringify(event) },
  });
  return (JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as { answer: unknown }).answer;
}

test("the packaged functions answer", async () => {
  const data = await mkdtemp(join(tmpdir(), "darkroom-packaged-"));
  const stack = await startStack({ port: 0, data, poll: false, logLevel: "error" });
  const s3 = s3Client({ forcePathStyle: true });
  try {
    const [bucket = "", media = ""] = [stack.env["UPLOADS_BUCKET"], stack.env["MEDIA_BUCKET"]];
    const world = { s3, bucket, uploads: s3Store(s3, bucket), media: s3Store(s3, media), consumed: false };
    const one = ["presign.good", "presign.too-large", "multipart.complete", "multipart.xml-list"];
    for (const name of [
      ...one,
      "images.list",
      "worker.put",
      "failures.put",
      "events.deliver",
      "webhooks.failed",
    ]) {
      const sample = sampleEvents.find((event) => event.name === name);
      assert.ok(sample, name);
      const uploadIds = await seedSamples(sample.event, world);
      const secret = stack.env["AUTH_SECRET"] ?? "";
      const event = await fillPlaceholders(
        sample.event,
        secret,
        new Date(),
        uploadIds,
        stack.env["WEBHOOK_URLS"] ?? "",
      );
      await assertOutcome(sample, await invoke(sample.fn, event, stack.env), world);
    }
  } finally {
    s3.destroy();
    await stack.close();
    await rm(data, { recursive: true, force: true });
  }
});
