/** Rules about the repository itself. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import test from "node:test";
import { EVENT_TYPES } from "../core/tell/tell.ts";
import { generated } from "../docs/generate.ts";

const sources = globSync(
  "{core,adapters,pixels,functions,client,web,host,laptop,packages,cli,deploy,bench,events,docs}/**/*.{ts,tsx,mjs}",
)
  .filter((file) => !/^packages\/[^/]+\/test\//.test(file))
  .sort();
const importsOf = (file: string) =>
  [...readFileSync(file, "utf8").matchAll(/(?:^|\s)(?:from|import)\s*\(?\s*"([^"]+)"/gm)].map(
    ([, specifier]) => {
      const target = specifier ?? "";
      return target.startsWith(".") ? normalize(join(dirname(file), target)) : target;
    },
  );

test("the Dockerfile copies all that the worker loads", () => {
  const copied = [...readFileSync("Dockerfile", "utf8").matchAll(/^COPY (.+) \S+$/gm)].flatMap(
    ([, names = ""]) => names.split(" "),
  );
  const sent = readFileSync(".dockerignore", "utf8").split("\n");
  for (const name of copied)
    assert.ok(sent.includes(`!${name.replace("[s]", "s")}`), `.dockerignore keeps ${name} back`);
  const reached = new Set(["cli/darkroom.ts", "cli/worker.ts", ...globSync("functions/*.ts")]);
  for (const file of reached) {
    assert.ok(
      copied.some((name) => file === name || file.startsWith(`${name}/`)),
      `${file} is not copied`,
    );
    for (const target of importsOf(file)) if (/\.m?ts$/.test(target)) reached.add(target);
  }
});

test("sharp, libheif and the environment each have one door", () => {
  const importers = (name: string) =>
    sources.filter((file) => importsOf(file).some((target) => target.split("/")[0] === name));
  const inProduct = (file: string) => /^(core|adapters|pixels|functions)\//.test(file);
  assert.deepEqual(importers("sharp").filter(inProduct), ["pixels/decoders/libvips.ts", "pixels/develop.ts"]);
  assert.deepEqual(importers("libheif-js").filter(inProduct), ["pixels/decoders/heic.ts"]);
  const readers = sources.filter(
    (file) => inProduct(file) && /process\.env\b/.test(readFileSync(file, "utf8")),
  );
  assert.deepEqual(
    readers.filter((file) => !file.startsWith("pixels/")),
    ["adapters/environment.ts"],
  );
});

test("doorways are thin", () => {
  for (const file of globSync("functions/*.ts")) {
    const lines = readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => line.trim() !== "" && !/^\s*(\/\/|\/?\*)/.test(line));
    assert.ok(
      lines.length <= 40,
      `${file} has ${lines.length} lines: what decides belongs to core/, what speaks HTTP to adapters/http/`,
    );
  }
});

test("documents repeat what the code says (npm run generate)", async () => {
  for (const { file, content } of await generated()) assert.equal(readFileSync(file, "utf8"), content, file);
});

test("every type of event is in docs/api.md and told by a sample event", () => {
  const api = readFileSync("docs/api.md", "utf8");
  const told = globSync("events/events.*.json").map((file) => readFileSync(file, "utf8"));
  for (const type of EVENT_TYPES) {
    assert.ok(api.includes(type), `${type} (core/tell/tell.ts): say in docs/api.md when it is told`);
    const sample = `events/events.${type.slice("image.".length)}.json`;
    assert.ok(
      told.some((text) => text.includes(`\\"${type}\\"`)),
      `${type}: add ${sample} with its outcome in events/expected.json`,
    );
  }
});

test("every threat names tests that there are", () => {
  const text = readFileSync("docs/security.md", "utf8");
  // The other table says what an abuse costs.
  const [threats = ""] = text.split("<!-- abuse -->");
  const rows = threats.split("\n").filter((line) => /^\| (?!threat |---)/.test(line));
  assert.ok(rows.length >= 20);
  for (const row of rows) {
    const shown = row.split(" | ").at(-1) ?? "";
    const named = [...shown.matchAll(/`((?:test|events)\/[^`]+)`(?: "([^"]+)")?/g)];
    assert.ok(named.length > 0, row);
    for (const [, file = "", name = ""] of named)
      assert.ok(readFileSync(file, "utf8").includes(name), `${file} has no test "${name}"`);
  }
});

test("the version is the one of which CHANGELOG.md tells last", () => {
  const { version } = JSON.parse(readFileSync("package.json", "utf8"));
  const headings = [...readFileSync("CHANGELOG.md", "utf8").matchAll(/^## ([^,\n]+)/gm)].map(
    ([, name]) => name,
  );
  assert.equal(
    headings.find((name) => name !== "Unreleased"),
    version,
  );
});

test("links in documents lead somewhere", () => {
  for (const file of globSync("{*.md,docs/*.md,events/*.md}")) {
    for (const [, target = ""] of readFileSync(file, "utf8").matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
      assert.doesNotThrow(() => readFileSync(join(dirname(file), target)), `${file} links to ${target}`);
    }
  }
});

test("AGENTS.md stays a page", () => {
  assert.ok(readFileSync("AGENTS.md", "utf8").split("\n").length <= 100);
});

test("no file tells of the machine it was written on", () => {
  const tracked = execFileSync("git", ["ls-files", "-z"], { encoding: "utf8" }).split("\0");
  for (const file of tracked.filter((name) => /\.(ts|mjs|md|ya?ml|json|html|sh)$|^\.ci\//.test(name))) {
    const text = readFileSync(file, "utf8");
    assert.doesNotMatch(text, /(?<![\w./-])\/(?:root|home\/\w+)\/[a-z.]/, file);
    if (file === "package-lock.json")
      assert.doesNotMatch(text, /"resolved": (?!"packages\/)/, "download addresses in the lockfile");
  }
});
