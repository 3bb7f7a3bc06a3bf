/** What must hold, at every instant or in the end. Each throws where it does not. */
import { attentionOf } from "../../core/attention.ts";
import { readRevision, readText } from "../../core/commit.ts";
import { parseEdit } from "../../core/edit.ts";
import { readHeld } from "../../core/image/held.ts";
import { listImages } from "../../core/image/images.ts";
import { JOBS } from "../../core/job-keys.ts";
import {
  ATTENTION,
  attachKey,
  attentionKey,
  countPrefix,
  DELIVERIES,
  EVENTS,
  editKey,
  type Home,
  heldPrefix,
  homeKey,
  homeOf,
  imagePrefix,
  MARKS,
  markKey,
  metaKey,
  originalKey,
  ownerKey,
  parseEventKey,
  STOPPED_KEY,
  SWEEP_KEY,
  TOP_OWNERS_KEY,
} from "../../core/keys.ts";
import type { Metadata } from "../../core/metadata.ts";
import type { ObjectStore, OpenUploads } from "../../core/ports.ts";
import { TOMBSTONE_MS } from "../../core/sweep/diagnose.ts";
import { tracesOf } from "../../core/sweep/erased.ts";
import type { ImageEvent } from "../../core/tell/tell.ts";
import type { Cdn } from "./cdn.ts";
import type { Climate } from "./climates.ts";
import type { OpenParts } from "./open-parts.ts";
import type { Receivers } from "./receivers.ts";

export const OWNER = "somebody";
const [MINUTE, DAY] = [60_000, 86_400_000];
/** From when nothing goes wrong any more to the last image's end: a message hides for 15 minutes at most. */
const SOON_MS = 20 * MINUTE;
/** From a commit until whoever listens has heard of it, beside others that take nothing. */
const TELL_MS = 25 * MINUTE;

/** Images that a token allows its owner who uploads many; the others of the owner count as well. */
export const ALLOWED = 2;
/** Two invocations, three messages each. */
const IN_FLIGHT = 6;

export type Bucket = "uploads" | "media";

/** What the promises are about. */
interface Scene {
  readonly uploads: ObjectStore;
  readonly openUploads: OpenUploads;
  readonly media: ObjectStore;
  readonly scheduler: { readonly now: number };
  readonly climate: Climate;
  readonly receivers: Receivers;
  readonly parts: OpenParts;
  readonly cdn: Cdn;
}

export interface Accepted {
  /** Whether somebody began to delete it. */
  asked: boolean;
  /** An operator is at taking its delete back, and whoever was at removing it may still be. */
  returning?: boolean;
  /** Whether a delete was answered with success. */
  deleted: boolean;
  /** It was signed for by a preset that is always private. */
  secret?: true;
  /** Its original went by other means than a delete of ours, and has not come back. */
  gone: boolean;
  /** Its original was away at some time. */
  removed: boolean;
  readonly at: number;
  /** When it first had a document, whatever that said. */
  endedAt?: number;
  /** Its token asked that it be attached in time, and somebody was told that it is. */
  attach?: { readonly withinMs: number; readonly attached: boolean };
  /** Nobody may see it before somebody begins to release it. */
  moderated?: { readonly released: boolean };
  /** The last edit that somebody was told of. */
  edit?: number;
  /** When its tombstone was written. */
  tombstoneSince?: number;
}

/** What must hold once all has come to rest, a row each, in the climates where it can; beside what each document says. */
const AT_REST: readonly (readonly [(promises: Promises) => unknown, in_?: (climate: Climate) => boolean])[] =
  [
    [(promises) => promises.noneIsOpen()],
    [(promises) => promises.partsAreBounded()],
    [(promises) => promises.erasedMeansErased()],
    // Where weeks are skipped, messages are dropped after their four days.
    [(promises) => promises.allWasTold(), ({ swept, rough }) => !swept || rough],
    [(promises) => promises.eventsCopyNothing(), ({ expects }) => expects.keeping],
    [(promises) => promises.cdnForgets(), ({ expects }) => expects.forgetting],
    // What a worker leaves half-way that dies over a move is the sweep's.
    [(promises) => promises.privateIsPrivate(), ({ swept }) => swept],
  ];

