/** The browser library as files: modules that a page can load as they are, with types. */
import { execFileSync } from "node:child_process";
import { globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build, type Plugin } from "esbuild";
import { fileOfOurs } from "../adapters/project.ts";

/** What people import, and the module it is: `darkroom/client/resume` is `client/resume-store.ts`. */
export const entries = {
  client: "darkroom",
  "client/resume": "resume-store",
  "client/service-worker": "service-worker",
  element: "element",
  expo: "expo",
  node: "node",
  react: "react",
  "react/picture": "react-picture",
  server: "server",
  svelte: "svelte",
  vue: "vue",
} as const;

/** Of whom a page has one already. */
const PEERS = ["react", "svelte/reactivity", "vue"];

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

/** A relative import stays one, of a file that is compiled by itself. */
export const apart: Plugin = {
  name: "apart",
  setup({ onResolve }) {
    onResolve({ filter: /^\./ }, ({ kind, path }) =>
      kind === "entry-point" ? undefined : { path: path.replace(/\.ts$/, ".js"), external: true },
    );
  },
};

/**
 * @param pages for pages without a bundler: few files and small ones. Else a file for each module, of which a bundler takes
 *   what is used: from modules bundled once already it would be 5.2 kB instead of 4.6.
 */
export async function buildBrowserLibrary(out: string, pages = false): Promise<void> {
  rmSync(out, { recursive: true, force: true });
  const how: BuildOptions = pages
    ? {
        entryPoints: Object.values(entries).map((file) => `${file}.ts`),
        splitting: true,
        minify: true,
        sourcemap: true,
      }
    : { entryPoints: globSync("*.ts", { cwd: fileOfOurs("client") }), plugins: [apart] };
  await build({
    ...how,
    absWorkingDir: fileOfOurs("client"),
    outdir: out,
    bundle: true,
    format: "esm",
    target: "es2022",
    external: [...PEERS, "node:*"],
  });
  // Hooks are for the browser; `<Picture>` alone is not marked, and renders on a server (React's `react-server` condition).
  const react = `${out}/react.js`;
  writeFileSync(react, `"use client";\n${readFileSync(react, "utf8")}`);
  emitTypes(["-p", fileOfOurs("client")], out);
  emitTypes([...NODE, fileOfOurs("client/node.ts")], out);
}

/** For what is compiled outside of a project of TypeScript's. */
export const NODE = (
  "--target es2024 --lib es2024 --module nodenext --types node --strict --exactOptionalPropertyTypes " +
  "--allowImportingTsExtensions --skipLibCheck --ignoreConfig"
).split(" ");

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
  await buildBrowserLibrary(out, true);
  // Node asks it what `.js` is.
  writeFileSync(`${out}/package.json`, `{ "type": "module" }\n`);
}
