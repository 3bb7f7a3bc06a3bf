/** One bucket in memory, with S3's conditional semantics: for simulations, tests and programs that embed Darkroom. */
import { createHash } from "node:crypto";
import { DarkroomError } from "../../core/errors.ts";
import type { ObjectStore, StoredHead } from "../../core/ports.ts";

/** What S3 would notify of. `key` is plain, not form-encoded. */
export interface StoreChange {
  readonly kind: "created" | "removed";
  readonly key: string;
  /** Of the object created; of the last one where it was removed. */
  readonly etag: string;
  readonly size: number;
  /** Hexadecimal and of one length, so it orders the changes of this store as text. */
  readonly sequencer: string;
}

/** What one GET hands over at a time; S3's own pieces are of about this size. */
const CHUNK_BYTES = 65_536;
/** S3's upper bound, which it applies silently. */
const MAX_LISTED = 1_000;

/**
 * Every method waits for one turn of the event loop's microtasks and then acts at once, so calls made together are
 * carried out in the order they were made, each of them whole. `onChange` runs inside the change.
 */
export function memoryStore({
  now,
  onChange,
}: {
  now: () => Date;
  onChange?: (change: StoreChange) => void;
}): ObjectStore {
  const objects = new Map<string, { head: StoredHead; bytes: Uint8Array }>();
  /** In S3's order, kept and not made for each list: a simulation lists some hundred thousand a hundred thousand times. */
  const keys: string[] = [];
  let changes = 0;

  const tell = (kind: StoreChange["kind"], key: string, { etag, size }: StoredHead) => {
    changes++;
    onChange?.({ kind, key, etag, size, sequencer: changes.toString(16).toUpperCase().padStart(16, "0") });
  };

  const find = (key: string, ifMatch: string | undefined) => {
    const object = objects.get(key);
    if (object && ifMatch !== undefined && object.head.etag !== ifMatch)
      throw new DarkroomError("precondition-failed");
    return object;
  };

  return {
    async head(key, { ifMatch } = {}) {
      await undefined;
      return find(key, ifMatch)?.head;
    },

    async get(key, { ifMatch } = {}) {
      await undefined;
      const object = find(key, ifMatch);
      return object && { ...object.head, body: chunks(object.bytes) };
    },

    async put(key, body, { type, cacheControl, metadata = {}, ifMatch, ifNoneMatch } = {}) {
      // A copy: the caller may go on to use its buffer.
      const bytes = new Uint8Array(typeof body === "string" ? Buffer.from(body, "utf8") : body);
      await undefined;
      const before = find(key, ifMatch);
      if (ifNoneMatch && before) throw new DarkroomError("precondition-failed");
      // S3 says 404 here, which the port counts among the conditions that do not hold.
      if (ifMatch !== undefined && !before) throw new DarkroomError("precondition-failed");
      const head: StoredHead = {
        etag: createHash("md5").update(bytes).digest("hex"),
        size: bytes.length,
        lastModified: new Date(Math.floor(now().getTime() / 1000) * 1000),
        type,
        cacheControl,
        metadata: Object.fromEntries(
          Object.entries(metadata).map(([name, value]) => [name.toLowerCase(), value]),
        ),
      };
      if (!before) keys.splice(indexIn(keys, key), 0, key);
      objects.set(key, { head, bytes });
      tell("created", key, head);
      return { etag: head.etag };
    },

    async delete(key, { ifMatch } = {}) {
      await undefined;
      const object = find(key, ifMatch);
      if (!object) return;
      objects.delete(key);
      keys.splice(indexIn(keys, key), 1);
      tell("removed", key, object.head);
    },

    async list(prefix, { after, limit = MAX_LISTED } = {}) {
      await undefined;
      let from = indexIn(keys, after === undefined || compareKeys(after, prefix) < 0 ? prefix : after);
      if (keys[from] === after) from++;
      const most = Math.min(limit, MAX_LISTED);
      const seen = keys.slice(from, from + most + 1).filter((key) => key.startsWith(prefix));
      const page = seen.slice(0, most);
      return {
        objects: page.flatMap((key) => {
          const head = objects.get(key)?.head;
          return head ? [{ key, etag: head.etag, size: head.size, lastModified: head.lastModified }] : [];
        }),
        next: page.length < seen.length ? page.at(-1) : undefined,
      };
    },
  };
}

/** Where the key is, or would be. */
function indexIn(keys: readonly string[], key: string): number {
  let [low, high] = [0, keys.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareKeys(keys[middle] ?? "", key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** By UTF-8 bytes: JavaScript's own order puts U+FF5E after an emoji, S3's before it. */
function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a, "utf8"), Buffer.from(b, "utf8"));
}

async function* chunks(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) yield bytes.slice(at, at + CHUNK_BYTES);
}
