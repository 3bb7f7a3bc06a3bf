/** Fetches one URL into a file, as far as a stranger's URL may be trusted: bounded in size, time, hops and reach. */
import { createWriteStream } from "node:fs";
import { get as httpGet, type IncomingMessage } from "node:http";
import { get as httpsGet } from "node:https";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout } from "node:timers/promises";
import { isAddress, isPublicAddress, publicLookup } from "../../adapters/http/public-address.ts";
import { DarkroomError } from "../../client/errors.ts";
import { CliError } from "../exit.ts";

export interface DownloadOptions {
  readonly maxBytes: number;
  /** Also from this machine and its network. */
  readonly allowPrivate: boolean;
  /** Of silence, after which the server is given up. */
  readonly idleMs?: number;
  /** Before the second try; twice that before the third. */
  readonly pauseMs?: number;
  readonly signal: AbortSignal;
}

const MAX_REDIRECTS = 5;
const IDLE_MS = 30_000;
/** A server that drips a byte now and then is not waited for longer. */
const WHOLE_MS = 15 * 60_000;
const MAX_TRIES = 3;
const PAUSE_MS = 500;

/** @throws DarkroomError that says why it cannot be had */
export async function download(url: string, path: string, options: DownloadOptions): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      const signal = AbortSignal.any([options.signal, AbortSignal.timeout(WHOLE_MS)]);
      const response = await follow(url, { ...options, signal });
      await save(response, path, { ...options, signal });
      return;
    } catch (error) {
      if (error instanceof DarkroomError || options.signal.aborted) throw error;
      if ((error as NodeJS.ErrnoException).code === "ENOSPC")
        throw new CliError(`No room for downloads in ${dirname(path)}; TMPDIR moves them.`);
      if (attempt >= MAX_TRIES) throw new DarkroomError("download-failed", reasonOf(error));
    }
    await setTimeout((options.pauseMs ?? PAUSE_MS) * attempt);
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return "It takes too long.";
  const { code } = error as NodeJS.ErrnoException;
  return `${error.message || code}`;
}

/** The answer at the end of all redirects. */
async function follow(start: string, options: DownloadOptions): Promise<IncomingMessage> {
  let url = parse(start);
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const response = await get(url, options);
    const { statusCode: status = 0, headers } = response;
    const encoding = headers["content-encoding"] ?? "identity";
    if (status === 200 && encoding === "identity") return response;
    response.destroy();
    if (status === 200)
      throw new DarkroomError("download-failed", `The server sends it compressed (${encoding}).`);
    if (status >= 300 && status < 400 && headers.location !== undefined) {
      url = parse(headers.location, url);
    } else if (status >= 500 || status === 429) {
      throw new Error(`The server answers ${status}.`);
    } else throw new DarkroomError("download-failed", `The server answers ${status}.`);
  }
  throw new DarkroomError("download-failed", `More than ${MAX_REDIRECTS} redirects.`);
}

function parse(text: string, base?: URL): URL {
  const url = URL.canParse(text, base?.href) ? new URL(text, base) : undefined;
  if (url && (url.protocol === "http:" || url.protocol === "https:")) return url;
  throw new DarkroomError("bad-url", "Only http and https URLs can be fetched.");
}

function get(
  url: URL,
  { allowPrivate, signal, idleMs = IDLE_MS }: DownloadOptions,
): Promise<IncomingMessage> {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (!allowPrivate && isAddress(host) && !isPublicAddress(host)) {
    throw new DarkroomError(
      "private-address",
      "It is at a private address; --allow-private fetches from there too.",
    );
  }
  return new Promise((resolve, reject) => {
    const request = (url.protocol === "https:" ? httpsGet : httpGet)(
      url,
      {
        signal,
        timeout: idleMs,
        // Bytes as they are: what is compressed on top would be counted and hashed wrongly.
        headers: { "accept-encoding": "identity", "user-agent": "darkroom-import" },
        ...(allowPrivate ? {} : { lookup: publicLookup }),
      },
      resolve,
    );
    request.on("timeout", () => request.destroy(new Error("The server is silent.")));
    request.on("error", (error) =>
      reject(
        /private address/.test(error.message)
          ? new DarkroomError("private-address", `${error.message}; --allow-private fetches from there too.`)
          : error,
      ),
    );
  });
}

async function save(
  response: IncomingMessage,
  path: string,
  { maxBytes, signal }: DownloadOptions,
): Promise<void> {
  const tooLarge = new DarkroomError(
    "too-large",
    `It has more than ${maxBytes} bytes; --max-bytes sets the limit.`,
  );
  const announced = Number(response.headers["content-length"] ?? 0);
  if (announced > maxBytes) {
    response.destroy();
    throw tooLarge;
  }
  const limited = async function* (chunks: AsyncIterable<Buffer>) {
    let size = 0;
    for await (const chunk of chunks) {
      size += chunk.length;
      if (size > maxBytes) throw tooLarge;
      yield chunk;
    }
  };
  await pipeline(response, limited, createWriteStream(path, { mode: 0o600 }), { signal });
}
