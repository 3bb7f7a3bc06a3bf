/**
 * Where Darkroom and a browser differ about a picture, on purpose or because nothing better can be had: every row with
 * its reason. `npm run oracle` holds every file against it, and docs/formats.md shows it.
 */
import type { FormatName } from "../core/formats.ts";
import type { Header } from "../core/plan.ts";

/** What a look at a file's structure can find: `test/oracle/facts.ts` says of each how. */
export type Fact =
  | "data-missing"
  | "arithmetic"
  | "bad-checksum"
  | "apng-order"
  | "short-palette"
  | "odd-profile"
  | "long-key"
  | "long-codes"
  | "alpha-denied"
  | "alpha-limited"
  | "profile-2"
  | "layers"
  | "derived-matrix"
  | "halved-chroma"
  | "grey-profile"
  | "empty-brand"
  | "table-profile"
  | "composed";

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
  readonly facts: ReadonlySet<Fact>;
}

export interface Reason {
  readonly what: string;
  readonly why: string;
  readonly applies: (file: Differing) => boolean;
}

/** Limits that a preset sets, and every browser has none. */
const limits = ["too-large", "too-many-pixels", "dimension-too-large", "too-many-frames"];

/** Whether the worst block is as opaque in the browser as here, taken for a number from 16 to 235. */
function isWidened(detail: string): boolean {
  const [black, white, blackThere, whiteThere] = [...detail.matchAll(/\b[0-9a-f]{6}\b/g)].map(([hex]) =>
    Number.parseInt(hex.slice(0, 2), 16),
  );
  if (black === undefined || white === undefined || blackThere === undefined || whiteThere === undefined)
    return false;
  const [ours, theirs] = [255 - white + black, 255 - whiteThere + blackThere];
  return ours !== theirs && Math.abs(Math.min(255, ((ours - 16) * 255) / 219) - theirs) < 3;
}

/**
 * Whether the block that differs most is as light in both: chroma alone is not where it was. A wrong matrix or range shows in the light
 * as well (red of BT.601 read by BT.709: 14 of 255).
 */
function isAsLight(detail: string): boolean {
  const found = /: ([0-9a-f]{6}) .*browser ([0-9a-f]{6})/.exec(detail);
  const [ours = 0, theirs = 255] = (found?.slice(1) ?? []).map((hex) => {
    const [red = 0, green = 0, blue = 0] = Buffer.from(hex, "hex");
    return 0.299 * red + 0.587 * green + 0.114 * blue;
  });
  return Math.abs(ours - theirs) < 3;
}

