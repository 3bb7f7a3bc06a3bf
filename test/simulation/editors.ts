/** Whoever edits pictures: one after the other, several at once, while they are made anew and while they are deleted. */
import { DarkroomError } from "../../core/errors.ts";
import { editImage } from "../../core/image/edit.ts";
import { depsOf } from "./deps.ts";
import { OWNER } from "./promises.ts";
import { DAY, HOUR, MINUTE, type Scene } from "./scene.ts";
import type { Actor } from "./scheduler.ts";

const CALLER = { owner: OWNER, scopes: new Set(["upload"] as const) };
const TURNS = [0, 90, 180, 270] as const;

export async function editor(scene: Scene, actor: Actor): Promise<void> {
  const { random, scheduler, ports, promises, images, climate } = scene;
  const deps = { ...depsOf(scene, actor), images: ports.sender(actor, images.queue) };
  for (let edits = 2 + random.below(8); edits > 0; edits--) {
    const pause = random.chance(0.6) ? MINUTE : climate.rough ? DAY : HOUR;
    if (random.chance(0.5)) await scheduler.sleep(actor, random.below(pause));
    else for (let turns = random.below(40); turns > 0; turns--) await scheduler.turn(actor);
    const ids = [...promises.accepted.keys()];
    const id = ids[random.below(ids.length)];
    if (!id) continue;
    const turn = TURNS[random.below(TURNS.length)] ?? 0;
    const changes = random.chance(0.3) ? {} : { turn };
    await scene.untilDone(actor, async () => {
      try {
        const { rev } = await editImage(deps, CALLER, id, { ...changes, alt: `edit ${random()}` });
        promises.edited(id, rev);
      } catch (error) {
        if (!(error instanceof DarkroomError) || error.row.outcome === "retry") throw error;
        // It is gone, on its way, or will never be ready.
      }
    });
  }
}
