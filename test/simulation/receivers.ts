/** Webhook receivers: one that is well, and one that is dead or slow for a while. */
import { DarkroomError } from "../../core/errors.ts";
import type { ImageEvent } from "../../core/tell/tell.ts";
import type { Tally } from "./faults.ts";
import type { Actor, Scheduler } from "./scheduler.ts";

const [HEALTHY, MOODY] = ["https://healthy.example/hook", "https://moody.example/hook"];
const TIMEOUT_MS = 15_000;
const [MINUTE, DAY] = [60_000, 86_400_000];

export class Receivers {
  readonly #scheduler: Scheduler;
  readonly #tally: Tally;
  #moody: { mood: "dead" | "slow"; until: number } = { mood: "dead", until: 0 };
  /** By receiver, what it was told, in the order it heard it. */
  readonly heard = new Map<string, ImageEvent[]>([
    [HEALTHY, []],
    [MOODY, []],
  ]);
  /** The longest time from an event to the one that is well hearing of it for the first time, in milliseconds. */
  lag = 0;

  constructor(scheduler: Scheduler, tally: Tally) {
    this.#scheduler = scheduler;
    this.#tally = tally;
  }

  readonly healthy = HEALTHY;

  /** Whether one takes nothing, or only slowly. */
  get isMoody(): boolean {
    return this.#moody.until > this.#scheduler.now;
  }

  get urls(): readonly string[] {
    return [...this.heard.keys()];
  }

  sulk(): void {
    const { random, now } = this.#scheduler;
    const mood = random.chance(0.5) ? "dead" : "slow";
    this.#tally.count(`receiver ${mood}`);
    this.#moody = { mood, until: now + MINUTE + random.below(DAY) };
  }

  calmDown(): void {
    this.#moody = { mood: "dead", until: 0 };
  }

  /** The HTTP status it answers with. */
  async post(actor: Actor, url: string, body: string): Promise<number> {
    await this.#scheduler.turn(actor);
    const { random, now } = this.#scheduler;
    if (url === MOODY && now < this.#moody.until) {
      if (this.#moody.mood === "dead") return 503;
      await this.#scheduler.sleep(actor, TIMEOUT_MS);
      throw new DarkroomError("unavailable", "no answer in time");
    }
    if (!this.#scheduler.calm && random.chance(0.05)) {
      this.#tally.count("internal error (500)");
      return 500;
    }
    const event: ImageEvent = JSON.parse(body);
    const heard = this.heard.get(url);
    if (
      url === HEALTHY &&
      !heard?.some(({ data }) => data.id === event.data.id && data.rev === event.data.rev)
    )
      this.lag = Math.max(this.lag, this.#scheduler.now - Date.parse(event.timestamp));
    heard?.push(event);
    await this.#scheduler.turn(actor);
    return 200;
  }
}
