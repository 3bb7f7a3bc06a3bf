/** Deletes versions that no page names any more: first off the list, then the files, then the name. */
import {
  parseStaticManifestKey,
  STATIC_MANIFESTS,
  staticManifestKey,
  staticPrefix,
} from "../../core/keys.ts";
import type { ObjectStore } from "../../core/ports.ts";
import { inLanes } from "../lanes.ts";
import { commitLatest, type Revision } from "./documents.ts";

const DELETES_AT_ONCE = 16;

/** Versions whose grace period is over. */
export function expired({ latest }: Revision, now: Date, graceMs: number): string[] {
  return (latest?.previous ?? [])
    .filter(({ supersededAt }) => Date.parse(supersededAt) + graceMs <= now.getTime())
    .map(({ version }) => version);
}

/** Versions that were begun and never published; one that is being published right now is younger than the grace. */
export async function abandoned(
  store: ObjectStore,
  { latest }: Revision,
  now: Date,
  graceMs: number,
): Promise<string[]> {
  const named = new Set([latest?.version, ...(latest?.previous ?? []).map(({ version }) => version)]);
  const found: string[] = [];
  for (let after: string | undefined, first = true; first || after !== undefined; first = false) {
    const page = await store.list(STATIC_MANIFESTS, { after });
    for (const { key, lastModified } of page.objects) {
      const version = parseStaticManifestKey(key);
      const old = lastModified.getTime() + graceMs <= now.getTime();
      if (version !== undefined && old && !named.has(version)) found.push(version);
    }
    after = page.next;
  }
  return found;
}

/**
 * Deletes these versions. They leave `latest.json` under a condition before the first file goes, so that nobody makes
 * one of them current again meanwhile; interrupted, the next run goes on.
 */
export async function retire(
  store: ObjectStore,
  over: Revision,
  versions: readonly string[],
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
      await inLanes(DELETES_AT_ONCE, objects, ({ key }) => store.delete(key));
    }
    await store.delete(staticManifestKey(version));
  }
  return commitLatest(store, marked, { ...left, retiring: [] });
}
