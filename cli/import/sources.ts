/** What the arguments of `darkroom import` mean: folders, images, URLs, lists of them, standard input. */
import { createReadStream, type Stats } from "node:fs";
import { open, stat } from "node:fs/promises";
import * as v from "valibot";
import { detectFormat } from "../../core/formats.ts";
import { CliError, messageOf } from "../exit.ts";
import { printable } from "../terminal.ts";
import { type Problem, walk } from "../walk.ts";

/** One image to import. */
export interface Entry {
  /** The path or URL, as given. */
  readonly source: string;
  /** What the app knows it by; comes back in the mapping. */
  readonly ref?: unknown;
  readonly owner?: string | undefined;
  readonly preset?: string | undefined;
  readonly focus?: { readonly x: number; readonly y: number } | undefined;
  /** Found in a folder, where not everything has to be an image. */
  readonly searched?: true;
  /** Why it cannot be imported. */
  readonly problem?: Problem;
}

export interface SourceOptions {
  readonly hidden: boolean;
  /** Names end in NUL, as `find -print0` writes them. */
  readonly nul: boolean;
  readonly stdin: AsyncIterable<Uint8Array>;
}

const share = v.pipe(v.number(), v.minValue(0), v.maxValue(1));
const text = v.pipe(v.string(), v.minLength(1));
/** A line of a manifest. */
const ManifestLine = v.strictObject({
  source: text,
  ref: v.optional(v.unknown()),
  owner: v.optional(text),
  preset: v.optional(text),
  focus: v.optional(v.strictObject({ x: share, y: share })),
});

/** Longer than any path or URL, short enough that a file that is no list at all fills no memory. */
const MAX_LINE = 65_536;
export const isUrl = (source: string) => /^https?:\/\//i.test(source);

/** @throws CliError for an argument that is not there */
export async function* findSources(paths: readonly string[], options: SourceOptions): AsyncGenerator<Entry> {
  // Before the first is begun: a slip in the last argument is told at once.
  for (const path of paths) if (path !== "-" && !isUrl(path)) await statOf(path);
  for (const path of paths) {
    if (path === "-") yield* list(options.stdin, options.nul);
    else if (isUrl(path)) yield { source: path };
    else {
      const found = await statOf(path);
      if (found.isDirectory()) {
        for await (const { path: source, problem } of walk(path, options.hidden))
          yield { source, searched: true, ...(problem ? { problem } : {}) };
      } else if (found.size > 0 && !(await isImage(path))) yield* list(createReadStream(path), options.nul);
      else yield { source: path };
    }
  }
}

async function statOf(path: string): Promise<Stats> {
  return stat(path).catch((error: unknown) => {
    throw new CliError(`${printable(path)}: ${messageOf(error)}`, "usage");
  });
}

async function isImage(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(4096), 0, 4096, 0);
    return detectFormat(buffer.subarray(0, bytesRead)) !== undefined;
  } finally {
    await file.close();
  }
}

/** Each line a path, a URL, or a line of a manifest; in any mixture. */
async function* list(input: AsyncIterable<Uint8Array>, nul: boolean): AsyncGenerator<Entry> {
  for await (const line of lines(input, nul ? "\0" : "\n")) {
    const entry = nul ? line : line.replace(/\r$/, "");
    if (entry.length > MAX_LINE) {
      yield {
        source: `${entry.slice(0, 60)}…`,
        problem: {
          code: "bad-line",
          message: `A line has more than ${MAX_LINE} characters: is this a list?`,
        },
      };
    } else if (entry.startsWith("{")) yield fromManifest(entry);
    else if (entry.trim() !== "") yield { source: entry };
  }
}

function fromManifest(line: string): Entry {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return badLine(line, "It begins like a line of a manifest but is not JSON.");
  }
  const parsed = v.safeParse(ManifestLine, json);
  if (parsed.success) return parsed.output;
  const wrong = parsed.issues.map((issue) => `${v.getDotPath(issue) ?? "line"}: ${issue.message}`);
  return badLine(line, wrong.join("; "));
}

function badLine(line: string, message: string): Entry {
  return {
    source: line.length > 60 ? `${line.slice(0, 60)}…` : line,
    problem: { code: "bad-line", message },
  };
}

/** Longer lines are cut, by one character more than the limit. */
async function* lines(input: AsyncIterable<Uint8Array>, separator: string): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of input) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split(separator);
    rest = (parts.pop() ?? "").slice(0, MAX_LINE + 1);
    yield* parts;
  }
  rest += decoder.decode();
  if (rest !== "") yield rest;
}
