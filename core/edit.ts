/**
 * What is asked of an image after its upload: `edits/{id}.json`. The picture as it lies upright is turned, then cropped, and
 * the focus is a point of what that gives. Pure: shapes, arithmetic, and what an edit has to do with the recipe.
 */
import * as v from "valibot";
import { digest } from "./keys.ts";
import type { Cut, Focus, Header, Rectangle } from "./plan.ts";
import type { Preset } from "./preset.ts";

const share = v.pipe(v.number(), v.minValue(0), v.maxValue(1));
/** Characters of `alt`. Screen readers read all of it. */
const LONGEST_ALT = 1000;

/** Clockwise, in degrees, from how the original lies upright. */
export const TURNS = [0, 90, 180, 270] as const;
export type Turn = (typeof TURNS)[number];

const Point = v.strictObject({ x: share, y: share });
const Crop = v.strictObject({ x: share, y: share, width: share, height: share });
/** Shares, 0 to 1, of the picture after it was turned. */
export type Crop = v.InferOutput<typeof Crop>;

/** An edit as far as pixels show it. */
const shown = {
  focus: v.optional(Point),
  turn: v.optional(v.picklist(TURNS)),
  crop: v.optional(Crop),
};
export interface Shown {
  readonly focus?: Focus | undefined;
  /** None where absent. */
  readonly turn?: Turn | undefined;
  /** The whole picture where absent. */
  readonly crop?: Crop | undefined;
}

/** As it is stored. Unknown fields of a later release are dropped. */
const Stored = v.object({
  schema: v.literal(1),
  /** Counts the edits of this image, from 1. */
  rev: v.pipe(v.number(), v.integer(), v.minValue(1)),
  at: v.pipe(v.string(), v.isoTimestamp()),
  ...shown,
  /** What the picture shows, for those who do not see it. */
  alt: v.optional(v.string()),
});
export type Edit = v.InferOutput<typeof Stored>;

/** Undefined where it is none of ours. */
export function parseEdit(text: string): Edit | undefined {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), Stored), text);
  return parsed.success ? parsed.output : undefined;
}

/** With the ETag of its object, which tells the sweep that it has been applied. */
export type StandingEdit = Edit & { readonly etag: string };

/** As the document says it: public, and without `alt`, which stands there by itself. */
export const AppliedSchema = v.object({ rev: v.number(), etag: v.string(), ...shown });
export type Applied = v.InferOutput<typeof AppliedSchema>;

/** What a request changes: what is absent stays, null takes it away. */
export const ChangesSchema = v.strictObject({
  focus: v.optional(v.nullable(Point)),
  turn: v.optional(v.nullable(v.picklist(TURNS))),
  crop: v.optional(
    v.nullable(
      v.pipe(
        Crop,
        v.check(
          ({ x, y, width, height }) =>
            width > 0 && height > 0 && x + width <= 1 + ROUNDING && y + height <= 1 + ROUNDING,
          "a rectangle in the picture: x + width and y + height are at most 1",
        ),
      ),
    ),
  ),
  alt: v.optional(
    v.nullable(
      v.pipe(
        v.string(),
        v.maxLength(4 * LONGEST_ALT, `at most ${LONGEST_ALT} characters`),
        v.transform(cleanAlt),
        v.check((alt) => [...alt].length <= LONGEST_ALT, `at most ${LONGEST_ALT} characters`),
      ),
    ),
  ),
  /** The edit that this one was made upon, 0 for none: where there is another by now, nothing is changed. */
  rev: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0))),
});
export type Changes = v.InferOutput<typeof ChangesSchema>;
/** Of shares that somebody has worked out: 0.1 + 0.2 + 0.7 is more than 1. */
const ROUNDING = 1e-9;

/** One line: control characters, and those that turn text around, have no place in an attribute. */
function cleanAlt(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/\p{Bidi_Control}/gu, "")
    .replaceAll(/[\s\p{Cc}\p{Zl}\p{Zp}]+/gu, " ")
    .trim();
}

/** The edit that follows, without what says nothing; undefined where it says the same as the one that stands. */
export function changed(
  standing: Edit | undefined,
  { rev: _, ...changes }: Changes,
  at: Date,
): Edit | undefined {
  const { turn = 0, crop, focus, alt } = standing ?? {};
  const wanted = { turn, crop, focus, alt, ...definedOf(changes) };
  const before: Shown = { turn, crop };
  // What is not said goes along: the same part of the picture, and the same point of it where that is still to be seen.
  if (changes.crop === undefined && crop) wanted.crop = turnedCrop(crop, wanted.turn ?? 0, turn);
  const after: Shown = { turn: wanted.turn ?? 0, crop: wanted.crop ?? undefined };
  if (changes.focus === undefined && focus) wanted.focus = shownAt(originalAt(focus, before), after);
  const next = {
    ...(wanted.focus && { focus: wanted.focus }),
    ...(wanted.turn && { turn: wanted.turn }),
    ...(wanted.crop && !isWhole(wanted.crop) && { crop: wanted.crop }),
    ...(wanted.alt && { alt: wanted.alt }),
  };
  const { schema: _schema, rev = 0, at: _at, ...stands } = standing ?? {};
  const isSame = JSON.stringify(next) === JSON.stringify(ordered(stands));
  return isSame ? undefined : { schema: 1, rev: rev + 1, at: at.toISOString(), ...next };
}

