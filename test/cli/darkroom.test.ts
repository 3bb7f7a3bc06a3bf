/** What every command has in common: help, statuses, colours, progress. */
import assert from "node:assert/strict";
import test from "node:test";
import { commands } from "../../cli/commands.ts";
import { exitCodes } from "../../cli/exit.ts";
import { progressText, rateOver } from "../../cli/progress.ts";
import { darkroom } from "./darkroom.ts";

test("help lists every command, and each has examples", async () => {
  const program = await darkroom(["--help"]);
  assert.equal(program.status, 0);
  for (const [name, load] of Object.entries(commands)) {
    assert.match(program.out, new RegExp(`^ {2}${name} `, "m"));
    const { command } = await load();
    for (const one of [command, ...command.commands]) {
      const called = one === command ? name : `${name} ${one.name()}`;
      let help = "";
      one.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
      const hasExamples = help.includes(`Examples:\n  darkroom ${called}`);
      assert.ok(hasExamples, `cli/${name}.ts: withExamples (cli/options.ts) gives ${called} its examples`);
    }
  }
});

test("help of every command ends with the statuses", async () => {
  for (const name of ["upload", "jobs list"]) {
    const { status, out } = await darkroom([...name.split(" "), "--help"]);
    assert.equal(status, 0);
    for (const code of Object.values(exitCodes)) assert.ok(out.includes(`${code.status}  ${code.meaning}`));
  }
});

test("mistakes on the command line have a status of their own", async () => {
  const unknown = await darkroom(["uplaod"]);
  assert.equal(unknown.status, 2);
  assert.match(unknown.err, /Did you mean upload\?/);
  const option = await darkroom(["upload", "--no-such-option", "x.jpg"]);
  assert.equal(option.status, 2);
  const tokenless = await darkroom(["upload", "--api", "http://127.0.0.1:9", "x.jpg"]);
  assert.equal(tokenless.status, 2);
  assert.match(tokenless.err, /An API needs a token/);
});

test("colours are for whoever asks for them", async () => {
  const env = { DARKROOM_API: "http://127.0.0.1:9", DARKROOM_TOKEN: "x", NO_COLOR: undefined };
  assert.ok(!(await darkroom(["upload", "missing.jpg"], { env })).err.includes("\u001b"));
  const forced = await darkroom(["upload", "missing.jpg"], { env: { ...env, FORCE_COLOR: "1" } });
  assert.ok(forced.err.startsWith("\u001b[31mmissing.jpg"), forced.err);
});

test("progress tells how far, how fast and how long", () => {
  const state = { done: 12, total: 24, unit: "images", perSecond: 3, notes: ["2 failed"] };
  assert.equal(progressText(state), "████████████░░░░░░░░░░░░ 12/24 images · 3.0/s · 0:04 left · 2 failed");
  assert.equal(progressText({ ...state, total: undefined, notes: [] }), "12 images · 3.0/s");
  assert.equal(
    progressText({ ...state, done: 0, perSecond: 0, notes: [] }),
    "░░░░░░░░░░░░░░░░░░░░░░░░ 0/24 images",
  );
});

test("the rate is that of the last seconds", () => {
  const rate = rateOver(20_000);
  assert.equal(rate(0, 0), 0);
  assert.equal(rate(10_000, 100), 10);
  for (let second = 11; second <= 60; second++) rate(second * 1000, 100 + (second - 10));
  assert.equal(rate(60_000, 150), 1);
});
