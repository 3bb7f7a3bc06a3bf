/** PNG: a still is libvips' alone; of an animation it reads each frame, and browsers show none of what is hidden behind it. */
import type { FormatName } from "../../core/formats.ts";
import { replaced, withoutIdleAlpha } from "../develop.ts";
import { type ApngFrame, readApng } from "../look/apng.ts";
import { withoutIdleTransparency } from "../look/png.ts";
import { rgbaOf } from "../placeholder.ts";
import { shownFor, timesOf } from "../timing.ts";
import { composed, type Frame, mayShowThrough } from "./compose.ts";
import { openWithLibvips } from "./libvips.ts";
import type { Source } from "./source.ts";

export async function openPng(original: Uint8Array, format: FormatName): Promise<Source> {
  const bytes = withoutIdleTransparency(original);
  const still = await openWithLibvips(bytes, format);
  const apng = readApng(bytes);
  if (!apng || (apng.isFirstDefault && apng.frames.length === 1)) return still;
  const { frames, loop } = apng;
  const frameAs = (frame: ApngFrame): Frame => ({
    ...frame,
    after: frame.disposal === 1 ? "clear" : frame.disposal === 2 ? "restore" : "keep",
    replaces: !frame.isOver,
    draw: async () => {
      const source = await openWithLibvips(frame.png(), format);
      const { width, height } = frame;
      const size = { width, height };
      const { data, channels } = await source.decode({
        ...NO_STEPS,
        format,
        frames: 1,
        source: size,
        base: size,
      });
      return rgbaOf(data, channels);
    },
  });
  const drawn = frames.map(frameAs);
  const alpha = mayShowThrough(drawn, apng, !still.header.alpha);
  return {
    header: { ...still.header, width: apng.width, height: apng.height, frames: frames.length, alpha },
    async decode(plan) {
      if (plan.frames === 1 && apng.isFirstDefault) return still.decode(plan);
      const base = await replaced(await composed(drawn, apng, alpha, plan), withoutIdleAlpha);
      return { ...base, delay: frames.map(({ delay }) => shownFor(delay)), loop: timesOf(loop) };
    },
  };
}

const NO_STEPS = { steps: [], placeholder: { from: -1, shape: { width: 1, height: 1 } } };
