/**
 * What a month costs, by service: a load, this repository's measured figures and request counts, and a price list. Pure
 * arithmetic; what it leaves out is said in docs/cost.md. The counts are those of a day in virtual time, which a test counts
 * again (test/core/money/day.ts).
 */
import { estimateOf } from "../estimate.ts";
import { type OutputFormat, writtenBytes } from "../formats.ts";
import { planOf, variantsOf } from "../plan.ts";
import type { Preset } from "../preset.ts";
import { type Amounts, costOf, type PriceName, sumOf, WORKER_GB } from "./prices.ts";

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
  /** Of a month's uploads, the share that is deleted. */
  readonly deletes: number;
  /** Where originals are moved once they are so old, in months; all stay in S3 Standard where absent. */
  readonly colder?: { readonly to: ColdClass; readonly afterMonths: number } | undefined;
  /** Months after which they are let go; kept for ever where absent. */
  readonly originalsMonths?: number | undefined;
  /** Wall-clock of an image in the worker, where it is known (the metric DevelopTime); else estimated. */
  readonly developMs?: number | undefined;
}

/** S3's classes from which an original is read at once, as the worker needs it; the price's and the move's names. */
export const coldClasses = {
  STANDARD_IA: { kept: [[0, "s3Infrequent"]], moved: "s3ToInfrequent" },
  GLACIER_IR: { kept: [[0, "s3Glacier"]], moved: "s3ToGlacier" },
  /** Of what nobody reads: as Standard for 30 days, then as Infrequent Access, after 90 days as Glacier Instant Retrieval. */
  INTELLIGENT_TIERING: {
    kept: [
      [0, "s3Storage"],
      [1, "s3Infrequent"],
      [3, "s3Glacier"],
    ],
    moved: "s3ToInfrequent",
    watched: "s3Watched",
  },
} as const satisfies Record<
  string,
  {
    /** What is asked for so many months after the move. */
    kept: readonly (readonly [months: number, price: PriceName])[];
    moved: PriceName;
    /** Objects a month. */
    watched?: PriceName;
  }
>;
export type ColdClass = keyof typeof coldClasses;

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
 * Of one upload, besides one PUT for each variant. The shipped client asks for the signature and twice for the image; the browser's
 * PUT, the owner's entry and the image's count, the document and the kept event are written; the worker, whoever asks, and the event read.
 */
export const UPLOAD = {
  calls: 3,
  writes: 5,
  reads: 7,
  /** The notification, a count of the queue for the first ask, the event and its webhook; each received and deleted alone. */
  messages: 10,
  /** Beside the worker's: of the API and of the events. */
  invocations: 5,
} as const;
/** Of one delete: the call, two notifications and an event with its webhook, the note for the CDN; half of the writes are lists. */
const DELETE = {
  calls: 1,
  writes: 14,
  reads: 9,
  messages: 12,
  invocations: 5,
  gbSeconds: 0.465,
  forgotten: 1,
} as const;
/** What Lambda gives for 2 GB (1,769 MB is one). */
export const WORKER_VCPUS = (WORKER_GB * 1024) / 1769;
/** An answer of S3's or SQS's; what a function that waits for none takes itself; a receiver's answer. In seconds. */
const [REQUEST, OWN, RECEIVER] = [0.02, 0.01, 0.15];
/** One after the other, of the worker beside developing, and of all other invocations of an upload together. */
const IN_A_ROW = { worker: 5, others: 5 } as const;
const API_GB = 0.5;
/**
 * Bytes of log: our lines and metrics of one upload, counted on the local stack; what Lambda writes of an invocation, and API
 * Gateway of a call, CloudWatch's 26 for each line among it; a turn of a schedule.
 */
export const LOG = { upload: 2_550, invocation: 380, call: 280, turn: 900 } as const;
/** Shown: one variant of medium width, in the format of most browsers. */
const SHOWN_PIXELS = 960 * 720;
const SHOWN_FORMAT: OutputFormat = "avif";
/** Widths of a picture that people look at; the CDN asks S3 for each of them once a day. */
const SHOWN_WIDTHS = 3;
/**
 * As deploy/infra/ declares them; an alarm costs by the metrics that it looks at, a metric also by each code that comes up.
 * A test counts.
 */
