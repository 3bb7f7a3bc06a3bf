/**
 * Takes a delete back, where the buckets keep versions and its days are not over. Nobody but an operator can: no function may
 * read a version. It is the only thing that ever writes over a tombstone, and does so under a condition, when all that the
 * document names is there again; whoever was still at removing it may take some of that once more, for which it looks again.
 */
import { commit, readRevision } from "../commit.ts";
import { parseEdit } from "../edit.ts";
import { DarkroomError, errors } from "../errors.ts";
import { editKey, type Home, imagePrefix, isId, metaKey, originalKey } from "../keys.ts";
import { listed } from "../listing.ts";
import { type Draft, type Metadata, parseMetadata, pictureOf, restored } from "../metadata.ts";
import type { KeptVersion, ObjectStore, Queue, Versions } from "../ports.ts";
import { followUp } from "../tell/tell.ts";
import { readUploadMetadata } from "../upload-metadata.ts";
import { attachImage } from "./attach.ts";
import { atHome } from "./delete-image.ts";
import { register } from "./register.ts";

export interface UndeleteDeps {
  readonly uploads: ObjectStore;
  readonly media: ObjectStore;
  readonly kept: { readonly uploads: Versions; readonly media: Versions };
  readonly events: Pick<Queue, "send">;
  readonly now: () => Date;
  readonly random: (bytes: number) => Uint8Array;
}

export interface Undeleted {
  readonly id: string;
  readonly status: Metadata["status"];
  /** When it was deleted; absent where nobody knows any more. */
  readonly deletedAt?: string | undefined;
  /** Files that came back: variants, and the original. */
  readonly variants: number;
  readonly original: boolean;
  /** It was back before; what had been left undone is done. */
  readonly already: boolean;
}

/** An image as it last was, and what there is of it to bring back. */
interface Kept {
  readonly document: Metadata | undefined;
  readonly original: KeptVersion | undefined;
  /** What was asked of it after its upload. */
  readonly edit: KeptVersion | undefined;
  readonly editRev: number | undefined;
  /** Where its files lie. */
  readonly folder: string;
  readonly files: ReadonlyMap<string, KeptVersion>;
}

/** Looks at what came back, after whoever may have been at removing it. */
const LOOKS = 3;

/**
 * May be repeated, also after it died at any line.
 * @throws DarkroomError `not-found`, `not-deleted`, `not-kept`
 */
export async function undeleteImage(
  deps: UndeleteDeps,
  id: string,
  { dryRun = false }: { dryRun?: boolean } = {},
): Promise<Undeleted> {
  if (!isId(id)) throw new DarkroomError("not-found");
  const found = await readRevision(deps.media, id);
  const tombstone = found.document?.status === "deleted" ? found.document : undefined;
  const already = found.document !== undefined && !tombstone;
  if (already && found.document?.undeletedAt === undefined) throw new DarkroomError("not-deleted");
  const kept = await keptOf(deps, id, found.home);
  const draft = already ? found.document : draftOf(deps, id, kept, tombstone);
  const original = await isThere(deps.uploads, originalKey(id));
  const about = { id, status: draft.status, deletedAt: tombstone?.processedAt, already };
  if (dryRun) return { ...about, variants: draft.variants.length, original: !original && !!kept.original };

  const variants = await restoreVariants(deps, draft, kept);
  // Without a tombstone to be met by the original comes first: it says where its document lies, which may be private.
  const early = !found.document && (await restoreOriginal(deps, id, kept));
  const standing = found.document ? found : atHome(found, await deps.uploads.head(originalKey(id)));
  const { document, written } = already
    ? { ...found, written: true }
    : await commit(deps, id, standing, (current) =>
        current === undefined || current.status === "deleted" ? draft : undefined,
      );
  if (!document || !written) throw new DarkroomError("unavailable", `${id} is being worked on; try again.`);
  // Behind the commit: whoever hears of it before that meets the tombstone, and removes everything again.
  const isBack = (await restoreOriginal(deps, id, kept)) || early;
  for (let look = 1; look < LOOKS; look++) {
    await restoreVariants(deps, document, kept);
    await restoreOriginal(deps, id, kept);
  }
  await index(deps, document);
  return { ...about, status: document.status, variants, original: isBack };
}

