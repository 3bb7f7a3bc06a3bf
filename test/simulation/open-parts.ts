/** S3's parts of uploads that nobody has completed. */
import type { Part } from "../../core/upload/multipart.ts";

/** What the tickets of this world allow. */
export const MAX_BYTES = 25_000_000;

/** What lies in open uploads: by key and S3's upload id, part by part. */
export class OpenParts {
  readonly #open = new Map<string, Map<string, Map<number, number>>>();

  begin(key: string, uploadId: string): void {
    const uploads = this.#open.get(key) ?? new Map<string, Map<number, number>>();
    this.#open.set(key, uploads.set(uploadId, new Map()));
  }

  begun(key: string): string[] {
    return [...(this.#open.get(key)?.keys() ?? [])];
  }

  abort(key: string, uploadId: string): void {
    this.#open.get(key)?.delete(uploadId);
  }

  put(key: string, uploadId: string, part: number, size: number): void {
    this.#open.get(key)?.get(uploadId)?.set(part, size);
  }

  list(key: string, uploadId: string): Part[] | undefined {
    const parts = this.#open.get(key)?.get(uploadId);
    return parts && [...parts].map(([number, size]) => ({ number, size, etag: `${number}` }));
  }

  /** A ticket begins one upload, and where its size is unknown at most one part passes the limit. */
  areBounded(): void {
    for (const [key, uploads] of this.#open) {
      const sent = [...uploads.values()].filter(({ size }) => size > 0);
      if (sent.length > 1) throw new Error(`one ticket of ${key} began ${sent.length} uploads`);
      const sizes = sent.flatMap((parts) => [...parts.values()]);
      const without = sizes.reduce((sum, size) => sum + size, 0) - Math.max(0, ...sizes);
      if (without > MAX_BYTES) throw new Error(`${sizes.length} parts of ${key} passed by its limit`);
    }
  }
}
