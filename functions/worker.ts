/** The queue of uploads and jobs: develops each image. */
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
import { developMessage } from "../core/worker/handle-message.ts";
import config from "../darkroom.config.ts";
import { pixelProcess } from "../pixels/process.ts";

/** Messages worked on at once: while one is developed the next original is read. */
const CONCURRENCY = 2;
/**
 * As many images one after the other as there are lanes, each 10 s for its header and 60 s to develop, twice after a
 * crash, and room for reading and writing. Half of the function's time-out: a batch of four never has to give back.
 */
const RESERVE_MS = CONCURRENCY * 2 * 70_000 + 20_000;

/** Lambda gives a whole vCPU at this much memory, in MB, and its share below and above. */
const MB_PER_VCPU = 1769;
/** Of this process, with the SDK and the originals and variants of its lanes. */
const OWN_BYTES = 300_000_000;
const DEVELOP_SECONDS = 60;

let made: ReturnType<typeof setUp> | undefined;

function setUp(memoryMb: number) {
  const env = environment(
    "UPLOADS_BUCKET",
    "MEDIA_BUCKET",
    "MEDIA_URL",
    "IMAGES_QUEUE_URL",
    "EVENTS_QUEUE_URL",
    "BACKFILL_QUEUE_URL",
    "LOG_LEVEL",
    "AWS_ENDPOINT_URL_S3",
  );
  const s3 = s3Client({ forcePathStyle: env.AWS_ENDPOINT_URL_S3 !== undefined });
  const sqs = sqsClient();
  return {
    env,
    sqs,
    deps: {
      backfill: sqsQueue(sqs, env.BACKFILL_QUEUE_URL),
      ...buckets(s3, env),
      events: sqsQueue(sqs, env.EVENTS_QUEUE_URL),
      mediaUrl: env.MEDIA_URL,
      // TIFF and whatever else a preset asks for; every other loader stays closed.
      pixels: pixelProcess({
        accept: [...config.presets.values()].flatMap(({ accept }) => accept),
        developSeconds: DEVELOP_SECONDS,
      }),
      means: {
        memoryBytes: memoryMb * 2 ** 20 - OWN_BYTES,
        vcpus: memoryMb / MB_PER_VCPU,
        seconds: DEVELOP_SECONDS,
      },
      config,
      now: () => new Date(),
      random: randomBytes,
    },
  };
}

const measured = meter();

export const handler = middy<SQSEvent, SQSBatchResponse>()
  .use(measured.middleware)
  .handler(async (event, context): Promise<SQSBatchResponse> => {
    made ??= setUp(Number(context.memoryLimitInMB));
    const { env, deps, sqs } = made;
    const log = jsonLog(env.LOG_LEVEL, { requestId: context.awsRequestId });
    const options = {
      concurrency: CONCURRENCY,
      remainingMs: () => context.getRemainingTimeInMillis(),
      reserveMs: RESERVE_MS,
      // Live uploads and jobs come from two queues of one account: only the name differs.
      retryIn: (record: SQSEvent["Records"][number], seconds: number) => {
        const name = record.eventSourceARN.split(":").at(-1) ?? "";
        return sqsQueue(sqs, new URL(name, env.IMAGES_QUEUE_URL).href).retryIn(record.receiptHandle, seconds);
      },
      jitter: Math.random,
      log,
      about: ({ body }: SQSEvent["Records"][number]) => ({ ids: imagesIn(body, env.UPLOADS_BUCKET) }),
    };
    measured.received(event);
    const answer = await settleBatch(event.Records, options, async (record, receives) => {
      const outcomes = await developMessage(deps, {
        body: record.body,
        receives,
        bucket: env.UPLOADS_BUCKET,
      });
      for (const outcome of outcomes) {
        log(outcome.status === "ignored" ? "warn" : "info", "developed", { ...outcome, receives });
        measured.outcome(outcome);
      }
    });
    measured.count("MessagesReturned", answer.batchItemFailures.length);
    return answer;
  });
