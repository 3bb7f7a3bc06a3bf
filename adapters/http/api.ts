/**
 * The edge of the HTTP functions: middy around a table of routes. Authentication, parsing, problem documents
 * (RFC 9457) and the log line happen here, once.
 */
import { randomUUID } from "node:crypto";
import middy from "@middy/core";
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import * as v from "valibot";
import type { Caller, Scope } from "../../core/caller.ts";
import { DarkroomError } from "../../core/errors.ts";
import type { Log } from "../../core/ports.ts";
import { errorFields, jsonLog } from "../log.ts";
import type { Authenticate } from "./auth.ts";

export interface ApiRequest {
  readonly caller: Caller;
  /** Decoded path parameters, without the token. */
  readonly params: Readonly<Record<string, string | undefined>>;
  readonly query: Readonly<Record<string, string | undefined>>;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Parses the JSON body. */
  body<T>(schema: v.GenericSchema<unknown, T>): T;
  /** The body as it came. @throws DarkroomError `bad-request` where it is not UTF-8 */
  text(): string;
  readonly log: Log;
}

export interface ApiResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** `Set-Cookie`, a value each. */
  readonly cookies?: readonly string[];
  /** A document, sent instead. */
  readonly xml?: string;
  /** Without quotes. Who has this version already is told so: 304. */
  readonly etag?: string;
  /** Seconds after which to ask again. */
  readonly retryAfter?: number;
}

export interface Route {
  /** Any of these is enough. */
  readonly scopes: readonly Scope[];
  /** Parameters of the query that it knows; another one is refused by its name. `any`: the protocol is somebody else's. */
  readonly query?: readonly string[] | "any";
  /** Whom a bearer speaks for that is no token, but sealed for what the path names. */
  readonly holder?: (bearer: string, params: ApiRequest["params"]) => Caller | undefined;
  readonly run: (request: ApiRequest) => Promise<ApiResponse>;
  /** A refusal as this route's clients read it; a problem document where absent. */
  readonly refusal?: (error: DarkroomError, requestId: string) => ApiResponse;
}

/** A route for operators. */
export const admin = (run: Route["run"], query: readonly string[] = []): Route => ({
  scopes: ["admin"],
  query,
  run,
});

/** By API Gateway's route key without a token in the path: `GET /images/{id}`. */
export type Routes = Readonly<Record<string, Route>>;

const MAX_BODY_BYTES = 65_536;
/** For clients that cannot set headers: an upload token in the path. */
const TOKEN_PREFIX = "/t/{token}";

/**
 * @param setUp makes authenticator and routes at the first request, so that importing a function needs no
 *   environment; where it throws, every request is answered with a 500 and the log says why
 */
export function api(
  setUp: () => { authenticate: Authenticate; routes: Routes; logLevel?: string | undefined },
) {
  let made: ReturnType<typeof setUp> | undefined;
  return middy<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2>()
    .onError((request) => {
      request.response = problem(request.error, requestIdOf(request.event), jsonLog("info"));
    })
    .handler(async (event: APIGatewayProxyEventV2): Promise<APIGatewayProxyStructuredResultV2> => {
      const started = performance.now();
      const requestId = requestIdOf(event);
      made ??= setUp();
      const log = jsonLog(made.logLevel, { requestId });
      const viaPath = event.routeKey.includes(TOKEN_PREFIX);
      const routeKey = event.routeKey.replace(TOKEN_PREFIX, "");
      let response: APIGatewayProxyStructuredResultV2;
      let owner: string | undefined;
      const route = Object.hasOwn(made.routes, routeKey) ? made.routes[routeKey] : undefined;
      try {
        if (!route) throw new DarkroomError("not-found", "There is no such route.");
        const { token, ...params } = event.pathParameters ?? {};
        const sent = bearer(event);
        const caller =
          (viaPath || !sent ? undefined : route.holder?.(sent, params)) ??
          (await made.authenticate(viaPath ? token : sent, viaPath ? "path" : "header"));
        owner = caller.owner;
        if (!route.scopes.some((scope) => caller.scopes.has(scope))) {
          throw new DarkroomError(
            "forbidden",
            `This needs a token with the scope ${route.scopes.join(" or ")}.`,
          );
        }
        const { headers, queryStringParameters: query = {} } = event;
        checkQuery(query, route.query);
        const result = await route.run({
          caller,
          params,
          query,
          headers,
          body: (schema) => parseBody(event, schema),
          text: () => textOf(event),
          log,
        });
        response = render(result, headers["if-none-match"]);
      } catch (error) {
        response = problem(error, requestId, log, route?.refusal);
      }
      // The route and not the path: that may hold a token.
      const ms = Math.round(performance.now() - started);
      log("info", "request", { route: event.routeKey, status: response.statusCode, owner, ms });
      return viaPath
        ? { ...response, headers: { ...response.headers, "referrer-policy": "no-referrer" } }
        : response;
    });
}

const requestIdOf = (event: APIGatewayProxyEventV2) => event.requestContext?.requestId ?? randomUUID();

function bearer({ headers }: APIGatewayProxyEventV2): string | undefined {
  return /^Bearer +([^\s]+)$/i.exec(headers?.["authorization"] ?? "")?.[1];
}

