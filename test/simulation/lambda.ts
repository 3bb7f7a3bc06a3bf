/** Lambda and its event sources: who is invoked with what, and what becomes of it. */
import { settleBatch } from "../../adapters/aws/sqs-batch.ts";
import { readRevision } from "../../core/commit.ts";
import { hasOutcome } from "../../core/errors.ts";
import { type DeleteDeps, deleteImage } from "../../core/image/delete-image.ts";
import { fetchMessage } from "../../core/job/fetch-url.ts";
import { scanOpenJobs } from "../../core/job/scan-page.ts";
import { originalKey } from "../../core/keys.ts";
import { sweep } from "../../core/sweep/sweep.ts";
import { bringBack, Receivers, retryAfter } from "../../core/tell/deliver.ts";
import { forgetNoted } from "../../core/tell/forget.ts";
import { handleEvent } from "../../core/tell/handle-event.ts";
import { developMessage, failMessage } from "../../core/worker/handle-message.ts";
import { depsOf, emptyBucket, eventDepsOf, marking, parkedDepsOf } from "./deps.ts";
import { Fault } from "./faults.ts";
import { fetchDepsOf } from "./imports.ts";
import { BUCKET } from "./notifications.ts";
import type { Bucket } from "./promises.ts";
import { DAY, MINUTE, type Scene } from "./scene.ts";
import type { Actor } from "./scheduler.ts";
import type { Chain, TracedMessage, TracedQueue } from "./traced-queue.ts";

type FunctionName = "worker" | "failures" | "events" | "imports";
interface Source {
  readonly fn: FunctionName;
  readonly queue: TracedQueue;
  /** Of invocations that share a bound. */
  readonly lanes: "images" | "events" | "imports";
  /** How often it is asked, among the others. */
  readonly weight: number;
}

const LANES = 2;
const THROTTLED = 0.02;
const SKEWED = 0.2;
const SKEWED_BY_A_DAY = 0.01;
/** Of one function in a chain: 16 on AWS. An event and its webhook are two. */
const CHAIN = 2;
/** Of one queue: 120,000 on SQS. */
const IN_FLIGHT = 12;

export class Lambda {
  readonly #scene: Scene;
  readonly #sources: readonly Source[];
  readonly #invocations = { images: 0, events: 0, imports: 0 };
  /** What the sweeps did. */
  readonly swept: Record<string, number> = {};
  sweeps = 0;
  /** What the next sweep takes for one of the buckets. */
  misaddressed: Bucket | undefined;

