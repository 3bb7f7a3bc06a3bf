/** A line at the bottom of a terminal: bar, count, rate, time left. Elsewhere nothing, and results alone are printed. */
import { duration } from "./terminal.ts";

/** The rate is that of the last so many seconds: a slow start is forgotten, a slow end is seen. */
const WINDOW_MS = 20_000;
/** Redrawn ten times a second: less looks stuck, more is only work. */
const REDRAW_MS = 100;

interface ProgressOptions {
  /** In the plural: `images`. */
  readonly unit: string;
  /** Absent while it is not known; there is no bar then. */
  readonly total?: number | undefined;
  /** What else is worth knowing: `3 failed`. */
  readonly notes?: () => readonly string[];
}

export class Progress {
  done = 0;
  total: number | undefined;
  readonly #options: ProgressOptions;
  readonly #rate = rateOver(WINDOW_MS);
  readonly #timer: NodeJS.Timeout | undefined;

  constructor(options: ProgressOptions) {
    this.#options = options;
    this.total = options.total;
    this.#rate(performance.now(), 0);
    if (process.stderr.isTTY) this.#timer = setInterval(() => this.#draw(), REDRAW_MS);
  }

  /** Prints a result above the line. */
  print(text: string): void {
    this.#clear();
    process.stdout.write(`${text}\n`);
    this.#draw();
  }

  end(): void {
    clearInterval(this.#timer);
    this.#clear();
  }

  #draw(): void {
    if (!this.#timer) return;
    const { unit, notes } = this.#options;
    const perSecond = this.#rate(performance.now(), this.done);
    const text = progressText({
      done: this.done,
      total: this.total,
      unit,
      perSecond,
      notes: notes?.() ?? [],
    });
    this.#clear();
    process.stderr.write(text.slice(0, (process.stderr.columns || 80) - 1));
  }

  #clear(): void {
    if (this.#timer) process.stderr.write("\r\u001b[K");
  }
}

/** `████░░░░ 12/24 images · 3.1/s · 0:04 left · 2 failed` */
export function progressText(state: {
  done: number;
  total: number | undefined;
  unit: string;
  perSecond: number;
  notes: readonly string[];
}): string {
  const { done, total, unit, perSecond, notes } = state;
  const left = total === undefined || perSecond === 0 ? Number.NaN : (total - done) / perSecond;
  const count =
    total === undefined ? `${done} ${unit}` : `${bar(done / Math.max(total, 1))} ${done}/${total} ${unit}`;
  return [
    count,
    ...(perSecond > 0 ? [`${perSecond.toFixed(perSecond < 100 ? 1 : 0)}/s`] : []),
    ...(left >= 0 ? [`${duration(left * 1000)} left`] : []),
    ...notes,
  ].join(" · ");
}

function bar(share: number, width = 24): string {
  const full = Math.round(Math.min(share, 1) * width);
  return "█".repeat(full) + "░".repeat(width - full);
}

/** Per second, over the last `windowMs` of what it was told. */
export function rateOver(windowMs: number): (now: number, done: number) => number {
  let seen: { at: number; done: number }[] = [];
  return (now, done) => {
    // One sample a second is enough, and keeps the list short.
    if (now - (seen.at(-1)?.at ?? Number.NEGATIVE_INFINITY) >= 1000) seen.push({ at: now, done });
    seen = seen.filter(({ at }) => now - at <= windowMs);
    const first = seen[0];
    return first && now > first.at ? ((done - first.done) * 1000) / (now - first.at) : 0;
  };
}
