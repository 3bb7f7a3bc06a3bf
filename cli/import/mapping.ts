/** From a journal to the files with which an app updates its own database: as NDJSON, and as CSV for spreadsheets. */
import { createWriteStream } from "node:fs";
import { rename, rm, stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { CliError, messageOf } from "../exit.ts";
import { entryKey, type JournalLine, readJournal } from "./journal.ts";

/** A line of the NDJSON mapping. */
export interface Mapped {
  readonly source: string;
  readonly ref?: unknown;
  readonly owner?: string | undefined;
  readonly status: "ready" | "processing" | "failed";
  readonly id?: string | undefined;
  readonly sha256?: string | undefined;
  readonly type?: string | undefined;
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  readonly variants: readonly {
    readonly name: string;
    readonly format: string;
    readonly width: number;
    readonly height: number;
    readonly url: string;
  }[];
  readonly error?: { readonly code: string; readonly message: string };
}

export function mapped({ source, ref, owner, state, id, sha256, image, error }: JournalLine): Mapped {
  return {
    source,
    ...(ref === undefined ? {} : { ref }),
    ...(owner === undefined ? {} : { owner }),
    status: state === "ready" || state === "failed" ? state : "processing",
    ...(id === undefined ? {} : { id }),
    ...(sha256 === undefined ? {} : { sha256 }),
    ...(image ? { type: image.type, width: image.width, height: image.height } : {}),
    variants: (image?.variants ?? []).map(({ name, format, width, height, url }) => ({
      name,
      format,
      width,
      height,
      url,
    })),
    ...(error ? { error } : {}),
  };
}

const columns = [
  "source",
  "ref",
  "owner",
  "id",
  "status",
  "variant",
  "format",
  "width",
  "height",
  "url",
  "error",
];

/** A row for each variant, or one for an image that has none. */
export function csvRows({ source, ref, owner, id, status, variants, error }: Mapped): string {
  const reference = ref === undefined || typeof ref === "string" ? ref : JSON.stringify(ref);
  const head = [source, reference, owner, id, status];
  const rows =
    variants.length === 0
      ? [[...head, "", "", "", "", "", error ? `${error.code}: ${error.message}` : ""]]
      : variants.map(({ name, format, width, height, url }) => [
          ...head,
          name,
          format,
          width,
          height,
          url,
          "",
        ]);
  return rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/** RFC 4180; what a spreadsheet would take for a formula gets an apostrophe in front, as OWASP advises. */
function cell(value: string | number | undefined): string {
  const text = String(value ?? "");
  const harmless = /^[=+\-@\t\r\n]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

/**
 * Writes both files anew: the last that the journal says of each entry, in the order of the journal.
 * @throws CliError when one cannot be written; the journal still has everything
 */
export async function writeMapping(journal: string, ndjson: string, csv: string): Promise<void> {
  const last = new Map<string, number>();
  let count = 0;
  for await (const line of readJournal(journal)) last.set(entryKey(line), count++);
  const lines = async function* () {
    let number = 0;
    for await (const line of readJournal(journal)) {
      if (last.get(entryKey(line)) === number++) yield mapped(line);
    }
  };
  await writeWhole(ndjson, async function* () {
    for await (const line of lines()) yield `${JSON.stringify(line)}\n`;
  });
  await writeWhole(csv, async function* () {
    yield `${columns.join(",")}\r\n`;
    for await (const line of lines()) yield csvRows(line);
  });
}

/** Beside it first, so that a full disk leaves the old file as it was; straight into what is no regular file. */
async function writeWhole(path: string, content: () => AsyncGenerator<string>): Promise<void> {
  const there = await stat(path).catch(() => undefined);
  const direct = there !== undefined && !there.isFile();
  const target = direct ? path : `${path}.part`;
  try {
    await pipeline(content, createWriteStream(target));
    if (!direct) await rename(target, path);
  } catch (error) {
    if (!direct) await rm(target, { force: true });
    throw new CliError(
      `The mapping ${path} cannot be written: ${messageOf(error)} The journal has all of it; mend this and run the same command again.`,
    );
  }
}
