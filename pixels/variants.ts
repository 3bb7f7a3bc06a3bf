/** Follows a plan: which pixels are made when, how many encoders work at a time, and when memory is let go. */
import { encodeBytes, encodersBudget } from "../core/estimate.ts";
import type { Plan, Step } from "../core/plan.ts";
import { encoded, firstFrame, isGraphic, placeholderOf, type Raster, shaped } from "./develop.ts";
import { letGo } from "./let-go.ts";

/** Pixels by their step in the plan, -1 for the base; each is let go when what needs it has been made. */
class Rasters {
  readonly #live = new Map<number, { readonly raster: Raster; uses: number }>();
  readonly #plan: Plan;
  constructor(plan: Plan) {
    this.#plan = plan;
  }

  /** @param step which it is the pixels of; nothing may use them but by `use` */
  add(step: number, raster: Raster): void {
    const { steps, placeholder } = this.#plan;
    const encodes = steps[step]?.encodes.length ?? 0;
    this.#live.set(step, { raster, uses: encodes + [...steps, placeholder].filter(isFrom(step)).length });
  }

  /** Does one of the things that the plan has for these pixels. */
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
}

const isFrom =
  (step: number) =>
  ({ from }: { readonly from: number }) =>
    from === step;

/**
 * Makes every variant, largest first, `parallel` at a time, and the placeholder.
 * @param base nobody else may hold on to it: it is let go as soon as no step needs it
 */
export async function makeVariants(
  base: Raster,
  plan: Plan,
  parallel: number,
  made: (at: { step: number; encode: number }, bytes: Uint8Array) => void,
): Promise<Awaited<ReturnType<typeof placeholderOf>>> {
  const graphic = isGraphic(base);
  const rasters = new Rasters(plan);
  const shapedFrom = ({ from, animated, shape }: Pick<Step, "from" | "animated" | "shape">) =>
    rasters.use(from, (source) => shaped(animated ? source : firstFrame(source), shape));
  let placeholder: Awaited<ReturnType<typeof placeholderOf>> | undefined;
  const add = async (index: number, raster: Raster) => {
    rasters.add(index, raster);
    if (plan.placeholder.from !== index) return;
    placeholder = await placeholderOf(await shapedFrom({ ...plan.placeholder, animated: false }));
  };
  await add(-1, base);
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
    let isMade = false;
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
      if (!isMade) await add(index, await shapedFrom(step));
      isMade = true;
      const job = rasters
        .use(index, (pixels) => encoded(pixels, next.variant, graphic))
        .then((bytes) => made({ step: index, encode: next.encode }, bytes));
      working.set(job, next.memory);
      job.then(
        () => working.delete(job),
        () => {},
      );
    }
  }
  await Promise.all(working.keys());
  if (!placeholder) throw new Error("a plan without a placeholder");
  return placeholder;
}
