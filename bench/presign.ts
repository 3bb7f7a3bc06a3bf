/** What presign costs: its load over an empty Node process, the part of a cold start that is ours, and its signatures. */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { uploadSigner } from "../adapters/aws/upload-signer.ts";
import config from "../core/shipped.ts";
import { issueUploads } from "../core/upload/issue-uploads.ts";
import { seal } from "../core/upload/seal.ts";
import { bundle } from "../deploy/bundle.ts";
import { zip } from "../deploy/zip.ts";
import { median, type Report, round } from "./report.ts";

const LOADS = 15;
const REQUESTS = 200;
/** As many as one request may ask for. */
const FILES = 50;

export async function presign(): Promise<Report> {
  const { empty, loaded, size, zipped } = await load();
  const added = median(loaded.map((ms, i) => ms - (empty[i] ?? ms)));
  const { perSecond, slowest } = await signatures();
  return {
    title: "presign",
    on: `The deployed bundle in a fresh process, ${LOADS} interleaved pairs; then ${REQUESTS} requests for ${FILES} uploads each, CPU time of one process.`,
    rows: [
      { what: "empty Node process", value: `${round(median(empty), 1)} ms` },
      { what: "with the presign bundle", value: `${round(median(loaded), 1)} ms` },
      { what: "bundle, zipped", value: `${round(size / 1000)} kB, ${round(zipped / 1000)} kB` },
      { what: "signatures per second of CPU", value: round(perSecond) },
      { what: `CPU of one signature, mean of the slowest request`, value: `${round(slowest, 2)} ms` },
    ],
    figures: [
      { what: "load over an empty process", value: round(added, 1), unit: "ms", atMost: 30 },
      { what: "signatures per second on one core", value: round(perSecond), atLeast: 2000 },
      { what: "CPU of one signature", value: round(slowest, 2), unit: "ms", atMost: 1 },
    ],
  };
}

async function load() {
  const folder = mkdtempSync(join(tmpdir(), "darkroom-bench-"));
  const { files } = await bundle("presign", new URL("../", import.meta.url));
  const scripts = { empty: join(folder, "empty.mjs"), loaded: join(folder, "index.mjs") };
  writeFileSync(scripts.empty, "");
  writeFileSync(scripts.loaded, files.get("index.mjs") ?? "");
  const times = { empty: [] as number[], loaded: [] as number[] };
  // Once more than counted, so that neither is read from the disk for the first time; in turns first.
  for (let run = 0; run <= LOADS; run++) {
    const order = run % 2 === 0 ? (["empty", "loaded"] as const) : (["loaded", "empty"] as const);
    for (const which of order) {
      const ms = wallMs(scripts[which]);
      if (run > 0) times[which].push(ms);
    }
  }
  rmSync(folder, { recursive: true });
  return { ...times, size: files.get("index.mjs")?.length ?? 0, zipped: zip(files).length };
}

/** Of a whole process. */
function wallMs(file: string): number {
  const started = performance.now();
  const { status, stderr } = spawnSync(process.execPath, [file], { env: {}, encoding: "utf8" });
  if (status !== 0) throw new Error(`${file} ended with ${status}: ${stderr}`);
  return performance.now() - started;
}

async function signatures() {
  const now = () => new Date();
  const credentials = { accessKeyId: "AKIAEXAMPLE", secretAccessKey: "bench-secret" };
  const sign = uploadSigner({
    bucket: "uploads",
    region: "eu-central-1",
    credentials,
    validitySeconds: 300,
    now,
  });
  const deps = {
    config,
    now,
    random: randomBytes,
    validitySeconds: 300,
    tickets: seal(randomBytes(32).toString("base64"), "ticket", now),
    sign,
  };
  const caller = { owner: "bench", scopes: new Set(["upload"] as const) };
  const files = Array.from({ length: FILES }, (_, i) => ({
    name: `photo ${i}.jpg`,
    type: "image/jpeg",
    size: 4_000_000 + i,
  }));
  const request = () => issueUploads(deps, caller, { method: "PUT", files });
  for (let i = 0; i < 10; i++) await request();
  const took: number[] = [];
  for (let i = 0; i < REQUESTS; i++) {
    const before = process.cpuUsage();
    await request();
    const { user, system } = process.cpuUsage(before);
    took.push((user + system) / 1000);
  }
  const total = took.reduce((sum, ms) => sum + ms, 0);
  return { perSecond: (REQUESTS * FILES * 1000) / total, slowest: Math.max(...took) / FILES };
}
