/** From an original to its variants and metadata: the worker's rules 2 to 7, in their order. */
import { commit, readRevision } from "../commit.ts";
import { DarkroomError, hasOutcome } from "../errors.ts";
import { imagePrefix, originalKey, ownerKey } from "../keys.ts";
import { listed } from "../listing.ts";
import { compareSequencers, developBody, type Task } from "../message.ts";
import { type Draft, hasProblem, isSettled, transition, type Verdict } from "../metadata.ts";
import type { ObjectStore, Queue, StoredObject } from "../ports.ts";
import { followUp } from "../tell/tell.ts";
import { readUploadMetadata } from "../upload-metadata.ts";
import { deleteImage, purge } from "./delete-image.ts";
import { type JudgeDeps, judge } from "./judge.ts";

/** What became of one task, for logs and metrics. */
export interface Outcome {
  /** Absent where nothing of ours was meant. */
  readonly id?: string;
  /** `skipped`: nothing was to be done. `ignored`: not a message for us. `scanned`: a job's page was chosen from. */
  readonly status: "ready" | "rejected" | "failed" | "deleted" | "skipped" | "ignored" | "scanned";
  /** The error's code, or why nothing was to be done. */
  readonly reason?: string | undefined;
  readonly sourceBytes?: number | undefined;
  readonly variants?: number | undefined;
  readonly variantBytes?: number | undefined;
  /** From the upload to the commit, of an image that was waited for. */
  readonly readyMs?: number | undefined;
  readonly durationMs?: number | undefined;
  /** The job it was done for, and of a scan: which page, how many messages. */
  readonly job?: string | undefined;
  readonly page?: number | undefined;
  readonly queued?: number | undefined;
}

export interface DevelopDeps extends JudgeDeps {
  /** Gets what may wait. */
  readonly backfill: Pick<Queue, "send">;
}

type DevelopTask = Extract<Task, { kind: "created" | "job" }>;

/** @param receives how often the queue has delivered this message, this time included */
export async function developImage(deps: DevelopDeps, task: DevelopTask, receives: number): Promise<Outcome> {
  const { uploads, config } = deps;
  const { id } = task;
  const skipped = (reason: string): Outcome => ({ id, status: "skipped", reason });
  const found = await readRevision(deps.media, id);
  const current = found.document;

  // An earlier try may have died right after its commit: what follows a commit is repeated first.
  if (receives > 1 && current) await followUp(deps, current, "unknown");
  if (current?.status === "deleted") {
    await purge(deps, id);
    return skipped("deleted");
  }
  // A job has no sequencer of its own: it acts on what it finds, and stops when something newer overtakes it.
  const sequencer = task.kind === "job" ? current?.sequencer : task.sequencer;
  if (compareSequencers(current?.sequencer, sequencer) > 0) return skipped("superseded");
  const force = task.kind === "job" && task.force;
  // Nothing but a try tells whether the cause is gone.
  const again = force || (task.kind === "job" && task.retry && hasProblem(current));
  const settled = (etag: string | undefined, preset: string | undefined) =>
    !again && isSettled(current, { etag, recipe: config.presets.get(preset ?? "")?.recipe });
  if (task.kind === "created" && settled(task.etag, current?.preset)) return skipped("duplicate");

  let original: StoredObject | undefined;
  try {
    original = await uploads.get(originalKey(id), {
      ifMatch: task.kind === "created" ? task.etag : undefined,
    });
  } catch (error) {
    // Overwritten since: the event of that write is on its way.
    if (hasOutcome(error, "conflict")) return skipped("overwritten");
    throw error;
  }
  if (!original) {
    // A job may name an image that is signed for and not uploaded yet: nothing to delete, or it never could be.
    if (task.kind === "job" && !current) return skipped("unknown");
    await deleteImage(deps, id, { originalGone: true });
    return { id, status: "deleted" };
  }

  const upload = readUploadMetadata(original.metadata);
  const presetName = upload.preset ?? config.defaultPreset;
  if (settled(original.etag, presetName)) {
    await original.body[Symbol.asyncIterator]().return?.();
    return skipped("unchanged");
  }

  const uploadedAt = current?.uploadedAt ?? original.lastModified.toISOString();
  // Who comes upon formats still to come, by a second delivery or for their sake, makes them.
  const isFirst = current?.status !== "ready" || current.source?.etag !== original.etag;
  const mayDefer = task.kind === "created" && isFirst;
  const [judged, listed] = await Promise.allSettled([
    judge(deps, id, { original, upload, presetName, current, force, mayDefer, receives }),
    // Before the commit, so that no image is ever visible and unlisted.
    upload.owner ? uploads.put(ownerKey(upload.owner, Date.parse(uploadedAt), id), "") : undefined,
  ]);
  if (judged.status === "rejected") throw judged.reason;
  if (listed.status === "rejected") throw listed.reason;
  const verdict: Verdict = {
    ...judged.value,
    sequencer,
    force: again,
    preset: presetName,
    recipe: config.presets.get(presetName)?.recipe,
    uploadedAt,
  };

  const remove = async (): Promise<Outcome> => {
    await deleteImage(deps, id, { owner: upload.owner, uploadedAt });
    return { id, status: "deleted" };
  };
  const now = await originalState(uploads, id, original.etag);
  if (now === "gone") return remove();
  if (now === "overwritten") return skipped("overwritten");

  let stop: string | undefined;
  const committed = await commit(deps, id, found, async (latest) => {
    const next = transition(latest, id, verdict, deps.now());
    stop = "stop" in next ? next.stop : undefined;
    if (!("write" in next)) return undefined;
    if (latest && latest.writeId !== current?.writeId) await assertThere(deps.media, next.write);
    return next.write;
  });
  if (stop === "deleted") await purge(deps, id);
  if (!committed.written || !committed.document) return skipped(stop ?? "done");

  // A delete that came between the check and the commit removes the original before it reads the metadata again.
  if ((await originalState(uploads, id, original.etag)) === "gone") return remove();
  await followUp(deps, committed.document, committed.before);
  if (committed.document.pending.length > 0)
    await deps.backfill.send(developBody({ id, force: false, retry: false }));
  return {
    id,
    status: verdict.status,
    reason: verdict.error?.code,
    sourceBytes: original.size,
    variants: verdict.variants?.length,
    variantBytes: verdict.variants?.reduce((sum, { bytes }) => sum + bytes, 0),
    ...(task.kind === "created" && verdict.status === "ready"
      ? { readyMs: deps.now().getTime() - Date.parse(uploadedAt) }
      : {}),
    durationMs: verdict.durationMs,
  };
}

/**
 * Nothing is deleted from beside a document but after a revision of it has said so under `deleting`. What was there,
 * or was written, after the document had been read is there still as long as that revision stands; over another one
 * it has to be seen again.
 */
async function assertThere(media: ObjectStore, { id, variants, deleting }: Draft): Promise<void> {
  const there = new Set<string>();
  for await (const { key } of listed(media, imagePrefix(id))) there.add(key);
  for (const { key } of deleting) there.delete(key);
  const lost = variants.find(({ key }) => !there.has(key));
  if (lost) throw new DarkroomError("unavailable", `${lost.key} was swept away while it was wanted again.`);
}

async function originalState(
  uploads: ObjectStore,
  id: string,
  etag: string,
): Promise<"there" | "gone" | "overwritten"> {
  try {
    return (await uploads.head(originalKey(id), { ifMatch: etag })) ? "there" : "gone";
  } catch (error) {
    if (hasOutcome(error, "conflict")) return "overwritten";
    throw error;
  }
}
