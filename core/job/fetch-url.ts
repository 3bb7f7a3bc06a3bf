/**
 * The messages of imports. What is fetched is put where a signed upload would have put it, with the same metadata: from
 * there on it is an upload like any other.
 */
import { readRevision } from "../commit.ts";
import { DarkroomError, type ErrorCode, errors, hasOutcome } from "../errors.ts";
import { detectFormat, formats, typesOf } from "../formats.ts";
import { originalKey, ownerOf } from "../keys.ts";
import { countedBody, type FetchTask, parseMessage } from "../message.ts";
import type { ObjectStore, Queue } from "../ports.ts";
import { type Config, type Preset, presetOf } from "../preset.ts";
import { writeUploadMetadata } from "../upload-metadata.ts";
import { idsOf, labelOf, resultsOf } from "./import.ts";
import { isCancelled, readOrder, type WantedUrl, writeResult } from "./job-records.ts";

export interface FetchDeps {
  readonly uploads: ObjectStore;
  readonly media: Pick<ObjectStore, "get">;
  readonly imports: Pick<Queue, "sendMany">;
  readonly config: Config;
  /**
   * The bytes at a URL.
   * @throws DarkroomError `unavailable` where a later try may have them, `too-large`, or another that says why it cannot
   */
  readonly fetch: (url: string, maxBytes: number) => Promise<Uint8Array>;
}

/** Of one message, for the log; no URL is in it. A URL that cannot be had is the order's fault, and nobody is woken. */
export interface Fetched {
  readonly id?: string;
  readonly status: "fetched" | "not-fetched" | "ordered" | "skipped" | "ignored";
  readonly reason?: string | undefined;
  readonly job?: string;
  readonly queued?: number;
  readonly bytes?: number;
}

/** Tries of a server that may recover: over the back-off of `sqs-batch.ts` that is a quarter of an hour. */
export const FETCH_TRIES = 8;
/** Of memory: a preset may allow more, and what is larger is uploaded in parts. */
const MAX_FETCHED_BYTES = 100_000_000;

/**
 * @param receives how often the queue has delivered this message, this time included
 * @throws where a try later may succeed
 */
export async function fetchMessage(deps: FetchDeps, body: string, receives: number): Promise<Fetched[]> {
  const [task] = parseMessage(body, "");
  if (task?.kind === "later") throw new DarkroomError("unavailable", "Of a later release than this one.");
  if (task?.kind === "order") return [await sendEach(deps, task.job)];
  if (task?.kind === "fetch") return [await fetchUrl(deps, task, receives)];
  return [{ status: "ignored", reason: "neither an order nor a URL of one" }];
}

async function sendEach(deps: FetchDeps, job: string): Promise<Fetched> {
  const order = await readOrder(deps.uploads, job);
  if (!order?.urls) return { status: "ignored", reason: "a job that is not there", job };
  if (await isCancelled(deps.uploads, job)) return { status: "skipped", reason: "cancelled", job };
  const there = await resultsOf(deps, order);
  const ids = idsOf(order).filter((id) => !there.has(id));
  const counted = { job, label: labelOf(order) };
  await deps.imports.sendMany(ids.map((id) => countedBody({ kind: "fetch", id, counted })));
  return { status: "ordered", job, queued: ids.length };
}

async function fetchUrl(deps: FetchDeps, { id, counted }: FetchTask, receives: number): Promise<Fetched> {
  const { uploads } = deps;
  const { job } = counted;
  const order = await readOrder(uploads, job);
  const wanted = order?.urls?.find((one) => one.id === id);
  if (!wanted) return { id, status: "skipped", reason: "not ordered", job };
  if (await isCancelled(uploads, job)) return { id, status: "skipped", reason: "cancelled", job };
  try {
    const bytes = await putOriginal(deps, wanted, receives >= FETCH_TRIES);
    await writeResult(uploads, counted, id, bytes === undefined ? "skipped" : "done");
    if (bytes === undefined) return { id, status: "skipped", reason: "there already", job };
    return { id, status: "fetched", job, bytes };
  } catch (error) {
    if (!(error instanceof DarkroomError) || error.row.outcome === "retry") throw error;
    const { code, message } = error;
    // S3 takes 2 KB of metadata, and ASCII alone.
    await writeResult(uploads, counted, id, "failed", {
      code,
      message: encodeURIComponent([...message.toWellFormed()].slice(0, 100).join("")),
    });
    return { id, status: "not-fetched", reason: code, job };
  }
}

/**
 * @returns how many bytes it has; undefined where the image is there already
 * @throws DarkroomError that says why there will be no image, of no outcome `retry`
 */
async function putOriginal(deps: FetchDeps, wanted: WantedUrl, isLast: boolean): Promise<number | undefined> {
  const { uploads, media } = deps;
  const { id, url, ref, focus, name = nameOf(url) } = wanted;
  const preset = presetOf(deps.config, wanted.preset);
  if (!preset) throw new DarkroomError("unknown-preset");
  const metadata = writeUploadMetadata({
    owner: ownerOf(wanted.owner),
    preset: preset.name,
    filename: name,
    ...(preset.access === "private" ? { access: preset.access } : {}),
    ...(focus ? { focus } : {}),
    ...(ref ? { ref } : {}),
  });
  const { document } = await readRevision(media, id);
  if (document?.status === "deleted")
    throw new DarkroomError(
      "gone",
      "It was imported and deleted since; with another ref it is another image.",
    );
  // Asked by a list, as whoever talks to strangers may read no original.
  const { objects } = await uploads.list(originalKey(id), { limit: 1 });
  if (document || objects.length > 0) return undefined;

  const bytes = await deps
    .fetch(url, Math.min(preset.maxBytes, MAX_FETCHED_BYTES))
    .catch((error: unknown) => {
      if (!isLast || !hasOutcome(error, "retry")) throw error;
      throw new DarkroomError("download-failed", error.message, { cause: error });
    });
  const type = typeOf(bytes, preset);
  try {
    await uploads.put(originalKey(id), bytes, { type, metadata, ifNoneMatch: "*" });
    return bytes.length;
  } catch (error) {
    if (!hasOutcome(error, "conflict")) throw error;
    return undefined;
  }
}

/** By content: what a server says of it counts for nothing, and a page that asks to sign in is no image. */
function typeOf(bytes: Uint8Array, { accept }: Preset): string {
  if (bytes.length === 0) throw new DarkroomError("file-empty");
  const format = detectFormat(bytes.subarray(0, 4096));
  if (format && accept.includes(format)) return formats[format].type;
  const code: ErrorCode = "type-not-accepted";
  throw new DarkroomError(code, `${errors[code].sentence} It is none of ${typesOf(accept).join(", ")}.`);
}

/** What the file at a URL is called. */
export function nameOf(url: string): string {
  const last = new URL(url).pathname.split("/").at(-1) ?? "";
  try {
    return decodeURIComponent(last);
  } catch {
    return last;
  }
}
