/** One history: the whole system in one process under a seeded scheduler, the real use cases on memory store and queues. */
import { reprocess } from "../../core/job/job.ts";
import { DELIVERIES, FORGETS } from "../../core/keys.ts";
import { Accidents } from "./accidents.ts";
import type { FaultKind } from "./faults.ts";
import { form } from "./forms.ts";
import { Lambda } from "./lambda.ts";
import { leaveLegacy } from "./legacy.ts";
import { Notifications } from "./notifications.ts";
import { greedy } from "./parts.ts";
import { backOffice, browser, closeAccount, operator, redrive, viewer } from "./people.ts";
import { DAY, HOUR, MINUTE, Scene, type WorldOptions } from "./scene.ts";
import type { Actor } from "./scheduler.ts";

const HOP_SECONDS = 60;
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
    await this.#begin();
    // Either to its end, or the sky clears while things are on their way.
    const { random } = this.#scene;
    const isShort = !this.#scene.climate.swept && random.chance(0.5);
    await this.#live(isShort ? random.below(2 * MINUTE) : TOO_LONG);
    const { climate, promises, scheduler, tally } = this.#scene;
    // The storm passes; all that is still on its way arrives, and the sweep finds what does not.
    this.#calmDown();
    const since = scheduler.now;
    await this.#live();
    if (climate.swept)
      for (const pause of [2 * HOUR, 2 * DAY, DAY + HOUR, DAY + HOUR]) await this.#sweepAfter(pause);
    else {
      promises.soon(since);
      await this.#finishJobs();
    }
    await promises.noneIsOpen();
    this.#scene.parts.areBounded();
    const statuses = await promises.atRest();
    await this.#isTold();
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

  async #isTold(): Promise<void> {
    const { climate, promises } = this.#scene;
    // Where weeks are skipped, messages are dropped after their four days.
    if (!climate.swept || climate.rough) await promises.allWasTold();
    if (climate.expects.keeping) await promises.eventsCopyNothing();
    if (climate.expects.forgetting) await promises.cdnForgets();
  }

  async #begin(): Promise<void> {
    const { random, scheduler, climate } = this.#scene;
    const scene = this.#scene;
    if (climate.rough && random.chance(0.4)) await leaveLegacy(scene);
    const count = 2 + random.below(3);
    for (let i = 0; i < count; i++) scheduler.start((actor) => browser(scene, actor));
    if (random.chance(0.5)) scheduler.start((actor) => operator(scene, actor));
    if (random.chance(0.1)) scheduler.start((actor) => greedy(scene, actor));
    if (climate.swept && random.chance(0.4)) scheduler.start((actor) => form(scene, actor));
    if (climate.expects.telling && random.chance(0.3)) this.#scene.receivers.sulk();
    if (random.chance(0.3)) scheduler.start((actor) => redrive(scene, actor));
    // A job whose messages wait for weeks loses them, and somebody resumes it: that is not what a sweep mends.
    if (!climate.swept && random.chance(0.4)) scheduler.start((actor) => backOffice(scene, actor));
    if (!climate.swept) scheduler.start((actor) => this.#schedule(actor));
    if (climate.swept && random.chance(0.7)) scheduler.start((actor) => this.#time(actor));
    if (!climate.rough) return;
    scheduler.start((actor) => this.#roughen(actor));
    if (random.chance(0.5)) scheduler.start((actor) => viewer(scene, actor));
    if (random.chance(0.2)) scheduler.start((actor) => closeAccount(scene, actor));
  }

  /** Without sweeps, what goes on with jobs. */
  async #schedule(actor: Actor): Promise<void> {
    const { random, scheduler } = this.#scene;
    for (let times = random.below(4); times > 0; times--) {
      await scheduler.sleep(actor, random.below(5 * MINUTE));
      this.#lambda.pages();
    }
  }

  /** Starts the sweep now and then, and lets hours or weeks go by. */
  async #time(actor: Actor): Promise<void> {
    const { random, scheduler, laptop, climate } = this.#scene;
    for (let times = 1 + random.below(8); times > 0; times--) {
      for (let i = random.below(40); i > 0; i--) await scheduler.turn(actor);
      const long = laptop ? [3 * DAY] : [2 * DAY, 16 * DAY, 40 * DAY];
      // Rough days pass by themselves, and no message waits for four of them.
      const pauses = [HOUR, ...(climate.rough ? [6 * HOUR] : long)];
      if (random.chance(0.5)) this.#scene.pass(pauses[random.below(pauses.length)] ?? 0);
      if (!laptop || this.#lambda.sweeps === 0) this.#lambda.sweep(random.chance(0.7));
    }
  }

  /** Outages, accidents and receivers that sulk, over some days. */
  async #roughen(actor: Actor): Promise<void> {
    const { random, scheduler, climate, weather, receivers } = this.#scene;
    const { evidence, patience } = climate.expects;
    for (let times = 1 + random.below(4); times > 0; times--) {
      await scheduler.sleep(actor, random.below(random.chance(0.5) ? HOUR : DAY));
      if (patience && random.chance(0.6)) weather.strike(random);
      if (random.chance(0.3)) receivers.sulk();
      if (evidence && random.chance(0.3)) await this.#accidents.happen(actor);
    }
  }

  #calmDown(): void {
    const { scheduler, weather, receivers } = this.#scene;
    scheduler.calm = true;
    weather.calmDown();
    receivers.calmDown();
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
    const backfill = this.#scene.backfill.queue;
    const now = () => new Date(this.#scene.scheduler.now);
    const deps = { uploads, media, backfill, config, now, random: random.bytes };
    for (const job of await jobs.unfinished(deps))
      await reprocess(deps, { resume: job, force: false, dryRun: false });
    await this.#live();
    const lives = (id: string) => {
      const accepted = promises.accepted.get(id);
      return accepted !== undefined && !accepted.asked && !accepted.removed;
    };
    await jobs.verify(deps, lives);
  }

  /** Lets everybody go on, one step at a time in random order, until nothing moves any more. */
  async #live(ms = TOO_LONG): Promise<void> {
    const { scheduler, promises } = this.#scene;
    for (const until = scheduler.now + ms; scheduler.now < until; ) {
      await this.#lambda.poll();
      await this.#turnOfSchedule();
      const moved = await scheduler.step();
      if (this.#scene.changed) await promises.atEveryInstant();
      this.#scene.changed = false;
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
    const { images, backfill, deadLetters, events, scheduler, random, calm } = this.#scene;
    const hop = 1000 * (1 + random.below(HOP_SECONDS * (calm ? 1 : 10)));
    const waiting = [images, backfill, deadLetters, events].some(({ isEmpty }) => !isEmpty);
    if (waiting || this.#isParked) {
      scheduler.advance(hop);
      return true;
    }
    return scheduler.advance(Number.POSITIVE_INFINITY);
  }
}
