/** A standard queue: what SQS promises of one, in memory, with a journal that keeps it across restarts. */
import { randomUUID } from "node:crypto";
import { checkBody, checkRange, formatReceipt, parseReceipt, QueueError } from "./queue-rules.ts";

/** Time as a queue needs it; a test brings its own. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Runs `then` once, `ms` milliseconds from now; not at all when the function it gives is called before that. */
  after(ms: number, then: () => void): () => void;
}

export const systemClock: Clock = {
  now: Date.now,
  after(ms, then) {
    const timer = setTimeout(then, ms);
    return () => clearTimeout(timer);
  },
};

/** A message at rest. Times in milliseconds since 1970. */
export interface StoredMessage {
  readonly id: string;
  readonly body: string;
  readonly sentAt: number;
  readonly visibleAt: number;
  /** By this queue: a dead-letter queue counts anew. */
  readonly receives: number;
  readonly firstReceivedAt?: number;
  /** The `name` of the queue that gave it up. */
  readonly deadLetteredFrom?: string;
  /** Travels with the message, unread. */
  readonly extra?: string;
}

/** Keeps messages across restarts. A change that it throws on does not happen. */
export interface Journal {
  /** Called with each new message and again whenever its state changes. */
  save(message: StoredMessage): void;
  remove(id: string): void;
}

/** SQS's queue attributes, with SQS's defaults. */
export interface QueueSettings {
  readonly visibilitySeconds: number;
  readonly delaySeconds: number;
  /** Long poll of a receive that does not say. */
  readonly waitSeconds: number;
  readonly retentionSeconds: number;
  readonly maxBytes: number;
  /** Messages received and not deleted; SQS's bound is no attribute, and no setting of anybody's. */
  readonly maxInFlight: number;
  /** Where a message goes instead of being received once more. */
  readonly redrive: { readonly to: StandardQueue; readonly maxReceives: number } | undefined;
}

const DEFAULTS: QueueSettings = {
  visibilitySeconds: 30,
  delaySeconds: 0,
  waitSeconds: 0,
  retentionSeconds: 345_600,
  maxBytes: 1_048_576,
  maxInFlight: 120_000,
  redrive: undefined,
};

export interface ReceivedMessage extends StoredMessage {
  readonly firstReceivedAt: number;
  /** Of this receive: what `delete` and `changeVisibility` take. */
  readonly receipt: string;
}

interface Waiter {
  readonly max: number;
  readonly visibilitySeconds: number | undefined;
  answer(messages: ReceivedMessage[]): void;
  fail(error: unknown): void;
}

export class StandardQueue {
  readonly #name: string;
  readonly #clock: Clock;
  readonly #journal: Journal | undefined;
  readonly #messages = new Map<string, StoredMessage>();
  /** Ids of those that can be received now. */
  readonly #visible = new Set<string>();
  readonly #waiters = new Set<Waiter>();
  #settings: QueueSettings;
  /** No message becomes visible or expires before this time. */
  #nextChange = Number.NEGATIVE_INFINITY;
  #cancelAlarm = () => {};

  constructor({
    name = "queue",
    clock = systemClock,
    settings = {},
    journal,
    messages = [],
  }: {
    name?: string;
    clock?: Clock;
    settings?: Partial<QueueSettings>;
    journal?: Journal;
    /** What the journal held at the end. */
    messages?: Iterable<StoredMessage>;
  } = {}) {
    this.#name = name;
    this.#clock = clock;
    this.#journal = journal;
    this.#settings = { ...DEFAULTS, ...settings };
    for (const message of messages) this.#messages.set(message.id, message);
  }

  /** New settings hold at once, also for messages that are there; `delaySeconds` for new ones only. */
  configure(settings: Partial<QueueSettings>): void {
    if (settings.redrive?.to === this) {
      throw new QueueError("InvalidParameterValue", "A queue cannot be its own dead-letter queue.");
    }
    this.#settings = { ...this.#settings, ...settings };
    this.#nextChange = Number.NEGATIVE_INFINITY;
    this.#wake();
  }

