/** From an event to its receivers: the real queue rules, the real sender, receivers that fail on purpose. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import test, { type TestContext } from "node:test";
import { ManualClock } from "local-aws/manual-clock";
import { settleBatch } from "../adapters/aws/sqs-batch.ts";
import { webhookSender } from "../adapters/http/webhook.ts";
import { MemoryQueue } from "../adapters/memory/memory-queue.ts";
import { memoryStore } from "../adapters/memory/memory-store.ts";
import { readText } from "../core/commit.ts";
import { EVENTS, parseEventKey } from "../core/keys.ts";
import type { Metadata } from "../core/metadata.ts";
import {
  type EventDeps,
  type EventOutcome,
  handleEvent,
  RETRY_SECONDS,
  retryAfter,
} from "../core/tell/handle-event.ts";
import { replayFailed } from "../core/tell/replay.ts";
import { eventOf, tell } from "../core/tell/tell.ts";
import { assertSigned, Receiver } from "./receiver.ts";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ID = "qbbfm3f3cr98440ngmn6a6rh3w";
const HOUR = 3_600_000;

const document = (changes: Partial<Metadata> = {}): Metadata => ({
  schema: 1,
  id: ID,
  status: "ready",
  rev: 1,
  writeId: "w",
  variants: [],
  pending: [],
  processedAt: "2026-11-20T12:00:01.000Z",
  superseded: [],
  deleting: [],
  ...changes,
});

/** The events queue with its redrive, and what the events function does with a batch of it. */
async function system(t: TestContext, count = 1, { timeoutMs = 60_000 } = {}) {
  const clock = new ManualClock(Date.parse("2026-11-20T12:00:02Z"));
  const deadLetters = new MemoryQueue({ clock });
  const redrive = { to: deadLetters, maxReceives: RETRY_SECONDS.length + 1 };
  const queue = new MemoryQueue({ clock, visibilitySeconds: 180, redrive });
  const now = () => new Date(clock.now());
  const uploads = memoryStore({ now });
  const receivers = await Promise.all(Array.from({ length: count }, () => Receiver.start()));
  t.after(() => {
    for (const receiver of receivers) receiver.close();
  });
  const forgotten: string[] = [];
  const deps: { -readonly [K in keyof EventDeps]: EventDeps[K] } = {
    uploads,
    random: randomBytes,
    events: queue,
    urls: receivers.map(({ url }) => url),
    post: webhookSender({ secrets: [SECRET], allowPrivate: true, timeoutMs, now }),
    forget: async (path: string, reference: string) => void forgotten.push(`${path} ${reference}`),
  };
  const outcomes: EventOutcome[] = [];
  /** One invocation, as the function is set up; how many messages it was given. */
  const work = async (): Promise<number> => {
    const messages = await queue.receive({ max: 10 });
    const records = messages.map(({ id, body, receipt, receives }) => ({
      messageId: id,
      body,
      receiptHandle: receipt,
      attributes: {
        ApproximateReceiveCount: String(receives),
        SentTimestamp: "0",
        SenderId: "0",
        ApproximateFirstReceiveTimestamp: "0",
      },
      messageAttributes: {},
      md5OfBody: "",
      eventSource: "aws:sqs",
      eventSourceARN: "arn:aws:sqs:us-east-1:000000000000:events",
      awsRegion: "us-east-1",
    }));
    const options = {
      concurrency: 10,
      remainingMs: () => 30_000,
      reserveMs: 0,
      retryIn: ({ receiptHandle }: { receiptHandle: string }, seconds: number) =>
        queue.retryIn(receiptHandle, seconds),
      retryAfter,
      jitter: () => 0,
      log: () => {},
    };
    const { batchItemFailures } = await settleBatch(records, options, async ({ body }, receives) => {
      outcomes.push(await handleEvent(deps, body, receives));
    });
    const failed = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
    for (const { id, receipt } of messages) if (!failed.has(id)) await queue.delete(receipt);
    return messages.length;
  };
  const [receiver] = receivers;
  assert.ok(receiver);
  const kept = async () => (await uploads.list(EVENTS)).objects.map(({ key }) => key);
  return { clock, queue, deadLetters, uploads, deps, receiver, receivers, outcomes, forgotten, kept, work };
}

test("an event is kept, sent signed to every receiver, and says nothing that is not public", async (t) => {
  const { queue, receivers, uploads, kept, work } = await system(t, 2);
  await tell(queue, document());
  while (await work());
  const expected = eventOf(document());
  assert.deepEqual(await kept(), [`events/2026-11-20/120001000-${ID}-1-ready.json`]);
  for (const { received } of receivers) {
    assert.deepEqual(
      received.map(({ event }) => event),
      [expected],
    );
    const [got] = received;
    assert.ok(got);
    assertSigned(got, SECRET);
    assert.equal(got.headers["webhook-id"], `${ID}-1`);
  }
  const stored = await uploads.get((await kept())[0] ?? "");
  assert.deepEqual(JSON.parse(stored ? await readText(stored.body) : ""), expected);
});

