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
import { DELIVERIES, EVENTS, FORGETS, metaKey, originalKey, parseEventKey } from "../core/keys.ts";
import type { Metadata } from "../core/metadata.ts";
import { bringBack, PARK_SECONDS, RETRY_SECONDS, Receivers, retryAfter } from "../core/tell/deliver.ts";
import { type EventDeps, type EventOutcome, handleEvent } from "../core/tell/handle-event.ts";
import { replayFailed } from "../core/tell/replay.ts";
import { eventOf, tell } from "../core/tell/tell.ts";
import { writeUploadMetadata } from "../core/upload-metadata.ts";
import { assertSigned, Receiver } from "./receiver.ts";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ID = "qbbfm3f3cr98440ngmn6a6rh3w";
const MINUTE = 60_000;
/** As deploy/infra/queues.yml says. */
const MAX_RECEIVES = 1000;

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
  const redrive = { to: deadLetters, maxReceives: MAX_RECEIVES };
  const queue = new MemoryQueue({ clock, visibilitySeconds: 180, redrive });
  const now = () => new Date(clock.now());
  const uploads = memoryStore({ now });
  const receivers = await Promise.all(Array.from({ length: count }, () => Receiver.start()));
  t.after(() => {
    for (const receiver of receivers) receiver.close();
  });
  const media = memoryStore({ now });
  const deps: { -readonly [K in keyof EventDeps]: EventDeps[K] } = {
    uploads,
    now,
    receivers: new Receivers({ uploads, now }),
    random: randomBytes,
    events: queue,
    urls: receivers.map(({ url }) => url),
    post: webhookSender({ secrets: [SECRET], allowPrivate: true, timeoutMs, now }),
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
  const under = async (prefix: string) => (await uploads.list(prefix)).objects.map(({ key }) => key);
  /** Commits a document, as far as telling is concerned, and tells it. */
  const happens = async (changes: Partial<Metadata> = {}) => {
    await media.put(metaKey(ID), JSON.stringify(document(changes)));
    await tell(queue, document(changes));
  };
  /** A turn of the schedule, and whatever it puts on the queue. */
  const turn = async () => {
    const brought = await bringBack(
      { ...deps, uploads, media, events: queue },
      deps.receivers,
      new Date(clock.now() + MINUTE),
    );
    while (await work());
    return brought;
  };
  /** Until nothing is in the queue: every try that it makes. */
  const drain = async () => {
    while (queue.count().visible + queue.count().inFlight > 0) {
      await work();
      clock.advance(1000);
    }
  };
  return {
    clock,
    queue,
    deadLetters,
    uploads,
    media,
    deps,
    receiver,
    receivers,
    outcomes,
    under,
    happens,
    turn,
    drain,
    work,
  };
}

test("an event is kept, sent signed to every receiver, and says nothing that is not public", async (t) => {
  const { queue, receivers, uploads, under, work } = await system(t, 2);
  await tell(queue, document());
  while (await work());
  const expected = eventOf(document());
  assert.deepEqual(await under(EVENTS), [`events/2026-11-20/120001000-${ID}-1-ready.json`]);
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
  // Kept is what happened, and nothing that a delete would have to find.
  const stored = await uploads.get((await under(EVENTS))[0] ?? "");
  assert.deepEqual(JSON.parse(stored ? await readText(stored.body) : ""), {
    id: ID,
    rev: 1,
    type: expected.type,
    timestamp: expected.timestamp,
  });
});

test("an event of a later release is kept and handed on as it stands; another message waits for that release", async (t) => {
  const { queue, receiver, outcomes, under, deadLetters, work } = await system(t);
  const data = { ...document(), schema: 2, status: "developing", found: ["later"] };
  const event = { type: "image.original-gone", timestamp: document().processedAt, data };
  await queue.send(JSON.stringify({ darkroom: "event", event }));
  while (await work());
  assert.deepEqual(
    receiver.received.map(({ event }) => event),
    [event],
  );
  const [key = ""] = await under(EVENTS);
  assert.equal(parseEventKey(key)?.type, "image.original-gone");

  await queue.send(JSON.stringify({ darkroom: "probe", url: receiver.url }));
  assert.equal(await work(), 1);
  assert.equal(outcomes.length, 2);
  assert.deepEqual(queue.count(), { visible: 0, inFlight: 1, delayed: 0 });
  assert.deepEqual(deadLetters.count(), { visible: 0, inFlight: 0, delayed: 0 });

  await queue.send("not ours");
  assert.equal(await work(), 1);
  assert.equal(outcomes.at(-1)?.status, "ignored");
});

