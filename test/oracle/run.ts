/** `npm run oracle`: see `HELP`. */

import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { reasons } from "../../docs/differences.ts";
import { pixelProcess } from "../../pixels/process.ts";
import { startOracle } from "./browser.ts";
import { kinds } from "./compare.ts";
import { imagesIn, type Judged, judge } from "./judge.ts";

const HELP = `npm run oracle -- [--json] [--firefox] FILE|FOLDER…

Shows every image file in Chromium and sends it through Darkroom's pixel process, and says where the two disagree:
what is shown whole and refused, accepted and not shown whole, of another size, orientation, colour (means of 8 × 8
blocks at 320 pixels, over black and over white), duration, loop, or another picture at some moment of an animation.

A disagreement that docs/formats.md explains is counted; any other is printed, and the status is 1.

  --json      one line of JSON for each file
  --firefox   of every disagreement also what Firefox (FIREFOX_PATH, else firefox-esr) shows
  --help      this

Kinds: ${Object.entries(kinds)
  .map(([kind, what]) => `\n  ${kind.padEnd(12)} ${what}`)
  .join("")}`;

const { values, positionals } = parseArgs({
  options: { json: { type: "boolean" }, firefox: { type: "boolean" }, help: { type: "boolean" } },
  allowPositionals: true,
});
const missing = positionals.filter((path) => !existsSync(path));
if (values.help || positionals.length === 0 || missing.length > 0) {
  if (missing.length > 0) console.error(`There is no ${missing.join(", no ")}.`);
  console.log(HELP);
  process.exit(values.help ? 0 : 2);
}

const oracle = await startOracle();
const second = values.firefox ? await startOracle("firefox") : undefined;
const pixels = pixelProcess();
const judged: Judged[] = [];
for (const path of imagesIn(positionals)) {
  const one = await judge(path, pixels, oracle, second);
  judged.push(one);
  if (values.json) console.log(JSON.stringify(one));
  else
    for (const { kind, detail, reason } of one.differences)
      if (!reason) console.log(`${kind}\t${path}\t${detail}${inSecond(one)}`);
}
await pixels.close();
await oracle.close();
await second?.close();

/** What Firefox says of it, where it was asked. */
function inSecond({ second }: Judged): string {
  if (!second) return "";
  const [difference] = second;
  return difference
    ? `\tFirefox: ${difference.kind}, ${difference.detail}`
    : "\tFirefox shows it as Darkroom does";
}

const all = judged.flatMap(({ differences }) => differences);
const unexplained = all.filter(({ reason }) => !reason);
if (!values.json) {
  const agree = judged.filter(({ differences }) => differences.length === 0).length;
  console.log(`\n${judged.length} files, ${agree} agree, ${judged.length - agree} do not.`);
  const counted = (by: "kind" | "reason") =>
    Object.entries(
      Object.groupBy(
        all.filter((one) => one[by]),
        (one) => one[by] ?? "",
      ),
    );
  for (const [kind, of = []] of counted("kind")) {
    const open = of.filter(({ reason }) => !reason).length;
    console.log(
      `  ${kind.padEnd(12)} ${of.length}${open === of.length ? "" : `, explained ${of.length - open}`}`,
    );
  }
  for (const [reason, of = []] of counted("reason"))
    console.log(`  explained: ${of.length} × ${reasons[reason]?.what}`);
  if (second) {
    const alike = judged.filter(({ second }) => second?.length === 0).length;
    console.log(`  ${alike} of them Firefox shows as Darkroom does.`);
  }
  console.log(`${unexplained.length} unexplained.`);
}
process.exitCode = unexplained.length === 0 ? 0 : 1;
