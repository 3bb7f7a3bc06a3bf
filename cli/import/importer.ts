/** The work of `darkroom import`, entry by entry: several in flight, each content sent once, every step in the journal. */
import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { DarkroomError } from "../../client/errors.ts";
import { extensionsOf, formatNames } from "../../core/formats.ts";
import { nameOf as nameOfUrl } from "../../core/job/fetch-url.ts";
import type { Api } from "../api.ts";
import { CliError, messageOf } from "../exit.ts";
import { type LocalFile, openFile } from "../local-file.ts";
import { contentKey, type Journal, type JournalLine } from "./journal.ts";
import { type Entry, isUrl } from "./sources.ts";

/** How an entry came out: `before` was done by an earlier run, `duplicate` has the content of another one. */
export type Outcome = "ready" | "sent" | "duplicate" | "before" | "failed" | "no-image";

export interface ImportDeps {
  readonly api: Api;
  readonly journal: Journal;
  /** Fetches a URL into a file. */
  readonly download: (url: string, path: string, signal: AbortSignal) => Promise<void>;
  /** For what is downloaded. */
  readonly folder: string;
  /** Uploads at once. */
  readonly concurrency: number;
  /** Seconds to wait for each image to be ready; undefined: not at all. */
  readonly wait: number | undefined;
  /** Aborted: begin nothing new, finish what is being sent, wait for nothing. */
  readonly signal: AbortSignal;
  /** Told of every entry that is done with; what matters of it is in the journal already. */
  readonly onDone: (line: JournalLine, outcome: Outcome) => void;
}

export type Line = Omit<JournalLine, "state">;
/** What is needed once S3 has an image, or there will be none. */
export type SettleDeps = Omit<ImportDeps, "download" | "folder">;

/** Images sent and not ready yet, for each upload at once: workers develop while we send. */
export const WAITING_PER_LANE = 8;
const IMAGE_EXTENSIONS = new Set(extensionsOf(formatNames));

/** @throws CliError when it makes no sense to go on: no API, a refused token, a journal that cannot be written */
export async function importAll(entries: AsyncGenerator<Entry>, given: ImportDeps): Promise<void> {
  const stop = new AbortController();
  const deps = { ...given, signal: AbortSignal.any([given.signal, stop.signal]) };
  const { signal, concurrency } = deps;
  let fatal: unknown;
  const guard = (work: Promise<void>) =>
    work.catch((error: unknown) => {
      fatal ??= error;
      stop.abort();
    });
  const sending = new Map<string, Promise<string>>();
  const waiting = new Set<Promise<void>>();
  const lane = async () => {
    while (!signal.aborted) {
      const next = await unlessAborted(entries.next(), signal);
      if (!next || next.done) return;
      const settle = await importEntry(next.value, deps, sending);
      if (!settle) continue;
      const settled = guard(settle()).finally(() => waiting.delete(settled));
      waiting.add(settled);
      if (waiting.size >= concurrency * WAITING_PER_LANE) await Promise.race(waiting);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, () => guard(lane())));
  await Promise.all(waiting);
  if (fatal) throw fatal;
}

/**
 * Undefined as soon as the signal aborts: nobody knows when standard input gives its next line. (`Promise.race` against
 * one promise that stays open for the whole run would keep every entry in memory until it settles.)
 */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const leave = () => resolve(undefined);
    if (signal.aborted) leave();
    signal.addEventListener("abort", leave, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
  });
}

