/** The queue of imports: fetches what is at each URL, and puts it where an upload would be. */
import { onQueue } from "../adapters/aws/on-queue.ts";
import { ports } from "../adapters/aws/ports.ts";
import { environment } from "../adapters/environment.ts";
import { download } from "../adapters/http/download.ts";
import config from "../adapters/presets.ts";
import { readBytes } from "../core/commit.ts";
import { fetchMessage } from "../core/job/fetch-url.ts";
import { imagesIn } from "../core/message.ts";

/** Within the function's 150 s, with time for S3 before and after. */
const WHOLE_MS = 100_000;
const IDLE_MS = 20_000;

export const handler = onQueue(() => {
  const { env, deps } = ports("UPLOADS_BUCKET", "MEDIA_BUCKET", "IMPORTS_QUEUE_URL");
  const { IMPORTS_ALLOW_PRIVATE: allowPrivate } = environment("IMPORTS_ALLOW_PRIVATE");
  const fetch = (url: string, maxBytes: number) =>
    readBytes(download(url, { maxBytes, allowPrivate, wholeMs: WHOLE_MS, idleMs: IDLE_MS }));
  return {
    logLevel: env.LOG_LEVEL,
    done: "import",
    // One to a batch, which has all of the memory and the time.
    concurrency: 1,
    reserveMs: 0,
    beside: env.IMPORTS_QUEUE_URL,
    about: (body) => ({ ids: imagesIn(body, "") }),
    handle: ({ body, receives }) => fetchMessage({ ...deps, config, fetch }, body, receives),
  };
});
