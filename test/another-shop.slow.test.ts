/** A clone whose user has presets and parameters of another kind: all of it works, and nothing of ours depends on them. */
import assert from "node:assert/strict";
import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  globSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import test, { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { unzip } from "../deploy/zip.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const clone = mkdtempSync(join(tmpdir(), "darkroom-clone-"));
/** Without what this test run says of presets and of itself. */
const { DARKROOM_CONFIG: _, NODE_TEST_CONTEXT: __, TEST_ALL: ___, ...env } = process.env;
const git = (...args: string[]) =>
  execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@example.com", ...args], {
    cwd: clone,
    encoding: "utf8",
    maxBuffer: 1e8,
  });
const run = async (command: string, ...args: string[]) => {
  const options = { cwd: clone, env, encoding: "utf8", maxBuffer: 1e8 } as const;
  const { stdout } = await promisify(execFile)(command, args, options).catch(
    (error: { stdout: string; stderr: string }) =>
      assert.fail(`${command} ${args.join(" ")}\n${error.stdout.slice(-20_000)}\n${error.stderr}`),
  );
  return stdout;
};

before(() => {
  const tracked = execFileSync("git", ["ls-files", "-z"], { cwd: ROOT, encoding: "utf8" }).split("\0");
  // A file that was deleted and not yet committed is listed as well.
  for (const file of tracked.filter((name) => name && existsSync(join(ROOT, name))))
    cpSync(join(ROOT, file), join(clone, file));
  symlinkSync(`${ROOT}node_modules`, join(clone, "node_modules"));
  git("init", "-q");
  writeFileSync(join(clone, ".git/info/exclude"), "node_modules\n");
});
after(() => rmSync(clone, { recursive: true, force: true }));

/** Other names, widths and formats; no AVIF anywhere. */
const PRESETS = `import { defineConfig } from "darkroom/config";

export default defineConfig({
  defaultPreset: "product",
  presets: {
    product: {
      accept: ["jpeg", "png"],
      maxBytes: 3_000_000,
      ladder: { widths: [111, 333], formats: ["jpeg"] },
      named: { cart: { width: 48, height: 48, fit: "cover", format: "webp" } },
    },
    banner: { accept: ["png"], ladder: { widths: [777], formats: ["webp"] }, profile: "fast" },
  },
});
`;
const PARAMETERS = "prod:\n  origins: [https://shop.example]\n  workers: 7\n  alarmEmail: ops@shop.example\n";

test("init begins both files, which work as they are, and leaves them alone ever after", async () => {
  await run("npm", "run", "-s", "darkroom", "--", "init");
  await run("npx", "tsc");
  assert.match(await run("npm", "run", "-s", "darkroom", "--", "plan", "docs/sample.jpg"), /preset photo/);
  writeFileSync(join(clone, "darkroom.config.ts"), PRESETS);
  writeFileSync(join(clone, "darkroom.deploy.yml"), PARAMETERS);
  assert.match(await run("npm", "run", "-s", "darkroom", "--", "init"), /(stays as it is\n[\s\S]*){2}/);
  assert.equal(readFileSync(join(clone, "darkroom.config.ts"), "utf8"), PRESETS);
  // As in a fork.
  git("add", "-A");
  git("commit", "-qm", "ours and theirs");
});

test("npm start, the page, an upload and doctor go by the user's presets", async () => {
  const start = spawn("npm", ["start"], { cwd: clone, env: { ...env, PORT: "0" }, detached: true });
  try {
    let page = "";
    const said: string[] = [];
    for await (const line of createInterface(start.stdout)) {
      said.push(line);
      page ||= /^ {2}page +(\S+)/.exec(line)?.[1] ?? "";
      if (line.includes("stop")) break;
    }
    assert.match(said.join("\n"), /presets +darkroom\.config\.ts/);
    const known = await (await fetch(new URL("presets.json", page))).text();
    for (const name of ["product", "banner"]) assert.ok(known.includes(name), `the page knows ${name}`);
    assert.ok(!known.includes("avatar"), "the page knows no preset of ours");

    const sent = await run("npm", "run", "-s", "darkroom", "--", "upload", "docs/sample.jpg", "--json");
    const { status, variants } = JSON.parse(sent);
    assert.equal(status, "ready");
    assert.deepEqual(
      variants.map(({ name, format }: { name: string; format: string }) => `${name} ${format}`).sort(),
      ["cart webp", "w111 jpeg", "w333 jpeg"],
    );
    await run("npm", "run", "-s", "darkroom", "--", "doctor");
    const check = await run("npm", "run", "-s", "darkroom", "--", "upgrade", "--check");
    assert.match(check, /^product: its images are as this version makes them$/m);
  } finally {
    const ended = once(start, "exit");
    if (start.pid) process.kill(-start.pid, "SIGINT");
    await ended;
  }
});

test("what is packaged holds the user's presets and parameters", async () => {
  await run("npx", "serverless", "package", "--stage", "prod");
  const folder = join(clone, ".serverless");
  const template = readFileSync(join(folder, "cloudformation-template-update-stack.json"), "utf8");
  assert.match(template, /"https:\/\/shop\.example"/);
  assert.match(template, /"MaximumConcurrency": "?7"?\b/);
  const code = String(unzip(readFileSync(join(folder, "presign.zip"))).get("index.mjs"));
  assert.match(code, /\bcart\b/);
  assert.doesNotMatch(code, /\bavatar\b/);
});

test("lint and the quick tests pass, and documents stay as they are", async () => {
  await run("npm", "run", "lint");
  // Two files of `adapters/` read what is the user's, and no room of these may import any (test/project-imports.test.ts).
  const blind = /^test\/(core|pixels|simulation)\//;
  const files = globSync("test/**/*.test.ts", { cwd: clone }).filter(
    (file) => !file.endsWith(".slow.test.ts"),
  );
  await run("npm", "test", "--", ...files.filter((file) => !blind.test(file)));
  await run("npm", "run", "generate");
  assert.equal(git("status", "--porcelain"), "");
});
