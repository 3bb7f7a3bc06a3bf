/** From an original to its variants and metadata: rules 2 to 7 of docs/design.md, in their order. */
import { healsIn } from "../attention.ts";
import { commit, noteHome, type Revision, readRevision } from "../commit.ts";
import { type Edit, recipeOf, type Shown, type StandingEdit } from "../edit.ts";
import { DarkroomError, hasOutcome } from "../errors.ts";
import { type Home, homeOf, imagePrefix, originalKey, PUBLIC } from "../keys.ts";
import { listed } from "../listing.ts";
import { type CreatedTask, compareSequencers, type DevelopTask, developBody } from "../message.ts";
import {
  type Draft,
  editOf,
  hasProblem,
  isSettled,
  transition,
  type Verdict,
  withEdit,
} from "../metadata.ts";
import type { ObjectStore, Queue, StoredObject } from "../ports.ts";
import { presetOf } from "../preset.ts";
import { followUp } from "../tell/tell.ts";
import { firstHomeOf, readUploadMetadata } from "../upload-metadata.ts";
import { type DeleteDeps, purge } from "./delete-image.ts";
import { readEdit } from "./edit.ts";
import { heldPlace, isNotAllowed, keepHeld, mustHold } from "./held.ts";
import { type JudgeDeps, type Judgement, judge, leaveUnread, sourceOf } from "./judge.ts";
import { moveImage } from "./move-image.ts";
import { isRefused, originalBack, originalGone } from "./original-gone.ts";
import { type Outcome, skipped } from "./outcome.ts";
import { hasRoom, OVER_QUOTA, refusalByQuota } from "./quota.ts";
import { register } from "./register.ts";
import { condemned, suspected } from "./suspect.ts";

export interface DevelopDeps extends JudgeDeps, DeleteDeps {
  /** Gets what may wait. */
  readonly backfill: Pick<Queue, "send">;
}

type DatedVerdict = Verdict & { readonly uploadedAt: string };

/** One try at one image: what was asked, and what it began with. */
interface Attempt {
  readonly task: CreatedTask | DevelopTask;
  readonly receives: number;
  readonly found: Revision;
  /** Of a job the one that was found: it acts on that, and stops when something newer overtakes it. */
  readonly sequencer: string | undefined;
  /** Though it is settled: nothing but a try tells whether the cause is gone. */
  readonly again: boolean;
  /** The newest that was asked for; until it is known, the one that is shown. */
  readonly edit: (Shown & Pick<Edit, "rev">) | undefined;
}

/** @param receives how often the queue has delivered this message, this time included */
export async function developImage(
  deps: DevelopDeps,
  task: CreatedTask | DevelopTask,
  receives: number,
): Promise<Outcome> {
  const { id } = task;
  const { found, original: opened } = await locate(deps, task);
  const begun = await beginning(deps, task, found, receives).catch(async (error: unknown) => {
    await leave(opened);
    throw error;
  });
  if ("status" in begun) {
    await leave(opened);
    return begun;
  }
  const { edit } = begun;
  const original = opened ?? (await openOriginal(deps.uploads, task));
  if (original === "overwritten") return skipped(id, original);
  const isGoing = original !== "gone" && isRefused(found.document, original.etag);
  if (isGoing) {
    await leaveUnread(original);
    await originalBack(deps, id, found);
  }
  if (original === "gone" || isGoing) return originalGone(deps, id, found, task.kind === "develop");
  const standing = await atHome(deps, task, found, original).catch(async (error: unknown) => {
    await leaveUnread(original);
    throw error;
  });
  const attempt = { ...begin(task, standing, receives), edit };
  const verdict = await reachVerdict(deps, attempt, original, edit);
  if (verdict) return commitVerdict(deps, attempt, original, verdict);
  if (standing.document?.source?.gone) await originalBack(deps, id, standing);
  return standing.home === found.home ? skipped(id, "unchanged") : { id, status: "ready" };
}

/** What is to be developed, if it is there in the version that is meant. */
type Original = StoredObject | "overwritten" | "gone";
const leave = async (original: Original | undefined) => {
  if (typeof original === "object") await leaveUnread(original);
};

/**
 * The document, and the original where it took that to find it: what is in public is found at once, and a new upload says
 * itself whether it has to be looked for elsewhere.
 */
