/**
 * From a cold worker's first line to its first variant: the packaged code in a new process, as Lambda starts it, with a
 * photo whose event is there already.
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { s3Client, s3Store } from "../adapters/aws/s3-store.ts";
import { imagePrefix, newId, originalKey } from "../core/keys.ts";
import config from "../core/shipped.ts";
import { bundle } from "../deploy/bundle.ts";
import { startStack } from "../laptop/stack.ts";
import { median, type Report, round } from "./report.ts";

const RUNS = 15;
/** Small, so that the start is most of it. */
const SAMPLE = new URL("../docs/sample.jpg", import.meta.url);
/** What Lambda's runtime does: loads the handler, then hands it the event. */
const RUNTIME = `console.log("first");
const { handler } = await import(process.argv.at(-2));
await handler(JSON.parse(process.argv.at(-1)), {
  awsRequestId: "cold", functionName: "worker", memoryLimitInMB: "2048", getRemainingTimeInMillis: () => 60_000,
});
process.exit(0);`;

/** The worker as it is packaged from a checkout, beside that checkout's `node_modules`. */
async function packaged(root: URL): Promise<string> {
  const folder = new URL(".cache/bench/cold/", root);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [name, bytes] of (await bundle("worker", root)).files)
    writeFileSync(new URL(name, folder), bytes);
  return new URL("index.mjs", folder).href;
}

/** @param quick fewer processes. Another checkout's folder in `COLD_AGAINST` is measured by turns with this one. */
export async function cold(quick: boolean): Promise<Report> {
  const data = mkdtempSync(join(tmpdir(), "darkroom-bench-"));
  let [awaited, meet] = ["", (_: number) => {}];
  const stack = await startStack({
    port: 0,
    data,
    poll: false,
    logLevel: "error",
    s3Fault({ method, key }) {
      if (method === "PUT" && key?.startsWith(awaited) && !key.endsWith(".json")) meet(performance.now());
      return undefined;
    },
  });
  const s3 = s3Client({ forcePathStyle: true });
  const bucket = stack.env["UPLOADS_BUCKET"] ?? "";
  const bytes = readFileSync(SAMPLE);
  const run = async (index: string) => {
    const id = newId(randomBytes);
    const metadata = { owner: "bench", preset: config.defaultPreset };
    const { etag } = await s3Store(s3, bucket).put(originalKey(id), bytes, { type: "image/jpeg", metadata });
    const object = { key: originalKey(id), eTag: etag, size: bytes.length, sequencer: "01" };
    const body = { Records: [{ eventName: "ObjectCreated:Put", s3: { bucket: { name: bucket }, object } }] };
    const record = {
      body: JSON.stringify(body),
      messageId: id,
      receiptHandle: "none",
      eventSourceARN: "arn:aws:sqs:us-east-1:000000000000:images",
      attributes: { ApproximateReceiveCount: "1", SentTimestamp: String(Date.now()) },
    };
    awaited = imagePrefix(id);
    const variant = new Promise<number>((resolve) => {
      meet = resolve;
    });
    const event = JSON.stringify({ Records: [record] });
    const child = spawn(process.execPath, ["--input-type=module", "-e", RUNTIME, "--", index, event], {
      env: { ...process.env, ...stack.env, NODE_COMPILE_CACHE: "" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const first = once(child.stdout, "data").then(() => performance.now());
    const exit = once(child, "exit");
    const took = (await variant) - (await first);
    child.kill("SIGKILL");
    await exit;
    return took;
  };
  const ways = [
    { worker: "this checkout", index: await packaged(new URL("../", import.meta.url)), took: [] as number[] },
  ];
  const against = process.env["COLD_AGAINST"];
  if (against)
    ways.push({ worker: "another checkout", index: await packaged(pathToFileURL(`${against}/`)), took: [] });
  for (let turn = 0; turn < (quick ? 3 : RUNS); turn++)
    for (const way of ways) way.took.push(await run(way.index));
  s3.destroy();
  await stack.close();
  rmSync(data, { recursive: true, force: true });
  return {
    title: "From a cold worker's first line to its first variant",
    on: `docs/sample.jpg, by the shipped preset. Medians of ${quick ? 3 : RUNS} new processes`,
    rows: ways.map(({ worker, took }) => ({ worker, ms: round(median(took)) })),
  };
}
