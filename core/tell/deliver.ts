/**
 * One webhook to one receiver. Tried from the queue for some minutes, then parked under a key until it is due: nothing
 * hides in the queue for long. A receiver that takes nothing any more is asked by one delivery at a time; what else is
 * for it is parked at once, and costs nobody a slot.
 */
import * as v from "valibot";
import { readRevision, readText } from "../commit.ts";
import { DarkroomError } from "../errors.ts";
import {
  deliveryKey,
  deliveryPrefix,
  originalKey,
  parseDeliveryKey,
  receiverKey,
  receiverOf,
} from "../keys.ts";
import { inLanes } from "../lanes.ts";
import type { ObjectStore, Queue } from "../ports.ts";
import { type AnyEvent, EventSchema, eventAsOf, eventId, withContext } from "./tell.ts";

/** Where parked deliveries and receivers' states are. */
type States = Pick<ObjectStore, "get" | "put" | "delete">;

export interface DeliverDeps {
  readonly uploads: States;
  /** Of the receivers. */
  readonly urls: readonly string[];
  /**
   * Sends a signed webhook; resolves with the HTTP status of the answer.
   * @throws DarkroomError `unavailable` where there is none
   */
  readonly post: (url: string, id: string, body: string) => Promise<number>;
  readonly now: () => Date;
}

/** A message of the events queue: one webhook for one receiver. */
export interface DeliverMessage {
  readonly darkroom: "deliver";
  readonly url: string;
  readonly event: AnyEvent;
  /** Of what happened, where the document has moved on since. */
  readonly rev?: number | undefined;
  /** How often it was parked before; absent where it never was. */
  readonly parked?: number | undefined;
}
export type Delivery = Omit<DeliverMessage, "darkroom">;

/** Seconds before each further try from the queue; after the last the delivery is parked. */
export const RETRY_SECONDS = [5, 30, 120, 300] as const;
/** Seconds that a delivery is parked, by how often it was before; the last repeats until S3 lets it go, after 14 days. */
export const PARK_SECONDS = [900, 1800, 3600, 7200, 14_400, 21_600] as const;
/** Deliveries parked in a row, none taken between, after which a receiver counts as dead: one bad event is not that. */
const DEAD_AFTER = 5;
/** For so long what was read of a receiver's state is believed, in milliseconds. */
const STATE_AGE_MS = 10_000;
/** Messages waiting in the queue above which none is brought back: a live event would come behind them. */
const BUSY = 500;
const PAGE = 200;

const Parked = v.object({ ...v.omit(EventSchema, ["data", "context"]).entries, parked: v.number() });
const LANES = 20;

/** @param jitter 0 to 1: spreads the tries of those that failed together over a fifth of the time more */
export function retryAfter(receives: number, jitter: number): number {
  const seconds = RETRY_SECONDS[Math.min(receives, RETRY_SECONDS.length) - 1] ?? RETRY_SECONDS[0];
  return Math.round(seconds * (1 + jitter / 5));
}

export type Delivered = "delivered" | "parked" | "stopped";

/**
 * @param receives how often the queue has delivered this message, this time included
 * @throws DarkroomError `unavailable` where the queue is to try again
 */
export async function deliver(
  deps: DeliverDeps,
  receivers: Receivers,
  delivery: Delivery,
  receives: number,
): Promise<{ status: Delivered; reason?: string }> {
  const { url, event, rev, parked = 0 } = delivery;
  // Taken from the settings since it was handed on.
  if (!deps.urls.includes(url)) return { status: "stopped", reason: "no longer configured" };
  const answer = await deps.post(url, eventId(event, rev), JSON.stringify(event)).catch((error: unknown) => {
    if (receives <= RETRY_SECONDS.length) throw error;
    return undefined;
  });
  if (answer !== undefined && answer >= 200 && answer < 300) {
    await receivers.took(url);
    return { status: "delivered" };
  }
  // Standard Webhooks: the receiver wants no more of it.
  if (answer === 410) return { status: "stopped", reason: "410" };
  if (receives <= RETRY_SECONDS.length)
    throw new DarkroomError("unavailable", `${new URL(url).host} answered ${answer}.`);
  const seconds = PARK_SECONDS[Math.min(parked, PARK_SECONDS.length - 1)] ?? 0;
  await park(deps, { ...delivery, parked: parked + 1 }, seconds);
  await receivers.refused(url);
  return { status: "parked" };
}

/** Keeps no copy of the document: an image that is deleted meanwhile leaves nothing of itself behind. */
export async function park(
  { uploads, now }: Pick<DeliverDeps, "uploads" | "now">,
  { url, event: { type, timestamp, data }, rev = data.rev, parked = 0 }: Delivery,
  seconds: number,
): Promise<void> {
  const due = new Date(now().getTime() + seconds * 1000);
  const key = deliveryKey({ receiver: receiverOf(url), due, id: data.id, rev, type });
  await uploads.put(key, JSON.stringify({ type, timestamp, parked }), { type: "application/json" });
}

export interface BringDeps extends Omit<DeliverDeps, "post"> {
  readonly uploads: States & Pick<ObjectStore, "list" | "head">;
  readonly media: Pick<ObjectStore, "get">;
  readonly events: Pick<Queue, "send" | "backlog">;
}

