/** The sweep's hands: looks at one image, or one owner's entry, and does what `diagnose` says. */
import { indexAttention } from "../attention.ts";
import { commit, type Revision, readRevision } from "../commit.ts";
import { expire } from "../image/attach.ts";
import { type DeleteDeps, deleteImage } from "../image/delete-image.ts";
import { type MarkDeps, originalBack, originalGone } from "../image/original-gone.ts";
import {
  ATTENTION,
  attachKey,
  attentionKey,
  imagePrefix,
  metaKey,
  originalKey,
  parseOwnerKey,
} from "../keys.ts";
import { listed, listedOpen } from "../listing.ts";
import { developBody } from "../message.ts";
import { letGo, placeholder } from "../metadata.ts";
import type { ListedObject, Queue } from "../ports.ts";
import { followUp, tell } from "../tell/tell.ts";
import {
  diagnose,
  isRipe,
  isToLetGo,
  needsDocument,
  orphansOf,
  type Patience,
  type Remedy,
  type Terms,
} from "./diagnose.ts";
import { retire } from "./retire.ts";
import type { Traces } from "./walk.ts";

export interface MendDeps extends DeleteDeps, MarkDeps {
  /** Where jobs wait: no live upload comes behind what the sweep queues. */
  readonly backfill: Pick<Queue, "send">;
}

/** @returns what was done; `ripe` and `stray` are left to the caller, to the end of the round */
export async function mend(deps: MendDeps, traces: Traces, terms: Terms): Promise<Remedy[]> {
  let found: Revision = { document: undefined, etag: undefined };
  if (traces.document) {
    if (!needsDocument(traces, terms.settledBefore)) return [];
    found = await readRevision(deps.media, traces.id);
  }
  const done: Remedy[] = [];
  for (const remedy of diagnose(traces, found.document, deps.now(), terms)) {
    if (!(await apply(deps, traces.id, found, remedy))) continue;
    done.push(remedy);
    // The rest was about an image that is no more.
    if (remedy.do === "expire") break;
  }
  return done;
}

async function apply(deps: MendDeps, id: string, found: Revision, remedy: Remedy): Promise<boolean> {
  const { document } = found;
  switch (remedy.do) {
    case "develop":
    case "retry":
      await deps.backfill.send(developBody({ id, force: false, retry: remedy.do === "retry" }));
      return true;
    case "gone":
      // The listings are of different moments.
      if (await deps.uploads.head(originalKey(id))) return false;
      await originalGone(deps, id, found, false);
      return true;
    case "back":
      await originalBack(deps, id, found);
      return true;
    case "expire":
      return expire(deps, id, found);
    case "vain":
      if (await deps.uploads.head(originalKey(id))) return false;
      await deps.uploads.delete(attachKey(id));
      return true;
    case "retire":
      return document !== undefined && (await retire(deps, { ...found, document }, remedy.keys));
    case "index":
      if (document) await followUp(deps, document, "unknown");
      else for (const status of ATTENTION) await deps.uploads.delete(attentionKey(status, id));
      return true;
    case "ripe":
      // The last chance: whoever deleted it may have died before it told, with no event of its original to come.
      if (document) await tell(deps.events, document);
      return true;
    case "stray":
      return true;
  }
}

/**
 * Deletes what two rounds have found to be named by nobody, or left of a delete, by what is there now.
 * @param seen when the first of them did: what was written since stays
 */
export async function clear(
  deps: MendDeps,
  id: string,
  seen: Date,
  patience: Patience,
): Promise<"purge" | "retire" | "letGo" | "clear" | undefined> {
  const found = await readRevision(deps.media, id);
  const { document } = found;
  if (document?.status === "deleted") {
    await deleteImage(deps, id, found);
    return "purge";
  }
  const old: ListedObject[] = [];
  for await (const object of listed(deps.media, imagePrefix(id)))
    if (object.key !== metaKey(id) && object.lastModified <= seen) old.push(object);
  if (document?.source) {
    const keys = orphansOf(document, old).map(({ key }) => key);
    const isRetired = keys.length > 0 && (await retire(deps, { ...found, document }, keys));
    // By the document as it was: the next round comes to the other.
    return isRetired ? "retire" : letOriginalGo(deps, id, found, patience);
  }
  if (await deps.uploads.head(originalKey(id))) return undefined;
  const keys = old.map(({ key }) => key);
  return (await clearUnnamed(deps, id, found, keys)) ? "clear" : undefined;
}

