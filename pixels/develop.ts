/**
 * Everything that can be done to pixels: resize, turn, crop, encode. With `decoders/libvips.ts` the only file that
 * imports sharp; runs in the child process only.
 */
import sharp, { type Sharp } from "sharp";
import { type EncodeSettings, formats } from "../core/formats.ts";
import type { Focus, Plan, PlannedVariant, Rectangle, Shape, Turned } from "../core/plan.ts";
import { isSeenAt, isUnlike, isUnsure, qualityAgain, qualityFor, qualityOfGraphic } from "../core/quality.ts";
import { fromSrgb } from "./colour/cicp.ts";
import type { Colours } from "./colour/colours.ts";
import {
  deepened,
  fromInk,
  type Numbers,
  type Reading,
  straight,
  type Target,
  targets,
} from "./colour/straight.ts";
import { taggedHdr, taggedP3 } from "./colour/tag.ts";
import { withGainMap } from "./colour/ultra-hdr.ts";
import { focusOf } from "./focus.ts";
import { letGo } from "./let-go.ts";
import { dominantColour, rgbaOf, thumbhashOf } from "./placeholder.ts";
import type { Bright, Raster } from "./raster.ts";
import { packetIn } from "./rights/xmp.ts";
import { numbersOfFile, trialOf } from "./trial.ts";

const P3: Reading = {
  most: 255,
  meaning: { toXyz: targets.p3, curves: [fromSrgb, fromSrgb, fromSrgb], range: "sdr", peak: 0 },
};
const copyOf = ({ data, channels }: Raster): Numbers => ({ data: new Uint8Array(data), channels });

/** What a page shows until the image is there. @param small as the plan's `placeholder` has it */
export async function placeholderOf(raster: Raster, colour: Target) {
  const small = colour === "srgb" ? raster : { ...raster, data: straight(copyOf(raster), P3, "srgb") };
  const rgba = rgbaOf(small.data, small.channels);
  return {
    thumbhash: thumbhashOf(rgba, small.width, small.height),
    color: dominantColour(rgba),
    dataUrl: await dataUrlOf(small),
  };
}

/** The best of a few tiny WebPs whose data URL has at most 400 characters. */
async function dataUrlOf(small: Raster): Promise<string> {
  let url = "";
  for (const [side, quality] of [
    [24, 60],
    [20, 40],
    [16, 25],
    [12, 10],
  ] as const) {
    const image = open(small).resize(side, side, { fit: "inside", withoutEnlargement: true });
    url = `data:image/webp;base64,${(await image.webp({ quality, alphaQuality: 50 }).toBuffer()).toString("base64")}`;
    if (url.length <= 400) break;
  }
  return url;
}

const open = ({ data, width, height, channels, frames }: Raster) =>
  sharp(data, {
    raw: { width, height: height * frames, channels, ...(frames > 1 ? { pageHeight: height } : {}) },
    animated: frames > 1,
    limitInputPixels: false,
  });

/** Runs a pipeline to pixels in sRGB. */
export async function rasterOf(image: Sharp): Promise<Raster> {
  const { data, info } = await image
    .toColourspace("srgb")
    .raw({ depth: "uchar" })
    .toBuffer({ resolveWithObject: true });
  const { width, height, channels, pageHeight = height } = info;
  if (channels !== 3 && channels !== 4) throw new Error(`${channels} channels after conversion to sRGB`);
  return { data, width, height: pageHeight, channels, frames: height / pageHeight };
}

/** What a plan wants of a picture's colours. */
interface Wanted {
  readonly colour?: Target;
  /** The light of HDR as well. */
  readonly bright?: true;
}

