/**
 * What an owner has: one empty object for each image, `counts/{owner}/…`, whose key says how many bytes it takes. They are listed as
 * the owner's entries are, so that no key is written by everybody, and a list is the sum: a request for each 1,000 images. Whoever
 * commits writes it afterwards; the sweep compares them with the documents, by which they are exact after each round.
 */
import { type Count, countKey, countPrefix, countsOf, parseCountKey } from "./keys.ts";
import { listed } from "./listing.ts";
import type { Metadata } from "./metadata.ts";
import type { ObjectStore } from "./ports.ts";

export interface Usage {
  readonly images: number;
  /** Bytes of the files as uploaded, and of what was made of them. */
  readonly originals: number;
  readonly variants: number;
  /** Also of what was deleted since, for as long as its tombstone stays. */
  readonly uploadsThisMonth: number;
}
export const NO_USAGE: Usage = { images: 0, originals: 0, variants: 0, uploadsThisMonth: 0 };

/** Of nothing of which nothing is left: a tombstone, a rejection whose original was let go. */
function bytesOf({ status, source, variants }: Metadata): Pick<Count, "originals" | "variants"> {
  const isNothing = status === "deleted" || (status === "rejected" && source?.expired);
  if (isNothing) return { originals: 0, variants: 0 };
  return { originals: source?.bytes ?? 0, variants: variants.reduce((sum, { bytes }) => sum + bytes, 0) };
}

/**
 * Brings an image's count in line with its document.
 * @param before the document that this one replaced, or the keys that there are; "unknown": they are listed
 */
export async function countImage(
  uploads: Pick<ObjectStore, "list" | "put" | "delete">,
  owner: string,
  document: Metadata,
  before: Metadata | undefined | readonly string[] | "unknown",
): Promise<string | undefined> {
  const key = keyOf(owner, document);
  if (key === undefined) return undefined;
  const all = await keysBefore(uploads, owner, document, before);
  if (!all.includes(key)) await uploads.put(key, "");
  for (const other of all) if (other !== key) await uploads.delete(other);
  return key;
}

function keyOf(owner: string, document: Metadata): string | undefined {
  const { id, uploadedAt } = document;
  return uploadedAt && countKey({ owner, uploadedAt: Date.parse(uploadedAt), id, ...bytesOf(document) });
}

async function keysBefore(
  uploads: Pick<ObjectStore, "list">,
  owner: string,
  { id, uploadedAt = "" }: Metadata,
  before: Parameters<typeof countImage>[3],
): Promise<readonly string[]> {
  if (before === undefined) return [];
  if (typeof before === "object") return "id" in before ? [keyOf(owner, before) ?? ""] : before;
  return (await uploads.list(countsOf(owner, Date.parse(uploadedAt), id))).objects.map(({ key }) => key);
}

/** @param except an image that is not to be counted */
export async function usageOf(
  uploads: Pick<ObjectStore, "list">,
  owner: string,
  now: Date,
  except?: string,
): Promise<Usage> {
  let usage = NO_USAGE;
  let last = except;
  for await (const { key } of listed(uploads, countPrefix(owner))) {
    const count = parseCountKey(key);
    // Two of one image are of a commit that nobody has finished.
    if (!count || count.id === last || count.id === except) continue;
    last = count.id;
    usage = plus(usage, count, now);
  }
  return usage;
}

export function plus(usage: Usage, { uploadedAt, originals, variants }: Count, now: Date): Usage {
  const month = Date.UTC(now.getUTCFullYear(), now.getUTCMonth());
  return {
    images: usage.images + (originals + variants > 0 ? 1 : 0),
    originals: usage.originals + originals,
    variants: usage.variants + variants,
    uploadsThisMonth: usage.uploadsThisMonth + (uploadedAt >= month ? 1 : 0),
  };
}
