/** `/images…`: the state of an image, an owner's images, deletion. */
import { setTimeout } from "node:timers/promises";
import { ports } from "../adapters/aws/ports.ts";
import { api, pageOf, wholeNumber } from "../adapters/http/api.ts";
import { authenticator } from "../adapters/http/auth.ts";
import { awaitImage, listImages, removeImage } from "../core/image/images.ts";

/** API Gateway gives up after 30 s. */
const MAX_WAIT_SECONDS = 20;

export const handler = api(() => {
  const { env, deps } = ports("UPLOADS_BUCKET", "MEDIA_BUCKET", "EVENTS_QUEUE_URL");
  return {
    authenticate: authenticator(deps.now),
    logLevel: env.LOG_LEVEL,
    routes: {
      "GET /images/{id}": {
        scopes: ["upload", "admin"],
        run: async ({ caller, params, query }) => {
          const id = params["id"] ?? "";
          const wait = wholeNumber(query, "wait", { byDefault: 0, from: 0, to: MAX_WAIT_SECONDS });
          const found = await awaitImage(deps, setTimeout, caller, id, wait * 1000);
          if (found) return { status: 200, etag: found.etag, json: found.metadata };
          return { status: 202, headers: { "retry-after": "1" }, json: { id, status: "processing" } };
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
