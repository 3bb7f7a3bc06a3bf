/** `darkroom original`: gets a file back as it was uploaded. */
import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Command } from "commander";
import type { Original } from "../client/upload.ts";
import { connect } from "./api.ts";
import { CliError, messageOf } from "./exit.ts";
import { type ApiOptions, withApi, withExamples } from "./options.ts";
import { bytes, printable } from "./terminal.ts";

interface OriginalOptions extends ApiOptions {
  readonly output?: string;
  readonly url?: boolean;
}

export const command = new Command("original")
  .description("get an image back as it was uploaded, under its own name")
  .argument("<id>", "of the image")
  .option("-o, --output <file>", "another name, or - for standard output; nothing is written over")
  .option("--url", "print where it can be fetched for five minutes, and fetch nothing")
  .action(original);
withApi(command);
withExamples(
  command,
  "original 7bqtekagtd1p48xq0wkavh8vyr",
  "original 7bqtekagtd1p48xq0wkavh8vyr --output - > photo.jpg",
);

async function original(id: string, { output, url: only, ...options }: OriginalOptions): Promise<void> {
  const api = await connect(options);
  const { url, name } = await api.call<Original>("GET", `/images/${encodeURIComponent(id)}/original`);
  if (only) return console.log(url);
  const response = await fetch(url).catch((error: unknown) => {
    throw new CliError(`S3 cannot be reached: ${messageOf(error)}`);
  });
  if (!response.ok || !response.body) throw new CliError(`S3 does not hand it out (${response.status}).`);
  const body = Readable.fromWeb(response.body);
  if (output === "-") return pipeline(body, process.stdout, { end: false });
  const path = output ?? fileName(name, id);
  // Never over another file: the name is the uploader's.
  const file = createWriteStream(path, { flags: "wx" });
  await pipeline(body, file).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code === "EEXIST")
      throw new CliError(`${printable(path)} is there already: name another --output.`);
    await rm(path, { force: true });
    throw new CliError(`${printable(path)}: ${messageOf(error)}`);
  });
  console.log(`${printable(path)}  ${bytes(file.bytesWritten)}`);
}

/** The uploader's name as one of this folder: no path, no hidden file, nothing that a system takes for more than a name. */
function fileName(name: string, id: string): string {
  const safe = name
    .replaceAll(/[\p{Cc}/\\:*?"<>|]/gu, "_")
    .replace(/^\.+/, "_")
    .replace(/[. ]+$/, "");
  // File systems take 255 bytes.
  let path = safe;
  while (Buffer.byteLength(path) > 255) path = path.slice(1);
  return path.toWellFormed() || id;
}
