/** An operator who takes deletes back, as long as the buckets keep versions. */
import { DarkroomError } from "../../core/errors.ts";
import { undeleteImage } from "../../core/image/undelete-image.ts";
import { originalKey } from "../../core/keys.ts";
import { depsOf } from "./deps.ts";
import { HOUR, MINUTE, type Scene } from "./scene.ts";
import type { Actor } from "./scheduler.ts";

/** No invocation that has met the tombstone lives longer. */
const OVER_MS = 20 * MINUTE;

export async function undoing(scene: Scene, actor: Actor): Promise<void> {
  const { random, scheduler, promises, keepsVersions, laptop, tally } = scene;
  // A laptop that sleeps goes on with a removal days later: nobody can wait for that.
  if (!keepsVersions || laptop) return;
  for (let looks = 2; looks > 0; looks--) {
    await scheduler.sleep(actor, random.below(HOUR));
    const deleted = [...promises.accepted].filter(([, one]) => one.deleted && !one.returning);
    const [id, accepted] = deleted[random.below(deleted.length)] ?? [];
    if (id === undefined || !accepted) continue;
    tally.count("delete taken back");
    // What others ask for from here on is asked for anew.
    Object.assign(accepted, { returning: true, asked: false, deleted: false });
    const back = await undelete(scene, actor, id);
    await scheduler.sleep(actor, OVER_MS);
    if (back && !accepted.asked) await undelete(scene, actor, id);
    accepted.returning = false;
    if (back) accepted.gone = (await scene.uploads.head(originalKey(id))) === undefined;
    else Object.assign(accepted, { asked: true, deleted: true });
  }
}

async function undelete(scene: Scene, actor: Actor, id: string): Promise<boolean> {
  let isBack = false;
  const { kept } = scene;
  await scene.untilDone(actor, async () => {
    try {
      await undeleteImage({ ...depsOf(scene, actor), kept }, id);
      isBack = true;
    } catch (error) {
      if (!(error instanceof DarkroomError && ["not-kept", "not-found"].includes(error.code))) throw error;
    }
  });
  return isBack;
}
