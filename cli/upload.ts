/** `darkroom upload`: the way a browser goes, for files and folders. */
import { Command, InvalidArgumentError } from "commander";
import type { Metadata } from "../core/metadata.ts";
import {
  CliError,
  describeFile,
  findTarget,
  Refused,
  sendFile,
  type Target,
  waitUntilReady,
} from "./api-client.ts";
import { findFiles, printable } from "./files.ts";
import { bar, bytes, duration, ProgressLine, paint, table } from "./terminal.ts";

interface UploadOptions {
  readonly preset?: string;
  readonly concurrency: number;
  readonly timeout: number;
  readonly tables?: boolean;
  readonly json?: boolean;
  readonly api?: string;
  readonly token?: string;
}

/** Up to so many files each gets its table; beyond, a line. */
const TABLES_UP_TO = 10;

export function uploadCommand(): Command {
  return new Command("upload")
    .description("Upload images, wait until each is ready, and show what came of it.")
    .argument("<paths...>", "files, and folders whose images are meant")
    .option("-p, --preset <name>", "preset of darkroom.config.ts; its default where absent")
    .option("-c, --concurrency <n>", "images on their way at once", wholeNumber, 8)
    .option("-t, --timeout <seconds>", "how long to wait for one image", wholeNumber, 900)
    .option("--tables", `a table for every image, also for more than ${TABLES_UP_TO}`)
    .option("--json", "one JSON document per image instead of tables")
    .option("--api <url>", "a deployed API (or DARKROOM_API); the local stack where absent")
    .option("--token <jwt>", "token for it (or DARKROOM_TOKEN)")
    .addHelpText(
      "after",
      `
Examples:
  darkroom upload photo.jpg other.heic holiday/
  darkroom upload --preset avatar me.png --json
  darkroom upload --api https://abc.execute-api.eu-central-1.amazonaws.com --token "$TOKEN" photo.jpg

Exit status: 0 when every image became ready, 1 otherwise, 2 for wrong options.`,
    )
    .action(async (paths: string[], options: UploadOptions) => {
      process.exitCode = await upload(paths, options);
    });
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 86_400)
    throw new InvalidArgumentError("A whole number from 1.");
  return value;
}

async function upload(paths: readonly string[], options: UploadOptions): Promise<number> {
  let target: Target;
  let total = 0;
  try {
    target = await findTarget(options);
    // Counted first, so that progress can say how far; the names are not kept, however many they are.
    for await (const _ of findFiles(paths)) total++;
    if (total === 0) throw new CliError("There are no images in there.");
  } catch (error) {
    console.error(paint("red", messageOf(error)));
    return 1;
  }

  const counts = { ready: 0, refused: 0, sentBytes: 0, savedFrom: 0 };
  const started = performance.now();
  const progress = new ProgressLine(() => {
    const elapsed = performance.now() - started;
    const done = counts.ready + counts.refused;
    const left = done === 0 ? "" : ` · ${duration((elapsed / done) * (total - done))} left`;
    const refused = counts.refused === 0 ? "" : ` · ${counts.refused} refused`;
    return `${bar(done, total)} · ${counts.ready} ready${refused} · ${bytes(counts.sentBytes)} sent${left}`;
  });
  const withTable = options.tables || total <= TABLES_UP_TO;
  const files = findFiles(paths);
  const lane = async () => {
    for (let next = await files.next(); !next.done; next = await files.next()) {
      const path = next.value;
      try {
        const file = await describeFile(path);
        const id = await sendFile(target, file, options.preset);
        counts.sentBytes += file.size;
        const image = await waitUntilReady(target, id, options.timeout);
        counts.ready++;
        progress.print(options.json ? JSON.stringify({ path, ...image }) : describe(path, image, withTable));
      } catch (error) {
        counts.refused++;
        const code = error instanceof Refused ? error.code : "error";
        const message = messageOf(error);
        progress.print(
          options.json
            ? JSON.stringify({ path, error: { code, message } })
            : `${paint("red", "✗")} ${printable(path)}  ${paint("red", code)}: ${message}`,
        );
        if (error instanceof CliError) return;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(options.concurrency, total) }, lane));
  progress.end();
  const all = counts.ready === total;
  if (total > 1 && !options.json) {
    const refused = all ? "" : `, ${total - counts.ready} not`;
    console.log(
      `${counts.ready} ready${refused}, ${bytes(counts.sentBytes)} sent in ${duration(performance.now() - started)}`,
    );
  }
  return all ? 0 : 1;
}

function describe(path: string, image: Metadata, withTable: boolean): string {
  const { width = 0, height = 0, bytes: size = 0 } = image.source ?? {};
  const title = `${paint("green", "✓")} ${printable(path)}  ${image.id}  ${width} × ${height}, ${bytes(size)}, developed in ${image.durationMs} ms`;
  if (!withTable) return `${title}, ${image.variants.length} variants`;
  const rows = image.variants.map((variant) => [
    variant.name,
    variant.format,
    `${variant.width} × ${variant.height}`,
    bytes(variant.bytes),
    saved(variant.bytes, size),
    variant.url,
  ]);
  return `${title}\n${table(["variant", "format", "pixels", "bytes", "smaller by", "URL"], rows)}\n`;
}

/** How much smaller than the original: `97 %`. */
function saved(size: number, original: number): string {
  return original === 0 ? "" : `${Math.floor((1 - size / original) * 100)} %`;
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return "There is no such file or folder.";
  if (code === "EACCES") return "It may not be read.";
  return error.message;
}
