/** Deletes versions that no page names any more: first off the list, then the files, a day later the name. */
import { parseStaticManifestKey, STATIC_MANIFESTS, staticPrefix } from "../../core/keys.ts";
import { inLanes } from "../../core/lanes.ts";
import { listed } from "../../core/listing.ts";
import type { ObjectStore } from "../../core/ports.ts";
import { buryVersion, commitLatest, Overtaken, type Revision, readLatest } from "./documents.ts";

const DELETES_AT_ONCE = 16;
/** No run that deletes is late by so much. */
const NAME_KEPT_MS = 86_400_000;

/** Versions whose grace period is over. */
export function expired({ latest }: Revision, now: Date, graceMs: number): string[] {
  return (latest?.previous ?? [])
    .filter(({ supersededAt }) => Date.parse(supersededAt) + graceMs <= now.getTime())
    .map(({ version }) => version);
}

/** Versions that were begun and never published, and names to be given free; one that is being published right now is younger than the grace. */
export async function abandoned(
  store: ObjectStore,
  { latest }: Revision,
  now: Date,
  graceMs: number,
): Promise<string[]> {
  const named = new Set([latest?.version, ...(latest?.previous ?? []).map(({ version }) => version)]);
  const found: string[] = [];
  for await (const { key, lastModified } of listed(store, STATIC_MANIFESTS)) {
    const version = parseStaticManifestKey(key);
    const old = lastModified.getTime() + graceMs <= now.getTime();
    if (version !== undefined && old && !named.has(version)) found.push(version);
  }
  return found;
}

/**
 * Deletes these versions. They leave `latest.json` under a condition before the first file goes, so that nobody makes
 * one of them current again meanwhile; interrupted, the next run goes on, and several may be at it at once.
 * @throws Overtaken when somebody else published before the first file went
 */
export async function retire(
  store: ObjectStore,
  over: Revision,
  versions: readonly string[],
  now = new Date(),
): Promise<Revision> {
  const { latest } = over;
  const going = versions.filter((version) => version !== latest?.version);
  if (!latest || going.length === 0) return over;
  const left = {
    ...latest,
    previous: latest.previous.filter(({ version }) => !going.includes(version)),
    retiring: going,
  };
  const marked = await commitLatest(store, over, left);
  for (const version of going) {
    for (;;) {
      const { objects } = await store.list(staticPrefix(version));
      if (objects.length === 0) break;
      await inLanes(objects, DELETES_AT_ONCE, ({ key }) => store.delete(key));
    }
    await buryVersion(store, version, { now, keepMs: NAME_KEPT_MS });
  }
  try {
    return await commitLatest(store, marked, { ...left, retiring: [] });
  } catch (error) {
    // Whoever was faster has finished this deletion too, or leaves it to the next run.
    if (error instanceof Overtaken) return readLatest(store);
    throw error;
  }
}
