/** Uploads that go on after a reload: the browser keeps the files until S3 has them, and here is what else it takes. */
import type { Darkroom, UploadOptions } from "darkroom/client";
import { resumable, type Unfinished, unfinished } from "darkroom/client/resume";
import { useSyncExternalStore } from "react";
import { presetOf } from "./presets.ts";

/** Options of files that are kept, so that trying again goes on where it broke. */
const kept = new WeakMap<Blob, UploadOptions>();
/** The last of the files that are being written down: one after the other, as a thousand may come at once. */
let writing: Promise<unknown> = Promise.resolve();

/** Files on their way that are not written down, or not yet. */
let losable = 0;
addEventListener("beforeunload", (event) => {
  // These would be lost; the browser asks.
  if (losable > 0) event.preventDefault();
});

let keepsNone = false;
const told = new Set<() => void>();
/** Whether this browser has turned out to keep no files: WebKit in private windows, any browser on a full disk. */
export const useKeepsNone = () =>
  useSyncExternalStore(
    (changed) => {
      told.add(changed);
      return () => told.delete(changed);
    },
    () => keepsNone,
  );

/** For `useUpload`. */
export const goingOn = (darkroom: Darkroom): Pick<Darkroom, "upload" | "waitUntilReady" | "remove"> => ({
  waitUntilReady: darkroom.waitUntilReady,
  remove: darkroom.remove,
  async upload(file, options = {}) {
    const { preset, signal } = options;
    losable++;
    let saved = false;
    const safe = () => {
      if (!saved) losable--;
      saved = true;
    };
    const send = async () => {
      const keep = kept.get(file) ?? (await write(file, preset));
      kept.set(file, keep);
      if (keep.onState) safe();
      return darkroom.upload(file, { ...keep, ...options });
    };
    const uploaded = await send().finally(safe);
    developing.add(uploaded.id);
    const done = () => developing.delete(uploaded.id);
    uploaded.ready.then(done, done);
    signal?.addEventListener("abort", done);
    return uploaded;
  },
});

async function write(file: Blob, preset: string | undefined): Promise<UploadOptions> {
  sessionStorage.setItem(BUSY, "yes");
  // What will be refused need not be copied.
  if (file.size === 0 || file.size > (presetOf(preset)?.maxBytes ?? Number.POSITIVE_INFINITY))
    return { preset };
  const mine = writing.then(() => resumable(file, { preset }));
  writing = mine;
  const options = await mine;
  if (!options.onState) {
    keepsNone = true;
    for (const tell of told) tell();
  }
  return options;
}

/** For `useImages`: those that the API does not list yet come first. */
export const listing = (darkroom: Darkroom): Darkroom => ({
  ...darkroom,
  async list(options = {}) {
    const page = await darkroom.list(options);
    if (options.cursor) return page;
    for (const { id, status } of page.images) if (status !== "processing") developing.delete(id);
    const awaited = developing.ids().map((id) => ({ id, status: "processing" }) as const);
    return { ...page, images: [...awaited, ...page.images] };
  },
  async waitUntilReady(id, options) {
    try {
      return await darkroom.waitUntilReady(id, options);
    } finally {
      if (!options?.signal?.aborted) developing.delete(id);
    }
  },
});

export const presetOfFile = (file: Blob) => kept.get(file)?.preset;

const BUSY = "darkroom.busy";
/** Whether this tab has uploaded before, so that what is unfinished is its own; else the person is asked. */
export const wasBusy = sessionStorage.getItem(BUSY) !== null;

/** Files that an earlier page did not get through with; hand them to the upload of `goingOn`. */
export async function leftOver(): Promise<Unfinished[]> {
  const all = await unfinished();
  for (const { file, options } of all) kept.set(file, options);
  return all;
}

/** Ids of images that S3 has and that are not ready: the API lists them only once a worker has seen them. */
const DEVELOPING = "darkroom.developing";
const developing = {
  ids: (): string[] => JSON.parse(sessionStorage.getItem(DEVELOPING) ?? "[]"),
  add: (id: string) => store([...developing.ids(), id]),
  delete: (id: string) => store(developing.ids().filter((one) => one !== id)),
};
const store = (ids: string[]) => sessionStorage.setItem(DEVELOPING, JSON.stringify(ids));
