/** A folder's files, links resolved with care: what cannot or must not be read is named, never passed over in silence. */
import { opendir, readlink, realpath, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import { messageOf } from "./exit.ts";

export interface Problem {
  readonly code: string;
  readonly message: string;
}

export interface WalkedFile {
  readonly path: string;
  readonly problem?: Problem;
}

/**
 * Depth first, in the order of the file system. Links are followed to what lies in the folder itself; those that lead
 * out of it, in a circle or nowhere are problems. Sockets, pipes and devices are left out.
 */
export async function* walk(folder: string, hidden: boolean): AsyncGenerator<WalkedFile> {
  yield* filesIn(folder, [await realpath(folder)], hidden);
}

/** @param chain real paths from the root down to this folder: a link to one of them is a circle */
async function* filesIn(
  folder: string,
  chain: readonly string[],
  hidden: boolean,
): AsyncGenerator<WalkedFile> {
  const here = chain.at(-1) ?? folder;
  try {
    for await (const entry of await opendir(folder)) {
      if (entry.name.startsWith(".") && !hidden) continue;
      const path = join(folder, entry.name);
      if (entry.name.includes("\ufffd")) {
        // Old disks have names in Latin-1, which cannot be opened by what is left of them here.
        yield {
          path,
          problem: { code: "bad-name", message: "Its name is not UTF-8; rename it (convmv does)." },
        };
        continue;
      }
      if (entry.isDirectory()) yield* filesIn(path, [...chain, join(here, entry.name)], hidden);
      else if (entry.isFile()) yield { path };
      // Some file systems do not say in a listing what an entry is: the same care as for a link.
      else yield* resolved(path, chain, hidden);
    }
  } catch (error) {
    yield { path: folder, problem: { code: "unreadable", message: messageOf(error) } };
  }
}

async function* resolved(
  path: string,
  chain: readonly string[],
  hidden: boolean,
): AsyncGenerator<WalkedFile> {
  const [root = ""] = chain;
  try {
    const target = await realpath(path);
    const found = await stat(target);
    if (target !== root && !target.startsWith(root.endsWith(sep) ? root : root + sep)) {
      yield { path, problem: { code: "link-outside", message: "The link leads out of the folder." } };
    } else if (found.isFile()) yield { path };
    else if (found.isDirectory() && chain.includes(target)) {
      yield { path, problem: { code: "link-loop", message: "The link leads in a circle." } };
    } else if (found.isDirectory()) yield* filesIn(path, [...chain, target], hidden);
  } catch (error) {
    const target = await readlink(path).catch(() => "");
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" && target !== "") {
      yield {
        path,
        problem: { code: "link-broken", message: `The link leads to ${target}, which is not there.` },
      };
    } else if (code === "ELOOP") {
      yield { path, problem: { code: "link-loop", message: "The link leads in a circle." } };
    } else yield { path, problem: { code: "unreadable", message: messageOf(error) } };
  }
}