async function locate(
  { uploads, media }: DevelopDeps,
  task: Attempt["task"],
): Promise<{ found: Revision; original?: Original }> {
  const found = await readRevision(media, task.id, PUBLIC);
  if (found.document) return { found };
  const original = await openOriginal(uploads, task);
  if (original === "overwritten") return { found, original };
  if (original === "gone") return { found: await readRevision(media, task.id), original };
  const home = firstHomeOf(original.metadata);
  if (home === PUBLIC) return { found, original };
  try {
    return { found: await readRevision(media, task.id, home), original };
  } catch (error) {
    await leaveUnread(original);
    throw error;
  }
}

/** What ends a try before it begins; else the edit that it has to make. */
async function beginning(
  deps: DevelopDeps,
  task: Attempt["task"],
  found: Revision,
  receives: number,
): Promise<Outcome | { readonly edit: StandingEdit | undefined }> {
  const { id } = task;
  const current = found.document;
  // An earlier try may have died right after its commit: what follows a commit is repeated first.
  if (receives > 1 && current) await followUp(deps, current, "unknown");
  if (current?.status === "deleted") {
    await purge(deps, id, found.home);
    return skipped(id, "deleted");
  }
  const attempt = begin(task, found, receives);
  if (compareSequencers(current?.sequencer, attempt.sequencer) > 0) return skipped(id, "superseded");
  if (task.kind === "develop" && task.edit !== undefined && editOf(current) >= task.edit)
    return skipped(id, "duplicate");
  const isKnown = task.kind === "created" && current?.source?.gone === undefined;
  if (isKnown && isDone(deps, attempt, task.etag, current?.preset)) return skipped(id, "duplicate");
  const { edit } = current ? await readEdit(deps.uploads, id, current) : { edit: undefined };
  return edit && isOnlySaid(deps, attempt, edit) ? noteEdit(deps, id, found, edit) : { edit };
}

/** A job takes an image to where its preset has its images today. */
async function atHome(
  deps: DevelopDeps,
  { id, kind }: Attempt["task"],
  found: Revision,
  { metadata }: StoredObject,
): Promise<Revision> {
  // Somebody has let it out, and died before it was there.
  const standing = found.leaving ? await commit(deps, id, found, (current) => current) : found;
  const { document } = standing;
  const { owner = "", preset: uploadedFor } = readUploadMetadata(metadata);
  const preset = presetOf(deps.config, document?.preset ?? uploadedFor ?? deps.config.defaultPreset);
  if (kind !== "develop" || !document || !preset || document.status === "deleted") return standing;
  const to = preset.access === "private" ? homeOf(owner) : PUBLIC;
  if (to === standing.home) return standing;
  const moved = await moveImage(deps, { ...standing, document }, to);
  await followUp(deps, moved.document, document, metadata);
  return moved;
}

function begin(task: Attempt["task"], found: Revision, receives: number): Attempt {
  const current = found.document;
  const isJob = task.kind === "develop";
  return {
    task,
    receives,
    found,
    sequencer: isJob ? current?.sequencer : task.sequencer,
    again: isJob && (task.force || (task.retry && hasProblem(current))),
    edit: current?.edit,
  };
}

/** Rule 2: whether nothing is to be done about this source. */
function isDone(deps: DevelopDeps, attempt: Attempt, etag: string | undefined, preset = ""): boolean {
  const { document } = attempt.found;
  return editOf(document) === (attempt.edit?.rev ?? 0) && isMade(deps, attempt, etag, preset);
}

/** Whether the variants are those of the edit that was asked for, whichever is noted. */
function isMade(
  { config }: DevelopDeps,
  attempt: Attempt,
  etag: string | undefined,
  preset: string,
): boolean {
  const recipe = recipeOf(presetOf(config, preset), attempt.edit);
  return !attempt.again && isSettled(attempt.found.document, { etag, recipe });
}

/** Whether an edit is new and asks nothing of the pixels: it says in words what they show. */
function isOnlySaid(deps: DevelopDeps, attempt: Attempt, edit: StandingEdit): boolean {
  const { document } = attempt.found;
  const { preset = "", source, status } = document ?? {};
  const isNew = status === "ready" && editOf(document) < edit.rev && isNobodysJob(attempt.task);
  return isNew && isMade(deps, { ...attempt, edit }, source?.etag, preset);
}

/** A job has more to look at: where the image is at home. */
const isNobodysJob = (task: Attempt["task"]) => task.kind === "develop" && !task.counted;

