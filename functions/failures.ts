/** The dead letters: marks their images failed, so that nobody waits for ever. */
import { onQueue } from "../adapters/aws/on-queue.ts";
import { ports } from "../adapters/aws/ports.ts";
import config from "../adapters/presets.ts";
import { imagesIn } from "../core/message.ts";
import { failMessage } from "../core/worker/handle-message.ts";

export const handler = onQueue(() => {
  const { env, deps } = ports("UPLOADS_BUCKET", "MEDIA_BUCKET", "EVENTS_QUEUE_URL", "ORIGINALS_DAYS");
  const failing = { ...deps, config, originalsDays: env.ORIGINALS_DAYS };
  const bucket = env.UPLOADS_BUCKET;
  return {
    logLevel: env.LOG_LEVEL,
    done: "dead letter",
    concurrency: 4,
    reserveMs: 10_000,
    // One that cannot be handled stays a dead letter, for the alarm and for the next try at its own time.
    about: (body) => ({ ids: imagesIn(body, bucket) }),
    handle: ({ body }) => failMessage(failing, { body, bucket }),
  };
});