export const reasons: Readonly<Record<string, Reason>> = {
  limit: {
    what: "Pictures over a preset's limits of bytes, pixels or sides",
    why: "The worker's memory and time bound them; a browser may take the whole machine's.",
    applies: ({ end }) => limits.some((code) => end === `rejected:${code}`),
  },
  format: {
    what: "BMP, ICO, SVG, AVIF in its new short form (`mini`) and whatever else is in no row of the formats",
    why: "SVG is a program, the others are in no camera, and libheif does not read `mini` yet; `accept` names what a preset takes.",
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
    applies: ({ kind, facts }) => kind === "refused" && facts.has("data-missing"),
  },
  eoi: {
    what: "JPEGs whose data are all there, by a walk through their codes, though the marker of the end is missing",
    why: "Nothing is lost. Chromium leaves the last row of blocks out until the marker comes; Firefox shows it.",
    applies: ({ kind, format, facts }) =>
      kind === "accepted" && format === "jpeg" && !facts.has("data-missing"),
  },
  checksum: {
    what: "PNGs with a wrong checksum of their data, or cut off behind them: every row is there",
    why: "Nothing is lost. Chromium shows them, and counts them as unfinished.",
    applies: ({ kind, facts }) => kind === "accepted" && facts.has("bad-checksum"),
  },
  "apng-order": {
    what: "APNGs whose frames are out of order, or lack what describes them, are the still picture that they begin with",
    why: "Every pixel of it is there, and programs that know no APNG show it; browsers show of some of them nothing.",
    applies: ({ kind, facts }) => ["accepted", "colour"].includes(kind) && facts.has("apng-order"),
  },
  arithmetic: {
    what: "JPEGs in arithmetic coding of which the decoder complains",
    why: "Whether all is there cannot be seen without Huffman's codes. Whole ones are accepted; no camera writes any, and Firefox shows none.",
    applies: ({ kind, facts }) => kind === "refused" && facts.has("arithmetic"),
  },
  "short-palette": {
    what: "PNGs that name colours that their palette does not have",
    why: "They are black, as in libpng and Firefox; Chromium takes others.",
    applies: ({ kind, facts }) => kind === "colour" && facts.has("short-palette"),
  },
  "odd-profile": {
    what: "PNGs whose profile is packed in data that lack their end, or is a printer's of grey",
    why: "All of the profile is there, and libpng and Firefox take it; Chromium does not.",
    applies: ({ kind, facts }) => kind === "colour" && facts.has("odd-profile"),
  },
  "long-key": {
    what: "PNGs whose transparent grey has more bits than their pixels",
    why: "The lower bits count, as the specification says and Firefox does.",
    applies: ({ kind, facts }) => kind === "colour" && facts.has("long-key"),
  },
  "long-codes": {
    what: "GIFs whose codes begin with more than eight bits",
    why: "Every pixel is there, and Firefox shows them; Chromium shows nothing.",
    applies: ({ kind, facts }) => kind === "accepted" && facts.has("long-codes"),
  },
  "alpha-denied": {
    what: "Lossless WebP with transparency, though its header says that there is none",
    why: "It is taken at its word, as by Firefox; Chromium half uses it.",
    applies: ({ kind, facts }) => kind === "colour" && facts.has("alpha-denied"),
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
    applies: ({ kind, format, bytes }) => kind === "colour" && format === "jpeg" && has(bytes, "CMYKLab "),
  },
  tables: {
    what: "AVIF and JPEG with a profile by tables (A2B0)",
    why: "Little CMS here, and each browser its own way, comes between the tables' points, and to what lies outside sRGB.",
    applies: ({ kind, facts }) => kind === "colour" && facts.has("table-profile"),
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
  "widened-alpha": {
    what: "AVIF with alpha in PQ or HLG, or, of some, in sRGB",
    why: "Chromium takes its alpha for one of limited range, whatever the file says; Firefox does not.",
    applies: ({ kind, format, header, detail }) =>
      kind === "colour" &&
      format === "avif" &&
      header?.alpha === true &&
      (/pq|hlg/.test(header.hdr ?? "") || isWidened(detail)),
  },
  "derived-matrix": {
    what: "AVIF whose matrix follows from its primaries (code points 12 and 13 of H.273)",
    why: "It is decoded as that says; Chromium does not know it, and shows HDR flat.",
    applies: ({ kind, facts }) => kind === "colour" && facts.has("derived-matrix"),
  },
  "small-halved-chroma": {
    what: "AVIF in 4:2:0 of at most 160 pixels, whose colours change from one pixel to the next",
    why: "libheif repeats a colour over the pixels that share it, as Firefox does; Chromium goes from one to the next by degrees, a pixel wide.",
    applies: ({ kind, header, facts, detail }) =>
      kind === "colour" &&
      facts.has("halved-chroma") &&
      isAsLight(detail) &&
      Math.max(header?.width ?? 0, header?.height ?? 0) <= 160,
  },
  "profile-2": {
    what: "AVIF of AV1's professional profile: 4:2:2",
    why: "Every pixel is there, and Firefox shows it; Chromium draws nothing.",
    applies: ({ kind, facts }) => kind === "accepted" && facts.has("profile-2"),
  },
  layers: {
    what: "AVIF of several layers (`lsel`, `a1op`)",
    why: "libheif decodes the one that it is asked for, or refuses; Chromium draws nothing of most, Firefox shows none.",
    applies: ({ kind, facts }) => ["accepted", "refused"].includes(kind) && facts.has("layers"),
  },
  "alpha-range": {
    what: "AVIF whose alpha is of limited range",
    why: "It is widened, as the specification says; Chromium does not.",
    applies: ({ kind, facts }) => kind === "colour" && facts.has("alpha-limited"),
  },
  "avif-strict": {
    what: "AVIF that Chromium does not show at all: of several items (grids, alpha, gain maps), turned or cut by its properties, with a profile of grey, or with the brand of gain maps and none",
    why: "libavif holds them to rules that pixels do not need: a size for every item, what is essential marked so, nothing promised. libheif decodes every pixel.",
    applies: ({ kind, detail, facts }) =>
      kind === "accepted" &&
      detail === "not shown" &&
      (facts.has("composed") || facts.has("grey-profile") || facts.has("empty-brand")),
  },
  "lossless-jpeg": {
    what: "Lossless JPEG (process 14)",
    why: "No browser shows it; libjpeg-turbo reads all of it.",
    applies: ({ kind, format, bytes }) => kind === "accepted" && format === "jpeg" && has(bytes, "\xff\xc3"),
  },
};

const has = (bytes: Uint8Array, text: string) => Buffer.from(bytes).includes(text, 0, "latin1");
