/**
 * An update and the way back with the last release's zips, as `serverless package` makes them of its commit, in the place of its
 * sources. A program of its own (`npm run test:last-zips`), as that release's own packages have to be installed, once: some
 * minutes, and 400 MB in `.cache/`. Native code is the one its lockfile has for this machine, as the zip's is for arm64.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { unzip } from "../../deploy/zip.ts";
import { ROOT, SECRET } from "./packaged.ts";

/** Of November 2026; it has no tag. With a new release this and `last-release.tar.gz` become that. */
const COMMIT = "a1c1919b09242c1130625ffdad5303a988275fff";
const cache = join(ROOT, ".cache", "darkroom");
const source = join(cache, `last-release-${COMMIT.slice(0, 7)}`);
const packaged = join(source, ".serverless");

const run = (command: string, args: string[], options: Parameters<typeof execFileSync>[2] = {}) =>
  execFileSync(command, args, { stdio: "inherit", cwd: source, ...options });

const git = (...args: string[]) => spawnSync("git", args, { cwd: ROOT, stdio: "ignore" }).status === 0;

if (!existsSync(join(packaged, "worker.zip"))) {
  // A shallow clone, as CI's may be, asks for it.
  if (!git("cat-file", "-e", `${COMMIT}^{commit}`) && !git("fetch", "--depth", "1", "origin", COMMIT)) {
    console.error(`NOT TESTED: ${COMMIT} is not in this clone, and its origin does not give it.`);
    // A CI that is given no history cannot mend that.
    process.exit(process.env["CI"] ? 0 : 1);
  }
  rmSync(source, { recursive: true, force: true });
  mkdirSync(source, { recursive: true });
  const archive = execFileSync("git", ["archive", COMMIT], { cwd: ROOT, maxBuffer: 2 ** 30 });
  run("tar", ["-x"], { input: archive, stdio: ["pipe", "inherit", "inherit"] });
  const { npm_config_local_prefix: _, ...env } = process.env;
  run("npm", ["ci", "--no-audit", "--no-fund"], { env });
  run("npx", ["serverless", "package"], { env: { ...env, AUTH_SECRET: SECRET } });
}

const zips = mkdtempSync(join(cache, "last-release-zips-"));
try {
  for (const file of ["serverless.yml", "package.json", "infra"])
    cpSync(join(source, file), join(zips, file), { recursive: true });
  const { functions } = JSON.parse(readFileSync(join(packaged, "serverless-state.json"), "utf8")).service;
  for (const name of Object.keys(functions)) {
    for (const [entry, bytes] of unzip(readFileSync(join(packaged, `${name}.zip`)))) {
      const file = join(zips, "zips", name, entry);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, bytes);
    }
    mkdirSync(join(zips, "functions"), { recursive: true });
    // Where the stack looks for it, and loaded afresh with each stack.
    const load = `await import(new URL("../zips/${name}/index.mjs", import.meta.url) + new URL(import.meta.url).search)`;
    writeFileSync(join(zips, "functions", `${name}.ts`), `export const { handler } = ${load};\n`);
  }
  const native = join("node_modules", "@img");
  cpSync(join(source, native), join(zips, "zips", "worker", native), { recursive: true });
  run(process.execPath, ["test/run.ts", "--all", "test/deploy/last-release"], {
    cwd: ROOT,
    env: { ...process.env, LAST_RELEASE_ZIPS: zips },
  });
} finally {
  rmSync(zips, { recursive: true, force: true });
}
