/**
 * Decides who goes on next, when time passes, and what goes wrong. Every call of a port waits to be let go on, so that
 * any interleaving can happen, and may crash its caller, fail before its effect, or lose its answer after it.
 */
import type { ObjectStore, OpenUploads, Queue } from "../../core/ports.ts";
import { type Random, seeded } from "./random.ts";

interface Faults {
  readonly crash: number;
  readonly unavailable: number;
  readonly lostAnswer: number;
}
const FAULTS: Faults = { crash: 0.015, unavailable: 0.045, lostAnswer: 0.025 };
const CALM: Faults = { crash: 0, unavailable: 0, lostAnswer: 0 };

/** Somebody with a turn of their own: a person, or an invocation, which may crash. */
export interface Actor {
  readonly mortal: boolean;
  /** When Lambda kills it. */
  readonly until: number;
  readonly ended: () => void;
  /** Nothing it would do afterwards happens. */
  dead: boolean;
}

export class Fault extends Error {}

export class Scheduler {
  readonly random: Random;
  now = Date.parse("2026-11-20T12:00:00Z");
  faultCount = 0;
  steps = 0;
  #faults: Faults = FAULTS;
  #failure: unknown;
  /** Small pages, so that listings have several. */
  readonly #pageSize: number;
  readonly #waiting: { actor: Actor; go: () => void }[] = [];

  constructor(seed: number) {
    this.random = seeded(seed);
    this.#pageSize = 1 + this.random.below(4);
  }

  get calm(): boolean {
    return this.#faults === CALM;
  }

  /** The storm passes. */
  calmDown(): void {
    this.#faults = CALM;
  }

  /** @param lifetime in milliseconds, of an invocation; people do not crash */
  start(act: (actor: Actor) => Promise<void>, lifetime?: number, ended: () => void = () => {}): void {
    const until = this.now + (lifetime ?? Number.POSITIVE_INFINITY);
    const actor: Actor = { mortal: lifetime !== undefined, until, ended, dead: false };
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

  turn(actor: Actor): Promise<void> {
    return new Promise((go) => this.#waiting.push({ actor, go }));
  }

  /** Lets one of those who wait go on. False when nobody does. */
  async step(): Promise<boolean> {
    // All promises that can settle by themselves have done so after this.
    await new Promise(setImmediate);
    if (this.#failure) throw this.#failure;
    const next = this.#waiting.splice(this.random.below(this.#waiting.length), 1)[0];
    if (!next || next.actor.dead) return next !== undefined;
    this.steps++;
    this.now += this.random.below(40);
    const { actor } = next;
    if (actor.mortal && (this.random.chance(this.#faults.crash) || this.now > actor.until)) {
      this.faultCount++;
      this.#end(actor);
    } else {
      next.go();
    }
    return true;
  }

  async #call<T>(actor: Actor, effect: () => Promise<T>): Promise<T> {
    await this.turn(actor);
    if (this.random.chance(this.#faults.unavailable)) throw this.#fault("503 SlowDown");
    const result = await effect();
    await this.turn(actor);
    if (this.random.chance(this.#faults.lostAnswer)) throw this.#fault("connection reset");
    return result;
  }

  #fault(what: string): Fault {
    this.faultCount++;
    return new Fault(what);
  }

  through(actor: Actor, store: ObjectStore): ObjectStore {
    return {
      head: (...args) => this.#call(actor, () => store.head(...args)),
      get: (...args) => this.#call(actor, () => store.get(...args)),
      // The SDK repeats a request whose answer was lost: a conditional write then meets itself.
      put: async (...args) => {
        try {
          return await this.#call(actor, () => store.put(...args));
        } catch (error) {
          if (!(error instanceof Fault)) throw error;
          return this.#call(actor, () => store.put(...args));
        }
      },
      delete: (...args) => this.#call(actor, () => store.delete(...args)),
      list: (prefix, options) =>
        this.#call(actor, () => store.list(prefix, { limit: this.#pageSize, ...options })),
    };
  }

  throughUploads(actor: Actor, open: OpenUploads): OpenUploads {
    return {
      list: (...args) => this.#call(actor, () => open.list(...args)),
      abort: (upload) => this.#call(actor, () => open.abort(upload)),
    };
  }

  throughSend(actor: Actor, queue: Pick<Queue, "send">): Pick<Queue, "send"> {
    return { send: (...args) => this.#call(actor, () => queue.send(...args)) };
  }

  throughQueue(actor: Actor, queue: Queue): Queue {
    const { send } = this.throughSend(actor, queue);
    return {
      send,
      // Some are sent when it fails.
      sendMany: async (bodies) => {
        for (const body of bodies) await send(body);
      },
      backlog: () => this.#call(actor, () => queue.backlog()),
      receive: (...args) => queue.receive(...args),
      delete: (...args) => queue.delete(...args),
      retryIn: (...args) => queue.retryIn(...args),
    };
  }
}
