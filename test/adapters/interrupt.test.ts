/** Ctrl-C as a process gets it: once from the terminal, and once more from npm. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import test from "node:test";

const program = `
import { onInterrupt } from "./adapters/interrupt.ts";
const stay = setInterval(() => {}, 1000);
let now = 0;
performance.now = () => now;
onInterrupt(() => console.log("asked"), 9);
process.on("SIGINT", () => {
  console.log(now);
  now += 300;
});
console.log("here");
`;

test("the first Ctrl-C asks, the same keypress passed on by npm does nothing, a later one ends", async () => {
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", program]);
  const closed = once(child, "close");
  let out = "";
  const seen: string[] = [];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
    // The next one when the one before has been dealt with: at 0, 300 and 600 ms of the program's clock.
    if (/^(here|\d+)$/m.test(text)) {
      seen.push(text);
      child.kill("SIGINT");
    }
  });
  const [status] = await closed;
  assert.equal(status, 9);
  assert.equal(out, "here\nasked\n0\n300\n");
  assert.equal(seen.length, 3);
});
