import assert from "node:assert/strict";
import test from "node:test";
import { type Probed, probe, readProbeRequest } from "../../core/probe.ts";

interface Answer {
  readonly status: number;
  readonly json?: object;
}
/** An API and all behind it, by `METHOD /path`; time goes on when somebody sleeps. */
async function probed(changes: Record<string, Answer | Answer[]> = {}, seconds = 60) {
  const world: Record<string, Answer | Answer[]> = {
    "GET /images": { status: 200, json: { images: [{ id: "left" }] } },
    "DELETE /images/left": { status: 204 },
    "POST /uploads": {
      status: 201,
      json: { uploads: [{ id: "new", url: "https://s3.example/put", headers: {} }] },
    },
    "PUT /put": { status: 200 },
    "GET /images/new": [
      { status: 202, json: { status: "processing" } },
      { status: 200, json: { status: "ready", variants: [{ url: "https://cdn.example/a.webp" }] } },
    ],
    "GET /a.webp": { status: 200 },
    "DELETE /images/new": { status: 204 },
    ...changes,
  };
  const asked: string[] = [];
  let time = 0;
  const deps = {
    api: "https://api.example",
    token: "token",
    now: () => new Date(time),
    sleep: async (ms: number) => {
      time += ms;
    },
    fetch: async (input: string | URL | Request, init?: RequestInit) => {
      const request = `${init?.method ?? "GET"} ${new URL(String(input)).pathname}`;
      asked.push(request);
      const found = world[request] ?? assert.fail(request);
      const { status, json } = Array.isArray(found)
        ? ((found.length > 1 ? found.shift() : found[0]) as Answer)
        : found;
      return new Response(json ? JSON.stringify(json) : null, { status });
    },
  };
  return { outcome: await probe(deps, seconds), asked };
}

test("a picture goes the whole way and is deleted, and so is what an earlier one has left", async () => {
  const { outcome, asked } = await probed();
  assert.deepEqual(outcome, { step: "done", ms: 1000 });
  assert.deepEqual(asked, [
    "GET /images",
    "DELETE /images/left",
    "POST /uploads",
    "PUT /put",
    "GET /images/new",
    "GET /images/new",
    "GET /a.webp",
    "DELETE /images/new",
  ]);
});

const stuck: [at: string, answer: Answer, outcome: Probed][] = [
  ["GET /images", { status: 503 }, { step: "clear", why: 503, ms: 0 }],
  ["POST /uploads", { status: 403 }, { step: "sign", why: 403, ms: 0 }],
  ["PUT /put", { status: 403 }, { step: "send", why: 403, ms: 0 }],
  [
    "GET /images/new",
    { status: 202, json: { status: "processing" } },
    { step: "wait", why: "processing", ms: 60_000 },
  ],
  [
    "GET /images/new",
    { status: 200, json: { status: "rejected" } },
    { step: "wait", why: "rejected", ms: 0 },
  ],
  ["GET /a.webp", { status: 403 }, { step: "show", why: 403, ms: 1000 }],
  ["DELETE /images/new", { status: 503 }, { step: "delete", why: 503, ms: 1000 }],
];
for (const [at, answer, outcome] of stuck)
  test(`${at} answers ${answer.status} ${JSON.stringify(answer.json ?? "")}: it comes as far as ${outcome.step}`, async () => {
    assert.deepEqual((await probed({ [at]: answer })).outcome, outcome);
  });

test("a schedule says nothing of how long, a person may", () => {
  assert.deepEqual(readProbeRequest({ source: "aws.events" }), { seconds: 60 });
  assert.deepEqual(readProbeRequest({ seconds: 5 }), { seconds: 5 });
  assert.throws(() => readProbeRequest({ seconds: "long" }), { code: "bad-request" });
});
