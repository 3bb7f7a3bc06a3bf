/** Which files the paths on the command line mean. */
import { stat } from "node:fs/promises";
import { extname } from "node:path";
import { extensionsOf, formatNames } from "../core/formats.ts";
import { CliError, messageOf } from "./exit.ts";
import { printable } from "./terminal.ts";
import { type WalkedFile, walk } from "./walk.ts";

/** Anything that may be an image by its name; content decides later. */
const EXTENSIONS = new Set(extensionsOf(formatNames));

/**
 * Files as named, and those in folders that look like images or cannot be read; hidden ones are left out.
 * @throws CliError that names the path which is not there
 */
export async function* findFiles(paths: readonly string[]): AsyncGenerator<WalkedFile> {
  for (const path of paths) {
    const found = await stat(path).catch((error: unknown) => {
      throw new CliError(`${printable(path)}: ${messageOf(error)}`, "usage");
    });
    if (!found.isDirectory()) yield { path };
    else
      for await (const file of walk(path, false)) if (file.problem || looksLikeImage(file.path)) yield file;
  }
}

const looksLikeImage = (path: string) => EXTENSIONS.has(extname(path).slice(1).toLowerCase());
