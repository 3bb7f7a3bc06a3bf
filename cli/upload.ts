/** `darkroom upload`: the way a browser goes, for files and folders. */
import { Command } from "commander";
import { DarkroomError } from "../client/errors.ts";
import type { Image } from "../client/image.ts";
import { connect } from "./api.ts";
import { CliError, messageOf } from "./exit.ts";
import { findFiles } from "./files.ts";
import { openFile } from "./local-file.ts";
import { type ApiOptions, wholeNumber, withApi, withExamples, withJson } from "./options.ts";
import { Progress } from "./progress.ts";
import { bytes, duration, note, paint, printable, table } from "./terminal.ts";

interface UploadOptions extends ApiOptions {
  readonly preset?: string;
  readonly concurrency: number;
  readonly timeout: number;
  readonly tables?: boolean;
  readonly json?: boolean;
}

/** Up to so many files each gets its table; beyond, a line. */
const TABLES_UP_TO = 10;

export const command = new Command("upload")
  .description("upload images, wait until each is ready, and show what came of it")
  .argument("<paths...>", "files, and folders whose images are meant")
  .option("-p, --preset <name>", "preset of darkroom.config.ts; its default where absent")
  .option("-c, --concurrency <n>", "images on their way at once", wholeNumber, 8)
  .option("-t, --timeout <seconds>", "how long to wait for one image", wholeNumber, 900)
  .option("--tables", `a table for every image, also for more than ${TABLES_UP_TO}`)
  .action(upload);
withJson(command, "one JSON document per image instead of tables");
withApi(command);
withExamples(
  command,
  "upload photo.jpg other.heic holiday/",
  "upload --preset avatar me.png --json",
  'upload --api https://abc.execute-api.eu-central-1.amazonaws.com --token "$TOKEN" photo.jpg',
);

async function upload(paths: readonly string[], options: UploadOptions): Promise<void> {
  const api = await connect(options);
  let total = 0;
  // Counted first, so that progress can say how far; the names are not kept, however many they are.
  for await (const _ of findFiles(paths)) total++;
  if (total === 0) throw new CliError("There are no images in there.");

  const counts = { ready: 0, held: 0, refused: 0, sentBytes: 0 };
  const started = performance.now();
  const progress = new Progress({
    unit: "images",
    total,
    notes: () => [
      `${bytes(counts.sentBytes)} sent`,
      ...(counts.refused > 0 ? [`${counts.refused} refused`] : []),
    ],
  });
  const withTable = options.tables || total <= TABLES_UP_TO;
  const files = findFiles(paths);
  const lane = async () => {
    for (let next = await files.next(); !next.done; next = await files.next()) {
      const { path, problem } = next.value;
      try {
        if (problem) throw new DarkroomError(problem.code, problem.message);
        const file = await openFile(path);
        const id = await api.upload(file, { preset: options.preset });
        counts.sentBytes += file.blob.size;
        const image = await api.waitUntilReady(id, options.timeout);
        counts.ready++;
        progress.print(options.json ? JSON.stringify({ path, ...image }) : describe(path, image, withTable));
      } catch (error) {
        const code = error instanceof DarkroomError ? error.code : "error";
        const isHeld = code === "held";
        if (isHeld) counts.held++;
        else counts.refused++;
        const message = messageOf(error);
        progress.print(
          options.json
            ? JSON.stringify({ path, error: { code, message } })
            : `${isHeld ? paint("green", "✓") : paint("red", "✗")} ${printable(path)}  ${isHeld ? code : paint("red", code)}: ${message}`,
        );
        if (error instanceof CliError) return;
      }
      progress.done++;
    }
  };
  await Promise.all(Array.from({ length: Math.min(options.concurrency, total) }, lane));
  progress.end();
  const refused = total - counts.ready - counts.held;
  if (total > 1) {
    const others = [counts.held > 0 && `${counts.held} held`, refused > 0 && `${refused} not`].filter(
      Boolean,
    );
    note(
      `${[`${counts.ready} ready`, ...others].join(", ")}, ${bytes(counts.sentBytes)} sent in ${duration(performance.now() - started)}`,
    );
  }
  process.exitCode = refused === 0 ? 0 : 1;
}

function describe(path: string, image: Image, withTable: boolean): string {
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
