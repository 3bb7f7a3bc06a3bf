/** Waiting and trying again. */
import { DarkroomError } from "./errors.ts";
import type { Pause } from "./transport.ts";

/** 0.3 s, doubled each time, at most 5 s; between half and all of that, so that a thousand tabs do not march in step. */
const backOff = (attempt: number) => Math.min(5000, 300 * 2 ** (attempt - 1)) * (0.5 + Math.random() / 2);

/** What the server asks for, and up to a quarter more: those who were told the same shall not come back in step. */
export const later = (ms: number) => ms * (1 + Math.random() / 4);

/** The last of them starts about 9 s after the first. */
const MAX_TRIES = 7;
/** A server that says it is busy will have time: it is waited for so long at a stretch. */
const PATIENCE_MS = 900_000;

const isBusy = ({ cause }: DarkroomError) =>
  [429, 503].includes((Object(cause) as { status: number }).status);

/** Runs `attempt` until it succeeds, fails for good, or has failed too often or for too long. */
export async function retrying<T>(
  attempt: () => Promise<T>,
  pause: Pause,
  signal: AbortSignal | undefined,
  maxTries = MAX_TRIES,
  patience = PATIENCE_MS,
): Promise<T> {
  let failures = 0;
  let waited = 0;
  for (let tries = 1; ; tries++) {
    signal?.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof DarkroomError && error.retryable)) throw error;
      if (waited > Math.min(patience, PATIENCE_MS) || (!isBusy(error) && ++failures === maxTries))
        throw error;
      const ms = error.retryAfter === undefined ? backOff(tries) : later(error.retryAfter);
      waited += ms;
      await pause(ms, signal);
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

/** Waits so long, or until this page is online; rejects at once where the signal is aborted. */
export function sleep(ms: number, signal: AbortSignal | undefined, page?: EventTarget): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      page?.removeEventListener("online", end);
      if (signal?.aborted) reject(signal.reason);
      else resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", end);
    page?.addEventListener("online", end);
    if (signal?.aborted) end();
  });
}
