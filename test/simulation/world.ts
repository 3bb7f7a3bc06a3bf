/** One history: the whole system in one process under a seeded scheduler, the real use cases on memory store and queues. */
import { reprocess } from "../../core/job/job.ts";
import { DELIVERIES, FORGETS } from "../../core/keys.ts";
import { Accidents } from "./accidents.ts";
import { cast } from "./cast.ts";
import type { FaultKind } from "./faults.ts";
import { Lambda } from "./lambda.ts";
import { Notifications } from "./notifications.ts";
import { DAY, HOUR, MINUTE, Scene, type WorldOptions } from "./scene.ts";

const HOP_SECONDS = 60;
/** After a storm, until whoever listens has heard of everything: its end, and the tries of those beside it. */
const TOLD_MS = 45 * MINUTE;
/** Virtual milliseconds after which a history that has not come to rest never will. */
const TOO_LONG = 400 * DAY;

export interface Report {
  readonly steps: number;
  readonly faults: ReadonlyMap<FaultKind, number>;
  /** Calls that an outage refused; each outage is one fault. */
  readonly refused: number;
  readonly statuses: readonly string[];
  /** What the sweeps did. */
  readonly swept: Readonly<Record<string, number>>;
  readonly virtualMs: number;
}

export class World {
  readonly #scene: Scene;
  readonly #lambda: Lambda;
  readonly #notifications: Notifications;
  readonly #accidents: Accidents;
  readonly #startedAt: number;
  #nextTurn = 0;
  #isParked = false;

  constructor(seed: number, options: WorldOptions = {}) {
    this.#notifications = new Notifications(() => this.#scene);
    this.#scene = new Scene(seed, options, (change) => this.#notifications.of(change));
    this.#lambda = new Lambda(this.#scene);
    this.#accidents = new Accidents(this.#scene, this.#lambda, this.#notifications);
    this.#startedAt = this.#scene.scheduler.now;
  }

  /** Lives through one history and checks it. Throws where a promise is broken. */
  async run(): Promise<Report> {
    this.#begin();
    // Either to its end, or the sky clears while things are on their way.
    const { random } = this.#scene;
    const isShort = !this.#scene.climate.swept && random.chance(0.5);
    await this.#live(isShort ? random.below(2 * MINUTE) : TOO_LONG);
    const { climate, promises, scheduler, tally, receivers } = this.#scene;
    // The storm passes; all that is still on its way arrives, and the sweep finds what does not.
    this.#calmDown();
    const since = scheduler.now;
    if (receivers.isMoody) {
      await this.#live(TOLD_MS);
      await promises.othersAreTold();
    }
    receivers.calmDown();
    await this.#live();
    if (climate.swept)
      for (const pause of [2 * HOUR, 2 * DAY, DAY + HOUR, DAY + HOUR]) await this.#sweepAfter(pause);
    else {
      promises.soon(since);
      await this.#finishJobs();
    }
    const statuses = await promises.atRest();
    if (climate.swept) {
      await promises.everythingIsNamed(true);
      // In the end nothing is left but what is shown.
      for (const pause of [31 * DAY, DAY + HOUR, 16 * DAY, DAY + HOUR]) await this.#sweepAfter(pause);
      await promises.everythingIsNamed(false);
    }
    const virtualMs = scheduler.now - this.#startedAt;
    return {
      steps: scheduler.steps,
      faults: tally.counts,
      refused: tally.refused,
      statuses,
      swept: this.#lambda.swept,
      virtualMs,
    };
  }

  #begin(): void {
    const { random, scheduler, climate } = this.#scene;
    const stage = { scene: this.#scene, lambda: this.#lambda, accidents: this.#accidents };
    for (const { act, chance = 1, in: isIn = () => true, count = () => 1 } of cast) {
      if (!isIn(climate) || !random.chance(chance)) continue;
      for (let left = count(random); left > 0; left--) scheduler.start((actor) => act(stage, actor));
    }
  }

  #calmDown(): void {
    const { scheduler, weather } = this.#scene;
    scheduler.calm = true;
    weather.calmDown();
    this.#notifications.flush();
  }

  async #sweepAfter(pause: number): Promise<void> {
    this.#scene.scheduler.now += pause;
    if (pause >= DAY) this.#scene.openUploads.expire();
    this.#lambda.sweep(true);
    await this.#live();
  }

  /** What failed for all to see, or was begun and never acknowledged, somebody resumes. */
  async #finishJobs(): Promise<void> {
    this.#lambda.pages();
    await this.#live();
    const { jobs, promises, uploads, media, config, random } = this.#scene;
    const [backfill, imports] = [this.#scene.backfill.queue, this.#scene.imports.queue];
    const now = () => new Date(this.#scene.scheduler.now);
    const deps = { uploads, media, backfill, imports, config, now, random: random.bytes };
    for (const job of await jobs.unfinished(deps))
      await reprocess(deps, { resume: job, force: false, dryRun: false });
    await this.#live();
    const lives = (id: string) => {
      const accepted = promises.accepted.get(id);
      return accepted !== undefined && !accepted.asked && !accepted.removed && !promises.hoard.has(id);
    };
    await jobs.verify(deps, lives);
  }

  /** Lets everybody go on, one step at a time in random order, until nothing moves any more. */
  async #live(ms = TOO_LONG): Promise<void> {
    const { scheduler, promises } = this.#scene;
    let isIdle = false;
    for (const until = scheduler.now + ms; scheduler.now < until; ) {
      await (isIdle ? this.#lambda.pollAll() : this.#lambda.poll());
      await this.#turnOfSchedule();
      const moved = await scheduler.step();
      if (this.#scene.changed) await promises.atEveryInstant();
      this.#scene.changed = false;
      // Once it is calm nothing waits by chance for long: what is promised then has a time.
      isIdle = scheduler.calm && !moved;
      if (!moved && !this.#advance()) {
        this.#nextTurn = 0;
        await this.#turnOfSchedule();
        if (!this.#isParked) return;
      }
      if (scheduler.now - this.#startedAt > TOO_LONG) throw new Error("it never comes to rest");
    }
  }

  /** Every minute, where it finds anything. */
  async #turnOfSchedule(): Promise<void> {
    const { scheduler, uploads } = this.#scene;
    if (scheduler.now < this.#nextTurn) return;
    this.#nextTurn = scheduler.now + MINUTE;
    const there = await Promise.all(
      [DELIVERIES, FORGETS].map((prefix) => uploads.list(prefix, { limit: 1 })),
    );
    this.#isParked = there.some(({ objects }) => objects.length > 0);
    if (this.#isParked) this.#lambda.parked();
  }

  /** To the time of the next thing that happens by itself. False when nothing will. */
  #advance(): boolean {
    const { images, backfill, imports, deadLetters, events, scheduler, random, calm } = this.#scene;
    const hop = 1000 * (1 + random.below(HOP_SECONDS * (calm ? 1 : 10)));
    const waiting = [images, backfill, imports, deadLetters, events].some(({ isEmpty }) => !isEmpty);
    if (waiting || this.#isParked) {
      scheduler.advance(hop);
      return true;
    }
    return scheduler.advance(Number.POSITIVE_INFINITY);
  }
}
