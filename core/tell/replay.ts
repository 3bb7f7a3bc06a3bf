/** Sends events again: those that are kept, by time, image or kind, and those that no receiver took. */
import * as v from "valibot";
import { readRevision } from "../commit.ts";
import { DarkroomError } from "../errors.ts";
import {
  beyond,
  deliveryPrefix,
  EVENTS,
  eventsFrom,
  isId,
  originalKey,
  parseDeliveryKey,
  parseEventKey,
  receiverOf,
} from "../keys.ts";
import { inLanes } from "../lanes.ts";
import type { Queue } from "../ports.ts";
import { type BringDeps, bringBack, Receivers } from "./deliver.ts";
import { parseEventMessage } from "./handle-event.ts";
import { EVENT_TYPES, eventAsOf, withContext } from "./tell.ts";

export interface ReplayDeps extends BringDeps {
  readonly deadLetters: Pick<Queue, "receive" | "retryIn" | "delete">;
}

const time = v.pipe(v.string(), v.isoTimestamp());
export const ReplayRequest = v.strictObject({
  /** This time included. */
  since: v.optional(time),
  /** This time excluded. */
  until: v.optional(time),
  id: v.optional(
    v.pipe(
      v.string(),
      v.check((text) => isId(text), "must be an image id"),
    ),
  ),
  types: v.optional(v.array(v.picklist(EVENT_TYPES))),
  /** What the answer before gave, the rest unchanged. */
  cursor: v.optional(v.string()),
});
export type ReplayRequest = v.InferOutput<typeof ReplayRequest>;

/** Keys that one request looks at, and events on their way at once: some seconds, of 29. */
const PAGE = 1000;
const AT_ONCE = 25;

/**
 * Puts the kept events that are meant on the queue once more, oldest first, as far as one request gets: with a
 * `cursor` there may be more. Receivers know them by their ids.
 * @throws DarkroomError `bad-request` where neither a time nor an image is named: that would be everything
 */
export async function replayEvents(
  { uploads, media, events }: Pick<ReplayDeps, "uploads" | "media" | "events">,
  { since, until, id, types, cursor }: ReplayRequest,
): Promise<{ looked: number; sent: number; cursor?: string }> {
  if (!since && !id) throw new DarkroomError("bad-request", "since or id: one of them is needed.");
  if (cursor !== undefined && !parseEventKey(EVENTS + cursor))
    throw new DarkroomError("bad-request", "cursor: pass on what the last answer gave, unchanged.");
  const after = cursor === undefined ? since && eventsFrom(new Date(since)) : EVENTS + cursor;
  const page = await uploads.list(EVENTS, { after, limit: PAGE });
  const end = until === undefined ? undefined : eventsFrom(new Date(until));
  const keys = page.objects.map(({ key }) => key).filter((key) => end === undefined || key < end);
  const meant = keys.flatMap((key) => {
    const kept = parseEventKey(key);
    if (!kept || (id !== undefined && kept.id !== id)) return [];
    return types === undefined || types.some((type) => type === kept.type) ? [kept] : [];
  });
  await inLanes(meant, AT_ONCE, async ({ at, ...kept }) => {
    const { document } = await readRevision(media, kept.id);
    const original = await uploads.head(originalKey(kept.id));
    const event = withContext(
      eventAsOf({ ...kept, timestamp: at.toISOString() }, document),
      original?.metadata,
    );
    await events.send(JSON.stringify({ darkroom: "event", event, rev: kept.rev, replay: true }));
  });
  const more = page.next !== undefined && keys.length === page.objects.length;
  return {
    looked: keys.length,
    sent: meant.length,
    ...(more && page.next ? { cursor: beyond(EVENTS, page.next) } : {}),
  };
}

/** A message of the events queue that every try was used up for. */
export interface FailedWebhook {
  /** `deliver` to a receiver; `event` was not handed on, `forget` not passed to the CDN. */
  readonly what: "deliver" | "event" | "forget";
  readonly id: string;
  readonly rev: number;
  readonly type: string;
  /** The receiver's; the rest of its URL may be a secret. */
  readonly host?: string;
  /** When it was first put on the queue. */
  readonly sentAt?: string;
  /** When it is tried next, of what is parked; a receiver that takes nothing is asked by one of its webhooks only. */
  readonly due?: string;
}

/** More than anybody reads at once, and within a request. */
const MOST = 200;
/** Of what is looked at: long enough to be seen once, short enough if we die over it. */
const LOOK_SECONDS = 30;

/** What is parked, and what lies among the dead letters; all of it stays there. `more` where these are not all. */
export async function failedWebhooks({
  deadLetters,
  uploads,
  urls,
}: Pick<ReplayDeps, "deadLetters" | "uploads" | "urls">): Promise<{
  webhooks: FailedWebhook[];
  more: boolean;
}> {
  const seen = await takeLetters(deadLetters);
  await Promise.all(seen.map(({ receipt }) => deadLetters.retryIn(receipt, 0)));
  const letters = seen.flatMap(({ body, sentAt }): FailedWebhook[] => {
    const message = parseEventMessage(body);
    if (!message) return [];
    const { id, rev } = message.darkroom === "forget" ? message : message.event.data;
    const type = message.darkroom === "forget" ? "image.deleted" : message.event.type;
    const host = message.darkroom === "deliver" ? hostOf(message.url) : "";
    return [
      { what: message.darkroom, id, rev, type, ...(host ? { host } : {}), sentAt: sentAt.toISOString() },
    ];
  });
  const parked = await Promise.all(
    urls.map(async (url): Promise<FailedWebhook[]> => {
      const { objects } = await uploads.list(deliveryPrefix(receiverOf(url)), { limit: MOST });
      return objects.flatMap(({ key }) => {
        const one = parseDeliveryKey(key);
        if (!one) return [];
        const { id, rev, type, due } = one;
        return [{ what: "deliver", id, rev, type, host: hostOf(url), due: due.toISOString() }];
      });
    }),
  );
  const webhooks = [...letters, ...parked.flat()];
  const more = [seen, ...parked].some(({ length }) => length >= MOST);
  return { webhooks, more };
}

const hostOf = (url: string) => (URL.canParse(url) ? new URL(url).host : "");

/** Puts dead letters back on the queue, with all their tries before them, and what is parked, due or not. */
export async function replayFailed(deps: ReplayDeps, until: Date): Promise<{ sent: number; more: boolean }> {
  const letters = await takeLetters(deps.deadLetters);
  await inLanes(letters, AT_ONCE, async ({ body, receipt }) => {
    await deps.events.send(asReplay(body));
    await deps.deadLetters.delete(receipt);
  });
  const parked = await bringBack(deps, new Receivers(deps), until, { all: true });
  return { sent: letters.length + parked.sent, more: letters.length >= MOST || parked.more };
}

/** An event that was not handed on may be kept all the same, and would pass for a duplicate. */
function asReplay(body: string): string {
  const message = parseEventMessage(body);
  return message?.darkroom === "event" ? JSON.stringify({ ...message, replay: true }) : body;
}

/** Until there are none, by a poll that asks all of SQS's servers. */
async function takeLetters(deadLetters: Pick<Queue, "receive">) {
  const letters: Awaited<ReturnType<Queue["receive"]>> = [];
  while (letters.length < MOST) {
    const some = await deadLetters.receive({ max: 10, waitSeconds: 1, visibilitySeconds: LOOK_SECONDS });
    if (some.length === 0) break;
    letters.push(...some);
  }
  return letters;
}
