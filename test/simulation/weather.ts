/** Outages: what is away, and for how long. */
import type { FaultKind, Tally } from "./faults.ts";
import type { Random } from "./random.ts";

export type Place = "s3" | "media" | "sqs" | "worker" | "failures" | "events";

const NAMES: Record<Place, FaultKind> = {
  s3: "S3 away",
  media: "writes refused (403)",
  sqs: "SQS away",
  worker: "function away",
  failures: "function away",
  events: "function away",
};
const [MINUTE, HOUR, DAY] = [60_000, 3_600_000, 86_400_000];
/** How long; the failures function may be away for as long as its queue keeps what waits for it. */
const LENGTHS = [5 * MINUTE, HOUR, 10 * HOUR, DAY];

export class Weather {
  readonly #now: () => number;
  readonly #tally: Tally;
  readonly #until = new Map<Place, number>();

  constructor(now: () => number, tally: Tally) {
    this.#now = now;
    this.#tally = tally;
  }

  isAway(place: Place): boolean {
    const until = this.#until.get(place);
    return until !== undefined && until > this.#now();
  }

  /** Something goes away. */
  strike(random: Random): void {
    const places = Object.keys(NAMES) as Place[];
    const place = places[random.below(places.length)] ?? "s3";
    const length = place === "failures" ? 13 * DAY : (LENGTHS[random.below(LENGTHS.length)] ?? DAY);
    this.takeAway(place, 1 + random.below(length));
  }

  takeAway(place: Place, ms: number): void {
    this.#tally.count(NAMES[place]);
    this.#until.set(place, this.#now() + ms);
  }

  calmDown(): void {
    this.#until.clear();
  }
}
