/** `npm start`: runs the stack until Ctrl-C and says what runs where. */
import { relative } from "node:path";
import { onInterrupt } from "../adapters/interrupt.ts";
import { presetsFile, SHIPPED } from "../adapters/presets.ts";
import { startStack } from "./stack.ts";

const started = performance.now();
const port = Number(process.env["PORT"] || "3000");
const data = process.env["DARKROOM_DATA"] || ".darkroom";

if (!Number.isInteger(port) || port < 0 || port > 65_531) {
  console.error("PORT must be a number from 0 to 65531; 0 picks free ports.");
  process.exit(2);
}

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
      ? "the shipped ones; begin your own with npm run darkroom -- init"
      : relative("", presetsFile),
  ],
];
console.log(`
Darkroom is up (${((performance.now() - started) / 1000).toFixed(1)} s).

${rows.map(([name, where]) => `  ${name.padEnd(14)}${where}`).join("\n")}

  try it        npm run darkroom -- upload docs/sample.jpg
  tokens        ${stack.page}/local.json
  stop          Ctrl-C; what was accepted is developed after the next start
`);

// Built now and not when somebody waits for it.
void fetch(stack.page).catch(() => {});

onInterrupt(() => {
  stack.close().then(
    () => process.exit(0),
    () => process.exit(1),
  );
}, 1);