test("an event of a later release is kept and handed on as it stands; another message waits for that release", async (t) => {
  const { queue, receiver, outcomes, kept, deadLetters, work } = await system(t);
  const data = { ...document(), schema: 2, status: "developing", found: ["later"] };
  const event = { type: "image.original-gone", timestamp: document().processedAt, data };
  await queue.send(JSON.stringify({ darkroom: "event", event }));
  while (await work());
  assert.deepEqual(
    receiver.received.map(({ event }) => event),
    [event],
  );
  const [key = ""] = await kept();
  assert.equal(parseEventKey(key)?.kind, "original-gone");

  await queue.send(JSON.stringify({ darkroom: "probe", url: receiver.url }));
  assert.equal(await work(), 1);
  assert.equal(outcomes.length, 2);
  assert.deepEqual(queue.count(), { visible: 0, inFlight: 1, delayed: 0 });
  assert.deepEqual(deadLetters.count(), { visible: 0, inFlight: 0, delayed: 0 });

  await queue.send("not ours");
  assert.equal(await work(), 1);
  assert.equal(outcomes.at(-1)?.status, "ignored");
});

test("told twice, it is sent once; received again after a crash, it is sent again under the same id", async (t) => {
  const { queue, receiver, outcomes, deps, work } = await system(t);
  await tell(queue, document());
  await tell(queue, document());
  while (await work());
  assert.deepEqual(outcomes.map(({ status }) => status).sort(), ["delivered", "duplicate", "told"]);
  assert.equal(receiver.received.length, 1);

  // The try before this one kept it, and may have died before it handed it on.
  await handleEvent(deps, JSON.stringify({ darkroom: "event", event: eventOf(document()) }), 2);
  while (await work());
  assert.deepEqual(
    receiver.received.map(({ headers }) => headers["webhook-id"]),
    [`${ID}-1`, `${ID}-1`],
  );
});

test("an event whose keeping was repeated by the client, as its answer was lost, is handed on", async (t) => {
  const { queue, deps, uploads, receiver, outcomes, work } = await system(t);
  deps.uploads = {
    head: uploads.head,
    put: async (...args) => {
      await uploads.put(...args);
      return uploads.put(...args);
    },
  };
  await tell(queue, document());
  await tell(queue, document());
  while (await work());
  assert.deepEqual(outcomes.map(({ status }) => status).sort(), ["delivered", "duplicate", "told"]);
  assert.equal(receiver.received.length, 1);
});

test("a receiver that fails is tried for more than a day, less and less often, and then dead-lettered", async (t) => {
  const { queue, clock, deadLetters, receiver, work } = await system(t);
  receiver.answer = ({ response }) => response.writeHead(500).end();
  await tell(queue, document());
  await work();
  await work();
  const first = clock.now();
  for (const [i, seconds] of RETRY_SECONDS.entries()) {
    assert.equal(receiver.received.length, i + 1);
    clock.advance((seconds - 1) * 1000);
    assert.equal(await work(), 0, `not before ${seconds} s`);
    clock.advance(1000);
    assert.equal(await work(), 1, `after ${seconds} s`);
  }
  assert.ok(clock.now() - first > 24 * HOUR);
  clock.advance(12 * HOUR);
  assert.equal(await work(), 0);
  assert.equal(receiver.received.length, RETRY_SECONDS.length + 1);
  // Even when the longest of them is lost to a try that was none.
  assert.ok(RETRY_SECONDS.reduce((sum, one) => sum + one, 0) - Math.max(...RETRY_SECONDS) > 24 * 3600);
  // SQS hides a message for twelve hours at most, counted from its receive.
  for (let receives = 1; receives < 20; receives++) assert.ok(retryAfter(receives, 1) < 12 * 3600 - 30);
  const [letter] = await deadLetters.receive({ max: 10 });
  assert.equal(JSON.parse(letter?.body ?? "").event.data.id, ID);
});

test("an outage of a receiver loses nothing", async (t) => {
  const { queue, clock, receiver, work } = await system(t);
  let refusals = 3;
  receiver.answer = ({ response }) => {
    if (refusals-- > 0) response.socket?.destroy();
    else response.writeHead(200).end("thank you");
  };
  await tell(queue, document());
  while (queue.count().visible + queue.count().inFlight > 0) {
    await work();
    clock.advance(1000);
  }
  assert.equal(receiver.received.length, 4);
  assert.equal(new Set(receiver.received.map(({ body }) => body)).size, 1, "the same bytes each time");
});

