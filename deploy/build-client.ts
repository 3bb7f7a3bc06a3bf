/**
 * The browser library as a package of its own, in `dist/client/`: modules with types that a page can load as they are, or
 * a project install (`npm install ./dist/client`) without what the functions need.
 */
import { execFileSync } from "node:child_process";
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const path = (relative: string) => fileURLToPath(new URL(`../${relative}`, import.meta.url));
const out = path("dist/client");
const { name, version, description, license, type, sideEffects, peerDependencies, ...own } = JSON.parse(
  readFileSync(path("package.json"), "utf8"),
);

rmSync(out, { recursive: true, force: true });
await build({
  entryPoints: ["darkroom", "react", "resume-store"].map((file) => path(`client/${file}.ts`)),
  outdir: out,
  bundle: true,
  splitting: true,
  format: "esm",
  target: "es2022",
  minify: true,
  sourcemap: true,
  external: ["react"],
});
const types = ["--declaration", "--emitDeclarationOnly", "--noEmit", "false", "--outDir", out];
execFileSync(process.execPath, [path("node_modules/typescript/bin/tsc"), "-p", path("client"), ...types], {
  stdio: "inherit",
});
const exports = JSON.parse(JSON.stringify(own.exports).replaceAll("./dist/client/", "./"));
const { peerDependenciesMeta } = own;
const manifest = { name, version, description, license, type, sideEffects, exports };
const complete = { ...manifest, peerDependencies, peerDependenciesMeta };
writeFileSync(`${out}/package.json`, `${JSON.stringify(complete, undefined, 2)}\n`);
cpSync(path("LICENSE"), `${out}/LICENSE`);
