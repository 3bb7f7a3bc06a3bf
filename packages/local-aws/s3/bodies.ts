/** The files that hold the bytes of objects and parts, each under a random name that an index may or may not know. */
import { randomBytes } from "node:crypto";
import { createReadStream, mkdirSync, readdirSync, unlinkSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

/** A stretch of an object's bytes: all of them, or one part of a multipart upload. */
export interface Segment {
  readonly file: string;
  readonly size: number;
}

export class Bodies {
  readonly #folder: string;
  /** How many readers each file has: one that is read is deleted after the last. */
  readonly #readers = new Map<string, number>();
  readonly #doomed = new Set<string>();

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  /** Deletes every other file: what a crash left half-written or no longer wanted. */
  keepOnly(files: ReadonlySet<string>): void {
    for (const file of readdirSync(this.#folder)) if (!files.has(file)) unlinkSync(join(this.#folder, file));
  }

  /** Name of a new file with all of the stream in it; nothing stays of a stream that fails. */
  async write(stream: AsyncIterable<Buffer>): Promise<string> {
    const file = randomBytes(16).toString("hex");
    try {
      await writeFile(join(this.#folder, file), stream, { flag: "wx" });
      return file;
    } catch (error) {
      this.discard([file]);
      throw error;
    }
  }

  /**
   * Bytes `start` to `end` (exclusive) of the segments. They stay readable from this call on, whatever is deleted, so
   * the iterator must be read to its end or returned.
   */
  read(segments: readonly Segment[], start: number, end: number): AsyncIterableIterator<Buffer> {
    let offset = 0;
    const wanted: { file: string; from: number; to: number }[] = [];
    for (const { file, size } of segments) {
      const [from, to] = [Math.max(start - offset, 0), Math.min(end - offset, size)];
      if (from < to) wanted.push({ file, from, to });
      offset += size;
    }
    const folder = this.#folder;
    async function* bytes(): AsyncGenerator<Buffer> {
      // `end` of a read stream is inclusive.
      for (const { file, from, to } of wanted) {
        yield* createReadStream(join(folder, file), { start: from, end: to - 1 });
      }
    }
    const generator = bytes();
    const release = this.#hold(wanted.map(({ file }) => file));
    // Not the generator alone: one that was never started runs no `finally` when it is returned.
    return {
      [Symbol.asyncIterator]() {
        return this;
      },
      async next() {
        try {
          const result = await generator.next();
          if (result.done) release();
          return result;
        } catch (error) {
          release();
          throw error;
        }
      },
      async return() {
        await generator.return(undefined);
        release();
        return { done: true, value: undefined };
      },
    };
  }

  #hold(files: readonly string[]): () => void {
    for (const file of files) this.#readers.set(file, (this.#readers.get(file) ?? 0) + 1);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      for (const file of files) {
        const left = (this.#readers.get(file) ?? 1) - 1;
        if (left > 0) this.#readers.set(file, left);
        else this.#readers.delete(file);
      }
      this.discard(files.filter((file) => this.#doomed.delete(file)));
    };
  }

  /** Deletes files, those being read after their last reader. What cannot be deleted goes at the next start. */
  discard(files: readonly string[]): void {
    for (const file of files) {
      if (this.#readers.has(file)) {
        this.#doomed.add(file);
        continue;
      }
      try {
        unlinkSync(join(this.#folder, file));
      } catch {
        // never made, or the disk says no: nothing names it
      }
    }
  }
}
