/** What the world is told of an image: an event for every end it comes to, made of its document alone. */
import * as v from "valibot";
import { indexAttention } from "../attention.ts";
import { EVENT_TYPE, isId, originalKey } from "../keys.ts";
import { type Metadata, tombstone } from "../metadata.ts";
import type { ObjectStore, Queue, StoredHead } from "../ports.ts";
import { type Context, contextOf, readUploadMetadata } from "../upload-metadata.ts";
import { countImage } from "../usage.ts";

export const EVENT_TYPES = [
  "image.ready",
  "image.updated",
  "image.held",
  "image.rejected",
  "image.failed",
  "image.deleted",
] as const;

/** In the form of Standard Webhooks: what a receiver is sent. `data` is the public metadata document. */
export interface ImageEvent {
  readonly type: (typeof EVENT_TYPES)[number];
  /** When it came to this, not when it is told. */
  readonly timestamp: string;
  readonly data: Metadata;
  /** Beside the public document: whose it is and what for. Absent where nobody knows any more. */
  readonly context?: Context | undefined;
}

/** An event as it is read: during a deployment it may be one of a later release, and is handed on as it stands. */
export const EventSchema = v.object({
  type: v.pipe(v.string(), v.regex(EVENT_TYPE)),
  timestamp: v.pipe(v.string(), v.isoTimestamp()),
  data: v.looseObject({
    id: v.pipe(
      v.string(),
      v.check((id) => isId(id)),
    ),
    rev: v.number(),
  }),
  context: v.optional(
    v.object({
      owner: v.optional(v.string()),
      ref: v.optional(v.string()),
      clientRef: v.optional(v.string()),
      name: v.optional(v.string()),
    }),
  ),
});
export type AnyEvent = v.InferOutput<typeof EventSchema>;

/**
 * The event of a document: the same document gives the same event, however often and by whomever it is told, so
 * that receivers can tell a repetition by its id.
 */
export function eventOf(document: Metadata): ImageEvent {
  const { lastError, processedAt } = document;
  return { type: typeOf(document), timestamp: lastError?.at ?? processedAt, data: document };
}

/** An event as it is kept: what happened, and nothing of the image that would outlive it. */
export interface KeptEvent {
  readonly id: string;
  readonly rev: number;
  readonly type: string;
  readonly timestamp: string;
}

/**
 * The event of a document that is told later than it happened: what happened then, and the document as it is now. Of
 * an image that was deleted since, only that; its tombstone may be gone by now.
 */
export function eventAsOf(kept: KeptEvent, document: Metadata | undefined): AnyEvent {
  if (document?.status === "deleted") return eventOf(document);
  if (document) return { type: kept.type, timestamp: kept.timestamp, data: document };
  const gone = tombstone(undefined, kept.id, undefined, new Date(kept.timestamp));
  const rev = kept.type === "image.deleted" ? kept.rev : kept.rev + 1;
  return eventOf({ ...gone, rev, writeId: kept.id });
}

/** Names an event: no dot, which separates it from what else is signed. `rev` where it is told later than it happened. */
export const eventId = ({ type, data }: AnyEvent, rev = data.rev) =>
  `${data.id}-${type === "image.deleted" ? data.rev : rev}`;

function typeOf({ status, readyAt, processedAt, lastError }: Metadata): ImageEvent["type"] {
  if (status !== "ready") return `image.${status}`;
  return lastError || (readyAt ?? processedAt) !== processedAt ? "image.updated" : "image.ready";
}

/**
 * Puts the event of a committed document on the events queue.
 * @param metadata of its original, where there is one
 */
export async function tell(
  events: Pick<Queue, "send">,
  document: Metadata,
  metadata?: StoredHead["metadata"],
): Promise<void> {
  const event = withContext(eventOf(document), metadata);
  await events.send(JSON.stringify({ darkroom: "event", event }));
}

export const withContext = <E extends AnyEvent | ImageEvent>(
  event: E,
  metadata?: StoredHead["metadata"],
): E => (metadata ? { ...event, context: contextOf(metadata) } : event);

/**
 * What follows a commit: the index of what needs attention, the owner's count, and the telling. Done again after a redelivery, when an
 * earlier try may have died between its commit and this. `before` as in `indexAttention`; `metadata` of the original,
 * where it has been read.
 */
export async function followUp(
  deps: {
    readonly uploads: ObjectStore;
    readonly media: ObjectStore;
    readonly events: Pick<Queue, "send">;
  },
  document: Metadata,
  before: Metadata | undefined | "unknown",
  metadata?: StoredHead["metadata"],
): Promise<void> {
  await indexAttention(deps, document, before);
  const known = metadata ?? (await deps.uploads.head(originalKey(document.id)))?.metadata;
  const owner = known && readUploadMetadata(known).owner;
  if (owner) await countImage(deps.uploads, owner, document, before);
  await tell(deps.events, document, known);
}
