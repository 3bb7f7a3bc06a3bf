/**
 * Packages with native code for the machine that deploys run on, whatever machine packages them: Linux on arm64 with
 * glibc. Taken from the lockfile with its integrity, by npm itself, and kept until the lockfile's entries change.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdir, readdir, readFile, realpath, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { CACHE, PROJECT } from "../adapters/project.ts";
import type { Entries } from "./zip.ts";

const TARGET = ["--os=linux", "--cpu=arm64", "--libc=glibc"];
/** Sources to compile from, types and texts for readers; licences stay. */
const NEEDLESS = /(^|\/)(src|install|include)\/|\.d\.[cm]?ts$|\.md$|\.map$/;

interface LockedPackage {
  readonly version?: string;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
  readonly dependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
}
interface Lockfile {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

/** The native code of `packages` and of what they need, by its path in a zip: `node_modules/@img/sharp-linux-arm64/…`. */
export async function targetPackages(packages: readonly string[], root: URL): Promise<Entries> {
  if (packages.length === 0) return new Map();
  const { packages: locked } = JSON.parse(await readFile(lockfile(root), "utf8")) as Lockfile;
  const dependencies = Object.fromEntries(
    packages.map((name) => [name, locked[`node_modules/${name}`]?.version]),
  );
  const absent = packages.filter((name) => !dependencies[name]);
  if (absent.length > 0) throw new Error(`${absent.join(", ")}: not in package-lock.json`);
  const manifest = { name: "darkroom-target", version: "0.0.0", private: true, dependencies };
  // The lockfile's own entries, unchanged; those of other machines too, or npm would ask the registry for them.
  const entries = Object.fromEntries(
    [...closure(packages, locked)].map((path): [string, LockedPackage] => [path, locked[path] ?? {}]),
  );
  const lock = { ...manifest, lockfileVersion: 3, requires: true, packages: { "": manifest, ...entries } };
  const hash = createHash("sha256")
    .update(JSON.stringify([TARGET, lock]))
    .digest("hex");
  const folder = fileURLToPath(new URL(`darkroom/target-${hash.slice(0, 16)}/`, CACHE));
  if (!existsSync(folder)) await install(folder, manifest, lock, closure(packages, locked, isForTarget));
  // JavaScript is in the bundle.
  const native = [...closure(packages, locked, isForTarget)].filter((path) => locked[path]?.cpu);
  return readPackages(join(folder, "node_modules"), native);
}

/** The repository's, or what a package has of it: npm publishes no lockfile. */
function lockfile(root: URL): URL {
  const ours = new URL("package-lock.json", root);
  return existsSync(ours) ? ours : new URL("deploy/locked.json", root);
}

/** What a package has of the lockfile: all that `targetPackages` looks up. */
export function lockedFor(packages: readonly string[], { packages: locked }: Lockfile): Lockfile {
  return {
    packages: Object.fromEntries([...closure(packages, locked)].map((path) => [path, locked[path] ?? {}])),
  };
}

/** Paths, in the lockfile, of the packages and of all they depend on, as far as `wanted`. */
function closure(
  packages: readonly string[],
  locked: Lockfile["packages"],
  wanted = (_: LockedPackage) => true,
) {
  const found = new Set<string>();
  const add = (name: string, from: string): void => {
    const path = resolve(name, from, locked);
    const entry = path === undefined ? undefined : locked[path];
    if (path === undefined || !entry || found.has(path) || !wanted(entry)) return;
    found.add(path);
    for (const next of Object.keys({ ...entry.dependencies, ...entry.optionalDependencies })) add(next, path);
  };
  for (const name of packages) add(name, "");
  return found;
}

/** As Node does: in the package's own node_modules, then outwards. */
function resolve(name: string, from: string, locked: Lockfile["packages"]): string | undefined {
  for (let folder = from; ; folder = folder.replace(/(^|\/)node_modules\/(@[^/]+\/)?[^/]+$/, "")) {
    const path = `${folder}${folder && "/"}node_modules/${name}`;
    if (locked[path]) return path;
    if (folder === "") return undefined;
  }
}

function isForTarget({ os, cpu, libc }: LockedPackage): boolean {
  const allows = (list: readonly string[] | undefined, name: string) => !list || list.includes(name);
  return allows(os, "linux") && allows(cpu, "arm64") && allows(libc, "glibc");
}

async function install(
  folder: string,
  manifest: object,
  lock: object,
  needed: Iterable<string>,
): Promise<void> {
  const made = `${folder.replace(/[/\\]$/, "")}.${process.pid}`;
  await mkdir(made, { recursive: true });
  // npm takes a path through a symbolic link for another project than the one it leads to.
  const draft = await realpath(made);
  await writeFile(join(draft, "package.json"), JSON.stringify(manifest));
  await writeFile(join(draft, "package-lock.json"), JSON.stringify(lock));
  // A registry that the project names.
  await copyFile(new URL(".npmrc", PROJECT), join(draft, ".npmrc")).catch(() => {});
  try {
    const options = ["--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", draft];
    await promisify(execFile)("npm", ["ci", ...TARGET, ...options], {
      cwd: draft,
      // npx leaves the project it runs in here, and npm would install there.
      env: { ...process.env, npm_config_local_prefix: undefined },
      shell: process.platform === "win32",
    });
    // npm says nothing of an optional package, as all native ones are, whose bytes have another hash.
    const lost = [...needed].filter((path) => !existsSync(join(draft, path)));
    if (lost.length > 0) throw new Error(`not there, or not as the lockfile has it: ${lost.join(", ")}`);
    await rename(draft, folder).catch((error: unknown) => {
      // Another run was faster.
      if (!existsSync(folder)) throw error;
    });
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.trim() || String(error);
    throw new Error(`npm could not fetch native code for linux-arm64:\n${said}`, { cause: error });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function readPackages(folder: string, wanted: readonly string[]): Promise<Entries> {
  const entries = new Map<string, Uint8Array>();
  for (const file of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(file.parentPath, file.name);
    const name = `node_modules/${path.slice(folder.length + 1).replaceAll("\\", "/")}`;
    const isWanted =
      wanted.some((one) => name.startsWith(`${one}/`)) && !NEEDLESS.test(name.replace(/^node_modules\//, ""));
    if (file.isFile() && isWanted) entries.set(name, await readFile(path));
  }
  return entries;
}

/** ELF's `e_machine` of AArch64 (ELF for the Arm 64-bit Architecture, 5.4.1). */
const AARCH64 = 183;
const BINARY_NAME = /\.(node|so(\.[0-9]+)*|dylib|dll|exe|a)$/;

/**
 * Every binary in a zip is for Linux, arm64 and glibc: judged by its bytes, as names and folders can lie.
 * @throws Error that names what is not, and where one of `packages` has no binary at all
 */
export function assertTarget(entries: ReadonlyMap<string, Buffer>, packages: readonly string[]): void {
  const binaries = [...entries].filter(([name, bytes]) => BINARY_NAME.test(name) || isElf(bytes));
  const wrong = binaries.filter(([, bytes]) => !isTargetBinary(bytes)).map(([name]) => name);
  if (wrong.length > 0) throw new Error(`not for Linux on arm64 with glibc: ${wrong.join(", ")}`);
  if (packages.length > 0 && !binaries.some(([name]) => name.endsWith(".node"))) {
    throw new Error(`the zip has ${packages.join(", ")} but no native code for linux-arm64`);
  }
}

const isElf = (bytes: Buffer) => bytes.subarray(0, 4).equals(Buffer.from("\x7fELF"));

/** 64 bits and little-endian, by its identification; the C library by the name it asks the loader for. */
function isTargetBinary(bytes: Buffer): boolean {
  if (!isElf(bytes) || bytes[4] !== 2 || bytes[5] !== 1 || bytes.readUInt16LE(18) !== AARCH64) return false;
  return bytes.includes("libc.so.6\0") && !bytes.includes("libc.musl-");
}
