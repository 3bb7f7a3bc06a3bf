/** Best effort per instance: the stage's throttle is the hard bound. */

/** Owners remembered at once; the one longest unseen makes room. */
const MAX_OWNERS = 10_000;

/**
 * A token bucket per owner that holds a minute's worth.
 * @returns for `take`: 0 when granted, else the seconds after which it would be
 */
export function rateLimit(now: () => Date): (owner: string, uploads: number, perMinute: number) => number {
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
