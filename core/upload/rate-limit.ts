/** Best effort per instance: the stage's throttle is the hard bound. */
import type { Caller } from "../caller.ts";
import { DarkroomError } from "../errors.ts";

/** Owners remembered at once; the one longest unseen makes room. */
const MAX_OWNERS = 10_000;

/**
 * Holds callers to what their tokens say of uploads per minute.
 * @throws DarkroomError, the function it gives back: `rate-limited`, with the seconds to wait
 */
export function rateLimit(now: () => Date): (caller: Caller, uploads: number) => void {
  const take = buckets(now);
  return ({ owner, maxUploadsPerMinute }, uploads) => {
    const wait = maxUploadsPerMinute ? take(owner, uploads, maxUploadsPerMinute) : 0;
    if (wait > 0)
      throw new DarkroomError("rate-limited", undefined, { headers: { "retry-after": String(wait) } });
  };
}

/** A token bucket per owner that holds a minute's worth: 0 when granted, else the seconds after which it would be. */
function buckets(now: () => Date): (owner: string, uploads: number, perMinute: number) => number {
  const buckets = new Map<string, { level: number; at: number }>();
  return (owner, uploads, perMinute) => {
    const at = now().getTime();
    const last = buckets.get(owner) ?? { level: perMinute, at };
    const level = Math.min(perMinute, last.level + (Math.max(0, at - last.at) * perMinute) / 60_000);
    // A request for more than a minute's worth waits for a full bucket and leaves a debt.
    const needed = Math.min(uploads, perMinute);
    const granted = needed <= level;
    buckets.delete(owner);
    buckets.set(owner, { level: granted ? level - uploads : level, at });
    const oldest = buckets.keys().next().value;
    if (buckets.size > MAX_OWNERS && oldest !== undefined) buckets.delete(oldest);
    return granted ? 0 : Math.ceil(((needed - level) * 60) / perMinute);
  };
}
