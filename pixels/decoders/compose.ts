/** The frames of a GIF or APNG as they are seen: each drawn over what the ones before it have left. */
import type { Plan, Rectangle } from "../../core/plan.ts";
import { shaped } from "../develop.ts";
import { letGo } from "../let-go.ts";
import type { Raster } from "../raster.ts";

/** One of the pictures that an animation is made of; it may lie outside of the canvas in part. */
export interface Frame extends Rectangle {
  /** What becomes of its place before the next one is drawn. */
  readonly after: "keep" | "clear" | "restore";
  /** Whether it replaces what is under it, also by transparency. */
  readonly replaces: boolean;
  /** Milliseconds, as the file says. */
  readonly delay: number;
  /** RGBA. */
  draw(): Uint8Array | Promise<Uint8Array>;
}

/** All frames, or the first, at the plan's base size. @param canvas in pixels; nothing is on it at first */
export async function composed(
  frames: readonly Frame[],
  canvas: { readonly width: number; readonly height: number },
  alpha: boolean,
  { frames: count, base }: Plan,
): Promise<Raster> {
  const channels = alpha ? 4 : 3;
  const shown = new Uint8Array(canvas.width * canvas.height * 4);
  const size = base.width * base.height * channels;
  const all = new Uint8Array(size * count);
  for (const [at, frame] of frames.slice(0, count).entries()) {
    const before = frame.after === "restore" ? shown.slice() : undefined;
    const pixels = await frame.draw();
    draw(shown, canvas, frame, pixels);
    const whole = { ...canvas, channels, frames: 1, data: alpha ? shown : withoutAlpha(shown) } as const;
    const small = await shaped(whole, base);
    all.set(small.data, at * size);
    if (small.data !== shown) letGo(small.data);
    if (before) shown.set(before);
    else if (frame.after === "clear") clear(shown, canvas, frame);
  }
  return { ...base, data: all, channels, frames: count };
}

/** Whether some of the canvas can be seen through in some frame. @param isOpaque whether the frames have no alpha */
export function mayShowThrough(
  [first, ...more]: readonly Frame[],
  canvas: { readonly width: number; readonly height: number },
  isOpaque: boolean,
): boolean {
  if (!first || !isOpaque || first.left > 0 || first.top > 0) return true;
  if (first.width < canvas.width || first.height < canvas.height) return true;
  return (
    (more.length > 0 && first.after !== "keep") || more.slice(0, -1).some(({ after }) => after === "clear")
  );
}

/** The part of a frame that is on the canvas. */
function visible(canvas: { width: number; height: number }, { left, top, width, height }: Rectangle) {
  return { right: Math.min(canvas.width, left + width), bottom: Math.min(canvas.height, top + height) };
}

function draw(
  shown: Uint8Array,
  canvas: { width: number; height: number },
  frame: Frame,
  pixels: Uint8Array,
): void {
  const { right, bottom } = visible(canvas, frame);
  const columns = right - frame.left;
  for (let y = frame.top; y < bottom && columns > 0; y++) {
    const to = (y * canvas.width + frame.left) * 4;
    const from = (y - frame.top) * frame.width * 4;
    if (frame.replaces) shown.set(pixels.subarray(from, from + columns * 4), to);
    else for (let i = 0; i < columns * 4; i += 4) blend(shown, to + i, pixels, from + i);
  }
}

/** Source over destination, neither premultiplied (PNG, third edition, 13.16). */
function blend(shown: Uint8Array, to: number, pixels: Uint8Array, from: number): void {
  const alpha = pixels[from + 3] ?? 0;
  if (alpha === 0) return;
  const under = shown[to + 3] ?? 0;
  const opaque = alpha === 255 || under === 0;
  const sum = opaque ? alpha : alpha + (under * (255 - alpha)) / 255;
  for (let c = 0; c < 3; c++) {
    const over = pixels[from + c] ?? 0;
    const below = shown[to + c] ?? 0;
    shown[to + c] = opaque ? over : Math.round(below + ((over - below) * alpha) / sum);
  }
  shown[to + 3] = Math.round(sum);
}

function clear(shown: Uint8Array, canvas: { width: number; height: number }, frame: Frame): void {
  const { right, bottom } = visible(canvas, frame);
  for (let y = frame.top; y < bottom && right > frame.left; y++)
    shown.fill(0, (y * canvas.width + frame.left) * 4, (y * canvas.width + right) * 4);
}

function withoutAlpha(rgba: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; to < rgb.length; from += 4, to += 3) {
    rgb[to] = rgba[from] ?? 0;
    rgb[to + 1] = rgba[from + 1] ?? 0;
    rgb[to + 2] = rgba[from + 2] ?? 0;
  }
  return rgb;
}
