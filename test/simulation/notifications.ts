/** S3 telling the queue of originals: at least once, in any order, now or in a quarter of an hour, and rarely never. */

import type { StoreChange } from "../../adapters/memory/memory-store.ts";
import { parseOriginalKey } from "../../core/keys.ts";
import type { Scene } from "./scene.ts";

export const BUCKET = "uploads";
/** Here, what is rare is not so rare. */
const CHANCE = {
  createdLost: 0.05,
  removedLost: 0.5,
  twice: 0.2,
  late: 0.5,
  together: 0.1,
  testEvent: 0.02,
  malformed: 0.03,
};
const MALFORMED = [
  "",
  "{",
  "null",
  '{"Records":[null,{"s3":{}}]}',
  '{"darkroom":"develop","id":7}',
  "%zz",
  '{"Records":{}}',
];

export class Notifications {
  readonly #scene: () => Scene;
  /** While somebody empties a bucket or restores it by means that tell nobody. */
  muted = false;
  /** As a lifecycle rule says it, instead of as somebody's delete. */
  expiring = false;
  /** Waits for another, to share its message. */
  #held: unknown;

  constructor(scene: () => Scene) {
    this.#scene = scene;
  }

  of({ kind, key, etag, size, sequencer }: StoreChange): void {
    const scene = this.#scene();
    const accepted = scene.promises.accepted.get(parseOriginalKey(key) ?? "");
    // Written again, or restored.
    if (accepted && kind === "created") accepted.gone = false;
    if (accepted && kind === "removed") accepted.removed = true;
    if (!key.startsWith("originals/") || this.muted) return;
    const { random, calm, climate, tally } = scene;
    const lost = kind === "created" ? CHANCE.createdLost : CHANCE.removedLost;
    if (climate.swept && !calm && random.chance(lost)) {
      tally.count("event lost");
      return;
    }
    const removed = this.expiring ? "LifecycleExpiration:Delete" : "ObjectRemoved:Delete";
    const eventName = kind === "created" ? "ObjectCreated:Put" : removed;
    const object = kind === "created" ? { key, size, eTag: etag, sequencer } : { key, sequencer };
    const record = { eventName, s3: { bucket: { name: BUCKET }, object } };
    if (!calm && this.#held === undefined && random.chance(CHANCE.together)) {
      tally.count("several records in a message");
      this.#held = record;
      return;
    }
    this.#send(this.#held === undefined ? [record] : [this.#held, record]);
    this.#held = undefined;
    if (!calm) this.#chatter();
  }

  flush(): void {
    if (this.#held !== undefined) this.#send([this.#held]);
    this.#held = undefined;
  }

  #send(records: unknown[]): void {
    const { random, images, tally } = this.#scene();
    const twice = random.chance(CHANCE.twice);
    if (twice) tally.count("event twice");
    for (let copies = twice ? 2 : 1; copies > 0; copies--) {
      const late = random.chance(CHANCE.late);
      if (late) tally.count("event late");
      images.add(JSON.stringify({ Records: records }), { delaySeconds: late ? random.below(900) : 0 });
    }
  }

  #chatter(): void {
    const { random, images, tally } = this.#scene();
    if (random.chance(CHANCE.testEvent)) {
      tally.count("s3:TestEvent");
      images.add('{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"uploads"}');
    }
    if (random.chance(CHANCE.malformed)) {
      tally.count("malformed body");
      images.add(MALFORMED[random.below(MALFORMED.length)] || "?");
    }
  }
}