/** What has an end of its own: kept events and what is parked, jobs, and what the CDN was told. */
const ELSEWHERE = [EVENTS, JOBS, MARKS, DELIVERIES, "receivers/", "forget/"];

export class Promises {
  readonly #scene: Scene;
  readonly #uploads: ObjectStore;
  readonly #openUploads: OpenUploads;
  readonly #media: ObjectStore;
  readonly accepted = new Map<string, Accepted>();
  /** An order is being given to delete all that is there: what comes before it is acknowledged may be in it. */
  bulk = false;
  /** Buckets that somebody has emptied, for now. */
  readonly gaps = new Set<Bucket>();
  /** By key, marks that nobody has seen go. */
  readonly #marks = new Map<string, Set<symbol>>();
  /** And how many of them there were at a time: whoever condemns has seen that many, and commits later. */
  readonly #mostMarks = new Map<string, number>();
  /** Revisions that condemn a file, looked at once. */
  readonly #condemned = new Set<string>();
  /** Of somebody who may have a few images and uploads many. */
  readonly hoard = new Set<string>();
  /** Images of the last release. */
  readonly legacy = new Set<string>();
  /** A letter that is sent anew is no redelivery: what its dead try had committed and not told, nobody tells. */
  redriven = false;
  /** Buckets that were once lost: restored, revisions count from the start again, and marks stand that had gone. */
  readonly lost = new Set<Bucket>();

  constructor(scene: Scene) {
    this.#scene = scene;
    this.#uploads = scene.uploads;
    this.#openUploads = scene.openUploads;
    this.#media = scene.media;
  }

  accept(id: string): void {
    if (this.accepted.has(id)) return;
    this.accepted.set(id, {
      asked: this.bulk,
      deleted: false,
      gone: false,
      removed: false,
      at: this.#scene.scheduler.now,
    });
  }

  /** An edit was answered. */
  edited(id: string, rev: number): void {
    const accepted = this.accepted.get(id);
    if (accepted) accepted.edit = Math.max(rev, accepted.edit ?? 0);
  }

