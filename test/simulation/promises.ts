/** What must hold, at every instant or in the end. Each throws where it does not. */
import { attentionOf } from "../../core/attention.ts";
import { readText } from "../../core/commit.ts";
import { listImages } from "../../core/image/images.ts";
import {
  ATTENTION,
  attentionKey,
  imagePrefix,
  metaKey,
  originalKey,
  ownerKey,
  SWEEP_KEY,
} from "../../core/keys.ts";
import { type Metadata, parseMetadata } from "../../core/metadata.ts";
import type { ObjectStore, OpenUploads } from "../../core/ports.ts";
import { TOMBSTONE_MS } from "../../core/sweep/diagnose.ts";
import type { ImageEvent } from "../../core/tell/tell.ts";

export const OWNER = "somebody";

interface Accepted {
  /** Whether a delete was answered with success, or its original was removed. */
  deleted: boolean;
  /** When its tombstone was written. */
  tombstoneSince?: number;
}

export class Promises {
  readonly #uploads: ObjectStore;
  readonly #openUploads: OpenUploads;
  readonly #media: ObjectStore;
  readonly #now: () => number;
  readonly accepted = new Map<string, Accepted>();
  /** By image, what was put on the events queue. */
  readonly #told = new Map<string, ImageEvent[]>();

  constructor(uploads: ObjectStore, openUploads: OpenUploads, media: ObjectStore, now: () => number) {
    this.#uploads = uploads;
    this.#openUploads = openUploads;
    this.#media = media;
    this.#now = now;
  }

  async #documentOf(id: string): Promise<Metadata | undefined> {
    const stored = await this.#media.get(metaKey(id));
    return stored && parseMetadata(await readText(stored.body));
  }

  /** At every instant: `ready` names nothing that is not there, and a tombstone stays for its time. */
  async atEveryInstant(): Promise<void> {
    for (const [id, accepted] of this.accepted) {
      const document = await this.#documentOf(id);
      if (document?.status === "deleted")
        accepted.tombstoneSince = (await this.#media.head(metaKey(id)))?.lastModified.getTime() ?? 0;
      else if (accepted.tombstoneSince !== undefined) {
        if (document) throw new Error(`${id} was deleted, and is ${document.status} again`);
        const age = this.#now() - accepted.tombstoneSince;
        if (age < TOMBSTONE_MS) throw new Error(`the tombstone of ${id} went after ${age / 3_600_000} hours`);
        delete accepted.tombstoneSince;
      }
      if (document?.status !== "ready") continue;
      for (const { key, bytes } of document.variants) {
        const stored = await this.#media.head(key);
        if (stored?.size !== bytes) throw new Error(`${id} is ready and ${key} is not there`);
      }
    }
  }

  /** Once everything has come to rest and the sweep has been round: nothing is stuck, and nobody is told wrong. */
  async atRest(): Promise<string[]> {
    const statuses: string[] = [];
    for (const [id, { deleted }] of this.accepted) {
      const document = await this.#documentOf(id);
      const original = await this.#uploads.head(originalKey(id));
      // A tombstone may have gone in its time, with all the rest.
      if (!document && !(deleted && !original)) throw new Error(`${id} was accepted and has no end`);
      const status = document?.status ?? "deleted";
      statuses.push(status);
      if (deleted !== (status === "deleted")) throw new Error(`${id}: deleted ${deleted}, yet ${status}`);
      if (document?.status === "deleted") {
        const { objects } = await this.#media.list(imagePrefix(id));
        const left = objects.filter(({ key }) => key !== metaKey(id)).length + (original ? 1 : 0);
        if (left > 0) throw new Error(`${id} was deleted and ${left} objects are left`);
      } else if (document) {
        if (!original) throw new Error(`${id} lost its original`);
        if (document.status === "ready" && document.source?.etag !== original.etag && !document.lastError)
          throw new Error(`${id} is ready for bytes that are no longer its own`);
        // Said to whoever looks after failures, where every try was used up.
        if (document.pending.length > 0 && !document.lastError)
          throw new Error(`${id} still waits for its ${document.pending.join(", ")}`);
      }
      await this.#isListed(id, document);
    }
    return statuses;
  }

  /** No upload in parts could still become the original of an image that has a tombstone. */
  async noneIsOpen(): Promise<void> {
    const { uploads } = await this.#openUploads.list("");
    for (const [id, { tombstoneSince }] of this.accepted)
      if (tombstoneSince !== undefined && uploads.some(({ key }) => key === originalKey(id)))
        throw new Error(`${id} was deleted and is being uploaded`);
  }

  hear(event: ImageEvent): void {
    const { id } = event.data;
    this.#told.set(id, [...(this.#told.get(id) ?? []), event]);
  }

  /** Whoever hears all events, in whatever order, knows by `rev` how each image ended. */
  async allWasTold(): Promise<void> {
    const whatCounts = ({ status, variants, error, lastError }: Metadata) =>
      JSON.stringify([status, variants, error, lastError]);
    for (const id of this.accepted.keys()) {
      const document = await this.#documentOf(id);
      const told = this.#told.get(id) ?? [];
      const last = told.reduce<ImageEvent | undefined>(
        (best, event) => (event.data.rev >= (best?.data.rev ?? 0) ? event : best),
        undefined,
      );
      if (!last || !document || whatCounts(last.data) !== whatCounts(document))
        throw new Error(`${id} is ${document?.status}, and ${last?.type ?? "nothing"} was told last`);
    }
  }

  async #isListed(id: string, document: Metadata | undefined): Promise<void> {
    const caller = { owner: OWNER, scopes: new Set(["upload"] as const) };
    const stores = { uploads: this.#uploads, media: this.#media };
    const { images } = await listImages(stores, caller, { limit: 100, cursor: undefined });
    const listed = images.filter((image) => image.id === id).length;
    const expected = document && document.status !== "deleted" ? 1 : 0;
    if (listed !== expected) throw new Error(`${id} is ${document?.status} and listed ${listed} times`);
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
    const named = new Set([SWEEP_KEY]);
    for (const id of this.accepted.keys()) {
      const document = await this.#documentOf(id);
      if (!document || (document.status === "deleted" && !withinGrace)) continue;
      named.add(metaKey(id));
      named.add(ownerKey(OWNER, Date.parse(document.uploadedAt ?? ""), id));
      if (document.status === "deleted") continue;
      named.add(originalKey(id));
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
      if (!named.has(key)) throw new Error(`nobody names ${key}`);
  }
}
