/**
 * The presets in force: those of `darkroom.config.ts`, which is the user's own, else the shipped ones. Another file is
 * named by DARKROOM_CONFIG; tests, documents and benchmarks name the shipped one. A deployed function has the file in its
 * place (`deploy/bundle.ts`).
 */
import { existsSync } from "node:fs";
import { createRequire, registerHooks } from "node:module";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Config } from "../core/preset.ts";
import shipped from "../core/shipped.ts";
import { environment } from "./environment.ts";
import { ENDING, fileOfOurs, installed, OURS, PROJECT } from "./project.ts";

const named = environment("DARKROOM_CONFIG").DARKROOM_CONFIG;

export const SHIPPED = fileOfOurs(`core/shipped${ENDING}`);
/** Where one's own stand, once there are any. */
export const OWN = named ? resolve(named) : fileURLToPath(new URL("darkroom.config.ts", PROJECT));
/** Where those stand that would be in force if this process began now. */
export const presetsNow = () => (named || existsSync(OWN) ? OWN : SHIPPED);
export const presetsFile = presetsNow();

/** The user's own, and what they import but for packages: whoever edits one of these has to start again. */
export const ownFiles: string[] = [];

function load(file: string): Config {
  const noting = registerHooks({
    load(url, context, next) {
      if (url.startsWith("file:") && !url.includes("/node_modules/")) ownFiles.push(fileURLToPath(url));
      return next(url, context);
    },
  });
  try {
    // Not by import(): `serverless invoke local` requires the functions, and so waits for nothing.
    return (createRequire(import.meta.url)(file) as { default: Config }).default;
  } finally {
    noting.deregister();
  }
}

/**
 * In a project of the user's own: `darkroom/config` is this version, also where `npx` runs us from elsewhere, and his
 * TypeScript is modules, whatever `npm init` has written into his package.json.
 */
function adopt(): void {
  const isOwn = (url: string) =>
    url.startsWith(PROJECT.href) && url.endsWith(".ts") && !url.includes("/node_modules/");
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === "darkroom/config"
        ? { url: new URL("core/preset.js", OURS).href, format: "module", shortCircuit: true }
        : next(specifier, context),
    load: (url, context, next) =>
      next(url, isOwn(url) ? { ...context, format: "module-typescript" } : context),
  });
}
if (installed) adopt();

export default presetsFile === SHIPPED ? shipped : load(presetsFile);
