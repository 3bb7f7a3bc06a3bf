/**
 * Uploads that outlive the page: files and how far they came, in IndexedDB. A module of its own, so that it costs
 * nothing where it is not used.
 */
import type { UploadOptions, UploadState } from "./upload.ts";

type Kept = Pick<UploadOptions, "preset" | "focus" | "ref" | "name"> & {
  /** Of several on one page, or of several people at one browser: `takeOver` asks for one by its name. */
  readonly list?: string | undefined;
};

/** An upload that was on its way when the page went. */
export interface Unfinished {
  readonly file: Blob;
  /** For `upload`; going on keeps it here until it is done. */
  readonly options: UploadOptions;
}

/** Up to one part's size there is nothing to gain by parts. */
const PARTS_ABOVE = 8_388_608;

interface Row {
  readonly file: Blob;
  readonly kept: Kept;
  readonly state: UploadState | undefined;
}

/**
 * Options for `upload` that keep the file until S3 has it, is refused, or is aborted: add `onProgress`, `signal` and
 * pass them on. Where the browser keeps nothing (private windows, a full disk) the upload works all the same.
 */
export async function resumable(file: Blob, kept: Kept = {}): Promise<UploadOptions> {
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
  const read = (key: IDBValidKey) => inStore<Row | undefined>("readonly", (store) => store.get(key));
  for (const key of keys) {
    if ((await read(key))?.kept.list !== list) continue;
    claim(key, false)
      .then(async (release) => {
        const row = await read(key);
        if (row) told({ file: row.file, options: following(key, row, release) });
        else release?.();
      })
      .catch(() => {});
  }
}

/** What an earlier page left, oldest first, but for what another tab is busy with. */
export async function unfinished(): Promise<Unfinished[]> {
  const [keys, rows] = await Promise.all([
    inStore<IDBValidKey[]>("readonly", (store) => store.getAllKeys()),
    inStore<Row[]>("readonly", (store) => store.getAll()),
  ]).catch(() => [[], []]);
  const left = await Promise.all(
    rows.map(async (row, i) => {
      const key = keys[i];
      const release = key === undefined ? undefined : await claim(key);
      return key === undefined || !release ? [] : [{ file: row.file, options: following(key, row, release) }];
    }),
  );
  return left.flat();
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
    const held = () => new Promise<void>((release) => resolve(release));
    locks
      .request(`darkroom-upload-${String(key)}`, hurry ? { signal: AbortSignal.timeout(CLAIM_MS) } : {}, held)
      .catch(() => resolve(undefined));
  });
}

function following(
  key: IDBValidKey,
  { file, kept, state }: Row,
  release: (() => void) | undefined,
): UploadOptions {
  let latest = state;
  const { list: _, ...options } = kept;
  return {
    ...options,
    parts: file.size > PARTS_ABOVE,
    // The latest, so that whoever tries again with the same options goes on too.
    get resume() {
      return latest;
    },
    onState: (now) => {
      latest = now;
      // Waited for: a page that goes takes along what is not written yet, and the next one would send it all again.
      return inStore("readwrite", (store) =>
        now ? store.put({ file, kept, state: now }, key) : store.delete(key),
      )
        .catch(() => {})
        .then(() => now ?? release?.());
    },
  };
}

const STORE = "uploads";
let opened: Promise<IDBDatabase> | undefined;

function open(): Promise<IDBDatabase> {
  opened ??= new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open("darkroom", 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { autoIncrement: true });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opened;
}

async function inStore<T>(mode: IDBTransactionMode, run: (store: IDBObjectStore) => IDBRequest): Promise<T> {
  const transaction = (await open()).transaction(STORE, mode);
  const request = run(transaction.objectStore(STORE));
  return new Promise<T>((resolve, reject) => {
    transaction.oncomplete = () => resolve(request.result as T);
    transaction.onabort = () => reject(transaction.error);
    transaction.onerror = () => reject(transaction.error);
  });
}
