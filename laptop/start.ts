/** `npm start`, `darkroom start`: runs the stack until Ctrl-C and says what runs where. */
import { relative } from "node:path";
import { onInterrupt } from "../adapters/interrupt.ts";
import { presetsFile, SHIPPED } from "../adapters/presets.ts";
import { fileOfOurs, typed } from "../adapters/project.ts";
import { startStack } from "./stack.ts";
import { watchPresets } from "./watch-presets.ts";

const started = performance.now();
const PORT = process.env["PORT"] || "3000";
const port = Number(PORT);
const data = process.env["DARKROOM_DATA"] || ".darkroom";

const refuse = (why: string): never => {
  console.error(why);
  process.exit(2);
};
if (!/^\d{1,5}$/.test(PORT) || port > 65_531)
  refuse("PORT must be a number from 0 to 65531; 0 picks free ports.");
if (process.argv.length > 2)
  refuse(
    `npm start takes no arguments, and was given ${process.argv.slice(2).join(" ")}. Say PORT=4000 npm start, DARKROOM_DATA=folder npm start.`,
  );

const stack = await startStack({ port, data }).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});

const rows: [string, string][] = [
  ["page", stack.page],
  ["API", stack.api],
  ["images (CDN)", stack.media],
  ["S3", `${stack.s3}${stack.external.s3 ? "  (yours)" : ""}`],
  ["SQS", `${stack.sqs}${stack.external.sqs ? "  (yours)" : ""}`],
  ["data", data],
  [
    "presets",
    presetsFile === SHIPPED
      ? `the shipped ones; begin your own with ${typed("init")}`
      : relative("", presetsFile),
  ],
];
console.log(`
Darkroom is up (${((performance.now() - started) / 1000).toFixed(1)} s).

${rows.map(([name, where]) => `  ${name.padEnd(14)}${where}`).join("\n")}

  try it        ${typed(`upload ${relative("", fileOfOurs("docs/sample.jpg"))}`)}
  tokens        ${stack.page}/local.json
  stop          Ctrl-C; what was accepted is developed after the next start
`);

watchPresets((file) =>
  console.log(`${relative("", file)} has changed. Stop with Ctrl-C and start again to have it in force.`),
);

// Built now and not when somebody waits for it.
void fetch(stack.page).catch(() => {});

onInterrupt(() => {
  stack.close().then(
    () => process.exit(0),
    () => process.exit(1),
  );
}, 1);