test("beside the public document a webhook says whose the image is and what for, also when it comes late", async (t) => {
  const { queue, receiver, uploads, clock, happens, turn, drain } = await system(t);
  const about = { owner: "user-1", ref: "listing 7", clientRef: "slot 2", filename: "IMG 1.jpg" };
  const metadata = writeUploadMetadata({ ...about, preset: "photo" });
  await uploads.put(originalKey(ID), "file", { metadata });
  await tell(queue, document(), metadata);
  await drain();
  receiver.answer = ({ response }) => response.writeHead(500).end();
  await happens({ rev: 2 });
  await drain();
  receiver.answer = ({ response }) => response.writeHead(204).end();
  clock.advance(60 * MINUTE);
  await turn();
  const told = [receiver.received[0], receiver.received.at(-1)].map((one) => one?.event);
  const { filename: name, ...rest } = about;
  assert.deepEqual(
    told.map((event) => [event?.data.rev, event?.context]),
    [
      [1, { ...rest, name }],
      [2, { ...rest, name }],
    ],
  );
  assert.doesNotMatch(JSON.stringify(told.map((event) => event?.data)), /user-1|listing|slot|IMG/);
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
    ...uploads,
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

test("a receiver that fails is tried for minutes from the queue, then parked, and told as things are then", async (t) => {
  const { queue, clock, receiver, under, happens, turn, drain, work } = await system(t);
  receiver.answer = ({ response }) => response.writeHead(500).end();
  await happens();
  await work();
  await work();
  for (const [i, seconds] of RETRY_SECONDS.entries()) {
    assert.equal(receiver.received.length, i + 1);
    clock.advance((seconds - 1) * 1000);
    assert.equal(await work(), 0, `not before ${seconds} s`);
    clock.advance(1000);
    assert.equal(await work(), 1, `after ${seconds} s`);
  }
  assert.deepEqual(queue.count(), { visible: 0, inFlight: 0, delayed: 0 });
  for (const [parked, seconds] of [...PARK_SECONDS, PARK_SECONDS.at(-1) ?? 0].entries()) {
    assert.equal((await under(DELIVERIES)).length, 1, `parked ${parked} times`);
    clock.advance(seconds * 1000 - MINUTE * 10);
    assert.equal((await turn()).sent, 0, "not yet due");
    clock.advance(MINUTE * 10);
    assert.equal((await turn()).sent, 1);
    await drain();
  }
  // What is told later is told as it is then, under the name of what happened.
  const before = receiver.received.length;
  receiver.answer = ({ response }) => response.writeHead(204).end();
  await happens({ rev: 2, recipe: "r2" });
  await drain();
  clock.advance(6 * 60 * MINUTE);
  // The first is asked alone, as nothing was taken for long, and brings the other.
  await turn();
  await turn();
  const told = receiver.received
    .slice(before)
    .map(({ headers, event }) => [headers["webhook-id"], event.data.rev]);
  assert.deepEqual(told.sort(), [
    [`${ID}-1`, 2],
    [`${ID}-2`, 2],
  ]);
  assert.deepEqual(await under(DELIVERIES), []);
});

test("what waits for a receiver keeps no copy, and of an image deleted meanwhile only that is told", async (t) => {
  const { clock, receiver, under, uploads, happens, turn, drain } = await system(t);
  receiver.answer = ({ response }) => response.writeHead(500).end();
  await happens({ placeholder: { thumbhash: "secret", dataUrl: "data:", color: "#000000" } });
  await drain();
  const [key = ""] = await under(DELIVERIES);
  const parked = await uploads.get(key);
  assert.doesNotMatch(parked ? await readText(parked.body) : "", /secret/);
  receiver.answer = ({ response }) => response.writeHead(204).end();
  await happens({ rev: 2, status: "deleted" });
  clock.advance(60 * MINUTE);
  await turn();
  await drain();
  const told = receiver.received.slice(-2).map(({ event }) => [event.type, event.data.rev]);
  assert.deepEqual(told, [
    ["image.deleted", 2],
    ["image.deleted", 2],
  ]);
});

test("a clock that jumps a day either way loses no webhook, and holds one back by that day at most", async (t) => {
  for (const jump of [24 * 60 * MINUTE, -24 * 60 * MINUTE]) {
    const { clock, receiver, under, happens, turn, drain, deps } = await system(t);
    const right = deps.now;
    deps.now = () => new Date(right().getTime() + jump);
    receiver.answer = ({ response }) => response.writeHead(500).end();
    await happens();
    await drain();
    assert.equal((await under(DELIVERIES)).length, 1);
    deps.now = right;
    receiver.answer = ({ response }) => response.writeHead(204).end();
    const before = receiver.received.length;
    clock.advance((PARK_SECONDS[0] ?? 0) * 1000 + Math.max(0, jump));
    await turn();
    assert.equal(receiver.received.length, before + 1);
    assert.deepEqual(await under(DELIVERIES), []);
  }
});

test("a dead receiver is asked by one webhook at a time, the others get theirs at once", async (t) => {
  const { queue, clock, receivers, under, happens, turn, drain, deps } = await system(t, 2);
  const [dead, good] = receivers;
  assert.ok(dead && good);
  dead.answer = ({ response }) => response.writeHead(503).end();
  for (let rev = 1; rev <= 8; rev++) await happens({ rev });
  await drain();
  assert.ok(await deps.receivers.isDead(dead.url));
  const tries = dead.received.length;
  for (let rev = 9; rev <= 40; rev++) await happens({ rev });
  await drain();
  assert.equal(good.received.length, 40);
  assert.equal(dead.received.length, tries, "parked without a try");
  assert.equal((await under(DELIVERIES)).length, 40);
  clock.advance(60 * MINUTE);
  assert.deepEqual(await turn(), { sent: 1, dead: 1, more: false });
  await drain();
  assert.equal(dead.received.length, tries + RETRY_SECONDS.length + 1);

  // Mended: the next one that gets through brings all the others.
  dead.answer = ({ response }) => response.writeHead(200).end();
  clock.advance(60 * MINUTE);
  assert.equal((await turn()).sent, 1);
  assert.equal((await turn()).sent, 39);
  assert.deepEqual(await under(DELIVERIES), []);
  const ids = new Set(dead.received.map(({ headers }) => headers["webhook-id"]));
  assert.equal(ids.size, 40);
  assert.deepEqual(queue.count(), { visible: 0, inFlight: 0, delayed: 0 });
});

test("one webhook that no receiver could take does not make it a dead one", async (t) => {
  const { clock, receiver, happens, turn, drain, deps } = await system(t);
  receiver.answer = ({ response, event }) => response.writeHead(event.data.rev === 1 ? 500 : 200).end();
  await happens({ rev: 1 });
  for (let rev = 2; rev < 12; rev++) {
    await drain();
    clock.advance(6 * 60 * MINUTE);
    await happens({ rev });
    await turn();
    assert.equal(await deps.receivers.isDead(receiver.url), false);
  }
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

test("a wish of the release before, that the CDN forget an image, becomes a note", async (t) => {
  const { deps, under } = await system(t);
  const { status } = await handleEvent(deps, JSON.stringify({ darkroom: "forget", id: ID, rev: 2 }), 1);
  assert.equal(status, "noted");
  assert.deepEqual(await under(FORGETS), [`${FORGETS}${ID}`]);
});

test("what is replayed is handed on again, though it is kept", async (t) => {
  const { queue, deps, receiver, under, work } = await system(t);
  await tell(queue, document());
  while (await work());
  const event = eventOf(document());
  const outcome = await handleEvent(deps, JSON.stringify({ darkroom: "event", event, replay: true }), 1);
  assert.equal(outcome.status, "told");
  while (await work());
  assert.equal(receiver.received.length, 2);
  assert.equal((await under(EVENTS)).length, 1);
});

test("dying between keeping and handing on loses nothing, whatever duplicates say meanwhile", async (t) => {
  const { queue, clock, deadLetters, receivers, uploads, media, deps, work } = await system(t, 2);
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
  for (let receives = 1; receives <= MAX_RECEIVES; receives++) {
    assert.equal(await work(), 1);
    clock.advance(retryAfter(receives, 0) * 1000);
  }
  assert.equal(await work(), 0);
  deps.events = queue;
  const letters = {
    // Without the long poll, which would wait for a clock that stands still.
    receive: () => deadLetters.receive({ max: 10 }),
    delete: (receipt: string) => deadLetters.delete(receipt),
    retryIn: (receipt: string, seconds: number) => deadLetters.retryIn(receipt, seconds),
  };
  const mended = { ...deps, uploads, media, events: queue, deadLetters: letters };
  assert.equal((await replayFailed(mended, new Date(clock.now() + MINUTE))).sent, 1);
  while (await work());
  assert.ok(receivers.every(({ received }) => received.length === 2));
});
