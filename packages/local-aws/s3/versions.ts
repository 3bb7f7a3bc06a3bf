/**
 * Versions of objects, of buckets that keep them. The index has what is current apart from all else: what was superseded, and
 * the markers that deletes leave. A bucket that never had versioning knows none of this.
 */
import { randomBytes } from "node:crypto";
import type { Storage } from "./storage.ts";

/** Absent as long as nobody has ever turned it on. */
type Versioning = "Enabled" | "Suspended";

export const versioningOf = (storage: Storage, bucket: string): Versioning | undefined =>
  storage.configuration(bucket, "versioning") as Versioning | undefined;

/** Of what was written while the bucket kept none, or no longer. */
export const NULL = "null";
const ID_BYTES = 24;

/** In a transaction: what is current makes room for something else. @returns the other's version */
export function supersede(storage: Storage, bucket: string, key: string): string | undefined {
  const versioning = versioningOf(storage, bucket);
  if (versioning === undefined) {
    storage.dropObject(bucket, key);
    return undefined;
  }
  if (versioning === "Enabled") {
    storage.setAside(bucket, key);
    return randomBytes(ID_BYTES).toString("base64url");
  }
  // There is one version without a name, and the new one takes its place.
  if ((storage.object(bucket, key)?.version ?? NULL) === NULL) storage.dropObject(bucket, key);
  else storage.setAside(bucket, key);
  storage.dropVersion(bucket, key, NULL);
  return NULL;
}

export interface Removed {
  /** Something was there to be seen. */
  readonly removed: boolean;
  /** Of the marker that stands in its place. */
  readonly marker?: string;
}

/** In a transaction: a delete without a version. */
export function remove(storage: Storage, bucket: string, key: string, now: number): Removed {
  const removed = storage.object(bucket, key) !== undefined;
  const marker = supersede(storage, bucket, key);
  if (marker === undefined) return { removed };
  storage.putMarker(bucket, key, marker, now);
  return { removed, marker };
}

/** In a transaction: deletes one version for good; what is left newest is current then. Undefined where there is none. */
export function removeVersion(
  storage: Storage,
  bucket: string,
  key: string,
  version: string,
): "object" | "marker" | undefined {
  const current = storage.object(bucket, key);
  const isCurrent = current !== undefined && (current.version ?? NULL) === version;
  if (isCurrent) storage.dropObject(bucket, key);
  const dropped = isCurrent ? "object" : storage.dropVersion(bucket, key, version);
  if (!storage.object(bucket, key)) storage.bringBack(bucket, key);
  return dropped;
}
