/** The last release's code, from the history of this repository: what an update comes from, and what going back goes to. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT } from "./packaged.ts";

/** Of November 2026. To be changed with each release; what that one needs and we no longer do is among the devDependencies. */
const LAST_RELEASE = "a1c1919b09242c1130625ffdad5303a988275fff";
/** What its functions are made of, and what says how they run. */
const SOURCES = "adapters core functions pixels darkroom.config.ts package.json serverless.yml infra".split(
  " ",
);

/**
 * Lays it out inside the repository, where it finds today's packages.
 * @throws Error where the history does not reach back so far
 */
export function lastRelease(): { root: URL; remove: () => void } {
  const git = (...args: string[]) => execFileSync("git", args, { cwd: ROOT, maxBuffer: 2 ** 28 });
  try {
    git("cat-file", "-e", `${LAST_RELEASE}^{commit}`);
  } catch {
    throw new Error(
      `The last release, ${LAST_RELEASE.slice(0, 7)}, is not in this clone's history: git fetch --unshallow, or clone without --depth.`,
    );
  }
  const cache = join(ROOT, ".cache", "darkroom");
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, "last-release-"));
  execFileSync("tar", ["-x", "-C", folder], { input: git("archive", LAST_RELEASE, ...SOURCES) });
  return {
    root: pathToFileURL(`${folder}/`),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
