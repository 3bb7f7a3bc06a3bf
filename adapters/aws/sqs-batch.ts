/** One SQS batch: several messages at a time, each judged alone, the ones to retry named in the answer. */
import type { SQSBatchResponse, SQSRecord } from "aws-lambda";
import { DarkroomError } from "../../core/errors.ts";
import { inLanes } from "../../core/lanes.ts";
import type { Log } from "../../core/ports.ts";
import { errorFields } from "../log.ts";

export interface BatchOptions {
  /** Messages worked on at once: while one is developed the next original is read. */
  readonly concurrency: number;
  /** Milliseconds the invocation has left. */
  readonly remainingMs: () => number;
  /** A message is not begun with less than this left; it goes back untouched. */
  readonly reserveMs: number;
  /** Makes a message visible again after so many seconds. */
  readonly retryIn: (record: SQSRecord, seconds: number) => Promise<void>;
  /** 0 to 1, spreads retries. */
  readonly jitter: () => number;
  /** Seconds until the next try after so many receives; `backOff` where absent. */
  readonly retryAfter?: (receives: number, jitter: number) => number;
  readonly log: Log;
  /** What the log says of a message that goes back, such as its image's id. */
  readonly about?: (record: SQSRecord) => Record<string, unknown>;
}

/**
 * Never rejects: a thrown batch would bring its innocent messages back too, and an empty answer to one that
 * swallowed an error would lose them all.
 */
export async function settleBatch(
  records: readonly SQSRecord[],
  options: BatchOptions,
  handle: (record: SQSRecord, receives: number) => Promise<void>,
): Promise<SQSBatchResponse> {
  const failed: string[] = [];
  await inLanes(records, options.concurrency, async (record) => {
    const receives = Number(record.attributes.ApproximateReceiveCount) || 1;
    try {
      if (options.remainingMs() < options.reserveMs)
        throw new DarkroomError("unavailable", "No time left for another message.");
      await handle(record, receives);
    } catch (error) {
      failed.push(record.messageId);
      const seconds = (options.retryAfter ?? backOff)(receives, options.jitter());
      options.log("warn", "message goes back", {
        message: record.messageId,
        ...options.about?.(record),
        receives,
        seconds,
        ...whyOf(error),
      });
      // Without this it would stay invisible for six times the function's time-out; if it fails, it does.
      await options
        .retryIn(record, seconds)
        .catch((cause: unknown) => options.log("warn", "back-off not set", errorFields(cause)));
    }
  });
  return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
}

/** Of weather that was foreseen a sentence; of what nobody foresaw the stack. */
function whyOf(error: unknown): Record<string, unknown> {
  if (!(error instanceof DarkroomError)) return errorFields(error);
  const cause = error.cause === undefined ? {} : { cause: errorFields(error.cause) };
  return { code: error.code, reason: error.message, ...cause };
}

/**
 * Seconds until the next try: 10, doubled with every receive, at most 15 minutes, of which a quarter is left to chance.
 * SQS counts what is hidden as in flight, and a queue has 120,000 of those: longer would fill it sooner.
 */
export function backOff(receives: number, jitter: number): number {
  return Math.round(Math.min(900, 10 * 2 ** (receives - 1)) * (0.75 + jitter / 4));
}

/**
 * Receives after which a message of an image is given up: an outage of two days is waited out even where every back-off is
 * the shortest there is, and the last of them comes before SQS drops the message after its four days.
 */
export const PATIENT_RECEIVES = 270;
