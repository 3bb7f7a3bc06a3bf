/** The page at the stack's first port, and `local.json` for scripts: where everything is, with fresh tokens. */
import { readFile } from "node:fs/promises";
import type { RequestListener } from "node:http";

export interface LocalJson {
  readonly api: string;
  readonly media: string;
  readonly s3: string;
  readonly sqs: string;
  readonly uploadToken: string;
  readonly adminToken: string;
}

const PAGE = new URL("./page.html", import.meta.url);

export function pageServer(local: () => Promise<LocalJson>): RequestListener {
  return (request, response) => {
    const path = request.url?.split("?")[0];
    // Another site's name that resolves to this machine must not get at the tokens (DNS rebinding).
    const own = /^(localhost|127\.0\.0\.1)(:\d+)?$/.test(request.headers.host ?? "");
    if (!own || request.method !== "GET" || (path !== "/" && path !== "/local.json")) {
      response.writeHead(404, { "content-type": "text/plain" }).end("not here\n");
      return;
    }
    const answer = path === "/" ? readFile(PAGE) : local().then((json) => JSON.stringify(json, undefined, 2));
    answer.then(
      (body) => {
        const type = path === "/" ? "text/html; charset=utf-8" : "application/json";
        response.writeHead(200, { "content-type": type, "cache-control": "no-store" }).end(body);
      },
      () => response.writeHead(500).end(),
    );
  };
}
