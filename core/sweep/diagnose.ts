/** What an image needs from the sweep, by the traces it left and its document. Pure: no store, no clock. */

import { attentionOf, healsIn } from "../attention.ts";
import { isBetrayal } from "../image/retire.ts";
import { metaKey } from "../keys.ts";
import type { Metadata } from "../metadata.ts";
import type { ListedObject } from "../ports.ts";
import type { Traces } from "./walk.ts";

const [MINUTE, HOUR, DAY] = [60_000, 3_600_000, 86_400_000];

/** How long the sweep leaves things to whoever else may be at work on them, in milliseconds. */
export interface Patience {
  /** Of an original without a result. Notifications come within seconds; a queue may be long. */
  readonly upload: number;
  /** Of variants that no document names: tries that died before their commit, or are about to make it. */
  readonly orphan: number;
  /** Of superseded variants, which pages of yesterday still show. */
  readonly superseded: number;
  /** Of originals that were rejected, since then; they stay where absent. */
  readonly rejected?: number | undefined;
}
export const PATIENCE: Patience = { upload: HOUR, orphan: DAY, superseded: 30 * DAY };

/**
 * Of tombstones. A message lives for 14 days at most, dead letters included: whatever comes later finds neither
 * original nor metadata, and makes none.
 */
export const TOMBSTONE_MS = 15 * DAY;
/**
 * Of deletions that another sweep announced under `deleting`: no invocation lives longer than 15 minutes, so that one
 * is over. Before that its requests could still be on their way to what has been made anew.
 */
const TAKE_OVER_MS = 20 * MINUTE;

/** After the first failure. Then somebody has to look. */
const HEAL_AFTER_MS = [HOUR, 6 * HOUR, ...Array.from({ length: 14 }, (_, day) => (day + 1) * DAY)];

export interface Terms {
  readonly patience: Patience;
  /** See `Cursor`. */
  readonly settledBefore: Date | undefined;
  /** When the round before this one began; undefined where nobody knows. */
  readonly lastRound: Date | undefined;
}

export type Remedy =
  /** Queue it for a worker. */
  | { readonly do: "develop" }
  /** The same, of what every try has failed at until now. */
  | { readonly do: "retry" }
  /** Its original is gone, as it seems. */
  | { readonly do: "gone" }
  /** Its original is there again. */
  | { readonly do: "back" }
  /** Nothing is left of it but the tombstone, for long enough: that can go. */
  | { readonly do: "ripe" }
  /** Delete these variants, which the document has given up. */
  | { readonly do: "retire"; readonly keys: readonly string[] }
  /** Delete it, where the time in which it was to be attached is over. */
  | { readonly do: "expire" }
  /** Nobody has judged it yet. */
  | { readonly do: "remind" }
  /** Nobody has judged it in time. */
  | { readonly do: "refuse" }
  /** It was attached, or edited after its end, and never came. */
  | { readonly do: "vain" }
  /** `failures/` says something else than the document. */
  | { readonly do: "index" }
  /** So many objects that nothing names, or that a delete has left: they go when another round has seen them too. */
  | { readonly do: "stray"; readonly objects: number };

/**
 * Whether the document has to be read, which costs a request. Not where an earlier round has settled everything, and
 * nothing has been written since.
 * @param settledBefore see `Cursor`
 */
export function needsDocument(traces: Traces, settledBefore: Date | undefined): boolean {
  const { original, document, home, variants, attention, openUploads, attach, edit } = traces;
  if (!document) return false;
  if (attach?.size || traces.held.length > 0) return true;
  // Of an original that is gone for good the index says so.
  const isExpected = original
    ? attention.length === 0
    : ["original-gone", "original-expired"].includes(attention.join());
  if (!settledBefore || !isExpected || openUploads.length > 0) return true;
  return [original, document, home, edit, ...variants].some(
    (one) => one && one.lastModified >= settledBefore,
  );
}

