/** On a schedule, or asked by a person: mends what no message will. */
import { randomBytes } from "node:crypto";
import middy from "@middy/core";
import { buckets } from "../adapters/aws/buckets.ts";
import { meter } from "../adapters/aws/metrics.ts";
import { s3Client } from "../adapters/aws/s3-store.ts";
import { sqsClient, sqsQueue } from "../adapters/aws/sqs-queue.ts";
import { environment } from "../adapters/environment.ts";
import { jsonLog } from "../adapters/log.ts";
import { type SweepReport, sweep } from "../core/sweep/sweep.ts";
import { readSweepRequest } from "../core/sweep/sweep-request.ts";

/** Of the invocation's time, for the batch that is under way: a second or two, a minute while S3 throttles. */
const RESERVE_MS = 60_000;

let made: ReturnType<typeof setUp> | undefined;

function setUp() {
  const env = environment(
    "UPLOADS_BUCKET",
    "MEDIA_BUCKET",
    "BACKFILL_QUEUE_URL",
    "EVENTS_QUEUE_URL",
    "SUPERSEDED_DAYS",
    "LOG_LEVEL",
    "AWS_ENDPOINT_URL_S3",
  );
  const s3 = s3Client({ forcePathStyle: env.AWS_ENDPOINT_URL_S3 !== undefined });
  const sqs = sqsClient();
  const deps = {
    ...buckets(s3, env),
    backfill: sqsQueue(sqs, env.BACKFILL_QUEUE_URL),
    events: sqsQueue(sqs, env.EVENTS_QUEUE_URL),
    now: () => new Date(),
    random: randomBytes,
  };
  return { env, deps };
}

const measured = meter();

export const handler = middy<unknown, SweepReport>()
  .use(measured.middleware)
  .handler(async (event, context): Promise<SweepReport> => {
    made ??= setUp();
    const { env, deps } = made;
    const log = jsonLog(env.LOG_LEVEL, { requestId: context.awsRequestId });
    const timeLeft = () => context.getRemainingTimeInMillis() > RESERVE_MS;
    const request = readSweepRequest(event, env.SUPERSEDED_DAYS);
    const report = await sweep({ ...deps, log }, { ...request, timeLeft });
    log("info", "sweep", { ...report });
    // Nothing found is a figure too: it says that the sweep has been there.
    measured.count("Mended", 0);
    for (const [deed, count] of Object.entries(report.done)) measured.count("Mended", count, deed);
    return report;
  });