const definedOf = <T extends object>(changes: T) =>
  Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined)) as Partial<T>;
const ordered = ({ focus, turn, crop, alt }: Partial<Edit>) => ({
  ...(focus && { focus }),
  ...(turn && { turn }),
  ...(crop && { crop }),
  ...(alt && { alt }),
});
const isWhole = ({ x, y, width, height }: Crop) => x === 0 && y === 0 && width === 1 && height === 1;

/** The recipe of a preset's variants under an edit; the preset's own where there is nothing to be seen of it. */
export function recipeOf(
  preset: Pick<Preset, "recipe"> | undefined,
  edit: Shown | undefined,
): string | undefined {
  const { focus, turn, crop } = edit ?? {};
  if (!preset || !(focus || turn || crop)) return preset?.recipe;
  return digest(preset.recipe, JSON.stringify([turn ?? 0, crop, focus]));
}

export const appliedOf = ({ rev, etag, focus, turn, crop }: StandingEdit): Applied => ({
  rev,
  etag,
  ...(focus && { focus }),
  ...(turn && { turn }),
  ...(crop && { crop }),
});

/** The header as the edited picture would have it, with what has to be cut out of the original for it. */
export function editedHeader(header: Header, { turn = 0, crop }: Shown = {}): Header {
  if (!turn && !crop) return header;
  const { width, height } = header;
  const source = { width, height };
  const size = turn % 180 === 90 ? { width: height, height: width } : source;
  if (!crop) return { ...header, ...size, cut: { turn, source } };
  const part = partOf(size, crop);
  const cut: Cut = { turn, source, crop: part };
  return { ...header, width: part.width, height: part.height, cut };
}

/** A crop in whole pixels of a picture of this size, one at least. */
function partOf(size: { width: number; height: number }, crop: Crop): Rectangle {
  const [left, width] = span(crop.x, crop.width, size.width);
  const [top, height] = span(crop.y, crop.height, size.height);
  return { left, top, width, height };
}

function span(start: number, length: number, whole: number): [start: number, length: number] {
  const from = Math.min(whole - 1, Math.round(start * whole));
  const to = Math.min(whole, Math.round((start + length) * whole));
  return [from, Math.max(1, to - from)];
}

/** Whether a crop has a pixel of a picture of this size, as it lies upright. */
export function hasPixels(
  crop: Crop,
  turn: Turn,
  { width, height }: { width: number; height: number },
): boolean {
  const [across, down] = turn % 180 === 90 ? [height, width] : [width, height];
  return Math.round(crop.width * across) >= 1 && Math.round(crop.height * down) >= 1;
}

/** Where a point of a picture comes to lie when that is turned. */
function turnedPoint({ x, y }: Focus, turn: Turn): Focus {
  if (turn === 90) return { x: 1 - y, y: x };
  if (turn === 180) return { x: 1 - x, y: 1 - y };
  return turn === 270 ? { x: y, y: 1 - x } : { x, y };
}
const back = (turn: Turn): Turn => TURNS[(4 - turn / 90) % 4] ?? 0;
const between = (from: Turn, to: Turn): Turn => TURNS[(4 + (to - from) / 90) % 4] ?? 0;

/** Where a point of the original, as it lies upright, is shown; the nearest to it that is shown where it is cut off. */
export function shownAt(point: Focus, { turn = 0, crop }: Shown = {}): Focus {
  const turned = turnedPoint(point, turn);
  const { x, y, width, height } = crop ?? WHOLE;
  return { x: within((turned.x - x) / width), y: within((turned.y - y) / height) };
}

/** The point of the original that is shown there. */
function originalAt({ x, y }: Focus, { turn = 0, crop = WHOLE }: Shown): Focus {
  return turnedPoint({ x: crop.x + x * crop.width, y: crop.y + y * crop.height }, back(turn));
}

function turnedCrop(crop: Crop, to: Turn, from: Turn): Crop {
  const turn = between(from, to);
  if (turn === 0) return crop;
  const corners = [
    { x: crop.x, y: crop.y },
    { x: crop.x + crop.width, y: crop.y + crop.height },
  ].map((corner) => turnedPoint(corner, turn));
  const [x, y] = [Math.min(...corners.map((one) => one.x)), Math.min(...corners.map((one) => one.y))];
  const isLying = turn % 180 === 90;
  return {
    x: within(x),
    y: within(y),
    width: isLying ? crop.height : crop.width,
    height: isLying ? crop.width : crop.height,
  };
}

const WHOLE: Crop = { x: 0, y: 0, width: 1, height: 1 };
const within = (value: number) => Math.min(1, Math.max(0, value));
