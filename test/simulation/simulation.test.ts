import assert from "node:assert/strict";
import test from "node:test";
import { apart } from "../apart.ts";
import { tries } from "../thorough.ts";
import { crowds, histories } from "./histories.ts";
import { noticed, sabotages } from "./sabotages.ts";

const HISTORIES = new URL("histories.ts", import.meta.url);
const SABOTAGES = new URL("sabotages.ts", import.meta.url);
/** `SEEDS=100000 npx node --test test/simulation/simulation.test.ts` looks further; `SEED=17` repeats one history. */
const SEEDS = Number(process.env["SEEDS"] ?? tries(10, 60));
const ONLY = process.env["SEED"];
const upTo = (count: number) => Array.from({ length: count }, (_, seed) => seed);

for (const climate of ["busy", "swept"] as const) {
  const how = climate === "busy" ? "without a sweep" : "with lost notifications and a sweep";
  test(`${SEEDS} histories with crashes, duplicates, races and lost answers keep every promise, ${how}`, async (t) => {
    const seeds = ONLY === undefined ? upTo(SEEDS) : [Number(ONLY)];
    const { steps, faults, ends, swept } = await apart(HISTORIES, histories, climate, seeds);
    const list = (counts: Map<string, number>) => [...counts].map(([name, n]) => `${n} ${name}`).join(", ");
    t.diagnostic(`${steps} steps, ${faults} faults, ${list(ends)}; the sweep: ${list(swept)}`);
    // A simulation that never gets anywhere interesting proves nothing.
    if (seeds.length < 20) return;
    for (const status of ["ready", "rejected", "deleted"]) assert.ok(ends.get(status), status);
    const deeds = ["develop", "stray", "ripe", "bury", "retire", "unlist"];
    for (const deed of climate === "busy" ? [] : deeds) assert.ok(swept.get(deed), deed);
  });
}

const ROUGH = tries(3, 20);
test(`${ROUGH} histories in rough weather keep every promise`, async () => {
  await apart(HISTORIES, histories, "rough", upTo(ROUGH));
});

const CROWDS = tries(3, 100);
test(`${CROWDS} crowds of pages before the API's throttle are all served`, () =>
  apart(HISTORIES, crowds, CROWDS));

// One in eight here; all of them, and that each is met soon enough, in simulation.slow.
const planted = Object.keys(sabotages).filter((_, at) => at % tries(8, 1) === 0);
for (const name of planted) {
  test(`the simulation notices ${name}`, async (t) => {
    t.diagnostic(await apart(SABOTAGES, noticed, name, 200));
  });
}
