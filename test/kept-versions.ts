/** A store that keeps versions, as a bucket does that is told to: what was written over or deleted can be had again. */
import type { KeptVersion, ObjectStore, Versions } from "../core/ports.ts";

interface Kept extends KeptVersion {
  readonly bytes: Uint8Array;
  readonly options: Parameters<ObjectStore["put"]>[2];
}

export function keptVersions(
  inner: ObjectStore,
  now: () => Date,
): { readonly store: ObjectStore; readonly versions: Versions; readonly expire: (until: Date) => void } {
  const kept: Kept[] = [];
  let count = 0;
  const keep = (version: Omit<Kept, "versionId" | "at">) =>
    void kept.push({ ...version, versionId: `v${count++}`, at: now() });
  const store: ObjectStore = {
    ...inner,
    async put(key, body, options) {
      const bytes = Uint8Array.from(typeof body === "string" ? Buffer.from(body, "utf8") : body);
      const { ifMatch: _, ifNoneMatch: __, ...rest } = options ?? {};
      const written = await inner.put(key, body, options);
      keep({ key, bytes, options: rest, marker: false, size: bytes.length, ...written });
      return written;
    },
    async delete(key, condition) {
      await inner.delete(key, condition);
      keep({ key, bytes: new Uint8Array(), options: {}, marker: true, size: 0, etag: "" });
    },
  };
  const find = ({ key, versionId }: Pick<KeptVersion, "key" | "versionId">) => {
    const found = kept.find((one) => one.key === key && one.versionId === versionId && !one.marker);
    if (!found) throw new Error("NoSuchVersion");
    return found;
  };
  return {
    store,
    versions: {
      async *list(prefix) {
        yield* kept.filter(({ key }) => key.startsWith(prefix)).reverse();
      },
      read: async (version) => Buffer.from(find(version).bytes).toString("utf8"),
      async restore(version) {
        const { key, bytes, options } = find(version);
        await store.put(key, bytes, options);
      },
    },
    // As a rule for versions that are not current does; who asks for what is there now does not ask here.
    expire(until) {
      kept.splice(0, kept.length, ...kept.filter(({ at }) => at > until));
    },
  };
}
