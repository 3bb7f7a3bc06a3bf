/** `/images…`: the state of an image, an owner's images, deletion. */
import { setTimeout } from "node:timers/promises";
import { ports } from "../adapters/aws/ports.ts";
import { api, pageOf, wholeNumber } from "../adapters/http/api.ts";
import { authenticator } from "../adapters/http/auth.ts";
import { asker, MAX_WAIT_SECONDS } from "../core/image/ask-again.ts";
import { listImages, removeImage } from "../core/image/images.ts";

const setUp = () =>
  ports("UPLOADS_BUCKET", "MEDIA_BUCKET", "EVENTS_QUEUE_URL", "IMAGES_QUEUE_URL", "WORKERS");

export const handler = api(() => {
  const { env, deps } = setUp();
  const ask = asker({ ...deps, workers: env.WORKERS }, setTimeout);
  return {
    authenticate: authenticator(deps.now),
    logLevel: env.LOG_LEVEL,
    routes: {
      "GET /images/{id}": {
        scopes: ["upload", "admin"],
        run: async ({ caller, params, query }) => {
          const wait = wholeNumber(query, "wait", { byDefault: 0, from: 0, to: MAX_WAIT_SECONDS });
          const { document: json, ...rest } = await ask(caller, params["id"] ?? "", wait);
          return { status: rest.retryAfter === undefined ? 200 : 202, ...rest, json };
        },
      },
      "GET /images": {
        scopes: ["upload"],
        run: async ({ caller, query }) => {
          const page = pageOf(query, { byDefault: 25, to: 100 });
          return { status: 200, json: await listImages(deps, caller, page) };
        },
      },
      "DELETE /images/{id}": {
        scopes: ["upload", "admin"],
        run: async ({ caller, params }) => {
          await removeImage(deps, caller, params["id"] ?? "");
          return { status: 204 };
        },
      },
    },
  };
});
