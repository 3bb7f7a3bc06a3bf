/**
 * What is made of an image that nobody may see yet: `held/{id}/` in the bucket that is never served. Its variants lie there
 * under the names that they will have, and what the document will say of them beside them. So `meta.json`, which everybody
 * may read, says `held` and no more, and knowing a file well enough to guess its variants' keys leads nowhere.
 */
import * as v from "valibot";
import { readText } from "../commit.ts";
import { heldDocumentKey, heldKey, heldPrefix } from "../keys.ts";
import { listed } from "../listing.ts";
import { type Metadata, MetadataSchema } from "../metadata.ts";
import type { ObjectStore } from "../ports.ts";
import type { Preset } from "../preset.ts";

const Held = v.object({
  ...v.pick(MetadataSchema, ["placeholder", "variants", "rights", "alt", "durationMs"]).entries,
  /** Of the original that they were made of. */
  etag: v.string(),
});
export type Held = v.InferOutput<typeof Held>;

/** Somebody has said that nobody shall see it. */
export const isNotAllowed = (document: Metadata | undefined) => document?.error?.code === "not-allowed";

/**
 * Whether what is made of this original has to be held. What was shown stays, whatever its preset says by now; what waits, or was
 * judged, waits again, be it that the preset holds nothing any more.
 */
export function mustHold(preset: Preset | undefined, current: Metadata | undefined, etag: string): boolean {
  const isSame = current?.source?.etag === etag;
  if (isSame && current.status === "ready") return false;
  const wasHeld = isSame && (current.status === "held" || isNotAllowed(current));
  return preset?.hold === true || wasHeld;
}

/** Where variants are written, by the keys that they have for everybody. */
export interface Place {
  readonly store: ObjectStore;
  readonly at: (key: string) => string;
}
export const heldPlace = (uploads: ObjectStore, id: string): Place => ({
  store: uploads,
  at: (key) => heldKey(id, key),
});

/** After the variants and before the commit. */
export async function keepHeld(
  uploads: Pick<ObjectStore, "put">,
  id: string,
  recipe: string,
  held: Held,
): Promise<void> {
  await uploads.put(heldDocumentKey(id, recipe), JSON.stringify(held), { type: "application/json" });
}

/** What `document`, which says `held`, holds back. Undefined where it is not there, or is of another original. */
export async function readHeld(
  uploads: Pick<ObjectStore, "get">,
  { id, recipe = "", source }: Metadata,
): Promise<Held | undefined> {
  const stored = await uploads.get(heldDocumentKey(id, recipe));
  if (!stored) return undefined;
  const held = v.parse(Held, JSON.parse(await readText(stored.body)));
  return held.etag === source?.etag ? held : undefined;
}

/** Signs a GET of an object of the uploads bucket, to be shown. */
export type SignView = (key: string) => Promise<{ readonly url: string }>;

/** The document as whoever judges it sees it: with URLs that are good for five minutes. */
export async function revealHeld<D extends Metadata>(
  uploads: Pick<ObjectStore, "get">,
  sign: SignView,
  document: D,
): Promise<D> {
  const held = await readHeld(uploads, document);
  if (!held) return document;
  const variants = await Promise.all(
    held.variants.map(async (variant) => ({
      ...variant,
      url: (await sign(heldKey(document.id, variant.key))).url,
    })),
  );
  return { ...document, ...(held.placeholder ? { placeholder: held.placeholder } : {}), variants };
}

/** Once it is judged, or deleted. */
export async function clearHeld(
  uploads: Pick<ObjectStore, "list" | "delete">,
  id: string,
  seen?: Date,
): Promise<boolean> {
  let isAny = false;
  for await (const { key, lastModified } of listed(uploads, heldPrefix(id))) {
    if (seen && lastModified > seen) continue;
    await uploads.delete(key);
    isAny = true;
  }
  return isAny;
}
