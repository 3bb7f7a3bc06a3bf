/** The dead letters: marks their images failed, so that nobody waits for ever. */
import { randomBytes } from "node:crypto";
import middy from "@middy/core";
import type { SQSBatchResponse, SQSEvent } from "aws-lambda";
import { buckets } from "../adapters/aws/buckets.ts";
import { meter } from "../adapters/aws/metrics.ts";
import { s3Client } from "../adapters/aws/s3-store.ts";
import { settleBatch } from "../adapters/aws/sqs-batch.ts";
import { sqsClient, sqsQueue } from "../adapters/aws/sqs-queue.ts";
import { environment } from "../adapters/environment.ts";
import { jsonLog } from "../adapters/log.ts";
import { imagesIn } from "../core/message.ts";
import { failMessage } from "../core/worker/handle-message.ts";
import config from "../darkroom.config.ts";

let made: ReturnType<typeof setUp> | undefined;

function setUp() {
  const env = environment(
    "UPLOADS_BUCKET",
    "MEDIA_BUCKET",
    "EVENTS_QUEUE_URL",
    "LOG_LEVEL",
    "AWS_ENDPOINT_URL_S3",
  );
  const s3 = s3Client({ forcePathStyle: env.AWS_ENDPOINT_URL_S3 !== undefined });
  const deps = {
    ...buckets(s3, env),
    events: sqsQueue(sqsClient(), env.EVENTS_QUEUE_URL),
    config,
    now: () => new Date(),
    random: randomBytes,
  };
  return { env, deps };
}

const measured = meter();

export const handler = middy<SQSEvent, SQSBatchResponse>()
  .use(measured.middleware)
  .handler(async (event, context): Promise<SQSBatchResponse> => {
    made ??= setUp();
    const { env, deps } = made;
    const log = jsonLog(env.LOG_LEVEL, { requestId: context.awsRequestId });
    const options = {
      concurrency: 4,
      remainingMs: () => context.getRemainingTimeInMillis(),
      reserveMs: 10_000,
      // A dead letter that cannot be handled stays one, for the alarm and for the next try at its own time.
      retryIn: async () => {},
      jitter: Math.random,
      log,
      about: ({ body }: SQSEvent["Records"][number]) => ({ ids: imagesIn(body, env.UPLOADS_BUCKET) }),
    };
    return settleBatch(event.Records, options, async ({ body }) => {
      const outcomes = await failMessage(deps, { body, bucket: env.UPLOADS_BUCKET });
      for (const outcome of outcomes) {
        log(outcome.status === "failed" ? "error" : "info", "dead letter", { ...outcome });
        measured.outcome(outcome);
      }
    });
  });
