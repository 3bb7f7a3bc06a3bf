/**
 * A look at the structure of a file that its decoder does not read without a word: whether pixels are missing, and if not,
 * how it can be read. A decoder's sentence does not decide that: libjpeg warns of what some phones write into every file.
 */
import type { Finding } from "../../core/checks.ts";
import type { FormatName } from "../../core/formats.ts";
import { boxesEndEarly } from "./boxes.ts";
import { walkJpeg } from "./jpeg.ts";
import { mendPng } from "./png.ts";
import { riffEndsEarly } from "./riff.ts";

/** The file again, all of whose pixels are there: the same, to be read over warnings, or a copy that gives no cause. */
export interface Whole {
  readonly bytes: Uint8Array;
  readonly failOn: "none" | "warning";
}

/** What the file is refused for. */
export class Refused extends Error {
  readonly finding: Finding;
  constructor(finding: Finding, options?: { cause: unknown }) {
    super(finding.check, options);
    this.finding = finding;
  }
}

type Look = (bytes: Uint8Array) => Finding | Whole | undefined | Promise<Finding | Whole | undefined>;

const looks: Partial<Record<FormatName, Look>> = {
  jpeg: (bytes) => {
    const found = walkJpeg(bytes);
    if (typeof found === "object") return found;
    // What is not walked is whole if its decoder says so.
    return { bytes, failOn: found === "whole" ? "none" : "warning" };
  },
  png: async (bytes) => {
    const found = await mendPng(bytes);
    return "check" in found ? found : { bytes: found, failOn: "warning" };
  },
  webp: riffEndsEarly,
  avif: boxesEndEarly,
  heic: boxesEndEarly,
};

/** @throws Refused with what the look found, or else with the decoder's error */
export async function lookAgain(format: FormatName, bytes: Uint8Array, cause: unknown): Promise<Whole> {
  const found = await looks[format]?.(bytes);
  if (found && "bytes" in found) return found;
  throw new Refused(found ?? { check: "decoder", at: 0 }, { cause });
}
