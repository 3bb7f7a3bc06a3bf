/** What stands in for API Gateway: routes, bodies, errors, CORS. */
import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import type { APIGatewayProxyEventV2 } from "aws-lambda";
import { accountOf } from "../../host/concurrency.ts";
import type { Invoke } from "../../host/lambda.ts";
import { apiGateway } from "../../laptop/api-gateway.ts";
import { served } from "./served.ts";

const silent = () => {};

const CORS = {
  allowedOrigins: ["https://shop.example", "http://localhost:*", "https://*.test.example"],
  allowedMethods: ["GET", "POST"],
  allowedHeaders: ["authorization", "content-type"],
  exposedResponseHeaders: ["retry-after", "x-request-id"],
  maxAge: 600,
};
const echo: Invoke = async (event) => ({ statusCode: 200, body: JSON.stringify(event) });
const gateway = (t: TestContext, routes: Record<string, Invoke>) =>
  served(t, apiGateway(new Map(Object.entries(routes)), CORS, silent));
const eventOf = async (response: Response) => {
  assert.equal(response.status, 200);
  return (await response.json()) as APIGatewayProxyEventV2;
};

test("gateway: a literal beats a parameter beats a greedy one, in whatever order they are declared", async (t) => {
  const keys = ["GET /{proxy+}", "GET /images/{id}", "GET /images/{id}/{name}", "GET /images/all", "GET /"];
  const cases: [string, string, Record<string, string> | undefined][] = [
    ["/", "GET /", undefined],
    ["/images/all", "GET /images/all", undefined],
    ["/images/alle", "GET /images/{id}", { id: "alle" }],
    ["/images/all/a%2Fb%20%C3%A9", "GET /images/{id}/{name}", { id: "all", name: "a/b é" }],
    ["/images/100%", "GET /images/{id}", { id: "100%" }],
    ["/images/a/b/c", "GET /{proxy+}", { proxy: "images/a/b/c" }],
    ["/images", "GET /{proxy+}", { proxy: "images" }],
    ["/images/", "GET /{proxy+}", { proxy: "images/" }],
  ];
  for (const order of [keys, keys.toReversed()]) {
    const url = await gateway(t, Object.fromEntries(order.map((key) => [key, echo])));
    for (const [path, routeKey, params] of cases) {
      const event = await eventOf(await fetch(url + path));
      assert.equal(event.routeKey, routeKey, path);
      assert.equal(event.requestContext.routeKey, routeKey);
      assert.deepEqual(event.pathParameters, params, path);
      assert.equal(event.rawPath, path);
    }
  }
});

test("gateway: repeated query parameters are joined by commas", async (t) => {
  const url = await gateway(t, { "GET /q": echo });
  const event = await eventOf(await fetch(`${url}/q?size=1&name=a%20b+c&size=2&why=?`));
  assert.equal(event.rawQueryString, "size=1&name=a%20b+c&size=2&why=?");
  assert.deepEqual(event.queryStringParameters, { size: "1,2", name: "a b c", why: "?" });
  assert.equal((await eventOf(await fetch(`${url}/q`))).queryStringParameters, undefined);
});

test("gateway: a body is text where it is UTF-8, base64 where not", async (t) => {
  const url = await gateway(t, { "POST /body": echo });
  const post = async (body: Uint8Array<ArrayBuffer> | string | null) =>
    eventOf(await fetch(`${url}/body`, { method: "POST", body }));
  const text = await post("naïve");
  assert.deepEqual([text.body, text.isBase64Encoded], ["naïve", false]);
  const binary = await post(Uint8Array.of(0xff, 0xd8, 0xff));
  assert.deepEqual([binary.body, binary.isBase64Encoded], ["/9j/", true]);
  const none = await post(null);
  assert.deepEqual([none.body, none.isBase64Encoded], [undefined, false]);
  assert.equal(none.requestContext.http.method, "POST");
});

test("gateway: a function's answer arrives as it is, base64 decoded", async (t) => {
  const url = await gateway(t, {
    "GET /jpeg": async () => ({
      statusCode: 203,
      headers: { "content-type": "image/jpeg", "x-count": 7 },
      body: "/9j/",
      isBase64Encoded: true,
    }),
  });
  const response = await fetch(`${url}/jpeg`);
  assert.equal(response.status, 203);
  assert.equal(response.headers.get("content-type"), "image/jpeg");
  assert.equal(response.headers.get("x-count"), "7");
  assert.deepEqual([...new Uint8Array(await response.arrayBuffer())], [0xff, 0xd8, 0xff]);
});

