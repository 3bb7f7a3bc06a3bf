/** CloudFront in front of the media bucket: what it holds, and how it is asked to forget. */

import { parseImageKey } from "../../core/keys.ts";
import type { ObjectStore } from "../../core/ports.ts";
import type { Tally } from "./faults.ts";
import type { Scheduler } from "./scheduler.ts";

const [MINUTE, DAY] = [60_000, 86_400_000];
/** Of wildcards: 15 on AWS, for thousands of images. */
const UNDER_WAY = 2;

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
    if (this.#held.has(key) || !(await this.#media.head(key))) return;
    const { now } = this.#scheduler;
    this.#held.set(key, { since: now, until: now + this.#age });
  }

  /** @throws what CloudFront says to one invalidation too many */
  invalidate(path: string, reference: string): void {
    this.#settle();
    if (this.#references.has(reference)) return;
    if (this.#underWay.length >= UNDER_WAY) throw this.#tally.fault("too many invalidations");
    this.#references.add(reference);
    const { now, random } = this.#scheduler;
    this.#underWay.push({ path, since: now, until: now + MINUTE + random.below(10 * MINUTE) });
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
