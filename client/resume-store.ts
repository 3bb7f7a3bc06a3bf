/**
 * Uploads that outlive the page: files and how far they came, in IndexedDB. A module of its own, so that it costs
 * nothing where it is not used.
 */
import type { UploadOptions, UploadState } from "./upload.ts";

type Kept = Pick<UploadOptions, "preset" | "focus" | "name">;

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
  const key = await inStore<IDBValidKey>("readwrite", (store) => store.add(row)).catch(() => undefined);
  return key === undefined ? kept : following(key, row);
}

/** What an earlier page left, oldest first. Another tab of this page may be busy with it: ask the person. */
export async function unfinished(): Promise<Unfinished[]> {
  const [keys, rows] = await Promise.all([
    inStore<IDBValidKey[]>("readonly", (store) => store.getAllKeys()),
    inStore<Row[]>("readonly", (store) => store.getAll()),
  ]).catch(() => [[], []]);
  return rows.flatMap((row, i) => {
    const key = keys[i];
    return key === undefined ? [] : [{ file: row.file, options: following(key, row) }];
  });
}

function following(key: IDBValidKey, { file, kept, state }: Row): UploadOptions {
  return {
    ...kept,
    parts: file.size > PARTS_ABOVE,
    resume: state,
    onState: (now) => {
      // Transactions run in the order they are made, so nobody has to wait for this one.
      inStore("readwrite", (store) =>
        now ? store.put({ file, kept, state: now }, key) : store.delete(key),
      ).catch(() => {});
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
