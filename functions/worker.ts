/** The queue of uploads and jobs: develops each image. */
import { onQueue } from "../adapters/aws/on-queue.ts";
import { ports } from "../adapters/aws/ports.ts";
import { workerMeans } from "../adapters/aws/worker-means.ts";
import config from "../adapters/presets.ts";
import { SUSPECT_RECEIVES } from "../core/image/suspect.ts";
import { imagesIn } from "../core/message.ts";
import { developMessage } from "../core/worker/handle-message.ts";
import { pixelProcess } from "../pixels/process.ts";

/** Messages worked on at once: while one is developed the next original is read. */
const CONCURRENCY = 2;
/**
 * As many images one after the other as there are lanes, each 10 s for its header and 60 s to develop, twice after a
 * crash, and room for reading and writing. Half of the function's time-out: a batch of four never has to give back.
 */
const RESERVE_MS = CONCURRENCY * 2 * 70_000 + 20_000;

export const handler = onQueue(({ memoryLimitInMB }) => {
  const { env, deps } = ports(
    "UPLOADS_BUCKET",
    "MEDIA_BUCKET",
    "MEDIA_URL",
    "IMAGES_QUEUE_URL",
    "EVENTS_QUEUE_URL",
    "BACKFILL_QUEUE_URL",
  );
  const means = workerMeans(Number(memoryLimitInMB));
  // TIFF and whatever else a preset asks for; every other loader stays closed.
  const accept = [...config.presets.values()].flatMap((preset) => preset.accept);
  const pixels = pixelProcess({ accept, developSeconds: means.seconds });
  const worker = { ...deps, mediaUrl: env.MEDIA_URL, pixels, means, config };
  const bucket = env.UPLOADS_BUCKET;
  return {
    logLevel: env.LOG_LEVEL,
    done: "developed",
    returned: "MessagesReturned",
    arrivals: true,
    concurrency: CONCURRENCY,
    aloneFrom: SUSPECT_RECEIVES,
    reserveMs: RESERVE_MS,
    beside: env.IMAGES_QUEUE_URL,
    about: (body) => ({ ids: imagesIn(body, bucket) }),
    handle: (message) => developMessage(worker, { ...message, bucket }),
  };
});
