/** The CDN's place: serves the media bucket with the response headers that the distribution adds. */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { errorFields } from "../adapters/log.ts";
import type { Log, ObjectStore } from "../core/ports.ts";

const shared = {
  "access-control-allow-origin": "*",
  "x-content-type-options": "nosniff",
  "cross-origin-resource-policy": "cross-origin",
};
/**
 * As the distribution's response-headers policies have them (a test compares with deploy/infra/media.yml): nothing of
 * `images/` can run or be sniffed into running.
 */
export const policies = {
  images: { ...shared, "content-security-policy": "default-src 'none'; sandbox" },
  static: shared,
};

export function mediaServer(media: Pick<ObjectStore, "get">, log: Log): RequestListener {
  return (request, response) => {
    serve(media, request, response).catch((error: unknown) => {
      log("warn", "media request failed", errorFields(error));
      if (response.headersSent) response.destroy();
      else response.writeHead(503, policies.images).end();
    });
  };
}

async function serve(
  media: Pick<ObjectStore, "get">,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // The path alone decides, as it does for the distribution.
  const policy = request.url?.startsWith("/static/") ? policies.static : policies.images;
  for (const [name, value] of Object.entries(policy)) response.setHeader(name, value);
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.writeHead(405, { allow: "GET, HEAD" }).end();
    return;
  }
  const key = keyOf(request.url ?? "/");
  const stored = key === undefined ? undefined : await media.get(key);
  if (!stored) {
    // Behind Origin Access Control without ListBucket a missing key is 403, which CloudFront does not cache.
    response.writeHead(403, { "content-type": "text/plain" }).end("not here\n");
    return;
  }
  const etag = `"${stored.etag}"`;
  response.setHeader("etag", etag);
  response.setHeader("last-modified", stored.lastModified.toUTCString());
  response.setHeader("cache-control", stored.cacheControl ?? "public, max-age=5");
  if (stored.type) response.setHeader("content-type", stored.type);
  const unchanged = request.headers["if-none-match"]?.includes(etag) ?? false;
  if (unchanged || request.method === "HEAD") {
    await stored.body[Symbol.asyncIterator]().return?.();
    response.writeHead(unchanged ? 304 : 200, unchanged ? {} : { "content-length": stored.size }).end();
    return;
  }
  response.writeHead(200, { "content-length": stored.size });
  await pipeline(stored.body, response);
}

/** Only what is meant to be public: `images/…` and `static/…`. */
function keyOf(url: string): string | undefined {
  try {
    const key = decodeURIComponent(url.split("?")[0] ?? "").slice(1);
    return /^(images|static)\/.+/.test(key) ? key : undefined;
  } catch {
    return undefined;
  }
}
