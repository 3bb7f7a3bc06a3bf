/** Forms with a picture: whoever sends them has it attached; of those that are left nothing stays. */
import { DarkroomError } from "../../core/errors.ts";
import { attachImage } from "../../core/image/attach.ts";
import { newId, originalKey } from "../../core/keys.ts";
import { writeUploadMetadata } from "../../core/upload-metadata.ts";
import { toyPicture } from "../toy-pixels.ts";
import { depsOf } from "./deps.ts";
import { OWNER } from "./promises.ts";
import { HOUR, type Scene } from "./scene.ts";
import type { Actor } from "./scheduler.ts";

export async function form(scene: Scene, actor: Actor): Promise<void> {
  const { random, ports, promises, scheduler } = scene;
  const id = newId(random.bytes);
  const attach = { withinMs: HOUR * (1 + random.below(6)), attached: false };
  const metadata = writeUploadMetadata({
    owner: OWNER,
    preset: "photo",
    attachWithin: attach.withinMs / 1000,
  });
  const send = () =>
    scene.untilDone(actor, async () => {
      try {
        await attachImage(depsOf(scene, actor), id);
        attach.attached = true;
      } catch (error) {
        if (!(error instanceof DarkroomError && error.code === "gone")) throw error;
      }
    });
  const isEarly = random.chance(0.2);
  if (isEarly) await send();
  const uploads = ports.store(actor, scene.uploads);
  await scene.untilDone(actor, () =>
    uploads.put(originalKey(id), toyPicture("good", `form ${random()}`), { metadata }),
  );
  promises.accept(id);
  const accepted = promises.accepted.get(id);
  if (accepted) accepted.attach = attach;
  if (isEarly || random.chance(0.4)) return;
  if (random.chance(0.5)) for (let turns = random.below(300); turns > 0; turns--) await scheduler.turn(actor);
  else await scheduler.sleep(actor, random.below(2 * attach.withinMs));
  await send();
}