async function noteEdit(
  deps: DevelopDeps,
  id: string,
  found: Revision,
  edit: StandingEdit,
): Promise<Outcome> {
  const { recipe, source } = found.document ?? {};
  const { document, before, written } = await commit(deps, id, found, (current) => {
    // Another source or recipe, and it is to be looked at anew.
    const isSame = current?.source?.etag === source?.etag && current?.recipe === recipe;
    return isSame && current?.status === "ready" && editOf(current) < edit.rev
      ? withEdit(current, edit, deps.now())
      : undefined;
  });
  if (written && document) {
    await followUp(deps, document, before);
    return { id, status: "ready" };
  }
  if (document?.status === "ready" && editOf(document) < edit.rev) throw new DarkroomError("unavailable");
  return skipped(id, "superseded");
}

/** Rule 3. Overwritten since: the notification of that write is on its way. */
async function openOriginal(uploads: ObjectStore, task: Attempt["task"]): Promise<Original> {
  try {
    const ifMatch = task.kind === "created" ? task.etag : undefined;
    return (await uploads.get(originalKey(task.id), { ifMatch })) ?? "gone";
  } catch (error) {
    if (hasOutcome(error, "conflict")) return "overwritten";
    throw error;
  }
}

/** Rules 4 and 5, and the owner's entry. Undefined where the original shows that nothing is to be done. */
async function reachVerdict(
  deps: DevelopDeps,
  attempt: Attempt,
  original: StoredObject,
  edit: StandingEdit | undefined,
): Promise<DatedVerdict | undefined> {
  const { task, receives, found, sequencer, again } = attempt;
  const { id } = task;
  const current = found.document;
  const upload = readUploadMetadata(original.metadata);
  const presetName = upload.preset ?? deps.config.defaultPreset;
  if (isDone(deps, attempt, original.etag, presetName)) {
    await leaveUnread(original);
    return undefined;
  }
  const uploadedAt = current?.uploadedAt ?? original.lastModified.toISOString();
  // Who comes upon formats still to come, by a second delivery or for their sake, makes them.
  const isFirst = current?.status !== "ready" || current.source?.etag !== original.etag;
  const preset = presetOf(deps.config, presetName);
  const { etag } = original;
  const held = mustHold(preset, current, etag) ? heldPlace(deps.uploads, id) : undefined;
  // Nobody waits for what is held.
  const mayDefer = task.kind === "created" && isFirst && !held;
  const force = task.kind === "develop" && task.force;
  const { home } = found;
  const submission = { original, upload, edit, presetName, current, force, mayDefer, receives, held, home };
  const [judged, registered] = await Promise.allSettled([
    suspected(deps.uploads, { id, etag, receives, current }, async () => {
      if (!current) await noteHome(deps.media, id, home);
      const refusal = await refusalByQuota(deps, id, upload, original, current);
      return refusal ? noRoom(original, refusal, deps.now()) : judge(deps, id, submission);
    }),
    register(deps.uploads, id, upload, uploadedAt, current),
  ]);
  if (judged.status === "rejected") {
    await leaveUnread(original);
    throw judged.reason;
  }
  if (registered.status === "rejected") throw registered.reason;
  if (!judged.value) await leaveUnread(original);
  const judgement = judged.value ?? { source: sourceOf(original), ...condemned() };
  const recipe = recipeOf(preset, edit);
  const known = { ...judgement, alt: edit?.alt };
  const { holdDays } = preset ?? {};
  const shown = held ? { holdDays, ...(await holdBack(deps.uploads, id, recipe, known)) } : known;
  return {
    ...shown,
    sequencer,
    force: again,
    preset: preset?.name ?? presetName,
    recipe,
    edit,
    uploadedAt,
  };
}

/** Whose original goes: it is marked as let go from the start. */
async function noRoom(
  original: StoredObject,
  error: NonNullable<Judgement["error"]>,
  now: Date,
): Promise<Judgement> {
  await leaveUnread(original);
  const source = { ...sourceOf(original), gone: now.toISOString(), expired: true as const };
  return { status: "rejected", source, error };
}

