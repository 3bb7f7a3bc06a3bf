/** `/admin/webhooks/…`: what no receiver took, and sending again. */

import { s3Client, s3Store } from "../adapters/aws/s3-store.ts";
import { sqsClient, sqsQueue } from "../adapters/aws/sqs-queue.ts";
import { environment } from "../adapters/environment.ts";
import { api, type Route } from "../adapters/http/api.ts";
import { authenticator } from "../adapters/http/auth.ts";
import { failedWebhooks, ReplayRequest, replayEvents, replayFailed } from "../core/tell/replay.ts";

export const handler = api(() => {
  const env = environment(
    "UPLOADS_BUCKET",
    "EVENTS_QUEUE_URL",
    "EVENTS_DEAD_LETTERS_URL",
    "LOG_LEVEL",
    "AWS_ENDPOINT_URL_S3",
  );
  const s3 = s3Client({ forcePathStyle: env.AWS_ENDPOINT_URL_S3 !== undefined });
  const sqs = sqsClient();
  const deps = {
    uploads: s3Store(s3, env.UPLOADS_BUCKET),
    events: sqsQueue(sqs, env.EVENTS_QUEUE_URL),
    deadLetters: sqsQueue(sqs, env.EVENTS_DEAD_LETTERS_URL),
  };
  const admin = (run: Route["run"]): Route => ({ scopes: ["admin"], run });
  return {
    authenticate: authenticator(() => new Date()),
    logLevel: env.LOG_LEVEL,
    routes: {
      "GET /admin/webhooks/failed": admin(async () => ({ status: 200, json: await failedWebhooks(deps) })),
      "POST /admin/webhooks/failed": admin(async () => ({ status: 202, json: await replayFailed(deps) })),
      "POST /admin/webhooks/replay": admin(async ({ body }) => ({
        status: 202,
        json: await replayEvents(deps, body(ReplayRequest)),
      })),
    },
  };
});
