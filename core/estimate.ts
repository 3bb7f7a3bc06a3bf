/**
 * What a plan will cost, before any pixel moves: CPU time and memory of the pixel process, from figures measured on
 * one x86-64 core (`npm run bench`, docs/performance.md). Pure arithmetic, good to a third or so for photographs.
 */
import { DarkroomError } from "./errors.ts";
import { type EncodeSettings, type FormatName, formats } from "./formats.ts";
import type { Header, Plan, PlannedVariant, Step } from "./plan.ts";
import { maxPixelsOf, type Preset } from "./preset.ts";

export interface Estimate {
  /** CPU time in milliseconds, of all threads together, for a photograph. */
  readonly cpuMs: number;
  /** The same if the pixels turn out to be a graphic, which a header does not tell. */
  readonly graphicCpuMs: number;
  /** And if they turn out to be noise, the worst there is. */
  readonly noiseCpuMs: number;
  /** Resident memory at its highest, in bytes, with what the worker holds besides of unusually large originals. */
  readonly peakBytes: number;
}

/** What the function that runs the plan has. */
export interface Means {
  /** For the pixel process alone. */
  readonly memoryBytes: number;
  /** From the plan to the last variant, wall-clock. */
  readonly seconds: number;
  /** May be a fraction, as on Lambda. */
  readonly vcpus: number;
}

/** Node with sharp and libvips loaded, before any image. */
const PROCESS_BYTES = 110_000_000;
/** An original is held by the pixel process, and by the worker, of which two lanes may have one. */
const HELD = 3;
/** What the worker's own share has room for in each lane. */
const USUAL_SOURCE_BYTES = 25_000_000;
/** Of a source's or an earlier step's pixels, to resize them. */
const RESIZE_NS = 3;
/** Of all encoders at work, in bytes; a single larger one works alone. */
const ENCODERS_MOST = 350_000_000;
/** Up to here nobody needs to wait. */
const ENCODERS_LEAST = 60_000_000;
/**
 * For every further CPU, as a share of the largest encoder. With 0.3 an AVIF of half the width goes beside the largest
 * one: 12 MB more at the peak of a 12 MP photo, for 5 % less wall-clock time on two CPUs (measured).
 */
const BESIDE_LARGEST = 0.28;

/** What the encoders of a plan may take together, in bytes, by what the largest takes. @param parallel encodes at a time */
export const encodersBudget = (largest: number, parallel: number): number =>
  Math.min(ENCODERS_MOST, Math.max(ENCODERS_LEAST, largest * (1 + BESIDE_LARGEST * (parallel - 1))));

const area = ({ width, height }: { width: number; height: number }) => width * height;

/**
 * What `best` takes where a trial may be unsure, and graphics everywhere, in times one encode: of all pictures (measured), and where it is.
 * Other profiles' WebPs, of which one in ten is made again, are not counted: 2 % of a picture.
 */
const AGAIN = { usual: 1.2, worst: 2.1 } as const;

/** CPU time of one encode, in milliseconds. @param graphic with the settings for graphics */
export function encodeMs(
  { format, encode, shape, frames, aim }: PlannedVariant,
  graphic = false,
  again: number = AGAIN.usual,
): number {
  const { graphics, ...usual } = encode;
  const ns = (settings: EncodeSettings) =>
    (area(shape) * frames * formats[format].encoder.ns(settings) * (settings.bitdepth === 10 ? DEEPER : 1)) /
    1e6;
  if (!graphic || !graphics) return ns(usual) * (aim?.again ? again : 1);
  const { settings, orSmaller } = graphics;
  return ns({ ...usual, ...settings }) * (aim ? again : 1) + (orSmaller ? ns({ ...usual, ...orSmaller }) : 0);
}

/** What AVIF of 10 bits takes, CPU and memory, in times that of 8 (measured: 1.3 to 1.5). */
const DEEPER = 1.5;
/** Of the settings for graphics, in times the usual: AVIF in 4:4:4 takes 33 bytes per pixel, near-lossless WebP 31 (measured). */
const DRAWN = { sharp: 1.62, lossless: 5.4 } as const;

/**
 * What noise costs the encoders, in times a photograph: 2 to 2.3 in each format, and where alpha is noise too, which WebP
 * keeps without loss and AVIF encodes as a second picture, 3.7 (measured at 2561 × 2561: 17.1 s of CPU, 4.7 as a photograph).
 */
const NOISE = { opaque: 2.3, alpha: 3.7 } as const;

