import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import test from "node:test";
import fc from "fast-check";
import { ManualClock } from "../../manual-clock.ts";
import { QueueError } from "../../sqs/queue-rules.ts";
import { StandardQueue, type StoredMessage, systemClock } from "../../sqs/standard-queue.ts";

const refusal = (code: string) => (error: unknown) => error instanceof QueueError && error.code === code;

test("only the latest receipt deletes, and only it changes the visibility", async () => {
  const clock = new ManualClock();
  const queue = new StandardQueue({ clock });
  queue.send("slow");
  const [first] = await queue.receive({ max: 1 });
  clock.advance(30_000);
  const [second] = await queue.receive({ max: 1 });
  assert.ok(first && second);
  queue.changeVisibility(first.receipt, 0);
  assert.deepEqual(await queue.receive({ max: 1 }), []);
  queue.delete(first.receipt);
  clock.advance(30_000);
  assert.deepEqual(
    (await queue.receive({ max: 1 })).map(({ receives }) => receives),
    [3],
  );
});

test("messages are dropped when their retention is over, wherever they are", async () => {
  const clock = new ManualClock();
  const queue = new StandardQueue({ clock, settings: { retentionSeconds: 60 } });
  queue.send("old");
  queue.send("old and in flight");
  await queue.receive({ max: 1, visibilitySeconds: 59 });
  clock.advance(30_000);
  queue.send("young");
  clock.advance(30_000);
  assert.deepEqual(
    (await queue.receive({ max: 10 })).map(({ body }) => body),
    ["young"],
  );
  assert.deepEqual(queue.count(), { visible: 0, inFlight: 1, delayed: 0 });
});

test("a dead letter keeps its age: it expires that much sooner", async () => {
  const clock = new ManualClock();
  const deadLetters = new StandardQueue({ clock, settings: { retentionSeconds: 100 } });
  const queue = new StandardQueue({
    clock,
    name: "source",
    settings: { redrive: { to: deadLetters, maxReceives: 1 } },
  });
  queue.send("poison");
  await queue.receive({ max: 1 });
  clock.advance(90_000);
  assert.deepEqual(await queue.receive({ max: 1 }), []);
  const [dead] = await deadLetters.receive({ max: 1, visibilitySeconds: 0 });
  assert.equal(dead?.receives, 1);
  assert.equal(dead?.deadLetteredFrom, "source");
  clock.advance(10_000);
  assert.deepEqual(await deadLetters.receive({ max: 1 }), []);
});

test("counts tell visible, in flight and delayed apart", async () => {
  const clock = new ManualClock();
  const queue = new StandardQueue({ clock });
  for (const body of ["a", "b", "c"]) queue.send(body);
  queue.send("d", { delaySeconds: 5 });
  await queue.receive({ max: 2 });
  assert.deepEqual(queue.count(), { visible: 1, inFlight: 2, delayed: 1 });
  clock.advance(5_000);
  assert.deepEqual(queue.count(), { visible: 2, inFlight: 2, delayed: 0 });
  queue.purge();
  assert.deepEqual(queue.count(), { visible: 0, inFlight: 0, delayed: 0 });
});

test("1 MiB is taken, a byte more is not; bytes count, not characters", async () => {
  const queue = new StandardQueue();
  queue.send("x".repeat(1_048_576));
  assert.throws(() => queue.send("x".repeat(1_048_577)), refusal("InvalidParameterValue"));
  assert.throws(() => queue.send("é".repeat(600_000)), refusal("InvalidParameterValue"));
});

