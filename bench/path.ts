/** What the worker does besides pixels: its CPU, its requests, and how well it keeps the encoders busy meanwhile. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { openUploads } from "../adapters/aws/open-uploads.ts";
import { s3Client, s3Store } from "../adapters/aws/s3-store.ts";
import { MemoryQueue } from "../adapters/memory/memory-queue.ts";
import { newId, originalKey } from "../core/keys.ts";
import type { ObjectStore } from "../core/ports.ts";
import type { Config } from "../core/preset.ts";
import config from "../core/shipped.ts";
import { developMessage } from "../core/worker/handle-message.ts";
import { pixelProcess } from "../pixels/process.ts";
import { cpuMs, lastChild } from "./peak.ts";
import { fileOf, photo, photoSource } from "./photos.ts";
import { median, type Report, round } from "./report.ts";

const BATCH = 10;
const LANES = 2;
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
  const counts = { requests: 0 };
  let latency = { get: 0, put: 0 };
  const slowed = (store: ObjectStore): ObjectStore => {
    const after =
      <A extends unknown[], R>(kind: keyof typeof LATENCY, method: (...args: A) => Promise<R>) =>
      async (...args: A): Promise<R> => {
        counts.requests++;
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
    pixels,
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
    work: (body: string, as: Config = config) =>
      developMessage({ ...deps, config: as }, { body, receives: 1, bucket: "uploads" }),
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

  // The time in which the pixel process has no image is the same on a busy machine; the CPU time it takes, too.
  const utilisations: number[] = [];
  let [idle, busy] = [0, 0];
  for (let i = 0; i < (quick ? 1 : RUNS); i++) {
    const bodies = await Promise.all(Array.from({ length: BATCH }, () => original(large)));
    setLatency(LATENCY);
    const before = cpuMs(lastChild());
    const started = performance.now();
    let occupied = 0;
    const lane = async () => {
      for (let body = bodies.shift(); body; body = bodies.shift()) {
        const [outcome] = await work(body, fast);
        occupied += outcome?.durationMs ?? 0;
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    idle = performance.now() - started - occupied;
    setLatency({ get: 0, put: 0 });
    busy = (cpuMs(lastChild()) - before) / availableParallelism();
    utilisations.push((100 * busy) / (busy + idle));
  }
  await close();
  const utilisation = round(median(utilisations), 1);
  return {
    title: "The path's own cost",
    on: `${photoSource}: a 12 MP JPEG through the worker's use case and the local S3 (a process of its own); a batch of ${BATCH} in the profile fast, ${LANES} lanes, ${LATENCY.get} ms for every GET and ${LATENCY.put} ms for every PUT. Medians of ${RUNS}.`,
    rows: [
      { what: "CPU besides pixels, balanced", value: `${round(median(shares), 1)} %` },
      { what: `requests to S3 for one image of ${variants} variants`, value: requests },
      { what: "requests for a duplicate of its event", value: duplicate },
      {
        what: `a batch's CPU time in pixels, spread over ${availableParallelism()} vCPUs`,
        value: `${round(busy / 1000, 1)} s`,
      },
      { what: "time in which no image is with the pixel process", value: `${round(idle / 1000, 2)} s` },
    ],
    figures: [
      { what: "CPU besides pixels", value: round(median(shares), 1), unit: "%", atMost: 5 },
      { what: "CPU utilisation over the batch", value: utilisation, unit: "%", atLeast: 90 },
      { what: "requests besides variants", value: requests - variants, atMost: 6 },
      { what: "requests for a duplicate", value: duplicate, atMost: 1 },
    ],
  };
}

const photoPreset = config.presets.get("photo");
const fast: Config = {
  ...config,
  presets: new Map([
    ...config.presets,
    ...(photoPreset ? [["photo", { ...photoPreset, profile: "fast" as const }] as const] : []),
  ]),
};