  /** A try begins under a mark. */
  marked(key: string): void {
    const open = (this.#marks.get(key) ?? new Set()).add(Symbol(key));
    this.#marks.set(key, open);
    this.#mostMarks.set(key, Math.max(open.size, this.#mostMarks.get(key) ?? 0));
  }

  /** Somebody removes a mark, and calls what this returns once it is gone. */
  unmarking(key: string): () => void {
    const before = [...(this.#marks.get(key) ?? [])];
    return () => {
      for (const mark of before) this.#marks.get(key)?.delete(mark);
    };
  }

  /** Of the variants of whatever is ready. */
  async publishedKeys(): Promise<string[]> {
    const keys: string[] = [];
    for (const id of this.accepted.keys()) {
      const document = await this.#documentOf(id);
      if (document?.status === "ready") keys.push(...document.variants.map(({ key }) => key));
    }
    return keys;
  }

  async #documentOf(id: string): Promise<Metadata | undefined> {
    return (await readRevision(this.#media, id)).document;
  }

  async #homeOf(id: string): Promise<Home> {
    return (await readRevision(this.#media, id)).home;
  }

  /** What is private has nothing in public, at any instant; what has moved, nothing but the note, once all is done. */
  async #isSecret(id: string): Promise<void> {
    const [shown] = (await this.#media.list(imagePrefix(id))).objects;
    if (shown) throw new Error(`${id} is private, and ${shown.key} is there for all`);
  }

  /** Of what is private nothing stays in public, nor at the CDN for more than a day. */
  async privateIsPrivate(): Promise<void> {
    const held = this.#scene.cdn.images();
    for (const id of this.accepted.keys()) {
      if ((await this.#documentOf(id))?.access !== "private") continue;
      const { objects } = await this.#media.list(imagePrefix(id));
      const open = objects.find(({ key }) => key !== metaKey(id))?.key;
      if (open) throw new Error(`${id} is private, and ${open} stays for all`);
      if (held.has(id) && this.#scene.climate.expects.forgetting)
        throw new Error(`${id} is private, and the CDN still serves it`);
    }
  }

  /** At every instant: `ready` names nothing that is not there, a tombstone stays, and none comes unasked. */
  async atEveryInstant(): Promise<void> {
    // Whoever has emptied the bucket has promised nothing; what comes back is looked at again.
    if (this.gaps.has("media")) return;
    await this.#isBounded();
    for (const [id, accepted] of this.accepted) {
      const document = await this.#documentOf(id);
      if (document) accepted.endedAt ??= this.#scene.scheduler.now;
      await this.#keepsTombstone(id, accepted, document);
      if (document?.status === "deleted" && !accepted.asked && !accepted.returning)
        this.#mayExpire(id, accepted);
      if (document) await this.#isEvident(document);
      if (accepted.secret) await this.#isSecret(id);
      if (accepted.moderated?.released === false) await this.#isHidden(id, document);
      if (document?.status !== "ready" || accepted.returning) continue;
      for (const { key, bytes } of document.variants) {
        const stored = await this.#media.head(key);
        if (stored?.size !== bytes) throw new Error(`${id} is ready and ${key} is not there`);
      }
    }
  }

  /** What was developed at the same moment passes together, and no more. */
  async #isBounded(): Promise<void> {
    let shown = 0;
    for (const id of this.hoard) if ((await this.#documentOf(id))?.status === "ready") shown++;
    if (shown > ALLOWED + IN_FLIGHT)
      throw new Error(`${shown} images are shown where ${ALLOWED} are allowed`);
  }

  async #isHidden(id: string, document: Metadata | undefined): Promise<void> {
    const shown = (await this.#media.list(imagePrefix(id))).objects.find(({ key }) => key !== metaKey(id));
    const says =
      document && (document.status === "ready" || document.placeholder || document.variants.length > 0);
    if (shown || says)
      throw new Error(`${id} is ${shown ? "there for all" : document?.status}, and nobody has released it`);
  }

  #mayExpire(id: string, { at, attach }: Accepted): void {
    if (!attach) throw new Error(`${id} was deleted, and nobody had asked`);
    if (attach.attached) throw new Error(`${id} was attached, and is deleted`);
    if (this.#scene.scheduler.now <= at + attach.withinMs)
      throw new Error(`${id} was deleted before its time`);
  }

  async #keepsTombstone(id: string, accepted: Accepted, document: Metadata | undefined): Promise<void> {
    if (document?.undeletedAt !== undefined && accepted.returning !== undefined) {
      delete accepted.tombstoneSince;
      return;
    }
    if (document?.status === "deleted") {
      accepted.tombstoneSince =
        (await this.#media.head(metaKey(id, await this.#homeOf(id))))?.lastModified.getTime() ?? 0;
    } else if (accepted.tombstoneSince !== undefined) {
      if (document) throw new Error(`${id} was deleted, and is ${document.status} again`);
      const age = this.#scene.scheduler.now - accepted.tombstoneSince;
      // Where clocks may be a day off.
      const least = TOMBSTONE_MS - (this.#scene.climate.rough ? DAY : 0);
      if (age < least) throw new Error(`the tombstone of ${id} went after ${age / 3_600_000} hours`);
      delete accepted.tombstoneSince;
    }
  }

  /** Once everything has come to rest and the sweep has been round. @returns how each image ended */
  async atRest(): Promise<string[]> {
    const statuses = await this.#ends();
    for (const [holds, isIn = () => true] of AT_REST) if (isIn(this.#scene.climate)) await holds(this);
    return statuses;
  }

  /** Whoever looks for traces of an owner misses no image of his, and no event or webhook that is kept names him. */
  async erasedMeansErased(): Promise<void> {
    const list = async function* () {};
    const kept = { list, read: async () => "", restore: async () => {} };
    const now = () => new Date(this.#scene.scheduler.now);
    const traces = await tracesOf({ uploads: this.#uploads, media: this.#media, kept, now }, OWNER);
    const named = [...traces.events, ...traces.deliveries];
    if (named.length > 0) throw new Error(`${named} names whose image it is`);
    for (const [id] of this.accepted) {
      const document = await this.#documentOf(id);
      const original = await this.#uploads.head(originalKey(id));
      const isThere =
        (document && document.status !== "deleted") || (original && document?.status !== "deleted");
      const mayBeLost = this.lost.size > 0;
      if (isThere && !mayBeLost && !traces.images.includes(id))
        throw new Error(`${id} is there, and not traced`);
      if (!isThere && !original && traces.images.includes(id)) throw new Error(`${id} is gone, and traced`);
    }
  }

  /** Nothing is stuck. */
  async #ends(): Promise<string[]> {
    const statuses: string[] = [];
    for (const [id, accepted] of this.accepted) {
      const document = await this.#documentOf(id);
      const original = await this.#uploads.head(originalKey(id));
      // Whoever asked and was not answered may have been heard.
      const unattached = accepted.attach?.attached === false;
      const deleted =
        accepted.deleted || ((accepted.asked || unattached) && (!document || document.status === "deleted"));
      if (
        unattached &&
        !accepted.gone &&
        this.#scene.climate.swept &&
        document &&
        document.status !== "deleted"
      )
        throw new Error(`nobody has attached ${id}, and it stays`);
      // A tombstone may have gone in its time, with all the rest; and of an original lost before its end nothing is known.
      if (!document && !(deleted && !original) && !(accepted.gone && !original))
        throw new Error(`${id} was accepted and has no end`);
      const status = document?.status ?? "deleted";
      statuses.push(status);
      if (document && deleted !== (status === "deleted"))
        throw new Error(`${id}: deleted ${deleted}, yet ${status}`);
      if (document?.status === "deleted") {
        const home = await this.#homeOf(id);
        const { objects } = await this.#media.list(imagePrefix(id));
        const { objects: inside } = await this.#media.list(imagePrefix(id, home));
        const rest = [...objects, ...inside].filter(
          ({ key }) => ![metaKey(id), metaKey(id, home)].includes(key),
        );
        const left = rest.length + (original ? 1 : 0);
        if (left > 0) throw new Error(`${id} was deleted and ${left} objects are left`);
      } else if (document) {
        this.#isWhole(accepted, document, original?.etag);
        if (status === "held" && original && !(await readHeld(this.#uploads, document)))
          throw new Error(`${id} waits, and nothing is there to be released`);
        await this.#isEdited(accepted, document);
        await this.#isJust(document);
      }
      // Its entry waits for the sweep where the original went before there was a document.
      if (document || (deleted && !accepted.gone)) await this.#isListed(accepted, id, document);
    }
    return statuses;
  }

  #isWhole(accepted: Accepted, document: Metadata, etag: string | undefined): void {
    const { id, status, source, lastError, error, pending } = document;
    // There was no room for it.
    const gone = accepted.gone || error?.code === "over-quota";
    if (!etag !== gone) throw new Error(`${id}: gone ${gone}, and its original is there: ${!!etag}`);
    // Messages that overtake each other, or the document, leave this to the sweep.
    if (this.#scene.climate.swept && gone !== (source?.gone !== undefined))
      throw new Error(`${id}: gone ${gone}, and it says ${source?.gone}`);
    if (gone) return;
    if (status === "ready" && source?.etag !== etag && !lastError)
      throw new Error(`${id} is ready for bytes that are no longer its own`);
    // Said to whoever looks after failures, where every try was used up.
    if (pending.length > 0 && !lastError) throw new Error(`${id} still waits for its ${pending.join(", ")}`);
    if (!this.#scene.climate.expects.patience || !this.#scene.climate.swept) return;
    const code = lastError?.code ?? error?.code;
    if (code === "retries-exhausted") throw new Error(`${id} is ${status}, and stays failed`);
  }

  /** What is shown in the end is the last edit. */
  async #isEdited({ edit: told = 0 }: Accepted, document: Metadata): Promise<void> {
    const { id, status, edit: shown, alt, variants, lastError } = document;
    const isLost = (bucket: Bucket) => this.lost.has(bucket);
    if (isLost("uploads") || (isLost("media") && !this.#scene.climate.swept)) return;
    const stored = await this.#uploads.get(editKey(id));
    const last = stored && parseEdit(await readText(stored.body));
    if ((last?.rev ?? 0) < told) throw new Error(`${id} was edited ${told} times, and ${last?.rev} is kept`);
    // Whoever looks after failures is told.
    if (!last || status !== "ready" || lastError) return;
    if (shown?.rev !== last.rev || alt !== last.alt)
      throw new Error(`${id} shows edit ${shown?.rev}, and ${last.rev} is the last`);
    const isTall = (last.turn ?? 0) % 180 === 90;
    const rung = variants.find(({ name }) => /^w\d+$/.test(name));
    if (rung && rung.height > rung.width !== isTall)
      throw new Error(`${id} says edit ${last.rev} and is not turned by ${last.turn}`);
  }

  /** What is condemned on the evidence of its marks has two of them that were never seen to go. */
  async #isEvident({ id, writeId, source, failedAt, error, lastError }: Metadata): Promise<void> {
    const { code } = lastError ?? error ?? {};
    if (failedAt === undefined || code !== "decoder-crashed" || this.#condemned.has(writeId)) return;
    this.#condemned.add(writeId);
    const evidence = this.#mostMarks.get(markKey(id)) ?? 0;
    if (evidence < 2 && !this.lost.has("uploads") && (await this.#isGood(id, source?.etag)))
      throw new Error(`${id} is condemned, and was good`);
  }

  /** Nobody rejects a good picture for long, whoever died over it. */
  async #isJust({ id, status, source, failedAt, error }: Metadata): Promise<void> {
    if (error?.code === "not-allowed" && this.accepted.get(id)?.moderated) return;
    if (status !== "rejected" || !(await this.#isGood(id, source?.etag))) return;
    const { swept, expects } = this.#scene.climate;
    if ((swept && expects.patience) || !failedAt) throw new Error(`${id} is rejected, and was good`);
  }

  async #isGood(id: string, etag: string | undefined): Promise<boolean> {
    const original = await this.#uploads.get(originalKey(id));
    return (
      original?.etag === etag && original !== undefined && (await readText(original.body)).includes("good")
    );
  }

  /** Once nothing goes wrong any more, every image has its end soon. */
  soon(since: number): void {
    for (const [id, { at, endedAt, deleted, gone }] of this.accepted) {
      const took = (endedAt ?? since) - Math.max(at, since);
      if (!deleted && !gone && took > SOON_MS)
        throw new Error(`${id} had its end ${took / MINUTE} minutes later`);
    }
  }

  /** No upload in parts could still become the original of an image that has a tombstone. */
  async noneIsOpen(): Promise<void> {
    const { uploads } = await this.#openUploads.list("");
    for (const [id, { tombstoneSince }] of this.accepted)
      if (tombstoneSince !== undefined && uploads.some(({ key }) => key === originalKey(id)))
        throw new Error(`${id} was deleted and is being uploaded`);
  }

  partsAreBounded(): void {
    this.#scene.parts.areBounded();
  }

  /** Whoever hears all events, in whatever order, knows by `rev` how each image ended. */
  async allWasTold(): Promise<void> {
    for (const url of this.#scene.receivers.urls) await this.#wasTold(url);
  }

  /** One that takes nothing delays nobody else. What somebody has only just changed is still on its way. */
  async othersAreTold(): Promise<void> {
    await this.#wasTold(this.#scene.receivers.healthy, this.#scene.scheduler.now - TELL_MS);
  }

  /** @param by documents written later may be untold */
  async #wasTold(url: string, by = Number.POSITIVE_INFINITY): Promise<void> {
    if (this.lost.has("media") || this.redriven) return;
    const whatCounts = ({ status, variants, error, lastError }: Metadata) =>
      JSON.stringify([status, variants, error, lastError]);
    const heard = this.#scene.receivers.heard.get(url) ?? [];
    for (const [id, { gone }] of this.accepted) {
      const { document, home } = await readRevision(this.#media, id);
      const written = document && (await this.#media.head(metaKey(id, home)))?.lastModified.getTime();
      if (written !== undefined && written > by) continue;
      const last = heard
        .filter(({ data }) => data.id === id)
        .reduce<ImageEvent | undefined>(
          (best, event) => (event.data.rev >= (best?.data.rev ?? 0) ? event : best),
          undefined,
        );
      if (!document && (this.#scene.climate.swept || gone)) continue;
      if (!last || !document || whatCounts(last.data) !== whatCounts(document))
        throw new Error(`${id} is ${document?.status}, and ${url} was told ${last?.type ?? "nothing"} last`);
    }
  }

  /** What is kept for a replay names an image, and says nothing of what it was. */
  async eventsCopyNothing(): Promise<void> {
    for (const { key } of (await this.#uploads.list(EVENTS)).objects) {
      const kept = parseEventKey(key);
      // The last release copied; what it kept goes within its thirty days.
      if (!kept || !this.accepted.get(kept.id)?.deleted || this.legacy.has(kept.id)) continue;
      const stored = await this.#uploads.get(key);
      const text = stored ? await readText(stored.body) : "";
      if (/dataUrl|"sha256"|"takenAt"|"variants":\[\{/.test(text))
        throw new Error(`${kept.id} was deleted, and ${key} says what it was`);
    }
  }

  /** The CDN serves nothing of what was deleted, at worst a day later. */
  async cdnForgets(): Promise<void> {
    const held = this.#scene.cdn.images();
    for (const [id, { deleted }] of this.accepted)
      if (deleted && held.has(id)) throw new Error(`${id} was deleted, and the CDN still serves it`);
  }

  /** While neither bucket had anything else of it, its entry was that of nobody, and its count with it. */
  #mayBeUnlisted({ gone }: Accepted): boolean {
    return gone && this.lost.has("media");
  }

  async #isListed(accepted: Accepted, id: string, document: Metadata | undefined): Promise<void> {
    const caller = { owner: OWNER, scopes: new Set(["upload"] as const) };
    const stores = { uploads: this.#uploads, media: this.#media };
    const { images } = await listImages(stores, caller, { limit: 100, cursor: undefined });
    const listed = images.filter((image) => image.id === id).length;
    const expected = document && document.status !== "deleted" ? 1 : 0;
    if (listed !== expected && !(this.#mayBeUnlisted(accepted) && listed === 0))
      throw new Error(`${id} is ${document?.status} and listed ${listed} times`);
    // What the last try at a letter has committed nobody follows up where it is sent anew: the sweep finds it out of line.
    if (this.redriven && !this.#scene.climate.swept) return;
    const due = document && attentionOf(document)?.status;
    for (const status of ATTENTION) {
      const there = (await this.#uploads.head(attentionKey(status, id))) !== undefined;
      if (there !== (due === status)) throw new Error(`${id}: ${due} is due, and ${status} has it: ${there}`);
    }
  }

  /**
   * Every object in both buckets is named by something.
   * @param withinGrace or may be so: superseded, or a tombstone
   */
  async everythingIsNamed(withinGrace: boolean): Promise<void> {
    const named = new Set([SWEEP_KEY, TOP_OWNERS_KEY, STOPPED_KEY]);
    for (const [id, accepted] of this.accepted) {
      const { gone, attach } = accepted;
      const document = await this.#documentOf(id);
      if (attach && !document && withinGrace) named.add(attachKey(id));
      if (!document || (document.status === "deleted" && !withinGrace)) continue;
      named
        .add(metaKey(id))
        .add(homeKey(id))
        .add(metaKey(id, await this.#homeOf(id)));
      if (withinGrace) named.add(metaKey(id, homeOf(OWNER)));
      const listed = ownerKey(OWNER, Date.parse(document.uploadedAt ?? ""), id);
      named.add(listed);
      const counts = (await this.#uploads.list(countPrefix(OWNER))).objects.filter(({ key }) =>
        key.includes(id),
      );
      const isUnlisted = this.#mayBeUnlisted(accepted) && !(await this.#uploads.head(listed));
      if (counts.length > 1 || (counts.length === 0 && document.status !== "deleted" && !isUnlisted))
        throw new Error(`${id} is counted ${counts.length} times`);
      for (const { key } of counts) named.add(key);
      if (document.status === "deleted") continue;
      if (!gone) named.add(originalKey(id));
      named.add(editKey(id));
      if (attach) named.add(attachKey(id));
      if (document.status === "held")
        for (const { key } of (await this.#uploads.list(heldPrefix(id))).objects) named.add(key);
      const entry = attentionOf(document);
      if (entry) named.add(attentionKey(entry.status, id));
      for (const { key } of document.variants) named.add(key);
      if (withinGrace) for (const { key } of document.superseded) named.add(key);
      if (document.deleting.length > 0) throw new Error(`${id} is in the middle of being swept`);
    }
    const { objects } = await this.#uploads.list("");
    const { objects: media } = await this.#media.list("");
    const { uploads: open } = await this.#openUploads.list("");
    for (const { key } of [...objects, ...media, ...open])
      if (!named.has(key) && !ELSEWHERE.some((prefix) => key.startsWith(prefix)))
        throw new Error(`nobody names ${key}`);
  }
}
