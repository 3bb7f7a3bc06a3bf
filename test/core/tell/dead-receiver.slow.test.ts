/**
 * Hours of telling in virtual time: the real use cases, SQS's rules, Lambda's slots, one receiver that hangs.
 * `HOURS=48 npm test -- dead-receiver` is two days, in two minutes of CPU: 345,600 events, the healthy receiver 2 s behind
 * at most, 971 messages in flight at most, and ten hours after it was mended the dead one has everything.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import test from "node:test";
import { ManualClock } from "local-aws/manual-clock";
import { MemoryQueue } from "../../../adapters/memory/memory-queue.ts";
import { memoryStore } from "../../../adapters/memory/memory-store.ts";
import { DELIVERIES, EVENTS, newId } from "../../../core/keys.ts";
import type { Metadata } from "../../../core/metadata.ts";
import type { ListedObject, ObjectStore } from "../../../core/ports.ts";
import { bringBack, Receivers, retryAfter } from "../../../core/tell/deliver.ts";
import { handleEvent } from "../../../core/tell/handle-event.ts";
import { tell } from "../../../core/tell/tell.ts";

const [SECOND, MINUTE, HOUR] = [1000, 60_000, 3_600_000];
/** As serverless.yml and functions/events.ts have it. */
const [INVOCATIONS, BATCH, TIMEOUT, REST] = [20, 10, 15 * SECOND, MINUTE];
const [HEALTHY, DEAD] = ["https://healthy.example/", "https://dead.example/"];

/** A store that a listing of hundreds of thousands does not slow down; what is kept for a replay is let go. */
function parkedStore(now: () => Date): ObjectStore & { readonly size: () => number } {
  const others = memoryStore({ now });
  const objects = new Map<string, string>();
  const sorted: string[] = [];
  const at = (key: string) => {
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((sorted[middle] ?? "") < key) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const isParked = (key: string) => key.startsWith(DELIVERIES);
  return {
    ...others,
    size: () => objects.size,
    async put(key, body, options) {
      if (key.startsWith(EVENTS)) return { etag: "kept" };
      if (!isParked(key)) return others.put(key, body, options);
      if (!objects.has(key)) sorted.splice(at(key), 0, key);
      objects.set(key, String(body));
      return { etag: "parked" };
    },
    async get(key) {
      const text = objects.get(key);
      if (!isParked(key) || text === undefined) return others.get(key);
      const bytes = Buffer.from(text);
      const body = (async function* () {
        yield bytes;
      })();
      const head = { etag: "parked", size: bytes.length, lastModified: now(), metadata: {} };
      return { ...head, type: undefined, cacheControl: undefined, body };
    },
    async delete(key) {
      if (!isParked(key)) return others.delete(key);
      if (objects.delete(key)) sorted.splice(at(key), 1);
    },
    async list(prefix, { limit = 1000 } = {}) {
      const from = at(prefix);
      const keys = sorted.slice(from, from + limit).filter((key) => key.startsWith(prefix));
      const listed = keys.map((key): ListedObject => ({ key, etag: "", size: 0, lastModified: now() }));
      return { objects: listed, next: undefined };
    },
  };
}

/** @param perSecond events, of images of their own */
function system(perSecond: number) {
  const clock = new ManualClock(Date.parse("2026-11-20T12:00:00Z"));
  const now = () => new Date(clock.now());
  const queue = new MemoryQueue({ clock, visibilitySeconds: 180 });
  const uploads = parkedStore(now);
  const media: Pick<ObjectStore, "get"> = { get: async () => undefined };
  const told = { healthy: 0, dead: 0, lag: 0, inFlight: 0, tries: 0 };
  let isDead = true;

  const slots = Array.from({ length: INVOCATIONS }, () => {
    const slot = { free: 0, rests: 0, hung: false };
    const post = async (url: string, _: string, body: string) => {
      const { timestamp } = JSON.parse(body);
      if (url === HEALTHY) {
        told.healthy++;
        told.lag = Math.max(told.lag, clock.now() - Date.parse(timestamp));
        return 204;
      }
      if (!isDead) {
        told.dead++;
        return 204;
      }
      if (slot.rests > clock.now()) throw new Error("left alone");
      told.tries++;
      slot.rests = clock.now() + TIMEOUT + REST;
      slot.hung = true;
      throw new Error("no answer in time");
    };
    const stated = { uploads, now };
    const receivers = new Receivers(stated);
    const deps = { ...stated, random: randomBytes, events: queue, urls: [HEALTHY, DEAD], post, receivers };
    return { slot, deps };
  });

  /** One invocation: what hangs keeps its slot, and answers for what came with it all the same. */
  const invoke = async ({ slot, deps }: (typeof slots)[number]): Promise<boolean> => {
    const messages = await queue.receive({ max: BATCH });
    for (const { body, receives, receipt } of messages) {
      const done = await handleEvent(deps, body, receives).catch(() => undefined);
      if (done) await queue.delete(receipt);
      else await queue.retryIn(receipt, retryAfter(receives, Math.random()));
    }
    slot.free = clock.now() + (slot.hung ? TIMEOUT : 0);
    slot.hung = false;
    return messages.length > 0;
  };
  const document: Metadata = {
    schema: 1,
    id: "",
    status: "ready",
    rev: 1,
    writeId: "w",
    variants: [],
    pending: [],
    processedAt: "",
    superseded: [],
    deleting: [],
  };
  const parked = { uploads, media, events: queue, urls: [HEALTHY, DEAD], now };
  const second = async (events: number) => {
    for (let i = 0; i < events; i++)
      await tell(queue, { ...document, id: newId(randomBytes), processedAt: now().toISOString() });
    for (let busy = true; busy; ) {
      busy = false;
      for (const one of slots) if (one.slot.free <= clock.now()) busy = (await invoke(one)) || busy;
    }
    told.inFlight = Math.max(told.inFlight, queue.count().inFlight);
    if (clock.now() % MINUTE === 0)
      await bringBack(parked, new Receivers(parked), new Date(clock.now() + 45 * SECOND));
    clock.advance(SECOND);
  };
  const live = async (ms: number, events = perSecond) => {
    for (const until = clock.now() + ms; clock.now() < until; ) await second(events);
  };
  const mend = () => {
    isDead = false;
  };
  return { told, uploads, live, mend };
}

const HOURS = Number(process.env["HOURS"] ?? 4);

test("a receiver is dead for long at two events a second: the other hears within a minute, and it gets all", async (t) => {
  const { told, uploads, live, mend } = system(2);
  await live(HOURS * HOUR);
  const events = (2 * HOURS * HOUR) / SECOND;
  t.diagnostic(
    `${events} events; healthy: ${told.lag / 1000} s behind at most; in flight ${told.inFlight} at most; ${told.tries} tries at the dead one, ${uploads.size()} parked`,
  );
  assert.equal(told.healthy, events);
  assert.ok(told.lag < MINUTE);
  assert.ok(told.inFlight < 10_000);
  mend();
  let hours = 0;
  for (; uploads.size() > 0 && hours < HOURS; hours++) await live(HOUR);
  t.diagnostic(
    `mended, it has everything after ${hours} hours; the healthy one ${told.lag / 1000} s behind at most`,
  );
  assert.equal(told.dead, events + (hours * 2 * HOUR) / SECOND);
  assert.ok(told.lag < MINUTE);
});
