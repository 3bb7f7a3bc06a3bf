/** Pictures that only their owner may see: some always, some by what their preset says at the time. */
import { newId, originalKey } from "../../core/keys.ts";
import { presetOf } from "../../core/preset.ts";
import { writeUploadMetadata } from "../../core/upload-metadata.ts";
import { toyPicture } from "../toy-pixels.ts";
import { remove } from "./people.ts";
import { OWNER } from "./promises.ts";
import type { Scene } from "./scene.ts";
import type { Actor } from "./scheduler.ts";

export async function discreet(scene: Scene, actor: Actor): Promise<void> {
  const { random, ports, promises, scheduler, images } = scene;
  const id = newId(random.bytes);
  const preset = random.chance(0.4) ? "secret" : "wandering";
  const access = presetOf(scene.config, preset)?.access === "private" ? ({ access: "private" } as const) : {};
  const metadata = writeUploadMetadata({ owner: OWNER, preset, ...access });
  const uploads = ports.store(actor, scene.uploads);
  const picture = toyPicture(random.chance(0.9) ? "good" : "corrupt", `private ${random()}`);
  await scene.untilDone(actor, () => uploads.put(originalKey(id), picture, { metadata }));
  promises.accept(id);
  const accepted = promises.accepted.get(id);
  if (accepted && preset === "secret") accepted.secret = true;
  // To and fro, by jobs that nobody waits for.
  for (let moves = random.below(4); moves > 0; moves--) {
    for (let i = random.below(80); i > 0; i--) await scheduler.turn(actor);
    scene.config = scene.configs[random.below(2)] ?? scene.configs[0];
    images.add(JSON.stringify({ darkroom: "develop", id }));
  }
  for (let i = random.below(150); i > 0; i--) await scheduler.turn(actor);
  if (random.chance(0.3)) await remove(scene, actor, id);
}
