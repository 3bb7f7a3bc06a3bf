/** The last release's code, kept beside this: what an update comes from, and what going back goes to. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { gunzipSync } from "node:zlib";
import { ROOT } from "./packaged.ts";

/**
 * Of November 2026: what its functions are made of, and what says how they run. A file, as a clone need not reach back so far. To be
 * made anew with each release, by `git archive TAG adapters core functions pixels package.json serverless.yml …`; what that one needs
 * and we no longer do is among the devDependencies.
 */
const LAST_RELEASE = new URL("last-release.tar.gz", import.meta.url);

/** Lays it out inside the repository, where it finds today's packages; or its zips, where `last-release-zips.ts` has laid them out. */
export function lastRelease(): { root: URL; remove: () => void } {
  const zips = process.env["LAST_RELEASE_ZIPS"];
  if (zips !== undefined) return { root: pathToFileURL(`${zips}/`), remove: () => {} };
  const cache = join(ROOT, ".cache", "darkroom");
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, "last-release-"));
  execFileSync("tar", ["-x", "-C", folder], { input: gunzipSync(readFileSync(LAST_RELEASE)) });
  return {
    root: pathToFileURL(`${folder}/`),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