test("410 ends it, as does a receiver that the settings no longer name", async (t) => {
  const { queue, receiver, outcomes, deps, work } = await system(t);
  receiver.answer = ({ response }) => response.writeHead(410).end();
  await tell(queue, document());
  while (await work());
  assert.deepEqual(outcomes.at(-1), {
    id: ID,
    type: "image.ready",
    host: `127.0.0.1:${receiver.port}`,
    status: "stopped",
    reason: "410",
  });
  assert.equal(queue.count().inFlight, 0);
  const message = { darkroom: "deliver", url: receiver.url, event: eventOf(document()) };
  const outcome = await handleEvent({ ...deps, urls: [] }, JSON.stringify(message), 1);
  assert.equal(outcome.status, "stopped");
  assert.equal(receiver.received.length, 1);
});

test("a receiver that hangs delays no other", async (t) => {
  const { queue, receivers, work } = await system(t, 2);
  const [hanging, good] = receivers;
  assert.ok(hanging && good);
  hanging.answer = () => {};
  for (let rev = 1; rev <= 5; rev++) await tell(queue, document({ rev }));
  await work();
  const working = work();
  // While all that hangs still does.
  await Promise.all([good.count(5), hanging.count(5)]);
  assert.ok(hanging.received.every(({ response }) => !response.writableEnded && !response.destroyed));
  hanging.close();
  await working;
  assert.equal(queue.count().inFlight, 5, "to be tried again");
});

test("whatever order they arrive in, the greatest rev is what holds", async (t) => {
  const { queue, clock, receiver, work } = await system(t);
  // The first is refused once, so that it arrives last.
  let refusals = 1;
  receiver.answer = ({ response, event }) =>
    response.writeHead(event.data.rev === 1 && refusals-- > 0 ? 503 : 200).end();
  await tell(queue, document({ rev: 1 }));
  await tell(queue, document({ rev: 2, status: "deleted", processedAt: "2026-11-20T12:00:01.500Z" }));
  while (queue.count().visible + queue.count().inFlight > 0) {
    await work();
    clock.advance(1000);
  }
  const arrived = receiver.received.map(({ event }) => event.data);
  assert.deepEqual(
    arrived.map(({ rev }) => rev),
    [1, 2, 1],
  );
  const known = arrived.reduce((best, data) => (data.rev > best.rev ? data : best));
  assert.equal(known.status, "deleted");
});

test("the CDN is asked to forget a deleted image, by itself, and again when it cannot now", async (t) => {
  const { queue, clock, deps, forgotten, work } = await system(t);
  let throttled = 2;
  const { forget = async () => {} } = deps;
  deps.forget = async (...args) => {
    if (throttled-- > 0) throw new Error("TooManyInvalidationsInProgress");
    await forget(...args);
  };
  await tell(queue, document());
  await tell(queue, document({ rev: 2, status: "deleted" }));
  while (queue.count().visible + queue.count().inFlight > 0) {
    await work();
    clock.advance(1000);
  }
  assert.deepEqual(forgotten, [`/images/${ID}/* ${ID}-2`]);
});

test("what is replayed is handed on again, though it is kept", async (t) => {
  const { queue, deps, receiver, kept, work } = await system(t);
  await tell(queue, document());
  while (await work());
  const event = eventOf(document());
  const outcome = await handleEvent(deps, JSON.stringify({ darkroom: "event", event, replay: true }), 1);
  assert.equal(outcome.status, "told");
  while (await work());
  assert.equal(receiver.received.length, 2);
  assert.equal((await kept()).length, 1);
});

test("dying between keeping and handing on loses nothing, whatever duplicates say meanwhile", async (t) => {
  const { queue, clock, deadLetters, receivers, deps, work } = await system(t, 2);
  const down = { send: () => Promise.reject(new Error("down")) };
  deps.events = down;
  await tell(queue, document());
  await work();
  await tell(queue, document());
  await work();
  assert.ok(receivers.every(({ received }) => received.length === 0));
  deps.events = queue;
  clock.advance(5000);
  while (await work());
  assert.ok(receivers.every(({ received }) => received.length === 1));

  // Even when all its tries end so: as a dead letter it goes back, and is then no duplicate.
  deps.events = down;
  await tell(queue, document({ rev: 2 }));
  for (const seconds of [...RETRY_SECONDS, 1]) {
    assert.equal(await work(), 1);
    clock.advance(seconds * 1000);
  }
  clock.advance(10 * HOUR);
  assert.equal(await work(), 0);
  deps.events = queue;
  const letters = {
    // Without the long poll, which would wait for a clock that stands still.
    receive: () => deadLetters.receive({ max: 10 }),
    delete: (receipt: string) => deadLetters.delete(receipt),
    retryIn: (receipt: string, seconds: number) => deadLetters.retryIn(receipt, seconds),
  };
  assert.equal((await replayFailed({ events: queue, deadLetters: letters })).sent, 1);
  while (await work());
  assert.ok(receivers.every(({ received }) => received.length === 2));
});