export const STANDING = { metric: 45, alarm: 27, dashboard: 1, secret: 4 };
const DAYS = 30;
/** Turns of the two schedules in a month. */
const TURNS = { parked: 60 * 24 * DAYS, sweep: 4 * 24 * DAYS };
/** S3 requests of a turn that finds nothing to do, counted on the local stack too; lists are priced as writes. */
export const IDLE_TURN = { parked: { writes: 2, reads: 2 }, sweep: { writes: 1, reads: 1 } };
/** Each of the six event sources asks its queue with five long polls of 20 s, whether anything comes or not. */
const IDLE_POLLS = 6 * 5 * 3 * TURNS.parked;
/** As the sweep has them (core/sweep/sweep.ts): seconds of rest for an image, and at least and most; images of a batch. */
const REST = { each: 0.5, least: 3600, most: 86_400, batch: 500, lanes: 16 } as const;
/** Writes and lists of a round however small. */
const ROUND = 11;
/** Days for which the documents of a round are read: `supersededDays` and the sweep's own margin. */
const YOUNG_DAYS = 30 + 25 / 24;

/** Of a stack that nobody uses. */
function unused(): Amounts {
  const { parked, sweep } = IDLE_TURN;
  const seconds = (turn: { writes: number; reads: number }) => OWN + (turn.writes + turn.reads) * REQUEST;
  return {
    sqsRequest: IDLE_POLLS,
    lambdaRequest: TURNS.parked + TURNS.sweep,
    lambdaGbSecond: TURNS.parked * seconds(parked) * 0.25 + TURNS.sweep * seconds(sweep) * API_GB,
    s3Write: TURNS.parked * parked.writes + TURNS.sweep * sweep.writes,
    s3Read: TURNS.parked * parked.reads + TURNS.sweep * sweep.reads,
  };
}

/** The sweep's rounds over all that is kept, beside its idle turns. */
function rounds({ uploads, months }: Load, variants: number): Amounts {
  const kept = uploads * months;
  if (kept === 0) return {};
  const rest = Math.min(REST.most, Math.max(REST.least, kept * REST.each));
  // A round begins with the first turn after the rest.
  const quarter = 900;
  const count = (DAYS * 86_400) / (quarter * (Math.floor(rest / quarter) + 1));
  const pages = (keys: number) => Math.ceil(keys / 1000);
  const writes = ROUND + 3 * pages(kept) + pages(kept * (variants + 1)) + 2 * Math.ceil(kept / REST.batch);
  const reads = 2 * Math.min(kept, (uploads / DAYS) * YOUNG_DAYS);
  const seconds = REQUEST * (writes + reads / REST.lanes);
  return { s3Write: count * writes, s3Read: count * reads, lambdaGbSecond: count * seconds * API_GB };
}

/** What the CDN asks S3 for, of each upload: half of all who look at a picture do on its first day, half of the rest on the next. */
export function missesOf(views: number): number {
  const days = Array.from({ length: DAYS }, (_, day) => views / 2 ** (day + 1));
  return days.reduce((sum, today) => sum + Math.min(SHOWN_WIDTHS, today), 0);
}

function originals({ uploads, megabytes, months, colder, originalsMonths = months }: Load): Amounts {
  const kept = Math.min(months, originalsMonths);
  const gigabytes = (over: number) => (uploads * Math.max(0, over) * megabytes) / 1000;
  if (!colder || colder.afterMonths >= kept) return { s3Storage: gigabytes(kept) };
  const { afterMonths } = colder;
  const row: (typeof coldClasses)[ColdClass] & { readonly watched?: PriceName } = coldClasses[colder.to];
  const cold = kept - afterMonths;
  const steps = row.kept.map(([from, price], index): Amounts => {
    const to = row.kept[index + 1]?.[0] ?? cold;
    return { [price]: gigabytes(Math.min(to, cold) - from) };
  });
  const watched: Amounts = row.watched ? { [row.watched]: uploads * cold } : {};
  const parts: Amounts[] = [
    { s3Storage: gigabytes(afterMonths) },
    ...steps,
    { [row.moved]: uploads },
    watched,
  ];
  return parts.reduce(sumOf, {});
}