  /** Tells what was stored. */
  send(
    body: string,
    options: { delaySeconds?: number | undefined; extra?: string | undefined } = {},
  ): StoredMessage {
    const { maxBytes, delaySeconds: byDefault } = this.#settings;
    const { delaySeconds = byDefault } = options;
    checkRange("DelaySeconds", delaySeconds, 0, 900);
    checkBody(body, maxBytes);
    const now = this.#clock.now();
    const extra = options.extra === undefined ? {} : { extra: options.extra };
    const message = {
      id: randomUUID(),
      body,
      sentAt: now,
      visibleAt: now + delaySeconds * 1000,
      receives: 0,
      ...extra,
    };
    this.#store(message);
    this.#wake();
    return message;
  }

  async receive({
    max,
    waitSeconds = this.#settings.waitSeconds,
    visibilitySeconds,
    signal,
  }: {
    max: number;
    /** Long poll: waits for a message up to this long. */
    waitSeconds?: number | undefined;
    /** Of the messages returned. */
    visibilitySeconds?: number | undefined;
    /** Aborted, it ends with no messages. */
    signal?: AbortSignal | undefined;
  }): Promise<ReceivedMessage[]> {
    checkRange("MaxNumberOfMessages", max, 1, 10);
    checkRange("WaitTimeSeconds", waitSeconds, 0, 20);
    if (visibilitySeconds !== undefined) checkRange("VisibilityTimeout", visibilitySeconds, 0, 43_200);
    if (signal?.aborted) return [];
    // A long poll is told of nothing, says SQS: it gets nothing.
    if (waitSeconds === 0 && this.#isFull())
      throw new QueueError("OverLimit", `Too many messages in flight: ${this.#settings.maxInFlight}.`);
    const taken = this.#take(max, visibilitySeconds);
    if (taken.length > 0 || waitSeconds === 0) return taken;
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiters.delete(waiter);
        if (this.#waiters.size === 0) this.#cancelAlarm();
        cancelDeadline();
        signal?.removeEventListener("abort", giveUp);
      };
      const waiter: Waiter = {
        max,
        visibilitySeconds,
        answer(messages) {
          leave();
          resolve(messages);
        },
        fail(error) {
          leave();
          reject(error);
        },
      };
      const giveUp = () => waiter.answer([]);
      const cancelDeadline = this.#clock.after(waitSeconds * 1000, giveUp);
      signal?.addEventListener("abort", giveUp);
      this.#waiters.add(waiter);
      this.#wake();
    });
  }

  /** Without effect when the message has been received again since ("may not be deleted", says SQS). */
  delete(receipt: string): void {
    const message = this.#find(receipt);
    if (message) this.#remove(message.id);
  }

  /** Tells whether the receipt was still good: the message there and not received again since. */
  changeVisibility(receipt: string, seconds: number): boolean {
    checkRange("VisibilityTimeout", seconds, 0, 43_200);
    const message = this.#find(receipt);
    if (!message) return false;
    this.#store({ ...message, visibleAt: this.#clock.now() + seconds * 1000 });
    this.#wake();
    return true;
  }

  /** `delayed` ones have never been received. */
  count(): { visible: number; inFlight: number; delayed: number } {
    this.#settle();
    const hidden = [...this.#messages.values()].filter(({ id }) => !this.#visible.has(id));
    const delayed = hidden.filter(({ receives }) => receives === 0).length;
    return { visible: this.#visible.size, inFlight: hidden.length - delayed, delayed };
  }

  purge(): void {
    for (const id of this.#messages.keys()) this.#remove(id);
  }

  /** Sends every visible message anew to the queue that `target` names, if any; tells how many went. */
  moveTo(target: (message: StoredMessage) => StandardQueue | undefined): number {
    this.#settle();
    let moved = 0;
    for (const id of [...this.#visible]) {
      const message = this.#messages.get(id);
      const to = message && target(message);
      if (!to) continue;
      to.send(message.body, { extra: message.extra });
      this.#remove(id);
      moved++;
    }
    return moved;
  }

  #isFull(): boolean {
    const { maxInFlight } = this.#settings;
    // Counting looks at every message: only where there may be as many.
    return this.#messages.size - this.#visible.size >= maxInFlight && this.count().inFlight >= maxInFlight;
  }

  /** Only the receipt of the latest receive is good. */
  #find(receipt: string): StoredMessage | undefined {
    this.#settle();
    const parsed = parseReceipt(receipt);
    const message = parsed && this.#messages.get(parsed.id);
    return message && message.receives === parsed.receives ? message : undefined;
  }

  #store(message: StoredMessage): void {
    this.#journal?.save(message);
    this.#messages.set(message.id, message);
    this.#visible.delete(message.id);
    this.#note(message);
  }

  #remove(id: string): void {
    this.#journal?.remove(id);
    this.#messages.delete(id);
    this.#visible.delete(id);
  }

  /** Makes it visible or remembers when it will be, or expires. */
  #note({ id, visibleAt, sentAt }: StoredMessage): void {
    const visible = visibleAt <= this.#clock.now();
    if (visible) this.#visible.add(id);
    const expiresAt = sentAt + this.#settings.retentionSeconds * 1000;
    this.#nextChange = Math.min(this.#nextChange, visible ? expiresAt : Math.min(visibleAt, expiresAt));
  }

  /** Lets time do what it has done since the last call. */
  #settle(): void {
    const now = this.#clock.now();
    if (now < this.#nextChange) return;
    this.#nextChange = Number.POSITIVE_INFINITY;
    for (const message of this.#messages.values()) {
      if (message.sentAt + this.#settings.retentionSeconds * 1000 <= now) this.#remove(message.id);
      else this.#note(message);
    }
  }

  #take(max: number, visibilitySeconds = this.#settings.visibilitySeconds): ReceivedMessage[] {
    this.#settle();
    if (this.#isFull()) return [];
    const { redrive } = this.#settings;
    const now = this.#clock.now();
    const taken = new Map<string, ReceivedMessage>();
    while (taken.size < max) {
      const message = this.#choose();
      // With a visibility of 0 a message is visible again as soon as it is taken.
      if (!message || taken.has(message.id)) break;
      if (redrive && message.receives >= redrive.maxReceives) {
        this.#bury(message, redrive.to);
        continue;
      }
      const received = {
        ...message,
        receives: message.receives + 1,
        firstReceivedAt: message.firstReceivedAt ?? now,
        visibleAt: now + visibilitySeconds * 1000,
      };
      this.#store(received);
      taken.set(message.id, { ...received, receipt: formatReceipt(received) });
    }
    return [...taken.values()];
  }

  #choose(): StoredMessage | undefined {
    const [id] = this.#visible;
    return id === undefined ? undefined : this.#messages.get(id);
  }

  /** Into the dead-letter queue before out of this one: a crash in between leaves two, never none. */
  #bury({ id, body, sentAt, extra }: StoredMessage, to: StandardQueue): void {
    const kept = { id, body, sentAt, ...(extra === undefined ? {} : { extra }) };
    to.#store({ ...kept, visibleAt: to.#clock.now(), receives: 0, deadLetteredFrom: this.#name });
    this.#remove(id);
    to.#wake();
  }

  /** Serves those who wait, the longest waiting first, and sets the alarm for the rest. */
  #wake(): void {
    for (const waiter of this.#waiters) {
      try {
        const taken = this.#take(waiter.max, waiter.visibilitySeconds);
        if (taken.length === 0) break;
        waiter.answer(taken);
      } catch (error) {
        waiter.fail(error);
      }
    }
    this.#cancelAlarm();
    if (this.#waiters.size === 0 || this.#nextChange === Number.POSITIVE_INFINITY) return;
    this.#cancelAlarm = this.#clock.after(Math.max(0, this.#nextChange - this.#clock.now()), () =>
      this.#wake(),
    );
  }
}
