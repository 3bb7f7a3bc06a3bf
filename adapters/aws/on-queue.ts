/** The edge of the functions that read a queue: settings once per container, each message judged alone, figures written. */
import type { SQSClient } from "@aws-sdk/client-sqs";
import middy from "@middy/core";
import type { Context, SQSBatchResponse, SQSEvent } from "aws-lambda";
import { calmer, jsonLog } from "../log.ts";
import { type Measurable, type MetricName, meter } from "./metrics.ts";
import { type BatchOptions, settleBatch } from "./sqs-batch.ts";
import { sqsClient, sqsQueue } from "./sqs-queue.ts";

export interface QueueReader extends Pick<BatchOptions, "concurrency" | "reserveMs" | "retryAfter"> {
  readonly logLevel: string | undefined;
  /** What the log calls a message that is done. */
  readonly done: string;
  /**
   * The URL of any queue of the account: a message that fails is hidden by a back-off of ours. Absent, it comes back
   * at the queue's own time.
   */
  readonly beside?: string;
  /** What the log says of a message that goes back, such as its image's id. */
  readonly about?: (body: string) => Record<string, unknown>;
  /** Under which name messages that go back are counted. */
  readonly returned?: MetricName;
  /** Whether arrivals are counted, with the time that they waited. */
  readonly arrivals?: boolean;
  /** @returns what became of it, each a line of the log. @throws where a try later may succeed */
  readonly handle: (message: {
    readonly body: string;
    /** How often the queue has delivered it, this time included. */
    readonly receives: number;
  }) => Promise<readonly Measurable[]>;
}

const levels: Readonly<Record<string, "warn" | "error">> = { ignored: "warn", failed: "error" };

/** @param setUp called at the first invocation, so that importing a function needs no environment */
export function onQueue(setUp: (context: Context) => QueueReader) {
  const measured = meter();
  const calmed = calmer();
  let made: { reader: QueueReader; sqs: SQSClient } | undefined;
  return middy<SQSEvent, SQSBatchResponse>()
    .use(measured.middleware)
    .handler(async (event, context): Promise<SQSBatchResponse> => {
      made ??= { reader: setUp(context), sqs: sqsClient() };
      const { reader, sqs } = made;
      const { done, beside, returned } = reader;
      const log = jsonLog(reader.logLevel, { requestId: context.awsRequestId });
      const options: BatchOptions = {
        ...reader,
        remainingMs: () => context.getRemainingTimeInMillis(),
        async retryIn({ eventSourceARN, receiptHandle }, seconds) {
          if (beside === undefined) return;
          // A function's queues are of one account: only the name differs.
          const name = eventSourceARN.split(":").at(-1) ?? "";
          await sqsQueue(sqs, new URL(name, beside).href).retryIn(receiptHandle, seconds);
        },
        jitter: Math.random,
        log: calmed(log),
        about: ({ body }) => reader.about?.(body) ?? {},
      };
      if (reader.arrivals) measured.received(event);
      const answer = await settleBatch(event.Records, options, async ({ body }, receives) => {
        for (const outcome of await reader.handle({ body, receives })) {
          log(levels[outcome.status] ?? "info", done, { ...outcome, receives });
          measured.outcome(outcome);
        }
      });
      if (returned) measured.count(returned, answer.batchItemFailures.length);
      return answer;
    });
}
