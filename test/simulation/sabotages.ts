/** What mistakes in the code would amount to, and the promise that notices each. */
import assert from "node:assert/strict";
import type { ListedObject, ObjectStore } from "../../core/ports.ts";
import type { WorldOptions } from "./scene.ts";
import { World } from "./world.ts";

const with_ =
  (changes: (store: ObjectStore) => Partial<ObjectStore>) =>
  (store: ObjectStore): ObjectStore => ({ ...store, ...changes(store) });
const unconditional = with_((store) => ({
  put: (key, body, { ifMatch: _, ifNoneMatch: __, ...rest } = {}) => store.put(key, body, rest),
}));
const forgetful = with_((store) => ({
  put: async (key, body, options) =>
    key.includes("thumb") ? { etag: "lost" } : store.put(key, body, options),
}));
const undying = with_((store) => ({
  delete: async (key) => (key.startsWith("originals/") ? undefined : store.delete(key)),
}));
/** Deletes what it has not announced in the document. */
const hasty = with_((store) => ({
  put: async (key, body, options) =>
    /"deleting":\[\{/.test(String(body)) ? { etag: "unsaid" } : store.put(key, body, options),
}));
/** Sees whatever was there once. */
const dreamy = (): ((store: ObjectStore) => ObjectStore) => {
  const seen = new Map<string, ListedObject>();
  return with_((store) => ({
    list: async (prefix, options) => {
      const page = await store.list(prefix, options);
      for (const object of page.objects) seen.set(object.key, object);
      if (page.next !== undefined) return page;
      return { objects: [...seen.values()].filter(({ key }) => key.startsWith(prefix)), next: undefined };
    },
  }));
};
/** Does nothing about these keys. */
const idle = (pattern: RegExp) =>
  with_((store) => ({
    put: async (key, ...rest) => (pattern.test(key) ? { etag: "idle" } : store.put(key, ...rest)),
    delete: async (key) => (pattern.test(key) ? undefined : store.delete(key)),
  }));
const blindTo = (pattern: RegExp) =>
  with_((store) => ({
    list: async (...args) => {
      const page = await store.list(...args);
      return { ...page, objects: page.objects.filter(({ key }) => !pattern.test(key)) };
    },
  }));

const once = (): NonNullable<WorldOptions["events"]> => {
  const heard = new Set<string>();
  return (events) => ({
    send: async (body) => {
      const { id } = JSON.parse(body).event.data;
      if (!heard.has(id)) await events.send(body);
      heard.add(id);
    },
  });
};

const resultless = with_((store) => ({
  put: async (key, body, options) =>
    key.includes("/results/") ? { etag: "lost" } : store.put(key, body, options),
}));
const overwriting = with_((store) => ({
  put: (key, body, { ifNoneMatch, ...rest } = {}) =>
    store.put(key, body, key.includes("/results/") ? rest : { ...rest, ifNoneMatch }),
}));

type Sabotages = Record<string, [RegExp, () => WorldOptions]>;

/** Noticed within some ten histories. */
export const sabotages: Sabotages = {
  "writes without conditions": [/is ready|again/, () => ({ store: unconditional })],
  "a variant that is not written": [/is not there/, () => ({ store: forgetful })],
  "a delete that leaves the original": [/objects are left/, () => ({ store: undying })],
  "messages acknowledged before they are handled": [/no end/, () => ({ acknowledgeFirst: true })],
  "events that are not sent": [/was told nothing last/, () => ({ events: () => ({ send: async () => {} }) })],
  "an image told of once and no more": [/was told .* last/, () => ({ events: once() })],
  "a job's messages that are lost": [
    /counted|stands still/,
    () => ({ loses: (body) => /"develop".*"job"/.test(body) }),
  ],
  "formats that are never caught up on": [
    /still waits/,
    () => ({ loses: (body) => !body.includes('"job"') }),
  ],
  "a sweep that never comes": [/no end/, () => ({ neverSweep: true, climate: "swept" })],
  "tombstones that go too early": [
    /the tombstone .* went/,
    () => ({ sweepClock: 14 * 86_400_000, climate: "swept" }),
  ],
  "forgotten variants": [
    /nobody names images/,
    () => ({ sweptStore: blindTo(/\.(webp|jpg)$/), climate: "swept" }),
  ],
  "owners' entries that stay": [
    /nobody names owners/,
    () => ({ sweptStore: idle(/^owners\//), climate: "swept" }),
  ],
};

/** Races so narrow that it takes hundreds. */
export const rareSabotages: Sabotages = {
  "a job whose next page is lost": [/stands still/, () => ({ loses: (body) => body.includes('"page":1') })],
  "results that are not written": [/counted|stands still/, () => ({ store: resultless })],
  "uploads in parts that outlive their image": [
    /being uploaded/,
    () => ({ openUploads: (open) => ({ ...open, abort: async () => {} }) }),
  ],
  "results that are written again": [/written twice/, () => ({ store: overwriting })],
  "a sweep that deletes what it has not announced": [
    /is not there/,
    () => ({ sweptStore: hasty, climate: "swept" }),
  ],
  "a worker that believes old listings": [/is not there/, () => ({ workStore: dreamy(), climate: "swept" })],
  "a sweep that believes listings": [
    /deleted false, yet deleted/,
    () => ({ sweptStore: with_(() => ({ head: async () => undefined })), climate: "swept" }),
  ],
  "images that need attention and are not listed": [
    /is due/,
    () => ({ sweptStore: idle(/^failures\//), climate: "swept" }),
  ],
};

/** @returns what the promises said */
export async function noticed([notices, sabotage]: Sabotages[string], histories: number): Promise<string> {
  for (let seed = 0; seed < histories; seed++) {
    const message = await new World(seed, sabotage()).run().then(
      () => "",
      (error: Error) => error.message,
    );
    if (notices.test(message)) return `seed ${seed}: ${message}`;
  }
  assert.fail(`${histories} histories went by unnoticed`);
}