/** Runs a pipeline to numbers as the file has them, and makes them straight. */
export async function straightRasterOf(
  image: Sharp,
  colours: Colours,
  { colour = "srgb", bright }: Wanted,
): Promise<Raster> {
  const from = colours.from(colour);
  const isDeep = colours.reading.most > 255;
  // By a profile of tables sharp comes to Display P3 with more than 8 bits, and to sRGB with this alone (lovell/sharp#2862).
  if (from === "profile" && isDeep) image.withIccProfile("srgb");
  if (from === "profile" || from === "srgb") return rasterOf(image);
  if (from === "ink") image.pipelineColourspace("cmyk").toColourspace("cmyk");
  else image.toColourspace(isDeep ? "rgb16" : "srgb");
  const { data, info } = await image
    .raw({ depth: isDeep ? "ushort" : "uchar" })
    .toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  const shape = { width, height, frames: 1 };
  if (from === "ink") return { ...shape, data: fromInk(data), channels: 3 };
  if (channels !== 3 && channels !== 4) throw new Error(`${channels} channels where red, green and blue are`);
  const numbers = isDeep ? new Uint16Array(data.buffer, data.byteOffset, data.length / 2) : data;
  const kept = bright && brightOf({ ...shape, data: numbers, channels }, colours);
  const made = straight({ data: numbers, channels }, colours.reading, colour);
  if (isDeep) letGo(data);
  return { ...shape, data: made, channels, ...kept };
}

/** What keeps the light of an HDR picture, before it is brought down. */
function brightOf(
  numbers: Numbers & Size,
  { reading, tag }: Pick<Colours, "reading" | "tag">,
): Partial<Raster> {
  const { width, height, channels } = numbers;
  return tag ? { bright: { data: deepened(numbers, reading), width, height, channels, tag } } : {};
}

interface Size {
  readonly width: number;
  readonly height: number;
}

/** Numbers as a decoder has them, small, and straight. */
export async function straightRaster(
  numbers: Numbers & Size,
  size: Size,
  colours: Pick<Colours, "reading" | "tag">,
  { colour = "srgb", bright }: Wanted,
): Promise<Raster> {
  const { data, width, height, channels } = numbers;
  const isDeep = data instanceof Uint16Array;
  const image = sharp(data, { raw: { width, height, channels }, limitInputPixels: false })
    .resize(size.width, size.height, { fit: "fill" })
    .toColourspace(isDeep ? "rgb16" : "srgb");
  const small = await image.raw({ depth: isDeep ? "ushort" : "uchar" }).toBuffer();
  const made = isDeep ? new Uint16Array(small.buffer, small.byteOffset, small.length / 2) : small;
  const kept = bright && brightOf({ ...size, data: made, channels }, colours);
  const data8 = straight({ data: made, channels }, colours.reading, colour);
  return { ...size, frames: 1, channels, data: data8, ...kept };
}

/** Pixels of a PNG that we wrote ourselves, by its ICC profile; one that is broken is not used. */
export const rasterOfPng = (png: Uint8Array) => rasterOf(sharp(png, { failOn: "none" }));

/** What becomes of pixels that nothing else needs. */
export async function replaced(from: Raster, by: (from: Raster) => Promise<Raster>): Promise<Raster> {
  const made = await by(from);
  if (made.data !== from.data) letGo(from.data);
  return made;
}

export function firstFrame(raster: Raster): Raster {
  if (raster.frames === 1) return raster;
  const { data, width, height, channels } = raster;
  // A copy: a view would keep the whole animation in memory.
  return {
    data: new Uint8Array(data.subarray(0, width * height * channels)),
    width,
    height,
    channels,
    frames: 1,
  };
}

/**
 * Runs a pipeline over every frame of its own. libvips would treat an animation as one tall picture, and rows of
 * neighbouring frames would bleed into each other (measured: three rows at every edge).
 */
