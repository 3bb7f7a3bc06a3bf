/**
 * Moves an image in from the public, or out. Its variants are the same under other keys, so they are copied: that takes neither
 * pixels nor the original. From when on the others are the image's is said in `core/commit.ts`.
 */
import {
  documentOptions,
  movedNote,
  noteHome,
  putOver,
  type Revision,
  readBytes,
  variantOptions,
} from "../commit.ts";
import { DarkroomError } from "../errors.ts";
import { type Home, metaKey, newId, PUBLIC, rehomed } from "../keys.ts";
import { inLanes } from "../lanes.ts";
import { type Metadata, rehomedDocument } from "../metadata.ts";
import type { ObjectStore } from "../ports.ts";
import { type RetireDeps, retire } from "./retire.ts";

export interface MoveDeps extends RetireDeps {
  /** Where the media bucket is served, without a slash at the end. */
  readonly mediaUrl: string;
}

const LANES = 6;

/**
 * @param found neither deleted nor there already
 * @returns the revision that stands then
 * @throws DarkroomError `unavailable` where somebody else was at it; a later try looks again
 */
export async function moveImage(
  deps: MoveDeps,
  found: Revision & { readonly document: Metadata },
  to: Home,
): Promise<Revision & { readonly document: Metadata }> {
  const { document: current } = found;
  const moved = rehomedDocument(current, to, deps.mediaUrl, deps.now());
  await noteHome(deps.media, current.id, to);
  await copyVariants(deps.media, current, to);
  const document: Metadata = { ...moved, rev: current.rev + 1, writeId: newId(deps.random) };
  const etag =
    to === PUBLIC
      ? await moveOut(deps.media, found, document)
      : await moveIn(deps.media, found, document, to);
  const arrived = { document, etag, home: to };
  if (to === PUBLIC) return arrived;
  const open = document.superseded.map(({ key }) => key);
  return (await retire(deps, arrived, open)) ?? arrived;
}

async function copyVariants(
  media: ObjectStore,
  { id, variants, deleting }: Metadata,
  to: Home,
): Promise<void> {
  await inLanes(variants, LANES, async ({ key, type }) => {
    const copy = rehomed(key, id, to);
    const stored = await media.get(key);
    if (!stored || deleting.some((entry) => entry.key === copy))
      throw new DarkroomError("unavailable", `${copy} cannot be made for now.`);
    await media.put(copy, await readBytes(stored.body), variantOptions(type, to));
  });
}

/** The private document first; the image's is the public one, until the note lies over that. */
async function moveIn(media: ObjectStore, found: Revision, document: Metadata, to: Home): Promise<string> {
  const { id, rev, writeId } = document;
  // In this order: what lies there while the public one stands is nobody's.
  const old = await media.head(metaKey(id, to));
  const open = await media.head(metaKey(id));
  if (!open || open.etag !== found.etag) throw elsewhere(id);
  const arriving = JSON.stringify({ ...document, move: "arriving" });
  const { etag } = await write(media, metaKey(id, to), arriving, to, old?.etag);
  await write(media, metaKey(id), movedNote(id, rev, writeId), PUBLIC, found.etag);
  return etag;
}

/** The private document says that it leaves, which decides; then it lies where it belongs. */
async function moveOut(media: ObjectStore, found: Revision, document: Metadata): Promise<string> {
  const { id } = document;
  const open = await media.head(metaKey(id));
  const leaving = JSON.stringify({ ...document, move: "leaving" });
  await write(media, metaKey(id, found.home), leaving, found.home, found.etag);
  const { etag } = await write(media, metaKey(id), JSON.stringify(document), PUBLIC, open?.etag);
  return etag;
}

async function write(media: ObjectStore, key: string, text: string, home: Home, over: string | undefined) {
  const written = await putOver(media, key, text, over, documentOptions(home));
  if (!written) throw elsewhere(key);
  return written;
}

const elsewhere = (what: string) =>
  new DarkroomError("unavailable", `${what} was changed while it was on its way.`);