/** @param document undefined where there is none */
export function diagnose(
  traces: Traces,
  document: Metadata | undefined,
  now: Date,
  { patience, lastRound }: Pick<Terms, "patience" | "lastRound">,
): Remedy[] {
  const { original, variants, openUploads, attention, attach, edit, held } = traces;
  const since = (time: Date | string) => now.getTime() - new Date(time).getTime();

  if (!document) {
    if (original) return since(original.lastModified) > patience.upload ? [{ do: "develop" }] : [];
    const remedies: Remedy[] = attention.length > 0 ? [{ do: "index" }] : [];
    const waiting = [attach, edit].filter((one) => one !== undefined);
    const isVain = openUploads.length === 0 && waiting.some((one) => since(one.lastModified) > TOMBSTONE_MS);
    if (isVain) remedies.push({ do: "vain" });
    // A document that was in the listing and is gone has just been buried.
    const objects = variants.length + held.length;
    if (objects > 0 && !traces.document) remedies.push({ do: "stray", objects });
    return remedies;
  }
  if (document.status === "deleted") {
    const left = [original, ...variants, ...openUploads, ...attention, attach, edit, ...held];
    const objects = left.filter((one) => one !== undefined).length;
    if (objects > 0) return [{ do: "stray", objects }];
    return traces.document && isRipe(document, traces.document, now) ? [{ do: "ripe" }] : [];
  }
  // It held the place while another sweep deleted the rest, and was interrupted.
  if (!document.source && !original) return [{ do: "stray", objects: variants.length + 1 }];
  const named = document.status === "held" ? [] : held;
  const orphans = [...orphansOf(document, variants), ...named].filter(
    (one) => since(one.lastModified) > patience.orphan,
  );
  const remedies: Remedy[] = attach?.size ? [{ do: "expire" }] : [];
  const isUnwanted = original !== undefined && isToLetGo(document, original, now, patience);
  const strays = orphans.length + (isUnwanted ? 1 : 0);
  if (strays > 0) remedies.push({ do: "stray", objects: strays });
  const isGone = document.source?.gone !== undefined;
  // The rest in the next round, by the document as it is then.
  if (isGone === (original !== undefined)) return [...remedies, { do: isGone ? "back" : "gone" }];

  if (isToDevelop(traces, document, since, patience)) remedies.push({ do: "develop" });
  else if (isDueAgain(document, now, lastRound)) remedies.push({ do: "retry" });
  const keys = keysToRetire(document, since, patience);
  if (keys.length > 0) remedies.push({ do: "retire", keys });
  const overdue = overdueOf(document, now);
  if (overdue) remedies.push({ do: overdue });
  const status = attentionOf(document)?.status;
  if (attention.some((one) => one !== status) || (status && !attention.includes(status)))
    remedies.push({ do: "index" });
  return remedies;
}

/** Whether an original was rejected so long ago that nobody will try it again. */
export function isToLetGo(
  { status, source, processedAt }: Metadata,
  { etag, lastModified }: Pick<ListedObject, "etag" | "lastModified">,
  now: Date,
  { rejected = Number.POSITIVE_INFINITY }: Patience,
): boolean {
  if (status !== "rejected" || source?.etag !== etag) return false;
  return now.getTime() - Math.max(Date.parse(processedAt), lastModified.getTime()) > rejected;
}

function overdueOf({ status, held }: Metadata, now: Date): "remind" | "refuse" | undefined {
  if (status !== "held" || !held) return undefined;
  const isOver = (time: string | undefined) => time !== undefined && Date.parse(time) <= now.getTime();
  return isOver(held.until) ? "refuse" : isOver(held.remindAt) ? "remind" : undefined;
}

type Since = (time: Date | string) => number;

function isToDevelop(
  { original, edit }: Traces,
  document: Metadata,
  since: Since,
  { upload }: Patience,
): boolean {
  // What a worker has tried and failed at is not tried again with every round.
  const isUntried = (time: Date | string) =>
    document.lastError === undefined || Date.parse(document.lastError.at) <= new Date(time).getTime();
  const isLate = (time: Date | string) => isUntried(time) && since(time) > upload;
  // Of an edit that asks nothing of the pixels the original may be gone.
  const isUnedited = document.status === "ready" && edit !== undefined && document.edit?.etag !== edit.etag;
  if (isUnedited && isLate(edit.lastModified)) return true;
  if (!original) return false;
  return (
    (document.source?.etag !== original.etag && isLate(original.lastModified)) ||
    (document.pending.length > 0 && isLate(document.processedAt))
  );
}

/**
 * Whether an image that heals is to be tried again: a time of the schedule came since the last round began. So nothing needs to
 * be written down, and a round that is late or lost costs a try at most.
 */
function isDueAgain(document: Metadata, now: Date, lastRound: Date | undefined): boolean {
  if (!healsIn(document)) return false;
  const { failedAt, lastError, processedAt } = document;
  const since = Date.parse(failedAt ?? lastError?.at ?? processedAt);
  const [to, from] = [now.getTime() - since, (lastRound?.getTime() ?? Number.NEGATIVE_INFINITY) - since];
  // The last release did not say since when: daily then, until a try does.
  if (!failedAt && Math.floor(to / DAY) > Math.floor(from / DAY)) return true;
  return HEAL_AFTER_MS.some((after) => from < after && after <= to);
}

/** Whether it is a tombstone, and has stood for long enough by the clocks of both its writer and S3. */
export function isRipe(
  { status, processedAt }: Metadata,
  { lastModified }: { lastModified: Date },
  now: Date,
): boolean {
  const since = Math.max(Date.parse(processedAt), lastModified.getTime());
  return status === "deleted" && now.getTime() - since > TOMBSTONE_MS;
}

function keysToRetire(document: Metadata, since: Since, patience: Patience): string[] {
  const superseded = document.superseded.filter(
    ({ key, at }) => since(at) > patience.superseded || isBetrayal(document, key),
  );
  const interrupted = document.deleting.filter(({ at }) => since(at) > TAKE_OVER_MS);
  return [...superseded, ...interrupted].map(({ key }) => key);
}

/** Those of an image's objects that its document does not name. */
export function orphansOf<T extends { readonly key: string }>(
  { id, variants, superseded, deleting }: Metadata,
  objects: readonly T[],
): T[] {
  const named = new Set([metaKey(id), ...[...variants, ...superseded, ...deleting].map(({ key }) => key)]);
  return objects.filter(({ key }) => !named.has(key));
}