test("numbers out of SQS's ranges are refused", async () => {
  const queue = new StandardQueue();
  queue.send("m");
  const [message] = await queue.receive({ max: 1 });
  assert.ok(message);
  const { receipt } = message;
  queue.changeVisibility(receipt, 43_200);
  assert.throws(() => queue.changeVisibility(receipt, 43_201), refusal("InvalidParameterValue"));
  assert.throws(() => queue.changeVisibility(receipt, -1), refusal("InvalidParameterValue"));
  assert.throws(() => queue.changeVisibility(receipt, 0.5), refusal("InvalidParameterValue"));
  assert.throws(() => queue.send("m", { delaySeconds: 901 }), refusal("InvalidParameterValue"));
  await assert.rejects(queue.receive({ max: 1, waitSeconds: 21 }), refusal("InvalidParameterValue"));
  await assert.rejects(
    queue.receive({ max: 1, visibilitySeconds: 43_201 }),
    refusal("InvalidParameterValue"),
  );
  assert.throws(() => queue.send("\ud800"), refusal("InvalidMessageContents"));
});

test("several polls are served in the order they began, one message each", async () => {
  const clock = new ManualClock();
  const queue = new StandardQueue({ clock });
  const served: string[] = [];
  const polls = ["first", "second", "third"].map((name) =>
    queue
      .receive({ max: 10, waitSeconds: 20 })
      .then((messages) => served.push(`${name}: ${messages[0]?.body}`)),
  );
  for (const body of ["a", "b", "c"]) queue.send(body);
  await Promise.all(polls);
  assert.deepEqual(served, ["first: a", "second: b", "third: c"]);
  assert.equal(clock.timers, 0);
});

test("a poll of the dead-letter queue wakes when a message is given up", async () => {
  const clock = new ManualClock();
  const deadLetters = new StandardQueue({ clock });
  const queue = new StandardQueue({ clock, settings: { redrive: { to: deadLetters, maxReceives: 1 } } });
  queue.send("poison");
  await queue.receive({ max: 1, visibilitySeconds: 0 });
  const polling = deadLetters.receive({ max: 1, waitSeconds: 20 });
  assert.deepEqual(await queue.receive({ max: 1 }), []);
  assert.equal((await polling)[0]?.body, "poison");
});

