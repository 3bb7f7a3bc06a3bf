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
import sharp from "sharp";
import { s3Client, s3Store } from "../adapters/aws/s3-store.ts";
import { imagePrefix, newId, originalKey } from "../core/keys.ts";
import config from "../core/shipped.ts";
import { startStack } from "../laptop/stack.ts";
import { type Figure, median, medianWithin, type Report, type Row, round } from "./report.ts";

const RUNS = 15;
const sample = readFileSync(new URL("../docs/sample.jpg", import.meta.url));
/** One whose first variant takes no time worth counting, and one whose first is half of it. */
const pictures = {
  "64 × 43": () => sharp(sample).resize(64).jpeg().toBuffer(),
  "1600 × 1067, docs/sample.jpg": async () => sample,
};
/** What Lambda's runtime does: loads the handler, then hands it the event. */
const RUNTIME = `console.log("first");
const { handler } = await import(process.argv.at(-2));
await handler(JSON.parse(process.argv.at(-1)), {
  awsRequestId: "cold", functionName: "worker", memoryLimitInMB: "2048", getRemainingTimeInMillis: () => 60_000,
});
process.exit(0);`;

/** The worker as a checkout packages it, beside that checkout's `node_modules`. */
async function packaged(root: URL): Promise<string> {
  const folder = new URL(".cache/bench/cold/", root);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const { bundle }: typeof import("../deploy/bundle.ts") = await import(
    new URL("deploy/bundle.ts", root).href
  );
  for (const [name, bytes] of (await bundle("worker", root)).files)
    writeFileSync(new URL(name, folder), bytes);
  return new URL("index.mjs", folder).href;
}

/** @param quick fewer processes. Another checkout in `COLD_AGAINST` is measured by turns with this one. */
export async function cold(quick: boolean): Promise<Report> {
  const against = process.env["COLD_AGAINST"];
  const [ours, other] = await Promise.all(
    [new URL("../", import.meta.url), ...(against ? [pathToFileURL(`${against}/`)] : [])].map(packaged),
  );
  const { firstVariant, close } = await start();
  const [rows, figures]: [Row[], Figure[]] = [[], []];
  const runs = quick ? 3 : RUNS;
  for (const [picture, bytesOf] of Object.entries(pictures)) {
    const bytes = await bytesOf();
    const took = { ours: [] as number[], other: [] as number[] };
    const turns = [() => firstVariant(ours, bytes).then((ms) => took.ours.push(ms))];
    if (other) turns.push(() => firstVariant(other, bytes).then((ms) => took.other.push(ms)));
    for (let run = 0; run < runs; run++)
      for (const turn of run % 2 === 0 ? turns : turns.toReversed()) await turn();
    rows.push({
      picture,
      ms: round(median(took.ours)),
      ...(other && { "other checkout, ms": round(median(took.other)) }),
    });
    if (other) figures.push(comparison(picture, took));
  }
  await close();
  return {
    title: "From a cold worker's first line to its first variant",
    on: `A JPEG, by the shipped preset. Medians of ${runs} new processes.`,
    rows,
    figures,
  };
}

/** S3, and workers that begin with nothing. */
async function start() {
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
  return {
    async firstVariant(index: string | undefined, bytes: Uint8Array): Promise<number> {
      const id = newId(randomBytes);
      const metadata = { owner: "bench", preset: config.defaultPreset };
      const { etag } = await s3Store(s3, bucket).put(originalKey(id), bytes, {
        type: "image/jpeg",
        metadata,
      });
      const object = { key: originalKey(id), eTag: etag, size: bytes.length, sequencer: "01" };
      const body = {
        Records: [{ eventName: "ObjectCreated:Put", s3: { bucket: { name: bucket }, object } }],
      };
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
      const worker = spawn(
        process.execPath,
        ["--input-type=module", "-e", RUNTIME, "--", String(index), event],
        {
          env: { ...process.env, ...stack.env, NODE_COMPILE_CACHE: "" },
          stdio: ["ignore", "pipe", "inherit"],
        },
      );
      const first = once(worker.stdout, "data").then(() => performance.now());
      const exit = once(worker, "exit");
      const took = (await variant) - (await first);
      // To its end: of a worker that was killed the pixel process would go on, and take the next one's CPUs.
      await exit;
      return took;
    },
    async close() {
      s3.destroy();
      await stack.close();
      rmSync(data, { recursive: true, force: true });
    },
  };
}

function comparison(picture: string, { ours, other }: Record<"ours" | "other", readonly number[]>): Figure {
  const ratios = ours.map((ms, i) => ms / (other[i] ?? Number.NaN));
  const [least, most] = medianWithin(ratios);
  return {
    what: `${picture}: times the other checkout's, by turns`,
    value: round(median(ratios), 3),
    within: [round(least, 3), round(most, 3)],
    atMost: 1,
  };
}
