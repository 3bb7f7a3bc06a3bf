/**
 * The whole system in one process under a seeded scheduler: the real use cases on the memory store and queue.
 * Every call of a port waits to be let go on, so that any interleaving can happen, and may crash its caller, fail
 * before its effect, or lose its answer after it.
 */

import { type Clock, MemoryQueue } from "../../adapters/memory-queue.ts";
import { memoryStore, type StoreChange } from "../../adapters/memory-store.ts";
import { settleBatch } from "../../adapters/sqs-batch.ts";
import { readText } from "../../core/commit.ts";
import { DarkroomError, hasOutcome } from "../../core/errors.ts";
import { developMessage, failMessage } from "../../core/handle-message.ts";
import { listImages, removeImage } from "../../core/images.ts";
import { cancelJob, type JobDeps, reprocess } from "../../core/job.ts";
import type { EstimateDeps } from "../../core/job-estimate.ts";
import type { JudgeDeps } from "../../core/judge.ts";
import { failureKey, imagePrefix, metaKey, newId, originalKey } from "../../core/keys.ts";
import { type Metadata, parseMetadata } from "../../core/metadata.ts";
import type { Log, ObjectStore, Queue, QueueMessage } from "../../core/ports.ts";
import { type Config, defineConfig } from "../../core/preset.ts";
import type { ScanDeps } from "../../core/scan-page.ts";
import type { ImageEvent } from "../../core/tell.ts";
import { writeUploadMetadata } from "../../core/upload-metadata.ts";
import { toyPicture, toyPixels } from "../toy-pixels.ts";
import { Jobs } from "./jobs.ts";
import { type Random, seeded } from "./random.ts";

const BUCKET = "uploads";
const OWNER = "somebody";
const VISIBILITY_SECONDS = 60;

/** What may be broken on purpose, to see that the invariants notice. */
export interface Sabotage {
  readonly store?: (store: ObjectStore) => ObjectStore;
  readonly events?: (events: Pick<Queue, "send">) => Pick<Queue, "send">;
  /** Whether a job's message is lost on its way to the queue. */
  readonly loses?: (body: string) => boolean;
  /** Deletes messages before they are handled. */
  readonly acknowledgeFirst?: boolean;
}

interface Faults {
  readonly crash: number;
  readonly unavailable: number;
  readonly lostAnswer: number;
}
const FAULTS: Faults = { crash: 0.01, unavailable: 0.03, lostAnswer: 0.02 };
const CALM: Faults = { crash: 0, unavailable: 0, lostAnswer: 0 };

const ladder = (widths: number[]): Config =>
  defineConfig({
    defaultPreset: "photo",
    presets: {
      photo: {
        accept: ["jpeg"],
        ladder: { widths, formats: ["webp", "jpeg"] },
        named: { thumb: { width: 16, height: 16, fit: "cover", format: "webp" } },
      },
    },
  });
/** Yesterday's recipe and today's: they share some variants. */
const CONFIGS = [ladder([32, 64]), ladder([32, 48])] as const;

/** Somebody with a turn of their own: a person, or an invocation, which may crash. */
interface Actor {
  readonly mortal: boolean;
  readonly ended: () => void;
  /** Nothing it would do afterwards happens. */
  dead: boolean;
}

export interface Report {
  readonly steps: number;
  readonly faults: number;
  readonly statuses: readonly string[];
}

export class World {
  readonly #random: Random;
  readonly #log: Log = () => {};
  readonly #waiting: { actor: Actor; go: () => void }[] = [];
  readonly #timers: { at: number; then: () => void }[] = [];
  readonly #sabotage: Sabotage;
  #now = Date.parse("2026-11-20T12:00:00Z");
  #faults: Faults = FAULTS;
  #faultCount = 0;
  #steps = 0;
  #invocations = 0;
  #config: Config = CONFIGS[0];
  readonly #uploads: ObjectStore;
  readonly #media: ObjectStore;
  readonly #images: MemoryQueue;
  readonly #backfill: MemoryQueue;
  readonly #deadLetters: MemoryQueue;
  readonly #jobs = new Jobs();
  /** By image, what was put on the events queue. */
  readonly #told = new Map<string, ImageEvent[]>();
  /** Ids, and whether a delete was answered with success. */
  readonly #accepted = new Map<string, { deleted: boolean }>();

