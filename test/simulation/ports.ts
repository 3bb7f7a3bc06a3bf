/**
 * Stores and queues as everybody in the world sees them. Every call waits for its turn, may fail before its effect or
 * lose its answer after it, and is refused while an outage lasts.
 */

import { DarkroomError, hasOutcome } from "../../core/errors.ts";
import type { ObjectStore, OpenUploads, Queue, StoredObject } from "../../core/ports.ts";
import { CALL_FAULT_CHANCE, CALL_FAULTS, type CallFault, Fault, type Tally } from "./faults.ts";
import type { Actor, Scheduler } from "./scheduler.ts";
import type { Place, Weather } from "./weather.ts";

const LOST_ANSWER = 0.025;
const [SLOW, CUT] = [0.02, 0.02];
/** A write within so many milliseconds of another, or of a delete, may be told that they met. */
const [MEETS_MS, MEETS] = [200, 0.2];

type Service = "s3" | "sqs";

export class Ports {
  readonly #scheduler: Scheduler;
  readonly #weather: Weather;
  readonly #tally: Tally;
  /** Small pages, so that listings have several. */
  readonly #pageSize: number;
  /** When a key was last written or deleted. */
  readonly #touched = new Map<string, number>();

  constructor(scheduler: Scheduler, weather: Weather, tally: Tally) {
    this.#scheduler = scheduler;
    this.#weather = weather;
    this.#tally = tally;
    this.#pageSize = 1 + scheduler.random.below(4);
  }

  async call<T>(actor: Actor, service: Service, effect: () => Promise<T>, what = ""): Promise<T> {
    await this.#scheduler.turn(actor);
    this.#reach(service);
    this.#fail(what);
    const result = await effect().catch((error: unknown) => {
      if (hasOutcome(error, "conflict")) this.#tally.count("race lost (412, 409, 404)");
      throw error;
    });
    await this.#scheduler.turn(actor);
    if (this.#chance(LOST_ANSWER)) throw this.#tally.fault("answer lost after the effect");
    return result;
  }

  #reach(place: Place): void {
    if (!this.#weather.isAway(place)) return;
    this.#tally.refused++;
    throw new Fault(`${place} is away`);
  }

  #chance(probability: number): boolean {
    return !this.#scheduler.calm && this.#scheduler.random.chance(probability);
  }

  #fail(what: string): void {
    const { random } = this.#scheduler;
    if (!this.#chance(CALL_FAULT_CHANCE)) return;
    let left = random() * CALL_FAULT_CHANCE;
    for (const [kind, chance] of Object.entries(CALL_FAULTS) as [CallFault, number][]) {
      left -= chance;
      if (left > 0) continue;
      if (kind === "timed out") this.#scheduler.now += 1000 * (1 + random.below(60));
      throw this.#tally.fault(what === "delete" ? "delete refused" : kind);
    }
  }

  /** @param writes what may be away while everything else is read */
  store(actor: Actor, store: ObjectStore, writes: Place = "s3"): ObjectStore {
    const call = <T>(effect: () => Promise<T>, what?: string) => this.call(actor, "s3", effect, what);
    return {
      head: (...args) => call(() => store.head(...args)),
      get: async (...args) => this.#reading(actor, await call(() => store.get(...args))),
      // The SDK repeats a request whose answer was lost: a conditional write then meets itself.
      put: async (key, body, options) => {
        const put = () => {
          this.#reach(writes);
          this.#meet(key, options?.ifMatch !== undefined || options?.ifNoneMatch !== undefined);
          this.#touched.set(key, this.#scheduler.now);
          return store.put(key, body, options);
        };
        try {
          return await call(put);
        } catch (error) {
          if (!(error instanceof Fault)) throw error;
          return call(put);
        }
      },
      delete: (key, condition) =>
        call(() => {
          this.#touched.set(key, this.#scheduler.now);
          return store.delete(key, condition);
        }, "delete"),
      list: (prefix, options) => call(() => store.list(prefix, { limit: this.#pageSize, ...options })),
    };
  }

  /** S3 answers 409 to a conditional write during which another or a delete lands: the port's own word for a lost race. */
  #meet(key: string, conditional: boolean): void {
    const touched = this.#touched.get(key);
    if (!conditional || touched === undefined || this.#scheduler.now - touched > MEETS_MS) return;
    if (!this.#chance(MEETS)) return;
    this.#tally.count("racing write or delete (409)");
    throw new DarkroomError("precondition-failed");
  }

  #reading(actor: Actor, object: StoredObject | undefined): StoredObject | undefined {
    if (!object) return undefined;
    const slow = this.#chance(SLOW);
    const cut = this.#chance(CUT);
    if (!slow && !cut) return object;
    const [scheduler, tally] = [this.#scheduler, this.#tally];
    async function* body(whole: AsyncIterable<Uint8Array>) {
      for await (const chunk of whole) {
        if (slow) {
          tally.count("slow read");
          scheduler.now += 1000 * scheduler.random.below(60);
          await scheduler.turn(actor);
        }
        yield cut ? chunk.subarray(0, chunk.length >> 1) : chunk;
        if (cut) throw tally.fault("body cut short");
      }
    }
    return { ...object, body: body(object.body) };
  }

  openUploads(actor: Actor, open: OpenUploads): OpenUploads {
    return {
      list: (...args) => this.call(actor, "s3", () => open.list(...args)),
      abort: (upload) => this.call(actor, "s3", () => open.abort(upload)),
    };
  }

  sender(actor: Actor, queue: Pick<Queue, "send">): Pick<Queue, "send"> {
    return { send: (...args) => this.call(actor, "sqs", () => queue.send(...args)) };
  }

  queue(actor: Actor, queue: Queue): Queue {
    const { send } = this.sender(actor, queue);
    return {
      send,
      // Some are sent when it fails.
      sendMany: async (bodies) => {
        for (const body of bodies) await send(body);
      },
      backlog: () => this.call(actor, "sqs", () => queue.backlog()),
      receive: (...args) => queue.receive(...args),
      delete: (...args) => queue.delete(...args),
      retryIn: (...args) => queue.retryIn(...args),
    };
  }
}
