/** What stands in for Lambda, API Gateway, S3's notification and the CDN, piece by piece and without a server of ours. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { syncBuiltinESMExports } from "node:module";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import type { APIGatewayProxyEventV2, Context, S3Event, SQSEvent } from "aws-lambda";
import { MemoryQueue } from "../../adapters/memory-queue.ts";
import { memoryStore } from "../../adapters/memory-store.ts";
import { metaKey, newId, originalKey } from "../../core/keys.ts";
import type { ObjectStore } from "../../core/ports.ts";
import { apiGateway } from "../../local/api-gateway.ts";
import { type Invoke, lambda } from "../../local/lambda.ts";
import { mediaServer } from "../../local/media.ts";
import { type QueueTrigger, queueTrigger } from "../../local/queue-trigger.ts";
import { watchOriginals } from "../../local/watch.ts";
import { ManualClock } from "../contracts/manual-clock.ts";

const ARN = "arn:aws:sqs:eu-central-1:000000000000:images";
/** A minute of real time: a test that used it up would be killed. */
const LONG_MS = 60_000;
/** The trigger's long poll. */
const POLL_MS = 1000;

const silent = () => {};

function triggered(
  invoke: (event: SQSEvent) => Promise<unknown>,
  bodies: string[],
  { batchSize = 10, concurrency = 1 } = {},
) {
  const clock = new ManualClock();
  let ids = 0;
  const queue = new MemoryQueue({ clock, newId: () => `m${++ids}` });
  for (const body of bodies) queue.add(body);
  const options = { queue, arn: ARN, batchSize, concurrency, log: silent };
  const trigger = queueTrigger((event) => invoke(event as SQSEvent), options);
  return { clock, queue, trigger };
}

/** Lets every poll end empty, and waits for what is in work. */
async function closeIdle(trigger: QueueTrigger, clock: ManualClock): Promise<void> {
  const closed = trigger.close(LONG_MS);
  clock.advance(POLL_MS);
  await closed;
}

const three = ["m1", "m2", "m3"];
const failing = (...ids: unknown[]) => ({
  batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })),
});
/** AWS's list: "Success and failure conditions" of partial batch responses. */
const answers: [string, () => unknown, string[]][] = [
  ["one named", () => failing("m2"), ["m2"]],
  ["two named", () => failing("m3", "m1"), ["m1", "m3"]],
  ["one named twice", () => failing("m2", "m2"), ["m2"]],
  ["all named", () => failing(...three), three],
  ["an empty list", () => failing(), []],
  ["null for a list", () => ({ batchItemFailures: null }), []],
  ["an empty answer", () => ({}), []],
  ["null", () => null, []],
  ["undefined", () => undefined, []],
  ["an unknown id", () => failing("m2", "m4"), three],
  ["an empty id", () => failing(""), three],
  ["a null id", () => failing(null), three],
  ["a wrong key", () => ({ batchItemFailures: [{ id: "m2" }] }), three],
  ["a null entry", () => ({ batchItemFailures: [null] }), three],
  ["ids without their objects", () => ({ batchItemFailures: ["m2"] }), three],
  ["a text for a list", () => ({ batchItemFailures: "m2" }), three],
  ["an object for a list", () => ({ batchItemFailures: {} }), three],
  [
    "a throw",
    () => {
      throw new Error("no");
    },
    three,
  ],
];
for (const [name, answer, left] of answers) {
  test(`queue trigger: ${name} leaves ${left.join(", ") || "nothing"}`, async () => {
    let invocations = 0;
    const { clock, queue, trigger } = triggered(async () => {
      invocations++;
      return answer();
    }, three);
    await clock.timerIn(POLL_MS);
    assert.equal(invocations, 1);
    // Failed ones wait for their visibility time-out.
    assert.deepEqual(queue.count(), { visible: 0, inFlight: left.length, delayed: 0 });
    await closeIdle(trigger, clock);
    assert.equal(queue.count().visible, 0, "close gives back only what is in work");
    clock.advance(30_000);
    const kept = await queue.receive({ max: 10 });
    assert.deepEqual(kept.map(({ id }) => id).sort(), left);
  });
}

