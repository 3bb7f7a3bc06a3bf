/** Open uploads in parts in memory, without their parts: for simulations and tests. */
import type { OpenUpload, OpenUploads } from "../../core/ports.ts";

export interface MemoryUploads extends OpenUploads {
  begin(upload: OpenUpload): void;
  /** Whether it was open, and is so no more: who completes an upload takes it, as S3 does. */
  take(upload: Pick<OpenUpload, "key" | "uploadId">): boolean;
  /** As the lifecycle rule does, all of them. */
  expire(): void;
}

const byKey = (a: Pick<OpenUpload, "key" | "uploadId">, b: Pick<OpenUpload, "key" | "uploadId">) => {
  const [left, right] = [`${a.key}\0${a.uploadId}`, `${b.key}\0${b.uploadId}`];
  return left < right ? -1 : left > right ? 1 : 0;
};

export function memoryUploads(): MemoryUploads {
  let open: OpenUpload[] = [];
  const take: MemoryUploads["take"] = (upload) => {
    const before = open.length;
    open = open.filter((one) => byKey(one, upload) !== 0);
    return open.length < before;
  };
  return {
    begin(upload) {
      open = [...open, upload].sort(byKey);
    },
    take,
    expire() {
      open = [];
    },
    async list(prefix, after) {
      await undefined;
      const rest = open.filter(
        (one) =>
          one.key.startsWith(prefix) &&
          (!after || byKey(one, { key: after.key, uploadId: after.uploadId ?? "\uffff" }) > 0),
      );
      const uploads = rest.slice(0, 1000);
      return { uploads, next: rest.length > uploads.length ? uploads.at(-1) : undefined };
    },
    async abort(upload) {
      await undefined;
      take(upload);
    },
  };
}
