/** `darkroom import`: moves what exists already in, from folders, URLs and lists, and says what became of each. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { onInterrupt } from "../adapters/interrupt.ts";
import { connect } from "./api.ts";
import { exitCodes } from "./exit.ts";
import { fetchFile } from "./import/fetch-file.ts";
import { importAll, type Outcome, type SettleDeps } from "./import/importer.ts";
import { Journal } from "./import/journal.ts";
import { mapped, writeMapping } from "./import/mapping.ts";
import { importRemotely } from "./import/remote.ts";
import { type Entry, findSources } from "./import/sources.ts";
import { type ApiOptions, byteCount, wholeNumber, withApi, withExamples, withJson } from "./options.ts";
import { Progress } from "./progress.ts";
import { bytes, duration, note, paint, printable } from "./terminal.ts";

interface ImportOptions extends ApiOptions {
  readonly owner?: string;
  readonly preset?: string;
  readonly out: string;
  readonly concurrency: number;
  readonly wait: boolean;
  readonly timeout: number;
  readonly hidden: boolean;
  readonly null: boolean;
  readonly maxBytes: number;
  readonly allowPrivate: boolean;
  readonly remote: boolean;
  readonly json?: boolean;
}

export const command = new Command("import")
  .description("upload an existing folder, a list of URLs or files, or a manifest, and map each to its image")
  .argument("<sources...>", "folders, images, URLs, lists of paths or URLs, manifests; - is standard input")
  .option("-o, --owner <name>", "whose the images are; a line of a manifest may name another")
  .option("-p, --preset <name>", "preset of darkroom.config.ts; its default where absent")
  .option("--out <name>", "where NAME.ndjson, NAME.csv and NAME.journal.ndjson go", "darkroom-import")
  .option("-c, --concurrency <n>", "uploads at once", wholeNumber, 8)
  .option("--no-wait", "do not wait for the variants; run again without it to map them")
  .option("-t, --timeout <seconds>", "how long to wait for one image", wholeNumber, 900)
  .option("--hidden", "also files and folders whose name begins with a dot", false)
  .option("-0, --null", "names in lists end in NUL, as find -print0 writes them", false)
  .option("--max-bytes <n>", "of what is fetched from a URL", byteCount, 100_000_000)
  .option("--remote", "URLs are fetched where Darkroom runs, not by this machine", false)
  .option("--allow-private", "also fetch URLs that lead to this machine or its network", false)
  .action(importImages);
withJson(command, "one JSON document per image as it is done, as in NAME.ndjson");
withApi(command);
withExamples(
  command,
  "import --owner shop /var/www/media",
  "import --owner shop urls.txt",
  "import --owner shop --remote urls.txt",
  'import manifest.ndjson            # {"source": "a.jpg", "owner": "anna", "ref": 17, "preset": "avatar"}',
  "import --owner shop -             # paths or URLs on standard input: find … | darkroom import …",
  "import --owner shop --no-wait --out moving /var/www/media",
);
command.addHelpText(
  "after",
  `
Relative paths in lists are relative to the current folder. Run the same command again to go on where it was stopped,
and to try again what failed: what the journal says is done is not repeated. Naming an owner needs an admin token.`,
);

async function importImages(paths: readonly string[], options: ImportOptions): Promise<void> {
  const { out, json } = options;
  const api = await connect(options, "admin");
  const { journal, close } = await Journal.open(`${out}.journal.ndjson`);
  const folder = await mkdtemp(join(tmpdir(), "darkroom-import-"));
  const counts: Record<Outcome, number> = {
    ready: 0,
    sent: 0,
    duplicate: 0,
    before: 0,
    failed: 0,
    "no-image": 0,
  };
  const failures: string[] = [];
  const started = performance.now();
  let sentBytes = 0;
  const progress = new Progress({
    unit: "images",
    notes: () => [
      ...(sentBytes > 0 ? [`${bytes(sentBytes)} sent`] : []),
      ...(counts.failed > 0 ? [`${counts.failed} failed`] : []),
    ],
  });
  if (process.stderr.isTTY) void count(paths, options).then((total) => (progress.total = total));
  const interrupt = new AbortController();
  const endListening = onInterrupt(() => {
    note("\nFinishing what is on its way; Ctrl-C once more stops at once.");
    interrupt.abort();
  }, exitCodes.interrupted.status);
  let finished = false;
  try {
    const deps: SettleDeps = {
      api,
      journal,
      concurrency: options.concurrency,
      wait: options.wait ? options.timeout : undefined,
      signal: interrupt.signal,
      onDone(line, outcome) {
        counts[outcome]++;
        progress.done++;
        if (outcome === "ready" || outcome === "sent") sentBytes += line.size ?? 0;
        if (line.error) failures.push(`${printable(line.source)}  ${line.error.code}: ${line.error.message}`);
        if (json && outcome !== "no-image" && outcome !== "before")
          progress.print(JSON.stringify(mapped(line)));
      },
    };
    const found = wishes(paths, options);
    const download = (url: string, path: string, signal: AbortSignal) =>
      fetchFile(url, path, { ...options, signal });
    await (options.remote ? importRemotely(found, deps) : importAll(found, { ...deps, folder, download }));
    finished = !interrupt.signal.aborted;
  } finally {
    progress.end();
    endListening();
    process.stdin.destroy();
    await close();
    await rm(folder, { recursive: true, force: true });
    report(counts, failures, { sentBytes, ms: performance.now() - started, json });
    await writeMapping(`${out}.journal.ndjson`, `${out}.ndjson`, `${out}.csv`);
    note(`${out}.ndjson and ${out}.csv map each to its image.`);
    if (!finished) note("Run the same command again to go on.");
  }
  process.exitCode = interrupt.signal.aborted
    ? exitCodes.interrupted.status
    : exitCodes[counts.failed === 0 ? "done" : "failed"].status;
}

/** What is found, with what the options say where a line does not. */
async function* wishes(paths: readonly string[], options: ImportOptions): AsyncGenerator<Entry> {
  const { hidden, null: nul, owner, preset } = options;
  for await (const entry of findSources(paths, { hidden, nul, stdin: process.stdin }))
    yield { ...entry, owner: entry.owner ?? owner, preset: entry.preset ?? preset };
}

/** How many there will be, for the progress bar; standard input cannot be read twice. */
async function count(paths: readonly string[], options: ImportOptions): Promise<number | undefined> {
  if (paths.includes("-")) return undefined;
  let total = 0;
  try {
    for await (const _ of wishes(paths, options)) total++;
    return total;
  } catch {
    return undefined;
  }
}

/** More are for a program to read. */
const LISTED = 1000;

function report(
  counts: Record<Outcome, number>,
  failures: readonly string[],
  { sentBytes, ms, json }: { sentBytes: number; ms: number; json: boolean | undefined },
): void {
  const print = json ? note : (text: string) => process.stdout.write(`${text}\n`);
  for (const failure of failures.slice(0, LISTED)) print(`${paint("red", "✗")} ${failure}`);
  if (failures.length > LISTED) print(`… and ${failures.length - LISTED} more; the mapping has all of them.`);
  const parts: [number, string][] = [
    [counts.ready, "ready"],
    [counts.sent, "sent"],
    [counts.duplicate, "with the content of another"],
    [counts.before, "done before"],
    [counts.failed, "failed"],
    [counts["no-image"], "skipped as no image"],
  ];
  const told = parts.filter(([number]) => number > 0).map(([number, what]) => `${number} ${what}`);
  print(`${told.join(", ") || "Nothing done"}; ${bytes(sentBytes)} sent in ${duration(ms)}`);
}
