/**
 * A burst of uploads against the worker's queue, simulated: how long until pictures are ready. Arithmetic says when
 * the last one is; a simulation also how long most wait while Lambda is still starting, and what batches do.
 */
import { type Report, round } from "./report.ts";

export interface Burst {
  readonly uploads: number;
  /** Over which they come, evenly. */
  readonly seconds: number;
  /** Of one image in the worker, on average, and how far they lie apart (standard deviation over mean). */
  readonly meanSeconds: number;
  readonly spread: number;
  /** `workers` of the deployment: MaximumConcurrency. */
  readonly workers: number;
  readonly batch: number;
}
export interface Drained {
  /** From the upload to the metadata, in seconds, by percentile. */
  readonly p50: number;
  readonly p95: number;
  readonly last: number;
  readonly mostWaiting: number;
}

/** Lambda begins with five and adds 300 a minute (services-sqs-scaling). */
const FIRST = 5;
const MORE_PER_SECOND = 300 / 60;
/** From S3 to the queue, "typically in seconds", and the start of a Lambda. */
const NOTIFY_SECONDS = 1;
const COLD_SECONDS = 1.5;

export function drain(burst: Burst): Drained {
  const { uploads, seconds, workers, batch } = burst;
  const random = generator(1);
  const arrivals = Array.from({ length: uploads }, (_, n) => (n / uploads) * seconds + NOTIFY_SECONDS);
  // When each worker is free; those that Lambda has yet to start are free when it does.
  const free = new Heap(
    Array.from(
      { length: workers },
      (_, n) => NOTIFY_SECONDS + COLD_SECONDS + (n < FIRST ? 0 : (n - FIRST + 1) / MORE_PER_SECOND),
    ),
  );
  const waits: number[] = [];
  const ends: number[] = [];
  for (let next = 0; next < uploads; ) {
    const at = Math.max(free.pop(), arrivals[next] ?? 0);
    // What is there by then, at most a batch, one after the other: pixels are made one image at a time.
    let busy = at;
    for (
      let taken = 0;
      taken < batch && (arrivals[next] ?? Number.POSITIVE_INFINITY) <= at;
      taken++, next++
    ) {
      busy += service(burst, random);
      waits.push(busy - (arrivals[next] ?? 0) + NOTIFY_SECONDS);
      ends.push(at);
    }
    free.push(busy);
  }
  waits.sort((a, b) => a - b);
  const share = (part: number) => waits[Math.min(waits.length - 1, Math.floor(part * waits.length))] ?? 0;
  return { p50: share(0.5), p95: share(0.95), last: share(1), mostWaiting: mostWaiting(arrivals, ends) };
}

/** Log-normal, as sizes of photographs are. */
export function service(
  { meanSeconds, spread }: Pick<Burst, "meanSeconds" | "spread">,
  random: () => number,
): number {
  const variance = Math.log(1 + spread ** 2);
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return meanSeconds * Math.exp(Math.sqrt(variance) * normal - variance / 2);
}

function mostWaiting(arrivals: readonly number[], taken: readonly number[]): number {
  const sorted = [...taken].sort((a, b) => a - b);
  let [gone, most] = [0, 0];
  arrivals.forEach((at, come) => {
    while ((sorted[gone] ?? Number.POSITIVE_INFINITY) <= at) gone++;
    most = Math.max(most, come + 1 - gone);
  });
  return most;
}

/** Mulberry32: the same numbers every time. */
export function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The smallest first. */
class Heap {
  readonly #values: number[];
  constructor(sorted: number[]) {
    this.#values = sorted;
  }
  pop(): number {
    const values = this.#values;
    const top = values[0] ?? 0;
    const last = values.pop() ?? 0;
    if (values.length === 0) return top;
    let at = 0;
    for (let child = 1; child < values.length; child = 2 * at + 1) {
      if ((values[child + 1] ?? Number.POSITIVE_INFINITY) < (values[child] ?? 0)) child++;
      if ((values[child] ?? 0) >= last) break;
      values[at] = values[child] ?? 0;
      at = child;
    }
    values[at] = last;
    return top;
  }
  push(value: number): void {
    const values = this.#values;
    let at = values.length;
    for (let parent = (at - 1) >> 1; at > 0 && (values[parent] ?? 0) > value; parent = (at - 1) >> 1) {
      values[at] = values[parent] ?? 0;
      at = parent;
    }
    values[at] = value;
  }
}

/** @param meanSeconds of the photograph that docs/cost.md counts with */
export function burst(meanSeconds: number, batch: number): Report {
  const of = (uploads: number, workers: number) =>
    drain({ uploads, seconds: 60, meanSeconds, spread: 0.6, workers, batch });
  const rows = [
    [1_000, 50],
    [10_000, 50],
    [10_000, 1_000],
    [100_000, 50],
    [100_000, 200],
    [100_000, 1_000],
  ].map(([uploads = 0, workers = 0]) => {
    const { p50, p95, last, mostWaiting } = of(uploads, workers);
    const minutes = (seconds: number) =>
      seconds < 120 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
    return {
      "uploads in a minute": uploads,
      workers,
      "half are ready in": minutes(p50),
      "95 % in": minutes(p95),
      "all in": minutes(last),
      "most waiting": mostWaiting,
    };
  });
  return {
    title: "A burst of uploads: from the upload to ready",
    on: `simulated: ${round(meanSeconds, 1)} s for an image on average, log-normal with a spread of 0.6, ${batch} to a batch, Lambda adding 300 workers a minute.`,
    rows,
    figures: [
      {
        what: "100,000 uploads in a minute, 1,000 workers: all are ready",
        value: round(of(100_000, 1_000).last / 60, 1),
        unit: "min",
        atMost: 15,
      },
    ],
  };
}
