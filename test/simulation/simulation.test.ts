import assert from "node:assert/strict";
import test from "node:test";
import { tries } from "../thorough.ts";
import { crowd } from "./crowd.ts";
import { noticed, sabotages } from "./sabotages.ts";
import { World } from "./world.ts";

/** `SEEDS=100000 npx node --test test/simulation/simulation.test.ts` looks further; `SEED=17` repeats one history. */
const SEEDS = Number(process.env["SEEDS"] ?? tries(10, 60));
const ONLY = process.env["SEED"];

for (const climate of ["busy", "swept"] as const) {
  const how = climate === "busy" ? "without a sweep" : "with lost notifications and a sweep";
  test(`${SEEDS} histories with crashes, duplicates, races and lost answers keep every promise, ${how}`, async (t) => {
    const seeds = ONLY === undefined ? Array.from({ length: SEEDS }, (_, seed) => seed) : [Number(ONLY)];
    const [ends, swept] = [new Map<string, number>(), new Map<string, number>()];
    const count = (counts: Map<string, number>, name: string, n = 1) =>
      counts.set(name, (counts.get(name) ?? 0) + n);
    let [steps, faults] = [0, 0];
    for (const seed of seeds) {
      const report = await new World(seed, { climate }).run().catch((error: unknown) => {
        throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : error}`, { cause: error });
      });
      steps += report.steps;
      for (const count of report.faults.values()) faults += count;
      for (const status of report.statuses) count(ends, status);
      for (const [deed, n] of Object.entries(report.swept)) count(swept, deed, n);
    }
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
  for (let seed = 0; seed < ROUGH; seed++) await new World(seed, { climate: "rough" }).run();
});

const CROWDS = tries(3, 100);
test(`${CROWDS} crowds of pages before the API's throttle are all served`, async () => {
  for (let seed = 0; seed < CROWDS; seed++) await crowd(seed);
});

// One in eight here; all of them, and that each is met soon enough, in simulation.slow.
const planted = Object.entries(sabotages).filter((_, at) => at % tries(8, 1) === 0);
for (const [name, sabotage] of planted) {
  test(`the simulation notices ${name}`, async (t) => {
    t.diagnostic(await noticed(sabotage, 200));
  });
}
