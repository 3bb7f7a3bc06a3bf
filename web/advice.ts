/** What to do about a file that was refused; what is wrong comes with the error. */
import { presetOf } from "./presets.ts";
import { bytes } from "./words.ts";

const advice: Readonly<Record<string, (preset: string | undefined) => string>> = {
  "type-not-accepted": (preset) => `Choose ${list(presetOf(preset)?.formats)}.`,
  "unsupported-format": (preset) =>
    `Its content is what counts, not its name. Choose ${list(presetOf(preset)?.formats)}.`,
  "file-too-large": (preset) => `${atMost(preset)}Save it smaller, then upload it again.`,
  "too-large": (preset) => `${atMost(preset)}Save it smaller, then upload it again.`,
  "file-empty": () =>
    "Perhaps it is still being copied or lives in a cloud: open it once, then choose it again.",
  "file-changed": () => "Choose it again.",
  empty: () => "Perhaps it was still being copied: open it once, then choose it again.",
  corrupt: () => "Open it in a picture program and save it anew, or go back to the original.",
  truncated: () => "Copy it from the camera or the original again: the end is missing.",
  "decoder-crashed": () => "Open it in a picture program and save it anew.",
  timeout: () => "Save it with fewer pixels, then upload it again.",
  "too-many-pixels": () => "Save it with fewer pixels, then upload it again.",
  "dimension-too-large": () => "Cut or scale it, then upload it again.",
  "too-many-frames": () => "Shorten the animation, then upload it again.",
};

/** What is wrong and what to do; `final` where the same file would end the same way. */
export function explain(error: Error, preset: string | undefined) {
  const todo = advice["code" in error ? String(error.code) : ""]?.(preset);
  // What the API says after its first sentence is for programs: the preset's limits, which we say ourselves.
  const what = todo ? (/^[^.]*\./.exec(error.message)?.[0] ?? error.message) : error.message;
  return { what, todo, final: todo !== undefined };
}

const list = (formats: readonly string[] = ["a picture"]) =>
  new Intl.ListFormat("en", { type: "disjunction" }).format(formats);
const atMost = (preset: string | undefined) => {
  const { maxBytes } = presetOf(preset) ?? {};
  return maxBytes ? `Up to ${bytes(maxBytes)} are accepted. ` : "";
};
