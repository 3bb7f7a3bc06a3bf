/** Somebody who uploads more than his token allows. */
import { newId, originalKey } from "../../core/keys.ts";
import { writeUploadMetadata } from "../../core/upload-metadata.ts";
import { toyPicture } from "../toy-pixels.ts";
import { ALLOWED, OWNER } from "./promises.ts";
import { MINUTE, type Scene } from "./scene.ts";
import type { Actor } from "./scheduler.ts";

const UPLOADS = 14;

export async function hoarder(scene: Scene, actor: Actor): Promise<void> {
  const { random, ports, promises, scheduler } = scene;
  const uploads = ports.store(actor, scene.uploads);
  const metadata = writeUploadMetadata({ owner: OWNER, preset: "photo", maxImages: ALLOWED });
  for (let left = UPLOADS; left > 0; left--) {
    const id = newId(random.bytes);
    const picture = toyPicture("good", `hoard ${random()}`);
    await scene.untilDone(actor, () => uploads.put(originalKey(id), picture, { metadata }));
    promises.accept(id);
    promises.hoard.add(id);
    await scheduler.sleep(actor, random.below(2 * MINUTE));
  }
}
