/**
 * From a file's header and a preset: what will be done, before any pixel moves. Pure arithmetic; the child
 * process follows it to the letter.
 */
import { DarkroomError } from "./errors.ts";
import { type EncodeSettings, type FormatName, formats, MAX_SIDE, type OutputFormat } from "./formats.ts";
import { digest, PUBLIC, variantKey } from "./keys.ts";
import { encoderOf, maxPixelsOf, type NamedVariant, PIPELINE_VERSION, type Preset } from "./preset.ts";
import { type Aim, aimOf, type Quality } from "./quality.ts";
import { keptOf, type Rights } from "./rights.ts";

/** What the header of a source says. Sizes in pixels, after orientation. */
export interface Header {
  readonly format: FormatName;
  readonly width: number;
  readonly height: number;
  readonly frames: number;
  readonly alpha: boolean;
  /** Local time without zone, as the camera wrote it: `2026-05-01T10:00:00`. */
  readonly takenAt?: string | undefined;
  /** What its colours were, where they were not sRGB's. */
  readonly colour?: ColourName | undefined;
  /** How it is brighter than a screen of today. */
  readonly hdr?: HdrName | undefined;
  /** Whether its gain map is one that JPEG rungs can keep. */
  readonly gainMap?: boolean | undefined;
  /** What it says of whose it is. */
  readonly rights?: Rights | undefined;
  /** Whether it has a manifest of content credentials. */
  readonly c2pa?: boolean | undefined;
  /** What an edit has cut out: the sizes above are then of that. */
  readonly cut?: Cut | undefined;
}

