/** More of the same: some mistakes show only once in a thousand histories. */
import test from "node:test";
import { World } from "./world.ts";

const [FROM, TO] = [200, 1500];

test(`histories ${FROM} to ${TO} keep every promise too`, async () => {
  for (let seed = FROM; seed < TO; seed++) {
    await new World(seed).run().catch((error: unknown) => {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : error}`, { cause: error });
    });
  }
});
