/** The page at the stack's first port, and `local.json` for scripts: where everything is, with fresh tokens. */
import type { RequestListener, ServerResponse } from "node:http";
import { extname } from "node:path";
import { errorFields } from "../adapters/log.ts";
import type { Log } from "../core/ports.ts";
import type { LocalJson } from "../host/note.ts";
import { builtPage } from "./page-build.ts";
import { pagePresets } from "./page-presets.ts";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
};

export function pageServer(
  where: Pick<LocalJson, "api" | "media" | "s3">,
  local: () => Promise<LocalJson>,
  log: Log,
): RequestListener {
  const headers = {
    "content-security-policy": policy(where),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
  };
  const answer = async (path: string, response: ServerResponse) => {
    if (path === "/local.json") {
      response.setHeader("content-type", "application/json");
      response.setHeader("cache-control", "no-store");
      response.end(JSON.stringify(await local(), undefined, 2));
      return;
    }
    if (path === "/presets.json") {
      response.setHeader("content-type", "application/json");
      response.setHeader("cache-control", "no-store");
      response.end(pagePresets);
      return;
    }
    const name = path === "/" ? "index.html" : path.slice(1);
    const file = (await builtPage()).get(name);
    if (!file) {
      response.writeHead(404, { "content-type": "text/plain" }).end("not here\n");
      return;
    }
    // Vite puts a digest into the names of what is under assets/.
    const kept = name.startsWith("assets/") ? "public, max-age=31536000, immutable" : "no-store";
    response.setHeader("cache-control", kept);
    response.setHeader("content-type", TYPES[extname(name)] ?? "application/octet-stream");
    response.end(file);
  };
  return (request, response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    // Another site's name that resolves to this machine must not get at the tokens (DNS rebinding).
    const own = /^(localhost|127\.0\.0\.1)(:\d+)?$/.test(request.headers.host ?? "");
    if (!own || request.method !== "GET") {
      response.writeHead(404, { "content-type": "text/plain" }).end("not here\n");
      return;
    }
    answer(request.url?.split("?")[0] ?? "/", response).catch((error: unknown) => {
      log("error", "page failed", errorFields(error));
      // It is the developer who looks at it: what Vite says is what they need.
      response.writeHead(500, { "content-type": "text/plain; charset=utf-8" }).end(String(error));
    });
  };
}

/** What the page needs and nothing else. Placeholders are `data:`, previews of files `blob:`. */
function policy({ api, media, s3 }: Pick<LocalJson, "api" | "media" | "s3">): string {
  const origin = (url: string) => new URL(url).origin;
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    `img-src 'self' data: blob: ${origin(media)} ${origin(s3)}`,
    `connect-src 'self' ${origin(api)} ${origin(s3)}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}
