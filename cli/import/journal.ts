/**
 * What an import has done, a line of JSON for every step, only ever appended to. An image's id is written before
 * anything is sent under it: whatever happens afterwards, the next run can ask the API what became of it.
 */
import { createReadStream } from "node:fs";
import { type FileHandle, open, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import type { Variant } from "../../client/image.ts";
import { CliError, messageOf } from "../exit.ts";
import type { Entry } from "./sources.ts";

export interface JournalLine {
  readonly source: string;
  readonly ref?: unknown;
  readonly owner?: string | undefined;
  readonly preset?: string | undefined;
  readonly focus?: Entry["focus"];
  /** `signed`: has an id; `sent`: S3 has it; then how it ended. */
  readonly state: "signed" | "sent" | "ready" | "failed";
  readonly id?: string | undefined;
  /** Of the file: base64, bytes, milliseconds. */
  readonly sha256?: string | undefined;
  readonly size?: number | undefined;
  readonly mtime?: number | undefined;
  readonly image?: {
    readonly type?: string | undefined;
    readonly width?: number | undefined;
    readonly height?: number | undefined;
    readonly variants: readonly Variant[];
  };
  readonly error?: { readonly code: string; readonly message: string };
}

/** The little that is kept in memory of each entry. */
type Remembered = Pick<JournalLine, "state" | "id" | "sha256" | "size" | "mtime">;

/** The same picture for another owner, or another `ref`, is another entry. */
export const entryKey = ({ source, ref, owner, preset, focus }: Entry | JournalLine) =>
  JSON.stringify([source, ref, owner, preset, focus]);

/** One upload serves all entries with these in common. */
export const contentKey = (sha256: string, { owner, preset, focus }: Entry | JournalLine) =>
  JSON.stringify([sha256, owner, preset, focus]);

export class Journal {
  readonly #entries = new Map<string, Remembered>();
  readonly #ids = new Map<string, string>();
  readonly #write: (line: string) => Promise<unknown>;
  #last: Promise<unknown> = Promise.resolve();
  #broken: CliError | undefined;

  /** @param write appends, whole lines only */
  constructor(write: (line: string) => Promise<unknown>) {
    this.#write = write;
  }

  /**
   * Reads what is there already; a last line that a crash cut short counts as not written.
   * @throws CliError when another import that runs has it, or it cannot be opened
   */
  static async open(path: string): Promise<{ journal: Journal; close: () => Promise<void> }> {
    let file: FileHandle;
    try {
      file = await open(path, "a+", 0o600);
    } catch (error) {
      throw new CliError(`The journal ${path} cannot be opened: ${messageOf(error)}`, "usage");
    }
    if (!(await file.stat()).isFile())
      throw new CliError(`The journal ${path} has to be a file: the next run reads it.`, "usage");
    const unlock = await lock(`${path}.lock`).catch(async (error: unknown) => {
      await file.close();
      throw error;
    });
    const journal = new Journal((line) => file.appendFile(line));
    for await (const line of readJournal(path)) journal.#remember(line);
    const { size } = await stat(path);
    if (size > 0) {
      const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
      if (buffer[0] !== 0x0a) await file.appendFile("\n");
    }
    return {
      journal,
      async close() {
        await journal.#last.catch(() => {});
        await file.close();
        await unlock();
      },
    };
  }

  entry(entry: Entry): Remembered | undefined {
    return this.#entries.get(entryKey(entry));
  }

  /** The image that has this content, if one was signed for. */
  idOf(sha256: string, entry: Entry): string | undefined {
    return this.#ids.get(contentKey(sha256, entry));
  }

  /** @throws CliError from the first line on that cannot be written: nothing more may be begun then */
  async append(line: JournalLine): Promise<void> {
    const text = `${JSON.stringify(line)}\n`;
    const written = this.#last.then(async () => {
      if (this.#broken) throw this.#broken;
      try {
        await this.#write(text);
      } catch (error) {
        this.#broken = new CliError(
          `The journal cannot be written: ${messageOf(error)} What was sent is in it; mend this and run the same command again.`,
        );
        throw this.#broken;
      }
    });
    this.#last = written.catch(() => {});
    await written;
    this.#remember(line);
  }

  #remember(line: JournalLine): void {
    const { state, id, sha256, size, mtime } = line;
    this.#entries.set(entryKey(line), { state, id, sha256, size, mtime });
    if (id && sha256) this.#ids.set(contentKey(sha256, line), id);
  }
}

/** Two imports with one journal would each send what the other is about to. A lock whose process is gone is none. */
async function lock(path: string): Promise<() => Promise<void>> {
  const pid = `${process.pid}`;
  try {
    await writeFile(path, pid, { flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST")
      throw new CliError(`The lock ${path} cannot be written: ${messageOf(error)}`, "usage");
    const other = Number(await readFile(path, "utf8").catch(() => ""));
    if (other > 0 && isRunning(other))
      throw new CliError(
        `Another import (process ${other}) uses this journal; --out names another. If that process is no import, delete ${path}.`,
        "usage",
      );
    await writeFile(path, pid);
  }
  return () => rm(path, { force: true });
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It runs, and is somebody else's.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** The lines of a journal, without those that are not whole. */
export async function* readJournal(path: string): AsyncGenerator<JournalLine> {
  for await (const text of createInterface({
    input: createReadStream(path),
    crlfDelay: Number.POSITIVE_INFINITY,
  })) {
    let line: JournalLine | undefined;
    try {
      line = JSON.parse(text) as JournalLine;
    } catch {
      // Cut short by a crash or a full disk.
    }
    if (typeof line?.source === "string" && typeof line.state === "string") yield line;
  }
}
