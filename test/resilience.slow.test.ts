/** What goes wrong around the system: a killed process, an S3 that answers 503 half of the time, foreign servers. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, watch } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { startS3 } from "local-aws/s3";
import { startSqs } from "local-aws/sqs";
import sharp from "sharp";
import { type Api, apiAt } from "../cli/api.ts";
import { openFile } from "../cli/local-file.ts";
import { type Stack, startStack } from "../laptop/stack.ts";
import { startProcess } from "./stack-process.ts";

/** Seconds, on a machine that is busy with other things. */
const PATIENCE = 1800;
const folder = () => mkdtempSync(join(tmpdir(), "darkroom-"));
const apiOf = (stack: Stack) => apiAt(stack.api, stack.uploadToken);

/** Noise, so that developing it takes a while. */
async function picture(data: string, name: string, side: number): Promise<string> {
  const path = join(data, name);
  const noise = { type: "gaussian" as const, mean: 128, sigma: 40 };
  await sharp({ create: { width: side, height: side, channels: 3, background: "#000", noise } })
    .jpeg()
    .toFile(path);
  return path;
}

const upload = async (api: Api, path: string) => api.upload(await openFile(path));

/**
 * Whether a request fails: the first two to each object by each method, then two do not, and so on. Counting all requests
 * together would leave it to their order whether one of them failed as often as anybody tries.
 */
function halfOfTheTime() {
  const made = new Map<string, number>();
  return (method: string, key: string): boolean => {
    const request = `${method} ${key}`;
    const before = made.get(request) ?? 0;
    made.set(request, before + 1);
    return before % 4 < 2;
  };
}

test("with an S3 that answers 503 half of the time nothing is lost", async () => {
  const data = folder();
  const fails = halfOfTheTime();
  let failed = 0;
  const stack = await startStack({
    port: 0,
    data,
    logLevel: "error",
    // Not the configuration at the start, which nobody would repeat.
    s3Fault: ({ method, key }) => {
      if (!key || !fails(method, key)) return undefined;
      failed++;
      return { status: 503, code: "SlowDown" };
    },
  });
  try {
    const path = await picture(data, "a.jpg", 400);
    const ids = await Promise.all([1, 2, 3].map(() => upload(apiOf(stack), path)));
    for (const id of ids) assert.equal((await apiOf(stack).waitUntilReady(id, PATIENCE)).status, "ready");
    assert.ok(failed > 50, `${failed} failures`);
  } finally {
    await stack.close();
    rmSync(data, { recursive: true });
  }
});

test("a process killed in the middle of an image develops it after the next start", async () => {
  const data = folder();
  const first = await startProcess(data);
  const path = await picture(data, "big.jpg", 2000);
  const files = () => readdirSync(join(data, "bodies")).length;
  const id = await upload(first.api, path);
  // Until the work has begun: variants lie there, and no metadata yet.
  const before = files();
  const watcher = watch(join(data, "bodies"));
  while (files() < before + 3) await once(watcher, "change");
  watcher.close();
  const { status } = await first.api.call<{ status: string }>("GET", `/images/${id}`);
  assert.equal(status, "processing", "killed too late to prove anything");
  first.child.kill("SIGKILL");
  await once(first.child, "exit");
  const second = await startProcess(data);
  try {
    assert.equal((await second.api.waitUntilReady(id, PATIENCE)).status, "ready");
  } finally {
    second.child.kill("SIGTERM");
    await once(second.child, "exit");
    rmSync(data, { recursive: true });
  }
});

test("foreign servers are used as they are: buckets, queues and CORS made, originals found though nobody notifies", async () => {
  const [foreign, data] = [folder(), folder()];
  const credentials = { accessKeyId: "foreign-key", secretAccessKey: "foreign-secret" };
  const common = { data: foreign, port: 0, credentials, region: "eu-west-1" };
  const sqs = await startSqs(common);
  const s3 = await startS3({
    ...common,
    notify: () => assert.fail("was never configured"),
    fault: ({ query }) => (query.has("notification") ? { status: 501, code: "NotImplemented" } : undefined),
  });
  const variables = {
    AWS_ENDPOINT_URL_S3: s3.url,
    AWS_ENDPOINT_URL_SQS: sqs.url,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_REGION: "eu-west-1",
  };
  Object.assign(process.env, variables);
  const stack = await startStack({ port: 0, data, logLevel: "error" });
  try {
    assert.deepEqual(stack.external, { s3: true, sqs: true });
    const path = await picture(data, "a.jpg", 400);
    const id = await upload(apiOf(stack), path);
    const image = await apiOf(stack).waitUntilReady(id, PATIENCE);
    assert.ok(image.variants.length > 3);
    assert.equal((await fetch(image.variants[0]?.url ?? "")).status, 200);
  } finally {
    await stack.close();
    for (const name of Object.keys(variables)) delete process.env[name];
    await Promise.all([s3.close(), sqs.close()]);
    rmSync(data, { recursive: true });
    rmSync(foreign, { recursive: true });
  }
});
