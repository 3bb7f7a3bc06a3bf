/**
 * Decides who goes on next, and when time passes. Whoever acts waits to be let go on before every step, so that any
 * interleaving can happen; an invocation may die at any of them.
 */
import type { Tally } from "./faults.ts";
import { type Random, seeded } from "./random.ts";
import type { Chain } from "./traced-queue.ts";

const CRASH = 0.012;
/** Of those, what ran out of its time instead. */
const STALL = 0.1;

/** Somebody with a turn of their own: a person, or an invocation, which may crash. */
export interface Actor {
  readonly mortal: boolean;
  /** When Lambda kills it. */
  readonly until: number;
  readonly ended: () => void;
  /** Nothing it would do afterwards happens. */
  dead: boolean;
  /** It did not come to its end. */
  killed: boolean;
  /** By how much its clock is wrong, in milliseconds. */
  skew: number;
  /** How often each function is in the chain of invocations that led to it, as Lambda's lineage says. */
  chain: Chain;
}

interface Waiting {
  readonly actor: Actor;
  readonly go: () => void;
}

export class Scheduler {
  readonly random: Random;
  readonly #tally: Tally;
  now = Date.parse("2026-11-20T12:00:00Z");
  steps = 0;
  calm = false;
  #failure: unknown;
  readonly #waiting: Waiting[] = [];
  #sleeping: (Waiting & { at: number })[] = [];

  constructor(seed: number, tally: Tally) {
    this.random = seeded(seed);
    this.#tally = tally;
  }

  /** @param lifetime in milliseconds, of an invocation; people do not crash */
  start(
    act: (actor: Actor) => Promise<void>,
    {
      lifetime,
      ended = () => {},
      skew = 0,
      chain = {},
    }: { lifetime?: number; ended?: () => void } & Partial<Pick<Actor, "skew" | "chain">> = {},
  ): void {
    const until = this.now + (lifetime ?? Number.POSITIVE_INFINITY);
    const actor: Actor = {
      mortal: lifetime !== undefined,
      until,
      ended,
      dead: false,
      killed: false,
      skew,
      chain,
    };
    act(actor).then(
      () => this.end(actor),
      (error: unknown) => {
        if (!actor.dead) this.#failure ??= error;
        this.end(actor);
      },
    );
  }

  end(actor: Actor, killed = false): void {
    if (!actor.dead) actor.killed = killed;
    if (!actor.dead) actor.ended();
    actor.dead = true;
  }

  turn(actor: Actor): Promise<void> {
    return new Promise((go) => this.#waiting.push({ actor, go }));
  }

  /** As `turn`, and not before so many milliseconds are over. */
  sleep(actor: Actor, ms: number): Promise<void> {
    return new Promise((go) => this.#sleeping.push({ actor, go, at: this.now + ms }));
  }

  /** To when the first of those who sleep wakes, or at most so far. False when nobody does. */
  advance(ms: number): boolean {
    const first = this.#sleeping.reduce((least, { at }) => Math.min(least, at), Number.POSITIVE_INFINITY);
    const then = Math.min(this.now + ms, Math.max(this.now, first));
    if (then < Number.POSITIVE_INFINITY) this.now = then;
    return first < Number.POSITIVE_INFINITY;
  }

  /** Lets one of those who wait go on. False when nobody does. */
  async step(): Promise<boolean> {
    // All promises that can settle by themselves have done so after this.
    await new Promise(setImmediate);
    if (this.#failure) throw this.#failure;
    if (this.#sleeping.length > 0) this.#wake();
    const next = this.#waiting.splice(this.random.below(this.#waiting.length), 1)[0];
    if (!next || next.actor.dead) return next !== undefined;
    this.steps++;
    this.now += this.random.below(40);
    if (this.#dies(next.actor)) this.end(next.actor, true);
    else next.go();
    return true;
  }

  #wake(): void {
    for (const sleeper of this.#sleeping) if (sleeper.at <= this.now) this.#waiting.push(sleeper);
    this.#sleeping = this.#sleeping.filter(({ at }) => at > this.now);
  }

  #dies({ mortal, until }: Actor): boolean {
    if (!mortal) return false;
    const late = this.now > until;
    if (!late && (this.calm || !this.random.chance(CRASH))) return false;
    const stalled = late || this.random.chance(STALL);
    this.#tally.count(stalled ? "invocation out of time" : "crash between two steps");
    return true;
  }
}
