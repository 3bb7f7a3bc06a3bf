/**
 * The one commit point: `meta.json`, written under a condition, decided again whenever somebody else was first.
 *
 * It lies in public or in its owner's home. Two keys cannot be written at once, so the public one decides: a document there
 * is the image's. A note that it has moved, or nothing, leads to the home that `homes/{id}` names, and to the document there.
 * Whoever takes an image in writes the private document first, at which nobody looks as long as the public one stands, and
 * then the note over that one. Whoever lets one out marks the private document as leaving: from then on it is the public one,
 * wherever it lies, and whoever commits next writes it to its place (`image/move-image.ts`).
 */
import * as v from "valibot";
import { DarkroomError, hasOutcome } from "./errors.ts";
import { type Home, homeKey, isHome, metaKey, newId, PUBLIC } from "./keys.ts";
import { type Draft, type Metadata, parseMetadata } from "./metadata.ts";
import type { ObjectStore } from "./ports.ts";

/** The document as read, with the ETag that a write over it names; both undefined when there is none. */
export interface Revision {
  readonly document: Metadata | undefined;
  readonly etag: string | undefined;
  /** Where it lies, or would. */
  readonly home: Home;
  /** It has left its owner's home, and has not arrived in public: the next commit writes it there. */
  readonly leaving?: true;
}

/** What `meta.json` says beside the document while the image moves. */
const Move = v.object({ move: v.optional(v.picklist(["moved", "arriving", "leaving"])) });
/** What is left in public of an image that is private: it says that, and nothing else. */
export const movedNote = (id: string, rev: number, writeId: string) =>
  JSON.stringify({ schema: 1, id, status: "moved", move: "moved", rev, writeId });

/**
 * @param home where it may lie when it is not in public; absent: where `homes/{id}` says. A note in public is followed there
 *   in any case
 */
export async function readRevision(
  media: Pick<ObjectStore, "get">,
  id: string,
  home?: Home,
): Promise<Revision> {
  for (;;) {
    const open = await readAt(media, metaKey(id));
    if (open?.document) return { document: open.document, etag: open.etag, home: PUBLIC };
    const elsewhere = open ? await readHome(media, id) : (home ?? (await readHome(media, id)));
    if (elsewhere === PUBLIC) return { document: undefined, etag: open?.etag, home: PUBLIC };
    const { move, document, etag } = (await readAt(media, metaKey(id, elsewhere))) ?? {};
    if (move === "leaving") return { document, etag: open?.etag, home: PUBLIC, leaving: true };
    // It may still be on its way in, and what we saw in public the note before.
    if (move !== "arriving" || (await readAt(media, metaKey(id)))?.etag === open?.etag)
      return { document, etag, home: elsewhere };
  }
}

async function readAt(media: Pick<ObjectStore, "get">, key: string) {
  const stored = await media.get(key);
  if (!stored) return undefined;
  const text = await readText(stored.body);
  const { move } = v.parse(Move, JSON.parse(text));
  return { move, etag: stored.etag, document: move === "moved" ? undefined : parseMetadata(text) };
}

/** Where an image lies, or has lain, that is not in public, or has not always been. */
export async function readHome(media: Pick<ObjectStore, "get">, id: string): Promise<Home> {
  const stored = await media.get(homeKey(id));
  const home = stored ? await readText(stored.body) : PUBLIC;
  return isHome(home) ? home : PUBLIC;
}

/** Before anything is written there: whoever knows only the id has to find it. It stays as long as the image. */
export async function noteHome(media: Pick<ObjectStore, "put">, id: string, home: Home): Promise<void> {
  if (home !== PUBLIC) await media.put(homeKey(id), home);
}

/** Whether there is any document, without reading one. */
export async function hasDocument(media: Pick<ObjectStore, "get" | "head">, id: string): Promise<boolean> {
  if (await media.head(metaKey(id))) return true;
  const home = await readHome(media, id);
  return home !== PUBLIC && (await media.head(metaKey(id, home))) !== undefined;
}

export async function readBytes(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}
export async function readText(body: AsyncIterable<Uint8Array>): Promise<string> {
  return (await readBytes(body)).toString("utf8");
}

/**
 * Writes over the version with this ETag, or where there is none. Undefined where somebody else was first: the client repeats a
 * write whose answer was lost, which then meets itself, so the text has to say whose it is.
 */
export async function putOver(
  store: Pick<ObjectStore, "get" | "put">,
  key: string,
  text: string,
  over: string | undefined,
  options: { readonly type: string; readonly cacheControl?: string },
): Promise<{ readonly etag: string } | undefined> {
  try {
    return await store.put(key, text, {
      ...options,
      ...(over === undefined ? { ifNoneMatch: "*" as const } : { ifMatch: over }),
    });
  } catch (error) {
    if (!hasOutcome(error, "conflict")) throw error;
    const there = await store.get(key);
    return there && (await readText(there.body)) === text ? there : undefined;
  }
}

/** Lost races in a row after which the message had better come back later. */
const MAX_TRIES = 20;

/**
 * Writes what `decide` makes of the current document. `decide` is called again with the newer one after every lost
 * race, and returns undefined to stop. Resolves with the revision that stands, the document it followed, and whether
 * we wrote it.
 */
export async function commit(
  { media, random }: { media: ObjectStore; random: (bytes: number) => Uint8Array },
  id: string,
  found: Revision,
  decide: (current: Metadata | undefined) => Draft | undefined | Promise<Draft | undefined>,
): Promise<Revision & { before: Metadata | undefined; written: boolean }> {
  let current = found;
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const before = current.document;
    const draft = await decide(before);
    if (!draft) return { ...current, before, written: false };
    const { home } = current;
    const document = withAccess(draft, home, (before?.rev ?? 0) + 1, newId(random));
    if (current.etag === undefined) await noteHome(media, id, home);
    try {
      const { etag } = await media.put(metaKey(id, home), JSON.stringify(document), {
        ...documentOptions(home),
        ...(current.etag === undefined ? { ifNoneMatch: "*" as const } : { ifMatch: current.etag }),
      });
      return { before, document, etag, home, written: true };
    } catch (error) {
      if (!hasOutcome(error, "conflict")) throw error;
      current = await readRevision(media, id, home);
      // The client repeats a write whose answer was lost, and is then told that somebody was first: ourselves.
      if (current.document?.writeId === document.writeId) return { ...current, before, written: true };
    }
  }
  throw new DarkroomError("unavailable", `The metadata of ${id} changed ${MAX_TRIES} times under our hands.`);
}

/** Short: clients and the CDN see a new revision within seconds. The variants it names never change. */
export const documentOptions = (home: Home) => ({
  type: "application/json",
  cacheControl: home === PUBLIC ? "public, max-age=5" : "private, max-age=5",
});

/** A key changes whenever the bytes would: nobody ever needs to ask for it again. No cache but the owner's keeps what is private. */
export const variantOptions = (type: string, home: Home) => ({
  type,
  cacheControl: `${home === PUBLIC ? "public" : "private"}, max-age=31536000, immutable`,
});

function withAccess(draft: Draft, home: Home, rev: number, writeId: string): Metadata {
  const { access: _, ...document } = draft;
  return { ...document, ...(home === PUBLIC ? {} : { access: "private" as const }), rev, writeId };
}
