/** One queue message, from the live queue (`developMessage`) or from the dead letters (`failMessage`). */
import { commit, readRevision } from "./commit.ts";
import { type DeleteDeps, deleteImage } from "./delete-image.ts";
import { developImage, type Outcome } from "./develop-image.ts";
import { errors } from "./errors.ts";
import type { JudgeDeps } from "./judge.ts";
import { originalKey, ownerKey } from "./keys.ts";
import { parseMessage, type Task } from "./message.ts";
import { isSettled, transition } from "./metadata.ts";
import type { Config } from "./preset.ts";
import { followUp } from "./tell.ts";
import { readUploadMetadata } from "./upload-metadata.ts";

export interface Delivery {
  readonly body: string;
  /** How often the queue has delivered this message, this time included. */
  readonly receives: number;
  /** The bucket that events must speak of. */
  readonly bucket: string;
}

/** Does what the message asks. Throws when a try later may succeed; the message is then to come back whole. */
export async function developMessage(
  deps: JudgeDeps,
  { body, receives, bucket }: Delivery,
): Promise<Outcome[]> {
  return perform(body, bucket, (task) => {
    if (task.kind === "removed") return removeImage(deps, task);
    return developImage(deps, task, receives);
  });
}

/** Ends what every retry was used up for: no client waits for ever. */
export async function failMessage(
  deps: DeleteDeps & { readonly config: Config },
  { body, bucket }: Omit<Delivery, "receives">,
): Promise<Outcome[]> {
  return perform(body, bucket, (task) =>
    task.kind === "removed" ? removeImage(deps, task) : failImage(deps, task),
  );
}

type ImageTask = Exclude<Task, { kind: "ignored" }>;

async function perform(
  body: string,
  bucket: string,
  act: (task: ImageTask) => Promise<Outcome>,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const task of parseMessage(body, bucket)) {
    outcomes.push(task.kind === "ignored" ? { status: "ignored", reason: task.reason } : await act(task));
  }
  return outcomes;
}

/** An original was deleted by other means than ours: console, lifecycle, a script. */
async function removeImage(deps: DeleteDeps, { id }: ImageTask): Promise<Outcome> {
  if (await deps.uploads.head(originalKey(id))) return { id, status: "skipped", reason: "written again" };
  await deleteImage(deps, id, { originalGone: true });
  return { id, status: "deleted" };
}

async function failImage(
  deps: DeleteDeps & { readonly config: Config },
  task: Exclude<ImageTask, { kind: "removed" }>,
): Promise<Outcome> {
  const { id } = task;
  const found = await readRevision(deps.media, id);
  const original = await deps.uploads.head(originalKey(id));
  if (task.kind === "job" && !original && !found.document)
    return { id, status: "skipped", reason: "unknown" };
  // Where there is a tombstone already, this is the last that will be heard of an original written after it.
  if (!original || found.document?.status === "deleted") {
    await deleteImage(deps, id);
    return { id, status: "deleted" };
  }
  const upload = readUploadMetadata(original.metadata);
  const preset = upload.preset ?? deps.config.defaultPreset;
  const recipe = deps.config.presets.get(preset)?.recipe;
  // Another delivery of the same event has done the work. The tries that died may have left undone what follows.
  if (found.document && isSettled(found.document, { etag: original.etag, recipe })) {
    await followUp(deps, found.document, "unknown");
    return { id, status: "skipped", reason: "settled" };
  }
  const uploadedAt = found.document?.uploadedAt ?? original.lastModified.toISOString();
  if (upload.owner) await deps.uploads.put(ownerKey(upload.owner, Date.parse(uploadedAt), id), "");
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
  const { document, before, written } = await commit(deps, id, found, (current) => {
    const next = transition(current, id, verdict, deps.now());
    return "write" in next ? next.write : undefined;
  });
  if (document) await followUp(deps, document, written ? before : "unknown");
  return written ? { id, status: "failed", reason: code } : { id, status: "skipped", reason: "settled" };
}
