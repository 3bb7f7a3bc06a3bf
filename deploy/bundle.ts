/** One function as it is deployed: minified ES modules by esbuild, `index.mjs` with its handler and what it starts. */
import { isBuiltin } from "node:module";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build, type Metafile, type Plugin } from "esbuild";
import { presetsFile } from "../adapters/presets.ts";
import { ENDING, fileOfOurs } from "../adapters/project.ts";

interface Bundle {
  /** By name in the zip: `index.mjs` and, for the worker, `child.mjs` with what it loads when a HEIC comes. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Kept apart from what is deployed: by name of the file they belong to. */
  readonly sourceMaps: ReadonlyMap<string, Uint8Array>;
  /** Packages whose native code is to come along. */
  readonly packages: readonly string[];
  /** Bytes of the bundle by package, or by folder of ours, largest first. */
  readonly sizes: readonly (readonly [string, number])[];
}

/** With native code, which stays outside; their JavaScript does not: in its many files it takes 27 ms more (measured). */
const NATIVE = ["sharp"];

/**
 * Node's own modules, asked for what is used of them alone: an `import` asks for all that they export, and `http` then loads
 * an HTTP client of another kind, `util` threads: 9 ms of the worker's start (measured).
 */
const builtins: Plugin = {
  name: "builtins",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^[\w:/]+$/ }, ({ path, kind }) =>
      isBuiltin(path) ? { path, namespace: kind === "import-statement" ? "named" : "whole" } : undefined,
    );
    onLoad({ filter: /./, namespace: "whole" }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule("${path}")`,
    }));
    onLoad({ filter: /./, namespace: "named" }, ({ path }) => {
      const names = Object.keys(process.getBuiltinModule(path) ?? {}).filter((name) => /^\w+$/.test(name));
      // What is pure and not used is left out.
      const exported = names.map(
        (name) => `const $${name} = /* @__PURE__ */ of("${name}"); export { $${name} as ${name} };`,
      );
      const all = `const all = process.getBuiltinModule("${path}"); const of = (name) => all[name]; export default all;`;
      return { contents: [all, ...exported].join("\n") };
    });
  },
};

/** Lambda has credentials in the environment. What the SDK brings for other machines is a fifth of the code, and 11 ms (measured). */
const credentials: Plugin = {
  name: "credentials",
  setup({ onLoad }) {
    onLoad({ filter: /@aws-sdk.credential-provider-node.dist-es.index\.js$/ }, () => ({
      contents: `export { fromEnv as defaultProvider } from '@aws-sdk/credential-provider-env'`,
    }));
  },
};

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
  // As they are imported: where a package lies differs from one package manager to the next.
  const imported = parts
    .flatMap(({ metafile }) => Object.values(metafile.inputs))
    .flatMap(({ imports }) => imports.map(({ original }) => original));
  return {
    files: named(".mjs"),
    sourceMaps: named(".mjs.map"),
    packages: NATIVE.filter((name) => imported.includes(name)),
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
    plugins: [presets, builtins, credentials],
    minify: true,
    legalComments: "none" as const,
    sourcemap: "external" as const,
    sourcesContent: true,
    metafile: true as const,
    logLevel: "error" as const,
  } satisfies BuildOptions & { write: false; metafile: true };
  return build(options);
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
