/** The whole system in one process under a seeded scheduler: the real use cases on the memory store and queue. */

import { settleBatch } from "../../adapters/aws/sqs-batch.ts";
import { type Clock, MemoryQueue } from "../../adapters/memory/memory-queue.ts";
import { memoryStore, type StoreChange } from "../../adapters/memory/memory-store.ts";
import { memoryUploads } from "../../adapters/memory/memory-uploads.ts";
import { DarkroomError, hasOutcome } from "../../core/errors.ts";
import { removeImage } from "../../core/image/images.ts";
import type { JudgeDeps } from "../../core/image/judge.ts";
import type { DryRunDeps } from "../../core/job/dry-run.ts";
import { cancelJob, type JobDeps, reprocess } from "../../core/job/job.ts";
import type { ScanDeps } from "../../core/job/scan-page.ts";
import { newId, originalKey } from "../../core/keys.ts";
import type { ObjectStore, OpenUploads, Queue, QueueMessage } from "../../core/ports.ts";
import { type Config, type ConfigInput, defineConfig } from "../../core/preset.ts";
import { PATIENCE } from "../../core/sweep/diagnose.ts";
import { sweep } from "../../core/sweep/sweep.ts";
import { writeUploadMetadata } from "../../core/upload-metadata.ts";
import { developMessage, failMessage } from "../../core/worker/handle-message.ts";
import { toyPicture, toyPixels } from "../toy-pixels.ts";
import { Jobs } from "./jobs.ts";
import { OWNER, Promises } from "./promises.ts";
import type { Random } from "./random.ts";
import { type Actor, Fault, Scheduler } from "./scheduler.ts";

const BUCKET = "uploads";
const VISIBILITY_SECONDS = 60;
const [MINUTE, HOUR, DAY] = [60_000, 3_600_000, 86_400_000];

/** What may be broken on purpose, to see that the promises notice. */
export interface Sabotage {
  readonly store?: (store: ObjectStore) => ObjectStore;
  /** Of those that workers use. */
  readonly workStore?: (store: ObjectStore) => ObjectStore;
  /** Of those that the sweep uses. */
  readonly sweptStore?: (store: ObjectStore) => ObjectStore;
  readonly events?: (events: Pick<Queue, "send">) => Pick<Queue, "send">;
  /** Whether a job's message is lost on its way to the queue. */
  readonly loses?: (body: string) => boolean;
  readonly openUploads?: (open: OpenUploads) => OpenUploads;
  /** By how much the sweep's clock is wrong, in milliseconds. */
  readonly sweepClock?: number;
  /** Deletes messages before they are handled. */
  readonly acknowledgeFirst?: boolean;
  readonly neverSweep?: boolean;
}

export interface WorldOptions extends Sabotage {
  /** No notification is lost, no time is skipped, and nobody sweeps: the workers alone keep what they promise. */
  readonly unswept?: boolean;
}

const ladder = (widths: number[], more: Pick<ConfigInput["presets"][string], "later"> = {}): Config =>
  defineConfig({
    defaultPreset: "photo",
    presets: {
      photo: {
        accept: ["jpeg"],
        ladder: { widths, formats: ["webp", "jpeg"] },
        named: { thumb: { width: 16, height: 16, fit: "cover", format: "webp" } },
        ...more,
      },
    },
  });
/** Recipes to go to and fro between: they share some variants. */
const CONFIGS = [ladder([32, 64]), ladder([32, 48])] as const;
/** The same, where every picture is ready with its JPEGs first. */
const later = { later: { formats: ["webp" as const], aboveMegapixels: 0 } };
const DEFERRING = [ladder([32, 64], later), ladder([32, 48], later)] as const;

export interface Report {
  readonly steps: number;
  readonly faults: number;
  readonly statuses: readonly string[];
  /** What the sweeps did. */
  readonly swept: Readonly<Record<string, number>>;
}

export class World {
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly #sabotage: Sabotage;
  readonly #unswept: boolean;
  readonly #promises: Promises;
  readonly #uploads: ObjectStore;
  readonly #openUploads = memoryUploads();
  readonly #media: ObjectStore;
  readonly #images: MemoryQueue;
  readonly #backfill: MemoryQueue;
  readonly #deadLetters: MemoryQueue;
  readonly #jobs = new Jobs();
  /**
   * Either AWS, which kills invocations at the end of their time, or a laptop that sleeps for days and goes on with
   * everything where it was, but sweeps once at a time.
   */
  readonly #laptop: boolean;
  /** Any patience has to be safe, also none. */
  readonly #patience: typeof PATIENCE;
  readonly #swept: Record<string, number> = {};
  readonly #configs: typeof CONFIGS;
  #config: Config;
  #invocations = 0;
  #sweeps = 0;
  /** The media bucket, since the last look. */
  #changed = false;

