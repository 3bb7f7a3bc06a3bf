/** What core/ports.ts promises of a Queue, one test a sentence. Every implementation runs it. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { Queue, QueueMessage } from "../../core/ports.ts";

/** Two new queues: `queue` hides messages for 6 s and gives those received 3 times to `deadLetters`. */
export interface QueueUnderTest {
  readonly queue: Queue;
  readonly deadLetters: Queue;
  /** What the queue's clock shows, in milliseconds. */
  now(): number;
  advance(seconds: number): Promise<void>;
  /** Waits until a receive that polls for this long has begun to wait. */
  polling(waitSeconds: number): Promise<void>;
  /** Waits until that receive waits no more, also when its client only hung up. */
  hungUp(waitSeconds: number): Promise<void>;
  /** Afterwards nobody may poll any more. */
  close(): Promise<void>;
}

/** Short, as against a server with a clock of its own a test can only wait. */
export const VISIBILITY_SECONDS = 6;
export const MAX_RECEIVES = 3;

export function describeQueue(name: string, make: () => Promise<QueueUnderTest>): void {
  describe(`Queue: ${name}`, () => {
    let t: QueueUnderTest;
    beforeEach(async () => {
      t = await make();
    });
    afterEach(() => t.close());

    const receive = (options: Partial<Parameters<Queue["receive"]>[0]> = {}) =>
      t.queue.receive({ max: 10, ...options });
    const receiveOne = async (): Promise<QueueMessage> => {
      const [message, ...others] = await receive({ max: 1 });
      assert.ok(message);
      assert.equal(others.length, 0);
      return message;
    };

    test("many messages are sent at once, each of them arrives", async () => {
      const bodies = Array.from({ length: 25 }, (_, i) => `one of many ${i}`);
      await t.queue.sendMany(bodies);
      await t.queue.sendMany([]);
      assert.equal(await t.queue.backlog(), 25);
      const received: string[] = [];
      while (received.length < bodies.length) {
        const messages = await receive({ max: 10, waitSeconds: 1 });
        assert.ok(messages.length > 0);
        received.push(...messages.map(({ body }) => body));
      }
      assert.deepEqual(received.sort(), bodies.sort());
      assert.equal(await t.queue.backlog(), 0, "those received wait no more");
    });

    test("one message that SQS does not take fails all that were sent with it", async () => {
      await assert.rejects(t.queue.sendMany(["good", "bell \u0007", "good too"]));
    });

    test("the backlog leaves out what is delayed", async () => {
      await t.queue.send("later", { delaySeconds: 4 });
      assert.equal(await t.queue.backlog(), 0);
      await t.queue.send("now");
      assert.equal(await t.queue.backlog(), 1);
    });

    test("a message arrives as it was sent", async () => {
      const body = '{"key":"a+b%20ü😀","lines":"1\n2\t3"}';
      const before = t.now();
      await t.queue.send(body);
      const message = await receiveOne();
      assert.equal(message.body, body);
      assert.equal(message.receives, 1);
      assert.ok(message.id);
      assert.ok(message.sentAt.getTime() >= before - 1_000 && message.sentAt.getTime() <= t.now() + 1_000);
    });

    test("the same body twice is two messages", async () => {
      await Promise.all([t.queue.send("same"), t.queue.send("same")]);
      const messages = [...(await receive()), ...(await receive())];
      assert.equal(new Set(messages.map(({ id }) => id)).size, 2);
    });

    test("an empty queue answers at once, with nothing", async () => {
      assert.deepEqual(await receive({ waitSeconds: 0 }), []);
    });

    test("no receive gives more than it was asked for, together they give all", async () => {
      const bodies = Array.from({ length: 12 }, (_, i) => `message ${i}`);
      await Promise.all(bodies.map((body) => t.queue.send(body)));
      const received: string[] = [];
      while (received.length < bodies.length) {
        const messages = await receive({ max: 5, waitSeconds: 1 });
        assert.ok(messages.length > 0 && messages.length <= 5);
        received.push(...messages.map(({ body }) => body));
      }
      assert.deepEqual(received.sort(), bodies.sort());
    });

    test("receivers at the same time never share a message", async () => {
      await Promise.all(Array.from({ length: 10 }, (_, i) => t.queue.send(`${i}`)));
      const rounds = await Promise.all(Array.from({ length: 8 }, () => receive({ max: 3 })));
      const ids = rounds.flat().map(({ id }) => id);
      assert.equal(new Set(ids).size, ids.length);
    });

    test("a received message is invisible for the queue's own time, then comes again", async () => {
      await t.queue.send("once more");
      const first = await receiveOne();
      await t.advance(VISIBILITY_SECONDS - 1);
      assert.deepEqual(await receive(), []);
      await t.advance(1);
      const second = await receiveOne();
      assert.equal(second.id, first.id);
      assert.equal(second.receives, 2);
      assert.equal(second.sentAt.getTime(), first.sentAt.getTime());
      assert.notEqual(second.receipt, first.receipt);
    });

    test("a receive can ask for another invisible time", async () => {
      await t.queue.send("short");
      assert.equal((await receive({ visibilitySeconds: 3 })).length, 1);
      await t.advance(2);
      assert.deepEqual(await receive(), []);
      await t.advance(1);
      assert.equal((await receive()).length, 1);
    });

    test("a delayed message is invisible until its time", async () => {
      await t.queue.send("later", { delaySeconds: 4 });
      await t.advance(3);
      assert.deepEqual(await receive(), []);
      await t.advance(1);
      assert.equal((await receiveOne()).receives, 1);
    });

    test("a long poll wakes when a message is sent", async () => {
      const polling = receive({ waitSeconds: 20 });
      await t.polling(20);
      await t.queue.send("wake up");
      assert.deepEqual(
        (await polling).map(({ body }) => body),
        ["wake up"],
      );
    });

    test("a long poll wakes when a message becomes visible again", async () => {
      await t.queue.send("back");
      await receive({ visibilitySeconds: 3 });
      const polling = receive({ waitSeconds: 20 });
      await t.polling(20);
      await t.advance(3);
      assert.deepEqual(
        (await polling).map(({ receives }) => receives),
        [2],
      );
    });

    test("a long poll wakes when a delay ends", async () => {
      await t.queue.send("later", { delaySeconds: 3 });
      const polling = receive({ waitSeconds: 20 });
      await t.polling(20);
      await t.advance(3);
      assert.equal((await polling).length, 1);
    });

    test("a long poll ends with nothing when its time is over", async () => {
      const polling = receive({ waitSeconds: 3 });
      await t.polling(3);
      await t.advance(3);
      assert.deepEqual(await polling, []);
    });

    test("an aborted receive ends with nothing and takes nothing", async () => {
      const abort = new AbortController();
      const polling = receive({ waitSeconds: 20, signal: abort.signal });
      await t.polling(20);
      abort.abort();
      assert.deepEqual(await polling, []);
      assert.deepEqual(await receive({ waitSeconds: 20, signal: abort.signal }), []);
      await t.hungUp(20);
      await t.queue.send("for somebody else");
      assert.equal((await receiveOne()).receives, 1);
    });

    test("a deleted message never comes again; deleting it again is no error", async () => {
      await t.queue.send("done");
      const { receipt } = await receiveOne();
      await t.queue.delete(receipt);
      await t.queue.delete(receipt);
      await t.advance(VISIBILITY_SECONDS);
      assert.deepEqual(await receive(), []);
      await t.queue.delete(receipt);
    });

    test("a receipt is good for deleting as long as nobody has received the message again", async () => {
      await t.queue.send("slow");
      const { receipt } = await receiveOne();
      await t.advance(VISIBILITY_SECONDS + 1);
      await t.queue.delete(receipt);
      assert.deepEqual(await receive(), []);
    });

    test("retryIn(0) makes a message visible at once", async () => {
      await t.queue.send("again");
      await t.queue.retryIn((await receiveOne()).receipt, 0);
      assert.equal((await receiveOne()).receives, 2);
    });

    test("retryIn counts from now, later or sooner than before", async () => {
      await t.queue.send("later");
      const { receipt } = await receiveOne();
      await t.advance(4);
      await t.queue.retryIn(receipt, 8);
      await t.advance(7);
      assert.deepEqual(await receive(), []);
      await t.queue.retryIn(receipt, 2);
      await t.advance(2);
      assert.equal((await receiveOne()).receives, 2);
    });

    test("retryIn wakes a long poll", async () => {
      await t.queue.send("again");
      const { receipt } = await receiveOne();
      const polling = receive({ waitSeconds: 20 });
      await t.polling(20);
      await t.queue.retryIn(receipt, 0);
      assert.equal((await polling).length, 1);
    });

    test("retryIn of a message that is gone is no error", async () => {
      await t.queue.send("gone");
      const { receipt } = await receiveOne();
      await t.queue.delete(receipt);
      await t.queue.retryIn(receipt, 5);
      await t.advance(5);
      assert.deepEqual(await receive(), []);
    });

    test("a message goes to the dead-letter queue after its last receive, and only then", async () => {
      await t.queue.send("poison");
      const [first] = await receive({ visibilitySeconds: 1 });
      assert.ok(first);
      for (let receives = 2; receives <= MAX_RECEIVES; receives++) {
        await t.advance(1);
        assert.deepEqual(
          (await receive({ visibilitySeconds: 1 })).map((m) => m.receives),
          [receives],
        );
      }
      assert.deepEqual(await t.deadLetters.receive({ max: 10 }), []);
      await t.advance(1);
      assert.deepEqual(await receive(), []);
      const [dead] = await t.deadLetters.receive({ max: 10, waitSeconds: 1 });
      assert.ok(dead);
      assert.equal(dead.body, "poison");
      assert.equal(dead.sentAt.getTime(), first.sentAt.getTime());
      await t.advance(VISIBILITY_SECONDS);
      assert.deepEqual(await receive(), []);
    });

    test("what SQS does not take is refused: no body, a control character, more than ten at a time", async () => {
      await assert.rejects(t.queue.send(""));
      await assert.rejects(t.queue.send("bell \u0007"));
      await assert.rejects(receive({ max: 11 }));
      await assert.rejects(receive({ max: 0 }));
    });
  });
}
