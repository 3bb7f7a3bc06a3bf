import assert from "node:assert/strict";
import test from "node:test";
import type { SQSRecord } from "aws-lambda";
import {
  type BatchOptions,
  backOff,
  PATIENT_RECEIVES,
  settleBatch,
} from "../../../adapters/aws/sqs-batch.ts";

const message = (messageId: string, receives: number | string = 1) =>
  ({ messageId, attributes: { ApproximateReceiveCount: String(receives) } }) as SQSRecord;
const ids = (count: number) => Array.from({ length: count }, (_, n) => `m${n}`);

/** Options with time enough, and what was asked of them. */
function batch(changes: Partial<BatchOptions> = {}) {
  const retries: [string, number][] = [];
  const lines: { level: string; event: string; fields: Record<string, unknown> }[] = [];
  const options: BatchOptions = {
    concurrency: 2,
    remainingMs: () => 60_000,
    reserveMs: 20_000,
    retryIn: async ({ messageId }, seconds) => void retries.push([messageId, seconds]),
    jitter: () => 1,
    log: (level, event, fields = {}) => void lines.push({ level, event, fields }),
    ...changes,
  };
  return { options, retries, lines };
}
const failedIds = ({ batchItemFailures }: Awaited<ReturnType<typeof settleBatch>>) =>
  batchItemFailures.map(({ itemIdentifier }) => itemIdentifier).sort();

test("only the messages that failed are named, and every message is handled once", async () => {
  const { options, retries, lines } = batch();
  const handled: [string, number][] = [];
  const answer = await settleBatch(
    [message("a", 1), message("b", 2), message("c", 3), message("d", "not a number")],
    options,
    async ({ messageId }, receives) => {
      handled.push([messageId, receives]);
      if (messageId === "b") throw new TypeError("later");
    },
  );
  assert.deepEqual(answer, { batchItemFailures: [{ itemIdentifier: "b" }] });
  assert.deepEqual(handled.sort(), [
    ["a", 1],
    ["b", 2],
    ["c", 3],
    ["d", 1],
  ]);
  assert.deepEqual(retries, [["b", 20]]);
  assert.equal(lines.length, 1);
  const [{ level, event, fields } = { level: "", event: "", fields: {} }] = lines;
  assert.deepEqual([level, event], ["warn", "message goes back"]);
  assert.deepEqual(
    [fields["message"], fields["receives"], fields["seconds"], fields["error"]],
    ["b", 2, 20, "TypeError"],
  );
});

test("the line about a message that goes back names its images", async () => {
  const { options, lines } = batch({ about: ({ messageId }) => ({ ids: [`image of ${messageId}`] }) });
  await settleBatch([message("a")], options, () => Promise.reject(new Error("later")));
  assert.deepEqual(lines[0]?.fields["ids"], ["image of a"]);
});

test("nothing failed and nothing sent are both an empty answer", async () => {
  const { options, retries } = batch();
  assert.deepEqual(await settleBatch([message("a")], options, async () => {}), { batchItemFailures: [] });
  assert.deepEqual(await settleBatch([], options, () => assert.fail()), { batchItemFailures: [] });
  assert.deepEqual(retries, []);
});

test("the back-off doubles with every receive up to 15 minutes, a quarter of it left to chance", async () => {
  const expected = [10, 20, 40, 80, 160, 320, 640, 900, 900];
  const backOffs = async (chance: number) => {
    const { options, retries } = batch({ concurrency: 1, jitter: () => chance });
    const records = [...expected, 0].map((_, n) => message("m", n < expected.length ? n + 1 : 1000));
    await settleBatch(records, options, () => Promise.reject(new Error("later")));
    return retries.map(([, seconds]) => seconds);
  };
  assert.deepEqual(await backOffs(1), [...expected, 900]);
  assert.deepEqual(
    await backOffs(0),
    [...expected, 900].map((seconds) => Math.round(seconds * 0.75)),
  );
  assert.deepEqual(
    await backOffs(0.5),
    [...expected, 900].map((seconds) => Math.round(seconds * 0.875)),
  );
});

test("weather of two days is waited out, and what is given up then is given up before SQS drops it", () => {
  const span = (chance: number, tries: number) =>
    Array.from({ length: tries }, (_, n) => backOff(n + 1, chance)).reduce(
      (sum, seconds) => sum + seconds,
      0,
    );
  const DAY = 86_400;
  assert.ok(span(0, PATIENT_RECEIVES - 1) >= 2 * DAY);
  // A minute for each try, too.
  assert.ok(span(1, PATIENT_RECEIVES) + PATIENT_RECEIVES * 60 < 4 * DAY);
});

test("a message is not begun with less than the reserve left, and goes back", async () => {
  let left = 30_000;
  const { options, retries } = batch({ concurrency: 1, remainingMs: () => left });
  const begun: string[] = [];
  const answer = await settleBatch(
    ids(4).map((id) => message(id)),
    options,
    async ({ messageId }) => {
      begun.push(messageId);
      // 30 s, exactly the reserve's 20 s, and a moment less.
      left -= begun.length === 1 ? 10_000 : 1;
    },
  );
  assert.deepEqual(begun, ["m0", "m1"]);
  assert.deepEqual(failedIds(answer), ["m2", "m3"]);
  assert.deepEqual(retries, [
    ["m2", 10],
    ["m3", 10],
  ]);
});

test("never more than `concurrency` at once, never fewer while messages wait", async () => {
  for (const concurrency of [1, 2, 3, 20]) {
    const { options } = batch({ concurrency });
    const gates: (() => void)[] = [];
    const records = ids(7).map((id) => message(id));
    const settled = settleBatch(records, options, async () => {
      await new Promise<void>((open) => gates.push(open));
    });
    const seen: number[] = [];
    for (let left = records.length; left > 0; left--) {
      // All that can begin have begun once the event loop has turned.
      await new Promise(setImmediate);
      seen.push(gates.length);
      gates.shift()?.();
    }
    assert.deepEqual(failedIds(await settled), []);
    assert.deepEqual(
      seen,
      records.map((_, done) => Math.min(concurrency, records.length - done)),
    );
  }
});

test("a back-off that cannot be set costs no other message anything", async () => {
  const { options, lines } = batch({ retryIn: () => Promise.reject(new RangeError("no such receipt")) });
  const records = ids(5).map((id) => message(id));
  const answer = await settleBatch(records, options, async ({ messageId }) => {
    if (messageId !== "m4") throw new Error("later");
  });
  assert.deepEqual(failedIds(answer), ["m0", "m1", "m2", "m3"]);
  const causes = lines.filter(({ event }) => event === "back-off not set");
  assert.deepEqual(
    causes.map(({ fields }) => fields["error"]),
    ["RangeError", "RangeError", "RangeError", "RangeError"],
  );
});

test("whatever a handler throws, and however, the batch is answered", async () => {
  const thrown = [new Error("x"), "text", undefined, null, Object.create(null), 0];
  const { options } = batch({ concurrency: 3 });
  const records = [...thrown, ...thrown].map((_, n) => message(String(n).padStart(2, "0")));
  const answer = await settleBatch(records, options, ({ messageId }) => {
    const n = Number(messageId);
    const error = thrown[n % thrown.length];
    // The first half throw before there is a promise.
    if (n < thrown.length) throw error;
    return Promise.reject(error);
  });
  assert.deepEqual(
    failedIds(answer),
    records.map(({ messageId }) => messageId),
  );
});