  constructor(seed: number, { unswept = false, ...sabotage }: WorldOptions = {}) {
    this.#scheduler = new Scheduler(seed);
    this.#random = this.#scheduler.random;
    this.#sabotage = sabotage;
    this.#unswept = unswept;
    this.#configs = seed % 2 === 0 ? CONFIGS : DEFERRING;
    this.#config = this.#configs[0];
    this.#laptop = this.#random.chance(0.3);
    this.#patience = this.#random.chance(0.5) ? PATIENCE : { upload: 0, orphan: 0, superseded: 0 };
    const now = () => this.#scheduler.now;
    const clock: Clock = { now, after: () => () => {} };
    const common = {
      clock,
      visibilitySeconds: VISIBILITY_SECONDS,
      pick: (count: number) => this.#random.below(count),
      newId: () => newId(this.#random.bytes),
    };
    this.#deadLetters = new MemoryQueue({ ...common, retentionSeconds: (14 * DAY) / 1000 });
    const redrive = { to: this.#deadLetters, maxReceives: 4 };
    this.#images = new MemoryQueue({ ...common, redrive });
    this.#backfill = new MemoryQueue({ ...common, redrive });
    this.#uploads = memoryStore({
      now: () => new Date(now()),
      onChange: (change) => {
        this.#notify(change);
        this.#jobs.watch(change);
      },
    });
    this.#media = memoryStore({
      now: () => new Date(now()),
      onChange: () => {
        this.#changed = true;
      },
    });
    this.#promises = new Promises(this.#uploads, this.#openUploads, this.#media, now);
  }

  /** Lives through one history and checks it. Throws where a promise is broken. */
  async run(): Promise<Report> {
    const count = 2 + this.#random.below(3);
    for (let i = 0; i < count; i++) this.#scheduler.start((actor) => this.#browser(actor));
    if (this.#random.chance(0.5)) this.#scheduler.start((actor) => this.#operator(actor));
    // A job whose messages wait for weeks loses them, and somebody resumes it: that is not what a sweep mends.
    if (this.#unswept && this.#random.chance(0.4)) this.#scheduler.start((actor) => this.#backOffice(actor));
    if (!this.#unswept && this.#random.chance(0.7)) this.#scheduler.start((actor) => this.#time(actor));
    await this.#live();
    // The storm passes; all that is still on its way arrives, and the sweep finds what does not.
    this.#scheduler.calmDown();
    await this.#live();
    if (this.#unswept) await this.#finishJobs();
    else await this.#sweepAfter(2 * HOUR);
    await this.#promises.noneIsOpen();
    if (!this.#unswept) for (const pause of [2 * DAY, HOUR]) await this.#sweepAfter(pause);
    const statuses = await this.#promises.atRest();
    if (this.#unswept) {
      await this.#promises.allWasTold();
    } else {
      await this.#promises.everythingIsNamed(true);
      // In the end nothing is left but what is shown.
      for (const pause of [31 * DAY, HOUR, 16 * DAY, HOUR]) await this.#sweepAfter(pause);
      await this.#promises.everythingIsNamed(false);
    }
    const { steps, faultCount: faults } = this.#scheduler;
    return { steps, faults, statuses, swept: this.#swept };
  }

  // What people do.

  async #browser(actor: Actor): Promise<void> {
    await this.#dawdle(actor, 100);
    const id = newId(this.#random.bytes);
    const uploads = this.#scheduler.through(actor, this.#signed(id));
    const metadata = writeUploadMetadata({ owner: OWNER, preset: "photo" });
    const put = (version: number) =>
      this.#untilDone(() => uploads.put(originalKey(id), this.#picture(version), { metadata }));
    const inParts = { key: originalKey(id), uploadId: newId(this.#random.bytes) };
    const alsoInParts = this.#random.chance(0.2);
    if (alsoInParts) this.#openUploads.begin({ ...inParts, startedAt: new Date(this.#scheduler.now) });
    for (let versions = this.#random.chance(0.2) ? 2 : 1; versions > 0; versions--) await put(versions);
    const accepted = this.#promises.accepted.get(id);
    if (!accepted) return;
    await this.#dawdle(actor, 150);
    if (this.#random.chance(0.4)) {
      await this.#delete(actor, id);
      accepted.deleted = true;
      // A signature that is still valid writes it once more, or completes what was begun.
      if (this.#random.chance(0.3)) await put(9);
      await this.#scheduler.turn(actor);
      if (alsoInParts && this.#openUploads.take(inParts)) await put(8);
    } else if (this.#random.chance(0.2)) {
      // By a lifecycle rule, or in the console.
      await this.#untilDone(() => uploads.delete(originalKey(id)));
      accepted.deleted = true;
    }
  }

  /** Lets others go first, in half of the cases. */
  async #dawdle(actor: Actor, turns: number): Promise<void> {
    for (let i = this.#random.chance(0.5) ? this.#random.below(turns) : 0; i > 0; i--)
      await this.#scheduler.turn(actor);
  }

  async #delete(actor: Actor, id: string): Promise<void> {
    const caller = { owner: OWNER, scopes: new Set(["upload"] as const) };
    await this.#untilDone(async () => {
      try {
        await removeImage(this.#deps(actor), caller, id);
      } catch (error) {
        // Gone already, by the first try whose answer was lost, before any metadata named its owner.
        if (!(error instanceof DarkroomError && error.code === "not-found")) throw error;
      }
    });
  }

  /** The originals as whoever signs for them allows: with a signature of a week, which is the longest there is. */
  #signed(id: string): ObjectStore {
    const until = this.#scheduler.now + 7 * DAY;
    const put: ObjectStore["put"] = async (...args) => {
      if (this.#scheduler.now > until) throw new Expired();
      const written = await this.#uploads.put(...args);
      if (!this.#promises.accepted.has(id)) this.#promises.accepted.set(id, { deleted: false });
      return written;
    };
    return { ...this.#uploads, put };
  }

  /** Changes the recipe and re-processes everything, to and fro. */
  async #operator(actor: Actor): Promise<void> {
    for (let changes = 1 + this.#random.below(4); changes > 0; changes--) {
      for (let i = this.#random.below(40) + 2; i > 0; i--) await this.#scheduler.turn(actor);
      this.#config = this.#configs[changes % 2] ?? this.#configs[0];
      for (const id of this.#promises.accepted.keys()) {
        const force = this.#random.chance(0.2);
        await this.#images.send(JSON.stringify({ darkroom: "develop", id, force }));
      }
    }
  }

  /** Starts a job over everything, or what went wrong, may cancel it, and does not give up before it is acknowledged. */
  async #backOffice(actor: Actor): Promise<void> {
    for (let i = this.#random.below(150); i > 0; i--) await this.#scheduler.turn(actor);
    if (this.#random.chance(0.5)) this.#config = this.#configs[1];
    const status = (["all", "all", "failed", "rejected", "stale"] as const)[this.#random.below(5)] ?? "all";
    const force = this.#random.chance(0.4);
    const there = [...this.#promises.accepted.keys()];
    const started: string[] = [];
    let acknowledged = false;
    while (!acknowledged) {
      // An invocation, which may die; whoever called it sees no answer then, and asks again.
      await new Promise<void>((ended) => {
        const post = async (mortal: Actor) => {
          try {
            const answer = await reprocess(this.#deps(mortal), { select: { status }, force, dryRun: false });
            if ("dryRun" in answer) return;
            started.push(answer.id);
            this.#jobs.acknowledged.set(answer.id, status === "all" ? there : []);
            acknowledged = true;
          } catch (error) {
            // The first try did begin it.
            if (error instanceof DarkroomError && error.code === "job-running") acknowledged = true;
            else if (!(error instanceof Fault || hasOutcome(error, "retry"))) throw error;
          }
        };
        this.#scheduler.start((mortal) => post(mortal).finally(ended), MINUTE, ended);
      });
    }
    if (!this.#random.chance(0.25)) return;
    for (let i = this.#random.below(40); i > 0; i--) await this.#scheduler.turn(actor);
    for (const job of started) await this.#untilDone(() => cancelJob(this.#deps(actor), job));
  }

  /** What failed for all to see, or was begun and never acknowledged, somebody resumes. */
  async #finishJobs(): Promise<void> {
    const deps: JobDeps & DryRunDeps = {
      uploads: this.#uploads,
      media: this.#media,
      backfill: this.#backfill,
      config: this.#config,
      now: () => new Date(this.#scheduler.now),
      random: this.#random.bytes,
    };
    for (const job of await this.#jobs.unfinished(deps))
      await reprocess(deps, { resume: job, force: false, dryRun: false });
    await this.#live();
    await this.#jobs.verify(deps, (id) => this.#promises.accepted.get(id)?.deleted === false);
  }

  #picture(version: number): Uint8Array {
    const kind = this.#random.chance(0.15) ? "corrupt" : "good";
    return toyPicture(kind, `${version} ${this.#random()}`);
  }

  /** As a client that does not give up. */
  async #untilDone(act: () => Promise<unknown>): Promise<void> {
    for (;;) {
      try {
        await act();
        return;
      } catch (error) {
        if (error instanceof Expired) return;
        if (!(error instanceof Fault || hasOutcome(error, "retry"))) throw error;
      }
    }
  }

  // What AWS does.

  #notify({ kind, key, etag, size, sequencer }: StoreChange): void {
    if (!key.startsWith("originals/")) return;
    // Rarely, a notification is never sent: only the sweep can tell. Here, not so rarely.
    const lost = kind === "created" ? 0.05 : 0.2;
    if (!this.#unswept && !this.#scheduler.calm && this.#random.chance(lost)) return;
    const eventName = kind === "created" ? "ObjectCreated:Put" : "ObjectRemoved:Delete";
    const object = kind === "created" ? { key, size, eTag: etag, sequencer } : { key, sequencer };
    const body = JSON.stringify({ Records: [{ eventName, s3: { bucket: { name: BUCKET }, object } }] });
    // At least once, in any order, now or in a quarter of an hour.
    for (let copies = this.#random.chance(0.2) ? 2 : 1; copies > 0; copies--) {
      const delay = this.#random.chance(0.5) ? 0 : this.#random.below(900);
      void this.#images.send(body, { delaySeconds: delay });
    }
  }

  /** Starts the sweep now and then, and lets hours or weeks go by. */
  async #time(actor: Actor): Promise<void> {
    for (let times = 1 + this.#random.below(8); times > 0; times--) {
      for (let i = this.#random.below(40); i > 0; i--) await this.#scheduler.turn(actor);
      const pauses = this.#laptop ? [HOUR, 3 * DAY] : [HOUR, 2 * DAY, 16 * DAY, 40 * DAY];
      if (this.#random.chance(0.5)) this.#pass(pauses[this.#random.below(pauses.length)] ?? 0);
      if (!this.#laptop || this.#sweeps === 0) this.#sweep(this.#random.chance(0.7));
    }
  }

  #pass(ms: number): void {
    this.#scheduler.now += ms;
    if (ms >= DAY) this.#openUploads.expire();
  }

  #sweep(begin: boolean): void {
    if (this.#sabotage.neverSweep) return;
    this.#sweeps++;
    const wrap = this.#sabotage.sweptStore ?? ((store) => store);
    const act = async (actor: Actor) => {
      const deps = this.#deps(actor);
      const { done } = await sweep(
        {
          ...deps,
          uploads: wrap(deps.uploads),
          media: wrap(deps.media),
          now: () => new Date(this.#scheduler.now + (this.#sabotage.sweepClock ?? 0)),
          log: () => {},
        },
        {
          begin,
          patience: this.#patience,
          batch: 1 + this.#random.below(4),
          timeLeft: () => this.#scheduler.calm || this.#random.chance(0.9),
        },
      ).catch((error: unknown) => {
        // An invocation that failed; the next one goes on.
        if (error instanceof Fault || hasOutcome(error, "retry")) return { done: {} };
        throw error;
      });
      for (const [deed, count] of Object.entries(done)) this.#swept[deed] = (this.#swept[deed] ?? 0) + count;
    };
    const lifetime = this.#laptop ? Number.POSITIVE_INFINITY : 15 * MINUTE;
    this.#scheduler.start(act, lifetime, () => void this.#sweeps--);
  }

  async #sweepAfter(pause: number): Promise<void> {
    this.#pass(pause);
    this.#sweep(true);
    await this.#live();
  }

  /** Invokes the worker or the failures function when there are messages, at most two at a time. */
  async #poll(): Promise<void> {
    if (this.#invocations >= 2) return;
    const dead = this.#random.chance(0.3);
    const queue = dead ? this.#deadLetters : this.#random.chance(0.5) ? this.#images : this.#backfill;
    const messages = await queue.receive({ max: 1 + this.#random.below(3) });
    if (messages.length === 0) return;
    this.#invocations++;
    if (this.#sabotage.acknowledgeFirst) for (const { receipt } of messages) await queue.delete(receipt);
    const act = (actor: Actor) => this.#invoke(actor, queue, messages, dead);
    const lifetime = this.#laptop ? Number.POSITIVE_INFINITY : 10 * MINUTE;
    this.#scheduler.start(act, lifetime, () => void this.#invocations--);
  }

  async #invoke(actor: Actor, queue: MemoryQueue, messages: QueueMessage[], dead: boolean): Promise<void> {
    const wrap = this.#sabotage.workStore ?? ((store) => store);
    const { uploads, media, ...rest } = this.#deps(actor);
    const deps = { ...rest, uploads: wrap(uploads), media: wrap(media) };
    const records = messages.map(({ id, body, receipt, receives }) => ({
      messageId: id,
      body,
      receiptHandle: receipt,
      attributes: {
        ApproximateReceiveCount: String(receives),
        SentTimestamp: "0",
        SenderId: "s3",
        ApproximateFirstReceiveTimestamp: "0",
      },
      messageAttributes: {},
      md5OfBody: "",
      eventSource: "aws:sqs",
      eventSourceARN: "arn:aws:sqs:us-east-1:000000000000:images",
      awsRegion: "us-east-1",
    }));
    const options = {
      concurrency: 2,
      remainingMs: () => 1e6,
      reserveMs: 0,
      retryIn: async ({ receiptHandle }: { receiptHandle: string }, seconds: number) =>
        queue.retryIn(receiptHandle, seconds),
      jitter: this.#random,
      log: () => {},
    };
    const { batchItemFailures } = await settleBatch(records, options, async ({ body }, receives) => {
      const delivery = { body, receives, bucket: BUCKET };
      await (dead ? failMessage(deps, delivery) : developMessage(deps, delivery));
    });
    const failed = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
    for (const { id, receipt } of messages) if (!failed.has(id)) await queue.delete(receipt);
  }

  #deps(actor: Actor): JudgeDeps & ScanDeps & JobDeps {
    const wrap = this.#sabotage.store ?? ((store) => store);
    const wrapOpen = this.#sabotage.openUploads ?? ((open) => open);
    const wrapEvents = this.#sabotage.events ?? ((events) => events);
    const events = wrapEvents({ send: async (body) => this.#promises.hear(JSON.parse(body).event) });
    return {
      backfill: this.#scheduler.throughQueue(actor, this.#lossyBackfill()),
      // So that a few images are several pages.
      pageSize: 2,
      events: this.#scheduler.throughSend(actor, events),
      uploads: this.#scheduler.through(actor, wrap(this.#uploads)),
      openUploads: this.#scheduler.throughUploads(actor, wrapOpen(this.#openUploads)),
      media: this.#scheduler.through(actor, wrap(this.#media)),
      pixels: toyPixels(() => this.#scheduler.turn(actor)),
      config: this.#config,
      mediaUrl: "https://cdn.example",
      now: () => new Date(this.#scheduler.now),
      random: this.#random.bytes,
    };
  }

  #lossyBackfill(): Queue {
    const queue = this.#backfill;
    const send: Queue["send"] = async (body, options) => {
      if (!this.#sabotage.loses?.(body)) await queue.send(body, options);
    };
    return {
      send,
      sendMany: (bodies) => queue.sendMany(bodies),
      backlog: () => queue.backlog(),
      receive: (...args) => queue.receive(...args),
      delete: (...args) => queue.delete(...args),
      retryIn: (...args) => queue.retryIn(...args),
    };
  }

  /** Lets everybody go on, one step at a time in random order, until nothing moves any more. */
  async #live(): Promise<void> {
    for (;;) {
      await this.#poll();
      const moved = await this.#scheduler.step();
      if (this.#changed) await this.#promises.atEveryInstant();
      this.#changed = false;
      if (!moved && !this.#advance()) return;
    }
  }

  /** To the time of the next thing that happens by itself. False when nothing will. */
  #advance(): boolean {
    const queues = [this.#images.count(), this.#backfill.count(), this.#deadLetters.count()];
    if (queues.every(({ visible, inFlight, delayed }) => visible + inFlight + delayed === 0)) return false;
    this.#pass(1000 * (1 + this.#random.below(VISIBILITY_SECONDS)));
    return true;
  }
}

/** S3's answer to a signature that is too old. */
class Expired extends Error {}