test("queue trigger: records have AWS's form, with the count of receives", async () => {
  const events: SQSEvent[] = [];
  const { clock, queue, trigger } = triggered(
    async (event) => {
      events.push(event);
      throw new Error("again");
    },
    ["hello"],
  );
  const sentAt = clock.now();
  await clock.timerIn(POLL_MS);
  const started = clock.now();
  // The poll under way ends empty; a later one gets the message when it is visible again.
  while (events.length < 2 && clock.now() - started <= 31_000) {
    clock.advance(POLL_MS);
    await turn();
  }
  const [first, second] = events.map(({ Records: [record] }) => record);
  assert.ok(first && second);
  const { attributes, receiptHandle, ...rest } = first;
  assert.deepEqual(rest, {
    messageId: "m1",
    body: "hello",
    messageAttributes: {},
    // As printed by md5sum.
    md5OfBody: "5d41402abc4b2a76b9719d911017c592",
    eventSource: "aws:sqs",
    eventSourceARN: ARN,
    awsRegion: "eu-central-1",
  });
  assert.equal(attributes.ApproximateReceiveCount, "1");
  assert.equal(attributes.SentTimestamp, String(sentAt));
  assert.equal(second.attributes.ApproximateReceiveCount, "2");
  assert.notEqual(second.receiptHandle, receiptHandle);
  await queue.delete(receiptHandle);
  assert.equal(queue.count().inFlight, 1, "an old receipt deletes nothing");
  await queue.delete(second.receiptHandle);
  assert.deepEqual(queue.count(), { visible: 0, inFlight: 0, delayed: 0 });
  await closeIdle(trigger, clock);
});

test("queue trigger: no more invocations than `concurrency`, no more messages than `batchSize`", async () => {
  const bodies = Array.from({ length: 13 }, (_, i) => `body ${i}`);
  const sizes: number[] = [];
  const handled: string[] = [];
  let active = 0;
  let most = 0;
  const all = Promise.withResolvers<void>();
  const { clock, queue, trigger } = triggered(
    async ({ Records }) => {
      most = Math.max(most, ++active);
      sizes.push(Records.length);
      // Long enough for any other lane to come in.
      await turn();
      handled.push(...Records.map(({ body }) => body));
      active--;
      if (handled.length === bodies.length) all.resolve();
    },
    bodies,
    { batchSize: 2, concurrency: 3 },
  );
  await all.promise;
  await closeIdle(trigger, clock);
  assert.equal(most, 3);
  assert.equal(Math.max(...sizes), 2);
  assert.deepEqual(handled.sort(), bodies.sort());
  assert.deepEqual(queue.count(), { visible: 0, inFlight: 0, delayed: 0 });
});

test("queue trigger: close waits for what ends within the grace, and takes nothing more", async () => {
  const invoked = Promise.withResolvers<void>();
  const end = Promise.withResolvers<void>();
  let invocations = 0;
  const { queue, trigger } = triggered(
    async () => {
      invocations++;
      invoked.resolve();
      await end.promise;
    },
    three,
    { batchSize: 2 },
  );
  await invoked.promise;
  let isClosed = false;
  const closed = trigger.close(LONG_MS).then(() => {
    isClosed = true;
  });
  await turn();
  assert.equal(isClosed, false);
  end.resolve();
  await closed;
  assert.equal(invocations, 1);
  assert.deepEqual(queue.count(), { visible: 1, inFlight: 0, delayed: 0 });
});

test("queue trigger: close gives back what has not ended after the grace", async () => {
  const invoked = Promise.withResolvers<void>();
  const end = Promise.withResolvers<void>();
  const { queue, trigger } = triggered(async () => {
    invoked.resolve();
    await end.promise;
  }, three);
  await invoked.promise;
  assert.equal(queue.count().inFlight, 3);
  await trigger.close(0);
  assert.deepEqual(queue.count(), { visible: 3, inFlight: 0, delayed: 0 });
  // Another has them now: the late end of the first must not take them away.
  assert.deepEqual(
    (await queue.receive({ max: 10 })).map(({ receives }) => receives),
    [2, 2, 2],
  );
  end.resolve();
  await turn();
  assert.equal(queue.count().inFlight, 3);
});