test("a poll leaves nothing behind: no timer, no listener", async () => {
  const clock = new ManualClock();
  const queue = new StandardQueue({ clock });
  const { signal } = new AbortController();
  queue.send("in flight");
  await queue.receive({ max: 1 });
  const polling = queue.receive({ max: 1, waitSeconds: 5, signal });
  assert.equal(getEventListeners(signal, "abort").length, 1);
  clock.advance(5_000);
  assert.deepEqual(await polling, []);
  assert.equal(clock.timers, 0);
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

test("a new retention holds at once, also for messages that are there", async () => {
  const clock = new ManualClock();
  const queue = new StandardQueue({ clock });
  queue.send("old");
  assert.equal(queue.count().visible, 1);
  clock.advance(61_000);
  queue.send("young");
  queue.configure({ retentionSeconds: 60 });
  assert.deepEqual(
    (await queue.receive({ max: 10 })).map(({ body }) => body),
    ["young"],
  );
  assert.throws(
    () => queue.configure({ redrive: { to: queue, maxReceives: 1 } }),
    refusal("InvalidParameterValue"),
  );
});

test("with no invisible time no message comes twice in one receive", async () => {
  const queue = new StandardQueue();
  for (const body of ["a", "b", "c"]) queue.send(body);
  const bodies = (await queue.receive({ max: 10, visibilitySeconds: 0 })).map(({ body }) => body);
  assert.deepEqual(bodies.sort(), ["a", "b", "c"]);
});

test("the system's clock tells the time, runs what is due and forgets what is cancelled", async () => {
  const before = Date.now();
  assert.ok(systemClock.now() >= before);
  const ran: string[] = [];
  const cancel = systemClock.after(0, () => ran.push("cancelled"));
  cancel();
  await new Promise<void>((resolve) => systemClock.after(1, resolve));
  assert.deepEqual(ran, []);
});

/** A journal as a map: what a restart would find. */
function mapJournal() {
  const kept = new Map<string, StoredMessage>();
  const journal = {
    save: (message: StoredMessage) => void kept.set(message.id, message),
    remove: (id: string) => void kept.delete(id),
  };
  return { kept, journal };
}

test("a queue made from the journal goes on where the other stopped", async () => {
  const clock = new ManualClock();
  const { kept, journal } = mapJournal();
  const before = new StandardQueue({ clock, journal });
  for (const body of ["deleted", "in flight", "visible"]) before.send(body);
  before.send("delayed", { delaySeconds: 60 });
  const [deleted] = await before.receive({ max: 1 });
  const [inFlight] = await before.receive({ max: 1 });
  assert.ok(deleted && inFlight);
  before.delete(deleted.receipt);

  const after = new StandardQueue({ clock, journal, messages: [...kept.values()] });
  assert.deepEqual(after.count(), { visible: 1, inFlight: 1, delayed: 1 });
  clock.advance(30_000);
  const received = await after.receive({ max: 10 });
  assert.deepEqual(received.map(({ body, receives }) => [body, receives]).sort(), [
    ["in flight", 2],
    ["visible", 1],
  ]);
  clock.advance(30_000);
  assert.ok((await after.receive({ max: 10 })).some(({ body }) => body === "delayed"));
});

test("a receipt given out before a restart is good after it", async () => {
  const { kept, journal } = mapJournal();
  const before = new StandardQueue({ journal });
  before.send("long work");
  const [message] = await before.receive({ max: 1 });
  assert.ok(message);
  const after = new StandardQueue({ journal, messages: [...kept.values()] });
  after.delete(message.receipt);
  assert.deepEqual(after.count(), { visible: 0, inFlight: 0, delayed: 0 });
  assert.equal(kept.size, 0);
});

test("what the journal cannot keep does not happen", async () => {
  let full = false;
  const journal = {
    save() {
      if (full) throw new Error("disk full");
    },
    remove() {},
  };
  const queue = new StandardQueue({ journal });
  queue.send("kept");
  full = true;
  assert.throws(() => queue.send("lost"), /disk full/);
  await assert.rejects(queue.receive({ max: 1 }), /disk full/);
  full = false;
  assert.deepEqual(
    (await queue.receive({ max: 10 })).map(({ body, receives }) => [body, receives]),
    [["kept", 1]],
  );
});

test("a poll that the journal fails is told; the sender is not", async () => {
  let saves = 0;
  const journal = {
    save() {
      if (++saves === 2) throw new Error("disk full");
    },
    remove() {},
  };
  const queue = new StandardQueue({ clock: new ManualClock(), journal });
  const polling = assert.rejects(queue.receive({ max: 1, waitSeconds: 20 }), /disk full/);
  queue.send("message");
  await polling;
  assert.equal(queue.count().visible, 1);
});

test("property: at least once, never while invisible, counted, dead-lettered after the last receive", async () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant("send" as const), delay: fc.nat(5) }),
    fc.record({
      do: fc.constant("receive" as const),
      max: fc.integer({ min: 1, max: 10 }),
      visibility: fc.nat(6),
    }),
    fc.record({ do: fc.constant("delete" as const), which: fc.nat() }),
    fc.record({ do: fc.constant("retry" as const), which: fc.nat(), seconds: fc.nat(6) }),
    fc.record({ do: fc.constant("wait" as const), seconds: fc.nat(6) }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 60 }),
      fc.integer({ min: 1, max: 4 }),
      async (steps, maxReceives) => {
        const clock = new ManualClock();
        const deadLetters = new StandardQueue({ clock });
        const queue = new StandardQueue({
          clock,
          settings: { redrive: { to: deadLetters, maxReceives } },
        });
        const model = new Map<string, { visibleAt: number; receives: number; receipt?: string }>();
        const receipts: { body: string; receipt: string }[] = [];

        const receive = async (max: number, visibility: number) => {
          const deliverable = [...model.values()].filter(
            (m) => m.visibleAt <= clock.now() && m.receives < maxReceives,
          );
          const messages = await queue.receive({ max, visibilitySeconds: visibility });
          assert.equal(new Set(messages.map(({ id }) => id)).size, messages.length);
          // Chosen at random and visible again at once, a message may be met twice, which ends the receive.
          if (visibility > 0) assert.equal(messages.length, Math.min(max, deliverable.length));
          for (const { body, receives, receipt } of messages) {
            const known = model.get(body);
            assert.ok(known, "neither deleted nor dead");
            assert.ok(known.visibleAt <= clock.now(), "visible");
            assert.equal(receives, known.receives + 1);
            assert.ok(receives <= maxReceives);
            Object.assign(known, { receives, receipt, visibleAt: clock.now() + visibility * 1_000 });
            receipts.push({ body, receipt });
          }
        };

        for (const [index, s] of steps.entries()) {
          const chosen =
            "which" in s && receipts.length > 0 ? receipts[s.which % receipts.length] : undefined;
          const current = chosen && model.get(chosen.body)?.receipt === chosen.receipt;
          if (s.do === "wait") clock.advance(s.seconds * 1_000);
          else if (s.do === "receive") await receive(s.max, s.visibility);
          else if (s.do === "send") {
            queue.send(`m${index}`, { delaySeconds: s.delay });
            model.set(`m${index}`, { visibleAt: clock.now() + s.delay * 1_000, receives: 0 });
          } else if (chosen && s.do === "delete") {
            queue.delete(chosen.receipt);
            if (current) model.delete(chosen.body);
          } else if (chosen && s.do === "retry") {
            queue.changeVisibility(chosen.receipt, s.seconds);
            const known = model.get(chosen.body);
            if (current && known) known.visibleAt = clock.now() + s.seconds * 1_000;
          }
          for (const dead of await drain(deadLetters)) {
            assert.equal(model.get(dead)?.receives, maxReceives, "dead after exactly so many receives");
            model.delete(dead);
          }
        }
        for (let round = 0; round <= maxReceives * 10 && model.size > 0; round++) {
          clock.advance(10_000);
          await receive(10, 1);
          for (const dead of await drain(deadLetters)) {
            assert.equal(model.get(dead)?.receives, maxReceives);
            model.delete(dead);
          }
        }
        assert.deepEqual([...model.keys()], [], "every message that was not deleted came to its end");
        assert.deepEqual(queue.count(), { visible: 0, inFlight: 0, delayed: 0 });
      },
    ),
    { numRuns: 150 },
  );
});

