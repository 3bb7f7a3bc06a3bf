/** The examples of a page, each a command and what a terminal shows after it, against what is printed now. */
import assert from "node:assert/strict";

export interface Example {
  readonly heading: string;
  /** As typed, lines that end in a backslash joined. */
  readonly command: string;
  readonly shown: readonly string[];
}

/** Those in `console` blocks, in their order. */
export function examplesOf(page: string): Example[] {
  return page.split(/^## /m).flatMap((section) => {
    const [heading = ""] = section.split("\n", 1);
    return [...section.matchAll(/^```console\n([\s\S]*?)^```/gm)].flatMap(([, block = ""]) =>
      block
        .split(/^\$ /m)
        .slice(1)
        .map((text) => {
          const [command = "", ...shown] = text
            .replaceAll(/ \\\n +/g, " ")
            .trimEnd()
            .split("\n");
          return { heading, command, shown };
        }),
    );
  });
}

/** Of images and of jobs; no word of the page is 26 letters long. */
const IDS = /\b[0-9a-hjkmnp-tv-z]{26}\b|\b\d{13}[0-9a-z]{7}\b/g;

/** What differs from run to run: ids, versions, times, rates, ports, and the width of columns for it. */
const mask = (line: string) =>
  line
    .replaceAll(IDS, "ID")
    .replaceAll(/\b(?=[a-z]*\d)[0-9a-z]{16}\b/g, "VERSION")
    .replaceAll(/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d\.\d{3}Z)?/g, "DATE")
    .replaceAll(/\b\d+:\d\d\b/g, "TIME")
    .replaceAll(/(?<=developed in )\d+(?= ms)/g, "MS")
    .replaceAll(/, [\d.]+\/s$/g, "")
    .replaceAll(/[\d.]+(?= GB-seconds)/g, "GBS")
    .replaceAll(/\b(localhost|127\.0\.0\.1):\d+/g, "$1:PORT")
    .replaceAll(/ {2,}/g, "  ");

/** Lines whose order is a folder's, or that of random ids, are sorted among their neighbours. */
function comparable(lines: readonly string[]) {
  const sorted: { raw: string; masked: string }[] = [];
  let run: typeof sorted = [];
  const flush = () => {
    sorted.push(...run.sort((a, b) => (a.masked < b.masked ? -1 : 1)));
    run = [];
  };
  for (const raw of lines) {
    const masked = mask(raw);
    const kind = /^([✗+]| {2}ID) /.exec(masked)?.[1];
    if (!kind || (run[0] && !run[0].masked.startsWith(kind))) flush();
    if (kind) run.push({ raw, masked });
    else sorted.push({ raw, masked });
  }
  flush();
  return sorted;
}

/**
 * A line `…` stands for any that are left out.
 * @returns for each id on the page the one that was printed in its place
 * @throws AssertionError where they differ otherwise
 */
export function compare(example: Example, printed: string): [shown: string, printed: string][] {
  const { command } = example;
  const lines = printed.trimEnd().split("\n");
  const gap = example.shown.indexOf("…");
  const [head, tail] = [example.shown.slice(0, gap), example.shown.slice(gap + 1)];
  const shown = comparable(gap < 0 ? example.shown : [...head, ...tail]);
  const cut = gap < 0 ? lines : [...lines.slice(0, head.length), ...lines.slice(-tail.length)];
  const found = comparable(cut);
  const text = (all: typeof shown) => all.map(({ masked }) => masked);
  assert.deepEqual(text(found), text(shown), `$ ${command}\n${printed}`);
  if (gap >= 0) assert.ok(lines.length > shown.length, `$ ${command} leaves nothing out`);
  return shown.flatMap(({ raw }, i) => {
    const ours = found[i]?.raw.match(IDS) ?? [];
    return (raw.match(IDS) ?? []).map((id, j): [string, string] => [id, ours[j] ?? id]);
  });
}
