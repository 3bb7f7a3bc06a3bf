/**
 * The presets in force: those of `darkroom.config.ts`, which is the user's own, else the shipped ones. Another file is
 * named by DARKROOM_CONFIG; tests, documents and benchmarks name the shipped one. A deployed function has the file in its
 * place (`deploy/bundle.ts`).
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Config } from "../core/preset.ts";
import shipped from "../core/shipped.ts";
import { environment } from "./environment.ts";

const fileOf = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const named = environment("DARKROOM_CONFIG").DARKROOM_CONFIG;

export const SHIPPED = fileOf("core/shipped.ts");
/** Where one's own stand, once there are any. */
export const OWN = named ? resolve(named) : fileOf("darkroom.config.ts");
/** Where those stand that would be in force if this process began now. */
export const presetsNow = () => (named || existsSync(OWN) ? OWN : SHIPPED);
export const presetsFile = presetsNow();

// Not by import(): `serverless invoke local` requires the functions, and so waits for nothing.
const load = (file: string) => (createRequire(import.meta.url)(file) as { default: Config }).default;

export default presetsFile === SHIPPED ? shipped : load(presetsFile);
