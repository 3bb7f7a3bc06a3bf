/** Asking again: how often, how long in between, and when to give up. Time is the test's own. */
import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import test from "node:test";
import fc from "fast-check";
import { type Answer, type Api, connect, type Token } from "../../client/api.ts";
import { DarkroomError, retryAfterOf } from "../../client/errors.ts";
import { limiter } from "../../client/patience.ts";
import type { Pause, Transport } from "../../client/transport.ts";
import { uppySigner } from "../../client/uppy.ts";
import { waiter } from "../../client/wait.ts";

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "none",
    (error: unknown) => (error instanceof DarkroomError ? error.code : String(error)),
  );

/** A clock that moves only while somebody waits; `waits` are those waits in milliseconds. Nothing is sent to S3. */
function clock() {
  const waits: number[] = [];
  let time = 0;
  const pause: Pause = async (ms, signal) => {
    signal?.throwIfAborted();
    waits.push(ms);
    time += ms;
  };
  const send: Transport["send"] = () => assert.fail("nothing to send");
  return { waits, pause, send, now: () => time };
}

type Reply = Partial<Answer<unknown>> | Error;
/** An API that gives these answers in turn, the last for ever. */
function answering(...replies: Reply[]): Api & { asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    endpoint: "",
    authorization: async () => "",
    put: () => assert.fail("nothing to send"),
    async call<T>(method: string, path: string) {
      const reply = replies[Math.min(asked.length, replies.length - 1)];
      asked.push(`${method} ${path}`);
      if (reply instanceof Error) throw reply;
      return { status: 200, retryAfter: undefined, json: undefined, ...reply } as Answer<T>;
    },
  };
}
const processing = { json: { status: "processing" } };
const ready = { json: { status: "ready", id: "x" } };
const passing = (retryAfter?: number) =>
  new DarkroomError("busy", undefined, { retryable: true, retryAfter });

const asking = (retryAfter: number): Reply => ({ ...processing, retryAfter });

test("an image is asked for when the API says, and not at all once it is ready", async () => {
  const { waits, ...time } = clock();
  const wished = [2000, 1000, 60_000, 300_000, 1000];
  const api = answering(...wished.map(asking), processing, ready);
  assert.deepEqual(await waiter(api, time)("x"), ready.json);
  assert.deepEqual(new Set(api.asked), new Set(["GET /images/x"]));
  assert.equal(waits.length, 6);
  // A second where nothing is said; up to a quarter more, so that many do not come back in step.
  for (const [i, ms] of waits.entries()) {
    const least = wished[i] ?? 1000;
    assert.ok(ms >= least && ms <= least * 1.25, `${ms} ms where ${least} were asked for`);
  }
});

test("a rejection, a failure and a delete end it at once, with code and sentence", async () => {
  const cases = [
    [{ status: "held", variants: [] }, "held"],
    [{ status: "rejected", error: { code: "too-many-pixels", message: "Too large." } }, "too-many-pixels"],
    [{ status: "failed", error: { code: "retries-exhausted", message: "Ours." } }, "retries-exhausted"],
    [{ nonsense: true }, "bad-answer"],
    [null, "bad-answer"],
  ] as const;
  for (const [json, code] of cases) {
    const { waits, ...time } = clock();
    assert.equal(await codeOf(waiter(answering(processing, { json }), time)("x")), code);
    assert.equal(waits.length, 1);
  }
  const gone = new DarkroomError("gone", "This image was deleted.");
  assert.equal(await codeOf(waiter(answering(gone), clock())("x")), "gone");
});

test("an API that is away or busy is sat out, as long as it asks, for a quarter of an hour at a stretch", async () => {
  const { waits, ...time } = clock();
  const replies = [passing(), passing(20_000), asking(9000), ...Array<Reply>(60).fill(passing()), ready];
  await waiter(answering(...replies), time)("x");
  const near = (ms: number | undefined, wished: number) =>
    assert.ok(ms !== undefined && ms >= wished && ms <= wished * 1.25, `${ms} for ${wished}`);
  near(waits[1], 20_000);
  near(waits[2], 9000);
  const { waits: sat, ...dead } = clock();
  assert.equal(await codeOf(waiter(answering(passing()), dead)("x")), "busy");
  assert.ok(dead.now() >= 900_000 && dead.now() < 906_000, `${dead.now()} ms`);
  assert.ok(sat.length < 300, `${sat.length} requests`);
});

