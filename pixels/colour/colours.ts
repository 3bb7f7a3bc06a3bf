/**
 * One way to straight sRGB for every format and depth: what a file says of its colours becomes how its numbers are to be
 * read, and what the document says of it. Profiles of 8 bits, and those by tables, are left to libvips.
 */
import type { FormatName } from "../../core/formats.ts";
import { type ColourName, colourNames, type HdrName } from "../../core/plan.ts";
import {
  fromSrgb,
  inverse,
  type Matrix,
  type Primaries,
  power,
  primaries,
  SRGB_PRIMARIES,
  times,
  toXyz,
  transfers,
} from "./cicp.ts";
import { hasGainMap } from "./gain-map.ts";
import { isUsable, readProfile, spaceOf } from "./icc.ts";
import { type Cicp, type HdrTag, type Said, saidIn } from "./said.ts";
import { type Meaning, type Reading, type Target, targets } from "./straight.ts";
import { PEAK } from "./tone.ts";

/** What a decoder tells of a file. */
export interface Decoded {
  /** Red, green and blue, one number for all three, or ink. */
  readonly space: "light" | "grey" | "ink";
  /** Of one number: more than 8 come as 16, moved to the upper end. */
  readonly bits: number;
  readonly icc: Uint8Array | undefined;
  /** Adobe RGB by EXIF (DCF 2.0, 4.7: interoperability index R03). */
  readonly isAdobeRgb: boolean;
}

export interface Colours {
  /**
   * How pixels come from the decoder: sRGB as they are, through the file's profile, as numbers that are still to be made
   * straight, or as ink.
   */
  readonly from: (target: Target) => "srgb" | "profile" | "numbers" | "ink";
  readonly reading: Reading;
  /** What it was, where it was not sRGB. */
  readonly colour?: ColourName;
  readonly hdr?: HdrName;
  /** Of PQ and HLG. */
  readonly tag?: HdrTag;
  /** Whether a target is worth its profile: narrow pictures stay sRGB. */
  readonly isWide: boolean;
  /** See `Said`. */
  readonly wrongBit?: number;
}

const ADOBE_RGB: Primaries = { ...primaries[SRGB_PRIMARIES], green: [0.21, 0.71] };
const PROPHOTO: Primaries = {
  red: [0.7347, 0.2653],
  green: [0.1596, 0.8404],
  blue: [0.0366, 0.0001],
  white: [0.3457, 0.3585],
};
/** What the document calls it, by primaries. */
const names: Partial<Record<ColourName, Matrix>> = {
  "display-p3": targets.p3,
  "adobe-rgb": toXyz(ADOBE_RGB),
  rec2020: toXyz(primaries[9]),
  "prophoto-rgb": toXyz(PROPHOTO),
};
/** Profiles round, and makers differ in the last digits. */
const isAlike = (a: Matrix, b: Matrix): boolean =>
  a.every((row, r) => row.every((cell, c) => Math.abs(cell - (b[r]?.[c] ?? 0)) < 0.004));
function nameOf({ toXyz }: Meaning): ColourName | undefined {
  if (isAlike(toXyz, targets.srgb)) return undefined;
  return colourNames.find((name) => names[name] && isAlike(toXyz, names[name])) ?? "other";
}

/** Whether its numbers are sRGB's own, to less than half a level of 255. */
function isSrgb({ toXyz, curves, range }: Meaning): boolean {
  const levels = Array.from({ length: 16 }, (_, i) => (i + 1) / 16);
  const isCurve = curves.every((curve) => levels.every((v) => Math.abs(curve(v) - fromSrgb(v)) < 0.003));
  return range === "sdr" && isCurve && isAlike(toXyz, targets.srgb);
}

/** A gamut that reaches over sRGB's by what can be seen. */
function isWider({ toXyz }: Meaning): boolean {
  return times(inverse(targets.srgb), toXyz).some((row) => row.some((cell) => cell < -0.02));
}

