/** Waiting and trying again. */
import { DarkroomError } from "./errors.ts";

/** Waits for milliseconds; rejects with the signal's reason as soon as that aborts. */
export type Pause = (ms: number, signal?: AbortSignal | undefined) => Promise<void>;

/** How long a browser that says it is offline is waited for. */
const OFFLINE_MS = 120_000;

/** Waits; in a browser that is offline, until it is back. */
export const pause: Pause = async (ms, signal) => {
  await sleep(ms, signal);
  if (navigator.onLine === false) await sleep(OFFLINE_MS, signal, "online");
};

function sleep(ms: number, signal: AbortSignal | undefined, until = ""): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      if (until) removeEventListener(until, end);
      if (signal?.aborted) reject(signal.reason);
      else resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", end);
    if (until) addEventListener(until, end);
    if (signal?.aborted) end();
  });
}

/** 0.3 s, doubled each time, at most 5 s; between half and all of that, so that a thousand tabs do not march in step. */
export const backOff = (attempt: number) =>
  Math.min(5000, 300 * 2 ** (attempt - 1)) * (0.5 + Math.random() / 2);

/** The last of them starts about 9 s after the first. */
const MAX_TRIES = 7;

/** Runs `attempt` until it succeeds, fails for good, or has failed too often. */
export async function retrying<T>(
  attempt: () => Promise<T>,
  { wait = pause, signal }: { wait?: Pause | undefined; signal?: AbortSignal | undefined },
): Promise<T> {
  for (let tries = 1; ; tries++) {
    signal?.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof DarkroomError && error.retryable) || tries === MAX_TRIES) throw error;
      await wait(error.retryAfter ?? backOff(tries), signal);
    }
  }
}

/** A controller that also aborts when `signal` does. (`AbortSignal.any` is missing before Safari 17.4.) */
export function follow(signal: AbortSignal | undefined): AbortController & { readonly release: () => void } {
  const controller = new AbortController();
  const abort = () => controller.abort(signal?.reason);
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort);
  return Object.assign(controller, { release: () => signal?.removeEventListener("abort", abort) });
}

/** Runs at most `max` at once, first come first served; who aborts while waiting leaves the line. */
export function limiter(max: number) {
  let running = 0;
  const line = new Set<() => void>();
  return async <T>(run: () => Promise<T>, signal?: AbortSignal | undefined): Promise<T> => {
    signal?.throwIfAborted();
    if (running < max) running++;
    else {
      // Whoever ends passes its place on, so `running` stays as it is.
      await new Promise<void>((resolve, reject) => {
        const enter = () => {
          signal?.removeEventListener("abort", leave);
          resolve();
        };
        const leave = () => {
          line.delete(enter);
          reject(signal?.reason);
        };
        signal?.addEventListener("abort", leave, { once: true });
        line.add(enter);
      });
    }
    try {
      return await run();
    } finally {
      const [next] = line;
      if (next) {
        line.delete(next);
        next();
      } else running--;
    }
  };
}
