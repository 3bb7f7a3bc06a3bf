/** For tests: a clock that stands still until it is told to go on; timers run in the order they are due. */
import type { Clock } from "./sqs/standard-queue.ts";

interface Timer {
  readonly at: number;
  readonly then: () => void;
}

export class ManualClock implements Clock {
  #now: number;
  readonly #timers = new Set<Timer>();
  #watchers: (() => void)[] = [];

  constructor(now = Date.UTC(2026, 10, 20)) {
    this.#now = now;
  }

  readonly now = () => this.#now;

  after(ms: number, then: () => void): () => void {
    const timer = { at: this.#now + ms, then };
    this.#timers.add(timer);
    this.#changed();
    return () => {
      this.#timers.delete(timer);
      this.#changed();
    };
  }

  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const [next] = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (!next) break;
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.then();
    }
    this.#now = end;
  }

  get timers(): number {
    return this.#timers.size;
  }

  /** Waits until there is, or is no longer, a timer for `ms` from now: until a poll that long has begun, or ended. */
  async timerIn(ms: number, there = true): Promise<void> {
    const isSo = () => [...this.#timers].some(({ at }) => at === this.#now + ms) === there;
    while (!isSo()) {
      await new Promise<void>((resolve) => {
        this.#watchers.push(resolve);
      });
    }
  }

  #changed(): void {
    const watchers = this.#watchers;
    this.#watchers = [];
    for (const watcher of watchers) watcher();
  }
}
