/** The index of images that need attention: `failures/{failed|rejected|original-gone|held}/{id}.json`. */
import { readRevision } from "./commit.ts";
import { type ErrorCode, errors } from "./errors.ts";
import { ATTENTION, type Attention, attentionKey } from "./keys.ts";
import type { Metadata } from "./metadata.ts";
import type { ObjectStore } from "./ports.ts";

/** What an index entry holds. */
export interface AttentionEntry {
  readonly id: string;
  readonly status: Attention;
  readonly code: string;
  readonly message: string;
  readonly preset?: string | undefined;
  readonly at: string;
}

/** The entry a document calls for: of its own error, or of a later try that left it `ready`. */
export function attentionOf(document: Metadata | undefined): AttentionEntry | undefined {
  if (!document || document.status === "deleted") return undefined;
  const { id, preset, source } = document;
  if (document.status === "held") {
    const { at } = document.held ?? { at: document.processedAt };
    return {
      id,
      status: "held",
      code: "held",
      message: "It waits until somebody has looked at it.",
      preset,
      at,
    };
  }
  if (source?.gone) {
    const code = "original-gone";
    const status = source.expired ? "original-expired" : code;
    return { id, status, code, message: errors[code].sentence, preset, at: source.gone };
  }
  const problem = document.lastError ?? (document.error && { ...document.error, at: document.processedAt });
  if (!problem) return undefined;
  const { code, message, at } = problem;
  // A code of another release counts as the file's fault, as most are.
  const known = Object.hasOwn(errors, code) ? errors[code as ErrorCode].outcome : "rejected";
  const status = document.status === "failed" || known === "failed" ? "failed" : "rejected";
  return { id, status, code, message, preset, at };
}

/** Whether the sweep tries it again by itself: what failed for reasons of ours, or may have. */
export function healsIn(document: Metadata | undefined): boolean {
  if (document?.status === "held") return document.failedAt !== undefined;
  const status = attentionOf(document)?.status;
  return status === "failed" || (status === "rejected" && document?.failedAt !== undefined);
}

/**
 * Brings the index in line with `document` after its commit. `before` is the document it replaced; "unknown" after
 * a redelivery, when an earlier try may have died between its commit and this.
 *
 * Two keys cannot be written at once: whoever touched the index looks whether the document is still the one it
 * spoke of, and otherwise does it again. So the last to write has seen the last document.
 */
export async function indexAttention(
  stores: { readonly uploads: ObjectStore; readonly media: ObjectStore },
  document: Metadata,
  before: Metadata | undefined | "unknown",
): Promise<void> {
  const { uploads, media } = stores;
  const entry = attentionOf(document);
  const stale = ATTENTION.filter(
    (status) => status !== entry?.status && (before === "unknown" || attentionOf(before)?.status === status),
  );
  if (!entry && stale.length === 0) return;
  if (entry)
    await uploads.put(attentionKey(entry.status, document.id), JSON.stringify(entry), {
      type: "application/json",
    });
  for (const status of stale) await uploads.delete(attentionKey(status, document.id));
  const { document: latest } = await readRevision(media, document.id);
  if (latest && latest.writeId !== document.writeId) await indexAttention(stores, latest, "unknown");
}
