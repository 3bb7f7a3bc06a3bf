/**
 * What happened, in numbers: Powertools writes them as lines of CloudWatch's embedded metric format, which become
 * metrics without a call. Dashboard and alarms (deploy/infra/watch.yml) name the same ones; a test compares.
 */
import { Metrics, MetricUnit } from "@aws-lambda-powertools/metrics";
import { logMetrics } from "@aws-lambda-powertools/metrics/middleware";
import type { MetricUnit as Unit } from "@aws-lambda-powertools/metrics/types";
import type { MiddlewareObj } from "@middy/core";
import type { SQSEvent, SQSRecord } from "aws-lambda";
import { environment } from "../environment.ts";

export const NAMESPACE = "Darkroom";

/** `by` is a dimension that the metric has besides its total: a closed list, as each value costs as a metric. */
export const metricTable = {
  Messages: { unit: MetricUnit.Count },
  MessagesReturned: { unit: MetricUnit.Count },
  /** From when a message was sent to its first receive. */
  QueueTime: { unit: MetricUnit.Milliseconds },
  ImagesReady: { unit: MetricUnit.Count },
  ImagesRejected: { unit: MetricUnit.Count, by: "code" },
  ImagesFailed: { unit: MetricUnit.Count, by: "code" },
  ImagesDeleted: { unit: MetricUnit.Count },
  /** Ready after they had been given up. */
  ImagesHealed: { unit: MetricUnit.Count },
  MessagesIgnored: { unit: MetricUnit.Count },
  /** From the upload to the commit. */
  TimeToReady: { unit: MetricUnit.Milliseconds },
  DevelopTime: { unit: MetricUnit.Milliseconds },
  BytesIn: { unit: MetricUnit.Bytes },
  BytesOut: { unit: MetricUnit.Bytes },
  Variants: { unit: MetricUnit.Count },
  /** By the sweep: what no message spoke of any more. `deed` is what it did. */
  Mended: { unit: MetricUnit.Count, by: "deed" },
  /** Whether the sweep stands still until somebody confirms. */
  SweepStopped: { unit: MetricUnit.Count },
  WebhooksDelivered: { unit: MetricUnit.Count },
  /** Tries: one webhook may fail several times before it is delivered. */
  WebhooksFailed: { unit: MetricUnit.Count },
  /** Put aside after several tries, until they are due. */
  WebhooksParked: { unit: MetricUnit.Count },
  /** Receivers that take nothing: a figure for every turn of the schedule. */
  ReceiversDead: { unit: MetricUnit.Count },
  /** Deleted images that the CDN was asked to forget. */
  ImagesForgotten: { unit: MetricUnit.Count },
  /** 1 for a turn that left some for the next. */
  ForgetsWaiting: { unit: MetricUnit.Count },
  /** Of a picture of our own, from asking for a signature until it was ready. */
  ProbeTime: { unit: MetricUnit.Milliseconds },
  /** 1 for one that did not get all the way. */
  ProbesFailed: { unit: MetricUnit.Count },
} as const satisfies Record<string, { unit: Unit; by?: string }>;
export type MetricName = keyof typeof metricTable;

/** What of an outcome is counted: that of an image, of a job's step, or of something told. */
export interface Measurable {
  readonly id?: string;
  readonly status: string;
  /** An error's code where there is one. */
  readonly reason?: string | undefined;
  readonly sourceBytes?: number | undefined;
  readonly variants?: number | undefined;
  readonly variantBytes?: number | undefined;
  readonly readyMs?: number | undefined;
  readonly healed?: boolean;
  readonly durationMs?: number | undefined;
}

export interface Meter {
  /** Writes what was counted when the invocation ends, however it does. */
  readonly middleware: MiddlewareObj[];
  /** @param by the value of the metric's own dimension */
  count(name: MetricName, value: number | undefined, by?: string): void;
  /** Messages as they come in. */
  received(event: SQSEvent): void;
  outcome(outcome: Measurable): void;
}

/** Counts under the stack's name; where there is none, as on a laptop, nothing is written. */
export function meter(now: () => number = Date.now): Meter {
  const { METRICS_SERVICE } = environment("METRICS_SERVICE");
  // It warns of every invocation that counted nothing, as one that fetches a URL.
  const logger = { ...console, warn: () => {} };
  const metrics = METRICS_SERVICE
    ? new Metrics({ namespace: NAMESPACE, serviceName: METRICS_SERVICE, logger })
    : undefined;

  const count: Meter["count"] = (name, value, by) => {
    if (!metrics || value === undefined) return;
    const row: { unit: Unit; by?: string } = metricTable[name];
    metrics.addMetric(name, row.unit, value);
    if (row.by && by) metrics.singleMetric().addDimension(row.by, by).addMetric(name, row.unit, value);
  };
  const waited = ({ attributes }: SQSRecord) => now() - Number(attributes.SentTimestamp);

  return {
    middleware: metrics ? [logMetrics(metrics)] : [],
    count,
    received({ Records }) {
      count("Messages", Records.length);
      for (const record of Records)
        if (record.attributes.ApproximateReceiveCount === "1") count("QueueTime", waited(record));
    },
    outcome(outcome) {
      if (outcome.status === "ready") count("ImagesReady", 1);
      if (outcome.status === "rejected") count("ImagesRejected", 1, outcome.reason);
      if (outcome.status === "failed") count("ImagesFailed", 1, outcome.reason);
      if (outcome.healed) count("ImagesHealed", 1);
      if (outcome.status === "deleted") count("ImagesDeleted", 1);
      if (outcome.status === "ignored") count("MessagesIgnored", 1);
      if (outcome.status === "delivered") count("WebhooksDelivered", 1);
      if (outcome.status === "parked") count("WebhooksParked", 1);
      count("TimeToReady", outcome.readyMs);
      count("DevelopTime", outcome.durationMs);
      count("BytesIn", outcome.sourceBytes);
      count("BytesOut", outcome.variantBytes);
      count("Variants", outcome.variants);
    },
  };
}