/** First the document says so: a try that is under way meets that at its commit. */
async function letOriginalGo(
  deps: MendDeps,
  id: string,
  found: Revision,
  patience: Patience,
): Promise<"letGo" | undefined> {
  const original = await deps.uploads.head(originalKey(id));
  if (!found.document || !original || !isToLetGo(found.document, original, deps.now(), patience))
    return undefined;
  const { document, before, written } = await commit(deps, id, found, (current) =>
    current?.writeId === found.document?.writeId ? letGo(current, original.etag, deps.now()) : undefined,
  );
  if (!written || !document) return undefined;
  await deps.uploads.delete(originalKey(id), { ifMatch: original.etag });
  await indexAttention(deps, document, before);
  return "letGo";
}

/** As there is no document to announce it in, one holds the place: a worker that is about to name them meets it. */
async function clearUnnamed(
  deps: MendDeps,
  id: string,
  found: Revision,
  keys: readonly string[],
): Promise<boolean> {
  const { written, etag } = await commit(deps, id, found, (current) =>
    current?.source ? undefined : placeholder(id, keys, deps.now()),
  );
  if (!written) return false;
  for (const key of keys) await deps.media.delete(key);
  await deps.media.delete(metaKey(id), { ifMatch: etag });
  return true;
}

/** Removes a tombstone, if it is old enough and all there is: it may be another one than was found ripe. */
export async function bury(deps: MendDeps, id: string): Promise<boolean> {
  let stored: ListedObject | undefined;
  for await (const object of listed(deps.media, imagePrefix(id))) {
    if (object.key !== metaKey(id)) return false;
    stored = object;
  }
  const { document, etag } = await readRevision(deps.media, id);
  if (!stored || stored.etag !== etag || !document || !isRipe(document, stored, deps.now())) return false;
  if (await deps.uploads.head(originalKey(id))) return false;
  for await (const _ of listedOpen(deps.openUploads, originalKey(id))) return false;
  // Another sweep may have done so, and a late message have made a new one.
  await deps.media.delete(metaKey(id), { ifMatch: etag });
  return true;
}

/**
 * Removes an owner's entry that lists nothing any more: of an image whose tombstone is about to go, or of a time that its
 * metadata does not give. One of which there is neither metadata nor original is a stray.
 */
export async function mendEntry(
  deps: MendDeps,
  { key, lastModified }: ListedObject,
  ripe: ReadonlySet<string>,
  { patience, settledBefore }: Terms,
): Promise<"unlist" | "stray" | undefined> {
  const entry = parseOwnerKey(key);
  if (!entry) return undefined;
  if (!ripe.has(entry.id)) {
    if (settledBefore && lastModified < settledBefore) return undefined;
    const { document } = await readRevision(deps.media, entry.id);
    if (!document) return (await isVain(deps, entry.id, lastModified, patience)) ? "stray" : undefined;
    // The time that a first revision gives stays; only the entry of that time is ever looked for.
    if (Date.parse(document.uploadedAt ?? "") === entry.uploadedAt) return undefined;
  }
  await deps.uploads.delete(key);
  return "unlist";
}

/** Removes the entry of an image that two rounds have found no other trace of. */
export async function unlist(deps: MendDeps, key: string): Promise<"unlist" | undefined> {
  const id = parseOwnerKey(key)?.id ?? "";
  if ((await deps.media.head(metaKey(id))) || (await deps.uploads.head(originalKey(id)))) return undefined;
  await deps.uploads.delete(key);
  return "unlist";
}

async function isVain(
  { uploads, now }: MendDeps,
  id: string,
  written: Date,
  { upload }: Patience,
): Promise<boolean> {
  // A worker writes the entry before its commit.
  if (now().getTime() - written.getTime() <= upload) return false;
  return (await uploads.head(originalKey(id))) === undefined;
}
