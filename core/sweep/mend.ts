/** The sweep's hands: looks at one image, or one owner's entry, and does what `diagnose` says. */
import { type Revision, readRevision } from "../commit.ts";
import { type DeleteDeps, deleteImage } from "../image/delete-image.ts";
import { ATTENTION, attentionKey, imagePrefix, metaKey, originalKey, parseOwnerKey } from "../keys.ts";
import { listed, listedOpen } from "../listing.ts";
import { developBody } from "../message.ts";
import type { Metadata } from "../metadata.ts";
import type { ListedObject, Queue } from "../ports.ts";
import { followUp, tell } from "../tell/tell.ts";
import { diagnose, isRipe, needsDocument, type Patience, type Remedy, type Terms } from "./diagnose.ts";
import { retire } from "./retire.ts";
import type { Traces } from "./walk.ts";

export interface MendDeps extends DeleteDeps {
  /** Where jobs wait: no live upload comes behind what the sweep queues. */
  readonly backfill: Pick<Queue, "send">;
}

/** @returns what was done; `ripe` is left to the caller, as the owner's entry has to go before the tombstone */
export async function mend(deps: MendDeps, traces: Traces, terms: Terms): Promise<Remedy["do"][]> {
  let found: Revision = { document: undefined, etag: undefined };
  if (traces.document) {
    if (!needsDocument(traces, terms.settledBefore)) return [];
    found = await readRevision(deps.media, traces.id);
  }
  const done: Remedy["do"][] = [];
  for (const remedy of diagnose(traces, found.document, deps.now(), terms))
    if (await apply(deps, traces.id, found, remedy)) done.push(remedy.do);
  return done;
}

async function apply(deps: MendDeps, id: string, found: Revision, remedy: Remedy): Promise<boolean> {
  const { document } = found;
  switch (remedy.do) {
    case "develop":
    case "retry":
      await deps.backfill.send(developBody({ id, force: false, retry: remedy.do === "retry" }));
      return true;
    case "delete":
      // The listings are of different moments.
      if (await deps.uploads.head(originalKey(id))) return false;
      await deleteImage(deps, id, found, { originalGone: true });
      return true;
    case "purge":
      await deleteImage(deps, id, found);
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
  }
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
 * Removes an owner's entry that lists nothing any more: of an image whose tombstone is about to go, of one that went
 * before it had any metadata, or of a time that its metadata does not give.
 */
export async function mendEntry(
  deps: MendDeps,
  { key, lastModified }: ListedObject,
  ripe: ReadonlySet<string>,
  { patience, settledBefore }: Terms,
): Promise<boolean> {
  const entry = parseOwnerKey(key);
  if (!entry) return false;
  if (!ripe.has(entry.id)) {
    if (settledBefore && lastModified < settledBefore) return false;
    const { document } = await readRevision(deps.media, entry.id);
    if (!(await isVain(deps, entry, lastModified, document, patience))) return false;
  }
  await deps.uploads.delete(key);
  return true;
}

async function isVain(
  { uploads, now }: MendDeps,
  { id, uploadedAt }: { id: string; uploadedAt: number },
  written: Date,
  document: Metadata | undefined,
  patience: Patience,
): Promise<boolean> {
  // The time that a first revision gives stays; only the entry of that time is ever looked for.
  if (document) return Date.parse(document.uploadedAt ?? "") !== uploadedAt;
  // A worker writes the entry before its commit.
  if (now().getTime() - written.getTime() <= patience.upload) return false;
  return (await uploads.head(originalKey(id))) === undefined;
}
