/** Sends events again: those that are kept, by time, image or kind, and those that no receiver took. */
import * as v from "valibot";
import { readText } from "../commit.ts";
import { DarkroomError } from "../errors.ts";
import { EVENTS, eventsFrom, isId, parseEventKey } from "../keys.ts";
import type { ObjectStore, Queue } from "../ports.ts";
import { parseEventMessage } from "./handle-event.ts";
import { EVENT_TYPES, EventSchema } from "./tell.ts";

export interface ReplayDeps {
  readonly uploads: Pick<ObjectStore, "list" | "get">;
  readonly events: Pick<Queue, "send">;
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
  { uploads, events }: ReplayDeps,
  { since, until, id, types, cursor }: ReplayRequest,
): Promise<{ looked: number; sent: number; cursor?: string }> {
  if (!since && !id) throw new DarkroomError("bad-request", "since or id: one of them is needed.");
  if (cursor !== undefined && !parseEventKey(EVENTS + cursor))
    throw new DarkroomError("bad-request", "cursor: pass on what the last answer gave, unchanged.");
  const after = cursor === undefined ? since && eventsFrom(new Date(since)) : EVENTS + cursor;
  const page = await uploads.list(EVENTS, { after, limit: PAGE });
  const end = until === undefined ? undefined : eventsFrom(new Date(until));
  const keys = page.objects.map(({ key }) => key).filter((key) => end === undefined || key < end);
  const meant = keys.filter((key) => {
    const kept = parseEventKey(key);
    return (
      kept &&
      (id === undefined || kept.id === id) &&
      (types === undefined || types.some((type) => type === `image.${kept.kind}`))
    );
  });
  let sent = 0;
  for (let i = 0; i < meant.length; i += AT_ONCE) {
    const replayed = await Promise.all(
      meant.slice(i, i + AT_ONCE).map(async (key) => {
        const stored = await uploads.get(key);
        // Its thirty days may just be over.
        if (!stored) return 0;
        const event = v.parse(EventSchema, JSON.parse(await readText(stored.body)));
        await events.send(JSON.stringify({ darkroom: "event", event, replay: true }));
        return 1;
      }),
    );
    sent += replayed.reduce<number>((sum, one) => sum + one, 0);
  }
  const more = page.next !== undefined && keys.length === page.objects.length;
  return {
    looked: keys.length,
    sent,
    ...(more && page.next ? { cursor: page.next.slice(EVENTS.length) } : {}),
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
  readonly sentAt: string;
}

/** More than anybody reads at once, and within a request. */
const MOST = 200;
/** Of what is looked at: long enough to be seen once, short enough if we die over it. */
const LOOK_SECONDS = 30;

/** What lies among the dead letters, which stay there. `more` where these are not all. */
export async function failedWebhooks({
  deadLetters,
}: Pick<ReplayDeps, "deadLetters">): Promise<{ webhooks: FailedWebhook[]; more: boolean }> {
  const seen = await takeLetters(deadLetters);
  await Promise.all(seen.map(({ receipt }) => deadLetters.retryIn(receipt, 0)));
  const webhooks = seen.flatMap(({ body, sentAt }): FailedWebhook[] => {
    const message = parseEventMessage(body);
    if (!message) return [];
    const { id, rev } = message.darkroom === "forget" ? message : message.event.data;
    const type = message.darkroom === "forget" ? "image.deleted" : message.event.type;
    const host = message.darkroom === "deliver" && URL.canParse(message.url) ? new URL(message.url).host : "";
    return [
      { what: message.darkroom, id, rev, type, ...(host ? { host } : {}), sentAt: sentAt.toISOString() },
    ];
  });
  return { webhooks, more: seen.length >= MOST };
}

/** Puts dead letters back on the queue, with all their tries before them. */
export async function replayFailed({
  events,
  deadLetters,
}: Pick<ReplayDeps, "events" | "deadLetters">): Promise<{ sent: number; more: boolean }> {
  const letters = await takeLetters(deadLetters);
  for (let i = 0; i < letters.length; i += AT_ONCE) {
    await Promise.all(
      letters.slice(i, i + AT_ONCE).map(async ({ body, receipt }) => {
        await events.send(asReplay(body));
        await deadLetters.delete(receipt);
      }),
    );
  }
  return { sent: letters.length, more: letters.length >= MOST };
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
