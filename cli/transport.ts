/** How the command line sends bytes and waits: the client's `Transport`, by what Node has. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Transport } from "../client/transport.ts";
import { CliError } from "./exit.ts";

/** A connection on which nothing has moved for so long is dead. */
const STALL_MS = 60_000;

export const transport: Transport = {
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
      const response = await fetch(url, {
        method: "PUT",
        // A stream has no length that fetch knows of, and S3 takes nothing without one.
        headers: { ...headers, "content-length": `${body.size}` },
        body: body.stream().pipeThrough(counted),
        duplex: "half",
        signal: AbortSignal.any([stalled.signal, ...(signal ? [signal] : [])]),
      });
      return {
        status: response.status,
        text: await response.text(),
        header: (name) => response.headers.get(name),
      };
    } catch (error) {
      return { status: 0, text: "", header: () => null, cause: unreachable(url, error) };
    } finally {
      clearTimeout(timer);
    }
  },
  async pause(ms, signal) {
    await sleep(ms, undefined, signal ? { signal } : {}).catch(() => signal?.throwIfAborted());
  },
};

/** fetch's own message is "fetch failed". */
export function unreachable(url: string, error: unknown): CliError {
  const { message } = error instanceof Error && error.cause instanceof Error ? error.cause : Object(error);
  return new CliError(`${new URL(url).origin} cannot be reached: ${message}`);
}
