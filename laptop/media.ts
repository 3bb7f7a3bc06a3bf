/** The CDN's place: serves the media bucket with the response headers that the distribution adds. */
import type { KeyObject } from "node:crypto";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { errorFields } from "../adapters/log.ts";
import type { Log, ObjectStore } from "../core/ports.ts";
import { refusalOf } from "./cdn-signature.ts";

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

/** @param keys by id, of those that may sign for what is private */
export function mediaServer(
  media: Pick<ObjectStore, "get">,
  keys: ReadonlyMap<string, KeyObject>,
  log: Log,
): RequestListener {
  return (request, response) => {
    serve(media, keys, request, response).catch((error: unknown) => {
      log("warn", "media request failed", errorFields(error));
      if (response.headersSent) response.destroy();
      else response.writeHead(503, policies.images).end();
    });
  };
}

async function serve(
  media: Pick<ObjectStore, "get">,
  keys: ReadonlyMap<string, KeyObject>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = addressOf(request);
  // The path alone decides, as it does for the distribution; without any `..`, for which it is looked at first.
  const policy = url.pathname.startsWith("/static/") ? policies.static : policies.images;
  for (const [name, value] of Object.entries(policy)) response.setHeader(name, value);
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.writeHead(405, { allow: "GET, HEAD" }).end();
    return;
  }
  const key = keyOf(url);
  const isSigned = !key?.startsWith("private/") || isServed(url, request, keys);
  const stored = key === undefined || !isSigned ? undefined : await media.get(key);
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

function addressOf({ url = "/", headers }: IncomingMessage): URL {
  try {
    return new URL(`http://${headers.host ?? "localhost"}${url}`);
  } catch {
    return new URL("http://localhost/");
  }
}

function isServed(
  url: URL,
  { headers, socket }: IncomingMessage,
  keys: ReadonlyMap<string, KeyObject>,
): boolean {
  const { cookie } = headers;
  return refusalOf({ url, cookie, sourceIp: socket.remoteAddress }, keys, new Date()) === undefined;
}

/** What is served: `images/…`, `static/…`, and with a signature `private/…`. */
function keyOf({ pathname }: URL): string | undefined {
  try {
    const key = decodeURIComponent(pathname).slice(1);
    return /^(images|static|private)\/.+/.test(key) ? key : undefined;
  } catch {
    return undefined;
  }
}
