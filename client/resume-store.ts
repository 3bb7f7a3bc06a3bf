/**
 * Uploads that outlive the page: files and how far they came, in IndexedDB. A module of its own, so that it costs
 * nothing where it is not used.
 */
import { inStore, nameOf, type Row, rowOf, tagOf } from "./kept.ts";
import type { UploadOptions } from "./upload.ts";

/** An upload that was on its way when the page went. */
export interface Unfinished {
  readonly file: Blob;
  /** For `upload`; going on keeps it here until it is done. */
  readonly options: UploadOptions;
}

/** Up to one part's size there is nothing to gain by parts. */
const PARTS_ABOVE = 8_388_608;

/**
 * Options for `upload` that keep the file until S3 has it, is refused, or is aborted: add `onProgress`, `signal` and
 * pass them on. Where the browser keeps nothing (private windows, a full disk) the upload works all the same.
 */
export async function resumable(file: Blob, kept: Row["kept"] = {}): Promise<UploadOptions> {
  const row: Row = { file, kept, state: undefined };
  const { list: _, ...upload } = kept;
  const key = await inStore<IDBValidKey>("readwrite", (store) => store.add(row)).catch(() => undefined);
  return key === undefined ? upload : following(key, row, await claim(key));
}

/**
 * Tells of all that was kept under this name, oldest first: what an earlier page left at once, what another tab is busy with
 * when that tab is gone, unless it got through.
 */
export async function takeOver(list: string, told: (one: Unfinished) => void): Promise<void> {
  const keys = await inStore<IDBValidKey[]>("readonly", (store) => store.getAllKeys());
  for (const key of keys) {
    if ((await rowOf(key))?.kept.list !== list) continue;
    claimed(key, false)
      .then((one) => one && told(one))
      .catch(() => {});
  }
}

/** What an earlier page left, oldest first, but for what another tab is busy with. */
export async function unfinished(): Promise<Unfinished[]> {
  const keys = await inStore<IDBValidKey[]>("readonly", (store) => store.getAllKeys()).catch(() => []);
  const left = await Promise.all(keys.map((key) => claimed(key).catch(() => undefined)));
  return left.filter((one) => one !== undefined);
}

/** Undefined where another tab has it, or somebody got through with it before we had it. */
async function claimed(key: IDBValidKey, hurry = true): Promise<Unfinished | undefined> {
  const release = await claim(key, hurry);
  const row = release && (await rowOf(key));
  if (row) return { file: row.file, options: following(key, row, release) };
  release?.();
  return undefined;
}

/** How long a page that is being reloaded may take to let go of what it had. */
const CLAIM_MS = 1000;

/**
 * Two tabs must not send the same file. The browser gives one of them the lock, and takes it back when that one is gone.
 * Resolves with what gives it back; undefined where another tab has it.
 */
async function claim(key: IDBValidKey, hurry = true): Promise<(() => void) | undefined> {
  // Without HTTPS there are none.
  const { locks } = navigator as Partial<Navigator>;
  if (!locks) return () => {};
  return new Promise((resolve) => {
    const channel = new BroadcastChannel(nameOf(key));
    const held = () => new Promise<void>((release) => resolve(release));
    locks
      .request(nameOf(key), hurry ? { signal: AbortSignal.timeout(CLAIM_MS) } : {}, () => {
        channel.close();
        return held();
      })
      .catch(() => {
        channel.close();
        resolve(undefined);
      });
    // A service worker that is at it leaves it to us.
    channel.postMessage("");
  });
}

function following(
  key: IDBValidKey,
  { file, kept, state }: Row,
  release: (() => void) | undefined,
): UploadOptions {
  let latest = state;
  const { list: _, ...options } = kept;
  let letGo = latest && keepWorkerWaiting(key);
  return {
    ...options,
    parts: file.size > PARTS_ABOVE,
    // The latest, so that whoever tries again with the same options goes on too.
    get resume() {
      return latest;
    },
    onState: (now) => {
      latest = now;
      if (now) letGo ??= keepWorkerWaiting(key);
      else letGo?.();
      // Waited for: a page that goes takes along what is not written yet, and the next one would send it all again.
      return inStore("readwrite", (store) =>
        now ? store.put({ file, kept, state: now }, key) : store.delete(key),
      )
        .catch(() => {})
        .then(() => now ?? release?.());
    },
  };
}

/** How long a browser lets a service worker be at it at a time: Chromium's. */
const TRY_MS = 180_000;

/**
 * Has a service worker wait for the lock, where there is one and the browser wakes it: a page that goes has no time to ask, and
 * a tab that crashes none at all. @returns ends it
 */
function keepWorkerWaiting(key: IDBValidKey): () => void {
  const wake = async () => {
    const registration = await (navigator as Partial<Navigator>).serviceWorker?.getRegistration();
    await (registration as Waking | undefined)?.sync?.register(tagOf(key));
  };
  const ask = () => void wake().catch(() => {});
  ask();
  const timer = setInterval(ask, TRY_MS);
  return () => clearInterval(timer);
}

/** Background Sync, which Chromium alone has. */
interface Waking {
  readonly sync?: { register(tag: string): Promise<void> };
}
