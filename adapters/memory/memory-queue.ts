/** A standard SQS queue in memory, as small as its port: for simulations, tests and programs that embed Darkroom. */
import { randomUUID } from "node:crypto";
import type { Queue, QueueMessage } from "../../core/ports.ts";

/** Time as a queue needs it; a simulation brings its own. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Runs `then` once, `ms` milliseconds from now; not at all when the function it gives is called before that. */
  after(ms: number, then: () => void): () => void;
}

const systemClock: Clock = {
  now: Date.now,
  after(ms, then) {
    const timer = setTimeout(then, ms);
    return () => clearTimeout(timer);
  },
};

/** Times in milliseconds since 1970. */
interface Kept {
  readonly id: string;
  readonly body: string;
  readonly sentAt: number;
  readonly visibleAt: number;
  /** By this queue: a dead-letter queue counts anew. */
  readonly receives: number;
}

/** SQS's own bounds: what they refuse must not pass in a simulation. */
const MAX = { bytes: 1_048_576, delaySeconds: 900, messages: 10, waitSeconds: 20, visibilitySeconds: 43_200 };
/** XML 1.0's characters. */
const CHARACTERS = /^[\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]+$/u;

function check(holds: boolean, words: string): void {
  if (!holds) throw new RangeError(words);
}
const within = (name: keyof typeof MAX, value: number, least = 0) =>
  check(value >= least && value <= MAX[name], `${name} is ${value}`);

export class MemoryQueue implements Queue {
  readonly #clock: Clock;
  readonly #newId: () => string;
  readonly #pick: (count: number) => number;
  readonly #visibilitySeconds: number;
  readonly #retentionMs: number;
  readonly #redrive: { readonly to: MemoryQueue; readonly maxReceives: number } | undefined;
  /** In the order of their last change. */
  readonly #messages = new Map<string, Kept>();
  /** Wake those who poll, the longest waiting first. */
  readonly #polls = new Set<() => void>();

  constructor({
    clock = systemClock,
    newId = randomUUID,
    pick = () => 0,
    visibilitySeconds = 30,
    retentionSeconds = 345_600,
    redrive,
  }: {
    clock?: Clock;
    newId?: () => string;
    /** Which of `count` visible messages comes next, from 0. */
    pick?: (count: number) => number;
    visibilitySeconds?: number;
    retentionSeconds?: number;
    /** Where a message goes instead of being received once more. */
    redrive?: { readonly to: MemoryQueue; readonly maxReceives: number };
  } = {}) {
    this.#clock = clock;
    this.#newId = newId;
    this.#pick = pick;
    this.#visibilitySeconds = visibilitySeconds;
    this.#retentionMs = retentionSeconds * 1000;
    this.#redrive = redrive;
  }

  /** Acts at once: the message is there when the call returns. */
  async send(body: string, { delaySeconds = 0 }: { delaySeconds?: number } = {}): Promise<void> {
    within("delaySeconds", delaySeconds);
    within("bytes", Buffer.byteLength(body));
    check(CHARACTERS.test(body), "no body, or a character that XML 1.0 does not have");
    const sentAt = this.#clock.now();
    this.#keep({ id: this.#newId(), body, sentAt, visibleAt: sentAt + delaySeconds * 1000, receives: 0 });
  }

  async sendMany(bodies: readonly string[]): Promise<void> {
    for (const body of bodies) await this.send(body);
  }

  async backlog(): Promise<number> {
    return this.count().visible;
  }

  async receive({
    max,
    waitSeconds = 0,
    visibilitySeconds = this.#visibilitySeconds,
    signal,
  }: Parameters<Queue["receive"]>[0]): Promise<QueueMessage[]> {
    within("messages", max, 1);
    within("waitSeconds", waitSeconds);
    within("visibilitySeconds", visibilitySeconds);
    const until = this.#clock.now() + waitSeconds * 1000;
    while (!signal?.aborted) {
      const taken = this.#take(max, visibilitySeconds);
      if (taken.length > 0 || this.#clock.now() >= until) return taken;
      await this.#change(until, signal);
    }
    return [];
  }

  async delete(receipt: string): Promise<void> {
    const message = this.#find(receipt);
    if (message) this.#messages.delete(message.id);
  }

  async retryIn(receipt: string, seconds: number): Promise<void> {
    within("visibilitySeconds", seconds);
    const message = this.#find(receipt);
    if (message) this.#keep({ ...message, visibleAt: this.#clock.now() + seconds * 1000 });
  }

  /** `delayed` ones have never been received. */
  count(): { visible: number; inFlight: number; delayed: number } {
    const visible = this.#visible().length;
    const delayed = this.#hidden().filter(({ receives }) => receives === 0).length;
    return { visible, inFlight: this.#messages.size - visible - delayed, delayed };
  }

  purge(): void {
    this.#messages.clear();
  }

  /** Only the receipt of the latest receive is good. */
  #find(receipt: string): Kept | undefined {
    const [receives, id = ""] = receipt.split(":");
    const message = this.#messages.get(id);
    return message?.receives === Number(receives) ? message : undefined;
  }

  #keep(message: Kept): void {
    this.#messages.delete(message.id);
    this.#messages.set(message.id, message);
    for (const wake of this.#polls) wake();
  }

  #visible(): Kept[] {
    const now = this.#clock.now();
    for (const { id, sentAt } of this.#messages.values())
      if (sentAt + this.#retentionMs <= now) this.#messages.delete(id);
    return [...this.#messages.values()].filter(({ visibleAt }) => visibleAt <= now);
  }

  #hidden(): Kept[] {
    return [...this.#messages.values()].filter(({ visibleAt }) => visibleAt > this.#clock.now());
  }

  #take(max: number, visibilitySeconds: number): QueueMessage[] {
    const visible = this.#visible();
    const taken: QueueMessage[] = [];
    while (taken.length < max && visible.length > 0) {
      const [message] = visible.splice(this.#pick(visible.length), 1);
      if (!message) break;
      const { id, body, sentAt } = message;
      const receives = message.receives + 1;
      if (this.#redrive && receives > this.#redrive.maxReceives) {
        this.#messages.delete(id);
        this.#redrive.to.#keep({ ...message, visibleAt: this.#clock.now(), receives: 0 });
        continue;
      }
      this.#keep({ ...message, receives, visibleAt: this.#clock.now() + visibilitySeconds * 1000 });
      taken.push({ id, body, receives, sentAt: new Date(sentAt), receipt: `${receives}:${id}` });
    }
    return taken;
  }

  /** Until something changes, the next message becomes visible, `until` is reached or the signal aborts. */
  #change(until: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#polls.delete(wake);
        for (const cancel of alarms) cancel();
        signal?.removeEventListener("abort", wake);
        resolve();
      };
      const now = this.#clock.now();
      const next = Math.min(...this.#hidden().map(({ visibleAt }) => visibleAt));
      const alarms = [until, ...(next < until ? [next] : [])].map((at) => this.#clock.after(at - now, wake));
      signal?.addEventListener("abort", wake);
      this.#polls.add(wake);
    });
  }
}
