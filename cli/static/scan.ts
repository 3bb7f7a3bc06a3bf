/** A folder's files with their hashes. What did not change since the last time is not read again. */
import { createHash } from "node:crypto";
import { mkdir, readFile, realpath, rename, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, relative, sep } from "node:path";
import { digest, isStaticPath } from "../../core/keys.ts";
import { inLanes } from "../../core/lanes.ts";
import { CliError, messageOf } from "../exit.ts";
import { printable } from "../terminal.ts";
import { walk } from "../walk.ts";
import { type CacheRule, cacheControlOf, typeOf } from "./headers.ts";

export interface StaticFile {
  /** Relative to the folder, with `/`. */
  readonly path: string;
  /** Where it is on this machine. */
  readonly file: string;
  readonly size: number;
  /** Hexadecimal. */
  readonly sha256: string;
  readonly type: string;
  readonly cacheControl: string;
}

export interface Scan {
  /** By path. */
  readonly files: readonly StaticFile[];
  /** Of all of it: paths, contents, types and times to be kept. */
  readonly tree: string;
}

/** Size, times and inode, and what was found in the file that had them. */
type Known = readonly [
  size: number,
  mtime: number,
  ctime: number,
  inode: number,
  sha256: string,
  text: boolean,
];

const FILES_AT_ONCE = 32;
/** A file written in the same tick of the clock as it was read may change again without looking different. */
const TICK_MS = 1000;

interface ScanOptions {
  readonly hidden: boolean;
  readonly rules: readonly CacheRule[];
  readonly now?: () => number;
}

/** @throws CliError that names every file which cannot be published */
export async function scan(folder: string, { hidden, rules, now = Date.now }: ScanOptions): Promise<Scan> {
  const root = await realpath(folder).catch((error: unknown) => {
    throw new CliError(`${printable(folder)}: ${messageOf(error)}`, "usage");
  });
  const cache = cacheFile(root);
  const before = await readCache(cache);
  const after = new Map<string, Known>();
  const found: { path: string; file: string }[] = [];
  const problems: string[] = [];
  for await (const { path: file, problem } of walk(folder, hidden)) {
    const path = relative(folder, file).split(sep).join("/");
    if (problem) problems.push(`${path}: ${problem.message}`);
    else if (!isStaticPath(path)) problems.push(`${path}: Its name cannot be part of a URL; rename it.`);
    else found.push({ path, file });
  }

  const files: StaticFile[] = [];
  let changed = false;
  await inLanes(found, FILES_AT_ONCE, async ({ path, file }) => {
    try {
      const asOf = now();
      const { size, mtimeMs, ctimeMs, ino } = await stat(file);
      const last = before.get(path);
      const same = last?.[0] === size && last[1] === mtimeMs && last[2] === ctimeMs && last[3] === ino;
      const { sha256, text } = same ? { sha256: last[4], text: last[5] } : await read(file);
      if (!same) changed = true;
      if (asOf - ctimeMs > TICK_MS) after.set(path, [size, mtimeMs, ctimeMs, ino, sha256, text]);
      const cacheControl = cacheControlOf(path, rules);
      files.push({ path, file, size, sha256, type: typeOf(path, text), cacheControl });
    } catch (error) {
      problems.push(`${path}: ${messageOf(error)}`);
    }
  });
  if (problems.length > 0) {
    const list = problems.map((problem) => `  ${printable(problem)}`).join("\n");
    throw new CliError(`Nothing is published, as a part of it would be missing:\n${list}`);
  }
  if (files.length === 0) throw new CliError(`There are no files in ${printable(folder)}.`);
  if (changed || before.size !== files.length) await writeCache(cache, after);
  files.sort((a, b) => (a.path < b.path ? -1 : 1));
  const facts = files.map(({ path, sha256, type, cacheControl }) => [path, sha256, type, cacheControl]);
  return { files, tree: digest(JSON.stringify(facts)) };
}

async function read(file: string): Promise<{ sha256: string; text: boolean }> {
  const bytes = await readFile(file);
  return {
    sha256: createHash("sha256").update(bytes).digest("hex"),
    text: !bytes.subarray(0, 4096).includes(0),
  };
}

function cacheFile(root: string): string {
  const home = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  return join(home, "darkroom", `sync-${digest(root)}.json`);
}

/** Only saves time: whatever is wrong with it, files are read instead. */
async function readCache(path: string): Promise<ReadonlyMap<string, Known>> {
  try {
    return new Map(JSON.parse(await readFile(path, "utf8")) as [string, Known][]);
  } catch {
    return new Map();
  }
}

async function writeCache(path: string, cache: ReadonlyMap<string, Known>): Promise<void> {
  try {
    await mkdir(join(path, ".."), { recursive: true });
    await writeFile(`${path}.${process.pid}`, JSON.stringify([...cache]));
    await rename(`${path}.${process.pid}`, path);
  } catch {
    // No home, or no room in it: the next run reads the files again.
  }
}
