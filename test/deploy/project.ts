/** A project of somebody's own, in an empty folder outside of the repository, with what `npm run pack` has made. */
import assert from "node:assert/strict";
import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

const { version } = JSON.parse(readFileSync("package.json", "utf8"));
const made = mkdtempSync(join(tmpdir(), "darkroom-packed-"));
process.on("exit", () => rmSync(made, { recursive: true, force: true }));
export const tarballs = {
  darkroom: join(made, `darkroom-${version}.tgz`),
  browser: join(made, `darkroom-browser-${version}.tgz`),
};

/** In a folder of this process's own. */
export function pack(): void {
  execFileSync("npm", ["run", "--silent", "pack", "--", made], { stdio: ["ignore", "ignore", "inherit"] });
}

/** That npm would take it from a CI, with its licence and where it was built. @param folder of the package, installed */
export function assertPublishable(folder: string): void {
  const { license, publishConfig } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  assert.deepEqual([license, publishConfig], ["MIT", { access: "public", provenance: true }]);
  assert.match(readFileSync(join(folder, "LICENSE"), "utf8"), /^MIT License/);
}

export interface Project {
  readonly folder: string;
  /** Standard output. @throws Error with all that was said */
  run(command: string, ...args: string[]): Promise<string>;
  /** Starts what runs until it is stopped; resolves when a line matches. */
  start(until: RegExp, command: string, ...args: string[]): Promise<Running>;
  remove(): void;
}
export interface Running {
  readonly said: string;
  stop(): Promise<void>;
}

export function emptyProject(manifest: object): Project {
  const folder = mkdtempSync(join(tmpdir(), "darkroom-project-"));
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  // Nothing of this test run, of npm's that started it, or of the presets it speaks of.
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|NODE_TEST|NODE_COMPILE|TEST_ALL|DARKROOM_)/.test(name),
  );
  const PATH = [dirname(process.execPath), process.env["PATH"]].join(delimiter);
  const options = { cwd: folder, env: { ...Object.fromEntries(inherited), PATH } };
  return {
    folder,
    async run(command, ...args) {
      const ran = promisify(execFile)(command, args, { ...options, encoding: "utf8", maxBuffer: 1e8 });
      const { stdout } = await ran.catch((error: { stdout: string; stderr: string }) => {
        throw new Error(`${command} ${args.join(" ")}\n${error.stdout.slice(-20_000)}\n${error.stderr}`);
      });
      return stdout;
    },
    async start(until, command, ...args) {
      const child = spawn(command, args, {
        ...options,
        detached: true,
        stdio: ["ignore", "pipe", "inherit"],
      });
      const lines: string[] = [];
      for await (const line of createInterface(child.stdout)) {
        lines.push(line);
        if (until.test(line)) break;
      }
      child.stdout.resume();
      return {
        said: lines.join("\n"),
        async stop() {
          if (child.exitCode !== null) return;
          const ended = once(child, "exit");
          if (child.pid) process.kill(-child.pid, "SIGINT");
          await ended;
        },
      };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
