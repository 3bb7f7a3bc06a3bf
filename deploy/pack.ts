/**
 * `npm run pack`: what is published, as tarballs in `dist/`. `darkroom` is all of it, compiled in the same folders, as Node
 * strips no types below `node_modules`; `darkroom-browser` is what a page needs, under the same names to import.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { type BuildOptions, build } from "esbuild";
import { fileOfOurs } from "../adapters/project.ts";
import { apart, buildBrowserLibrary, emitTypes, entryPoints, NODE } from "./browser-library.ts";
import { lockedFor } from "./target.ts";

const root = fileOfOurs("");
/** Another folder where one is named: tests that run side by side have one each. */
const dist = resolve(process.argv[2] ?? fileOfOurs("dist"));
const own = JSON.parse(readFileSync(fileOfOurs("package.json"), "utf8"));
const { version, license, type, sideEffects, peerDependencies, peerDependenciesMeta } = own;
/** Where a CI builds it, which npm compares with the provenance; elsewhere nothing says where that is. */
const { GITHUB_SERVER_URL, GITHUB_REPOSITORY, CI_PROJECT_URL } = process.env;
const home = GITHUB_REPOSITORY ? `${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}` : CI_PROJECT_URL;
const repository = home ? { type: "git", url: `git+${home}.git` } : undefined;
/** What is alike in both. */
const common = { version, license, type, repository, sideEffects, peerDependencies, peerDependenciesMeta };
/** With `--provenance` npm says where it was built: https://docs.npmjs.com/generating-provenance-statements */
const publishConfig = { access: "public", provenance: true };

/** What others load by a path: the command, the stack, Lambda's functions, the other side of the pixel process, Serverless. */
const ENTRIES = [
  "cli/darkroom.ts",
  "core/preset.ts",
  "deploy/{plugin.ts,*.cjs}",
  "functions/*.ts",
  "laptop/start.ts",
  "pixels/child.ts",
];
/** As they are. `core/shipped.ts` is also what `init` begins a file with. */
const COPIED = [
  "serverless.yml",
  "deploy/infra",
  "deploy/web-acl.yml",
  "events",
  "docs",
  "core/shipped.ts",
  "cli/bin.cjs",
  "README.md",
  "CHANGELOG.md",
  "SECURITY.md",
  "LICENSE",
];
/** Found by name and not by an import. */
const BY_NAME = ["serverless"];

async function packDarkroom(): Promise<string> {
  const out = join(dist, "darkroom");
  rmSync(out, { recursive: true, force: true });
  const imported = await compile(globSync(ENTRIES, { cwd: root }), root, out);
  for (const name of COPIED) cpSync(join(root, name), join(out, name), { recursive: true });
  chmodSync(join(out, "cli/bin.cjs"), 0o755);
  await bundleLocalAws(join(out, "node_modules/local-aws"));
  await buildBrowserLibrary(join(out, "browser"));
  emitTypes([...NODE, "--rootDir", fileOfOurs("core"), fileOfOurs("core/preset.ts")], join(out, "core"));
  execFileSync(process.execPath, [
    fileOfOurs("node_modules/vite/bin/vite.js"),
    ...["build", "--outDir", join(out, "web"), "--logLevel", "warn"],
  ]);
  const lock = JSON.parse(readFileSync(fileOfOurs("package-lock.json"), "utf8"));
  writeFileSync(join(out, "deploy/locked.json"), JSON.stringify(lockedFor(["sharp"], lock)));
  const versions: Record<string, string> = { ...own.devDependencies, ...own.dependencies };
  const dependencies = Object.fromEntries(
    [...imported, ...BY_NAME].sort().map((name) => [name, versions[name] ?? "0.1.0"]),
  );
  const { exports, typesVersions } = entryPoints("./browser");
  typesVersions["*"]["config"] = ["./core/preset.d.ts"];
  return pack(out, {
    ...{ name: "darkroom", description: own.description, ...common },
    engines: { node: ">=24" },
    bin: { darkroom: "./cli/bin.cjs" },
    exports: {
      "./config": { types: "./core/preset.d.ts", default: "./core/preset.js" },
      ...exports,
      "./package.json": "./package.json",
    },
    typesVersions,
    dependencies,
    bundleDependencies: ["local-aws"],
    publishConfig,
  });
}

/** No registry has it: it travels along, under the name by which it is imported. */
async function bundleLocalAws(out: string): Promise<void> {
  const folder = fileOfOurs("packages/local-aws/");
  const manifest = readFileSync(join(folder, "package.json"), "utf8");
  const {
    devDependencies: _,
    scripts: __,
    private: ___,
    ...rest
  } = JSON.parse(manifest.replaceAll(".ts", ".js"));
  const entries = Object.values<string>({ ...rest.bin, ...rest.exports }).map((file) =>
    file.replace(/\.js$/, ".ts"),
  );
  await compile(entries, folder, out);
  writeFileSync(join(out, "package.json"), JSON.stringify(rest, undefined, 2));
  for (const [from, name] of [
    ["README.md", "README.md"],
    ["../../LICENSE", "LICENSE"],
  ] as const)
    cpSync(join(folder, from), join(out, name));
}

/** Each module that the entries lead to as one of its own, in its own folder. @returns packages that they import */
async function compile(entries: string[], folder: string, out: string): Promise<Set<string>> {
  const options = {
    absWorkingDir: folder,
    bundle: true,
    platform: "node",
    target: "node24",
    packages: "external",
    outdir: out,
    outbase: folder,
    logLevel: "error",
  } as const satisfies BuildOptions;
  const { metafile } = await build({
    ...options,
    entryPoints: entries,
    format: "esm",
    metafile: true,
    write: false,
    entryNames: "[hash]",
  });
  const files = Object.keys(metafile.inputs);
  const modules = files.filter((file) => file.endsWith(".ts"));
  const scripts = files.filter((file) => file.endsWith(".cjs"));
  const plugins = [apart];
  await build({ ...options, entryPoints: modules, format: "esm", plugins });
  await build({ ...options, entryPoints: scripts, format: "cjs", outExtension: { ".js": ".cjs" }, plugins });
  const names = Object.values(metafile.outputs).flatMap(({ imports }) =>
    imports.flatMap(({ path }) => /^(?!node:|[./])(@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []),
  );
  return new Set(names);
}

async function packBrowserLibrary(): Promise<string> {
  const out = join(dist, "darkroom-browser");
  await buildBrowserLibrary(out);
  cpSync(fileOfOurs("LICENSE"), join(out, "LICENSE"));
  const description = "Darkroom's browser library: upload images, wait until they are ready, show them.";
  const entries = entryPoints(".");
  return pack(out, { name: "darkroom-browser", description, ...common, ...entries, publishConfig });
}

/** @returns the tarball */
function pack(folder: string, manifest: object): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest, undefined, 2)}\n`);
  const options = ["--json", "--ignore-scripts", "--pack-destination", dirname(folder)];
  const said = execFileSync("npm", ["pack", ...options, folder], {
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  const [{ filename, unpackedSize }] = JSON.parse(said);
  console.log(`${relative("", join(dist, filename))}  ${(unpackedSize / 1e6).toFixed(1)} MB unpacked`);
  return filename;
}

await packBrowserLibrary();
await packDarkroom();
