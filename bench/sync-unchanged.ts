/**
 * `darkroom sync` of 5,000 files that did not change, as a process of its own against the local stack:
 * `npx node bench/sync-unchanged.ts`.
 */
import { execFile, execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { startStack } from "../laptop/stack.ts";

const FILES = 5000;
const BYTES = 8000;
const root = mkdtempSync(join(tmpdir(), "darkroom-bench-"));
const stack = await startStack({ port: 0, data: join(root, "data"), poll: false, logLevel: "error" });
try {
  for (let i = 0; i < FILES; i++) {
    const folder = join(root, "site", `folder-${i % 50}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${i}.js`), randomBytes(BYTES));
  }
  // A file just written is not believed by its time; a site's usually are older.
  await setTimeout(1500);
  const sync = (what: string) =>
    new Promise<void>((resolve, reject) => {
      const started = performance.now();
      const args = ["cli/darkroom.ts", "sync", join(root, "site")];
      const env = { ...process.env, DARKROOM_DATA: join(root, "data"), XDG_CACHE_HOME: join(root, "cache") };
      execFile(process.execPath, args, { env }, (error, out) => {
        if (error) return reject(error);
        console.log(`${((performance.now() - started) / 1000).toFixed(2)} s  ${what}: ${out.split("\n")[0]}`);
        resolve();
      });
    });
  await sync("first");
  for (let i = 0; i < 3; i++) await sync("unchanged");
  execFileSync("touch", [join(root, "site", "folder-0", "0.js")]);
  await sync("one touched");
  rmSync(join(root, "cache"), { recursive: true });
  await sync("without the cache");
  writeFileSync(join(root, "site", "folder-0", "0.js"), "changed");
  await sync("one changed");
} finally {
  await stack.close();
  rmSync(root, { recursive: true, force: true });
}
