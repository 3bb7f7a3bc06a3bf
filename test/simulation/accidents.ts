/** What operators and rules somebody added do to buckets, behind Darkroom's back. */
import { ORIGINALS, parseOriginalKey } from "../../core/keys.ts";
import { listed } from "../../core/listing.ts";
import type { StoredHead } from "../../core/ports.ts";
import type { Lambda } from "./lambda.ts";
import type { Notifications } from "./notifications.ts";
import type { Bucket } from "./promises.ts";
import { DAY, HOUR, type Scene } from "./scene.ts";
import type { Actor } from "./scheduler.ts";

type Copy = Map<string, { head: StoredHead; bytes: Uint8Array }>;

export class Accidents {
  readonly #scene: Scene;
  readonly #lambda: Lambda;
  readonly #notifications: Notifications;

  constructor(scene: Scene, lambda: Lambda, notifications: Notifications) {
    this.#scene = scene;
    this.#lambda = lambda;
    this.#notifications = notifications;
  }

  async happen(actor: Actor): Promise<void> {
    const deeds = [
      () => this.#misaddress(),
      () => this.#expire(),
      () => this.#emptyOriginals(),
      () => this.#emptyAndRestore(actor, "uploads"),
      () => this.#emptyAndRestore(actor, "media"),
    ];
    await deeds[this.#scene.random.below(deeds.length)]?.();
  }

  #misaddress(): void {
    const { random, tally } = this.#scene;
    tally.count("bucket mis-addressed");
    this.#lambda.misaddressed = random.chance(0.7) ? "uploads" : "media";
    this.#lambda.sweep(true);
  }

  /** A rule on `originals/`, tempting, as they are most of the bill. */
  async #expire(): Promise<void> {
    this.#scene.tally.count("originals expired");
    this.#notifications.expiring = true;
    await this.#loseOriginals();
    this.#notifications.expiring = false;
  }

  /** In the console, which tells of every object; or by a script in another tool, and nobody is told. */
  async #emptyOriginals(): Promise<void> {
    this.#scene.tally.count("bucket emptied");
    this.#notifications.muted = this.#scene.random.chance(0.5);
    await this.#loseOriginals();
    this.#notifications.muted = false;
  }

  async #loseOriginals(): Promise<void> {
    const { uploads, promises } = this.#scene;
    for await (const { key } of listed(uploads, ORIGINALS)) {
      const id = parseOriginalKey(key) ?? "";
      // Also of whoever has not been answered yet.
      promises.accept(id);
      const accepted = promises.accepted.get(id);
      if (accepted) accepted.gone = true;
      await uploads.delete(key);
    }
  }

  /** The whole bucket is away while sweeps go round, and comes back from a copy. */
  async #emptyAndRestore(actor: Actor, bucket: Bucket): Promise<void> {
    const { random, tally, scheduler, promises } = this.#scene;
    tally.count("bucket emptied");
    promises.gaps.add(bucket);
    promises.lost.add(bucket);
    const copy = await this.#take(bucket);
    for (let rounds = 1 + random.below(3); rounds > 0; rounds--) {
      await scheduler.sleep(actor, random.below(random.chance(0.5) ? HOUR : 2 * DAY));
      this.#lambda.sweep(true);
    }
    await scheduler.sleep(actor, random.below(HOUR));
    tally.count("bucket restored late");
    await this.#putBack(bucket, copy);
    promises.gaps.delete(bucket);
  }

  async #take(bucket: Bucket): Promise<Copy> {
    const store = this.#scene[bucket];
    const copy: Copy = new Map();
    this.#notifications.muted = true;
    for await (const { key } of listed(store, "")) {
      const object = await store.get(key);
      if (!object) continue;
      const { body, ...head } = object;
      copy.set(key, { head, bytes: await readBytes(body) });
      await store.delete(key);
    }
    this.#notifications.muted = false;
    return copy;
  }

  /** Over nothing that came to be in the meantime, but for tombstones. S3 tells of what a restore writes, too. */
  async #putBack(bucket: Bucket, copy: Copy): Promise<void> {
    const store = this.#scene[bucket];
    for (const [key, { head, bytes }] of copy) {
      const isTombstone = Buffer.from(bytes).includes('"status":"deleted"');
      if (!isTombstone && (await store.head(key))) continue;
      const { type, cacheControl, metadata } = head;
      await store.put(key, bytes, {
        ...(type === undefined ? {} : { type }),
        ...(cacheControl === undefined ? {} : { cacheControl }),
        metadata,
      });
    }
  }
}

async function readBytes(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}
