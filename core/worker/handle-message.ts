/** One queue message, from the live queue (`developMessage`) or from the dead letters (`failMessage`). */
import { commit, readRevision } from "../commit.ts";
import { recipeOf } from "../edit.ts";
import { DarkroomError, errors } from "../errors.ts";
import { type DeleteDeps, deleteImage } from "../image/delete-image.ts";
import { type DevelopDeps, developImage } from "../image/develop-image.ts";
import { originalBack, originalGone } from "../image/original-gone.ts";
import { type Outcome, skipped } from "../image/outcome.ts";
import { register } from "../image/register.ts";
import { deleteMeant } from "../job/delete-meant.ts";
import { stopJob } from "../job/job.ts";
import { isCancelled, type JobResult, writeResult } from "../job/job-records.ts";
import { type ScanDeps, scanPages } from "../job/scan-page.ts";
import { resultKey } from "../job-keys.ts";
import { originalKey } from "../keys.ts";
import {
  type DeleteTask,
  type DevelopTask,
  type FetchTask,
  type OrderTask,
  parseMessage,
  type ScanTask,
  type Task,
} from "../message.ts";
import { editOf, isSettled, transition } from "../metadata.ts";
import type { ObjectStore } from "../ports.ts";
import { type Config, presetOf } from "../preset.ts";
import { followUp } from "../tell/tell.ts";
import { firstHomeOf, readUploadMetadata } from "../upload-metadata.ts";

export interface Delivery {
  readonly body: string;
  /** How often the queue has delivered this message, this time included. */
  readonly receives: number;
  /** The bucket that notifications must speak of. */
  readonly bucket: string;
}

/** Does what the message asks. Throws when a try later may succeed; the message is then to come back whole. */
export async function developMessage(
  deps: DevelopDeps & ScanDeps,
  { body, receives, bucket }: Delivery,
): Promise<Outcome[]> {
  return perform(body, bucket, async (task) => {
    if (isImport(task)) return { status: "ignored", reason: "of another queue" };
    if (task.kind === "scan") return scanPages(deps, task);
    if (task.kind === "removed") return afterRemoval(deps, task);
    if (task.kind === "delete") return workForJob(deps, task, task.counted, receives);
    if (task.kind === "develop" && task.counted) return workForJob(deps, task, task.counted, receives);
    return developImage(deps, task, receives);
  });
}

/**
 * A redelivery after the commit and before the result finds nothing to do: the image then counts as skipped. Work
 * that is forced would be done once more instead, for which its result is asked for first.
 */
async function workForJob(
  deps: DevelopDeps,
  task: DevelopTask | DeleteTask,
  counted: Counted,
  receives: number,
): Promise<Outcome> {
  const { id } = task;
  const { job, label } = counted;
  const isForced = task.kind === "develop" && task.force;
  const isDone = isForced && (await deps.uploads.head(resultKey(job, label, id)));
  if (isDone || (await isCancelled(deps.uploads, job))) {
    if (receives > 1) await followUpAgain(deps, id);
    return { id, status: "skipped", reason: isDone ? "duplicate" : "cancelled", job };
  }
  const outcome = await (task.kind === "delete"
    ? deleteMeant(deps, task, receives)
    : developImage(deps, task, receives));
  await writeResult(deps.uploads, counted, id, resultOf(outcome));
  return { ...outcome, job };
}

/** What a try has committed that died after it must still be told, and a delete must be finished. */
async function followUpAgain(deps: DeleteDeps, id: string): Promise<void> {
  const found = await readRevision(deps.media, id);
  if (found.document?.status === "deleted") await deleteImage(deps, id, found);
  else if (found.document) await followUp(deps, found.document, "unknown");
}

/** An image that is deleted, or was never uploaded, is passed over like one that is up to date. */
function resultOf({ status }: Outcome): JobResult {
  if (status === "ready" || status === "held" || status === "deleted") return "done";
  return status === "rejected" || status === "failed" ? status : "skipped";
}

/** Ends what every retry was used up for: no client waits for ever. */
export async function failMessage(
  deps: DeleteDeps & { readonly config: Config },
  { body, bucket }: Omit<Delivery, "receives">,
): Promise<Outcome[]> {
  return perform(body, bucket, async (task) => {
    if (task.kind === "scan") {
      await stopJob(deps.uploads, task);
      return { status: "failed", reason: "retries-exhausted", job: task.job, page: task.page };
    }
    if (isImport(task)) return failImport(deps.uploads, task);
    if (task.kind === "removed") return afterRemoval(deps, task);
    if (task.kind === "delete") return failForJob(deps, task, task.counted);
    if (task.kind === "develop" && task.counted) return failForJob(deps, task, task.counted);
    return failImage(deps, task);
  });
}

