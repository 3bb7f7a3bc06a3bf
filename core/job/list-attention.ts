/** What needs attention, for an operator: from the index, with what the metadata says now. */
import { type AttentionEntry, attentionOf } from "../attention.ts";
import { DarkroomError } from "../errors.ts";
import { revealHeld } from "../image/held.ts";
import type { SignDownload } from "../image/original.ts";
import {
  type Attention,
  attentionKey,
  attentionPrefix,
  isId,
  originalKey,
  parseAttentionKey,
} from "../keys.ts";
import { inLanes } from "../lanes.ts";
import type { Metadata } from "../metadata.ts";
import type { ObjectStore } from "../ports.ts";
import { type Context, contextOf } from "../upload-metadata.ts";
import { readDocument } from "./selection.ts";

export interface ImageInTrouble extends AttentionEntry {
  readonly uploadedAt?: string | undefined;
  /** Still shown as it was: only its last re-process went wrong. */
  readonly ready: boolean;
  /** URL of its smallest variant, where there are any. */
  readonly thumbnail?: string | undefined;
  /** Whose it is, and what the application calls it; absent where the original is gone, which says it. */
  readonly context?: Context | undefined;
}

/** Metadata documents read at once. */
const LANES = 20;

/**
 * Images that failed, were rejected, have lost their original or wait to be judged, by id. `cursor` is the one an earlier page gave. A page may be short: what was
 * made good a moment ago is left out.
 * @throws DarkroomError `bad-request` for a cursor that is none of ours
 */
export async function listAttention(
  {
    uploads,
    media,
    signDownload,
  }: { readonly uploads: ObjectStore; readonly media: ObjectStore; readonly signDownload: SignDownload },
  status: Attention,
  { limit, cursor }: { limit: number; cursor: string | undefined },
): Promise<{ images: ImageInTrouble[]; cursor?: string }> {
  if (cursor !== undefined && !isId(cursor))
    throw new DarkroomError("bad-request", "cursor: pass on what the last page gave, unchanged.");
  const after = cursor === undefined ? undefined : attentionKey(status, cursor);
  const { objects, next } = await uploads.list(attentionPrefix(status), { after, limit });
  const ids = objects.flatMap(({ key }) => parseAttentionKey(key) ?? []);
  const images = await inLanes(ids, LANES, async (id): Promise<ImageInTrouble | undefined> => {
    const document = await readDocument(media, id);
    if (document === "unreadable") return undefined;
    const entry = attentionOf(document);
    if (!document || entry?.status !== status) return undefined;
    const original = await uploads.head(originalKey(id));
    const view = (key: string) => signDownload(key, "inline");
    const seen = status === "held" ? await revealHeld(uploads, view, document) : document;
    return {
      ...entry,
      uploadedAt: document.uploadedAt,
      ready: document.status === "ready",
      thumbnail: smallest(seen),
      context: original && contextOf(original.metadata),
    };
  });
  const last = next === undefined ? undefined : parseAttentionKey(next);
  return { images: images.filter((image) => image !== undefined), ...(last ? { cursor: last } : {}) };
}

/** The least to load; AVIF is left to those who ask for it by name, as old browsers do not show it. */
export function smallest({ variants }: Metadata): string | undefined {
  const shown = variants.filter(({ format }) => format !== "avif");
  return shown.sort((a, b) => a.bytes - b.bytes)[0]?.url;
}