export interface Line {
  readonly service: string;
  readonly what: string;
  readonly amounts: Amounts;
}

/** What a month uses, line by line. */
export function usageOf(load: Load, variants: number, variantBytes: number, developMs: number): Line[] {
  const { uploads, views, months } = load;
  const deletes = uploads * load.deletes;
  const shown = uploads * views;
  const worker = developMs / 1000 + OWN + IN_A_ROW.worker * REQUEST;
  const others = UPLOAD.invocations * OWN + IN_A_ROW.others * REQUEST + RECEIVER;
  const logBytes = LOG.upload + (UPLOAD.invocations + 1) * LOG.invocation + UPLOAD.calls * LOG.call;
  const line = (service: string, what: string, amounts: Amounts): Line => ({ service, what, amounts });
  return [
    line("Lambda", "developing", { lambdaGbSecond: uploads * worker * WORKER_GB, lambdaRequest: uploads }),
    line("Lambda", "API and events", {
      lambdaGbSecond: uploads * others * API_GB,
      lambdaRequest: uploads * UPLOAD.invocations,
    }),
    line("S3", "requests", { s3Write: uploads * (UPLOAD.writes + variants), s3Read: uploads * UPLOAD.reads }),
    line("S3", "originals kept", originals(load)),
    line("S3", "variants kept", { s3Storage: (uploads * months * variantBytes) / 1e9 }),
    line("SQS", "messages", { sqsRequest: uploads * UPLOAD.messages }),
    line("API Gateway", "requests", { apiRequest: uploads * UPLOAD.calls }),
    line("CloudFront", "transfer", {
      cdnTransfer: (shown * writtenBytes(SHOWN_FORMAT, SHOWN_PIXELS)) / 1e9,
    }),
    line("CloudFront", "requests, and what it asks S3 for", {
      cdnRequest: shown,
      s3Read: uploads * missesOf(views),
    }),
    line("all", "deletes, and what CloudFront forgets", {
      apiRequest: deletes * DELETE.calls,
      s3Write: deletes * DELETE.writes,
      s3Read: deletes * DELETE.reads,
      sqsRequest: deletes * DELETE.messages,
      lambdaRequest: deletes * DELETE.invocations,
      lambdaGbSecond: deletes * DELETE.gbSeconds,
      // No more than that are asked for in a turn (core/tell/forget.ts); what is above is forgotten with everything.
      cdnForget: Math.min(deletes * DELETE.forgotten, 15 * TURNS.parked),
    }),
    line("CloudWatch", "logs", {
      logs: (uploads * logBytes + (TURNS.parked + TURNS.sweep) * LOG.turn) / 1e9,
    }),
    line("S3, Lambda", "the sweep's rounds", rounds(load, variants)),
    line("standing", "schedules, and polling of empty queues", unused()),
    line("CloudWatch", "metrics, alarms, dashboard, secrets", STANDING),
  ];
}

/** With their steps by volume, which are an account's and not a bucket's: each line begins where those before it end. */
function priced(lines: readonly Line[]): Bill["lines"] {
  let before: Amounts = {};
  return lines.map(({ service, what, amounts }) => {
    const with_ = sumOf(before, amounts);
    const dollars = costOf(with_) - costOf(before);
    before = with_;
    return { service, what, dollars };
  });
}

export function monthlyBill(preset: Preset, load: Load): Bill {
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
  const plan = planOf(header, variants);
  const developMs = load.developMs ?? estimateOf(plan, load.megabytes * 1e6, 1).cpuMs / WORKER_VCPUS;
  const variantBytes = variants.reduce(
    (sum, { format, shape }) => sum + writtenBytes(format, shape.width * shape.height),
    0,
  );
  const lines = priced(usageOf(load, variants.length, variantBytes, developMs));
  const dollars = lines.reduce((sum, line) => sum + line.dollars, 0);
  return {
    lines,
    dollars,
    perThousand: load.uploads === 0 ? 0 : (dollars / load.uploads) * 1000,
    variants: variants.length,
    developMs,
    variantBytes,
  };
}
