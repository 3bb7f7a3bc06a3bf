/** Presets are read once, at the start: who edits them meanwhile is told. */
import { existsSync, readFileSync, watch } from "node:fs";
import { dirname } from "node:path";
import { OWN, ownFiles, presetsNow } from "../adapters/presets.ts";

/** Calls `changed` with the presets' file, or one that they import, as soon as it says something else. @returns ends it */
export function watchPresets(changed: (file: string) => void): () => void {
  const read = (file: string) => (existsSync(file) ? readFileSync(file, "utf8") : undefined);
  const known = new Map([presetsNow(), ...ownFiles].map((file) => [file, read(file)]));
  const look = () => {
    for (const file of new Set([presetsNow(), ...known.keys()])) {
      const now = read(file);
      if (now === undefined || now === known.get(file)) continue;
      known.set(file, now);
      changed(file);
    }
  };
  // Their folders, as editors put another file in the place of the one that is there.
  const folders = new Set([OWN, ...ownFiles].map(dirname));
  const watchers = [...folders].map((folder) => watch(folder, look));
  return () => {
    for (const watcher of watchers) watcher.close();
  };
}