async function eachFrame(from: Raster, pipeline: (frame: Sharp) => Sharp): Promise<Raster> {
  const size = from.width * from.height * from.channels;
  let all: Raster | undefined;
  for (let at = 0; at < from.frames; at++) {
    const frame = { ...from, data: from.data.subarray(at * size, (at + 1) * size), frames: 1 };
    const made = await rasterOf(pipeline(open(frame)));
    if (from.frames === 1) return made;
    // One buffer for all, filled as they come: together they can be 200 MB, which is enough once.
    all ??= { ...from, ...made, frames: from.frames, data: new Uint8Array(made.data.length * from.frames) };
    all.data.set(made.data, at * made.data.length);
    letGo(made.data);
  }
  if (!all) throw new Error("a picture without frames");
  return all;
}

/** Alpha that hides nothing, as in every screenshot of a Mac, would be encoded all the same: in AVIF as a second picture. */
export async function withoutIdleAlpha(raster: Raster): Promise<Raster> {
  const { data, channels } = raster;
  if (channels === 3) return raster;
  for (let at = 3; at < data.length; at += 4) if (data[at] !== 255) return raster;
  return eachFrame(raster, (image) => image.removeAlpha());
}

/** Resizes or crops to a shape. */
export async function shaped(from: Raster, shape: Shape): Promise<Raster> {
  const { width, height, crop, blur } = shape;
  if (width === from.width && height === from.height && blur === undefined) return from;
  const part = crop === undefined || crop === "entropy" ? undefined : partOf(from, shape, crop);
  return eachFrame(from, (image) => {
    if (part) image.extract(part);
    image.resize(width, height, crop === "entropy" ? { fit: "cover", position: crop } : { fit: "fill" });
    return blur === undefined ? image : image.blur(blur);
  });
}

/** What turns a picture upright, by EXIF orientation; mirroring comes first. */
const turns: Readonly<Record<number, { readonly mirror?: "flip" | "flop"; readonly degrees?: number }>> = {
  2: { mirror: "flop" },
  3: { degrees: 180 },
  4: { mirror: "flip" },
  5: { mirror: "flop", degrees: 270 },
  6: { degrees: 90 },
  7: { mirror: "flop", degrees: 90 },
  8: { degrees: 270 },
};

/**
 * Turned after the picture has become small: sharp's `autoOrient` comes before shrinking, decodes all of it and holds
 * it (48 MP JPEG: 548 MB instead of 374, measured).
 */
export async function upright(raster: Raster, orientation: number): Promise<Raster> {
  const turn = turns[orientation];
  if (!turn) return raster;
  const turned = (image: Sharp) => {
    if (turn.mirror) image[turn.mirror]();
    return turn.degrees === undefined ? image : image.rotate(turn.degrees);
  };
  const { bright } = raster;
  const made = await eachFrame(raster, turned);
  return bright ? { ...made, bright: await deepRaster(bright, turned(openBright(bright))) } : made;
}

/** A turn of an edit, as an orientation of EXIF. */
const ORIENTATIONS = { 0: 1, 90: 6, 180: 3, 270: 8 } as const;

/** What an edit leaves of the whole picture, with all that goes along with it. */
export async function cutOut(whole: Raster, { turn, crop }: Turned): Promise<Raster> {
  const { gainMap, delay, loop } = whole;
  const turned = await replaced(whole, (lies) => upright(lies, ORIENTATIONS[turn]));
  const made = crop ? await replaced(turned, (all) => cropped(all, crop)) : turned;
  const scaled = ({ width, height }: Raster): Rectangle | undefined =>
    crop && scaledTo(crop, turned, turn % 180 === 90 ? { width: height, height: width } : { width, height });
  const map = gainMap && {
    ...gainMap,
    raster: await cutOut(gainMap.raster, turnedBy(turn, scaled(gainMap.raster))),
  };
  return {
    ...made,
    ...(delay && { delay }),
    ...(loop !== undefined && { loop }),
    ...(map && { gainMap: map }),
  };
}
const turnedBy = (turn: Turned["turn"], crop: Rectangle | undefined): Turned => ({
  turn,
  ...(crop && { crop }),
});

