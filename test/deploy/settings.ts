/** What a function's code asks of its environment. */
import { readFileSync } from "node:fs";
import { build } from "esbuild";
import { ownSettings } from "../../adapters/environment.ts";
import { ROOT } from "./packaged.ts";

const known = new Map<string, Promise<string[]>>();

/** Names of settings in calls of `environment(…)` and `ports(…)`, in the function's file and in all it imports. */
export function settingsReadBy(name: string): Promise<string[]> {
  const found = known.get(name) ?? readSettings(name);
  known.set(name, found);
  return found;
}

async function readSettings(name: string): Promise<string[]> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [`functions/${name}.ts`],
    outdir: "none",
    bundle: true,
    write: false,
    platform: "node",
    format: "esm",
    packages: "external",
    metafile: true,
  });
  const calls = Object.keys(metafile.inputs).flatMap((path) => [
    ...readFileSync(`${ROOT}${path}`, "utf8").matchAll(/\b(?:environment|ports)\(([^)]*)\)/g),
  ]);
  const named = calls.flatMap(([, list = ""]) =>
    [...list.matchAll(/"([A-Z0-9_]+)"/g)].map(([, setting = ""]) => setting),
  );
  const own = new Set<string>(ownSettings.map(({ name: setting }) => setting));
  return [...new Set(named)].filter((setting) => own.has(setting));
}