/** What was brought back by one round. */
export interface BroughtBack {
  readonly sent: number;
  /** Receivers that take nothing. */
  readonly dead: number;
  /** The queue had enough, or the time was over. */
  readonly more: boolean;
}

/**
 * Puts parked deliveries that are due on the queue again, as the documents are now: all of a receiver that takes them,
 * one of a receiver that does not. Ends when nothing is due, or the queue has enough, or `until`.
 * @param all also what is not due yet, and of dead receivers: an operator says that they are mended
 */
export async function bringBack(
  deps: BringDeps,
  receivers: Receivers,
  until: Date,
  { all = false, random = Math.random }: { all?: boolean; random?: () => number } = {},
): Promise<BroughtBack> {
  let [sent, dead, more] = [0, 0, false];
  for (const url of deps.urls) {
    if (all) await receivers.took(url);
    const isDead = await receivers.isDead(url);
    if (isDead) dead++;
    const brought = isDead ? await probe(deps, url, random) : await bringBackOf(deps, url, until, all);
    sent += brought.sent;
    more ||= brought.more;
  }
  return { sent, dead, more };
}

/** Any of those that are due and not the oldest, which may be the one that no receiver could take. */
async function probe(deps: BringDeps, url: string, random: () => number) {
  const due = await dueOf(deps, url, false);
  const one = due[Math.floor(random() * due.length)];
  if (one !== undefined) await sendBack(deps, url, one);
  return { sent: one === undefined ? 0 : 1, more: false };
}

async function bringBackOf(deps: BringDeps, url: string, until: Date, all: boolean) {
  for (let sent = 0; ; ) {
    const due = await dueOf(deps, url, all);
    if (due.length === 0) return { sent, more: false };
    if (deps.now() >= until || (await deps.events.backlog()) >= BUSY) return { sent, more: true };
    await inLanes(due, LANES, (key) => sendBack(deps, url, key));
    sent += due.length;
  }
}

async function dueOf({ uploads, now }: BringDeps, url: string, all: boolean): Promise<string[]> {
  const { objects } = await uploads.list(deliveryPrefix(receiverOf(url)), { limit: PAGE });
  const at = now();
  return objects.flatMap(({ key }) => {
    const parsed = parseDeliveryKey(key);
    return parsed && (all || parsed.due <= at) ? [key] : [];
  });
}

async function sendBack(deps: BringDeps, url: string, key: string): Promise<void> {
  const kept = parseDeliveryKey(key);
  const stored = await deps.uploads.get(key);
  // Another round was faster.
  if (!kept || !stored) return;
  const { type, timestamp, parked } = v.parse(Parked, JSON.parse(await readText(stored.body)));
  const { document } = await readRevision(deps.media, kept.id);
  const original = await deps.uploads.head(originalKey(kept.id));
  const event = withContext(eventAsOf({ ...kept, type, timestamp }, document), original?.metadata);
  await handOn(deps.events, { url, event, rev: kept.rev, parked });
  await deps.uploads.delete(key);
}

/** Puts a delivery on the queue. */
export async function handOn(events: Pick<Queue, "send">, delivery: Delivery): Promise<void> {
  const message: DeliverMessage = { darkroom: "deliver", ...delivery };
  await events.send(JSON.stringify(message), { group: receiverOf(delivery.url) });
}

/** Which receivers take nothing: counted in a small object of each, which is there only while it does not. */
export class Receivers {
  readonly #uploads: States;
  readonly #now: () => Date;
  readonly #known = new Map<string, { parked: number; at: number }>();

  constructor({ uploads, now }: Pick<DeliverDeps, "uploads" | "now">) {
    this.#uploads = uploads;
    this.#now = now;
  }

  async isDead(url: string): Promise<boolean> {
    return (await this.#parked(url)) >= DEAD_AFTER;
  }

  /** It took a delivery. */
  async took(url: string): Promise<void> {
    if ((await this.#parked(url)) === 0) return;
    await this.#uploads.delete(receiverKey(receiverOf(url)));
    this.#known.set(url, { parked: 0, at: this.#now().getTime() });
  }

  /** A delivery to it was parked. Two at once may count as one: the next ones make up for it. */
  async refused(url: string): Promise<void> {
    const parked = (await this.#parked(url, 0)) + 1;
    const key = receiverKey(receiverOf(url));
    await this.#uploads.put(key, JSON.stringify({ parked }), { type: "application/json" });
    this.#known.set(url, { parked, at: this.#now().getTime() });
  }

  async #parked(url: string, ageMs = STATE_AGE_MS): Promise<number> {
    const at = this.#now().getTime();
    const known = this.#known.get(url);
    // A clock that jumped back makes nothing young.
    if (known && Math.abs(at - known.at) < ageMs) return known.parked;
    const stored = await this.#uploads.get(receiverKey(receiverOf(url)));
    const parked = stored ? Number(JSON.parse(await readText(stored.body)).parked) || 0 : 0;
    this.#known.set(url, { parked, at });
    return parked;
  }
}