async function cropped(from: Raster, part: Rectangle): Promise<Raster> {
  const { bright } = from;
  const made = await eachFrame(from, (image) => image.extract(part));
  if (!bright) return made;
  return {
    ...made,
    bright: await deepRaster(bright, openBright(bright).extract(scaledTo(part, from, bright))),
  };
}

/** The same part of a picture of another size, one pixel at least. */
function scaledTo({ left, top, width, height }: Rectangle, from: Size, to: Size): Rectangle {
  const across = (x: number) => Math.round((x * to.width) / from.width);
  const down = (y: number) => Math.round((y * to.height) / from.height);
  const [x, y] = [Math.min(to.width - 1, across(left)), Math.min(to.height - 1, down(top))];
  return {
    left: x,
    top: y,
    width: Math.max(1, Math.min(to.width, across(left + width)) - x),
    height: Math.max(1, Math.min(to.height, down(top + height)) - y),
  };
}

const openBright = ({ data, width, height, channels }: Bright) =>
  sharp(data, { raw: { width, height, channels }, limitInputPixels: false });

/** Runs a pipeline over numbers of 16 bits. */
async function deepRaster(from: Bright, image: Sharp): Promise<Bright> {
  const raw = image.toColourspace("rgb16").raw({ depth: "ushort" });
  const { data, info } = await raw.toBuffer({ resolveWithObject: true });
  const { width, height } = info;
  return { ...from, width, height, data: new Uint16Array(data.buffer, data.byteOffset, data.length / 2) };
}

/** An HDR rung. @param channels as many as the picture has now */
async function brightFile(
  bright: Bright | undefined,
  variant: PlannedVariant,
  channels: 3 | 4,
): Promise<Buffer> {
  if (!bright) throw new Error("a picture without a curve of its own");
  const { shape, format, encode, rights } = variant;
  const image = openBright(bright).resize(shape.width, shape.height, { fit: "fill" });
  if (channels === 3) image.removeAlpha();
  if (rights) image.withXmp(packetIn(rights));
  const file = await image.toColourspace("rgb16").toFormat(format, encode).toBuffer();
  return taggedHdr(file, bright.tag);
}

/** The largest rectangle of the shape's aspect ratio that lies in the picture, as near to what it is to keep as it can. */
function partOf(from: Raster, shape: Shape, crop: "attention" | "centre" | Focus) {
  const scale = Math.min(from.width / shape.width, from.height / shape.height);
  const width = Math.min(from.width, Math.max(1, Math.round(shape.width * scale)));
  const height = Math.min(from.height, Math.max(1, Math.round(shape.height * scale)));
  const seen = crop === "attention" ? focusOf(from, { width, height }) : crop;
  const focus = seen === "centre" ? { x: 0.5, y: 0.5 } : seen;
  const start = (centre: number, length: number, whole: number) =>
    Math.min(whole - length, Math.max(0, Math.round(centre * whole - length / 2)));
  return {
    left: start(focus.x, width, from.width),
    top: start(focus.y, height, from.height),
    width,
    height,
  };
}

/**
 * `drawn`: a screenshot, a chart, text. `mixed`: one with photographs in it, where to try without loss is four times the CPU for nothing.
 * `smooth`: a photograph that a phone has smoothed, or a drawing saved as a JPEG, which nothing tells apart: encoded as a photograph, and
 * looked at.
 */
export type Graphic = "drawn" | "mixed" | "smooth";

/** Rows of which one is looked at, and the shares of unlike neighbours up to which a picture is a graphic. */
const LOOK_EVERY = 16;
const DRAWN_UP_TO = 0.4;
const MIXED_UP_TO = 0.55;
/**
 * A screenshot with photographs in it has a ground as well: of all neighbours so many are alike in one colour, 0.1 to 0.5. Of what is smooth
 * it is 0.01 to 0.05 (measured).
 */
