/** The page in `web/`, built when somebody asks for it and kept under `.cache/web` until its sources change. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, globSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { basename, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { CACHE, fileOfOurs, installed } from "../adapters/project.ts";

/** Path below the page's, such as `assets/index-Cx2.js`, and its bytes. */
export type BuiltPage = ReadonlyMap<string, Buffer>;

const ROOT = fileOfOurs("");
const KEPT = fileURLToPath(new URL("web/", CACHE));
const MAKING = "making-";
/** All that a build depends on; the lockfile stands for React and Vite. */
const SOURCES = ["{web,client,core}/**/*.*", "vite.config.ts", "tsconfig.json", "package-lock.json"];

let built: { readonly digest: string; readonly page: Promise<BuiltPage> } | undefined;

/** The page as its sources are now. Reading them takes some milliseconds, building it about a second. */
export function builtPage(): Promise<BuiltPage> {
  // A package has it ready, and not its sources.
  const digest = installed ? "" : digestOfSources();
  if (built?.digest !== digest)
    built = { digest, page: installed ? read(fileOfOurs("web")) : buildAndRead(digest) };
  const { page } = built;
  // What failed may have been half of an edit.
  page.catch(() => {
    if (built?.page === page) built = undefined;
  });
  return page;
}

function digestOfSources(): string {
  const hash = createHash("sha256");
  for (const file of globSync(SOURCES, { cwd: ROOT }).sort()) {
    hash.update(`${file}\0`).update(readFileSync(join(ROOT, file)));
  }
  return hash.digest("hex").slice(0, 16);
}

async function buildAndRead(digest: string): Promise<BuiltPage> {
  const folder = join(KEPT, digest);
  if (!existsSync(folder)) await build(folder);
  return read(folder);
}

async function read(folder: string): Promise<BuiltPage> {
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  return new Map(
    await Promise.all(
      files
        .filter((file) => file.isFile())
        .map(async ({ parentPath, name }): Promise<[string, Buffer]> => {
          const path = join(parentPath, name);
          return [path.slice(folder.length + 1).replaceAll(sep, "/"), await readFile(path)];
        }),
    ),
  );
}

async function build(folder: string): Promise<void> {
  await mkdir(KEPT, { recursive: true });
  // Another process may just have made the very same.
  const old = (await readdir(KEPT)).filter((name) => !name.startsWith(MAKING) && name !== basename(folder));
  // Under its name only when it is complete: another process may be looking for it, or making it too.
  const making = await mkdtemp(join(KEPT, MAKING));
  try {
    const vite = join(fileURLToPath(import.meta.resolve("vite/package.json")), "../bin/vite.js");
    const args = [vite, "build", "--outDir", making, "--logLevel", "warn"];
    // In a process of its own: Vite sets NODE_ENV, and its memory goes with it.
    await promisify(execFile)(process.execPath, args, { cwd: ROOT });
    await rename(making, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error;
    });
  } finally {
    await rm(making, { recursive: true, force: true });
  }
  for (const name of old) await rm(join(KEPT, name), { recursive: true, force: true });
}
