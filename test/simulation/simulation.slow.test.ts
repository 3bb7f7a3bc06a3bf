/** More of the same: some mistakes show only once in a thousand histories. */
import test from "node:test";
import { noticed, rareSabotages } from "./sabotages.ts";
import { World } from "./world.ts";

const [FROM, TO] = [100, 500];

for (const climate of ["busy", "swept", "rough"] as const) {
  test(`${climate} histories ${FROM} to ${TO} keep every promise too`, async () => {
    for (let seed = FROM; seed < TO; seed++) {
      await new World(seed, { climate }).run().catch((error: unknown) => {
        throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : error}`, { cause: error });
      });
    }
  });
}

for (const [name, sabotage] of Object.entries(rareSabotages)) {
  test(`the simulation notices ${name}`, async (t) => {
    t.diagnostic(await noticed(sabotage, 700));
  });
}