/** The letter may stay dead, when its image cannot even be marked: its job is not to wait for that. */
async function failForJob(
  deps: DeleteDeps & { readonly config: Config },
  task: DevelopTask | DeleteTask,
  counted: Counted,
): Promise<Outcome> {
  const { id } = task;
  const { job, label } = counted;
  const there = await deps.uploads.head(resultKey(job, label, id));
  // Another delivery has done the work; one that could not mark the image has only counted it.
  if (there && there.metadata["unmarked"] === undefined) {
    await followUpAgain(deps, id);
    return { id, status: "skipped", reason: "duplicate", job };
  }
  let outcome: Outcome | undefined;
  try {
    outcome = await (task.kind === "delete" ? giveUpDelete(deps, id) : failImage(deps, task));
    return { ...outcome, job };
  } finally {
    // Also where the document says nothing of it, as of an image that stays rejected.
    const isGone = outcome?.status === "deleted" || outcome?.reason === "unknown";
    const unmarked = outcome ? {} : { unmarked: "true" };
    await writeResult(deps.uploads, counted, id, isGone ? "skipped" : "failed", unmarked);
  }
}

type Counted = DeleteTask["counted"];
type KnownTask = Exclude<Task, { kind: "ignored" | "later" }>;
type ImageTask = Exclude<KnownTask, ScanTask | OrderTask | FetchTask | DeleteTask>;

const isImport = (task: KnownTask): task is OrderTask | FetchTask =>
  task.kind === "order" || task.kind === "fetch";

/** Nothing is there to be marked: the job says what was not fetched, or has failed. */
async function failImport(uploads: ObjectStore, task: OrderTask | FetchTask): Promise<Outcome> {
  const code = "retries-exhausted";
  if (task.kind === "order") {
    await stopJob(uploads, { kind: "scan", job: task.job, page: 0, scanned: 0, queued: 0, lost: true });
    return { status: "failed", reason: code, job: task.job };
  }
  const { id, counted } = task;
  const message = encodeURIComponent(errors["download-failed"].sentence);
  await writeResult(uploads, counted, id, "failed", { code: "download-failed", message });
  return { id, status: "failed", reason: code, job: counted.job };
}

async function perform(
  body: string,
  bucket: string,
  act: (task: KnownTask) => Promise<Outcome>,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const task of parseMessage(body, bucket)) {
    if (task.kind === "later") throw new DarkroomError("unavailable", "Of a later release than this one.");
    outcomes.push(task.kind === "ignored" ? { status: "ignored", reason: task.reason } : await act(task));
  }
  return outcomes;
}

/** An image that cannot be deleted is no worse for it, and stays as it is; a delete that was begun is finished. */
async function giveUpDelete(deps: DeleteDeps, id: string): Promise<Outcome> {
  const found = await readRevision(deps.media, id);
  if (found.document?.status === "deleted") return finishDelete(deps, id, found);
  return { id, status: "failed", reason: "retries-exhausted" };
}

/** An original went: after a delete of ours, or by console, lifecycle or a script, which is no delete. */
async function afterRemoval(deps: DeleteDeps, { id }: ImageTask): Promise<Outcome> {
  if (await deps.uploads.head(originalKey(id))) return skipped(id, "written again");
  const found = await readRevision(deps.media, id);
  if (found.document?.status !== "deleted") return originalGone(deps, id, found, false);
  return finishDelete(deps, id, found, { originalGone: true });
}

/** Whoever deleted it may have died before everything was gone and told. */
async function finishDelete(...args: Parameters<typeof deleteImage>): Promise<Outcome> {
  await deleteImage(...args);
  return { id: args[1], status: "deleted" };
}

async function failImage(
  deps: DeleteDeps & { readonly config: Config },
  task: Exclude<ImageTask, { kind: "removed" }>,
): Promise<Outcome> {
  const { id } = task;
  const original = await deps.uploads.head(originalKey(id));
  const found = await readRevision(deps.media, id, original && firstHomeOf(original.metadata));
  // This is the last that will be heard of an original that was written after its delete.
  if (found.document?.status === "deleted") return finishDelete(deps, id, found, { originalGone: !original });
  if (!original) {
    // The tries that died may have left undone what follows a commit.
    if (found.document) await followUp(deps, found.document, "unknown");
    return originalGone(deps, id, found, task.kind === "develop");
  }
  const upload = readUploadMetadata(original.metadata);
  const preset = upload.preset ?? deps.config.defaultPreset;
  const recipe = recipeOf(presetOf(deps.config, preset), found.document?.edit);
  const isMeant = task.kind === "develop" && (task.force || (task.edit ?? 0) > editOf(found.document));
  const uploadedAt = found.document?.uploadedAt ?? original.lastModified.toISOString();
  await register(deps.uploads, id, upload, uploadedAt, found.document);
  const code = "retries-exhausted";
  const verdict = {
    status: "failed" as const,
    sequencer: task.kind === "created" ? task.sequencer : found.document?.sequencer,
    source: { bytes: original.size, etag: original.etag },
    preset,
    recipe,
    uploadedAt,
    error: { code, message: errors[code].sentence } as const,
  };
  const standing = await commit(deps, id, found, (current) => {
    // Another delivery of the same message has done the work.
    if (!isMeant && isSettled(current, { etag: original.etag, recipe })) return undefined;
    const next = transition(current, id, verdict, deps.now());
    return "write" in next ? next.write : undefined;
  });
  const { document, before, written } = standing;
  if (document) await followUp(deps, document, written ? before : "unknown", original.metadata);
  if (document?.source?.gone) await originalBack(deps, id, standing);
  return written ? { id, status: "failed", reason: code } : { id, status: "skipped", reason: "settled" };
}
