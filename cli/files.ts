/** Which files the paths on the command line mean. */
import { lstat, opendir, stat } from "node:fs/promises";
import { join } from "node:path";
import { extensionsOf, formatNames } from "../core/formats.ts";
import { printable } from "./terminal.ts";

/** Anything that may be an image by its name; content decides later. */
const EXTENSIONS = new Set(extensionsOf(formatNames));

/**
 * Files as named, and those in folders that look like images, depth first; neither hidden ones nor links inside
 * folders, which may lead in circles.
 * @throws Error that names the path which is not there
 */
export async function* findFiles(paths: readonly string[]): AsyncGenerator<string> {
  for (const path of paths) {
    const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
      const reason = error.code === "ENOENT" ? "there is no such file or folder" : error.message;
      throw new Error(`${printable(path)}: ${reason}.`, { cause: error });
    });
    if (found.isDirectory()) yield* imagesIn(path);
    else yield path;
  }
}

async function* imagesIn(folder: string): AsyncGenerator<string> {
  for await (const entry of await opendir(folder)) {
    if (entry.name.startsWith(".")) continue;
    const path = join(folder, entry.name);
    // Some file systems do not say in a listing what an entry is.
    const kind = entry.isFile() || entry.isDirectory() ? entry : await lstat(path);
    if (kind.isDirectory()) yield* imagesIn(path);
    else if (kind.isFile() && EXTENSIONS.has(entry.name.split(".").at(-1)?.toLowerCase() ?? "")) yield path;
  }
}
