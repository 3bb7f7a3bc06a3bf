/** What to do about a file that was refused; what is wrong comes with the error. */

/** Of the preset, where the page knows them. */
export interface Limits {
  /** For people: `["JPEG", "PNG"]`. */
  readonly formats?: readonly string[] | undefined;
  readonly maxBytes?: number | undefined;
}

export interface Explained {
  /** What is wrong, a sentence. */
  readonly what: string;
  /** What whoever uploads can do about it. */
  readonly todo: string | undefined;
  /** The same file would end the same way: offer another, not another try. */
  readonly final: boolean;
}

const other = (before: string) => (limits: Limits) => `${before}Choose ${list(limits.formats)}.`;
const smaller = (limits: Limits) => `${atMost(limits)}Save it smaller, then upload it again.`;
const fewer = () => "Save it with fewer pixels, then upload it again.";
const anew = () => "Open it in a picture program and save it anew.";

const advice: Readonly<Record<string, (limits: Limits) => string>> = {
  "type-not-accepted": other(""),
  "unsupported-format": other("Its content is what counts, not its name. "),
  "file-too-large": smaller,
  "too-large": smaller,
  "file-empty": () =>
    "Perhaps it is still being copied or lives in a cloud: open it once, then choose it again.",
  "file-changed": () => "Choose it again.",
  empty: () => "Perhaps it was still being copied: open it once, then choose it again.",
  corrupt: () => "Open it in a picture program and save it anew, or go back to the original.",
  truncated: () => "Copy it from the camera or the original again: the end is missing.",
  "checksum-mismatch": () => "Choose it again.",
  "decoder-crashed": anew,
  timeout: fewer,
  "too-many-pixels": fewer,
  "dimension-too-large": () => "Cut or scale it, then upload it again.",
  "too-many-frames": () => "Shorten the animation, then upload it again.",
  "over-quota": () => "Delete pictures that you no longer need, then upload it again.",
  "not-allowed": () => "Choose another picture.",
};

/** For people: of a `DarkroomError`, of an image's `error`, or of anything else that was thrown. */
export function explain(
  error: { readonly message: string; readonly code?: unknown },
  limits: Limits = {},
): Explained {
  const todo = advice[String(error.code)]?.(limits);
  // What the API says after its first sentence is for programs: the preset's limits, which we say ourselves.
  const what = todo ? (/^[^.]*\./.exec(error.message)?.[0] ?? error.message) : error.message;
  return { what, todo, final: todo !== undefined };
}

const list = (formats: readonly string[] = ["a picture"]) =>
  new Intl.ListFormat("en", { type: "disjunction" }).format(formats);
const atMost = ({ maxBytes }: Limits) =>
  maxBytes
    ? `Up to ${(maxBytes / 1e6).toLocaleString("en", { maximumFractionDigits: 1 })} MB are accepted. `
    : "";
