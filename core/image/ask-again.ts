/** When to ask again for an image that is on its way, and how long a request may wait for it. Waiting shall cost little. */
import type { Caller } from "../caller.ts";
import type { Metadata } from "../metadata.ts";
import type { ObjectStore, Queue, StoredHead } from "../ports.ts";
import type { Context } from "../upload-metadata.ts";
import { awaitImage } from "./images.ts";

/** From the upload to a worker that has begun. */
const START_SECONDS = 0.3;
/** In the worker, for a megabyte of original: a photo of 4 MB takes 3 s (docs/performance.md). */
const SECONDS_PER_MEGABYTE = 0.75;
/** Of such a photo; what waits before an image is taken for as many of them. */
const SECONDS_EACH = 3;
/** An image that is late is asked for again after this share of the time it has taken so far. */
const LATE_SHARE = 0.25;
const [LEAST_SECONDS, MOST_SECONDS] = [1, 300];

export interface OnItsWay {
  readonly bytes: number;
  /** Since the upload. */
  readonly ageSeconds: number;
  /** Messages that wait in the queue. */
  readonly backlog: number;
  /** Images developed at once. */
  readonly workers: number;
}

/** Seconds until the image is likely to be ready, as if all that waits came before it; 0 where it should be already. */
function likelySeconds({ bytes, ageSeconds, backlog, workers }: OnItsWay): number {
  const own = START_SECONDS + (bytes / 1e6) * SECONDS_PER_MEGABYTE;
  return (backlog / workers) * SECONDS_EACH + Math.max(0, own - ageSeconds);
}

/** The `Retry-After` of an image that is not ready, in whole seconds. */
export function askAgainSeconds(image: OnItsWay): number {
  const likely = likelySeconds(image);
  const seconds = Math.ceil(likely > 0 ? likely : image.ageSeconds * LATE_SHARE);
  return Math.min(MOST_SECONDS, Math.max(LEAST_SECONDS, seconds));
}

/** How old the count of a queue may be. */
const COUNT_MS = 5000;

/** The queue's backlog, asked for now and then; a queue that cannot be asked counts as it did last. */
function backlogOf({ backlog }: Pick<Queue, "backlog">, now: () => Date): () => Promise<number> {
  let last = Promise.resolve(0);
  let at = Number.NEGATIVE_INFINITY;
  return () => {
    if (now().getTime() - at < COUNT_MS) return last;
    at = now().getTime();
    const before = last;
    last = backlog().catch(() => before);
    return last;
  };
}

/** What an instance that has just begun may give to one request. */
const FIRST_HOLD_MS = 2000;
/** Of an instance's life, what requests that wait may take. */
const HOLD_SHARE = 0.2;
/** No request waits for longer: API Gateway gives up after 30 s. */
export const MAX_WAIT_SECONDS = 20;

/**
 * Bounds how long requests wait in one instance, which on Lambda serves one at a time. All that a flood of them starts
 * anew wait for 2 s each: at the 100 requests a second of the throttle, 200 instances of the account's 1,000, where 20 s
 * took 2,000. Those that live on wait for a fifth of their life.
 */
export function holdBudget(now: () => Date): {
  /** Milliseconds granted of those wanted. */
  take(wantedMs: number): number;
  giveBack(ms: number): void;
} {
  let level = FIRST_HOLD_MS;
  let at = now().getTime();
  return {
    take(wantedMs) {
      const time = now().getTime();
      level = Math.min(MAX_WAIT_SECONDS * 1000, level + Math.max(0, time - at) * HOLD_SHARE);
      at = time;
      const granted = Math.min(wantedMs, level);
      level -= granted;
      return granted;
    },
    giveBack(ms) {
      level += ms;
    },
  };
}

export interface AskDeps {
  readonly uploads: ObjectStore;
  readonly media: ObjectStore;
  /** Of new originals. */
  readonly images: Pick<Queue, "backlog">;
  readonly workers: number;
  readonly now: () => Date;
}

/** What is said of an image: its document, or that it is on its way and after how many seconds to ask again. */
type Said =
  | {
      readonly document: Metadata & { readonly context: Context };
      readonly etag: string;
      readonly retryAfter?: never;
    }
  | {
      readonly document: { readonly id: string; readonly status: "processing" };
      readonly retryAfter: number;
    };

/**
 * Answers whoever asks for an image, on their wish up to so many seconds later: where it is likely to be ready by then, and
 * this instance may still hold a request.
 */
export function asker(deps: AskDeps, sleep: (ms: number) => Promise<void>) {
  const { now, workers } = deps;
  const backlog = backlogOf(deps.images, now);
  const budget = holdBudget(now);
  const onItsWay = async ({ size, lastModified }: StoredHead): Promise<OnItsWay> => {
    const ageSeconds = Math.max(0, now().getTime() - lastModified.getTime()) / 1000;
    return { bytes: size, ageSeconds, backlog: await backlog(), workers };
  };
  return async (caller: Caller, id: string, waitSeconds: number): Promise<Said> => {
    let until = 0;
    const hold = async (original: StoredHead) => {
      const likely = likelySeconds(await onItsWay(original));
      const granted = likely <= waitSeconds ? budget.take(waitSeconds * 1000) : 0;
      until = now().getTime() + granted;
      return granted;
    };
    try {
      const found = await awaitImage(deps, sleep, caller, id, hold);
      if (found.metadata) {
        const { metadata, context, etag } = found;
        return { document: { ...metadata, context }, etag };
      }
      const retryAfter = askAgainSeconds(await onItsWay(found.original));
      return { document: { id, status: "processing" }, retryAfter };
    } finally {
      budget.giveBack(Math.max(0, until - now().getTime()));
    }
  };
}
