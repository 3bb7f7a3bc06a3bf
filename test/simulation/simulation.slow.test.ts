/** More of the same. Some mistakes show only once in a thousand histories: `npm run chaos` goes on from there. */
import assert from "node:assert/strict";
import test from "node:test";
import { apart } from "../apart.ts";
import { histories } from "./histories.ts";
import { noticed, rareSabotages } from "./sabotages.ts";

const [FROM, TO] = [60, 260];

/** What histories of a climate come to and what its sweeps do: a simulation that never gets there proves nothing. */
const reached = {
  busy: ["ready", "rejected", "deleted", "failed"],
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
    "develop",
    "purge",
    "stray",
    "ripe",
    "bury",
    "gone",
    "clear",
    "retry",
  ],
} as const;

for (const climate of ["busy", "swept", "rough"] as const) {
  test(`${climate} histories ${FROM} to ${TO} keep every promise too`, async () => {
    const seeds = Array.from({ length: TO - FROM }, (_, at) => FROM + at);
    const { ends, swept } = await apart(new URL("histories.ts", import.meta.url), histories, climate, seeds);
    const seen = new Set([...ends.keys(), ...swept.keys()]);
    assert.deepEqual(
      reached[climate].filter((name) => !seen.has(name)),
      [],
    );
  });
}

for (const name of Object.keys(rareSabotages)) {
  test(`the simulation notices ${name}`, async (t) => {
    t.diagnostic(await apart(new URL("sabotages.ts", import.meta.url), noticed, name, 500));
  });
}
