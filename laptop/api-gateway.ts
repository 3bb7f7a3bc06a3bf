/** The HTTP API in front of the functions: routes, CORS and the event form of API Gateway's payload 2.0. */
import { randomUUID } from "node:crypto";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import { errorFields } from "../adapters/log.ts";
import type { Log } from "../core/ports.ts";
import { ThrottledError } from "../host/concurrency.ts";
import type { Invoke } from "../host/lambda.ts";
import type { ApiCors, ApiThrottle } from "../host/template.ts";

interface Route {
  readonly key: string;
  readonly method: string;
  readonly segments: readonly string[];
  readonly invoke: Invoke;
}

/** API Gateway's own limit. */
const MAX_BODY_BYTES = 10_485_760;

/** @param routes route keys with the functions behind them */
export function apiGateway(
  routes: ReadonlyMap<string, Invoke>,
  cors: ApiCors,
  log: Log,
  throttle: ApiThrottle = { perSecond: Number.POSITIVE_INFINITY, burst: Number.POSITIVE_INFINITY },
): RequestListener {
  const admits = bucketOf(throttle);
  const table = [...routes].map(([key, invoke]): Route => {
    const [method = "", path = ""] = key.split(" ");
    return { key, method, segments: path.split("/"), invoke };
  });
  // A literal segment beats a parameter, and that a greedy one.
  table.sort((a, b) => vagueness(a) - vagueness(b));
  return (request, response) => {
    answer(request, response, table, cors, admits, log).catch((error: unknown) => {
      log("error", "request failed", errorFields(error));
      if (!response.headersSent) send(response, 500, { message: "Internal Server Error" });
      else response.destroy();
    });
  };
}

const isGreedy = (segment: string | undefined) => segment?.endsWith("+}") ?? false;
const vagueness = ({ segments }: Route) =>
  segments.filter((segment) => segment.startsWith("{")).length + (isGreedy(segments.at(-1)) ? 100 : 0);

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  table: Route[],
  cors: ApiCors,
  admits: () => boolean,
  log: Log,
) {
  const { origin } = request.headers;
  const allowed =
    origin !== undefined && cors.allowedOrigins.some((pattern) => originMatches(pattern, origin));
  if (allowed) {
    response.setHeader("access-control-allow-origin", origin);
    response.setHeader("access-control-expose-headers", cors.exposedResponseHeaders.join(","));
    response.setHeader("vary", "origin");
  }
  if (request.method === "OPTIONS" && origin !== undefined) {
    if (allowed) {
      response.setHeader("access-control-allow-methods", cors.allowedMethods.join(","));
      response.setHeader("access-control-allow-headers", cors.allowedHeaders.join(","));
      response.setHeader("access-control-max-age", String(cors.maxAge));
    }
    request.resume();
    response.writeHead(204).end();
    return;
  }
  const [rawPath = "/", rawQuery = ""] = (request.url ?? "/").split(/\?(.*)/s);
  const found = match(table, request.method ?? "GET", rawPath);
  if (!found) {
    request.resume();
    return send(response, 404, { message: "Not Found" });
  }
  if (!admits()) {
    request.resume();
    return send(response, 429, { message: "Too Many Requests" });
  }
  const body = await readBody(request);
  if (!body) return send(response, 413, { message: "Request Entity Too Large" });
  const event = eventOf(request, found.route, found.params, rawPath, rawQuery, body);
  let result: APIGatewayProxyStructuredResultV2;
  try {
    result = (await found.route.invoke(event)) as APIGatewayProxyStructuredResultV2;
  } catch (error) {
    if (error instanceof ThrottledError) return send(response, 503, { message: "Service Unavailable" });
    log("error", "invocation failed", { route: found.route.key, ...errorFields(error) });
    return send(response, 500, { message: "Internal Server Error" });
  }
  const headers = Object.entries(result.headers ?? {}).map(([name, value]): [string, string] => [
    name,
    String(value),
  ]);
  for (const [name, value] of headers) response.setHeader(name, value);
  if (result.cookies) response.setHeader("set-cookie", result.cookies);
  response.writeHead(result.statusCode ?? 200);
  response.end(Buffer.from(result.body ?? "", result.isBase64Encoded ? "base64" : "utf8"));
}

function send(response: ServerResponse, status: number, json: unknown) {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(json));
}

/** A token for each request: `burst` of them at most, `perSecond` anew. */
function bucketOf({ perSecond, burst }: ApiThrottle): () => boolean {
  let tokens = burst;
  let at = performance.now();
  return () => {
    const now = performance.now();
    tokens = Math.min(burst, tokens + ((now - at) / 1000) * perSecond);
    at = now;
    if (tokens < 1) return false;
    tokens--;
    return true;
  };
}

/** `*` stands for any characters, as in `http://localhost:*`. */
function originMatches(pattern: string, origin: string): boolean {
  const [head = "", tail] = pattern.split("*");
  return tail === undefined
    ? pattern === origin
    : origin.length >= head.length + tail.length && origin.startsWith(head) && origin.endsWith(tail);
}

function match(
  table: Route[],
  method: string,
  path: string,
): { route: Route; params: Record<string, string> } | undefined {
  const whole = path.split("/");
  for (const route of table) {
    const { segments } = route;
    const last = segments.length - 1;
    // `{proxy+}` takes all that is left.
    const parts = isGreedy(segments[last]) ? [...whole.slice(0, last), whole.slice(last).join("/")] : whole;
    if (route.method !== method || segments.length !== parts.length) continue;
    const params: Record<string, string> = {};
    const fits = segments.every((segment, i) => {
      const part = parts[i] ?? "";
      const name = /^\{(.+?)\+?\}$/.exec(segment)?.[1];
      if (name === undefined) return segment === part;
      params[name] = decode(part);
      return part !== "";
    });
    if (fits) return { route, params };
  }
  return undefined;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  return size <= MAX_BODY_BYTES ? Buffer.concat(chunks) : undefined;
}

function eventOf(
  request: IncomingMessage,
  route: Route,
  params: Record<string, string>,
  rawPath: string,
  rawQuery: string,
  body: Buffer,
): APIGatewayProxyEventV2 {
  const now = new Date();
  // Repeated headers and query parameters arrive joined by commas.
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, [value ?? ""].flat().join(",")]),
  );
  const query: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(rawQuery)) {
    query[name] = Object.hasOwn(query, name) ? `${query[name]},${value}` : value;
  }
  const text = body.toString("utf8");
  // What is not UTF-8 is passed on as base64.
  const isBase64Encoded = !Buffer.from(text, "utf8").equals(body);
  return {
    version: "2.0",
    routeKey: route.key,
    rawPath,
    rawQueryString: rawQuery,
    headers,
    ...(rawQuery ? { queryStringParameters: query } : {}),
    ...(Object.keys(params).length > 0 ? { pathParameters: params } : {}),
    requestContext: {
      accountId: "000000000000",
      apiId: "local",
      domainName: request.headers.host ?? "localhost",
      domainPrefix: "local",
      http: {
        method: route.method,
        path: rawPath,
        protocol: `HTTP/${request.httpVersion}`,
        sourceIp: request.socket.remoteAddress ?? "127.0.0.1",
        userAgent: request.headers["user-agent"] ?? "",
      },
      requestId: randomUUID(),
      routeKey: route.key,
      stage: "$default",
      time: now.toISOString(),
      timeEpoch: now.getTime(),
    },
    ...(body.length > 0 ? { body: isBase64Encoded ? body.toString("base64") : text } : {}),
    isBase64Encoded: body.length > 0 && isBase64Encoded,
  };
}
