/** A file on this machine, as an upload needs it. */
import { createHash } from "node:crypto";
import { createReadStream, openAsBlob } from "node:fs";
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { detectFormat, formats } from "../core/formats.ts";

export interface LocalFile {
  readonly name: string;
  /** Read when it is sent; that fails once the file is not what was hashed. Its type is by content, or empty. */
  readonly blob: Blob;
  /** Base64. */
  readonly sha256: string;
  /** When it was last written, in milliseconds. */
  readonly mtimeMs: number;
}

/** @throws the file system's own errors */
export async function openFile(path: string): Promise<LocalFile> {
  const { mtimeMs } = await stat(path);
  const whole = await openAsBlob(path);
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) hash.update(chunk);
  const format = detectFormat(new Uint8Array(await whole.slice(0, 4096).arrayBuffer()));
  const blob = whole.slice(0, whole.size, format ? formats[format].type : "");
  return { name: basename(path), blob, mtimeMs, sha256: hash.digest("base64") };
}
