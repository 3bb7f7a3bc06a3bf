/** The browser library as files: modules that a page can load as they are, with types. */
import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { fileOfOurs } from "../adapters/project.ts";

/** What people import, and the module it is: `darkroom/client/resume` is `client/resume-store.ts`. */
export const entries = {
  client: "darkroom",
  "client/resume": "resume-store",
  react: "react",
} as const;

/** Of whom a page has one already. */
const PEERS = ["react"];

/** `exports` and, for TypeScript's old way of looking (`node10`), `typesVersions`; `folder` is where the files are in the package. */
export function entryPoints(folder: string) {
  const rows = Object.entries(entries);
  return {
    exports: Object.fromEntries(
      rows.map(([name, file]) => [
        `./${name}`,
        { types: `${folder}/${file}.d.ts`, default: `${folder}/${file}.js` },
      ]),
    ),
    typesVersions: {
      "*": Object.fromEntries(rows.map(([name, file]) => [name, [`${folder}/${file}.d.ts`]])),
    },
  };
}

export async function buildBrowserLibrary(out: string): Promise<void> {
  rmSync(out, { recursive: true, force: true });
  await build({
    entryPoints: Object.values(entries).map((file) => fileOfOurs(`client/${file}.ts`)),
    outdir: out,
    bundle: true,
    splitting: true,
    format: "esm",
    target: "es2022",
    minify: true,
    sourcemap: true,
    external: PEERS,
  });
  emitTypes(["-p", fileOfOurs("client")], out);
}

/** Declarations alone, as TypeScript writes them. */
export function emitTypes(what: readonly string[], out: string): void {
  const options = ["--declaration", "--emitDeclarationOnly", "--noEmit", "false", "--outDir", out];
  const tsc = fileURLToPath(import.meta.resolve("typescript/package.json")).replace(
    "package.json",
    "bin/tsc",
  );
  execFileSync(process.execPath, [tsc, ...what, ...options], { stdio: "inherit" });
}

// `npm run build:client`: for a page without a bundler.
if (import.meta.main) {
  const out = fileOfOurs("dist/client");
  await buildBrowserLibrary(out);
  // Node asks it what `.js` is.
  writeFileSync(`${out}/package.json`, `{ "type": "module" }\n`);
}
