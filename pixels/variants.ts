/** Follows a plan: which pixels are made when, how many encoders work at a time, and when memory is let go. */
import { encodeBytes, encodersBudget } from "../core/estimate.ts";
import type { Plan, Step } from "../core/plan.ts";
import { encoded, firstFrame, graphicOf, placeholderOf, shaped } from "./develop.ts";
import { letGo } from "./let-go.ts";
import type { Raster } from "./raster.ts";

type Placeholder = Awaited<ReturnType<typeof placeholderOf>>;

/** The base as a step: what nothing has to be made for. */
const BASE = -1;

/** Pixels by their step in the plan, made when they are asked for, and let go when what needs them has been made. */
class Rasters {
  readonly #live = new Map<number, { readonly raster: Raster; uses: number }>();
  readonly #plan: Plan;
  readonly #channels: number;
  #placeholder: Placeholder | undefined;

  constructor(plan: Plan, base: Raster) {
    this.#plan = plan;
    this.#channels = base.channels;
    this.#add(BASE, base);
  }

  /** Makes the pixels of a step, before them those that they are made from, and where it is theirs the placeholder. */
  async make(step: number): Promise<void> {
    const { placeholder } = this.#plan;
    if (!this.#live.has(step)) {
      const todo = this.#step(step);
      await this.make(todo.from);
      this.#add(step, await this.#shaped(todo));
    }
    if (placeholder.from !== step || this.#placeholder) return;
    this.#placeholder = await placeholderOf(
      await this.#shaped({ ...placeholder, animated: false }),
      this.#plan.colour ?? "srgb",
    );
  }

  /** Does one of the things that the plan has for the pixels of a step. */
  async use<T>(step: number, work: (raster: Raster) => Promise<T>): Promise<T> {
    const entry = this.#live.get(step);
    if (!entry) throw new Error(`step ${step} is gone`);
    const { raster } = entry;
    const made = await work(raster);
    entry.uses--;
    if (entry.uses === 0) {
      this.#live.delete(step);
      // A step of the size it is made from has the same pixels.
      const isNeeded = made === raster || [...this.#live.values()].some((other) => other.raster === raster);
      if (!isNeeded) letGo(raster.data);
    }
    return made;
  }

  /** Bytes of pixels of steps after `front`, those that `wanted` still has to be made from included. */
  bytesAhead(front: number, wanted: number): number {
    let bytes = 0;
    for (const [step, { raster }] of this.#live) if (step > front) bytes += raster.data.length;
    for (let step = wanted; step > front && !this.#live.has(step); ) {
      const { shape, animated, from } = this.#step(step);
      bytes += shape.width * shape.height * (animated ? this.#plan.frames : 1) * this.#channels;
      step = from;
    }
    return bytes;
  }

  /** There since its step was made. */
  get placeholder(): Placeholder {
    if (!this.#placeholder) throw new Error("a plan without a placeholder");
    return this.#placeholder;
  }

  #step(index: number): Step {
    const step = this.#plan.steps[index];
    if (!step) throw new Error(`there is no step ${index}`);
    return step;
  }

  #add(step: number, raster: Raster): void {
    const { steps, placeholder } = this.#plan;
    const encodes = steps[step]?.encodes.length ?? 0;
    this.#live.set(step, { raster, uses: encodes + [...steps, placeholder].filter(isFrom(step)).length });
  }

  #shaped({ from, animated, shape }: Pick<Step, "from" | "animated" | "shape">): Promise<Raster> {
    return this.use(from, (source) => shaped(animated ? source : firstFrame(source), shape));
  }
}

const isFrom =
  (step: number) =>
  ({ from }: { readonly from: number }) =>
    from === step;

/**
 * Makes every variant, largest first, `parallel` at a time, and the placeholder. Where memory has no room for the next
 * one, a smaller one goes before it.
 * @param base nobody else may hold on to it: it is let go as soon as no step needs it
 */
export async function makeVariants(
  base: Raster,
  plan: Plan,
  parallel: number,
  made: (at: { step: number; encode: number }, bytes: Uint8Array) => void,
): Promise<Placeholder> {
  const graphic = graphicOf(base);
  const waiting = plan.steps.flatMap(({ encodes }, step) =>
    encodes.map((variant, encode) => ({ step, encode, variant, memory: encodeBytes(variant, !!graphic) })),
  );
  const budget = encodersBudget(Math.max(0, ...waiting.map(({ memory }) => memory)), parallel);
  const { width, height, gainMap, bright } = base;
  const whole = { width, height, ...(gainMap && { gainMap }), ...(bright && { bright }) };
  const rasters = new Rasters(plan, base);
  await rasters.make(BASE);
  /** Encodes at work, with their memory. One that failed stays: the next await throws its error. */
  const working = new Map<Promise<void>, number>();
  while (waiting.length > 0) {
    const front = waiting[0]?.step ?? 0;
    const busy = [...working.values()].reduce((sum, memory) => sum + memory, 0);
    const fits = waiting.findIndex(
      ({ step, memory }) =>
        working.size === 0 ||
        (working.size < parallel && busy + memory + rasters.bytesAhead(front, step) <= budget),
    );
    const next = fits < 0 ? undefined : waiting.splice(fits, 1)[0];
    if (!next) {
      await Promise.race(working.keys());
      continue;
    }
    // Not before there is room: the pixels of an animation can take as much as its encoder.
    await rasters.make(next.step);
    const job = rasters
      .use(next.step, (pixels) => encoded(pixels, next.variant, graphic, whole))
      .then((bytes) => made({ step: next.step, encode: next.encode }, bytes));
    working.set(job, next.memory);
    job.then(
      () => working.delete(job),
      () => {},
    );
  }
  await Promise.all(working.keys());
  return rasters.placeholder;
}
