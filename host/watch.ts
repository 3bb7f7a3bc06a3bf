/**
 * For S3 servers that cannot notify, or say they will and do not: lists `originals/` and queues what is new, in the
 * form of S3's own event. A message too many costs one GET.
 */
import { setTimeout } from "node:timers/promises";
import { errorFields } from "../adapters/log.ts";
import { hasDocument } from "../core/commit.ts";
import { ORIGINALS, parseOriginalKey } from "../core/keys.ts";
import type { Log, ObjectStore, Queue } from "../core/ports.ts";

export interface WatchOptions {
  readonly uploads: ObjectStore;
  readonly media: ObjectStore;
  readonly queue: Queue;
  readonly bucket: string;
  /** Originals younger than this are left to the notification. */
  readonly graceMs: number;
  readonly log: Log;
}

/** As the design says; a listing that takes long itself is not repeated at once. */
const INTERVAL_MS = 2000;

export function watchOriginals(options: WatchOptions): { close(): Promise<void> } {
  /** By key, the version that was queued or found settled. */
  const seen = new Map<string, string>();
  const stop = new AbortController();
  const loop = (async () => {
    while (!stop.signal.aborted) {
      const started = Date.now();
      await listOnce(options, seen).catch((error: unknown) =>
        options.log("warn", "cannot list originals", errorFields(error)),
      );
      const pause = Math.max(INTERVAL_MS, 10 * (Date.now() - started));
      await setTimeout(pause, undefined, { signal: stop.signal }).catch(() => {});
    }
  })();
  return {
    async close() {
      stop.abort();
      await loop;
    },
  };
}

async function listOnce(options: WatchOptions, seen: Map<string, string>): Promise<void> {
  const { uploads, media, queue, bucket, graceMs } = options;
  const present = new Set<string>();
  let after: string | undefined;
  do {
    const page = await uploads.list(ORIGINALS, { after });
    for (const { key, etag, size, lastModified } of page.objects) {
      present.add(key);
      const id = parseOriginalKey(key);
      if (id === undefined || seen.get(key) === etag || Date.now() - lastModified.getTime() < graceMs)
        continue;
      // Known since an earlier start, or by the notification: an original is written once, so any result is its own.
      const settled = !seen.has(key) && (await hasDocument(media, id));
      if (!settled)
        await queue.send(JSON.stringify(eventOf("ObjectCreated:Put", bucket, { key, eTag: etag, size })));
      seen.set(key, etag);
    }
    after = page.next;
  } while (after !== undefined);
  for (const key of seen.keys()) {
    if (present.has(key)) continue;
    await queue.send(JSON.stringify(eventOf("ObjectRemoved:Delete", bucket, { key })));
    seen.delete(key);
  }
}

/** Without a sequencer, which only the server could give: none sorts lowest. */
function eventOf(eventName: string, bucket: string, object: Record<string, unknown>) {
  const s3 = { s3SchemaVersion: "1.0", configurationId: "darkroom-watch", bucket: { name: bucket }, object };
  return {
    Records: [
      { eventVersion: "2.3", eventSource: "aws:s3", eventTime: new Date().toISOString(), eventName, s3 },
    ],
  };
}
