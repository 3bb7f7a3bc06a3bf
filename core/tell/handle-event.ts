/**
 * One message of the events queue: an event is kept and handed on, in a message of its own to each receiver and to the
 * CDN, so that each is retried by itself and none waits for another.
 */
import * as v from "valibot";
import { DarkroomError, hasOutcome } from "../errors.ts";
import { eventKey, imagePrefix, newId } from "../keys.ts";
import type { ObjectStore, Queue } from "../ports.ts";
import { type AnyEvent, EventSchema, eventId } from "./tell.ts";

const MessageSchema = v.variant("darkroom", [
  /** `replay`: to be handed on though it is kept already. */
  v.object({ darkroom: v.literal("event"), event: EventSchema, replay: v.optional(v.boolean()) }),
  v.object({ darkroom: v.literal("deliver"), url: v.string(), event: EventSchema }),
  v.object({ darkroom: v.literal("forget"), id: v.string(), rev: v.number() }),
]);
type EventMessage = v.InferOutput<typeof MessageSchema>;

export interface EventDeps {
  readonly uploads: Pick<ObjectStore, "put" | "head">;
  readonly random: (bytes: number) => Uint8Array;
  /** The events queue itself. */
  readonly events: Pick<Queue, "send">;
  /** Of the receivers. */
  readonly urls: readonly string[];
  /**
   * Sends a signed webhook; resolves with the HTTP status of the answer.
   * @throws DarkroomError `unavailable` where there is none
   */
  readonly post: (url: string, id: string, body: string) => Promise<number>;
  /** Asks the CDN to forget what it holds under a path; the same `reference` asks once. Absent: there is no CDN. */
  readonly forget?: ((path: string, reference: string) => Promise<void>) | undefined;
}

/** What became of a message, for the log. */
export interface EventOutcome {
  readonly status: "told" | "duplicate" | "delivered" | "stopped" | "forgotten" | "ignored";
  readonly id?: string;
  readonly type?: string;
  /** Host of a receiver; the rest of its URL may be a secret. */
  readonly host?: string;
  readonly reason?: string;
}

/**
 * @param receives how often the queue has delivered this message, this time included
 * @throws where a try later may succeed
 */
export async function handleEvent(deps: EventDeps, body: string, receives: number): Promise<EventOutcome> {
  const message = parseEventMessage(body);
  if (!message && isOurs(body)) throw new DarkroomError("unavailable", "Of a later release than this one.");
  if (!message) return { status: "ignored", reason: "not a message of ours" };
  if (message.darkroom === "deliver") return deliver(deps, message.url, message.event);
  if (message.darkroom === "event") return spread(deps, message.event, message.replay === true, receives);
  await deps.forget?.(`/${imagePrefix(message.id)}*`, `${message.id}-${message.rev}`);
  return { status: "forgotten", id: message.id };
}

/** Undefined for what is none of ours. */
export function parseEventMessage(body: string): EventMessage | undefined {
  try {
    const { success, output } = v.safeParse(MessageSchema, JSON.parse(body));
    return success ? output : undefined;
  } catch {
    return undefined;
  }
}

/** Whether it has our mark: what another release has sent is left to that, and never dropped. */
function isOurs(body: string): boolean {
  return v.is(v.pipe(v.string(), v.parseJson(), v.object({ darkroom: v.string() })), body);
}

async function spread(
  deps: EventDeps,
  event: AnyEvent,
  replay: boolean,
  receives: number,
): Promise<EventOutcome> {
  const { events, urls, forget } = deps;
  const { type, data } = event;
  const told = { id: data.id, type };
  if (!(await keep(deps, event)) && receives === 1 && !replay) return { status: "duplicate", ...told };
  const messages: EventMessage[] = urls.map((url) => ({ darkroom: "deliver", url, event }));
  if (type === "image.deleted" && forget) messages.push({ darkroom: "forget", id: data.id, rev: data.rev });
  await Promise.all(messages.map((message) => events.send(JSON.stringify(message))));
  return { status: "told", ...told };
}

/**
 * False when it is kept already: somebody told it before. Whoever kept it hands it on, or comes back as a message
 * received before, so that a repetition may stop here.
 */
async function keep({ uploads, random }: EventDeps, event: AnyEvent): Promise<boolean> {
  const { id, rev } = event.data;
  const by = newId(random);
  const key = eventKey({ at: new Date(event.timestamp), id, rev, kind: event.type.replace("image.", "") });
  try {
    await uploads.put(key, JSON.stringify(event), {
      type: "application/json",
      metadata: { by },
      ifNoneMatch: "*",
    });
    return true;
  } catch (error) {
    if (!hasOutcome(error, "conflict")) throw error;
    // The client repeats a write whose answer was lost, and meets itself: then nobody else hands it on.
    return (await uploads.head(key))?.metadata["by"] === by;
  }
}

async function deliver({ urls, post }: EventDeps, url: string, event: AnyEvent): Promise<EventOutcome> {
  const outcome = { id: event.data.id, type: event.type, host: URL.canParse(url) ? new URL(url).host : "" };
  // Taken from the settings since it was handed on.
  if (!urls.includes(url)) return { ...outcome, status: "stopped", reason: "no longer configured" };
  const status = await post(url, eventId(event), JSON.stringify(event));
  if (status >= 200 && status < 300) return { ...outcome, status: "delivered" };
  // Standard Webhooks: the receiver wants no more of it.
  if (status === 410) return { ...outcome, status: "stopped", reason: "410" };
  throw new DarkroomError("unavailable", `${outcome.host} answered ${status}.`);
}

/**
 * Seconds before each further try. Together 122,755 s, 34 hours; a day remains when one of them is lost to an
 * invocation that was throttled or died. The queue gives up after one receive more than there are rows. None, with
 * its fifth of chance and the try itself, may pass the 12 hours that SQS hides a message at most.
 */
export const RETRY_SECONDS = [
  5, 30, 120, 300, 900, 1800, 3600, 7200, 14_400, 28_800, 32_400, 33_200,
] as const;

/** @param jitter 0 to 1: spreads the tries of those that failed together over a fifth of the time more */
export function retryAfter(receives: number, jitter: number): number {
  const seconds = RETRY_SECONDS[Math.min(receives, RETRY_SECONDS.length) - 1] ?? RETRY_SECONDS[0];
  return Math.round(seconds * (1 + jitter / 5));
}
