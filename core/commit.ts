/** The one commit point: `meta.json`, written under a condition, decided again whenever somebody else was first. */
import { DarkroomError, hasOutcome } from "./errors.ts";
import { metaKey, newId } from "./keys.ts";
import { type Draft, type Metadata, parseMetadata } from "./metadata.ts";
import type { ObjectStore } from "./ports.ts";

/** The document as read, with the ETag that a write over it names; both undefined when there is none. */
export interface Revision {
  readonly document: Metadata | undefined;
  readonly etag: string | undefined;
}

export async function readRevision(media: Pick<ObjectStore, "get">, id: string): Promise<Revision> {
  const stored = await media.get(metaKey(id));
  if (!stored) return { document: undefined, etag: undefined };
  return { document: parseMetadata(await readText(stored.body)), etag: stored.etag };
}

export async function readText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
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
    const document: Metadata = { ...draft, rev: (before?.rev ?? 0) + 1, writeId: newId(random) };
    try {
      const { etag } = await media.put(metaKey(id), JSON.stringify(document), {
        type: "application/json",
        // Short: clients and the CDN see a new revision within seconds. The variants it names never change.
        cacheControl: "public, max-age=5",
        ...(current.etag === undefined ? { ifNoneMatch: "*" as const } : { ifMatch: current.etag }),
      });
      return { before, document, etag, written: true };
    } catch (error) {
      if (!hasOutcome(error, "conflict")) throw error;
      current = await readRevision(media, id);
      // The client repeats a write whose answer was lost, and is then told that somebody was first: ourselves.
      if (current.document?.writeId === document.writeId) return { ...current, before, written: true };
    }
  }
  throw new DarkroomError("unavailable", `The metadata of ${id} changed ${MAX_TRIES} times under our hands.`);
}
