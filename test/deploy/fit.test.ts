/** An account's limit, from Lambda's answer to what the event sources are set to. */
import assert from "node:assert/strict";
import test from "node:test";
import { concurrencyLimit, LEAST, neededFor, shared } from "../../adapters/aws/concurrency.ts";
import { lowerToFit } from "../../deploy/fit.ts";
import { fakeLambda } from "./fake-lambda.ts";

/** As serverless.yml has them: uploads, jobs, two kinds of dead letters, events, imports. */
const WANTED = [120, 10, 2, 2, 20, 5];
const sum = (all: readonly number[]) => all.reduce((total, one) => total + one, 0);

test("what an account allows is shared: all of it where it fits, two each where nearly nothing is", () => {
  assert.deepEqual(shared(1000, WANTED), WANTED);
  // Twice six are more than ten: docs/deploy.md, *A new account*.
  assert.deepEqual(shared(10, WANTED), [2, 2, 2, 2, 2, 2]);
  for (let limit = 18; limit <= 1000; limit++) {
    const given = shared(limit, WANTED);
    assert.ok(given.every((one, i) => one >= LEAST && one <= (WANTED[i] ?? 0)));
    // The API keeps a fifth, and the schedules their two.
    assert.ok(sum(given) <= limit - Math.ceil(limit / 5) - 2, `${limit}: ${given}`);
  }
});

test("what is asked for is the least that fits", () => {
  const needed = neededFor(WANTED);
  assert.deepEqual(shared(needed, WANTED), WANTED);
  assert.notDeepEqual(shared(needed - 2, WANTED), WANTED);
});

test("a new account: the limit is read, the sources are set, and it is said what to ask for", async () => {
  const lambda = await fakeLambda({ limit: 10, unreserved: 10 });
  try {
    const limit = await concurrencyLimit(lambda.config);
    assert.equal(limit, 10);
    const events = [...WANTED.map((one) => ({ sqs: { maximumConcurrency: String(one) } })), {}];
    const said = lowerToFit(10, events, "eu-central-1");
    assert.match(
      String(said),
      /runs 10 functions.*instead of 120, 10, 2, 2, 20, 5.*--quota-code L-B99A9384.*--region eu-central-1/,
    );
    assert.deepEqual(
      events.slice(0, WANTED.length),
      WANTED.map(() => ({ sqs: { maximumConcurrency: 2 } })),
    );
  } finally {
    lambda.close();
  }
});

test("an account with room is left alone; others' reservations take from it", async () => {
  const lambda = await fakeLambda({ limit: 1000, unreserved: 100 });
  try {
    assert.equal(await concurrencyLimit(lambda.config), 100);
    const events = [{ sqs: { maximumConcurrency: "50" } }];
    assert.equal(lowerToFit(1000, events, "eu-central-1"), undefined);
    assert.deepEqual(events, [{ sqs: { maximumConcurrency: "50" } }]);
  } finally {
    lambda.close();
  }
});
