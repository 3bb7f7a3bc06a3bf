/** Functions as zips, ready for Lambda: bundle, native code of the target, checked from the zip itself. */
import { mkdir, writeFile } from "node:fs/promises";
import { bundle } from "./bundle.ts";
import { assertTarget, targetPackages } from "./target.ts";
import { unzip, zip } from "./zip.ts";

interface Built {
  readonly name: string;
  readonly zip: URL;
  readonly zipBytes: number;
  /** Of the code alone, as Node loads it. */
  readonly codeBytes: number;
  /** What weighs most in it: package or folder, with its bytes. */
  readonly sizes: readonly (readonly [string, number])[];
}

/**
 * Writes `NAME.zip` and `source-maps/NAME/` into `out`. The same sources give the same bytes, on every machine.
 * @param names of functions, which are files in `functions/`
 * @param out a folder, with a slash at the end
 */
export async function buildFunctions(names: readonly string[], root: URL, out: URL): Promise<Built[]> {
  await mkdir(out, { recursive: true });
  return Promise.all(names.map((name) => buildFunction(name, root, out)));
}

async function buildFunction(name: string, root: URL, out: URL): Promise<Built> {
  const { files, sourceMaps, packages, sizes } = await bundle(name, root);
  const zipped = zip(new Map([...files, ...(await targetPackages(packages, root))]));
  assertTarget(unzip(zipped), packages);
  const target = new URL(`${name}.zip`, out);
  const maps = new URL(`source-maps/${name}/`, out);
  await mkdir(maps, { recursive: true });
  await Promise.all([
    writeFile(target, zipped),
    ...[...sourceMaps].map(([file, bytes]) => writeFile(new URL(file, maps), bytes)),
  ]);
  const codeBytes = [...files.values()].reduce((sum, { length }) => sum + length, 0);
  return { name, zip: target, zipBytes: zipped.length, codeBytes, sizes };
}

/** One line per function: its zip, its code, and what weighs most in that. */
export function describe(built: readonly Built[]): string {
  const kB = (bytes: number) => `${(bytes / 1000).toFixed(0)} kB`;
  const rows = built.map(({ name, zipBytes, codeBytes, sizes }) => {
    const heaviest = sizes.slice(0, 3).map(([owner, bytes]) => `${owner} ${kB(bytes)}`);
    return `${name.padEnd(12)}${kB(zipBytes).padStart(10)} zip${kB(codeBytes).padStart(10)} code   ${heaviest.join(", ")}`;
  });
  return rows.join("\n");
}
