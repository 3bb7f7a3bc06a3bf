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
  /** How Darkroom ended: `ready`, or `rejected:` and the code. */
  readonly end: string;
  readonly format: FormatName | undefined;
  readonly header: Header | undefined;
  readonly bytes: Uint8Array;
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
};
