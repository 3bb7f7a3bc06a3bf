/** Listings page by page, so that memory stays bounded however much there is. */
import type { ListedObject, ObjectStore, OpenUpload, OpenUploads } from "./ports.ts";

/** Every object with the prefix, in the order of keys, of those after `after`. */
export async function* listed(
  store: Pick<ObjectStore, "list">,
  prefix: string,
  after?: string,
): AsyncGenerator<ListedObject, void> {
  let last = after;
  do {
    const { objects, next } = await store.list(prefix, { after: last });
    yield* objects;
    last = next;
  } while (last !== undefined);
}

/** Every open upload in parts with the prefix, in the order of keys, of those whose key is after `after`. */
export async function* listedOpen(
  store: OpenUploads,
  prefix: string,
  after?: string,
): AsyncGenerator<OpenUpload, void> {
  let last: Parameters<OpenUploads["list"]>[1] = after === undefined ? undefined : { key: after };
  do {
    const { uploads, next } = await store.list(prefix, last);
    yield* uploads;
    last = next;
  } while (last !== undefined);
}

/** All of them at once: of a prefix that has few. */
export async function collected(store: Pick<ObjectStore, "list">, prefix: string): Promise<ListedObject[]> {
  const objects: ListedObject[] = [];
  for await (const object of listed(store, prefix)) objects.push(object);
  return objects;
}

/** So many at a time, and the rest. */
export async function* batches<T>(
  all: AsyncIterable<T> | Iterable<T>,
  size: number,
): AsyncGenerator<T[], void> {
  let batch: T[] = [];
  for await (const one of all) {
    batch.push(one);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
