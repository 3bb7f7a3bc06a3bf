/** Lambda's bound on invocations at once, of all functions of an account together: 10 in a new one, 1,000 in most. */
import type { Invoke } from "./lambda.ts";

/** What an invocation above the bound fails with, before its function sees it. */
export class ThrottledError extends Error {
  override readonly name = "TooManyRequestsException";
}

/** @returns bounds a function, together with all others that it is given */
export function accountOf(concurrency: number): (invoke: Invoke) => Invoke {
  let running = 0;
  return (invoke) => async (event, chain) => {
    if (running >= concurrency) throw new ThrottledError("Rate Exceeded.");
    running++;
    try {
      return await invoke(event, chain);
    } finally {
      running--;
    }
  };
}
