/** What somebody decides about an image that is held: it is shown, or it never is. */
import * as v from "valibot";
import { commit, type Revision, readBytes, readRevision, variantOptions } from "../commit.ts";
import { DarkroomError, errors } from "../errors.ts";
import { type Home, heldKey, isId, originalKey, rehomed } from "../keys.ts";
import { inLanes } from "../lanes.ts";
import { type Metadata, transition, type Variant, type Verdict } from "../metadata.ts";
import type { StoredHead } from "../ports.ts";
import { followUp } from "../tell/tell.ts";
import { type DeleteDeps, purge } from "./delete-image.ts";
import { clearHeld, readHeld } from "./held.ts";

export const RejectRequest = v.strictObject({
  /** For whoever uploaded it. */
  reason: v.optional(
    v.pipe(
      v.string(),
      v.trim(),
      v.minLength(1),
      v.maxLength(500),
      v.check((reason) => reason.isWellFormed() && !/\p{Cc}/u.test(reason), "no control characters"),
    ),
  ),
});

/** Variants copied at once: of some megabytes at most each. */
const LANES = 8;
const MAX_TRIES = 5;
const NOT_ALLOWED = "not-allowed";

interface Found extends Revision {
  readonly document: Metadata;
  readonly original: StoredHead | undefined;
}

/**
 * Shows an image to everybody: at once, as its variants are made. Repeated, it is answered the same.
 * @throws DarkroomError `not-found`, `gone`; `not-held` where it does not wait; `unavailable` while it is being made anew
 */
export async function releaseImage(deps: DeleteDeps, id: string): Promise<Metadata> {
  return settle(
    deps,
    id,
    ({ status, releasedAt }) => status === "ready" && releasedAt !== undefined,
    async (found) => {
      const { document } = found;
      const held = await readHeld(deps.uploads, document);
      if (!held) throw new DarkroomError("unavailable", "It is being developed anew; try again in a moment.");
      // It may have been made private, or public, since.
      const variants = held.variants.map((variant) => rehomedVariant(variant, id, found.home));
      const lost = variants.find(({ key }) => document.deleting.some((entry) => entry.key === key));
      if (lost)
        throw new DarkroomError("unavailable", `${lost.key} is being swept away; try again in a moment.`);
      await inLanes(variants, LANES, (variant) => publish(deps, id, variant, found.home));
      const { placeholder, rights, alt, durationMs } = held;
      return { status: "ready", placeholder, rights, alt, variants, durationMs };
    },
  );
}

/**
 * Rejects an image for good; `reason` is for whoever uploaded it, and everybody may read it. Repeated, it is answered the same.
 * @throws DarkroomError as `releaseImage` does
 */
export async function rejectImage(
  deps: DeleteDeps,
  id: string,
  reason: string = errors[NOT_ALLOWED].sentence,
): Promise<Metadata> {
  const isDone = ({ status, error }: Metadata) => status === "rejected" && error?.code === NOT_ALLOWED;
  return settle(deps, id, isDone, async () => ({
    status: "rejected",
    error: { code: NOT_ALLOWED, message: reason },
  }));
}

/**
 * Tells once more of an image that nobody has judged: of a revision of its own, as receivers know what they have heard by that.
 * Only then the next one says that it was told, so that whoever dies in between is not the last to remind.
 * @returns false where somebody has judged it
 */
export async function remind(deps: DeleteDeps, id: string, found: Revision): Promise<boolean> {
  const told = await commit(deps, id, found, (current) => (current?.held?.remindAt ? current : undefined));
  const { document, before, written } = told;
  if (!written || !document) return false;
  await followUp(deps, document, before);
  await commit(deps, id, told, (current) => {
    if (current?.writeId !== document.writeId) return undefined;
    return { ...current, held: current.held && { ...current.held, remindAt: undefined } };
  });
  return true;
}

async function settle(
  deps: DeleteDeps,
  id: string,
  isDone: (document: Metadata) => boolean,
  judge: (found: Found) => Promise<Omit<Verdict, "judged" | "force" | "recipe" | "sequencer">>,
): Promise<Metadata> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const found = await find(deps, id);
    const { document, original } = found;
    if (document.status !== "held" && !isDone(document)) throw new DarkroomError("not-held");
    if (isDone(document)) {
      // Whoever did it may have died before it was told.
      await followUp(deps, document, "unknown", original?.metadata);
      await clearHeld(deps.uploads, id);
      return document;
    }
    const verdict: Verdict = {
      ...(await judge(found)),
      judged: true,
      force: true,
      recipe: document.recipe,
      sequencer: document.sequencer,
    };
    const next = await commit(deps, id, found, (current) => {
      // Made anew, or judged by somebody else: looked at again.
      if (current?.writeId !== document.writeId) return undefined;
      const next = transition(current, id, verdict, deps.now());
      return "write" in next ? next.write : undefined;
    });
    if (!next.written || !next.document) continue;
    await followUp(deps, next.document, next.before, original?.metadata);
    await clearHeld(deps.uploads, id);
    return next.document;
  }
  throw new DarkroomError("unavailable");
}

async function find(deps: DeleteDeps, id: string): Promise<Found> {
  if (!isId(id)) throw new DarkroomError("not-found");
  const [original, { document, ...found }] = await Promise.all([
    deps.uploads.head(originalKey(id)),
    readRevision(deps.media, id),
  ]);
  if (document?.status === "deleted") {
    // Rule 7: what we were at showing when it was deleted goes too.
    await purge(deps, id, found.home);
    throw new DarkroomError("gone");
  }
  if (document) return { ...found, document, original };
  throw new DarkroomError(original ? "not-held" : "not-found");
}

function rehomedVariant(variant: Variant, id: string, home: Home): Variant {
  const key = rehomed(variant.key, id, home);
  return { ...variant, key, url: variant.url.slice(0, -variant.key.length) + key };
}

async function publish(
  { uploads, media }: DeleteDeps,
  id: string,
  { key, type }: Variant,
  home: Home,
): Promise<void> {
  const stored = await uploads.get(heldKey(id, key));
  if (!stored)
    throw new DarkroomError("unavailable", `${key} is not there; process the image again, with force.`);
  await media.put(key, await readBytes(stored.body), variantOptions(type, home));
}