/** Of what is good nothing but that. */
async function holdBack(
  uploads: ObjectStore,
  id: string,
  recipe: string | undefined,
  judgement: Judgement & Pick<Verdict, "alt">,
): Promise<Judgement> {
  const { status, source, variants = [], placeholder, rights, alt, durationMs } = judgement;
  if (status !== "ready" || !source || recipe === undefined) return judgement;
  await keepHeld(uploads, id, recipe, {
    etag: source.etag,
    variants,
    ...(placeholder && { placeholder }),
    ...(rights && { rights }),
    ...(alt !== undefined && { alt }),
    ...(durationMs !== undefined && { durationMs }),
  });
  return { status: "held", source };
}

/** Rules 6 and 7. A delete that came in between is met at the commit, and one that comes later meets the commit. */
async function commitVerdict(
  deps: DevelopDeps,
  { task, found, receives }: Attempt,
  original: StoredObject,
  verdict: DatedVerdict,
): Promise<Outcome> {
  const { id } = task;
  let stop: string | undefined;
  const { document, before, written, home } = await commit(deps, id, found, async (latest) => {
    if (latest && (latest.access === "private") !== (found.home !== PUBLIC))
      throw new DarkroomError("unavailable", `${id} has moved meanwhile.`);
    const { gone } = latest?.source ?? {};
    if (gone !== undefined && gone !== found.document?.source?.gone)
      throw new DarkroomError("unavailable", `The original of ${id} went meanwhile.`);
    if (verdict.error?.code === OVER_QUOTA && hasRoom(latest))
      throw new DarkroomError("unavailable", `${id} was found room for meanwhile.`);
    const next = transition(latest, id, verdict, deps.now());
    stop = "stop" in next ? next.stop : undefined;
    if (!("write" in next)) return undefined;
    const isHeld = mustHold(presetOf(deps.config, verdict.preset ?? ""), latest, original.etag);
    const isJudged = isNotAllowed(latest) && !isNotAllowed(found.document);
    if (isJudged || verdict.status === (isHeld ? "ready" : "held"))
      throw new DarkroomError("unavailable", `${id} was judged while it was being made anew.`);
    if (latest && latest.writeId !== found.document?.writeId)
      await assertThere(deps.media, next.write, found.home);
    return next.write;
  });
  if (stop === "deleted") await purge(deps, id, home);
  // By a try at a newer original that began before the edit was asked for: only this one knows of it.
  if (stop === "superseded" && editOf(document) < (verdict.edit?.rev ?? 0))
    throw new DarkroomError("unavailable", `${id} was made anew without its edit.`);
  if (!written || !document) {
    // The try before this one, of the same message, may have committed meanwhile and died before it told.
    if (receives > 1 && stop === "done" && document)
      await followUp(deps, document, "unknown", original.metadata);
    return skipped(id, stop ?? "done");
  }
  await followUp(deps, document, before, original.metadata);
  if (verdict.error?.code === OVER_QUOTA)
    await deps.uploads.delete(originalKey(id), { ifMatch: original.etag });
  if (document.pending.length > 0) await deps.backfill.send(developBody({ id, force: false, retry: false }));
  const healed = verdict.status === "ready" && healsIn(before);
  return { ...outcomeOf(deps, task, original, verdict), ...(healed ? { healed } : {}) };
}

function outcomeOf(
  { now }: DevelopDeps,
  { id, kind }: Attempt["task"],
  { size }: StoredObject,
  { status, error, variants, durationMs, uploadedAt }: DatedVerdict,
): Outcome {
  const isAwaited = kind === "created" && status === "ready";
  return {
    id,
    status,
    reason: error?.code,
    sourceBytes: size,
    variants: variants?.length,
    variantBytes: variants?.reduce((sum, { bytes }) => sum + bytes, 0),
    ...(isAwaited ? { readyMs: now().getTime() - Date.parse(uploadedAt) } : {}),
    durationMs,
  };
}

/**
 * Nothing is deleted from beside a document but after a revision of it has said so under `deleting`. What was there,
 * or was written, after the document had been read is there still as long as that revision stands; over another one
 * it has to be seen again.
 */
async function assertThere(media: ObjectStore, { id, variants, deleting }: Draft, home: Home): Promise<void> {
  const there = new Set<string>();
  for await (const { key } of listed(media, imagePrefix(id, home))) there.add(key);
  for (const { key } of deleting) there.delete(key);
  const lost = variants.find(({ key }) => !there.has(key));
  if (lost) throw new DarkroomError("unavailable", `${lost.key} was swept away while it was wanted again.`);
}
