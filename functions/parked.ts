/** Every minute: webhooks that are due again go back to the events queue, and the CDN forgets what was deleted. */
import { cloudFrontForget } from "../adapters/aws/cdn.ts";
import { onSchedule } from "../adapters/aws/on-schedule.ts";
import { ports } from "../adapters/aws/ports.ts";
import { cdnForget } from "../adapters/cdn/forget.ts";
import { bringBack, Receivers } from "../core/tell/deliver.ts";
import { forgetNoted } from "../core/tell/forget.ts";

export const handler = onSchedule(() => {
  const { env, deps } = ports(
    "UPLOADS_BUCKET",
    "MEDIA_BUCKET",
    "EVENTS_QUEUE_URL",
    "WEBHOOK_URLS",
    "MEDIA_DISTRIBUTION_ID",
    "MEDIA_URL",
    "CDN",
    "CDN_ZONE",
    "CDN_TOKEN",
  );
  const { WEBHOOK_URLS: urls = [], MEDIA_DISTRIBUTION_ID: distribution } = env;
  const cloudFront = distribution ? cloudFrontForget(distribution) : undefined;
  const access = { zone: env.CDN_ZONE, token: env.CDN_TOKEN, mediaUrl: env.MEDIA_URL };
  const forget = env.CDN ? cdnForget(env.CDN, access) : cloudFront;
  return {
    logLevel: env.LOG_LEVEL,
    name: "parked",
    reserveMs: 10_000,
    async turn({ until, count }) {
      // First, as it is short, and a delete is waited for.
      const forgotten = await forgetNoted({ ...deps, forget }, until);
      const webhooks = await bringBack({ ...deps, urls }, new Receivers(deps), until);
      count("ImagesForgotten", forgotten.images);
      count("ForgetsWaiting", Number(forgotten.waiting));
      count("ReceiversDead", webhooks.dead);
      return { forgotten, webhooks };
    },
  };
});