test("an image that is late, as after an outage, is waited for as long as the API says that it is on its way", async () => {
  const { waits, ...time } = clock();
  const api = answering(...Array<Reply>(500).fill(asking(300_000)), ready);
  assert.deepEqual(await waiter(api, time)("x"), ready.json);
  assert.equal(waits.length, 500);
});

test("the time-out is kept, and so is the wish to stop", async () => {
  const { waits, ...time } = clock();
  assert.equal(
    await codeOf(waiter(answering(processing), time)("x", { timeout: 60_000 })),
    "still-processing",
  );
  assert.equal(time.now(), 60_000);
  assert.ok(waits.length <= 61);
  // Asked a last time when it is over, also where the API would have it later; one that is away is not waited for longer.
  const last = clock();
  const late = waiter(answering(asking(300_000), ready), last);
  assert.deepEqual(await late("x", { timeout: 60_000 }), ready.json);
  assert.equal(last.now(), 60_000);
  const dead = clock();
  assert.equal(await codeOf(waiter(answering(passing()), dead)("x", { timeout: 60_000 })), "busy");
  assert.ok(dead.now() < 66_000, `${dead.now()} ms`);
  const controller = new AbortController();
  const pause: Pause = async (_, signal) => {
    controller.abort();
    signal?.throwIfAborted();
  };
  await assert.rejects(waiter(answering(processing), { pause })("x", controller), { name: "AbortError" });
});

test("a thousand images that are waited for are a few requests at once", async () => {
  let running = 0;
  let most = 0;
  let asked = 0;
  const api: Api = {
    ...answering(processing),
    async call<T>() {
      most = Math.max(most, ++running);
      await new Promise(setImmediate);
      running--;
      return { status: 200, retryAfter: undefined, json: (++asked > 1000 ? ready : processing).json as T };
    },
  };
  const { pause } = clock();
  const waitUntilReady = waiter(api, { pause, now: () => 0 });
  await Promise.all(Array.from({ length: 1000 }, (_, i) => waitUntilReady(`${i}`)));
  assert.equal(most, 4);
});

test("a limiter lets in as many as it says, in order, and forgets those who leave the line", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.record({ leaves: fc.boolean(), fails: fc.boolean() }), { maxLength: 30 }),
      async (max, tasks) => {
        const run = limiter(max);
        let running = 0;
        const begun: number[] = [];
        const outcomes = tasks.map(({ leaves, fails }, i) => {
          const controller = new AbortController();
          const done = run(async () => {
            begun.push(i);
            assert.ok(++running <= max);
            await new Promise(setImmediate);
            running--;
            if (fails) throw new Error("failed");
          }, controller.signal).then(
            () => "done",
            (error: Error) => error.name,
          );
          if (leaves && i >= max) controller.abort();
          return done;
        });
        const expected = tasks.map(({ leaves, fails }, i) =>
          leaves && i >= max ? "AbortError" : fails ? "Error" : "done",
        );
        assert.deepEqual(await Promise.all(outcomes), expected);
        assert.deepEqual(
          begun,
          [...tasks.keys()].filter((i) => expected[i] !== "AbortError"),
        );
        // Nobody left a place behind.
        assert.equal(await run(async () => "free"), "free");
      },
    ),
    { numRuns: 50 },
  );
});

test("Retry-After counts seconds up to five minutes, and no dates, as this clock may be wrong; nonsense is none", () => {
  assert.equal(retryAfterOf("7"), 7000);
  for (const much of ["86400", "9".repeat(400)]) assert.equal(retryAfterOf(much), 300_000);
  for (const header of [
    "Fri, 20 Nov 2026 12:00:00 GMT",
    "-1",
    "0",
    "1.5",
    "1e3",
    "7, 8",
    "soon",
    " ",
    "",
    null,
  ])
    assert.equal(retryAfterOf(header), undefined);
});

