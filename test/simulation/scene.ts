/** What everybody in a simulated world shares: its stores and queues, its clock and chance, and what is promised. */

import type { Clock, MemoryQueue } from "../../adapters/memory/memory-queue.ts";
import { memoryStore, type StoreChange } from "../../adapters/memory/memory-store.ts";
import { memoryUploads } from "../../adapters/memory/memory-uploads.ts";
import { hasOutcome } from "../../core/errors.ts";
import { FETCH_TRIES } from "../../core/job/fetch-url.ts";
import { newId } from "../../core/keys.ts";
import type { ObjectStore, OpenUploads, Queue, Versions } from "../../core/ports.ts";
import { type Config, type ConfigInput, defineConfig } from "../../core/preset.ts";
import { PATIENCE, type Patience } from "../../core/sweep/diagnose.ts";
import type { MultipartStore } from "../../core/upload/multipart.ts";
import { keptVersions } from "../kept-versions.ts";
import { Cdn } from "./cdn.ts";
import { type Climate, climates } from "./climates.ts";
import { Fault, Tally } from "./faults.ts";
import { Jobs } from "./jobs.ts";
import { OpenParts } from "./open-parts.ts";
import { Ports } from "./ports.ts";
import { Promises } from "./promises.ts";
import type { Random } from "./random.ts";
import { Receivers } from "./receivers.ts";
import { type Actor, Scheduler } from "./scheduler.ts";
import { TracedQueue } from "./traced-queue.ts";
import { Weather } from "./weather.ts";

export const [MINUTE, HOUR, DAY] = [60_000, 3_600_000, 86_400_000];

/** What may be broken on purpose, to see that the promises notice. */
export interface Sabotage {
  readonly store?: (store: ObjectStore) => ObjectStore;
  /** Of those that workers use. */
  readonly workStore?: (store: ObjectStore) => ObjectStore;
  /** Of those that the sweep uses. */
  readonly sweptStore?: (store: ObjectStore) => ObjectStore;
  /** Of those that imports use. */
  readonly fetches?: (store: ObjectStore) => ObjectStore;
  readonly events?: (events: Pick<Queue, "send">) => Pick<Queue, "send">;
  /** Whether a job's message is lost on its way to the queue. */
  readonly loses?: (body: string) => boolean;
  readonly openUploads?: (open: OpenUploads) => OpenUploads;
  /** Seconds until a webhook that was not taken is tried again, after so many receives. */
  readonly retryAfter?: (receives: number) => number;
  /** Deletes messages before they are handled. */
  readonly acknowledgeFirst?: boolean;
  readonly neverSweep?: boolean;
  /** A sweep that takes an original that it does not see for a delete, as it once did. */
  readonly guesses?: boolean;
  /** Of the queues of images, in seconds and receives. */
  readonly visibilitySeconds?: number;
  readonly maxReceives?: number;
  /** Functions that Lambda lets go on in a chain. */
  readonly recursive?: readonly string[];
  /** Whether a message inherits the chain of whoever sends it. */
  readonly inherits?: (body: string) => boolean;
  /** How long the CDN keeps a variant, in milliseconds. */
  readonly cdnAge?: number;
  readonly forget?: "never";
  /** An error in a message is no reason to keep it. */
  readonly swallow?: boolean;
  /** How often a message was received, as the handlers are told. */
  readonly receives?: (receives: number) => number;
  /** What the worker and the failures function read of a message. */
  readonly reads?: (body: string) => string;
  /** Whether the events function does anything about a message. */
  readonly hears?: (body: string) => boolean;
  readonly parts?: (store: MultipartStore) => Partial<MultipartStore>;
  readonly random?: (bytes: number) => Uint8Array;
  readonly urls?: (urls: readonly string[]) => readonly string[];
  /** Nobody reads the dead letters of images; they are dropped. */
  readonly deaf?: boolean;
}

export interface WorldOptions extends Sabotage {
  /** `busy` where absent. */
  readonly climate?: keyof typeof climates | Climate;
}

const ladder = (widths: number[], more: Pick<ConfigInput["presets"][string], "later"> = {}): Config =>
  defineConfig({
    defaultPreset: "photo",
    presets: {
      photo: {
        accept: ["jpeg"],
        ladder: { widths, formats: ["webp", "jpeg"], upTo: { jpeg: 48 } },
        named: { thumb: { width: 16, height: 16, fit: "cover", format: "webp" } },
        ...more,
      },
      moderated: {
        accept: ["jpeg"],
        hold: true,
        holdDays: 5,
        ladder: { widths, formats: ["webp"] },
      },
      secret: { accept: ["jpeg"], access: "private", ladder: { widths, formats: ["webp"] } },
      wandering: {
        accept: ["jpeg"],
        access: widths.includes(64) ? "public" : "private",
        ladder: { widths, formats: ["webp"] },
      },
    },
  });
/** Recipes to go to and fro between: they share some variants. */
const CONFIGS = [ladder([32, 64]), ladder([32, 48])] as const;
/** The same, where every picture is ready with its JPEGs first. */
const later = { later: { formats: ["webp" as const], aboveMegapixels: 0 } };
const DEFERRING = [ladder([32, 64], later), ladder([32, 48], later)] as const;

/** As `deploy/infra/queues.yml` has them, or small, so that what needs many receives happens too. */
const VISIBILITY_SECONDS = 60;
const MAX_RECEIVES = { smooth: 4, rough: 12 };
const EVENT_RECEIVES = 1000;

