/** CORS of a bucket: the rules, the preflight and the headers on every other answer. */

import { childrenOf, renderS3, textOf, textsOf, type XmlElement } from "../xml.ts";
import { parseDocument } from "./documents.ts";
import { S3Error } from "./errors.ts";
import type { Reply, S3Request } from "./request.ts";
import { requireBucket, type S3 } from "./s3.ts";

interface CorsRule {
  readonly id: string | undefined;
  readonly origins: readonly string[];
  readonly methods: readonly string[];
  readonly headers: readonly string[];
  readonly expose: readonly string[];
  readonly maxAge: number | undefined;
}

const METHODS: ReadonlySet<string> = new Set(["GET", "PUT", "POST", "DELETE", "HEAD"]);
const MAX_RULES = 100;
const VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";

/** A CORSConfiguration, checked, as it is stored. @throws S3Error `MalformedXML`, `InvalidRequest` */
export function parseCors(document: string): string {
  const rules = childrenOf(parseDocument(document, "CORSConfiguration"), "CORSRule").map(parseRule);
  if (rules.length === 0 || rules.length > MAX_RULES) throw new S3Error("MalformedXML");
  return JSON.stringify(rules);
}

function parseRule(element: XmlElement): CorsRule {
  const [origins, methods] = [textsOf(element, "AllowedOrigin"), textsOf(element, "AllowedMethod")];
  const [headers, expose] = [textsOf(element, "AllowedHeader"), textsOf(element, "ExposeHeader")];
  const maxAge = textOf(element, "MaxAgeSeconds");
  if (origins.length === 0 || methods.length === 0) throw new S3Error("MalformedXML");
  if (maxAge !== undefined && !/^[0-9]{1,9}$/.test(maxAge.trim())) throw new S3Error("MalformedXML");
  const refuse = (message: string) => new S3Error("InvalidRequest", message);
  for (const method of methods) {
    if (!METHODS.has(method))
      throw refuse(`Found unsupported HTTP method in CORS config. Unsupported method is ${method}`);
  }
  for (const [name, values] of Object.entries({ AllowedOrigin: origins, AllowedHeader: headers })) {
    const bad = values.find((value) => value.split("*").length > 2);
    if (bad !== undefined) throw refuse(`${name} "${bad}" can not have more than one wildcard.`);
  }
  if ([...headers, ...expose].some((name) => !/^[!#$%&'*+.^_`|~0-9A-Za-z-]*$/.test(name))) {
    throw refuse("AllowedHeader and ExposeHeader must be names of headers.");
  }
  const wild = expose.find((value) => value.includes("*"));
  if (wild !== undefined)
    throw refuse(
      `ExposeHeader "${wild}" contains wildcard. We currently do not support wildcard for ExposeHeader.`,
    );
  return {
    id: textOf(element, "ID"),
    origins,
    methods,
    headers,
    expose,
    maxAge: maxAge === undefined ? undefined : Number(maxAge),
  };
}

/** The stored rules as S3 shows them. */
export function corsDocument(stored: string): string {
  return renderS3("CORSConfiguration", {
    CORSRule: (JSON.parse(stored) as CorsRule[]).map((rule) => ({
      ID: rule.id,
      AllowedOrigin: rule.origins,
      AllowedMethod: rule.methods,
      AllowedHeader: rule.headers,
      ExposeHeader: rule.expose,
      MaxAgeSeconds: rule.maxAge,
    })),
  });
}

function rulesOf({ storage }: S3, bucket: string | undefined): CorsRule[] | undefined {
  const stored = bucket === undefined ? undefined : storage.configuration(bucket, "cors");
  return stored === undefined ? undefined : (JSON.parse(stored) as CorsRule[]);
}

/** `*` stands for any number of characters. */
function wildcardMatch(pattern: string, text: string): boolean {
  const [start = "", end] = pattern.split("*");
  if (end === undefined) return pattern === text;
  return text.length >= start.length + end.length && text.startsWith(start) && text.endsWith(end);
}

function ruleFor(
  rules: readonly CorsRule[],
  origin: string,
  method: string,
  headers: readonly string[],
): CorsRule | undefined {
  return rules.find(
    (rule) =>
      rule.methods.includes(method) &&
      rule.origins.some((pattern) => wildcardMatch(pattern, origin)) &&
      headers.every((header) => rule.headers.some((pattern) => wildcardMatch(pattern.toLowerCase(), header))),
  );
}

function allowance(rule: CorsRule, origin: string): Record<string, string> {
  const anyone = rule.origins.includes("*");
  return {
    "access-control-allow-origin": anyone ? "*" : origin,
    "access-control-allow-methods": rule.methods.join(", "),
    ...(rule.expose.length > 0 ? { "access-control-expose-headers": rule.expose.join(", ") } : {}),
    ...(anyone ? {} : { "access-control-allow-credentials": "true" }),
    vary: VARY,
  };
}

/** Headers for the answer to anything but a preflight, errors included. */
export function corsHeaders(s3: S3, request: S3Request): Record<string, string> {
  const origin = request.headers.get("origin");
  const rules = rulesOf(s3, request.bucket);
  if (!rules) return {};
  const rule = origin === undefined ? undefined : ruleFor(rules, origin, request.method, []);
  // Without a match too: a cache must not give this answer to an origin that would get another.
  return rule && origin !== undefined ? allowance(rule, origin) : { vary: VARY };
}

/** OPTIONS, which nobody signs. @throws S3Error `AccessForbidden`, `BadRequest`, `NoSuchBucket` */
export function preflight(s3: S3, request: S3Request): Reply {
  const { headers } = request;
  const origin = headers.get("origin");
  const method = headers.get("access-control-request-method");
  if (origin === undefined)
    throw new S3Error("BadRequest", "Insufficient information. Origin request header needed.");
  if (method === undefined) throw new S3Error("BadRequest", "Invalid Access-Control-Request-Method: null");
  if (request.bucket === undefined) throw new S3Error("AccessForbidden");
  requireBucket(s3, request.bucket);
  const rules = rulesOf(s3, request.bucket);
  const details = { Method: method, ResourceType: request.key === undefined ? "BUCKET" : "OBJECT" };
  if (!rules) throw new S3Error("AccessForbidden", undefined, details);
  const asked = (headers.get("access-control-request-headers") ?? "")
    .split(",")
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== "");
  const rule = ruleFor(rules, origin, method, asked);
  if (!rule) {
    throw new S3Error(
      "AccessForbidden",
      "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.",
      details,
    );
  }
  return {
    status: 200,
    headers: {
      ...allowance(rule, origin),
      ...(asked.length > 0 ? { "access-control-allow-headers": asked.join(", ") } : {}),
      ...(rule.maxAge === undefined ? {} : { "access-control-max-age": String(rule.maxAge) }),
    },
  };
}