/** What a call comes to when a server answers so. */
async function callTo(listener: RequestListener, token: Token = "t") {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { waits, ...transport } = clock();
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const outcome = await connect(url, token, transport)
    .call("GET", "/images/x")
    .catch((error: unknown) => error);
  server.close();
  server.closeAllConnections();
  return { outcome, waits };
}
const errorOf = ({ outcome }: { outcome: unknown }) => {
  assert.ok(outcome instanceof DarkroomError, String(outcome));
  return outcome;
};

test("a server that is down, busy, or somebody else says so in words", async () => {
  const down = await callTo((request) => request.destroy());
  assert.equal(errorOf(down).code, "unreachable");
  assert.equal(errorOf(down).message, "The server cannot be reached. Try again in a moment.");
  assert.equal(down.waits.length, 6);

  const busy = await callTo((_, response) => response.writeHead(503, { "retry-after": "3" }).end());
  assert.equal(errorOf(busy).code, "busy");
  assert.ok(busy.waits.every((ms) => ms >= 3000 && ms <= 3750));
  const total = busy.waits.reduce((sum, ms) => sum + ms, 0);
  assert.ok(total > 900_000 && total < 910_000, "a quarter of an hour");
  const broken = await callTo((_, response) => response.writeHead(500).end());
  assert.equal(broken.waits.length, 6);

  for (const status of [200, 404]) {
    const other = await callTo((_, response) => response.writeHead(status).end("<html>hello</html>"));
    assert.equal(errorOf(other).code, "bad-answer");
    assert.deepEqual(other.waits, []);
  }
});

test("a problem document becomes its code and its sentence", async () => {
  const answer = (status: number, problem: object) =>
    callTo((_, response) => response.writeHead(status).end(JSON.stringify(problem)));
  const refused = await answer(422, {
    code: "file-too-large",
    title: "The file is larger than allowed.",
    detail: "files[0]: it has 9 bytes; at most 5 are accepted.",
  });
  assert.equal(errorOf(refused).code, "file-too-large");
  assert.equal(
    errorOf(refused).message,
    "The file is larger than allowed. It has 9 bytes; at most 5 are accepted.",
  );
  const limited = await answer(429, { code: "rate-limited", title: "", detail: "Too many uploads at once." });
  assert.equal(errorOf(limited).message, "Too many uploads at once.");
  assert.ok(limited.waits.length > 180, "it is waited for");
});

test("what Uppy has signed is waited for too", async () => {
  let asked = 0;
  const server = createServer((_, response) => {
    const busy = ++asked <= 20;
    response.writeHead(busy ? (asked % 2 ? 429 : 503) : 200, { "retry-after": "1" });
    response.end(busy ? "" : JSON.stringify({ url: "https://s3/part" }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const { waits, ...transport } = clock();
  const { signRequest } = uppySigner({ api: connect(`http://127.0.0.1:${port}`, "t", transport) });
  const signed = await signRequest({ method: "PUT", key: "originals/x", uploadId: "u", partNumber: 1 });
  assert.deepEqual([signed.url, waits.length], ["https://s3/part", 20]);
  server.close();
  server.closeAllConnections();
});

test("requests that are refused together ask for one new token; one that cannot be had is named", async () => {
  let asked = 0;
  const server = createServer(({ headers }, response) => {
    response.writeHead(headers.authorization === "Bearer 2" ? 200 : 401).end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const { call } = connect(`http://127.0.0.1:${port}`, async () => `${++asked}`, clock());
  await Promise.all([1, 2, 3].map(() => call("GET", "/")));
  assert.equal(asked, 2);
  server.close();
  server.closeAllConnections();

  const failing = await callTo(
    (_, response) => response.end(),
    () => {
      throw new TypeError("no network");
    },
  );
  assert.equal(errorOf(failing).code, "token-failed");
});
