/** Follows a plan: which pixels are made when, how many encoders work at a time, and when memory is let go. */
import { encodeBytes, encodersBudget } from "../core/estimate.ts";
import type { Plan, Step } from "../core/plan.ts";
import { encoded, firstFrame, isGraphic, type Raster, shaped } from "./develop.ts";

/** The pixels that steps are made from, by their index in the plan; at first the base alone, as -1. */
export type Rasters = Map<number, Promise<Raster>>;

/**
 * Makes every variant, largest first, `parallel` at a time. What no later step needs is taken out of `rasters`, so
 * nobody else should hold on to it.
 */
export async function makeVariants(
  rasters: Rasters,
  plan: Plan,
  parallel: number,
  made: (at: { step: number; encode: number }, bytes: Uint8Array) => void,
): Promise<void> {
  const graphic = await showsGraphic(rasters);
  const budget = encodersBudget(
    Math.max(
      0,
      ...plan.steps.flatMap(({ encodes }) => encodes.map((variant) => encodeBytes(variant, graphic))),
    ),
  );
  /** Encodes at work, with their memory. One that failed stays: the next await throws its error. */
  const working = new Map<Promise<void>, number>();
  const isRoomFor = (memory: number) =>
    working.size < parallel && [...working.values()].reduce((a, b) => a + b, memory) <= budget;
  for (const [index, step] of plan.steps.entries()) {
    let raster: Promise<Raster> | undefined;
    const waiting = step.encodes.map((variant, encode) => ({
      variant,
      encode,
      memory: encodeBytes(variant, graphic),
    }));
    while (waiting.length > 0) {
      // The first that there is room for: beside a large AVIF, a WebP need not wait behind the next AVIF.
      const fits = waiting.findIndex(({ memory }) => working.size === 0 || isRoomFor(memory));
      const next = fits < 0 ? undefined : waiting.splice(fits, 1)[0];
      if (!next) {
        await Promise.race(working.keys());
        continue;
      }
      // Not before there is room: the pixels of an animation can take as much as its encoder.
      const isFirst = raster === undefined;
      raster ??= stepFrom(rasters, step);
      const job = raster
        .then((pixels) => encoded(pixels, next.variant, graphic))
        .then((bytes) => made({ step: index, encode: next.encode }, bytes));
      working.set(job, next.memory);
      job.then(
        () => working.delete(job),
        () => {},
      );
      if (isFirst) {
        rasters.set(index, raster);
        await raster;
        release(rasters, plan, index);
      }
    }
  }
  await Promise.all(working.keys());
}

/** A function of its own, so that nothing keeps the base's pixels after it. */
async function showsGraphic(rasters: Rasters): Promise<boolean> {
  const base = await rasters.get(-1);
  return base !== undefined && isGraphic(base);
}

async function stepFrom(rasters: Rasters, { from, animated, shape }: Step): Promise<Raster> {
  const source = await rasters.get(from);
  if (!source) throw new Error(`step ${from} is gone`);
  return shaped(animated ? source : firstFrame(source), shape);
}

/** Lets go of what no step after `index` is made from. */
function release(rasters: Rasters, plan: Plan, index: number): void {
  const before = rasters.size;
  for (const done of rasters.keys()) {
    if (!plan.steps.some((later, at) => at > index && later.from === done)) rasters.delete(done);
  }
  if (rasters.size < before) collect(plan.base, plan.frames);
}

/** V8 lets buffers pile up that nobody refers to; where they are large, it is worth its 5 to 8 ms of CPU. */
export function collect({ width, height }: { width: number; height: number }, frames: number): void {
  if (width * height * frames > 20_000_000) globalThis.gc?.();
}