const GROUND_FROM = 0.1;
const COLOURS = 4096;

/**
 * Whether a picture is a screenshot or a drawing, by a look at every 16th row: the share of pixels that differ from their
 * left neighbour. Photographs came to 0.46 to 0.99, screenshots (also after JPEG) and charts to 0.01 to 0.35, and to 0.5 where
 * photographs stand in them (measured).
 */
export function graphicOf({ data, width, height, channels, frames }: Raster): Graphic | undefined {
  if (frames > 1 || width < 2) return undefined;
  const looked = (width - 1) * Math.ceil(height / LOOK_EVERY);
  // By a hash of the colour: what others add to the commonest is nothing.
  const alike = new Uint32Array(COLOURS);
  let different = 0;
  for (let y = 0; y < height; y += LOOK_EVERY) {
    const end = (y + 1) * width * channels;
    for (let at = (y * width + 1) * channels, left = at - channels; at < end; left = at, at += channels) {
      if (
        data[at] !== data[left] ||
        data[at + 1] !== data[left + 1] ||
        data[at + 2] !== data[left + 2] ||
        (channels === 4 && data[at + 3] !== data[left + 3])
      ) {
        different++;
      } else {
        const colour =
          ((data[at] ?? 0) * 31 + (data[at + 1] ?? 0) * 1009 + (data[at + 2] ?? 0) * 331) % COLOURS;
        alike[colour] = (alike[colour] ?? 0) + 1;
      }
    }
    // A photograph shows itself in the upper half.
    if (different > MIXED_UP_TO * looked) return undefined;
  }
  if (different <= DRAWN_UP_TO * looked) return "drawn";
  return Math.max(...alike) >= GROUND_FROM * looked ? "mixed" : "smooth";
}

/** A gain map's quality: what it says is soft, and a step in it would be seen as one of brightness. */
const MAP_QUALITY = 85;

/** With a gain map as much smaller than that of the file as the picture is. */
export async function withMapFor(
  made: Raster,
  { base, source }: Pick<Plan, "base" | "source">,
): Promise<Raster> {
  if (!made.gainMap || base.width >= source.width) return made;
  const { raster, meaning } = made.gainMap;
  const [width = 1, height = 1] = [raster.width, raster.height].map((side) =>
    Math.max(1, Math.round((side * base.width) / source.width)),
  );
  return { ...made, gainMap: { raster: await shaped(raster, { width, height }), meaning } };
}

/** The gain map as a JPEG, as much smaller than that of the whole picture as this one is. */
async function mapFor(
  raster: Raster,
  { width, gainMap }: Pick<Raster, "width" | "gainMap">,
): Promise<Buffer> {
  if (!gainMap) throw new Error("a picture without a gain map");
  const { raster: map } = gainMap;
  const scale = Math.min(1, raster.width / width);
  const size = [map.width, map.height].map((side) => Math.max(1, Math.round(side * scale)));
  const image = open(map).resize(size[0], size[1], { fit: "fill" });
  if (isGrey(map)) image.toColourspace("b-w");
  return image.jpeg({ quality: MAP_QUALITY, chromaSubsampling: "4:4:4" }).toBuffer();
}

const isGrey = ({ data, channels }: Raster) =>
  data.every((value, at) => at % channels > 2 || value === data[at - (at % channels)]);