test("gateway: 404 where there is no route, 500 where the function throws, both with CORS", async (t) => {
  const url = await gateway(t, {
    "GET /throws": async () => {
      throw new Error("secret");
    },
    "GET /nothing": async () => undefined,
  });
  const cases: [string, string, number, string][] = [
    ["GET", "/", 404, "Not Found"],
    ["GET", "/throws/", 404, "Not Found"],
    ["POST", "/throws", 404, "Not Found"],
    ["GET", "/throws", 500, "Internal Server Error"],
    ["GET", "/nothing", 500, "Internal Server Error"],
  ];
  for (const [method, path, status, message] of cases) {
    const response = await fetch(url + path, { method, headers: { origin: "https://shop.example" } });
    assert.equal(response.status, status, path);
    assert.deepEqual(await response.json(), { message });
    assert.equal(response.headers.get("access-control-allow-origin"), "https://shop.example");
  }
});

test("gateway: 10 MB pass, a byte more is 413 and never reaches the function", async (t) => {
  const sizes: number[] = [];
  const url = await gateway(t, {
    "POST /body": async (event) => {
      sizes.push((event as APIGatewayProxyEventV2).body?.length ?? 0);
      return { statusCode: 204 };
    },
  });
  const post = (bytes: number) =>
    fetch(`${url}/body`, { method: "POST", body: new Uint8Array(bytes).fill(0x61) });
  assert.equal((await post(10 * 1024 * 1024)).status, 204);
  assert.equal((await post(10 * 1024 * 1024 + 1)).status, 413);
  assert.deepEqual(sizes, [10 * 1024 * 1024]);
});

test("gateway: CORS headers for the allowed origins and no other", async (t) => {
  let invocations = 0;
  const url = await gateway(t, {
    "GET /": async () => {
      invocations++;
      return { statusCode: 200 };
    },
  });
  const origins: [string, boolean][] = [
    ["https://shop.example", true],
    ["http://localhost:5173", true],
    ["https://one.test.example", true],
    ["https://one.test.example.evil.test", false],
    ["https://shop.example.evil.test", false],
    ["http://shop.example", false],
    ["http://localhost.evil.test", false],
    ["https://localhost:5173", false],
    ["null", false],
  ];
  const corsOf = ({ headers }: Response) =>
    Object.fromEntries([...headers].filter(([name]) => name.startsWith("access-control-")));
  for (const [origin, allowed] of origins) {
    const answered = {
      "access-control-allow-origin": origin,
      "access-control-expose-headers": "retry-after,x-request-id",
    };
    const plain = await fetch(url, { headers: { origin } });
    assert.equal(plain.status, 200);
    assert.deepEqual(corsOf(plain), allowed ? answered : {}, origin);
    if (allowed) assert.equal(plain.headers.get("vary"), "origin");
    const before = invocations;
    const preflight = await fetch(`${url}/any/where`, {
      method: "OPTIONS",
      headers: { origin, "access-control-request-method": "POST" },
    });
    assert.equal(preflight.status, 204);
    const granted = {
      ...answered,
      "access-control-allow-methods": "GET,POST",
      "access-control-allow-headers": "authorization,content-type",
      "access-control-max-age": "600",
    };
    assert.deepEqual(corsOf(preflight), allowed ? granted : {}, origin);
    assert.equal(invocations, before, "a preflight is answered without the function");
  }
  assert.deepEqual(corsOf(await fetch(url)), {});
});

test("gateway: above its rate it answers 429, above the account's concurrency 503", async (t) => {
  const routes = new Map<string, Invoke>([["GET /", echo]]);
  const slow = await served(t, apiGateway(routes, CORS, silent, { perSecond: 0, burst: 2 }));
  const statuses: number[] = [];
  for (let i = 0; i < 3; i++) statuses.push((await fetch(slow)).status);
  assert.deepEqual(statuses, [200, 200, 429]);

  const held = Promise.withResolvers<unknown>();
  const bounded = accountOf(1);
  const first = bounded(() => held.promise)({});
  const full = await gateway(t, { "GET /": bounded(echo) });
  assert.equal((await fetch(full)).status, 503);
  held.resolve(undefined);
  await first;
  assert.equal((await fetch(full)).status, 200);
});
