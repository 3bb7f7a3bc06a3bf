/** What stands in for Lambda: modules that live on, the context, the time-out. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import type { Context } from "aws-lambda";
import { type Invoke, lambda } from "../../host/lambda.ts";

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
    mayRecurse: false,
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
