/**
 * What a month costs, by service: a load, this repository's measured figures and request counts, and a price list. Pure
 * arithmetic; what it leaves out is said in docs/cost.md.
 */
import { estimateOf } from "../estimate.ts";
import { formats, type OutputFormat } from "../formats.ts";
import { planOf, variantsOf } from "../plan.ts";
import type { Preset } from "../preset.ts";
import { costOf, type Usage, WORKER_BATCH, WORKER_GB } from "./prices.ts";

export interface Load {
  /** In a month. */
  readonly uploads: number;
  /** Of an original, on average. */
  readonly megabytes: number;
  readonly megapixels: number;
  /** Pictures shown in a month for each upload of that month. */
  readonly views: number;
  /** Months that everything has been kept: storage grows. */
  readonly months: number;
  /** Wall-clock of an image in the worker, where it is known (the metric DevelopTime); else estimated. */
  readonly developMs?: number | undefined;
}

export interface Bill {
  readonly lines: readonly { readonly service: string; readonly what: string; readonly dollars: number }[];
  readonly dollars: number;
  readonly perThousand: number;
  readonly variants: number;
  readonly developMs: number;
  /** Of all variants of one image. */
  readonly variantBytes: number;
}

/**
 * S3 requests of one upload, besides one PUT for each variant: counted on the local stack by a test. The browser's PUT,
 * the owner's entry, the metadata and the kept event; the reads of the worker, one of a receiver's state before it is told, and
 * one of the page that waits.
 */
export const REQUESTS = { writes: 4, reads: 5 } as const;

/** What Lambda gives for 2 GB (1,769 MB is one). */
export const WORKER_VCPUS = (WORKER_GB * 1024) / 1769;
/** Signing and asking: 512 MB for about so long. */
const API_SECONDS = 0.015;
const API_GB = 0.5;
/** Asks of a page until its image is ready: `POST /uploads`, and `GET /images/{id}` with `wait`. */
const API_CALLS = 2;
/** Of log lines and metrics. */
const LOG_BYTES = 2_500;
/** Shown: one variant of medium width, in the format of most browsers. */
const SHOWN_PIXELS = 960 * 720;
const SHOWN_FORMAT: OutputFormat = "avif";
/**
 * As deploy/infra/ declares them; an alarm costs by the metrics that it looks at, a metric also by each code that comes up.
 * A test counts.
 */
export const STANDING = { metric: 45, alarm: 27, dashboard: 1, secret: 3 };
/** Turns of the two schedules in a month. */
const TURNS = { parked: 60 * 24 * 30, sweep: 4 * 24 * 30 };
/** S3 requests of a turn that finds nothing to do, counted on the local stack by a test; lists are priced as writes. */
export const IDLE_TURN = { parked: { writes: 2, reads: 1 }, sweep: { writes: 1, reads: 1 } };
/** Of a turn that finds nothing. */
const IDLE_SECONDS = 0.2;
/** What the CDN has forgotten altogether, which is read where there is a CDN. */
const CDN_READ = 1;
/** Each of the five event sources asks its queue with five long polls of 20 s, whether anything comes or not. */
const IDLE_POLLS = 5 * 5 * 3 * TURNS.parked;
/** Of a stack that nobody uses. */
const UNUSED: Usage = {
  sqsRequest: IDLE_POLLS,
  lambdaRequest: TURNS.parked + TURNS.sweep,
  lambdaGbSecond: TURNS.parked * IDLE_SECONDS * 0.25 + TURNS.sweep * IDLE_SECONDS * API_GB,
  s3Write: TURNS.parked * IDLE_TURN.parked.writes + TURNS.sweep * IDLE_TURN.sweep.writes,
  s3Read: TURNS.parked * (IDLE_TURN.parked.reads + CDN_READ) + TURNS.sweep * IDLE_TURN.sweep.reads,
};

export function monthlyBill(preset: Preset, load: Load): Bill {
  const { uploads, megabytes, views, months } = load;
  // Three by four, as phones take them.
  const width = Math.round(Math.sqrt((load.megapixels * 1e6 * 4) / 3));
  const header = {
    format: "jpeg",
    width,
    height: Math.round((width * 3) / 4),
    frames: 1,
    alpha: false,
  } as const;
  const variants = variantsOf(header, preset);
  const estimated = estimateOf(planOf(header, variants), megabytes * 1e6, 1).cpuMs / WORKER_VCPUS;
  const developMs = load.developMs ?? estimated;
  const variantBytes = variants.reduce(
    (sum, { format, shape }) => sum + shape.width * shape.height * formats[format].encoder.written,
    0,
  );
  const batches = uploads / WORKER_BATCH;
  const shown = uploads * views;
  const rows: readonly (readonly [service: string, what: string, usage: Usage])[] = [
    [
      "Lambda",
      "developing",
      { lambdaGbSecond: (uploads * developMs * WORKER_GB) / 1000, lambdaRequest: batches },
    ],
    [
      "Lambda",
      "API and events",
      {
        lambdaGbSecond: uploads * (API_CALLS + 1) * API_SECONDS * API_GB,
        lambdaRequest: uploads * (API_CALLS + 0.2),
      },
    ],
    [
      "S3",
      "requests",
      { s3Write: uploads * (REQUESTS.writes + variants.length), s3Read: uploads * REQUESTS.reads },
    ],
    ["S3", "originals kept", { s3Storage: (uploads * months * megabytes) / 1000 }],
    ["S3", "variants kept", { s3Storage: (uploads * months * variantBytes) / 1e9 }],
    // S3's notification; receiving and deleting, by batches; the event's three.
    ["SQS", "messages", { sqsRequest: uploads * 2 + 2 * batches + (2 * uploads) / 10 }],
    ["API Gateway", "requests", { apiRequest: uploads * API_CALLS }],
    [
      "CloudFront",
      "transfer",
      { cdnTransfer: (shown * SHOWN_PIXELS * formats[SHOWN_FORMAT].encoder.written) / 1e9 },
    ],
    ["CloudFront", "requests", { cdnRequest: shown }],
    ["CloudWatch", "logs", { logs: (uploads * LOG_BYTES) / 1e9 }],
    ["standing", "schedules, and polling of empty queues", UNUSED],
    ["CloudWatch", "metrics, alarms, dashboard, secrets", STANDING],
  ];
  const lines = rows.map(([service, what, usage]) => ({ service, what, dollars: costOf(usage) }));
  const dollars = lines.reduce((sum, line) => sum + line.dollars, 0);
  return {
    lines,
    dollars,
    perThousand: uploads === 0 ? 0 : (dollars / uploads) * 1000,
    variants: variants.length,
    developMs,
    variantBytes,
  };
}
