/** The events queue: keeps what is told, hands it to every receiver, and has the CDN forget what was deleted. */
import { randomBytes } from "node:crypto";
import middy from "@middy/core";
import type { SQSBatchResponse, SQSEvent } from "aws-lambda";
import { cloudFrontForget } from "../adapters/aws/cdn.ts";
import { meter } from "../adapters/aws/metrics.ts";
import { s3Client, s3Store } from "../adapters/aws/s3-store.ts";
import { settleBatch } from "../adapters/aws/sqs-batch.ts";
import { sqsClient, sqsQueue } from "../adapters/aws/sqs-queue.ts";
import { environment } from "../adapters/environment.ts";
import { webhookSender } from "../adapters/http/webhook.ts";
import { jsonLog } from "../adapters/log.ts";
import { handleEvent, retryAfter } from "../core/tell/handle-event.ts";

/** A whole batch at once: a receiver that is slow keeps nobody waiting who came with it. */
const CONCURRENCY = 10;
const WEBHOOK_TIMEOUT_MS = 15_000;
/** For the answer to a webhook and what comes before and after it. */
const RESERVE_MS = WEBHOOK_TIMEOUT_MS + 5_000;

let made: ReturnType<typeof setUp> | undefined;

function setUp() {
  const env = environment(
    "UPLOADS_BUCKET",
    "EVENTS_QUEUE_URL",
    "WEBHOOK_URLS",
    "WEBHOOK_SECRET",
    "WEBHOOK_ALLOW_PRIVATE",
    "MEDIA_DISTRIBUTION_ID",
    "LOG_LEVEL",
    "AWS_ENDPOINT_URL_S3",
  );
  const secrets = env.WEBHOOK_SECRET ?? [];
  const urls = env.WEBHOOK_URLS ?? [];
  if (urls.length > 0 && secrets.length === 0) throw new Error("WEBHOOK_URLS needs WEBHOOK_SECRET.");
  const s3 = s3Client({ forcePathStyle: env.AWS_ENDPOINT_URL_S3 !== undefined });
  const events = sqsQueue(sqsClient(), env.EVENTS_QUEUE_URL);
  const distribution = env.MEDIA_DISTRIBUTION_ID;
  return {
    env,
    deps: {
      uploads: s3Store(s3, env.UPLOADS_BUCKET),
      random: randomBytes,
      events,
      urls,
      post: webhookSender({
        secrets,
        allowPrivate: env.WEBHOOK_ALLOW_PRIVATE ?? false,
        timeoutMs: WEBHOOK_TIMEOUT_MS,
        now: () => new Date(),
      }),
      forget: distribution ? cloudFrontForget(distribution) : undefined,
    },
  };
}

const measured = meter();

export const handler = middy<SQSEvent, SQSBatchResponse>()
  .use(measured.middleware)
  .handler(async (event, context): Promise<SQSBatchResponse> => {
    made ??= setUp();
    const { env, deps } = made;
    const log = jsonLog(env.LOG_LEVEL, { requestId: context.awsRequestId });
    const options = {
      concurrency: CONCURRENCY,
      remainingMs: () => context.getRemainingTimeInMillis(),
      reserveMs: RESERVE_MS,
      retryIn: (record: SQSEvent["Records"][number], seconds: number) =>
        deps.events.retryIn(record.receiptHandle, seconds),
      retryAfter,
      jitter: Math.random,
      log,
    };
    const answer = await settleBatch(event.Records, options, async ({ body }, receives) => {
      const outcome = await handleEvent(deps, body, receives);
      log(outcome.status === "ignored" ? "warn" : "info", "event", { ...outcome, receives });
      measured.count("WebhooksDelivered", outcome.status === "delivered" ? 1 : undefined);
    });
    measured.count("WebhooksFailed", answer.batchItemFailures.length);
    return answer;
  });