  constructor(seed: number, sabotage: Sabotage = {}) {
    this.#random = seeded(seed);
    this.#sabotage = sabotage;
    const now = () => new Date(this.#now);
    const clock: Clock = {
      now: () => this.#now,
      after: (ms, then) => {
        const timer = { at: this.#now + ms, then };
        this.#timers.push(timer);
        return () => void this.#timers.splice(this.#timers.indexOf(timer) >>> 0, 1);
      },
    };
    const common = {
      clock,
      pick: (count: number) => this.#random.below(count),
      newId: () => newId(this.#random.bytes),
    };
    this.#deadLetters = new MemoryQueue({
      ...common,
      name: "dead",
      settings: { visibilitySeconds: VISIBILITY_SECONDS },
    });
    this.#images = new MemoryQueue({
      ...common,
      name: "images",
      settings: { visibilitySeconds: VISIBILITY_SECONDS, redrive: { to: this.#deadLetters, maxReceives: 4 } },
    });
    this.#backfill = new MemoryQueue({
      ...common,
      name: "backfill",
      settings: { visibilitySeconds: VISIBILITY_SECONDS, redrive: { to: this.#deadLetters, maxReceives: 4 } },
    });
    this.#uploads = memoryStore({
      now,
      onChange: (change) => {
        this.#notify(change);
        this.#jobs.watch(change);
      },
    });
    this.#media = memoryStore({ now });
  }

  /** Lives through one history and checks it. Throws where a promise is broken. */
  async run(): Promise<Report> {
    const count = 2 + this.#random.below(3);
    for (let i = 0; i < count; i++) this.#start((actor) => this.#browser(actor));
    if (this.#random.chance(0.3)) this.#start((actor) => this.#operator(actor));
    if (this.#random.chance(0.3)) this.#start((actor) => this.#backOffice(actor));
    await this.#live();
    // The storm passes; all that is still on its way arrives.
    this.#faults = CALM;
    await this.#live();
    // What failed for all to see, or was begun and never acknowledged, somebody resumes.
    for (const job of await this.#jobs.unfinished(this.#calmDeps())) {
      await reprocess(this.#calmDeps(), { resume: job, force: false, dryRun: false });
    }
    await this.#live();
    await this.#jobs.verify(this.#calmDeps(), (id) => this.#accepted.get(id)?.deleted === false);
    return this.#verify();
  }

  // What people do.

  async #browser(actor: Actor): Promise<void> {
    const uploads = this.#through(actor, this.#uploads);
    const id = newId(this.#random.bytes);
    const metadata = writeUploadMetadata({ owner: OWNER, preset: "photo" });
    const versions = this.#random.chance(0.2) ? 2 : 1;
    for (let version = 0; version < versions; version++) {
      await this.#untilDone(() => uploads.put(originalKey(id), this.#picture(version), { metadata }));
      if (!this.#accepted.has(id)) this.#accepted.set(id, { deleted: false });
    }
    if (this.#random.chance(0.4)) {
      const caller = { owner: OWNER, scopes: new Set(["upload"] as const) };
      await this.#untilDone(async () => {
        try {
          await removeImage(this.#deps(actor), caller, id);
        } catch (error) {
          // Gone already, by the first try whose answer was lost, before any metadata named its owner.
          if (!(error instanceof DarkroomError && error.code === "not-found")) throw error;
        }
      });
      this.#accepted.set(id, { deleted: true });
      // A signature that is still valid writes it once more.
      if (this.#random.chance(0.3))
        await this.#untilDone(() => uploads.put(originalKey(id), this.#picture(9), { metadata }));
    }
  }

  /** Changes the recipe and re-processes everything, sometimes twice. */
  async #operator(actor: Actor): Promise<void> {
    for (let i = this.#random.below(4) + 2; i > 0; i--) await this.#turn(actor);
    this.#config = CONFIGS[1];
    for (const id of this.#accepted.keys()) {
      const force = this.#random.chance(0.3);
      await this.#images.send(JSON.stringify({ darkroom: "develop", id, force }));
    }
  }

  /** Starts a job over everything, or what went wrong, may cancel it, and does not give up before it is acknowledged. */
  async #backOffice(actor: Actor): Promise<void> {
    for (let i = this.#random.below(30); i > 0; i--) await this.#turn(actor);
    if (this.#random.chance(0.5)) this.#config = CONFIGS[1];
    const status = (["all", "all", "failed", "rejected", "stale"] as const)[this.#random.below(5)] ?? "all";
    const force = this.#random.chance(0.4);
    const there = [...this.#accepted.keys()];
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
        this.#start((mortal) => post(mortal).finally(ended), { mortal: true, ended });
      });
    }
    if (!this.#random.chance(0.25)) return;
    for (let i = this.#random.below(40); i > 0; i--) await this.#turn(actor);
    for (const job of started) await this.#untilDone(() => cancelJob(this.#deps(actor), job));
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
        if (!(error instanceof Fault || hasOutcome(error, "retry"))) throw error;
      }
    }
  }

  // What AWS does.

  #notify({ kind, key, etag, size, sequencer }: StoreChange): void {
    if (!key.startsWith("originals/")) return;
    const eventName = kind === "created" ? "ObjectCreated:Put" : "ObjectRemoved:Delete";
    const object = kind === "created" ? { key, size, eTag: etag, sequencer } : { key, sequencer };
    const body = JSON.stringify({ Records: [{ eventName, s3: { bucket: { name: BUCKET }, object } }] });
    // At least once, in any order, now or in a quarter of an hour.
    for (let copies = this.#random.chance(0.2) ? 2 : 1; copies > 0; copies--) {
      const delay = this.#random.chance(0.5) ? 0 : this.#random.below(900);
      this.#images.add(body, { delaySeconds: delay });
    }
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
    const ended = () => void this.#invocations--;
    this.#start((actor) => this.#invoke(actor, queue, messages, dead), { mortal: true, ended });
  }

  async #invoke(actor: Actor, queue: MemoryQueue, messages: QueueMessage[], dead: boolean): Promise<void> {
    const deps = this.#deps(actor);
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
      log: this.#log,
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
    const wrapEvents = this.#sabotage.events ?? ((events) => events);
    const events = wrapEvents({ send: async (body) => this.#hear(JSON.parse(body).event) });
    return {
      events: { send: (...args) => this.#call(actor, () => events.send(...args)) },
      backfill: this.#backfillFor(actor),
      // So that a few images are several pages.
      pageSize: 2,
      uploads: this.#through(actor, wrap(this.#uploads)),
      media: this.#through(actor, wrap(this.#media)),
      pixels: toyPixels(() => this.#turn(actor)),
      config: this.#config,
      mediaUrl: "https://cdn.example",
      now: () => new Date(this.#now),
      random: this.#random.bytes,
    };
  }

  #backfillFor(actor: Actor): Queue {
    const queue = this.#backfill;
    const send: Queue["send"] = async (body, options) => {
      if (!this.#sabotage.loses?.(body)) await queue.send(body, options);
    };
    return {
      send: (...args) => this.#call(actor, () => send(...args)),
      // Some are sent when it fails.
      sendMany: async (bodies) => {
        for (const body of bodies) await this.#call(actor, () => send(body));
      },
      backlog: () => this.#call(actor, () => queue.backlog()),
      receive: (...args) => queue.receive(...args),
      delete: (...args) => queue.delete(...args),
      retryIn: (...args) => queue.retryIn(...args),
    };
  }

  #calmDeps(): JobDeps & EstimateDeps {
    return {
      uploads: this.#uploads,
      media: this.#media,
      backfill: this.#backfill,
      config: this.#config,
      now: () => new Date(this.#now),
      random: this.#random.bytes,
    };
  }

  #hear(event: ImageEvent): void {
    const { id } = event.data;
    this.#told.set(id, [...(this.#told.get(id) ?? []), event]);
  }

  // The scheduler.

  #start(act: (actor: Actor) => Promise<void>, { mortal = false, ended = () => {} } = {}): void {
    const actor: Actor = { mortal, ended, dead: false };
    act(actor).then(
      () => this.#end(actor),
      (error: unknown) => {
        if (!actor.dead) this.#failure ??= error;
        this.#end(actor);
      },
    );
  }

  #end(actor: Actor): void {
    if (!actor.dead) actor.ended();
    actor.dead = true;
  }

  #failure: unknown;

  #turn(actor: Actor): Promise<void> {
    return new Promise((go) => this.#waiting.push({ actor, go }));
  }

  /** Every call waits for its turn, and may come to harm before or after its effect. */
  async #call<T>(actor: Actor, effect: () => Promise<T>): Promise<T> {
    await this.#turn(actor);
    if (this.#random.chance(this.#faults.unavailable)) throw this.#fault("503 SlowDown");
    const result = await effect();
    await this.#turn(actor);
    if (this.#random.chance(this.#faults.lostAnswer)) throw this.#fault("connection reset");
    return result;
  }

  #through(actor: Actor, store: ObjectStore): ObjectStore {
    const call = <T>(effect: () => Promise<T>) => this.#call(actor, effect);
    return {
      head: (...args) => call(() => store.head(...args)),
      get: (...args) => call(() => store.get(...args)),
      // The SDK repeats a request whose answer was lost: a conditional write then meets itself.
      put: async (...args) => {
        try {
          return await call(() => store.put(...args));
        } catch (error) {
          if (!(error instanceof Fault)) throw error;
          return call(() => store.put(...args));
        }
      },
      delete: (...args) => call(() => store.delete(...args)),
      list: (...args) => call(() => store.list(...args)),
    };
  }

  #fault(what: string): Fault {
    this.#faultCount++;
    return new Fault(what);
  }

  /** Lets everybody go on, one step at a time in random order, until nothing moves any more. */
  async #live(): Promise<void> {
    for (;;) {
      // All promises that can settle by themselves have done so after this.
      await new Promise(setImmediate);
      if (this.#failure) throw this.#failure;
      await this.#poll();
      const next = this.#waiting.splice(this.#random.below(this.#waiting.length), 1)[0];
      if (next) {
        if (next.actor.dead) continue;
        this.#steps++;
        this.#now += this.#random.below(40);
        if (next.actor.mortal && this.#random.chance(this.#faults.crash)) {
          this.#faultCount++;
          this.#end(next.actor);
        } else {
          next.go();
        }
        await this.#checkNoLie();
      } else if (!this.#advance()) {
        return;
      }
    }
  }

  /** To the time of the next thing that happens by itself. False when nothing will. */
  #advance(): boolean {
    const queues = [this.#images.count(), this.#backfill.count(), this.#deadLetters.count()];
    if (queues.every(({ visible, inFlight, delayed }) => visible + inFlight + delayed === 0)) return false;
    this.#now += 1000 * (1 + this.#random.below(VISIBILITY_SECONDS));
    return true;
  }

  // The promises.

  async #documentOf(id: string): Promise<Metadata | undefined> {
    const stored = await this.#media.get(metaKey(id));
    return stored && parseMetadata(await readText(stored.body));
  }

  /** At every instant: `ready` names nothing that is not there. */
  async #checkNoLie(): Promise<void> {
    for (const id of this.#accepted.keys()) {
      const document = await this.#documentOf(id);
      if (document?.status !== "ready") continue;
      for (const { key, bytes } of document.variants) {
        const stored = await this.#media.head(key);
        if (stored?.size !== bytes) throw new Error(`${id} is ready and ${key} is not there`);
      }
    }
  }

  async #verify(): Promise<Report> {
    const statuses: string[] = [];
    for (const [id, { deleted }] of this.#accepted) {
      const document = await this.#documentOf(id);
      const original = await this.#uploads.head(originalKey(id));
      if (!document) throw new Error(`${id} was accepted and has no end`);
      statuses.push(document.status);
      if (deleted !== (document.status === "deleted"))
        throw new Error(`${id}: deleted ${deleted}, yet ${document.status}`);
      if (document.status === "deleted") {
        const { objects } = await this.#media.list(imagePrefix(id));
        const left = objects.filter(({ key }) => key !== metaKey(id)).length + (original ? 1 : 0);
        if (left > 0) throw new Error(`${id} was deleted and ${left} objects are left`);
      } else {
        if (!original) throw new Error(`${id} lost its original`);
        if (document.status === "ready" && document.source?.etag !== original.etag && !document.lastError) {
          throw new Error(`${id} is ready for bytes that are no longer its own`);
        }
      }
      await this.#verifyIndexes(id, document);
      this.#verifyTold(id, document);
    }
    return { steps: this.#steps, faults: this.#faultCount, statuses };
  }

  /** Whoever hears all events, in whatever order, knows by `rev` how each image ended. */
  #verifyTold(id: string, document: Metadata): void {
    const told = this.#told.get(id) ?? [];
    const last = told.reduce<ImageEvent | undefined>(
      (best, event) => (event.data.rev >= (best?.data.rev ?? 0) ? event : best),
      undefined,
    );
    const whatCounts = ({ status, variants, error, lastError }: Metadata) =>
      JSON.stringify([status, variants, error, lastError]);
    if (!last || whatCounts(last.data) !== whatCounts(document))
      throw new Error(`${id} is ${document.status}, and ${last?.type ?? "nothing"} was told last`);
  }

  async #verifyIndexes(id: string, document: Metadata): Promise<void> {
    const caller = { owner: OWNER, scopes: new Set(["upload"] as const) };
    const stores = { uploads: this.#uploads, media: this.#media };
    const { images } = await listImages(stores, caller, { limit: 100, cursor: undefined });
    const listed = images.filter((image) => image.id === id).length;
    const expected = document.status === "deleted" ? 0 : 1;
    if (listed !== expected) throw new Error(`${id} is ${document.status} and listed ${listed} times`);
    for (const status of ["failed", "rejected"] as const) {
      const there = (await this.#uploads.head(failureKey(status, id))) !== undefined;
      const due =
        document.status === status || (document.lastError !== undefined && document.status === "ready");
      if (there && !due) throw new Error(`${id} is ${document.status} and stands among the ${status}`);
      if (!there && document.status === status) throw new Error(`${id} is ${status} and in no index`);
    }
  }
}

class Fault extends Error {}