export interface Rectangle {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Turned clockwise, in degrees, then a part of that. */
export interface Turned {
  readonly turn: 0 | 90 | 180 | 270;
  readonly crop?: Rectangle;
}
/** In pixels of the original, whose size `source` is. */
export interface Cut extends Turned {
  readonly source: { readonly width: number; readonly height: number };
}

/** Colours that the document has a name for; primaries of another kind are `other`. */
export const colourNames = ["display-p3", "adobe-rgb", "rec2020", "prophoto-rgb", "cmyk", "other"] as const;
export type ColourName = (typeof colourNames)[number];
/** The curves of ITU-R BT.2100, or a picture for today's screens with a second one that says how much brighter (ISO 21496-1). */
export const hdrNames = ["pq", "hlg", "gain-map"] as const;
export type HdrName = (typeof hdrNames)[number];

/** A point of the picture that crops should keep; 0 to 1 from the left and the top, after orientation. */
export interface Focus {
  readonly x: number;
  readonly y: number;
}

/** The pixels a variant shows, before its format: resized inside the box or cropped to cover it, then blurred. */
export interface Shape {
  readonly width: number;
  readonly height: number;
  readonly crop?: "attention" | "entropy" | "centre" | Focus;
  readonly blur?: number;
}

/** One variant of the plan. */
export interface PlannedVariant {
  readonly name: string;
  readonly format: OutputFormat;
  readonly shape: Shape;
  readonly encode: EncodeSettings;
  /** What the encoder's quality is chosen by, instead of the one of its settings. */
  readonly aim?: Aim;
  /** 1, or all of the source's where this variant stays animated. */
  readonly frames: number;
  /** Behind transparent pixels, for formats without alpha. */
  readonly background: string;
  /** In Display P3, with a profile that says so; else in sRGB, without one. */
  readonly colour?: "p3";
  /** With the source's gain map, as small as the picture. */
  readonly gainMap?: true;
  /** What its XMP says, and nothing else. */
  readonly rights?: Rights;
  /** Of an edited picture. */
  readonly cut?: Cut;
  /** In 10 bits by the source's own curve, PQ or HLG: with the light that no screen of sRGB has. */
  readonly bright?: true;
}

/** One size to compute: from the decoded base (`from: -1`) or from the pixels of an earlier step. */
export interface Step {
  readonly from: number;
  readonly shape: Shape;
  readonly animated: boolean;
  readonly encodes: readonly PlannedVariant[];
}

export interface Plan {
  readonly format: FormatName;
  readonly frames: number;
  readonly source: { readonly width: number; readonly height: number };
  /** Of the base; sRGB where it is not said. */
  readonly colour?: "p3";
  /** Whether some variant keeps the source's gain map. */
  readonly gainMap?: true;
  /** Whether some variant keeps the source's curve. */
  readonly bright?: true;
  /** Size to decode to: no step needs more. */
  readonly base: { readonly width: number; readonly height: number };
  /** What then becomes of the base, in its pixels, before any step. */
  readonly cut?: Turned;
  /** Largest first; a step's `from` is always an earlier one. */
  readonly steps: readonly Step[];
  /** What the placeholder is computed from: as a step, of the first frame. */
  readonly placeholder: { readonly from: number; readonly shape: Shape };
}

/**
 * Refuses what a header alone condemns, before anything is decoded: rule 4 of docs/design.md.
 * @throws DarkroomError `corrupt`, `dimension-too-large`, `too-many-pixels`, `too-many-frames`
 */
export function gate(header: Header, preset: Preset): void {
  const { width, height, format, frames } = header;
  if (width < 1 || height < 1) throw new DarkroomError("corrupt");
  const limit = maxPixelsOf(preset, format);
  if (width * height > limit) {
    throw new DarkroomError(
      "too-many-pixels",
      `The image has ${megapixels(width * height)} megapixels; at most ${megapixels(limit)} are accepted${formats[format].maxPixels ? ` for ${format.toUpperCase()}` : ""}.`,
    );
  }
  if (width > MAX_SIDE || height > MAX_SIDE) {
    throw new DarkroomError(
      "dimension-too-large",
      `The image is ${width} × ${height} pixels; a side may have at most ${MAX_SIDE}.`,
    );
  }
  if (preset.animation.over === "reject" && isOverBudget(header, preset)) {
    throw new DarkroomError(
      "too-many-frames",
      `The animation has ${frames} frames; it is over the limit for its size.`,
    );
  }
}

/** Colours that reach beyond sRGB's, by what can be seen. */
const WIDE: readonly ColourName[] = ["display-p3", "adobe-rgb", "rec2020", "prophoto-rgb"];

const megapixels = (pixels: number) => String(Math.round(pixels / 100_000) / 10);
/** Of all that has to be decoded, whatever an edit cuts out of it. */
function isOverBudget({ frames, cut, ...header }: Header, { animation }: Preset): boolean {
  const { width, height } = cut?.source ?? header;
  return frames > animation.maxFrames || width * height * frames > animation.maxPixels;
}

/**
 * The variants `preset` asks of this source, never enlarged. The ladder of an animation within the budget is
 * animated where the format can be; named variants (thumbnails, posters) are its first frame.
 */
export function variantsOf(header: Header, preset: Preset, focus?: Focus): PlannedVariant[] {
  const animated = header.frames > 1 && !isOverBudget(header, preset);
  const { ladder, named, background, profile } = preset;
  const isWide = preset.colour === "p3" && header.frames === 1 && WIDE.some((name) => name === header.colour);
  const rights = keptOf(header.rights, preset.keep);
  const hasGainMap = preset.hdr === true && header.gainMap === true;
  const isBright =
    preset.hdr === true && header.frames === 1 && (header.hdr === "pq" || header.hdr === "hlg");
  const still = (
    name: string,
    format: OutputFormat,
    shape: Shape,
    quality: Quality = preset.quality,
  ): PlannedVariant => {
    const aim = aimOf(format, quality, shape.width, profile);
    return {
      name,
      format,
      shape,
      encode: encoderOf(format, profile, typeof quality === "number" ? quality : undefined),
      ...(aim && { aim }),
      frames: 1,
      background,
      ...(isWide && { colour: "p3" as const }),
      ...(rights && { rights }),
      ...(header.cut && { cut: header.cut }),
    };
  };
  // A still AVIF beside an animated WebP would win in every <picture>: for animations the ladder keeps the
  // formats that animate, and the last one as the fallback for those that show neither.
  const ladderFormats = (ladder?.formats ?? []).filter(
    (format, i, all) => !animated || formats[format].animates || i === all.length - 1,
  );
  /** Names of their own: whoever looks for `w640` wants what every screen can show. */
  const brightRung = (width: number): PlannedVariant => {
    const {
      colour: _,
      aim: __,
      ...rung
    } = still(`w${width}-hdr`, "avif", inside(header, width), ladder?.quality?.avif);
    const { graphics: ___, ...encode } = rung.encode;
    return { ...rung, encode: { ...encode, bitdepth: 10 }, bright: true };
  };
  const fullWidth = Math.max(1, Math.floor(header.width * largestScale(header)));
  const widths = rungs(fullWidth, ladder?.widths ?? []);
  return [
    ...(isBright && ladderFormats.includes("avif") ? widths.map(brightRung) : []),
    ...widths.flatMap((width) =>
      ladderFormats
        .map(
          (format): PlannedVariant => ({
            ...still(`w${width}`, format, inside(header, width), ladder?.quality?.[format]),
            ...(animated && formats[format].animates ? { frames: header.frames } : {}),
            ...(hasGainMap && format === "jpeg" && { gainMap: true as const }),
          }),
        )
        // What moves, or is brighter, browsers take before all else: it must not end at a fall-back's width.
        .filter(
          ({ format, frames, gainMap }) =>
            frames > 1 || gainMap || width <= (ladder?.upTo?.[format] ?? width),
        ),
    ),
    ...Object.entries(named).flatMap(([name, spec]) =>
      [spec.format].flat().map((format) => still(name, format, shapeOf(header, spec, focus), spec.quality)),
    ),
  ];
}

/**
 * The widths of a ladder that a source fills. The first rung it does not fill is made at the source's own width,
 * unless the rung below is at least nine tenths of that.
 */
export function rungs(sourceWidth: number, widths: readonly number[]): number[] {
  const sorted = [...new Set(widths)].sort((a, b) => a - b);
  const filled = sorted.filter((width) => width <= sourceWidth);
  const below = filled.at(-1) ?? 0;
  if (filled.length < sorted.length && below < 0.9 * sourceWidth) filled.push(sourceWidth);
  return filled;
}

/** WebP's longest side. */
const MAX_VARIANT_SIDE = 16_383;
/** An AVIF takes 20 bytes of memory per pixel while it is encoded (measured): 250 MB. 2560 pixels wide in 9:16. */
const MAX_VARIANT_PIXELS = 12_000_000;
/** The placeholder's data URL has no more, and a ThumbHash, of 7 × 7 waves, needs 14. */
const PLACEHOLDER_SIDE = 24;

/** What a very long picture shrinks to before anything else: a screenshot of 2560 × 16,000 would make a 41 MP rung. */
function largestScale({ width, height }: { width: number; height: number }): number {
  return Math.min(
    1,
    MAX_VARIANT_SIDE / Math.max(width, height),
    Math.sqrt(MAX_VARIANT_PIXELS / (width * height)),
  );
}

function inside(source: { width: number; height: number }, width: number): Shape {
  const height = Math.round((source.height * width) / source.width);
  return { width, height: Math.min(MAX_VARIANT_SIDE, Math.max(1, height)) };
}

function shapeOf(
  source: { width: number; height: number },
  spec: NamedVariant,
  focus: Focus | undefined,
): Shape {
  const blur = spec.blur === undefined ? {} : { blur: spec.blur };
  if (spec.fit === "cover" && spec.width !== undefined && spec.height !== undefined) {
    // A box larger than the source shrinks, keeping its own aspect ratio.
    const scale = Math.min(1, source.width / spec.width, source.height / spec.height);
    const crop = spec.position === "focus" ? (focus ?? "attention") : spec.position;
    return {
      width: Math.max(1, Math.round(spec.width * scale)),
      height: Math.max(1, Math.round(spec.height * scale)),
      crop,
      ...blur,
    };
  }
  const scale = Math.min(
    largestScale(source),
    (spec.width ?? Infinity) / source.width,
    (spec.height ?? Infinity) / source.height,
  );
  return {
    width: Math.max(1, Math.round(source.width * scale)),
    height: Math.max(1, Math.round(source.height * scale)),
    ...blur,
  };
}

/** The key of a variant: a function of source bytes, recipe and pipeline version, so equal inputs share it. */
export function keyOf(id: string, sourceSha256: string, variant: PlannedVariant, home = PUBLIC): string {
  const { name, format, ...recipe } = variant;
  const id16 = digest(String(PIPELINE_VERSION), sourceSha256, format, JSON.stringify(recipe));
  return variantKey(id, name, id16, formats[format].extensions[0], home);
}

/** How to make `variants` with one decode. */
export function planOf(header: Header, variants: readonly PlannedVariant[]): Plan {
  const groups = new Map<string, { shape: Shape; animated: boolean; encodes: PlannedVariant[] }>();
  for (const variant of variants) {
    const animated = variant.frames > 1;
    const key = JSON.stringify([variant.shape, animated]);
    const group = groups.get(key) ?? { shape: variant.shape, animated, encodes: [] };
    group.encodes.push(variant);
    groups.set(key, group);
  }
  const sorted = [...groups.values()].sort(
    (a, b) => neededWidth(header, b.shape) - neededWidth(header, a.shape),
  );
  const steps = sorted.map((group, index): Step => {
    const earlier = sorted
      .slice(0, index)
      .map((step) => (step.animated === group.animated ? step : undefined));
    return { from: sourceOf(header, group.shape, earlier), ...group };
  });
  const width = Math.max(1, ...sorted.map(({ shape }) => neededWidth(header, shape)));
  const fitting = inside(header, Math.min(width, header.width));
  // Of a very high picture, a width rounded down can cost rows that a shape was promised.
  const base = { ...fitting, height: Math.max(fitting.height, ...sorted.map(({ shape }) => shape.height)) };
  const scale = Math.min(1, PLACEHOLDER_SIDE / Math.max(fitting.width, fitting.height));
  const placeholder = {
    width: Math.max(1, Math.round(fitting.width * scale)),
    height: Math.max(1, Math.round(fitting.height * scale)),
  };
  return {
    format: header.format,
    frames: Math.max(1, ...variants.map((variant) => variant.frames)),
    ...(variants.some(({ colour }) => colour) && { colour: "p3" as const }),
    ...(variants.some(({ gainMap }) => gainMap) && { gainMap: true as const }),
    ...(variants.some(({ bright }) => bright) && { bright: true as const }),
    source: header.cut?.source ?? { width: header.width, height: header.height },
    ...(header.cut ? wholeFor(base, header, header.cut) : { base }),
    steps,
    placeholder: { from: sourceOf(header, placeholder, sorted), shape: placeholder },
  };
}

/** The whole picture at such a size that a cut gives a base of this one, and the cut in its pixels. */
function wholeFor(
  base: { width: number; height: number },
  header: Header,
  { turn, crop, source }: Cut,
): Pick<Plan, "base" | "cut"> {
  const isLying = turn % 180 === 90;
  const across = base.width / header.width;
  const down = base.height / header.height;
  const whole = isLying ? { width: source.height, height: source.width } : source;
  const width = Math.max(base.width, Math.round(whole.width * across));
  const height = Math.max(base.height, Math.round(whole.height * down));
  const part = crop && {
    left: Math.min(width - base.width, Math.round(crop.left * across)),
    top: Math.min(height - base.height, Math.round(crop.top * down)),
    ...base,
  };
  return {
    base: isLying ? { width: height, height: width } : { width, height },
    cut: { turn, ...(part && { crop: part }) },
  };
}

/** Width the whole picture must have for `shape` to be cut from it without enlarging. */
function neededWidth(source: { width: number; height: number }, shape: Shape): number {
  if (!shape.crop) return shape.width;
  return Math.ceil(Math.max(shape.width, (shape.height * source.width) / source.height));
}

/**
 * The smallest earlier, uncropped step at least twice as wide: resizing from it costs at most 0.6 % in bytes
 * against resizing from the base (measured), and a fraction of the time.
 */
function sourceOf(
  source: Header,
  shape: Shape,
  earlier: readonly ({ readonly shape: Shape } | undefined)[],
): number {
  const needed = 2 * neededWidth(source, shape);
  return earlier.findLastIndex(
    (step) =>
      step &&
      !step.shape.crop &&
      !step.shape.blur &&
      step.shape.width >= needed &&
      step.shape.height >= shape.height,
  );
}
