/** What mistakes in the code would amount to, and the promise that notices each. */
import assert from "node:assert/strict";
import type { ListedObject, ObjectStore } from "../../core/ports.ts";
import { type CrowdSabotage, crowd } from "./crowd.ts";
import { OWNER } from "./promises.ts";
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

/** Of an S3 whose clock is wrong. */
const ahead = (ms: number) =>
  with_((store) => ({
    head: async (...args) => {
      const found = await store.head(...args);
      return found && { ...found, lastModified: new Date(found.lastModified.getTime() + ms) };
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

/** Kept events with a copy of whose image it is. */
const naming = with_((store) => ({
  put: (key, body, options) => {
    const copy = { ...(key.startsWith("events/") ? JSON.parse(String(body)) : {}), owner: OWNER };
    const text = JSON.stringify({ ...copy, padding: "x".repeat(400) });
    return store.put(key, key.startsWith("events/") ? text : body, options);
  },
}));
/** Writes without this condition. */
const without = (condition: "ifMatch" | "ifNoneMatch") =>
  with_((store) => ({
    put: (key, body, options = {}) => store.put(key, body, { ...options, [condition]: undefined }),
  }));
/** Deletes nothing of this. */
const keeping = (pattern: RegExp) =>
  with_((store) => ({ delete: async (key) => (pattern.test(key) ? undefined : store.delete(key)) }));
/** Takes what it writes for what it is not. */
const garbling = (pattern: RegExp, garble: (text: string) => string) =>
  with_((store) => ({
    put: (key, body, options) =>
      store.put(key, pattern.test(key) ? garble(Buffer.from(body).toString()) : body, options),
  }));
const firstRecord = (body: string): string => {
  const { Records, ...rest } = JSON.parse(body.startsWith("{") ? body : "{}");
  return Array.isArray(Records) ? JSON.stringify({ ...rest, Records: Records.slice(0, 1) }) : body;
};
/** A reader that knows today's documents only. */
const strict = with_((store) => ({
  get: async (key, condition) => {
    const stored = await store.get(key, condition);
    const isOld = stored?.size && key.endsWith("meta.json") && (await textOf(store, key)).includes("of-then");
    if (isOld) throw new TypeError("not a document");
    return stored;
  },
}));
async function textOf(store: ObjectStore, key: string): Promise<string> {
  const stored = await store.get(key);
  let text = "";
  if (stored) for await (const chunk of stored.body) text += Buffer.from(chunk).toString("latin1");
  return text;
}
const YEAR = 365 * 86_400_000;

/** What notices it, the mistake, and the seed from which on it is looked for: some are met once in fifty histories. */
type Sabotages = Record<
  string,
  [RegExp, () => WorldOptions | { readonly crowd: CrowdSabotage }, from?: number]
>;

/** Noticed within some ten histories. */
export const sabotages: Sabotages = {
  "messages that go on with the chain they came from": [/was cut/, () => ({ inherits: () => true })],
  "parts that are signed whatever is there": [
    /passed by its limit/,
    () => ({
      parts: () => ({
        listParts: async () => Array.from({ length: 4 }, (_, n) => ({ number: n + 1, size: 1, etag: "" })),
      }),
    }),
  ],
  "signatures that wait behind those who ask for their image": [
    /are signed, the last after/,
    () => ({ crowd: { together: true } }),
  ],
  "a refusal of the throttle that counts as a failure": [
    /pages gave up/,
    () => ({
      crowd: {
        reads: (answer) =>
          answer.status === 429 ? Response.json({ code: "invalid" }, { status: 400 }) : answer,
      },
    }),
  ],
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
    () => ({ sweptStore: ahead(14 * 86_400_000), climate: "swept" }),
  ],
  "a sweep that deletes on a guess": [/nobody had asked/, () => ({ guesses: true, climate: "rough" })],
  "forgotten variants": [
    /nobody names images/,
    () => ({ sweptStore: blindTo(/\.(webp|jpg)$/), climate: "swept" }),
  ],
  "owners' entries that stay": [
    /nobody names owners/,
    () => ({ sweptStore: idle(/^owners\//), climate: "swept" }),
  ],
  "a tombstone that is not written": [
    /deleted true, yet|no end|objects are left/,
    () => ({
      store: garbling(/meta\.json$/, (text) => text.replace('"status":"deleted"', '"status":"rejected"')),
    }),
  ],
  "a delete that leaves the variants": [
    /objects are left/,
    () => ({ store: keeping(/^images\/.*(webp|jpg)$/) }),
  ],
  "images that no owner's list has": [/listed 0 times/, () => ({ store: idle(/^owners\//) })],
  "images that need attention and nobody is told": [/is due/, () => ({ store: idle(/^failures\//) })],
  "a list of failures that only grows": [/is due/, () => ({ store: keeping(/^failures\//) })],
  "variants cut short": [/is not there/, () => ({ store: garbling(/\.webp$/, (text) => text.slice(1)) })],
  "errors that are swallowed": [/no end|was told|stands still|still waits/, () => ({ swallow: true })],
  "every delivery taken for the first": [/was told/, () => ({ receives: () => 1 })],
  "several records of which one is read": [/no end/, () => ({ reads: firstRecord })],
  "receivers of which one is told": [
    /moody.* was told nothing/,
    () => ({ urls: (urls) => urls.slice(0, 1) }),
  ],
  "dead letters that nobody reads": [
    /no end|stands still|objects are left|still waits|was told/,
    () => ({ deaf: true }),
  ],
  "events that are kept and not handed on": [
    /was told/,
    () => ({ hears: (body) => !body.includes('"darkroom":"deliver"') }),
  ],
  "documents of the last release that cannot be read": [/./, () => ({ store: strict, climate: "rough" })],
  "kept events that copy": [
    /says what it was/,
    () => ({
      store: garbling(/^events\//, (text) => text.replace("{", '{"dataUrl":"data:",')),
      climate: "rough",
    }),
  ],
  "limits that nobody counts up to": [/where 2 are allowed/, () => ({ workStore: blindTo(/^counts\//) }), 21],
  "held pictures that cannot be released": [
    /nothing is there to be released/,
    () => ({ store: idle(/^held\/.*document/) }),
    // Some in which whoever releases it tries for ever, which takes 5 s, are before.
    6,
  ],
  "held pictures that are shown": [
    /nobody has released it/,
    () => ({
      store: garbling(/meta\.json$/, (text) => text.replace('"status":"held"', '"status":"ready"')),
    }),
  ],
  "private pictures that are there for all": [
    /is private, and .* is there for all/,
    () => ({
      store: with_((store) => ({
        put: async (key, body, options) => {
          if (/^private\/.*webp$/.test(key)) await store.put(key.replace(/^private\/[^/]+/, "images"), body);
          return store.put(key, body, options);
        },
      })),
    }),
  ],
  "pictures made private that stay for all": [
    /is private, and .* stays for all/,
    () => ({ store: keeping(/^images\/.*webp$/), climate: "swept" }),
    27,
  ],
  "abandoned forms whose pictures stay": [
    /nobody has attached/,
    () => ({ sweptStore: blindTo(/^attach\//), climate: "swept" }),
  ],
  "attached pictures that go all the same": [
    /was attached, and is deleted/,
    () => ({
      store: with_((store) => ({
        put: async (key, body, options) =>
          key.startsWith("attach/") && body === "" ? { etag: "lost" } : store.put(key, body, options),
      })),
      climate: "swept",
    }),
  ],
  "edits that are answered and not kept": [
    /was edited \d+ times/,
    () => {
      const once = new Set<string>();
      return {
        store: with_((store) => ({
          put: async (key, body, options) => {
            if (key.startsWith("edits/") && once.has(key)) return { etag: "lost" };
            if (key.startsWith("edits/")) once.add(key);
            return store.put(key, body, options);
          },
        })),
      };
    },
  ],
  "a worker that does not look for edits": [
    /shows edit undefined/,
    () => ({
      workStore: with_((store) => ({
        get: async (key, ...rest) => (key.startsWith("edits/") ? undefined : store.get(key, ...rest)),
      })),
    }),
  ],
  "owners' entries taken away from the living": [
    /listed 0 times|nobody names/,
    () => ({
      sweptStore: with_((store) => ({
        get: async (key, condition) => (key.endsWith("meta.json") ? undefined : store.get(key, condition)),
        head: async () => undefined,
      })),
      climate: "swept",
    }),
  ],
  "reasons that get lost": [
    /was not imported: no reason/,
    () => ({
      store: with_((store) => ({
        put: (key, body, { metadata = {}, ...rest } = {}) =>
          store.put(key, body, { ...rest, metadata: key.includes("/results/") ? {} : metadata }),
      })),
    }),
  ],
  "imports put where nobody sees them": [/is done, and no image/, () => ({ fetches: idle(/^originals\//) })],
};

/** Races so narrow, or weather so rare, that it takes hundreds. */
export const rareSabotages: Sabotages = {
  "a killed worker that hides its batch for an hour": [
    /had its end .* minutes later/,
    () => ({ visibilitySeconds: 3600 }),
    52,
  ],
  "deleted pictures that stay on the CDN": [
    /the CDN still serves it/,
    () => ({ cdnAge: YEAR, forget: "never", climate: "rough" }),
    32,
  ],
  "tickets that begin as often as they are shown": [
    /one ticket .* began/,
    () => ({ parts: () => ({ begun: async () => [] }) }),
    34,
  ],
  "writes without conditions": [/is ready|again/, () => ({ store: unconditional })],
  "revisions written over others": [/is ready|again|yet|told/, () => ({ store: without("ifMatch") })],
  "write ids that are all the same": [
    /yet|was told|again|is ready/,
    () => ({ random: (bytes) => new Uint8Array(bytes) }),
    34,
  ],
  "five tries, and nobody tries again": [
    /stays failed/,
    () => ({ maxReceives: 5, loses: (body) => body.includes('"retry":true'), climate: "rough" }),
  ],
  "failures that do not heal": [
    /stays failed/,
    () => ({ loses: (body) => body.includes('"retry":true'), climate: "rough" }),
  ],
  "files that kill workers for ever": [
    /stays failed/,
    () => ({ workStore: idle(/^marks\//), climate: "rough" }),
  ],
  "marks that outlive the try": [
    /is condemned, and was good/,
    () => ({ workStore: keeping(/^marks\//), climate: "rough" }),
    49,
  ],
  "a job whose place to go on is lost": [/stands still/, () => ({ store: idle(/^jobs\/open\//) })],
  "results that are not written": [/counted|stands still/, () => ({ store: resultless })],
  "uploads in parts that outlive their image": [
    /being uploaded/,
    () => ({ openUploads: (open) => ({ ...open, abort: async () => {} }) }),
  ],
  "a sweep that deletes what it has not announced": [
    /is not there/,
    () => ({ sweptStore: hasty, climate: "swept" }),
    97,
  ],
  "a dead receiver that stalls everybody": [
    /healthy.* was told/,
    () => ({
      // Never parked, and hidden for hours, as it once was.
      receives: (receives) => Math.min(receives, 4),
      retryAfter: () => 32_400,
    }),
  ],
  "kept events that name an owner": [/names whose image/, () => ({ store: naming })],
  "results that are written again": [/written twice/, () => ({ store: overwriting })],
  "a worker that believes old listings": [
    /is not there/,
    () => ({ workStore: dreamy(), climate: "swept" }),
    21,
  ],
  "a sweep that believes listings": [
    /listed 0 times|nobody had asked|nobody names|and it stays/,
    () => ({ sweptStore: with_(() => ({ head: async () => undefined })), climate: "swept" }),
  ],
  "images that need attention and are not listed": [
    /is due/,
    () => ({ sweptStore: idle(/^failures\//), climate: "swept" }),
    32,
  ],
};

/** @param name of a sabotage @returns what the promises said */
export async function noticed(name: string, histories: number): Promise<string> {
  const [notices, sabotage, from = 0] = sabotages[name] ?? rareSabotages[name] ?? assert.fail(name);
  for (let seed = from; seed < from + histories; seed++) {
    const options = sabotage();
    const history = "crowd" in options ? crowd(seed, options.crowd) : new World(seed, options).run();
    const message = await history.then(
      () => "",
      (error: Error) => error.message,
    );
    if (notices.test(message)) return `seed ${seed}: ${message}`;
  }
  assert.fail(`${histories} histories went by unnoticed`);
}