/** Memory that one encoder takes, in bytes, besides the pixels it reads. @param graphic with the settings for graphics */
export function encodeBytes({ format, shape, frames, encode }: PlannedVariant, graphic = false): number {
  const usual = formats[format].encoder.bytes * (encode.bitdepth === 10 ? DEEPER : 1);
  const drawn = graphic && encode.graphics && (encode.graphics.orSmaller ? DRAWN.lossless : DRAWN.sharp);
  return area(shape) * frames * usual * (drawn || 1);
}

/** @param sourceBytes size of the original; @param parallel encodes at a time */
export function estimateOf(plan: Plan, sourceBytes: number, parallel: number): Estimate {
  const { decode } = formats[plan.format];
  const encodes = plan.steps.flatMap((step) => step.encodes);
  const resizeMs = plan.steps.reduce((sum, step) => sum + stepMs(plan, step), 0);
  const decoded = area(plan.source) * plan.frames;
  // Of HDR once more, in 16 bits.
  const base = area(plan.base) * plan.frames * (plan.bright ? 12 : 4);
  // A header does not tell graphics: a large screenshot took 570 MB where the figures of photographs said 470.
  // Animations never count as graphics.
  const mayBeGraphic = plan.frames === 1;
  const before = (decoded * decode.ns) / 1e6 + resizeMs;
  const encodingMs = (graphic: boolean, again?: number) =>
    encodes.reduce((sum, variant) => sum + encodeMs(variant, graphic, again), 0);
  const noise = formats[plan.format].alpha ? NOISE.alpha : NOISE.opaque;
  const largest = encodes.map((variant) => encodeBytes(variant, mayBeGraphic)).sort((a, b) => b - a);
  const together = largest.slice(0, parallel).reduce((sum, bytes) => sum + bytes, 0);
  const encoding = Math.max(largest[0] ?? 0, Math.min(together, encodersBudget(largest[0] ?? 0, parallel)));
  return {
    cpuMs: before + encodingMs(false),
    graphicCpuMs: before + encodingMs(mayBeGraphic),
    noiseCpuMs: before + noise * encodingMs(false, AGAIN.worst),
    // What the decoder held is let go before the encoders start; the base and the first step's pixels stay.
    peakBytes:
      PROCESS_BYTES +
      sourceBytes +
      (HELD - 1) * Math.max(0, sourceBytes - USUAL_SOURCE_BYTES) +
      Math.max(decoded * decode.bytes + base, 2 * base + encoding),
  };
}

/** The largest original that there is memory for. */
export const mostBytes = ({ memoryBytes }: Means): number =>
  Math.floor((memoryBytes - PROCESS_BYTES + (HELD - 1) * USUAL_SOURCE_BYTES) / HELD);

/** The hungriest sources that a preset accepts in a format: its largest still, and animations that fill the budget. */
export function largestOf(preset: Preset, format: FormatName): Header[] {
  const { maxFrames, maxPixels } = preset.animation;
  const square = (pixels: number, frames: number): Header => {
    const side = Math.floor(Math.sqrt(pixels));
    return { format, width: side, height: side, frames, alpha: formats[format].alpha };
  };
  const still = square(maxPixelsOf(preset, format), 1);
  if (!formats[format].framesRead) return [still];
  return [still, ...[2, 10, maxFrames].map((frames) => square(maxPixels / frames, frames))];
}

/** CPU time to make a step's pixels from those before, in milliseconds. */
export function stepMs(plan: Plan, step: Step): number {
  const from = plan.steps[step.from]?.shape ?? plan.base;
  const same = from.width === step.shape.width && from.height === step.shape.height;
  return same ? 0 : (area(from) * (step.animated ? plan.frames : 1) * RESIZE_NS) / 1e6;
}

/**
 * Refuses what would end in a crash or a kill, before it is decoded.
 * @throws DarkroomError `too-many-pixels`
 */
export function withinMeans(
  { cpuMs, graphicCpuMs, noiseCpuMs, peakBytes }: Estimate,
  { memoryBytes, seconds, vcpus }: Means,
): void {
  const needed = Math.max(cpuMs, graphicCpuMs, noiseCpuMs) / 1000 / vcpus;
  if (peakBytes > memoryBytes) {
    const megabytes = (bytes: number) => Math.ceil(bytes / 1_000_000);
    throw new DarkroomError(
      "too-many-pixels",
      `The image would take about ${megabytes(peakBytes)} MB to develop; there are ${megabytes(memoryBytes)}.`,
    );
  }
  if (needed > seconds) {
    throw new DarkroomError(
      "too-many-pixels",
      `The image would take about ${Math.ceil(needed)} seconds to develop; it may take ${seconds}.`,
    );
  }
}
