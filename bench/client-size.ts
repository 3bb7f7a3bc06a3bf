/** What each part of the client costs a page: bundled, minified, gzipped. Exits with 1 when one is over its limit. */
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/** Limits in bytes. `upload` and `waitUntilReady` come with `createDarkroom`. */
const parts = [
  {
    name: "upload + waitUntilReady",
    code: `export { createDarkroom } from "./client/darkroom.ts"`,
    limit: 4649,
  },
  { name: "picture + srcset", code: `export { picture, srcset } from "./client/darkroom.ts"`, limit: 2000 },
  { name: "placeholderUrl", code: `export { placeholderUrl } from "./client/darkroom.ts"`, limit: 1500 },
  { name: "uploads that survive a reload", code: `export * from "./client/resume-store.ts"`, limit: 1500 },
  { name: "all of darkroom/client", code: `export * from "./client/darkroom.ts"`, limit: 9000 },
];

export interface PartSize {
  readonly name: string;
  readonly minified: number;
  readonly gzipped: number;
  readonly limit: number;
}

export async function clientSizes(): Promise<PartSize[]> {
  return Promise.all(
    parts.map(async ({ name, code, limit }) => {
      const { outputFiles } = await build({
        stdin: { contents: code, resolveDir: process.cwd(), loader: "ts" },
        bundle: true,
        minify: true,
        format: "esm",
        target: "es2022",
        external: ["react"],
        write: false,
      });
      const bytes = outputFiles[0]?.contents ?? new Uint8Array();
      return { name, minified: bytes.length, gzipped: gzipSync(bytes, { level: 9 }).length, limit };
    }),
  );
}

if (import.meta.main) {
  const sizes = await clientSizes();
  console.table(sizes);
  if (sizes.some(({ gzipped, limit }) => gzipped > limit)) process.exitCode = 1;
}
