/**
 * What the release of November 2026 left: documents, index entries, kept events and messages on their way, written out
 * as it wrote them. They are read, and go on from there.
 */
import { attentionKey, metaKey, newId, originalKey, ownerKey } from "../../core/keys.ts";
import { writeUploadMetadata } from "../../core/upload-metadata.ts";
import { toyPicture } from "../toy-pixels.ts";
import { OWNER } from "./promises.ts";
import type { Scene } from "./scene.ts";

export async function leaveLegacy(scene: Scene): Promise<void> {
  const { random, scheduler, uploads, media, events, images, tally, promises } = scene;
  tally.count("left by the last release");
  const id = newId(random.bytes);
  const at = new Date(scheduler.now);
  const { etag } = await uploads.put(originalKey(id), toyPicture("good", `legacy ${random()}`), {
    metadata: writeUploadMetadata({ owner: OWNER, preset: "photo" }),
  });
  promises.accept(id);
  promises.legacy.add(id);
  await uploads.put(ownerKey(OWNER, at.getTime(), id), "");
  const document = random.chance(0.5)
    ? await readyDocument(scene, id, etag, at.toISOString())
    : failedDocument(id, etag, at.toISOString());
  await media.put(metaKey(id), JSON.stringify({ ...document, writeId: newId(random.bytes) }), {
    type: "application/json",
    cacheControl: "public, max-age=5",
  });
  if (document.status === "failed") {
    const { error, preset } = document;
    const entry = { id, status: "failed", ...error, preset, at: at.toISOString() };
    await uploads.put(attentionKey("failed", id), JSON.stringify(entry), { type: "application/json" });
  }
  const type = `image.${document.status}`;
  const event = { type, timestamp: at.toISOString(), data: { ...document, writeId: newId(random.bytes) } };
  const time = at.toISOString().replace("T", "/").replaceAll(/[:.Z]/g, "");
  await uploads.put(`events/${time}-${id}-1-${document.status}.json`, JSON.stringify(event));
  for (const url of scene.receivers.urls) events.add(JSON.stringify({ darkroom: "deliver", url, event }));
  events.add(JSON.stringify({ darkroom: "event", event }));
  // Its messages inherited the chain that they came from, and Lambda ends it.
  if (random.chance(0.3)) images.add(JSON.stringify({ darkroom: "develop", id }), { chain: { legacy: 1 } });
}

const common = (id: string, etag: string, at: string) => ({
  schema: 1,
  id,
  rev: 1,
  sequencer: "00",
  preset: "photo",
  recipe: "a-recipe-of-then",
  pending: [],
  uploadedAt: at,
  processedAt: at,
  superseded: [],
  deleting: [],
  source: { bytes: 30, etag },
});

async function readyDocument({ media }: Scene, id: string, etag: string, at: string) {
  const key = `images/${id}/thumb.abcdefghjkmnpqrs.webp`;
  await media.put(key, "thumb.webp", { type: "image/webp" });
  const url = `https://cdn.example/${key}`;
  return {
    ...common(id, etag, at),
    status: "ready" as const,
    variants: [
      { name: "thumb", format: "webp", type: "image/webp", width: 16, height: 16, bytes: 10, key, url },
    ],
    placeholder: { thumbhash: "", dataUrl: "data:legacy", color: "#000000" },
    readyAt: at,
    durationMs: 1,
  };
}

const failedDocument = (id: string, etag: string, at: string) => ({
  ...common(id, etag, at),
  status: "failed" as const,
  variants: [],
  error: {
    code: "retries-exhausted",
    message:
      "We could not develop this image after several tries. The original is kept; it can be processed again.",
  },
});
