/** The queue of uploads and jobs: develops each image. */
// biome-ignore assist/source/organizeImports: starts while the rest is loaded.
import { startedAhead } from "../pixels/ahead.ts";
import { onQueue } from "../adapters/aws/on-queue.ts";
import { ports } from "../adapters/aws/ports.ts";
import { workerMeans } from "../adapters/aws/worker-means.ts";
import config from "../adapters/presets.ts";
import { imagesIn } from "../core/message.ts";
import { developMessage } from "../core/worker/handle-message.ts";
import { pixelProcess } from "../pixels/process.ts";

export const handler = onQueue(({ memoryLimitInMB }) => {
  const { env, deps } = ports(
    "UPLOADS_BUCKET",
    "MEDIA_BUCKET",
    "MEDIA_URL",
    "IMAGES_QUEUE_URL",
    "EVENTS_QUEUE_URL",
    "BACKFILL_QUEUE_URL",
    "ORIGINALS_DAYS",
  );
  const means = workerMeans(Number(memoryLimitInMB));
  // TIFF and whatever else a preset asks for; every other loader stays closed.
  const accept = [...config.presets.values()].flatMap((preset) => preset.accept);
  const pixels = pixelProcess({ accept, developSeconds: means.seconds, child: startedAhead() });
  const { MEDIA_URL: mediaUrl, ORIGINALS_DAYS: originalsDays, UPLOADS_BUCKET: bucket } = env;
  const worker = { ...deps, mediaUrl, originalsDays, pixels, means, config };
  return {
    logLevel: env.LOG_LEVEL,
    done: "developed",
    returned: "MessagesReturned",
    arrivals: true,
    // One to a batch, which always has the time that it needs.
    concurrency: 1,
    reserveMs: 0,
    beside: env.IMAGES_QUEUE_URL,
    about: (body) => ({ ids: imagesIn(body, bucket) }),
    handle: (message) => developMessage(worker, { ...message, bucket }),
  };
});
