/** Pictures that nobody may see before somebody has looked at them, and whoever looks, or does not. */
import { DarkroomError } from "../../core/errors.ts";
import { rejectImage, releaseImage } from "../../core/image/judgement.ts";
import { newId, originalKey } from "../../core/keys.ts";
import { writeUploadMetadata } from "../../core/upload-metadata.ts";
import { toyPicture } from "../toy-pixels.ts";
import { depsOf } from "./deps.ts";
import { remove } from "./people.ts";
import { type Accepted, OWNER } from "./promises.ts";
import { HOUR, type Scene } from "./scene.ts";
import type { Actor } from "./scheduler.ts";

export async function moderated(scene: Scene, actor: Actor): Promise<void> {
  const { random, ports, promises } = scene;
  const id = newId(random.bytes);
  const uploads = ports.store(actor, scene.uploads);
  const metadata = writeUploadMetadata({ owner: OWNER, preset: "moderated" });
  const picture = toyPicture(random.chance(0.9) ? "good" : "corrupt", `moderated ${random()}`);
  await scene.untilDone(actor, () => uploads.put(originalKey(id), picture, { metadata }));
  promises.accept(id);
  const accepted = promises.accepted.get(id);
  if (!accepted) return;
  accepted.moderated = { released: false };
  if (random.chance(0.8)) await looks(scene, actor, id, accepted);
  if (random.chance(0.5)) return;
  await remove(scene, actor, id);
  // Somebody may take that back, and it waits as it did.
  await looks(scene, actor, id, accepted);
}

async function looks(scene: Scene, actor: Actor, id: string, accepted: Accepted): Promise<void> {
  const { random, scheduler } = scene;
  const releases = random.chance(0.6);
  for (let looks = 5; looks > 0; looks--) {
    if (random.chance(0.5)) for (let i = random.below(100); i > 0; i--) await scheduler.turn(actor);
    else await scheduler.sleep(actor, random.below(HOUR));
    const before = accepted.moderated;
    if (releases) accepted.moderated = { released: true };
    if (await judged(scene, actor, id, releases)) return;
    if (before) accepted.moderated = before;
  }
}

/** False where it does not wait yet, or never will, and nothing was done about it. */
async function judged(scene: Scene, actor: Actor, id: string, releases: boolean): Promise<boolean> {
  let [isJudged, tries] = [false, 0];
  await scene.untilDone(actor, async () => {
    tries++;
    try {
      await (releases ? releaseImage : rejectImage)(depsOf(scene, actor), id);
      isJudged = true;
    } catch (error) {
      const asked = scene.promises.accepted.get(id)?.asked ? ["gone"] : [];
      const vain = ["not-held", "not-found", ...asked];
      if (!(error instanceof DarkroomError && vain.includes(error.code))) throw error;
      // A try whose answer was lost may have shown it before it was deleted.
      if (tries > 1) isJudged = true;
    }
  });
  return isJudged;
}
