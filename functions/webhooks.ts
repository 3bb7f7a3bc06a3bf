/** `/admin/webhooks/…`: what no receiver took, and sending again. */
import { ports } from "../adapters/aws/ports.ts";
import { admin, api } from "../adapters/http/api.ts";
import { authenticator } from "../adapters/http/auth.ts";
import { failedWebhooks, ReplayRequest, replayEvents, replayFailed } from "../core/tell/replay.ts";

export const handler = api(() => {
  const { env, deps } = ports(
    "UPLOADS_BUCKET",
    "MEDIA_BUCKET",
    "EVENTS_QUEUE_URL",
    "EVENTS_DEAD_LETTERS_URL",
    "WEBHOOK_URLS",
  );
  const told = { ...deps, urls: env.WEBHOOK_URLS ?? [] };
  /** Within the 29 s of an answer, with time for what is under way. */
  const soon = () => new Date(Date.now() + 15_000);
  return {
    authenticate: authenticator(deps.now),
    logLevel: env.LOG_LEVEL,
    routes: {
      "GET /admin/webhooks/failed": admin(async () => ({ status: 200, json: await failedWebhooks(told) })),
      "POST /admin/webhooks/failed": admin(async () => ({
        status: 202,
        json: await replayFailed(told, soon()),
      })),
      "POST /admin/webhooks/replay": admin(async ({ body }) => {
        return { status: 202, json: await replayEvents(deps, body(ReplayRequest)) };
      }),
    },
  };
});