/** As the document before its tombstone; where that names what is gone for good, to be developed anew from the original. */
function draftOf(deps: UndeleteDeps, id: string, kept: Kept, tombstone: Metadata | undefined): Draft {
  const { document, original, files } = kept;
  const at = deps.now();
  if (document?.status === "held" && original) {
    // Of no recipe: what it held back is gone, and the event of its original has it developed anew. It waits on.
    return restored({ ...document, recipe: undefined }, tombstone?.sequencer, at);
  }
  // An edit that was asked for and not made before the delete is made now.
  const isBehind = original !== undefined && (kept.editRev ?? 0) > (document?.edit?.rev ?? 0);
  const isWhole = !isBehind && (document?.variants.every(({ key }) => files.has(key)) ?? false);
  if (document && (isWhole || !original)) {
    const variants = document.variants.filter(({ key }) => files.has(key));
    const superseded = document.superseded.filter(({ key }) => files.has(key));
    if (document.variants.length > 0 && variants.length === 0) throw new DarkroomError("not-kept");
    const draft = restored({ ...document, variants, superseded }, tombstone?.sequencer, at);
    return isWhole ? draft : { ...draft, picture: pictureOf(draft) };
  }
  if (!original) throw new DarkroomError(document || tombstone ? "not-kept" : "not-found");
  const code = "retries-exhausted";
  return {
    schema: 1,
    id,
    status: "failed",
    source: { bytes: original.size, etag: original.etag },
    variants: [],
    pending: [],
    superseded: [],
    deleting: [],
    uploadedAt: document?.uploadedAt ?? tombstone?.uploadedAt ?? original.at.toISOString(),
    processedAt: at.toISOString(),
    undeletedAt: at.toISOString(),
    error: { code, message: errors[code].sentence },
  };
}

async function keptOf({ kept }: UndeleteDeps, id: string, home: Home): Promise<Kept> {
  const files = new Map<string, KeptVersion>();
  let document: Metadata | undefined;
  const folder = imagePrefix(id, home);
  for await (const version of kept.media.list(folder)) {
    if (version.marker) continue;
    const { key } = version;
    if (key !== metaKey(id, home)) {
      if (!files.has(key)) files.set(key, version);
      continue;
    }
    document ??= living(await kept.media.read(version));
  }
  const originals = await versionsOf(kept.uploads, originalKey(id));
  const [edit] = await versionsOf(kept.uploads, editKey(id));
  // A signature that was still valid may have written another one behind the delete.
  const own = originals.find(({ etag }) => etag === document?.source?.etag);
  const editRev = edit && parseEdit(await kept.uploads.read(edit))?.rev;
  return { document, original: own ?? originals[0], edit, editRev, folder, files };
}

/** Newest first. */
async function versionsOf(kept: Versions, key: string): Promise<KeptVersion[]> {
  const versions: KeptVersion[] = [];
  for await (const version of kept.list(key)) if (!version.marker) versions.push(version);
  return versions;
}

/** Undefined of a tombstone, and of a note that the image has moved. */
function living(text: string): Metadata | undefined {
  try {
    const document = parseMetadata(text);
    return document.status === "deleted" ? undefined : document;
  } catch {
    return undefined;
  }
}

const isThere = async (store: ObjectStore, key: string) => (await store.head(key)) !== undefined;

/** @returns how many were not there */
async function restoreVariants(
  { media, kept }: UndeleteDeps,
  { variants, superseded }: Pick<Metadata, "variants" | "superseded">,
  { folder, files }: Kept,
): Promise<number> {
  const keys = [...variants, ...superseded].map(({ key }) => key);
  const there = new Set<string>();
  for await (const { key } of listed(media, folder)) there.add(key);
  const missing = keys.flatMap((key) => (there.has(key) ? [] : (files.get(key) ?? [])));
  for (const version of missing) await kept.media.restore(version);
  return missing.length;
}

/** What was asked of it first: the event of the original has it developed. @returns whether the original was not there */
async function restoreOriginal({ uploads, kept }: UndeleteDeps, id: string, { original, edit }: Kept) {
  if (edit && !(await isThere(uploads, editKey(id)))) await kept.uploads.restore(edit);
  if (!original || (await isThere(uploads, originalKey(id)))) return false;
  await kept.uploads.restore(original);
  return true;
}

/** What else belongs to an image that is there, and the telling. */
async function index(deps: UndeleteDeps, document: Metadata): Promise<void> {
  const { id, uploadedAt } = document;
  const original = await deps.uploads.head(originalKey(id));
  if (original && uploadedAt)
    await register(deps.uploads, id, readUploadMetadata(original.metadata), uploadedAt, document);
  // Whoever brings it back wants it: it does not wait to be attached any more.
  await attachImage(deps, id);
  await followUp(deps, document, "unknown", original?.metadata);
}
