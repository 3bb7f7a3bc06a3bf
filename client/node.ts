/** Darkroom in Node: the same client, for files on disk, streams and buffers. */
import { openAsBlob } from "node:fs";
import { access } from "node:fs/promises";
import { basename } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createWith, type Darkroom, type Settings, type Uploaded } from "./create.ts";
import type { Transport } from "./transport.ts";
import type { UploadOptions } from "./upload.ts";

export type { Settings, Uploaded } from "./create.ts";
export { DarkroomError } from "./errors.ts";
export type { Image, Variant } from "./image.ts";

/** A path or `file:` URL, which is read as it is sent; bytes; or a stream, which is read into memory to be measured. */
export type Source =
  | string
  | URL
  | Blob
  | Uint8Array<ArrayBuffer>
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>;

export interface NodeUploadOptions extends UploadOptions {
  /** Such as `image/jpeg`, where neither the name's ending nor a Blob says it. */
  readonly type?: string | undefined;
}

export interface NodeDarkroom extends Omit<Darkroom, "upload"> {
  /**
   * Sends one file. A path's name goes with it; of bytes and streams say `name` or `type`.
   * @throws DarkroomError; the reason of `signal` when that aborts; the system's error where a path cannot be read
   */
  upload(source: Source, options?: NodeUploadOptions): Promise<Uploaded>;
}

export function createDarkroom(settings: Settings): NodeDarkroom {
  const darkroom = createWith(node, settings);
  return {
    ...darkroom,
    async upload(source, { type, ...options } = {}) {
      const { blob, name } = await opened(source, type);
      return darkroom.upload(blob, { name, ...options });
    },
  };
}

async function opened(source: Source, type = ""): Promise<{ blob: Blob; name?: string }> {
  if (source instanceof Blob) return { blob: type ? source.slice(0, source.size, type) : source };
  if (source instanceof Uint8Array) return { blob: new Blob([source], { type }) };
  if (typeof source === "string" || source instanceof URL) {
    const path = typeof source === "string" ? source : fileURLToPath(source);
    // What it says of a file that is not there names nothing.
    await access(path);
    return { blob: await openAsBlob(path, { type }), name: basename(path) };
  }
  const blob = await new Response(source as ReadableStream<Uint8Array>).blob();
  return { blob: blob.slice(0, blob.size, type) };
}

/** A connection on which nothing has moved for so long is dead. */
const STALL_MS = 60_000;

/** How Node sends bytes and waits. */
export const node: Transport = {
  async send({ url, headers, body, onProgress, signal }) {
    const stalled = new AbortController();
    const timer = setTimeout(() => stalled.abort(new Error("nothing moves")), STALL_MS);
    let sent = 0;
    const counted = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, out) {
        timer.refresh();
        sent += chunk.length;
        onProgress?.(sent);
        out.enqueue(chunk);
      },
    });
    try {
      const request = {
        method: "PUT",
        // A stream has no length that fetch knows of, and S3 takes nothing without one.
        headers: { ...headers, "content-length": `${body.size}` },
        body: body.stream().pipeThrough(counted),
        duplex: "half" as const,
        signal: AbortSignal.any([stalled.signal, ...(signal ? [signal] : [])]),
      };
      const response = await fetch(url, request);
      return {
        status: response.status,
        text: await response.text(),
        header: (name) => response.headers.get(name),
      };
    } catch (cause) {
      return { status: 0, text: "", header: () => null, cause };
    } finally {
      clearTimeout(timer);
    }
  },
  async pause(ms, signal) {
    await sleep(ms, undefined, signal ? { signal } : {}).catch(() => signal?.throwIfAborted());
  },
};
