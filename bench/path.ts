/** What the worker does besides pixels: its CPU, its requests, and how well it keeps the encoders busy meanwhile. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { openUploads } from "../adapters/aws/open-uploads.ts";
import { s3Client, s3Store } from "../adapters/aws/s3-store.ts";
import { MemoryQueue } from "../adapters/memory/memory-queue.ts";
import { newId, originalKey } from "../core/keys.ts";
import { WORKER_VCPUS } from "../core/money/cost.ts";
import type { ObjectStore } from "../core/ports.ts";
import config from "../core/shipped.ts";
import { developMessage } from "../core/worker/handle-message.ts";
import { pixelProcess } from "../pixels/process.ts";
import { cpuMs, lastChild } from "./peak.ts";
import { fileOf, photo, photoSource } from "./photos.ts";
import { median, type Report, round } from "./report.ts";

/** One after the other, as messages come: `batchSize` and `concurrency` of the worker are one. */
const IMAGES = 5;
const LATENCY = { get: 50, put: 30 };
const RUNS = 3;

/** The worker's use case on the local S3 behind AWS's client, with latencies and every request counted. */
async function bench() {
  const data = mkdtempSync(join(tmpdir(), "darkroom-bench-"));
  const script = fileURLToPath(new URL("s3-process.ts", import.meta.url));
  const server: ChildProcess = spawn(process.execPath, [script, data], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(server.stdout ?? server, "data")) as [Buffer];
  const client = s3Client({
    endpoint: line.toString().trim(),
    region: "us-east-1",
    credentials: { accessKeyId: "bench", secretAccessKey: "bench-secret" },
    forcePathStyle: true,
  });
  /** And the time that S3 takes of those that an image waits for before and after its pixels. */
  const counts = { requests: 0, waitedMs: 0 };
  let developing = false;
  let latency = { get: 0, put: 0 };
  const slowed = (store: ObjectStore): ObjectStore => {
    const after =
      <A extends unknown[], R>(kind: keyof typeof LATENCY, method: (...args: A) => Promise<R>) =>
      async (...args: A): Promise<R> => {
        counts.requests++;
        if (!developing) counts.waitedMs += latency[kind];
        if (latency[kind] > 0) await sleep(latency[kind]);
        return method(...args);
      };
    return {
      head: after("get", store.head),
      get: after("get", store.get),
      put: after("put", store.put),
      delete: after("put", store.delete),
      list: after("get", store.list),
    };
  };
  for (const Bucket of ["uploads", "media"]) await client.send(new CreateBucketCommand({ Bucket }));
  const pixels = pixelProcess();
  const deps = {
    uploads: slowed(s3Store(client, "uploads")),
    media: slowed(s3Store(client, "media")),
    openUploads: openUploads(client, "uploads"),
    mediaUrl: "https://cdn.example",
    events: { send: async () => {} },
    backfill: new MemoryQueue(),
    pixels: {
      develop: async (...args: Parameters<typeof pixels.develop>) => {
        developing = true;
        return pixels.develop(...args).finally(() => {
          developing = false;
        });
      },
    },
    config,
    now: () => new Date(),
    random: randomBytes,
  };
  const original = async (bytes: Uint8Array) => {
    const id = newId(randomBytes);
    const { etag } = await s3Store(client, "uploads").put(originalKey(id), bytes, {
      metadata: { owner: "bench", preset: config.defaultPreset },
    });
    const object = { key: originalKey(id), eTag: etag, sequencer: "01" };
    const eventName = "ObjectCreated:Put";
    return JSON.stringify({ Records: [{ eventName, s3: { bucket: { name: "uploads" }, object } }] });
  };
  return {
    counts,
    original,
    work: (body: string) => developMessage(deps, { body, receives: 1, bucket: "uploads" }),
    setLatency: (to: typeof latency) => {
      latency = to;
    },
    async close() {
      await pixels.close();
      client.destroy();
      server.kill();
      rmSync(data, { recursive: true, force: true });
    },
  };
}

export async function path(quick: boolean): Promise<Report> {
  const { counts, original, work, setLatency, close } = await bench();
  const large = await fileOf(await photo("rug"), 12.3, "baseline JPEG");
  // Warm: code compiled, connections open, encoders loaded.
  for (let i = 0; i < 2; i++) await work(await original(large));

  const shares: number[] = [];
  let [requests, variants, duplicate] = [0, 0, 0];
  for (let i = 0; i < RUNS; i++) {
    const body = await original(large);
    const before = { own: process.cpuUsage(), pixels: cpuMs(lastChild()) };
    counts.requests = 0;
    const [outcome] = await work(body);
    const { user, system } = process.cpuUsage(before.own);
    const own = (user + system) / 1000;
    shares.push((100 * own) / (own + cpuMs(lastChild()) - before.pixels));
    requests = counts.requests;
    variants = outcome?.variants ?? 0;
    counts.requests = 0;
    await work(body);
    duplicate = counts.requests;
  }

  // CPU time, and not time by the clock: the same on a busy machine.
  setLatency(LATENCY);
  const before = { own: process.cpuUsage(), pixels: cpuMs(lastChild()) };
  counts.waitedMs = 0;
  for (let image = 0; image < (quick ? 1 : IMAGES); image++) await work(await original(large));
  const { user, system } = process.cpuUsage(before.own);
  const busy = (cpuMs(lastChild()) - before.pixels) / WORKER_VCPUS;
  const idle = counts.waitedMs + (user + system) / 1000;
  const utilisation = round((100 * busy) / (busy + idle), 1);
  await close();
  return {
    title: "The path's own cost",
    on: `${photoSource}: a 12 MP JPEG through the worker's use case and the local S3 (a process of its own); ${IMAGES} one after the other, as the worker takes them, ${LATENCY.get} ms for every GET and ${LATENCY.put} ms for every PUT. Medians of ${RUNS}.`,
    rows: [
      { what: "CPU besides pixels, balanced", value: `${round(median(shares), 1)} %` },
      { what: `requests to S3 for one image of ${variants} variants`, value: requests },
      { what: "requests for a duplicate of its event", value: duplicate },
      {
        what: `CPU time in pixels of these ${IMAGES}, spread over the worker's ${round(WORKER_VCPUS, 2)} vCPUs`,
        value: `${round(busy / 1000, 1)} s`,
      },
      {
        what: "waiting for S3 before and after pixels, and CPU besides",
        value: `${round(idle / 1000, 2)} s`,
      },
    ],
    figures: [
      { what: "CPU besides pixels", value: round(median(shares), 1), unit: "%", atMost: 5 },
      { what: "CPU utilisation over these images", value: utilisation, unit: "%", atLeast: 90 },
      { what: "requests besides variants", value: requests - variants, atMost: 6 },
      { what: "requests for a duplicate", value: duplicate, atMost: 1 },
    ],
  };
}
