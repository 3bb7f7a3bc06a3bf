/** The sweep's hands: looks at one image, or one owner's entry, and does what `diagnose` says. */
import { indexAttention } from "../attention.ts";
import { commit, hasDocument, type Revision, readHome, readRevision } from "../commit.ts";
import { DarkroomError } from "../errors.ts";
import { expire } from "../image/attach.ts";
import { type DeleteDeps, deleteImage } from "../image/delete-image.ts";
import { clearHeld } from "../image/held.ts";
import { rejectImage, remind } from "../image/judgement.ts";
import { type MarkDeps, originalBack, originalGone } from "../image/original-gone.ts";
import { retire } from "../image/retire.ts";
import {
  ATTENTION,
  attachKey,
  attentionKey,
  countsOf,
  editKey,
  homeKey,
  metaKey,
  originalKey,
  ownerKey,
  PUBLIC,
  parseCountKey,
  parseOwnerKey,
} from "../keys.ts";
import { listedOpen } from "../listing.ts";
import { developBody } from "../message.ts";
import { letGo, placeholder } from "../metadata.ts";
import type { ListedObject, ObjectStore, Queue } from "../ports.ts";
import { followUp, tell } from "../tell/tell.ts";
import { readUploadMetadata } from "../upload-metadata.ts";
import { countImage } from "../usage.ts";
import { lookAround } from "./around.ts";
import type { Counted } from "./counted.ts";
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
import type { Traces } from "./walk.ts";

export interface MendDeps extends DeleteDeps, MarkDeps {
  /** Where jobs wait: no live upload comes behind what the sweep queues. */
  readonly backfill: Pick<Queue, "send">;
}

const UNJUDGED = "Nobody has released this image in time.";

/** @returns what was done; `ripe` and `stray` are left to the caller, to the end of the round */
export async function mend(deps: MendDeps, traces: Traces, terms: Terms): Promise<Remedy[]> {
  const { id } = traces;
  const home = traces.home && (await lookInside(deps.media, traces));
  const shown = home ?? traces;
  if (shown.document && !needsDocument(shown, terms.settledBefore)) return [];
  const isThere = shown.document !== undefined;
  const found = isThere ? await readRevision(deps.media, id) : NOTHING_FOUND;
  // Let out of its home, and whoever did so died before it was in public: the next round sees the rest.
  if (found.leaving) await commit(deps, id, found, (current) => current);
  if (found.leaving) return [];
  const seen = home ? await seenAround(deps.media, traces, found) : traces;
  const done: Remedy[] = [];
  for (const remedy of diagnose(seen, found.document, deps.now(), terms)) {
    if (!(await apply(deps, id, found, remedy))) continue;
    done.push(remedy);
    // The rest was about an image that is no more.
    if (remedy.do === "expire") break;
  }
  return done;
}

const NOTHING_FOUND: Revision = { document: undefined, etag: undefined, home: PUBLIC };

/** With the document that lies elsewhere, if it does: two small requests, for what is settled no more. */
async function lookInside(media: ObjectStore, traces: Traces): Promise<Traces> {
  const home = await readHome(media, traces.id);
  const key = metaKey(traces.id, home);
  const inside = home === PUBLIC ? undefined : await media.head(key);
  if (!inside) return traces;
  const { document: open, variants } = traces;
  return { ...traces, document: { key, ...inside }, variants: open ? [...variants, open] : variants };
}

async function seenAround(media: ObjectStore, traces: Traces, found: Revision): Promise<Traces> {
  const open = [...traces.variants, ...(traces.document ? [traces.document] : [])];
  const { document, beside } = await lookAround(media, traces.id, found, open);
  return { ...traces, document, variants: beside };
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
    case "remind":
      return remind(deps, id, found);
    case "refuse":
      // Judged in this moment, it is no longer ours to end.
      return rejectImage(deps, id, UNJUDGED).then(
        () => true,
        (error: unknown) => {
          if (!(error instanceof DarkroomError && ["not-held", "gone"].includes(error.code))) throw error;
          return false;
        },
      );
    case "vain":
      if (await deps.uploads.head(originalKey(id))) return false;
      await deps.uploads.delete(attachKey(id));
      await deps.uploads.delete(editKey(id));
      return true;
    case "retire":
      return (document && (await retire(deps, { ...found, document }, remedy.keys))) !== undefined;
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
  const { beside } = await lookAround(deps.media, id, found);
  const old = beside.filter(({ lastModified }) => lastModified <= seen);
  if (document?.source) {
    const cleared =
      document.status !== "held" && (await clearHeld(deps.uploads, id, seen)) ? "clear" : undefined;
    const keys = orphansOf(document, old).map(({ key }) => key);
    const isRetired = keys.length > 0 && (await retire(deps, { ...found, document }, keys));
    // By the document as it was: the next round comes to the other.
    return isRetired ? "retire" : (cleared ?? letOriginalGo(deps, id, found, patience));
  }
  if (await deps.uploads.head(originalKey(id))) return undefined;
  const cleared = await clearHeld(deps.uploads, id, seen);
  // Without `homes/{id}` what is newer would be found by nobody.
  if (found.home !== PUBLIC && old.length < beside.length) return undefined;
  const keys = old.map(({ key }) => key).filter((key) => key !== homeKey(id));
  if (cleared && keys.length === 0) return "clear";
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
  const { owner } = readUploadMetadata(original.metadata);
  if (owner) await countImage(deps.uploads, owner, document, "unknown");
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
  const { written, etag, home } = await commit(deps, id, found, (current) =>
    current?.source ? undefined : placeholder(id, keys, deps.now()),
  );
  if (!written) return false;
  for (const key of keys) await deps.media.delete(key);
  await deps.media.delete(metaKey(id, home), { ifMatch: etag });
  // The last: without it nobody finds the rest.
  if (home !== PUBLIC) await deps.media.delete(homeKey(id));
  return true;
}