/** Sees to it that S3 has the entry's content. Gives what is left to do then, which no upload has to wait for. */
async function importEntry(
  entry: Entry,
  deps: ImportDeps,
  sending: Map<string, Promise<string>>,
): Promise<(() => Promise<void>) | undefined> {
  const { journal, onDone, wait } = deps;
  const { searched, problem, ...wish } = entry;
  const before = journal.entry(entry);
  const finished = before?.state === "ready" || (before?.state === "sent" && wait === undefined);
  let line: Line = wish;
  let fetched: string | undefined;
  try {
    if (problem) throw new DarkroomError(problem.code, problem.message);
    if (!entry.owner) throw noOwner();
    if (isUrl(entry.source)) {
      if (finished) return void onDone({ ...line, state: before.state }, "before");
      fetched = join(deps.folder, crypto.randomUUID());
      await deps.download(entry.source, fetched, deps.signal);
    } else {
      const { size, mtimeMs } = await regularFile(entry.source);
      const same = before?.size === size && before.mtime === mtimeMs;
      if (finished && same) return void onDone({ ...line, state: before.state }, "before");
    }
    const file = await openFile(fetched ?? entry.source);
    if (searched && file.blob.type === "" && !IMAGE_EXTENSIONS.has(extensionOf(entry.source)))
      return void onDone({ ...line, state: "failed" }, "no-image");
    line = { ...wish, sha256: file.sha256, size: file.blob.size, mtime: file.mtimeMs };

    const key = contentKey(file.sha256, entry);
    // The first to come sends it; when that fails, the next one tries.
    let id: string | undefined;
    while (!id && sending.has(key)) id = await sending.get(key)?.catch(() => undefined);
    let outcome: Outcome = id ? "duplicate" : "ready";
    if (!id) {
      const known = journal.idOf(file.sha256, entry);
      if (known) outcome = before?.id !== known ? "duplicate" : finished ? "before" : "ready";
      if (known) line = { ...line, id: known };
      const work = send(entry, line, file, known, deps);
      sending.set(key, work);
      id = await work.finally(() => sending.delete(key));
    }
    const sent = { ...line, id };
    line = sent;
    await journal.append({ ...sent, state: "sent" });
    return () => settle(sent, outcome, deps);
  } catch (error) {
    await fail(line, error, deps);
    return undefined;
  } finally {
    if (fetched) await rm(fetched, { force: true });
  }
}

export const noOwner = () => new DarkroomError("no-owner", "Neither its line nor --owner says whose it is.");

/** Sends a file, unless S3 has it already under the id `known`. Its id is in the journal before its first byte leaves. */
function send(
  { owner, preset, focus, source }: Entry,
  line: Line,
  file: LocalFile,
  known: string | undefined,
  { api, journal }: ImportDeps,
): Promise<string> {
  return api.upload(file, {
    ...{ owner, preset, focus, name: nameOf(source) },
    // Signed for and never sent, or deleted since, it is sent anew.
    resume: known === undefined ? undefined : { id: known, size: file.blob.size },
    onState: (state) => (state ? journal.append({ ...line, id: state.id, state: "signed" }) : undefined),
  });
}

/** Waits for the image where that is wished, and writes down how it ended. */
export async function settle(line: Line & { id: string }, outcome: Outcome, deps: SettleDeps): Promise<void> {
  const { api, wait, signal, journal, onDone } = deps;
  try {
    if (wait === undefined) return onDone({ ...line, state: "sent" }, outcome === "ready" ? "sent" : outcome);
    const { source, variants } = await api.waitUntilReady(line.id, wait, signal);
    const { type, width, height } = source ?? {};
    const ready: JournalLine = { ...line, state: "ready", image: { type, width, height, variants } };
    await journal.append(ready);
    onDone(ready, outcome);
  } catch (error) {
    await fail(line, error, deps);
  }
}

/** @throws what concerns not this entry alone */
export async function fail(
  line: Line,
  error: unknown,
  { journal, onDone, signal }: SettleDeps,
): Promise<void> {
  if (error instanceof CliError) throw error;
  // What was interrupted has not failed: the next run does it.
  if (signal.aborted && !(error instanceof DarkroomError)) {
    if (line.id) onDone({ ...line, state: "sent" }, "sent");
    return;
  }
  const code = error instanceof DarkroomError ? error.code : "unreadable";
  const failed: JournalLine = { ...line, state: "failed", error: { code, message: messageOf(error) } };
  // An image that only takes long stays "sent": the next run waits for it again.
  if (code !== "still-processing") await journal.append(failed);
  onDone(failed, "failed");
}

/** A pipe would be waited at for ever, a folder has no bytes. */
async function regularFile(path: string): Promise<{ size: number; mtimeMs: number }> {
  const found = await stat(path);
  if (found.isFile()) return found;
  throw new DarkroomError(
    "not-a-file",
    found.isDirectory() ? "It is a folder." : "It is neither file nor folder.",
  );
}

const extensionOf = (source: string) => /\.([^./\\]+)$/.exec(source)?.[1]?.toLowerCase() ?? "";

/** What the file is called, as the upload's `name`. */
const nameOf = (source: string) => (isUrl(source) ? nameOfUrl(source) : (source.split(/[/\\]/).at(-1) ?? ""));