export function coloursOf(format: FormatName, bytes: Uint8Array, decoded: Decoded): Colours {
  const { bits, space } = decoded;
  const icc = decoded.icc && isUsable(decoded.icc) ? decoded.icc : undefined;
  const most = bits > 8 ? (2 ** bits - 1) * 2 ** (16 - bits) : 255;
  if (space === "ink") {
    const isProfiled = icc !== undefined && spaceOf(icc) === "CMYK";
    return { from: () => (isProfiled ? "profile" : "ink"), reading: { most }, colour: "cmyk", isWide: false };
  }
  const said = saidIn(format, bytes, icc !== undefined);
  const profile = said.colour.by === "icc" && icc ? readProfile(icc) : undefined;
  const meaning = meaningOf(said, profile, decoded);
  const { limited = false, alphaLimited = false, premultiplied = false } = said;
  const isSdr = meaning === undefined || meaning.range === "sdr";
  // Little CMS would not have a profile of three colours for one number, nor one of grey for three that are alike.
  const isOther =
    icc !== undefined && spaceOf(icc) === (space === "grey" ? "RGB" : said.monochrome && "GRAY");
  const isByLibvips =
    said.colour.by === "icc"
      ? isSdr && ((bits === 8 && !isOther) || !profile)
      : bits === 8 && (!meaning || isSrgb(meaning));
  const isStraight = isByLibvips && !limited && !alphaLimited && !premultiplied;
  const isWide = meaning !== undefined && isWider(meaning);
  const colour = meaning ? nameOf(meaning) : said.colour.by === "icc" ? "other" : undefined;
  const hdr = hdrOf(meaning, format, bytes);
  const cicp = said.colour.by === "cicp" ? said.colour.cicp : profile?.cicp;
  const tag = !isSdr && cicp && { ...cicp, ...(said.peak && { peak: said.peak }) };
  return {
    from: (target) => {
      if (!isStraight || (target !== "srgb" && isWide)) return "numbers";
      return said.colour.by === "icc" ? "profile" : "srgb";
    },
    reading: { most, limited, alphaLimited, premultiplied, ...(meaning && { meaning }) },
    isWide,
    ...(colour && { colour }),
    ...(hdr && { hdr }),
    ...(tag && { tag }),
    ...(said.wrongBit !== undefined && { wrongBit: said.wrongBit }),
  };
}

function hdrOf(meaning: Meaning | undefined, format: FormatName, bytes: Uint8Array): HdrName | undefined {
  if (meaning && meaning.range !== "sdr") return meaning.range;
  return hasGainMap(format, bytes) ? "gain-map" : undefined;
}

function meaningOf(
  { colour, peak = PEAK }: Said,
  profile: ReturnType<typeof readProfile>,
  { isAdobeRgb }: Decoded,
): Meaning | undefined {
  if (colour.by === "cicp") return ofCicp(colour.cicp, peak);
  if (colour.by === "gamma") return ofGamma(colour);
  if (colour.by === "icc") {
    if (!profile) return undefined;
    // Profiles of HDR say a curve of their own for those that know nothing of code points.
    if (profile.cicp && transfers[profile.cicp.transfer].range !== "sdr") return ofCicp(profile.cicp, peak);
    return { toXyz: profile.toXyz ?? targets.srgb, curves: profile.curves, range: "sdr", peak };
  }
  // DCF 2.0: a power of 563/256.
  return isAdobeRgb
    ? { toXyz: toXyz(ADOBE_RGB), curves: same(power(563 / 256)), range: "sdr", peak }
    : undefined;
}

const same = <T>(curve: T): readonly [T, T, T] => [curve, curve, curve];

function ofCicp(cicp: Cicp, peak: number): Meaning {
  const { toLight, range } = transfers[cicp.transfer];
  return { toXyz: toXyz(primaries[cicp.primaries]), curves: same(toLight), range, peak };
}

/** libpng's threshold, under which a difference of gamma is none: PNGs of sRGB say 0.45455. */
const NEAR = 0.05;

function ofGamma({ gamma, chromaticities }: Extract<Said["colour"], { by: "gamma" }>): Meaning | undefined {
  const curves = same(power(1 / gamma));
  if (!chromaticities) {
    if (Math.abs(gamma * 2.2 - 1) < NEAR) return undefined;
    return { toXyz: targets.srgb, curves, range: "sdr", peak: PEAK };
  }
  const [wx = 0, wy = 0, rx = 0, ry = 0, gx = 0, gy = 0, bx = 0, by = 0] = chromaticities;
  const matrix = toXyz({ white: [wx, wy], red: [rx, ry], green: [gx, gy], blue: [bx, by] });
  // A white without light, or three colours on a line, as in files that never meant it.
  if (!matrix.flat().every(Number.isFinite)) return undefined;
  return { toXyz: matrix, curves, range: "sdr", peak: PEAK };
}
