/** What `static/` says of itself: which version is current, and what each version holds. */
import * as v from "valibot";
import { hasOutcome } from "../../core/errors.ts";
import { STATIC_LATEST, staticManifestKey } from "../../core/keys.ts";
import type { ObjectStore } from "../../core/ports.ts";
import { CliError } from "../exit.ts";

/** `static/latest.json`, public: what a back end reads to name today's URLs. Written last, under a condition. */
const LatestSchema = v.object({
  schema: v.literal(1),
  version: v.string(),
  /** Digest of the whole: an unchanged folder is recognised by it. */
  tree: v.string(),
  publishedAt: v.pipe(v.string(), v.isoTimestamp()),
  /** Each path of the folder, and its URL. */
  files: v.record(v.string(), v.string()),
  /** Earlier versions, kept for old pages until their grace period ends. */
  previous: v.array(v.object({ version: v.string(), supersededAt: v.string() })),
  /** Versions that are being deleted. */
  retiring: v.array(v.string()),
});
export type Latest = v.InferOutput<typeof LatestSchema>;

/** `static/manifests/{version}.json`: written before the files, so that a version's name means one tree for ever. */
const ManifestSchema = v.object({
  schema: v.literal(1),
  version: v.string(),
  tree: v.string(),
  files: v.record(
    v.string(),
    v.object({ sha256: v.string(), size: v.number(), type: v.string(), cacheControl: v.string() }),
  ),
});
export type Manifest = v.InferOutput<typeof ManifestSchema>;

/** In a manifest's object metadata: all of its version is deleted. */
const RETIRED = "retired";

export interface Revision {
  readonly latest: Latest | undefined;
  readonly etag: string | undefined;
}

export async function readLatest(store: ObjectStore): Promise<Revision> {
  const { document, etag } = await read(store, STATIC_LATEST, LatestSchema);
  return { latest: document, etag };
}

/** `retired` for a version that was deleted, whose name is not free yet. */
export async function readManifest(
  store: ObjectStore,
  version: string,
): Promise<Manifest | "retired" | undefined> {
  const schema = v.union([ManifestSchema, v.literal(RETIRED)]);
  return (await read(store, staticManifestKey(version), schema)).document;
}

/**
 * Ends a version whose files are gone. Its name is given free no sooner than `keepMs` later: another run that deletes
 * the same version may be late, and would take along what was published under the name anew.
 */
export async function buryVersion(
  store: ObjectStore,
  version: string,
  { now, keepMs }: { now: Date; keepMs: number },
): Promise<void> {
  const key = staticManifestKey(version);
  const there = await store.head(key);
  if (there?.metadata[RETIRED] === undefined) {
    await store.put(key, JSON.stringify(RETIRED), {
      type: "application/json",
      cacheControl: "public, max-age=5",
      metadata: { [RETIRED]: "yes" },
    });
  } else if (there.lastModified.getTime() + keepMs <= now.getTime()) await store.delete(key);
}

async function read<T>(
  store: ObjectStore,
  key: string,
  schema: v.GenericSchema<unknown, T>,
): Promise<{ document: T | undefined; etag: string | undefined }> {
  const stored = await store.get(key);
  if (!stored) return { document: undefined, etag: undefined };
  const text = await new Response(ReadableStream.from(stored.body)).text();
  try {
    return { document: v.parse(schema, JSON.parse(text)), etag: stored.etag };
  } catch {
    throw new CliError(`${key} in the media bucket is not what this version of darkroom writes.`);
  }
}

/** Somebody else wrote `latest.json` since it was read. */
export class Overtaken extends CliError {}

/**
 * Writes `latest.json` over the revision given.
 * @throws Overtaken
 */
export async function commitLatest(store: ObjectStore, over: Revision, latest: Latest): Promise<Revision> {
  const body = JSON.stringify(latest);
  const condition = over.etag === undefined ? { ifNoneMatch: "*" as const } : { ifMatch: over.etag };
  try {
    const { etag } = await store.put(STATIC_LATEST, body, {
      type: "application/json",
      // Long enough to spare the bucket a crowd, short enough that a deploy is seen at once.
      cacheControl: "public, max-age=5",
      ...condition,
    });
    return { latest, etag };
  } catch (error) {
    if (!hasOutcome(error, "conflict")) throw error;
    // Our own write whose answer was lost, or somebody else's.
    const now = await readLatest(store);
    if (JSON.stringify(now.latest) === body) return now;
    throw new Overtaken(
      "Somebody else published in the meantime. Run the same command again; what was sent is there.",
    );
  }
}

/** @returns false where the version has one already */
export async function claimVersion(store: ObjectStore, manifest: Manifest): Promise<boolean> {
  try {
    await store.put(staticManifestKey(manifest.version), JSON.stringify(manifest), {
      type: "application/json",
      cacheControl: "public, max-age=5",
      ifNoneMatch: "*",
    });
    return true;
  } catch (error) {
    if (hasOutcome(error, "conflict")) return false;
    throw error;
  }
}
