/** Histories for tests, one after the other, in a thread of their own (`test/apart.ts`). */
import type { climates } from "./climates.ts";
import { crowd } from "./crowd.ts";
import { World } from "./world.ts";

/** What these came to. @throws Error that names the seed */
export async function histories(climate: keyof typeof climates, seeds: readonly number[]) {
  const [ends, swept] = [new Map<string, number>(), new Map<string, number>()];
  const count = (counts: Map<string, number>, name: string, n = 1) =>
    counts.set(name, (counts.get(name) ?? 0) + n);
  let [steps, faults] = [0, 0];
  for (const seed of seeds) {
    const report = await new World(seed, { climate }).run().catch((error: unknown) => {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : error}`, { cause: error });
    });
    steps += report.steps;
    for (const n of report.faults.values()) faults += n;
    for (const status of report.statuses) count(ends, status);
    for (const [deed, n] of Object.entries(report.swept)) count(swept, deed, n);
  }
  return { steps, faults, ends, swept };
}

export async function crowds(seeds: number): Promise<void> {
  for (let seed = 0; seed < seeds; seed++) await crowd(seed);
}