async function drain(queue: StandardQueue): Promise<string[]> {
  const bodies: string[] = [];
  for (;;) {
    const messages = await queue.receive({ max: 10 });
    if (messages.length === 0) return bodies;
    for (const { body, receipt } of messages) {
      bodies.push(body);
      queue.delete(receipt);
    }
  }
}

test("no more messages are in flight than SQS allows: a short poll is refused, a long one gets nothing", async () => {
  const clock = new ManualClock();
  const queue = new StandardQueue({ clock, settings: { maxInFlight: 3, visibilitySeconds: 30 } });
  for (const body of ["1", "2", "3", "4"]) queue.send(body);
  queue.send("later", { delaySeconds: 900 });
  const taken = await queue.receive({ max: 2 });
  const [third] = await queue.receive({ max: 1 });
  assert.ok(third && taken.length === 2);
  await assert.rejects(queue.receive({ max: 1 }), { code: "OverLimit" });
  const long = queue.receive({ max: 1, waitSeconds: 5 });
  clock.advance(5000);
  assert.deepEqual(await long, []);
  const waiting = queue.receive({ max: 1, waitSeconds: 5 });
  queue.delete(third.receipt);
  clock.advance(5000);
  await waiting;
  assert.equal((await queue.receive({ max: 1 })).length + (await waiting).length, 1);
  clock.advance(30_000);
  assert.equal((await queue.receive({ max: 10 })).length, 3);
});
