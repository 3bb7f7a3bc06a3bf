/** One function as it is deployed: minified ES modules by esbuild, `index.mjs` with its handler and what it starts. */
import { fileURLToPath } from "node:url";
import { type BuildOptions, build, type Metafile, type Plugin } from "esbuild";
import { presetsFile } from "../adapters/presets.ts";
import { ENDING, fileOfOurs } from "../adapters/project.ts";

interface Bundle {
  /** By name in the zip: `index.mjs` and, for the worker, `child.mjs` with what it loads when a HEIC comes. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Kept apart from what is deployed: by name of the file they belong to. */
  readonly sourceMaps: ReadonlyMap<string, Uint8Array>;
  /** Packages that stay outside, as they hold native code. */
  readonly packages: readonly string[];
  /** Bytes of the bundle by package, or by folder of ours, largest first. */
  readonly sizes: readonly (readonly [string, number])[];
}

const NATIVE = ["sharp"];
/** CommonJS that asks for Node's own modules needs a `require`, which ES modules have not. */
const REQUIRE = "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);";

/** Lambda gets the presets themselves, in place of what looks for them. */
const presets: Plugin = {
  name: "presets",
  setup({ onResolve }) {
    onResolve({ filter: /\/adapters\/presets\.[jt]s$/ }, () => ({ path: presetsFile }));
    // In a project of the user's own it is this version, wherever `npx` runs us from.
    onResolve({ filter: /^darkroom\/config$/ }, () => ({ path: fileOfOurs(`core/preset${ENDING}`) }));
  },
};

/** @param name of a function, `presign` */
export async function bundle(name: string, root: URL): Promise<Bundle> {
  const index = await compile({ index: `functions/${name}${ENDING}` }, root);
  // Whoever starts the pixel process carries its other side along, where `spawn.ts` looks for it.
  const child =
    `pixels/spawn${ENDING}` in index.metafile.inputs
      ? [await compile({ child: `pixels/child${ENDING}` }, root, true)]
      : [];
  const parts = [index, ...child];
  const outputs = parts.flatMap(({ outputFiles }) => outputFiles);
  const named = (ending: string) =>
    new Map(
      outputs
        .filter(({ path }) => path.endsWith(ending))
        .map(({ path, contents }) => [path.replace(/^.*[/\\]/, ""), contents]),
    );
  return {
    files: named(".mjs"),
    sourceMaps: named(".mjs.map"),
    packages: [...new Set(parts.flatMap(({ metafile }) => externals(metafile)))],
    sizes: sizesOf(parts.map(({ metafile }) => metafile)),
  };
}

/** @param splitting whether what is imported late becomes a file of its own */
export async function compile(entryPoints: Record<string, string>, root: URL, splitting = false) {
  const options = {
    absWorkingDir: fileURLToPath(root),
    entryPoints,
    outdir: "bundle",
    write: false as const,
    bundle: true,
    platform: "node" as const,
    target: "node24",
    format: "esm" as const,
    outExtension: { ".js": ".mjs" },
    splitting,
    chunkNames: "[name]",
    // esbuild's default for Node takes CommonJS first, of which nothing can be left out.
    mainFields: ["module", "main"],
    external: NATIVE,
    plugins: [presets],
    minify: true,
    legalComments: "none" as const,
    sourcemap: "external" as const,
    sourcesContent: true,
    metafile: true as const,
    logLevel: "error" as const,
  } satisfies BuildOptions & { write: false; metafile: true };
  const built = await build(options);
  const asksForRequire = built.outputFiles.some(({ text }) => text.includes("Dynamic require of"));
  return asksForRequire ? build({ ...options, banner: { js: REQUIRE } }) : built;
}

function externals({ outputs }: Metafile): string[] {
  const imports = Object.values(outputs).flatMap((output) => output.imports);
  return imports.filter(({ path, external }) => external && NATIVE.includes(path)).map(({ path }) => path);
}

function sizesOf(metafiles: readonly Metafile[]): [string, number][] {
  const sizes = new Map<string, number>();
  for (const { outputs } of metafiles) {
    for (const output of Object.values(outputs)) {
      for (const [path, { bytesInOutput }] of Object.entries(output.inputs)) {
        const owner =
          /(?:node_modules|^\.\.)\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? path.replace(/\/[^/]*$/, "");
        sizes.set(owner, (sizes.get(owner) ?? 0) + bytesInOutput);
      }
    }
  }
  return [...sizes].sort((a, b) => b[1] - a[1]);
}
