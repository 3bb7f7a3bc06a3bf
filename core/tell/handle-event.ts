/**
 * One message of the events queue. An event is kept and handed on, in a message of its own to each receiver, so that
 * each is retried by itself and none waits for another.
 */
import * as v from "valibot";
import { DarkroomError, hasOutcome } from "../errors.ts";
import { eventKey, newId } from "../keys.ts";
import type { ObjectStore, Queue } from "../ports.ts";
import { type DeliverDeps, type Delivered, deliver, handOn, park, type Receivers } from "./deliver.ts";
import { noteForget } from "./forget.ts";
import { type AnyEvent, EventSchema, type KeptEvent } from "./tell.ts";

const MessageSchema = v.variant("darkroom", [
  /** `replay`: to be handed on though it is kept already. */
  v.object({
    darkroom: v.literal("event"),
    event: EventSchema,
    rev: v.optional(v.number()),
    replay: v.optional(v.boolean()),
  }),
  v.object({
    darkroom: v.literal("deliver"),
    url: v.string(),
    event: EventSchema,
    rev: v.optional(v.number()),
    parked: v.optional(v.number()),
  }),
  /** Of the release before: today whoever deletes leaves a note. */
  v.object({ darkroom: v.literal("forget"), id: v.string(), rev: v.number() }),
]);
type EventMessage = v.InferOutput<typeof MessageSchema>;

export interface EventDeps extends DeliverDeps {
  readonly uploads: DeliverDeps["uploads"] & Pick<ObjectStore, "head">;
  /** The events queue itself. */
  readonly events: Pick<Queue, "send">;
  readonly random: (bytes: number) => Uint8Array;
  readonly receivers: Receivers;
}

/** What became of a message, for the log. */
export interface EventOutcome {
  readonly status: Delivered | "told" | "duplicate" | "noted" | "ignored";
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
  if (message.darkroom === "event") return spread(deps, message, receives);
  if (message.darkroom === "forget") {
    await noteForget(deps, message.id);
    return { status: "noted", id: message.id };
  }
  const { url, event } = message;
  const about = { id: event.data.id, type: event.type, host: URL.canParse(url) ? new URL(url).host : "" };
  return { ...about, ...(await deliver(deps, deps.receivers, message, receives)) };
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
  { event, rev, replay = false }: EventMessage & { darkroom: "event" },
  receives: number,
): Promise<EventOutcome> {
  const told = { id: event.data.id, type: event.type };
  if (!replay && !(await keep(deps, event)) && receives === 1) return { status: "duplicate", ...told };
  await Promise.all(
    deps.urls.map(async (url) => {
      const delivery = { url, event, rev };
      if (await deps.receivers.isDead(url)) await park(deps, delivery, 0);
      else await handOn(deps.events, delivery);
    }),
  );
  return { status: "told", ...told };
}

/**
 * False when it is kept already: somebody told it before. Whoever kept it hands it on, or comes back as a message
 * received before, so that a repetition may stop here.
 */
async function keep({ uploads, random }: EventDeps, { type, timestamp, data }: AnyEvent): Promise<boolean> {
  const kept: KeptEvent = { id: data.id, rev: data.rev, type, timestamp };
  const by = newId(random);
  const key = eventKey({ ...kept, at: new Date(timestamp) });
  try {
    await uploads.put(key, JSON.stringify(kept), {
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
