/** Fetches one URL into a file, as often as its server may recover. */
import { createWriteStream } from "node:fs";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout } from "node:timers/promises";
import { type DownloadOptions, download } from "../../adapters/http/download.ts";
import { DarkroomError } from "../../client/errors.ts";
import { DarkroomError as CoreError } from "../../core/errors.ts";
import { CliError } from "../exit.ts";

export interface FetchOptions extends Omit<DownloadOptions, "wholeMs"> {
  /** Before the second try; twice that before the third. */
  readonly pauseMs?: number;
  readonly signal: AbortSignal;
}

const WHOLE_MS = 15 * 60_000;
const MAX_TRIES = 3;
const PAUSE_MS = 500;

const hints: Readonly<Record<string, string>> = {
  "private-address": " --allow-private fetches from there too.",
  "too-large": " --max-bytes sets the limit.",
};

/** @throws DarkroomError that says why it cannot be had */
export async function fetchFile(url: string, path: string, options: FetchOptions): Promise<void> {
  const { signal, pauseMs = PAUSE_MS } = options;
  for (let attempt = 1; ; attempt++) {
    try {
      const bytes = download(url, { ...options, wholeMs: WHOLE_MS });
      await pipeline(bytes, createWriteStream(path, { mode: 0o600 }), { signal });
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOSPC")
        throw new CliError(`No room for downloads in ${dirname(path)}; TMPDIR moves them.`);
      if (signal.aborted || !(error instanceof CoreError)) throw error;
      const { code, message } = error;
      if (code !== "unavailable") throw new DarkroomError(code, `${message}${hints[code] ?? ""}`);
      if (attempt >= MAX_TRIES) throw new DarkroomError("download-failed", message);
    }
    await setTimeout(pauseMs * attempt);
  }
}