test("queue trigger: what is received while closing is visible again at once", async () => {
  let invocations = 0;
  const { clock, queue, trigger } = triggered(async () => {
    invocations++;
  }, []);
  await clock.timerIn(POLL_MS);
  const closed = trigger.close(LONG_MS);
  queue.add("late");
  assert.equal(queue.count().inFlight, 1, "the poll took it");
  await closed;
  assert.equal(invocations, 0);
  assert.deepEqual(queue.count(), { visible: 1, inFlight: 0, delayed: 0 });
});

/** A function that does what its event says: it is in this process, so the event can be code. */
function functionFile(t: TestContext, timeoutSeconds: number): () => Invoke {
  const folder = mkdtempSync(join(tmpdir(), "darkroom-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const source = "let calls = 0;\nexport const handler = async (run, context) => run(context, ++calls);\n";
  writeFileSync(join(folder, "count.mjs"), source);
  const template = {
    name: "count",
    file: "count.mjs",
    timeoutSeconds,
    memoryMb: 512,
    routes: [],
    sources: [],
    schedules: [],
    environment: [],
  };
  return () => lambda(template, pathToFileURL(`${folder}/`));
}

test("lambda: a module lives from invocation to invocation, and not from one lambda to the next", async (t) => {
  const load = functionFile(t, 1);
  const first = load();
  const second = load();
  const calls = (_: Context, count: number) => count;
  assert.equal(await first(calls), 1);
  assert.equal(await first(calls), 2);
  assert.equal(await second(calls), 1);
  assert.equal(await first(calls), 3);
});

test("lambda: gives the context, passes the function's own error on", async (t) => {
  const invoke = functionFile(t, 1)();
  const context = (await invoke((given: Context) => given)) as Context;
  assert.equal(context.functionName, "count");
  assert.equal(context.memoryLimitInMB, "512");
  const other = (await invoke((given: Context) => given)) as Context;
  assert.notEqual(other.awsRequestId, context.awsRequestId);
  const error = new Error("the function's own");
  await assert.rejects(
    invoke(() => {
      throw error;
    }),
    error,
  );
});

test("lambda: remaining time counts down to the time-out, which ends the invocation", async (t) => {
  const invoke = functionFile(t, 3)();
  t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: Date.UTC(2026, 10, 20) });
  const begun = Promise.withResolvers<Context>();
  const errors: unknown[] = [];
  const invocation = invoke((context: Context) => {
    begun.resolve(context);
    return new Promise(() => {});
  }).catch((reason: unknown) => errors.push(reason));
  const { getRemainingTimeInMillis } = await begun.promise;
  assert.equal(getRemainingTimeInMillis(), 3000);
  t.mock.timers.tick(2999);
  assert.equal(getRemainingTimeInMillis(), 1);
  await turn();
  assert.deepEqual(errors, []);
  t.mock.timers.tick(1);
  await invocation;
  assert.deepEqual(errors.map(String), ["Error: Task timed out after 3 seconds"]);
  t.mock.timers.tick(1000);
  assert.equal(getRemainingTimeInMillis(), 0);
});

