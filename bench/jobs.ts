/**
 * A job over 100,000 images on the local stack, all in one process: the S3 and SQS servers, the scan that lists and
 * queues, the counting of results. `npm run bench -- jobs`.
 */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Storage } from "local-aws/s3/storage";
import { s3Client, s3Store } from "../adapters/aws/s3-store.ts";
import { sqsClient, sqsQueue } from "../adapters/aws/sqs-queue.ts";
import { reprocess } from "../core/job/job.ts";
import { jobProgress } from "../core/job/job-progress.ts";
import { readPage } from "../core/job/job-records.ts";
import { scanPages } from "../core/job/scan-page.ts";
import { pageLabel, resultKey } from "../core/job-keys.ts";
import { newId, originalKey } from "../core/keys.ts";
import { parseMessage } from "../core/message.ts";
import type { Queue } from "../core/ports.ts";
import config from "../core/shipped.ts";
import { startStack } from "../laptop/stack.ts";
import { peakMb, resetPeak } from "./peak.ts";
import { type Report, round } from "./report.ts";

const IMAGES = 100_000;
const PAGES = IMAGES / 1000;

export async function jobs(): Promise<Report> {
  const data = mkdtempSync(join(tmpdir(), "darkroom-bench-"));
  const start = () => startStack({ port: 0, data, poll: false, logLevel: "error" });
  try {
    let stack = await start();
    const bucket = stack.env["UPLOADS_BUCKET"] ?? "";
    await stack.close();
    const ids = Array.from({ length: IMAGES }, () => newId(randomBytes));
    putEmpty(data, bucket, ids.map(originalKey));

    resetPeak(process.pid);
    stack = await start();
    const idle = peakMb(process.pid);
    let started = performance.now();
    const job = await scanAll(stack.env);
    const listing = (performance.now() - started) / 1000;
    const peak = peakMb(process.pid);
    const labels = await labelsOf(stack.env, job);
    await stack.close();
    // As if every message had been worked on.
    putEmpty(
      data,
      bucket,
      [...labels].map(([id, label]) => resultKey(job, label, id)),
      "done".length,
    );

    stack = await start();
    const counting: number[] = [];
    const { uploads, close } = clients(stack.env);
    for (let i = 0; i < 2; i++) {
      started = performance.now();
      const progress = await jobProgress({ uploads, now: () => new Date(), budgetMs: 60_000 }, job);
      counting.push((performance.now() - started) / 1000);
      if (progress.done !== IMAGES) throw new Error(`counted ${progress.done}`);
    }
    close();
    await stack.close();
    const [first = 0, again = 0] = counting;
    const rate = IMAGES / listing;
    return {
      title: "A re-process job: 100,000 images listed, queued and counted",
      on: `the local stack in one process, ${PAGES} pages of 1,000 originals; memory is the process's, the queue's messages included.`,
      rows: [
        { what: "list and queue", seconds: round(listing, 1), "images/s": round(rate), "peak MB": peak },
        {
          what: "count all results",
          seconds: round(first, 1),
          "images/s": round(IMAGES / first),
          "peak MB": "",
        },
        { what: "count again, once over", seconds: round(again, 3), "images/s": "", "peak MB": "" },
      ],
      figures: [
        { what: "images listed and queued a second", value: round(rate), atLeast: 500 },
        { what: "memory above the idle stack", value: peak - idle, unit: "MB", atMost: 300 },
      ],
    };
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
}

/** A hundred thousand uploads would take minutes, and are not what is measured. */
function putEmpty(data: string, bucket: string, keys: readonly string[], size = 0): void {
  const storage = new Storage(data);
  const modified = Math.floor(Date.now() / 1000) * 1000;
  storage.transaction(() => {
    for (const key of keys) {
      const etag = "d41d8cd98f00b204e9800998ecf8427e";
      storage.putObject({ bucket, key, size, etag, modified, headers: {}, segments: [], multipart: false });
    }
  });
  storage.close();
}

function clients(env: Readonly<Record<string, string>>) {
  const s3 = s3Client({ forcePathStyle: true });
  const sqs = sqsClient();
  return {
    uploads: s3Store(s3, env["UPLOADS_BUCKET"] ?? ""),
    media: s3Store(s3, env["MEDIA_BUCKET"] ?? ""),
    backfill: sqsQueue(sqs, env["BACKFILL_QUEUE_URL"] ?? ""),
    close() {
      s3.destroy();
      sqs.destroy();
    },
  };
}

/** Every page of a job over everything; its messages stay on the queue. */
async function scanAll(env: Readonly<Record<string, string>>): Promise<string> {
  const { close, backfill, ...stores } = clients(env);
  let message = "";
  const queue: Queue = {
    ...backfill,
    async send(body) {
      message = body;
    },
    backlog: async () => 0,
  };
  const messageMs = 600_000;
  const queues = { backfill: queue, imports: queue };
  const deps = { ...stores, ...queues, config, now: () => new Date(), random: randomBytes, messageMs };
  const started = await reprocess(deps, { select: { status: "all" }, force: false, dryRun: false });
  if ("dryRun" in started) throw new Error("this was no dry run");
  const [task] = parseMessage(message, "");
  if (task?.kind === "scan") await scanPages(deps, task);
  close();
  return started.id;
}

async function labelsOf(env: Readonly<Record<string, string>>, job: string): Promise<Map<string, string>> {
  const { uploads, close } = clients(env);
  const labels = new Map<string, string>();
  for (let page = 0; page < PAGES; page++) {
    const { ids = [] } = (await readPage(uploads, job, page)) ?? {};
    for (const id of ids) labels.set(id, pageLabel(page, ids.length));
  }
  close();
  return labels;
}
