/** `/images…`: the state of an image, an owner's images, deletion. */
import { randomBytes } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { buckets } from "../adapters/aws/buckets.ts";
import { s3Client } from "../adapters/aws/s3-store.ts";
import { sqsClient, sqsQueue } from "../adapters/aws/sqs-queue.ts";
import { environment } from "../adapters/environment.ts";
import { type ApiResponse, api, wholeNumber } from "../adapters/http/api.ts";
import { authenticator } from "../adapters/http/auth.ts";
import { awaitImage, listImages, removeImage } from "../core/image/images.ts";

const MAX_PAGE = 100;
/** API Gateway gives up after 30 s. */
const MAX_WAIT_SECONDS = 20;

export const handler = api(() => {
  const env = environment(
    "UPLOADS_BUCKET",
    "MEDIA_BUCKET",
    "EVENTS_QUEUE_URL",
    "LOG_LEVEL",
    "AWS_ENDPOINT_URL_S3",
  );
  const client = s3Client({ forcePathStyle: env.AWS_ENDPOINT_URL_S3 !== undefined });
  const now = () => new Date();
  const deps = {
    ...buckets(client, env),
    events: sqsQueue(sqsClient(), env.EVENTS_QUEUE_URL),
    now,
    random: randomBytes,
  };
  return {
    authenticate: authenticator(now),
    logLevel: env.LOG_LEVEL,
    routes: {
      "GET /images/{id}": {
        scopes: ["upload", "admin"],
        run: async ({ caller, params, query, headers }): Promise<ApiResponse> => {
          const id = params["id"] ?? "";
          const wait = wholeNumber(query, "wait", { byDefault: 0, from: 0, to: MAX_WAIT_SECONDS });
          const found = await awaitImage(deps, setTimeout, caller, id, wait * 1000);
          if (!found)
            return { status: 202, headers: { "retry-after": "1" }, json: { id, status: "processing" } };
          const etag = `"${found.etag}"`;
          const cached = { etag, "cache-control": "private, no-cache" };
          if (matches(headers["if-none-match"], etag)) return { status: 304, headers: cached };
          return { status: 200, headers: cached, json: found.metadata };
        },
      },
      "GET /images": {
        scopes: ["upload"],
        run: async ({ caller, query }) => {
          const limit = wholeNumber(query, "limit", { byDefault: 25, from: 1, to: MAX_PAGE });
          const page = { limit, cursor: query["cursor"] };
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

/** RFC 9110 13.1.2: a list of ETags, weak comparison, or `*`. */
function matches(header: string | undefined, etag: string): boolean {
  return (header ?? "")
    .split(",")
    .some((one) => one.trim().replace(/^W\//, "") === etag || one.trim() === "*");
}