async function served(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

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

const NOW = Date.UTC(2026, 10, 20);
const INTERVAL_MS = 2000;

/** A watch on its own time; everything it waits for is in memory, so one turn of the event loop ends a listing. */
function watched(t: TestContext, { graceMs = 0, brokenLists = 0 } = {}) {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: NOW });
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.timers.reset();
    syncBuiltinESMExports();
  });
  const now = () => new Date(Date.now());
  const stored = memoryStore({ now });
  let broken = brokenLists;
  const uploads: ObjectStore = {
    ...stored,
    list: async (...args) => {
      if (broken-- > 0) throw new Error("the server is starting");
      return stored.list(...args);
    },
  };
  const media = memoryStore({ now });
  const queue = new MemoryQueue({ clock: new ManualClock(NOW) });
  const logged: string[] = [];
  const log = (level: string, event: string) => logged.push(`${level}: ${event}`);
  const start = async () => {
    const watch = watchOriginals({ uploads, media, queue, bucket: "uploads", graceMs, log });
    t.after(() => watch.close());
    await turn();
  };
  const nextListing = async () => {
    t.mock.timers.tick(INTERVAL_MS);
    await turn();
  };
  /** What has been queued since the last call: event name, key and etag. */
  const queued = async () => {
    const messages = await queue.receive({ max: 10 });
    return messages.map(({ body }) => {
      const { Records } = JSON.parse(body) as S3Event;
      const [record] = Records;
      assert.ok(record && Records.length === 1);
      assert.equal(record.eventSource, "aws:s3");
      assert.equal(record.s3.bucket.name, "uploads");
      return [record.eventName, record.s3.object.key, record.s3.object.eTag];
    });
  };
  return { uploads, media, queue, start, nextListing, queued, logged };
}

let made = 0;
const id = () => newId(() => Buffer.from(String(++made).padStart(16, "0")));

test("watch: a new original is queued once, an overwritten one again, a removed one as removed", async (t) => {
  const { uploads, start, nextListing, queued } = watched(t);
  const key = originalKey(id());
  const { etag } = await uploads.put(key, "one");
  await start();
  assert.deepEqual(await queued(), [["ObjectCreated:Put", key, etag]]);
  await nextListing();
  assert.deepEqual(await queued(), []);
  const later = originalKey(id());
  const second = await uploads.put(later, "two");
  await nextListing();
  assert.deepEqual(await queued(), [["ObjectCreated:Put", later, second.etag]]);
  const again = await uploads.put(key, "three");
  await nextListing();
  assert.deepEqual(await queued(), [["ObjectCreated:Put", key, again.etag]]);
  await uploads.delete(later);
  await nextListing();
  assert.deepEqual(await queued(), [["ObjectRemoved:Delete", later, undefined]]);
  await nextListing();
  assert.deepEqual(await queued(), []);
});

test("watch: a settled original is left alone until it is overwritten or removed; no other key counts", async (t) => {
  const { uploads, media, start, nextListing, queued } = watched(t);
  const settled = id();
  const removed = id();
  for (const image of [settled, removed]) {
    await uploads.put(originalKey(image), "one");
    await media.put(metaKey(image), "{}");
  }
  await uploads.put("originals/not-an-id", "x");
  await uploads.put(`parts/${id()}`, "x");
  await start();
  await nextListing();
  assert.deepEqual(await queued(), []);
  const { etag } = await uploads.put(originalKey(settled), "two");
  await uploads.delete(originalKey(removed));
  await nextListing();
  assert.deepEqual(await queued(), [
    ["ObjectCreated:Put", originalKey(settled), etag],
    ["ObjectRemoved:Delete", originalKey(removed), undefined],
  ]);
});

test("watch: an original younger than the grace is left to the notification", async (t) => {
  const { uploads, start, nextListing, queued } = watched(t, { graceMs: 5000 });
  const key = originalKey(id());
  const { etag } = await uploads.put(key, "one");
  await start();
  await nextListing();
  await nextListing();
  assert.deepEqual(await queued(), [], "4 s old");
  await nextListing();
  assert.deepEqual(await queued(), [["ObjectCreated:Put", key, etag]], "6 s old");
});

test("watch: sees past one page of a listing", async (t) => {
  const { uploads, queue, start, nextListing } = watched(t);
  for (let i = 0; i < 1001; i++) await uploads.put(originalKey(id()), "one");
  await start();
  assert.equal(queue.count().visible, 1001);
  await nextListing();
  assert.equal(queue.count().visible, 1001);
});

test("watch: a listing that fails is logged and made good by the next", async (t) => {
  const { uploads, start, nextListing, queued, logged } = watched(t, { brokenLists: 1 });
  const key = originalKey(id());
  const { etag } = await uploads.put(key, "one");
  await start();
  assert.deepEqual(await queued(), []);
  assert.deepEqual(logged, ["warn: cannot list originals"]);
  await nextListing();
  assert.deepEqual(await queued(), [["ObjectCreated:Put", key, etag]]);
});

