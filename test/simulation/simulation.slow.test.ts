/** More of the same. Some mistakes show only once in a thousand histories: `npm run chaos` goes on from there. */
import assert from "node:assert/strict";
import test from "node:test";
import { noticed, rareSabotages } from "./sabotages.ts";
import { World } from "./world.ts";

const [FROM, TO] = [60, 160];

/** What histories of a climate come to and what its sweeps do: a simulation that never gets there proves nothing. */
const reached = {
  busy: ["ready", "rejected", "deleted", "held"],
  swept: [
    "ready",
    "rejected",
    "deleted",
    "develop",
    "expire",
    "stray",
    "ripe",
    "bury",
    "retire",
    "unlist",
    "error",
  ],
  rough: [
    "ready",
    "rejected",
    "deleted",
    "held",
    "develop",
    "stray",
    "ripe",
    "bury",
    "gone",
    "clear",
    "retry",
  ],
} as const;

const everywhere = new Set<string>();
for (const climate of ["busy", "swept", "rough"] as const) {
  test(`${climate} histories ${FROM} to ${TO} keep every promise too`, async () => {
    const seen = new Set<string>();
    for (let seed = FROM; seed < TO; seed++) {
      const report = await new World(seed, { climate }).run().catch((error: unknown) => {
        throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : error}`, { cause: error });
      });
      for (const name of [...report.statuses, ...Object.keys(report.swept)]) seen.add(name);
    }
    for (const name of seen) everywhere.add(name);
    assert.deepEqual(
      reached[climate].filter((name) => !seen.has(name)),
      [],
    );
  });
}

test("somewhere an image failed for good, which one history in fifty brings about", () =>
  assert.ok(everywhere.has("failed")));

for (const [name, sabotage] of Object.entries(rareSabotages)) {
  test(`the simulation notices ${name}`, async (t) => {
    t.diagnostic(await noticed(sabotage, 500));
  });
}
