/**
 * Where Darkroom and a browser differ about a picture, on purpose or because nothing better can be had: every row with
 * its reason. `npm run oracle` holds every file against it, and docs/formats.md shows it.
 */
import type { FormatName } from "../core/formats.ts";
import type { Header } from "../core/plan.ts";

/** What is known of a file about which the two differ. */
export interface Differing {
  /** As it was given, with `/`. */
  readonly path: string;
  readonly kind: string;
  readonly detail: string;
  /** How Darkroom ended: `ready`, or `rejected:` and the code. */
  readonly end: string;
  readonly format: FormatName | undefined;
  readonly header: Header | undefined;
  readonly bytes: Uint8Array;
  /** A walk through a JPEG's structure has found that its data end early or make no sense. */
  readonly dataMissing: boolean;
  /** Of an AVIF. */
  readonly alphaLimited: boolean;
}

export interface Reason {
  readonly what: string;
  readonly why: string;
  readonly applies: (file: Differing) => boolean;
}

/** Limits that a preset sets, and every browser has none. */
const limits = ["too-large", "too-many-pixels", "dimension-too-large", "too-many-frames"];

export const reasons: Readonly<Record<string, Reason>> = {
  limit: {
    what: "Pictures over a preset's limits of bytes, pixels or sides",
    why: "The worker's memory and time bound them; a browser may take the whole machine's.",
    applies: ({ end }) => limits.some((code) => end === `rejected:${code}`),
  },
  format: {
    what: "BMP, ICO, SVG and whatever else is in no row of the formats",
    why: "SVG is a program, the others are in no camera; `accept` names what a preset takes.",
    applies: ({ kind, format }) => kind === "refused" && format === undefined,
  },
  budget: {
    what: "Animations over the preset's budget of frames and pixels are their first frame",
    why: "DESIGN: a picture of the first moment is better than a refusal.",
    applies: ({ kind, header }) =>
      kind === "frames" &&
      header !== undefined &&
      (header.frames > 200 || header.width * header.height * header.frames > 50_000_000),
  },
  missing: {
    what: "JPEGs whose data end early, or make no sense, though the file goes on to its end",
    why: "What has pixels missing is not accepted; browsers fill them with grey and say nothing.",
    applies: ({ kind, dataMissing }) => kind === "refused" && dataMissing,
  },
  eoi: {
    what: "JPEGs whose data are all there, by a walk through their codes, though the marker of the end is missing",
    why: "Nothing is lost. Chromium leaves the last row of blocks out until the marker comes; Firefox shows it.",
    applies: ({ kind, format, dataMissing }) => kind === "accepted" && format === "jpeg" && !dataMissing,
  },
  checksum: {
    what: "PNGs with a wrong checksum of their data, or cut off behind them: every row is there",
    why: "Nothing is lost. Chromium shows them, and counts them as unfinished.",
    applies: ({ kind, format }) => kind === "accepted" && format === "png",
  },
  "gif-cut": {
    what: "GIFs that end inside a frame after the first one",
    why: "Their upload, or an earlier one, broke off; Chromium plays the frames before as if there were no others.",
    applies: ({ kind, format, end }) =>
      kind === "refused" && format === "gif" && end === "rejected:truncated",
  },
  sequence: {
    what: "AVIF sequences are their first picture",
    why: "libvips reads no more of them, and an animated WebP in their place would be larger than most.",
    applies: ({ kind, format, bytes }) => kind !== "refused" && format === "avif" && has(bytes, "ftypavis"),
  },
  "animated-profile": {
    what: "The profile of an animated WebP is applied",
    why: "The container has it for every frame; Chromium goes by those of stills alone.",
    applies: ({ kind, format, header, bytes }) =>
      ["colour", "frames"].includes(kind) &&
      format === "webp" &&
      (header?.frames ?? 1) > 1 &&
      has(bytes, "ICCP"),
  },
  "cmyk-profile": {
    what: "CMYK with a profile",
    why: "Every program comes to other colours, as inks have more of them than profiles agree about: here libvips by Little CMS, in the perceptual intent.",
    applies: ({ kind, format, bytes }) => kind === "colour" && format === "jpeg" && has(bytes, "prtrCMYK"),
  },
  "adobe-rgb": {
    what: "JPEGs that say by EXIF (interoperability index R03) that they are Adobe RGB, and have no profile",
    why: "DCF, which cameras follow, has it so, and so do Safari and programs for photographs; Chromium and Firefox take them for sRGB, paler than they were.",
    applies: ({ kind, format, bytes }) => kind === "colour" && format === "jpeg" && has(bytes, "R03\0"),
  },
  clap: {
    what: "AVIF is cut to its clean aperture (`clap`)",
    why: "The specification asks for it; Chromium ignores it.",
    applies: ({ kind, format, bytes }) => kind === "size" && format === "avif" && has(bytes, "clap"),
  },
  "alpha-range": {
    what: "AVIF whose alpha is of limited range",
    why: "It is widened, as the specification says; Chromium does not.",
    applies: ({ kind, alphaLimited }) => kind === "colour" && alphaLimited,
  },
  "avif-strict": {
    what: "AVIF that Chromium does not show at all: some grids, profiles of grey, a brand without what it promises, 4:2:2",
    why: "Every pixel is there, and libheif decodes it.",
    applies: ({ kind, format, detail }) => kind === "accepted" && format === "avif" && detail === "not shown",
  },
  "lossless-jpeg": {
    what: "Lossless JPEG (process 14)",
    why: "No browser shows it; libjpeg-turbo reads all of it.",
    applies: ({ kind, format, bytes }) => kind === "accepted" && format === "jpeg" && has(bytes, "\xff\xc3"),
  },
};

const has = (bytes: Uint8Array, text: string) => Buffer.from(bytes).includes(text, 0, "latin1");
