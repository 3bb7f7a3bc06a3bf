/** CloudFront in front of the media bucket: what it holds, and how it is asked to forget. */

import { parseImageKey } from "../../core/keys.ts";
import type { ObjectStore } from "../../core/ports.ts";
import type { Tally } from "./faults.ts";
import type { Scheduler } from "./scheduler.ts";

const [MINUTE, DAY] = [60_000, 86_400_000];
/** Paths with a wildcard; and how often somebody else of the account has asked for all of them. */
const [UNDER_WAY, TAKEN] = [15, 0.2];

export class Cdn {
  readonly #media: ObjectStore;
  readonly #scheduler: Scheduler;
  readonly #tally: Tally;
  readonly #age: number;
  /** Until when it keeps each key, and since when. */
  readonly #held = new Map<string, { since: number; until: number }>();
  readonly #references = new Set<string>();
  #underWay: { path: string; since: number; until: number }[] = [];

  /** @param age how long it keeps a variant, in milliseconds */
  constructor(media: ObjectStore, scheduler: Scheduler, tally: Tally, age = DAY) {
    this.#media = media;
    this.#scheduler = scheduler;
    this.#tally = tally;
    this.#age = age;
  }

  /** Somebody looks at a variant. */
  async fetch(key: string): Promise<void> {
    this.#settle();
    const stored = this.#held.has(key) ? undefined : await this.#media.head(key);
    if (!stored || /\bprivate\b/.test(stored.cacheControl ?? "")) return;
    const { now } = this.#scheduler;
    this.#held.set(key, { since: now, until: now + this.#age });
  }

  /** False where it is still at work on as much as it takes. */
  invalidate(paths: readonly string[], reference: string): boolean {
    this.#settle();
    if (this.#references.has(reference)) return true;
    const { now, random, calm } = this.#scheduler;
    if (this.#underWay.length + paths.length > UNDER_WAY || (!calm && random.chance(TAKEN))) {
      this.#tally.count("too many invalidations");
      return false;
    }
    this.#references.add(reference);
    for (const path of paths)
      this.#underWay.push({ path, since: now, until: now + MINUTE + random.below(10 * MINUTE) });
    return true;
  }

  /** Images of which it holds something. */
  images(): Set<string> {
    this.#settle();
    return new Set([...this.#held.keys()].flatMap((key) => parseImageKey(key) ?? []));
  }

  #settle(): void {
    const { now } = this.#scheduler;
    for (const { path, since, until } of this.#underWay) {
      if (until > now) continue;
      for (const [key, held] of this.#held)
        if (held.since <= since && matches(path, key)) this.#held.delete(key);
    }
    this.#underWay = this.#underWay.filter(({ until }) => until > now);
    for (const [key, { until }] of this.#held) if (until <= now) this.#held.delete(key);
  }
}

const matches = (path: string, key: string) =>
  path.endsWith("*") ? `/${key}`.startsWith(path.slice(0, -1)) : `/${key}` === path;
