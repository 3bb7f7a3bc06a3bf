/** Where things lie: ours in a clone or in somebody's `node_modules`, the user's own in his project. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** Compiled, as the package has it: Node strips no types below `node_modules`. */
export const installed = import.meta.url.endsWith(".js");
/** What a module of ours ends in. */
export const ENDING = installed ? ".js" : ".ts";
/** Ours: `serverless.yml`, the functions, the page. */
export const OURS = new URL("../", import.meta.url);
/** The user's: `darkroom.config.ts`, `darkroom.deploy.yml`. A clone is both. */
export const PROJECT = installed ? pathToFileURL(`${projectAbove(process.cwd())}/`) : OURS;
/** What can be made again. */
export const CACHE = new URL(installed ? "node_modules/.cache/darkroom/" : ".cache/", PROJECT);

/** As npm looks for it: the nearest folder with a package, or with our file. */
function projectAbove(folder: string): string {
  for (let at = folder; ; at = dirname(at)) {
    if (["darkroom.config.ts", "package.json"].some((file) => existsSync(join(at, file)))) return at;
    if (dirname(at) === at) return folder;
  }
}

/** A command of ours as it is typed here. */
export function typed(command: string): string {
  if (installed) return `npx darkroom ${command}`;
  return command === "start" ? "npm start" : `npm run darkroom -- ${command}`;
}

export const fileOfOurs = (path: string) => fileURLToPath(new URL(path, OURS));