/** The file of a variant. @param graphic as `graphicOf` says of the whole picture @param whole the base */
export async function encoded(
  raster: Raster,
  variant: PlannedVariant,
  graphic: Graphic | undefined,
  whole: Pick<Raster, "width" | "height" | "gainMap" | "bright">,
): Promise<Buffer> {
  const { format, encode, background, colour, gainMap, rights, aim } = variant;
  if (variant.bright) return brightFile(whole.bright, variant, raster.channels);
  const { delay, loop, frames } = raster;
  const animation = frames > 1 ? { ...(delay ? { delay } : {}), loop: loop ?? 0 } : {};
  const { graphics, ...own } = encode;
  const as = (settings: EncodeSettings): Promise<Buffer> => {
    const image = open(raster);
    if (!formats[format].alpha) image.flatten({ background });
    if (rights && !gainMap) image.withXmp(packetIn(rights));
    return image.toFormat(format, { ...settings, ...animation }).toBuffer();
  };
  const known = graphic === "smooth" ? undefined : graphic;
  const trial = aim && !known ? trialOf(raster, whole) : undefined;
  const kind = known ?? (trial && frames === 1 && isUnlike(trial) ? "mixed" : undefined);
  const file =
    kind && graphics
      ? await asGraphic(raster, variant, kind, as)
      : await atQuality(raster, variant, trial, !!graphic, (quality) => as({ ...own, quality }));
  if (gainMap && whole.gainMap)
    return withGainMap(file, await mapFor(raster, whole), whole.gainMap.meaning, rights);
  return colour === "p3" ? taggedP3(format, file) : file;
}

/** At a graphic's files: the first may have missed by so much that it could not say by how much. */
const LOOKS = 2;
/** What asks for this cannot be shown in 4:2:0, whatever it takes (65 points at 99, measured): then without loss. */
const TOO_MUCH = 97;

/** With the settings for graphics: at the format's number, or what looks at the file ask for; without loss where that is smaller. */
async function asGraphic(
  raster: Raster,
  { format, encode, aim, background }: PlannedVariant,
  kind: "drawn" | "mixed",
  as: (settings: EncodeSettings) => Promise<Buffer>,
): Promise<Buffer> {
  const { graphics, ...own } = encode;
  const { settings, orSmaller } = graphics ?? {};
  const lossy = { ...own, ...settings };
  const lossless = () => as({ ...own, ...orSmaller });
  let file = await as(lossy);
  const other = orSmaller && kind === "drawn" ? await lossless() : undefined;
  if (other && other.length < file.length) return other;
  let { quality } = own;
  for (let looks = 0; aim && looks < LOOKS; looks++) {
    const seen = await seenIn(file, raster, background);
    const better = seen ? qualityOfGraphic(format, aim, quality, seen) : quality;
    if (better === quality) break;
    if (orSmaller && better >= TOO_MUCH) return other ?? lossless();
    quality = better;
    file = await as({ ...lossy, quality });
  }
  return other && other.length < file.length ? other : file;
}

/** What a look at a file says, in a trial's numbers; of alpha what shows, as encoders change what it hides. */
async function seenIn(file: Buffer, raster: Raster, background: string): Promise<number[] | undefined> {
  if (raster.frames > 1) return undefined;
  const shown = async (image: Sharp): Promise<Raster> => {
    const data = await image.flatten({ background }).raw().toBuffer();
    return { ...raster, data, channels: 3 };
  };
  const before = raster.channels === 3 ? raster : await shown(open(raster));
  const after = await shown(sharp(file));
  const seen = numbersOfFile(before, file.length, after);
  for (const { data } of [before, after]) if (data !== raster.data) letGo(data);
  return seen;
}

/** At the quality that comes to what is aimed at; once more where a look at the file shows that it did not. */
async function atQuality(
  raster: Raster,
  { format, encode, aim, background }: PlannedVariant,
  trial: readonly number[] | undefined,
  smooth: boolean,
  as: (quality: number) => Promise<Buffer>,
): Promise<Buffer> {
  if (!aim || !trial) return as(encode.quality);
  const quality = qualityFor(format, encode, aim, trial);
  const file = await as(quality);
  const unsure = smooth ? isSeenAt(format, raster.width) : isUnsure(format, aim, raster.width, trial);
  const seen = unsure ? await seenIn(file, raster, background) : undefined;
  const better = seen ? qualityAgain(format, encode, aim, quality, trial, seen) : quality;
  return better === quality ? file : as(better);
}