/** Removes a tombstone, if it is old enough and all there is: it may be another one than was found ripe. */
export async function bury(deps: MendDeps, id: string): Promise<boolean> {
  const { document, etag, home } = await readRevision(deps.media, id);
  const around = await lookAround(deps.media, id, { document, etag, home });
  if (around.beside.length > 0 || !document || !around.document) return false;
  if (around.document.etag !== etag || !isRipe(document, around.document, deps.now())) return false;
  if (await deps.uploads.head(originalKey(id))) return false;
  for await (const _ of listedOpen(deps.openUploads, originalKey(id))) return false;
  // Another sweep may have done so, and a late message have made a new one.
  await deps.media.delete(metaKey(id, home), { ifMatch: etag });
  // What has led there, from the outside in.
  if (home !== PUBLIC) await deps.media.delete(metaKey(id));
  await deps.media.delete(homeKey(id));
  return true;
}

/**
 * Brings the count beside an owner's entry in line, and removes an entry that lists nothing any more: of an image whose tombstone is about to go, or of a time that its
 * metadata does not give. One of which there is neither metadata nor original is a stray.
 */
export async function mendEntry(
  deps: MendDeps,
  { entry: listedEntry, counts }: Counted,
  ripe: ReadonlySet<string>,
  { patience, settledBefore }: Terms,
): Promise<{ deed?: "unlist" | "stray"; count?: string | undefined }> {
  const there = counts.map((one) => one.key);
  if (!listedEntry) {
    await uncount(deps, counts, patience);
    return {};
  }
  const { key, lastModified } = listedEntry;
  const entry = parseOwnerKey(key);
  if (!entry) return {};
  if (!ripe.has(entry.id)) {
    const isOld = (one: ListedObject) => settledBefore !== undefined && one.lastModified < settledBefore;
    if (there.length === 1 && [listedEntry, ...counts].every(isOld)) return { count: there[0] };
    const { document } = await readRevision(deps.media, entry.id);
    if (!document) return (await isVain(deps, entry.id, lastModified, patience)) ? { deed: "stray" } : {};
    // The time that a first revision gives stays; only the entry of that time is ever looked for.
    if (Date.parse(document.uploadedAt ?? "") === entry.uploadedAt)
      return { count: await countImage(deps.uploads, entry.owner, document, there) };
  }
  for (const count of there) await deps.uploads.delete(count);
  await deps.uploads.delete(key);
  return { deed: "unlist" };
}

/** Of images whose entries are gone: of a try that came late. The listings are of different moments. */
async function uncount({ uploads, now }: MendDeps, counts: readonly ListedObject[], { upload }: Patience) {
  for (const { key, lastModified } of counts) {
    const count = parseCountKey(key);
    if (!count || now().getTime() - lastModified.getTime() <= upload) continue;
    const { objects } = await uploads.list(ownerKey(count.owner, count.uploadedAt, count.id), { limit: 1 });
    if (objects.length === 0) await uploads.delete(key);
  }
}

/** Removes the entry of an image that two rounds have found no other trace of. */
export async function unlist(deps: MendDeps, key: string): Promise<"unlist" | undefined> {
  const { owner = "", uploadedAt = 0, id = "" } = parseOwnerKey(key) ?? {};
  if ((await hasDocument(deps.media, id)) || (await deps.uploads.head(originalKey(id)))) return undefined;
  for (const count of (await deps.uploads.list(countsOf(owner, uploadedAt, id))).objects)
    await deps.uploads.delete(count.key);
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
