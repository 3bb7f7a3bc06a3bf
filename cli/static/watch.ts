/** Runs something again whenever a folder changes and has been quiet for a moment. */
import { watch } from "chokidar";
import { CliError } from "../exit.ts";

/** Editors and build tools write several files in a row; one version for all of them. */
const QUIET_MS = 200;

/**
 * Runs once at first; changes during a run lead to another. Ends with the signal, after the run that is on.
 * @throws CliError when the system does not let it watch
 */
export async function watchFolder(
  folder: string,
  signal: AbortSignal,
  run: () => Promise<unknown>,
): Promise<void> {
  let wake: () => void = () => {};
  let timer: NodeJS.Timeout | undefined;
  let changed = true;
  const watcher = watch(folder, { ignoreInitial: true, followSymlinks: true });
  watcher.on("all", () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      changed = true;
      wake();
    }, QUIET_MS);
  });
  let failure: unknown;
  watcher.on("error", (error) => {
    failure ??= error;
    wake();
  });
  signal.addEventListener("abort", () => wake());
  await new Promise<void>((resolve) => {
    wake = resolve;
    watcher.once("ready", resolve);
  });
  while (!signal.aborted && !failure) {
    if (changed) {
      changed = false;
      await run();
    } else {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
  clearTimeout(timer);
  await watcher.close();
  // The system's own sentence: for "no space" it means its table of watchers, not the disk.
  if (failure)
    throw new CliError(
      `The folder can no longer be watched (${(failure as Error).message}). Without --watch it can be published.`,
    );
}
