/** Calls a handler the way API Gateway does, with tokens of our own making. */
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from "aws-lambda";
import { type JWTPayload, SignJWT } from "jose";

export const SECRET = "a-secret-of-at-least-thirty-two-bytes";

export async function token(
  claims: JWTPayload = {},
  { secret = SECRET, expires = "10m" } = {},
): Promise<string> {
  return new SignJWT({ sub: "me", scope: "upload", ...claims })
    .setProtectedHeader({ alg: "HS256" })
    .setIssuedAt()
    .setExpirationTime(expires)
    .sign(new TextEncoder().encode(secret));
}

type Handler = (
  event: APIGatewayProxyEventV2,
  context: Context,
) => Promise<APIGatewayProxyStructuredResultV2>;

export interface Call {
  readonly token?: string;
  readonly body?: unknown;
  readonly params?: Record<string, string>;
  readonly query?: Record<string, string>;
  readonly headers?: Record<string, string>;
}

export interface Answer {
  readonly status: number | undefined;
  readonly headers: Record<string, string>;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of many shapes, and fail where one is another
  readonly json: any;
  readonly text: string;
}

/** @param routeKey `POST /uploads` */
export async function call(handler: Handler, routeKey: string, request: Call = {}): Promise<Answer> {
  const [method = "", path = ""] = routeKey.split(" ");
  const body = typeof request.body === "string" ? request.body : request.body && JSON.stringify(request.body);
  const event = {
    version: "2.0",
    routeKey,
    rawPath: path,
    rawQueryString: new URLSearchParams(request.query).toString(),
    headers: { ...(request.token ? { authorization: `Bearer ${request.token}` } : {}), ...request.headers },
    ...(request.query ? { queryStringParameters: request.query } : {}),
    ...(request.params ? { pathParameters: request.params } : {}),
    requestContext: { requestId: "request-1", routeKey, stage: "$default", http: { method, path } },
    ...(body ? { body } : {}),
    isBase64Encoded: false,
  } as unknown as APIGatewayProxyEventV2;
  const result = await handler(event, { getRemainingTimeInMillis: () => 10_000 } as Context);
  const text = result.body ?? "";
  const headers = Object.fromEntries(
    Object.entries(result.headers ?? {}).map(([name, value]) => [name, String(value)]),
  );
  return {
    status: result.statusCode,
    headers,
    text,
    json: text.startsWith("{") ? JSON.parse(text) : undefined,
  };
}
