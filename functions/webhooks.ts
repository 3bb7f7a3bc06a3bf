/** `/admin/webhooks/…`: what no receiver took, and sending again. */
import { ports } from "../adapters/aws/ports.ts";
import { admin, api } from "../adapters/http/api.ts";
import { authenticator } from "../adapters/http/auth.ts";
import { failedWebhooks, ReplayRequest, replayEvents, replayFailed } from "../core/tell/replay.ts";

export const handler = api(() => {
  const { env, deps } = ports("UPLOADS_BUCKET", "EVENTS_QUEUE_URL", "EVENTS_DEAD_LETTERS_URL");
  return {
    authenticate: authenticator(deps.now),
    logLevel: env.LOG_LEVEL,
    routes: {
      "GET /admin/webhooks/failed": admin(async () => ({ status: 200, json: await failedWebhooks(deps) })),
      "POST /admin/webhooks/failed": admin(async () => ({ status: 202, json: await replayFailed(deps) })),
      "POST /admin/webhooks/replay": admin(async ({ body }) => {
        return { status: 202, json: await replayEvents(deps, body(ReplayRequest)) };
      }),
    },
  };
});
