/** Files that outlive the page, in IndexedDB, and who is busy with which: what pages and a service worker share. */
import type { UploadOptions, UploadState } from "./upload.ts";

export interface Row {
  readonly file: Blob;
  readonly kept: Pick<UploadOptions, "preset" | "focus" | "ref" | "name"> & {
    /** Of several on one page, or of several people at one browser: `takeOver` asks for one by its name. */
    readonly list?: string | undefined;
  };
  readonly state: UploadState | undefined;
}

/** Whoever is busy with a file has the lock of this name; a page that wants it from the worker says so in the channel of this name. */
export const nameOf = (key: IDBValidKey) => `darkroom-upload-${String(key)}`;
/** Another one each time: the browser puts off for minutes what it knows, and what came too early. */
export const tagOf = (key: IDBValidKey) => `${nameOf(key)} ${Date.now()}`;
export const keyOfTag = (tag: string) => Number(/^darkroom-upload-(\d+) \d+$/.exec(tag)?.[1]);

export const rowOf = (key: IDBValidKey) => inStore<Row | undefined>("readonly", (store) => store.get(key));

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

export async function inStore<T>(
  mode: IDBTransactionMode,
  run: (store: IDBObjectStore) => IDBRequest,
): Promise<T> {
  const transaction = (await open()).transaction(STORE, mode);
  const request = run(transaction.objectStore(STORE));
  return new Promise<T>((resolve, reject) => {
    transaction.oncomplete = () => resolve(request.result as T);
    transaction.onabort = () => reject(transaction.error);
    transaction.onerror = () => reject(transaction.error);
  });
}
