import assert from "node:assert/strict";
import test from "node:test";
import type { ObjectStore } from "../../core/ports.ts";
import { type Sabotage, World } from "./world.ts";

/** `SEEDS=100000 npx node --test test/simulation/simulation.test.ts` looks further; `SEED=17` repeats one history. */
const SEEDS = Number(process.env["SEEDS"] ?? 200);
const ONLY = process.env["SEED"];

test(`${SEEDS} histories with crashes, duplicates, races and lost answers keep every promise`, async (t) => {
  const seeds = ONLY === undefined ? Array.from({ length: SEEDS }, (_, seed) => seed) : [Number(ONLY)];
  const ends = new Map<string, number>();
  let [steps, faults] = [0, 0];
  for (const seed of seeds) {
    const report = await new World(seed).run().catch((error: unknown) => {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : error}`, { cause: error });
    });
    steps += report.steps;
    faults += report.faults;
    for (const status of report.statuses) ends.set(status, (ends.get(status) ?? 0) + 1);
  }
  t.diagnostic(
    `${steps} steps, ${faults} faults, ${[...ends].map(([status, n]) => `${n} ${status}`).join(", ")}`,
  );
  // A simulation that never gets anywhere interesting proves nothing.
  if (seeds.length >= 200)
    for (const status of ["ready", "rejected", "failed", "deleted"]) assert.ok(ends.get(status), status);
});

const unconditional = (store: ObjectStore): ObjectStore => ({
  ...store,
  put: (key, body, { ifMatch: _, ifNoneMatch: __, ...rest } = {}) => store.put(key, body, rest),
});
const forgetful = (store: ObjectStore): ObjectStore => ({
  ...store,
  put: async (key, body, options) =>
    key.includes("thumb") ? { etag: "lost" } : store.put(key, body, options),
});
const undying = (store: ObjectStore): ObjectStore => ({
  ...store,
  delete: async (key) => (key.startsWith("originals/") ? undefined : store.delete(key)),
});
const silent = (): NonNullable<Sabotage["events"]> => () => ({ send: async () => {} });
const once = (): NonNullable<Sabotage["events"]> => {
  const heard = new Set<string>();
  return (events) => ({
    send: async (body) => {
      const { id } = JSON.parse(body).event.data;
      if (!heard.has(id)) await events.send(body);
      heard.add(id);
    },
  });
};

const resultless = (store: ObjectStore): ObjectStore => ({
  ...store,
  put: async (key, body, options) =>
    key.includes("/results/") ? { etag: "lost" } : store.put(key, body, options),
});
const overwriting = (store: ObjectStore): ObjectStore => ({
  ...store,
  put: (key, body, { ifNoneMatch, ...rest } = {}) =>
    store.put(key, body, key.includes("/results/") ? rest : { ...rest, ifNoneMatch }),
});

/** What a mistake in the code would amount to, and that the promises notice it. */
const sabotages: Record<string, Sabotage> = {
  "writes without conditions": { store: unconditional },
  "a variant that is not written": { store: forgetful },
  "a delete that leaves the original": { store: undying },
  "events that are not sent": { events: silent() },
  "an image told of once and no more": { events: once() },
  "a job's messages that are lost": { loses: (body) => body.includes("develop") },
  "a job whose next page is lost": { loses: (body) => body.includes('"page":1') },
  "results that are not written": { store: resultless },
  "results that are written again": { store: overwriting },
  "messages acknowledged before they are handled": { acknowledgeFirst: true },
};

for (const [name, sabotage] of Object.entries(sabotages)) {
  test(`the simulation notices ${name}`, async () => {
    for (let seed = 0; seed < 500; seed++) {
      const failed = await new World(seed, sabotage).run().then(
        () => false,
        () => true,
      );
      if (failed) return;
    }
    assert.fail("500 histories went by unnoticed");
  });
}