export class Scene {
  readonly tally = new Tally();
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly weather: Weather;
  readonly ports: Ports;
  readonly climate: Climate;
  readonly sabotage: Sabotage;
  readonly promises: Promises;
  readonly jobs = new Jobs();
  readonly uploads: ObjectStore;
  readonly openUploads = memoryUploads();
  readonly parts = new OpenParts();
  readonly media: ObjectStore;
  /** Whether the buckets keep versions, and those that they do. */
  readonly keepsVersions: boolean;
  readonly kept: { readonly uploads: Versions; readonly media: Versions };
  readonly images: TracedQueue;
  readonly backfill: TracedQueue;
  readonly imports: TracedQueue;
  readonly deadLetters: TracedQueue;
  readonly events: TracedQueue;
  readonly eventsDeadLetters: TracedQueue;
  readonly receivers: Receivers;
  readonly cdn: Cdn;
  /**
   * Either AWS, which kills invocations at the end of their time, or a laptop that sleeps for days and goes on with
   * everything where it was, but sweeps once at a time.
   */
  readonly laptop: boolean;
  /** Any patience has to be safe, also none. */
  readonly patience: Patience;
  readonly configs: typeof CONFIGS;
  config: Config;
  /** Images of a job's page. */
  readonly pageSize: number;
  /** The media bucket, since the last look. */
  changed = false;

  constructor(
    seed: number,
    { climate = "busy", ...sabotage }: WorldOptions = {},
    notify: (change: StoreChange) => void,
  ) {
    this.climate = typeof climate === "string" ? climates[climate] : climate;
    this.sabotage = sabotage;
    this.scheduler = new Scheduler(seed, this.tally);
    this.random = this.scheduler.random;
    this.weather = new Weather(() => this.scheduler.now, this.tally);
    this.ports = new Ports(this.scheduler, this.weather, this.tally);
    this.configs = seed % 2 === 0 ? CONFIGS : DEFERRING;
    this.config = this.configs[0];
    this.laptop = this.random.chance(0.3);
    this.patience = this.random.chance(0.5) ? PATIENCE : { upload: 0, orphan: 0, superseded: 0 };
    this.pageSize = 1 + this.random.below(2);
    const queue = this.#queues();
    const {
      visibilitySeconds = VISIBILITY_SECONDS,
      maxReceives = MAX_RECEIVES[this.climate.rough ? "rough" : "smooth"],
    } = sabotage;
    this.deadLetters = queue(VISIBILITY_SECONDS, (14 * DAY) / 1000);
    this.images = queue(visibilitySeconds, (4 * DAY) / 1000, { to: this.deadLetters.queue, maxReceives });
    this.backfill = queue(visibilitySeconds, (4 * DAY) / 1000, {
      to: this.deadLetters.queue,
      maxReceives,
    });
    this.imports = queue(visibilitySeconds, (4 * DAY) / 1000, {
      to: this.deadLetters.queue,
      maxReceives: 2 * FETCH_TRIES,
    });
    this.eventsDeadLetters = queue(VISIBILITY_SECONDS, (14 * DAY) / 1000);
    const toEventsDead = { to: this.eventsDeadLetters.queue, maxReceives: EVENT_RECEIVES };
    this.events = queue(VISIBILITY_SECONDS, (4 * DAY) / 1000, toEventsDead);
    const now = () => new Date(this.scheduler.now);
    const uploads = memoryStore({
      now,
      onChange: (change) => {
        notify(change);
        this.jobs.watch(change);
      },
    });
    const media = memoryStore({
      now,
      onChange: () => {
        this.changed = true;
      },
    });
    // Kept only where somebody may want them back: a history writes some ten thousand objects.
    this.keepsVersions = this.random.chance(0.2);
    const [originals, variants] = [keptVersions(uploads, now), keptVersions(media, now)];
    this.kept = { uploads: originals.versions, media: variants.versions };
    this.uploads = this.keepsVersions ? originals.store : uploads;
    this.media = this.keepsVersions ? variants.store : media;
    this.receivers = new Receivers(this.scheduler, this.tally);
    this.cdn = new Cdn(this.media, this.scheduler, this.tally, sabotage.cdnAge);
    this.promises = new Promises(this);
  }

  #queues() {
    const clock: Clock = { now: () => this.scheduler.now, after: () => () => {} };
    const pick = (count: number) => {
      const chosen = this.random.below(count);
      if (chosen > 0) this.tally.count("events out of order");
      return chosen;
    };
    return (
      visibilitySeconds: number,
      retentionSeconds: number,
      redrive?: { to: MemoryQueue; maxReceives: number },
    ) =>
      new TracedQueue({
        clock,
        pick,
        newId: () => newId(this.random.bytes),
        visibilitySeconds,
        retentionSeconds,
        ...(redrive ? { redrive } : {}),
      });
  }

  get calm(): boolean {
    return this.scheduler.calm;
  }

  /** What an actor's clock says. */
  timeOf(actor: Actor): Date {
    return new Date(this.scheduler.now + actor.skew);
  }

  pass(ms: number): void {
    this.tally.count("time skipped");
    this.scheduler.now += ms;
    if (ms >= DAY) this.openUploads.expire();
  }

  /** As a client that does not give up. */
  async untilDone(actor: Actor, act: () => Promise<unknown>): Promise<void> {
    for (let pause = 100; ; pause = Math.min(10 * MINUTE, pause * 2)) {
      try {
        await act();
        return;
      } catch (error) {
        if (error instanceof Expired) return;
        if (!(error instanceof Fault || hasOutcome(error, "retry"))) throw error;
      }
      await this.scheduler.sleep(actor, this.random.below(pause));
    }
  }
}

/** S3's answer to a signature that is too old. */
export class Expired extends Error {}
