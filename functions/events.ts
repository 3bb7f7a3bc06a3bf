/** The events queue: keeps what is told, and hands it to every receiver. */
import { onQueue } from "../adapters/aws/on-queue.ts";
import { ports } from "../adapters/aws/ports.ts";
import { webhookSender } from "../adapters/http/webhook.ts";
import { Receivers, retryAfter } from "../core/tell/deliver.ts";
import { handleEvent } from "../core/tell/handle-event.ts";

const WEBHOOK_TIMEOUT_MS = 15_000;

export const handler = onQueue(() => {
  const { env, deps } = ports(
    "UPLOADS_BUCKET",
    "EVENTS_QUEUE_URL",
    "WEBHOOK_URLS",
    "WEBHOOK_SECRET",
    "WEBHOOK_ALLOW_PRIVATE",
  );
  const { WEBHOOK_URLS: urls = [], WEBHOOK_SECRET: secrets = [] } = env;
  if (urls.length > 0 && secrets.length === 0) throw new Error("WEBHOOK_URLS needs WEBHOOK_SECRET.");
  const allowPrivate = env.WEBHOOK_ALLOW_PRIVATE;
  const post = webhookSender({ secrets, allowPrivate, timeoutMs: WEBHOOK_TIMEOUT_MS, now: deps.now });
  const told = { ...deps, urls, post, receivers: new Receivers(deps) };
  return {
    logLevel: env.LOG_LEVEL,
    done: "event",
    returned: "WebhooksFailed",
    // A whole batch at once: a receiver that is slow keeps nobody waiting who came with it.
    concurrency: 10,
    // For the answer to a webhook and what comes before and after it.
    reserveMs: WEBHOOK_TIMEOUT_MS + 5_000,
    beside: env.EVENTS_QUEUE_URL,
    retryAfter,
    handle: async ({ body, receives }) => [await handleEvent(told, body, receives)],
  };
});