/** What stands between a hostile file and the site's visitors, on whatever is answered. */
function assertSafe({ headers, url }: Response, what: string) {
  // The operator's own files may run.
  const sandbox = url.includes("/static/") ? null : "default-src 'none'; sandbox";
  assert.equal(headers.get("content-security-policy"), sandbox, what);
  assert.equal(headers.get("x-content-type-options"), "nosniff", what);
}

test("media: serves images/ and static/, and nothing else", async (t) => {
  const media = memoryStore({ now: () => new Date(NOW) });
  const body = Buffer.alloc(200_000, "picture");
  for (const key of [
    "images/a/w1.jpg",
    "static/é.svg",
    "originals/a",
    "owners/images/a",
    "failures/failed/a.json",
    "images/",
  ])
    await media.put(key, body, { type: "image/jpeg", cacheControl: "public, max-age=31536000, immutable" });
  const url = await served(t, mediaServer(media, silent));
  const cases: [string, number][] = [
    ["/images/a/w1.jpg", 200],
    ["/images/a/w1.jpg?v=1", 200],
    ["/static/%C3%A9.svg", 200],
    ["/images/a/missing.jpg", 403],
    ["/images/", 403],
    ["/originals/a", 403],
    ["/owners/images/a", 403],
    ["/failures/failed/a.json", 403],
    ["//images/a/w1.jpg", 403],
    ["/images/%", 403],
    ["/", 403],
  ];
  for (const [path, status] of cases) {
    for (const method of ["GET", "HEAD"]) {
      const response = await fetch(url + path, { method });
      assert.equal(response.status, status, `${method} ${path}`);
      assertSafe(response, path);
      const received = Buffer.from(await response.arrayBuffer());
      if (method === "HEAD") assert.equal(received.length, 0);
      else assert.equal(received.equals(body), status === 200, path);
      if (status !== 200) continue;
      assert.equal(response.headers.get("content-length"), "200000");
      assert.equal(response.headers.get("content-type"), "image/jpeg");
      assert.equal(response.headers.get("cache-control"), "public, max-age=31536000, immutable");
      assert.equal(response.headers.get("last-modified"), "Fri, 20 Nov 2026 00:00:00 GMT");
    }
  }
});

test("media: 304 for the version the browser has, 200 for another", async (t) => {
  const media = memoryStore({ now: () => new Date(NOW) });
  await media.put("images/a/meta.json", "{}");
  const url = `${await served(t, mediaServer(media, silent))}/images/a/meta.json`;
  // The MD5 of `{}`, as printed by md5sum.
  const etag = '"99914b932bd37a50b983c5e7c90ae93b"';
  const get = (ifNoneMatch: string) => fetch(url, { headers: { "if-none-match": ifNoneMatch } });
  for (const known of [etag, `W/${etag}`, `"other", ${etag}`]) {
    const response = await get(known);
    assert.equal(response.status, 304, known);
    assert.equal(await response.text(), "");
    assert.equal(response.headers.get("etag"), etag);
    assert.equal(response.headers.get("cache-control"), "public, max-age=5");
    assertSafe(response, known);
  }
  const other = await get('"other"');
  assert.equal(other.status, 200);
  assert.equal(await other.text(), "{}");
});

test("media: only reads, and 503 while the store is away", async (t) => {
  const media: ObjectStore = {
    ...memoryStore({ now: () => new Date(NOW) }),
    get: () => Promise.reject(new Error("away")),
  };
  const url = await served(t, mediaServer(media, silent));
  for (const method of ["PUT", "POST", "DELETE", "OPTIONS"]) {
    const response = await fetch(`${url}/images/a/w1.jpg`, { method });
    assert.equal(response.status, 405, method);
    assertSafe(response, method);
  }
  const response = await fetch(`${url}/images/a/w1.jpg`);
  assert.equal(response.status, 503);
  assertSafe(response, "503");
});