  constructor(scene: Scene) {
    this.#scene = scene;
    const { images, backfill, deadLetters, events, imports } = scene;
    this.#sources = [
      { fn: "worker", queue: images, lanes: "images", weight: 0.3 },
      { fn: "worker", queue: backfill, lanes: "images", weight: 0.25 },
      { fn: "failures", queue: deadLetters, lanes: "images", weight: 0.15 },
      { fn: "imports", queue: imports, lanes: "imports", weight: 0.1 },
      { fn: "events", queue: events, lanes: "events", weight: 0.2 },
    ];
  }

  /** Asks each of the queues, as Lambda's pollers do; those of one function never wait for those of another. */
  async pollAll(): Promise<void> {
    for (const source of this.#sources) await this.poll(source);
  }

  /** Asks one of the queues, and invokes its function when there are messages. */
  async poll(source = this.#choose()): Promise<void> {
    const { random, weather, calm, tally, sabotage } = this.#scene;
    const { fn, queue, lanes } = source;
    if (this.#invocations[lanes] >= LANES || weather.isAway("sqs") || this.#isFull(queue)) return;
    const single = fn === "worker" || fn === "imports";
    const messages = await queue.receive(single ? 1 : 1 + random.below(3));
    for (const { sentAt } of messages)
      if (this.#scene.scheduler.now - sentAt.getTime() > DAY) tally.count("event later than a day");
    if (messages.length === 0 || (await this.#cut(source, messages))) return;
    if (fn !== "imports" && weather.isAway(fn)) return void tally.refused++;
    if (!calm && random.chance(THROTTLED)) return tally.count("receive throttled");
    this.#invocations[lanes]++;
    if (sabotage.acknowledgeFirst) for (const { receipt } of messages) await queue.queue.delete(receipt);
    this.#scene.scheduler.start((actor) => this.#invoke(actor, source, messages), {
      ...this.#terms(10 * MINUTE),
      chain: chainOf(fn, messages),
      ended: () => void this.#invocations[lanes]--,
    });
  }

  #choose(): Source {
    let left = this.#scene.random();
    for (const source of this.#sources) {
      left -= source.weight;
      if (left <= 0) return source;
    }
    return this.#sources[0] as Source;
  }

  #isFull(queue: TracedQueue): boolean {
    if (!this.#scene.climate.expects.telling || queue.queue.count().inFlight < IN_FLIGHT) return false;
    this.#scene.tally.count("too many in flight");
    return true;
  }

  /** Lambda's recursion detection: what it ends goes to the dead letters, and nothing of ours depends on a chain so long. */
  async #cut({ fn, queue }: Source, received: readonly TracedMessage[]): Promise<boolean> {
    const { climate, sabotage, tally, deadLetters } = this.#scene;
    if (!climate.expects.lineage || sabotage.recursive?.includes(fn)) return false;
    for (const message of received) {
      if ((chainOf(fn, [message])[fn] ?? 0) > CHAIN)
        throw new Error(`a chain of invocations of ${fn} was cut`);
      if (fn !== "worker" || !message.chain["legacy"]) continue;
      tally.count("chain of invocations cut");
      deadLetters.add(message.body);
      await queue.queue.delete(message.receipt);
      return true;
    }
    return false;
  }

  /** How long an invocation may take, and how wrong its clock is. */
  #terms(ms: number): { lifetime: number; skew: number } {
    const { laptop, random, tally, calm, climate } = this.#scene;
    const lifetime = laptop ? Number.POSITIVE_INFINITY : ms;
    if (calm || laptop || !random.chance(SKEWED)) return { lifetime, skew: 0 };
    if (climate.rough && random.chance(SKEWED_BY_A_DAY)) {
      tally.count("clock off by a day");
      return { lifetime, skew: random.chance(0.5) ? DAY : -DAY };
    }
    tally.count("clock off by minutes");
    return { lifetime, skew: random.below(10 * MINUTE) - 5 * MINUTE };
  }

  async #invoke(actor: Actor, { fn, queue }: Source, messages: TracedMessage[]): Promise<void> {
    const { weather, tally, random, sabotage } = this.#scene;
    const away = () => {
      if (!weather.isAway("sqs")) return;
      tally.refused++;
      throw new Fault("sqs is away");
    };
    const options = {
      concurrency: fn === "events" ? 10 : 2,
      remainingMs: () => 1e6,
      reserveMs: 0,
      retryIn: async ({ receiptHandle }: { receiptHandle: string }, seconds: number) => {
        away();
        // As functions/failures.ts has it: a dead letter comes back at its own time.
        if (fn !== "failures") await queue.queue.retryIn(receiptHandle, seconds);
      },
      ...(fn === "events" ? { retryAfter: sabotage.retryAfter ?? retryAfter } : {}),
      jitter: random,
      log: () => {},
    };
    const { reads = same, receives: told = same, hears = () => true } = sabotage;
    const deps = depsOf(this.#scene, actor);
    const wrap = sabotage.workStore ?? ((store) => store);
    const workDeps = { ...deps, uploads: marking(this.#scene, wrap(deps.uploads)), media: wrap(deps.media) };
    const eventDeps = eventDepsOf(this.#scene, actor);
    const { batchItemFailures } = await settleBatch(
      messages.map(recordOf),
      options,
      async ({ body }, receives) => {
        const read = { body: reads(body), receives: told(receives), bucket: BUCKET };
        if (fn === "worker") await developMessage(workDeps, read);
        else if (fn === "failures" && !sabotage.deaf) await failMessage(workDeps, read);
        else if (fn === "imports") await fetchMessage(fetchDepsOf(this.#scene, actor), body, told(receives));
        else if (fn === "events" && hears(body)) await handleEvent(eventDeps, body, told(receives));
      },
    );
    if (actor.dead) return;
    const failures = sabotage.swallow ? [] : batchItemFailures;
    const failed = new Set(failures.map(({ itemIdentifier }) => itemIdentifier));
    // Lambda's own pollers delete, and try again where SQS is away: the messages come once more.
    if (weather.isAway("sqs")) return;
    for (const { id, receipt } of messages) if (!failed.has(id)) await queue.queue.delete(receipt);
  }

  /** A turn of the schedule of `functions/parked.ts`. */
  parked(): void {
    const { scheduler, random } = this.#scene;
    const act = async (actor: Actor) => {
      const deps = parkedDepsOf(this.#scene, actor);
      const until = new Date(deps.now().getTime() + MINUTE);
      await forgetNoted(deps, until);
      await bringBack(deps, new Receivers(deps), until, { random });
    };
    scheduler.start((actor) => act(actor).catch(passes), this.#terms(MINUTE));
  }

  async #guess(deps: DeleteDeps): Promise<void> {
    for (const id of this.#scene.promises.accepted.keys()) {
      const found = await readRevision(deps.media, id).catch(() => undefined);
      if (found?.document && !(await deps.uploads.head(originalKey(id)))) await deleteImage(deps, id, found);
    }
  }

  /** A turn of the schedule that goes on with jobs. */
  pages(): void {
    const { scheduler, calm, random } = this.#scene;
    const act = async (actor: Actor) => {
      const deps = { ...depsOf(this.#scene, actor), log: () => {} };
      await scanOpenJobs(deps, () => calm || random.chance(0.9));
    };
    scheduler.start((actor) => act(actor).catch(passes), this.#terms(15 * MINUTE));
  }

  sweep(begin: boolean): void {
    const { sabotage, patience, random, scheduler, laptop } = this.#scene;
    if (sabotage.neverSweep) return;
    if (this.sweeps > 0) this.#scene.tally.count("two sweeps at once");
    this.sweeps++;
    const wrap = sabotage.sweptStore ?? ((store) => store);
    const wrong = this.misaddressed;
    this.misaddressed = undefined;
    const act = async (actor: Actor) => {
      const deps = depsOf(this.#scene, actor);
      const seen = {
        ...deps,
        uploads: wrap(deps.uploads),
        media: wrap(deps.media),
        ...(wrong ? { [wrong]: emptyBucket(this.#scene, actor) } : {}),
      };
      if (sabotage.guesses) await this.#guess(seen);
      const { done } = await sweep(
        { ...seen, now: () => new Date(scheduler.now + actor.skew), log: () => {} },
        {
          begin,
          patience,
          batch: 1 + random.below(4),
          timeLeft: () => scheduler.calm || random.chance(0.9),
        },
      ).catch((error: unknown) => {
        passes(error);
        return { done: {} };
      });
      for (const [deed, count] of Object.entries(done)) this.swept[deed] = (this.swept[deed] ?? 0) + count;
    };
    const terms = laptop ? { lifetime: Number.POSITIVE_INFINITY } : this.#terms(15 * MINUTE);
    scheduler.start(act, { ...terms, ended: () => void this.sweeps-- });
  }
}

/** An invocation that failed; the next one goes on. */
function passes(error: unknown): void {
  if (!(error instanceof Fault || hasOutcome(error, "retry"))) throw error;
}

const same = <T>(value: T): T => value;

/** Of all messages of a batch: Lambda does not say which of them a batch goes on with. */
function chainOf(fn: FunctionName, messages: readonly TracedMessage[]): Chain {
  const chain: Record<string, number> = {};
  for (const message of messages)
    for (const [name, count] of Object.entries(message.chain))
      chain[name] = Math.max(chain[name] ?? 0, count);
  return { ...chain, [fn]: (chain[fn] ?? 0) + 1 };
}

const recordOf = ({ id, body, receipt, receives }: TracedMessage) => ({
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
});