function textOf(event: APIGatewayProxyEventV2): string {
  const bytes = Buffer.from(event.body ?? "", event.isBase64Encoded ? "base64" : "utf8");
  if (bytes.length > MAX_BODY_BYTES) throw new DarkroomError("body-too-large");
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new DarkroomError("bad-request", "The body must be UTF-8.");
  }
}

function parseBody<T>(event: APIGatewayProxyEventV2, schema: v.GenericSchema<unknown, T>): T {
  const text = textOf(event);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new DarkroomError("bad-request", "The body must be JSON.");
  }
  return parseJson(json, schema);
}

/** @throws DarkroomError `bad-request` that says where and what was expected */
export function parseJson<T>(json: unknown, schema: v.GenericSchema<unknown, T>): T {
  const parsed = v.safeParse(schema, json, { abortPipeEarly: true });
  if (parsed.success) return parsed.output;
  // At most a few: a request with a thousand faults needs no thousand sentences.
  const faults = parsed.issues
    .slice(0, 5)
    .map((issue) => `${v.getDotPath(issue) ?? "body"}: ${sentence(issue)}`);
  throw new DarkroomError("bad-request", faults.join("; "));
}

/** What was expected, without repeating what the user sent. */
function sentence(issue: v.BaseIssue<unknown>): string {
  if (issue.kind !== "schema") return issue.message.replace(/(:| but) received .*$/is, "");
  if (issue.received === "undefined") return "is missing";
  return issue.expected === "never" ? "is not known here" : `expected ${issue.expected ?? "another value"}`;
}

function render({ cookies, ...rest }: ApiResponse, known?: string): APIGatewayProxyStructuredResultV2 {
  if (cookies !== undefined) return { ...render(rest, known), cookies: [...cookies] };
  const { status, headers, json, xml, etag, retryAfter } = rest;
  if (retryAfter !== undefined)
    return render({ status, headers: { ...headers, "retry-after": String(retryAfter) }, json });
  if (etag !== undefined) {
    const named = { ...headers, etag: `"${etag}"` };
    return render(
      matches(known, named.etag) ? { status: 304, headers: named } : { status, headers: named, json },
    );
  }
  if (xml !== undefined) {
    // Without a charset: Uppy compares the whole of it before it reads an error.
    return { statusCode: status, headers: { "content-type": "application/xml", ...headers }, body: xml };
  }
  // A token in the path is no header that would keep shared caches off.
  const cacheControl = { "cache-control": "private, no-cache" };
  if (json === undefined) return { statusCode: status, headers: { ...cacheControl, ...headers } };
  return {
    statusCode: status,
    headers: { "content-type": "application/json", ...cacheControl, ...headers },
    body: JSON.stringify(json),
  };
}

function problem(
  error: unknown,
  requestId: string,
  log: Log,
  refusal = problemDocument,
): APIGatewayProxyStructuredResultV2 {
  const known =
    error instanceof DarkroomError ? error : new DarkroomError("internal", undefined, { cause: error });
  if (known.row.status >= 500)
    log("error", "request failed", { code: known.code, ...errorFields(known.cause ?? known) });
  const { headers, ...answer } = refusal(known, requestId);
  // What is away for a moment is asked again soon, and not at once.
  const again = answer.status === 503 ? { "retry-after": "2" } : {};
  const all = { ...headers, "cache-control": "no-store", ...again, ...known.headers };
  return render({ ...answer, headers: all });
}

/** RFC 9110 13.1.2: a list of ETags, weak comparison, or `*`. */
export function matches(header: string | undefined, etag: string): boolean {
  return (header ?? "")
    .split(",")
    .some((one) => one.trim().replace(/^W\//, "") === etag || one.trim() === "*");
}

/** A name that was misspelled would change nothing, unnoticed. @throws DarkroomError `bad-request` */
function checkQuery(query: ApiRequest["query"], known: Route["query"] = []): void {
  if (known === "any") return;
  const unknown = Object.keys(query).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const there = known.length === 0 ? "this route takes none" : `there are ${known.join(", ")}`;
  throw new DarkroomError(
    "bad-request",
    `${JSON.stringify(unknown.slice(0, 64))} is no parameter; ${there}.`,
  );
}

/** What `pageOf` reads. */
export const PAGE = ["limit", "cursor"];
/** `limit` and `cursor` of the query. @throws DarkroomError `bad-request` */
export function pageOf(query: ApiRequest["query"], byDefault: number, to: number) {
  return { limit: wholeNumber(query, "limit", { byDefault, from: 1, to }), cursor: query["cursor"] };
}

/** A number of the query. @throws DarkroomError `bad-request` */
export function wholeNumber(
  query: ApiRequest["query"],
  name: string,
  { byDefault, from, to }: { byDefault: number; from: number; to: number },
): number {
  const value = Number(query[name] ?? byDefault);
  if (Number.isInteger(value) && value >= from && value <= to) return value;
  throw new DarkroomError("bad-request", `${name}: a whole number from ${from} to ${to}.`);
}

/** An RFC 9457 document, also for those who invoke a function without HTTP. */
export function problemDocument(known: DarkroomError, requestId: string): ApiResponse {
  const { status, sentence: title } = known.row;
  const json = {
    type: `urn:darkroom:problem:${known.code}`,
    title,
    status,
    detail: known.message,
    code: known.code,
    requestId,
  };
  return { status, headers: { "content-type": "application/problem+json" }, json };
}
