/** Imports: how they fetch in this world, and somebody who asks for them. */
import type { FetchDeps } from "../../core/job/fetch-url.ts";
import { startImport } from "../../core/job/import.ts";
import { cancelJob } from "../../core/job/job.ts";
import { parseOriginalKey } from "../../core/keys.ts";
import { depsOf } from "./deps.ts";
import { order } from "./people.ts";
import { OWNER } from "./promises.ts";
import type { Scene } from "./scene.ts";
import type { Actor } from "./scheduler.ts";
import { browse, someUrls } from "./web.ts";

export function fetchDepsOf(scene: Scene, actor: Actor): FetchDeps {
  const { random, scheduler, sabotage, promises } = scene;
  const deps = depsOf(scene, actor);
  const uploads = sabotage.fetches?.(deps.uploads) ?? deps.uploads;
  return {
    ...deps,
    uploads: {
      ...uploads,
      async put(key, ...rest) {
        const id = parseOriginalKey(key);
        try {
          return await uploads.put(key, ...rest);
        } finally {
          // Accepted where it is there afterwards, whoever hears of that.
          if (id && (await scene.uploads.head(key))) promises.accept(id);
        }
      },
    },
    async fetch(url) {
      await scheduler.turn(actor);
      const sleep = (ms: number) => scheduler.sleep(actor, ms);
      return browse(url, { random, calm: scheduler.calm, sleep });
    },
  };
}

/** Asks for some URLs, and often for the same ones again. */
export async function importer(scene: Scene, actor: Actor): Promise<void> {
  const { random, scheduler } = scene;
  const images = someUrls(random).map((url) => ({ url }));
  for (let times = 1 + random.below(2); times > 0; times--) {
    for (let i = random.below(100); i > 0; i--) await scheduler.turn(actor);
    const started = await order(scene, actor, (deps) => startImport(deps, { owner: OWNER, images }), []);
    if (!random.chance(0.2)) continue;
    for (const job of started) await scene.untilDone(actor, () => cancelJob(depsOf(scene, actor), job));
  }
}
