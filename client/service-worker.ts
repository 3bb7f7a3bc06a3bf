/**
 * For a service worker: goes on with kept uploads when no page does. It has no token, but what was signed or sealed for each of
 * these files; what is not begun yet, or cannot be gone on with, is left for the next visit. The browser wakes it by
 * Background Sync, which Chromium has: at once, or as soon as there is a network, for three minutes; after a failure twice more.
 */
import { connect } from "./api.ts";
import { DarkroomError } from "./errors.ts";
import { inStore, keyOfTag, nameOf, rowOf } from "./kept.ts";
import { sendParts } from "./multipart.ts";
import { retrying, sleep } from "./patience.ts";
import { put } from "./send.ts";
import type { Transport } from "./transport.ts";

/** https://wicg.github.io/background-sync/spec/ */
interface SyncEvent extends Event {
  readonly tag: string;
  waitUntil(done: Promise<unknown>): void;
}

/** By key: an upload has one of us at a time, however often we are woken for it. */
const going = new Map<number, Promise<void>>();

addEventListener("sync", (event) => {
  const { tag } = event as SyncEvent;
  const key = keyOfTag(tag);
  if (!key) return;
  const gone = going.get(key) ?? goOn(key).finally(() => going.delete(key));
  going.set(key, gone);
  (event as SyncEvent).waitUntil(gone);
});

/** Rejects where the browser should wake us again. */
async function goOn(key: number): Promise<void> {
  while (await navigator.locks.request(nameOf(key), () => isWantedByPage(key)));
}

/** Sends it, unless a page asks for it: that shows how far it is, and can do more. */
async function isWantedByPage(key: number): Promise<boolean> {
  const wanted = new AbortController();
  const channel = new BroadcastChannel(nameOf(key));
  channel.onmessage = () => wanted.abort();
  // Before we listened.
  const { pending = [] } = await navigator.locks.query();
  if (pending.some(({ name }) => name === nameOf(key))) wanted.abort();
  try {
    if (!wanted.signal.aborted) await send(key, wanted.signal);
  } catch (error) {
    const isOver = error instanceof DarkroomError && !error.retryable;
    if (!isOver && !wanted.signal.aborted) throw error;
  } finally {
    channel.close();
  }
  return wanted.signal.aborted;
}

async function send(key: number, signal: AbortSignal): Promise<void> {
  const { file, state: { parts, put: signed } = {} } = (await rowOf(key)) ?? {};
  if (!file) return;
  if (parts?.pass && parts.endpoint)
    await sendParts(connect(parts.endpoint, parts.pass, worker), file, parts, { signal, listed: true });
  else if (signed) await retrying(() => put(worker.send, { ...signed, body: file, signal }), sleep, signal);
  else return;
  await inStore("readwrite", (store) => store.delete(key));
}

/** A worker has no XMLHttpRequest. */
const worker: Transport = {
  send: async ({ url, headers = {}, body, signal = null }) => {
    try {
      const response = await fetch(url, { method: "PUT", headers, body, signal });
      const text = await response.text();
      return { status: response.status, text, header: (name) => response.headers.get(name) };
    } catch (cause) {
      return { status: 0, text: "", header: () => null, cause };
    }
  },
  pause: sleep,
};
