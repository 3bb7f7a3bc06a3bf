import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { api } from "../../adapters/http/api.ts";
import { calmer, errorFields, jsonLog } from "../../adapters/log.ts";
import { ownerOf } from "../../core/keys.ts";
import { call } from "../functions/api.ts";

/** What is written to standard output until the test is over. */
function capture(context: TestContext): string[] {
  const written: string[] = [];
  const { write } = process.stdout;
  // Lines that are not ours are the test runner's own.
  context.mock.method(process.stdout, "write", (chunk: string | Uint8Array, ...rest: never[]) => {
    if (typeof chunk === "string" && chunk.startsWith('{"time":')) written.push(chunk);
    else return write.call(process.stdout, chunk, ...rest);
    return true;
  });
  return written;
}

const TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl_-";

test("of one reason there is a line a minute, with how many were left out", () => {
  let now = 0;
  const lines: (readonly [string, unknown, unknown])[] = [];
  const calmed = calmer(() => now);
  const log = (event: string, reason?: string) =>
    calmed((_, event, fields) => lines.push([event, fields?.["reason"], fields?.["alike"]]))("warn", event, {
      ...(reason === undefined ? {} : { reason }),
    });
  for (let n = 0; n < 50; n++) log("back", "hooks.example answered 500.");
  log("back", "another");
  log("back");
  log("back");
  now = 60_000;
  log("back", "hooks.example answered 500.");
  // The clock jumps back a day.
  now = -86_400_000;
  log("back", "hooks.example answered 500.");
  assert.deepEqual(lines, [
    ["back", "hooks.example answered 500.", undefined],
    ["back", "another", undefined],
    ["back", undefined, undefined],
    ["back", undefined, undefined],
    ["back", "hooks.example answered 500.", 49],
    ["back", "hooks.example answered 500.", undefined],
  ]);
});

test("signatures, security tokens, bearer tokens and tokens in paths are blacked out of errors", () => {
  const secrets: [string, string][] = [
    [
      "GET https://b.s3.amazonaws.com/originals/x?X-Amz-Signature=SECRET&X-Amz-Date=20250601 failed",
      "GET https://b.s3.amazonaws.com/originals/x?X-Amz-Signature=…&X-Amz-Date=20250601 failed",
    ],
    ["?X-Amz-Security-Token=SECRET%2F%2Fabc%3D&x-id=PutObject", "?X-Amz-Security-Token=…&x-id=PutObject"],
    ["?x-amz-security-token=SECRET", "?x-amz-security-token=…"],
    ["?X-Amz-Credential=SECRET%2F20250601%2Fs3&a=b", "?X-Amz-Credential=…&a=b"],
    [`Authorization: Bearer SECRET.${TOKEN} was refused`, "Authorization: Bearer … was refused"],
    [`{"authorization":"bearer SECRET.${TOKEN}"}`, '{"authorization":"bearer …"}'],
    [`POST /t/SECRET.${TOKEN}/uploads failed`, "POST /t/…/uploads failed"],
    [`"/t/SECRET.${TOKEN}"`, '"/t/…"'],
    ["/t/SECRET/s3/params?X-Amz-Signature=SECRET /t/SECRET/x", "/t/…/s3/params?X-Amz-Signature=… /t/…/x"],
  ];
  for (const [message, expected] of secrets) {
    const { error, stack } = errorFields(new RangeError(message));
    assert.equal(error, "RangeError");
    assert.equal(String(stack).split("\n")[0], `RangeError: ${expected}`);
    assert.doesNotMatch(String(stack), /SECRET/);
    assert.match(String(stack), /log\.test\.ts/, "where it happened stays");
  }
});

test("an error without a stack is blacked out too, and what is no error is only its kind", () => {
  const bare = new Error("Bearer SECRET");
  delete bare.stack;
  assert.deepEqual(errorFields(bare), { error: "Error", stack: "Bearer …" });
  assert.deepEqual(errorFields("Bearer SECRET"), { error: "string" });
  assert.deepEqual(errorFields({ token: "SECRET" }), { error: "object" });
  assert.deepEqual(errorFields(undefined), { error: "undefined" });
});

test("a line is one JSON object, from the level asked for upwards", (context) => {
  const written = capture(context);
  jsonLog("warn", { requestId: "r" })("info", "unheard");
  jsonLog("warn", { requestId: "r" })("warn", "two\nlines", { n: 1 });
  jsonLog(undefined)("debug", "unheard");
  jsonLog(undefined)("info", "heard");
  jsonLog("loud")("debug", "an unknown level is info");
  assert.deepEqual(
    written.map((line) => {
      assert.match(line, /^[^\n]+\n$/);
      const { time, ...rest } = JSON.parse(line);
      assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000);
      return rest;
    }),
    [
      { level: "warn", event: "two\nlines", requestId: "r", n: 1 },
      { level: "info", event: "heard" },
    ],
  );
});

test("a request with its token in the path logs the route and never the token", async (context) => {
  const received: (string | undefined)[] = [];
  const handler = api(() => ({
    authenticate: async (token) => {
      received.push(token);
      return { owner: ownerOf("me"), scopes: new Set(["upload"]) };
    },
    routes: {
      "POST /uploads": { scopes: ["upload"], run: async () => ({ status: 201, json: {} }) },
      "POST /broken": {
        scopes: ["upload"],
        run: () => Promise.reject(new Error(`POST https://api.example/t/${TOKEN}/broken was cut off`)),
      },
    },
  }));
  const written = capture(context);
  const params = { token: TOKEN };
  const ask = (route: string) => call(handler, `POST /t/{token}/${route}`, { params });
  const answers = [await ask("uploads"), await ask("broken"), await ask("nowhere")];
  context.mock.restoreAll();

  assert.deepEqual(
    answers.map(({ status }) => status),
    [201, 500, 404],
  );
  assert.deepEqual(received, [TOKEN, TOKEN], "the token did come through");
  const lines = written.map((line) => JSON.parse(line));
  const line = (route: string, status: number) => ["request", `POST /t/{token}/${route}`, status];
  assert.deepEqual(
    lines.map(({ event, route, status }) => [event, route, status]),
    [
      line("uploads", 201),
      ["request failed", undefined, undefined],
      line("broken", 500),
      line("nowhere", 404),
    ],
  );
  assert.match(lines[1].stack, /\/t\/…\/broken/);
  for (const text of [...written, ...answers.map(({ text }) => text)])
    for (const part of TOKEN.split(".")) assert.ok(!text.includes(part), text);
});
