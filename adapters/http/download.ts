/** What is at a URL, as far as a stranger's may be trusted: bounded in size, time, hops and reach. */
import { get as httpGet, type IncomingMessage } from "node:http";
import { get as httpsGet } from "node:https";
import { DarkroomError } from "../../core/errors.ts";
import { isAddress, isPublicAddress, publicLookup } from "./public-address.ts";

export interface DownloadOptions {
  readonly maxBytes: number;
  /** Also from this machine and its network. */
  readonly allowPrivate: boolean;
  /** Of silence, after which the server is given up. */
  readonly idleMs?: number;
  /** A server that drips a byte now and then is not waited for longer. */
  readonly wholeMs: number;
  readonly signal?: AbortSignal;
}

const MAX_REDIRECTS = 5;
const IDLE_MS = 30_000;

/**
 * One try.
 * @throws DarkroomError `unavailable` where another may succeed; `bad-url`, `private-address`, `too-large`, `download-failed`;
 *   what the signal says once it is aborted
 */
export async function* download(
  url: string,
  { wholeMs, signal: given, ...options }: DownloadOptions,
): AsyncGenerator<Buffer> {
  const signal = AbortSignal.any([AbortSignal.timeout(wholeMs), ...(given ? [given] : [])]);
  try {
    yield* limited(await follow(url, { ...options, signal }), options.maxBytes);
  } catch (error) {
    if (error instanceof DarkroomError || given?.aborted) throw error;
    throw new DarkroomError("unavailable", signal.aborted ? "It takes too long." : reasonOf(error));
  }
}

type Terms = Omit<DownloadOptions, "wholeMs"> & { readonly signal: AbortSignal };

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Of a name with several addresses, each tried in vain.
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join("; ");
  return error.message || String((error as NodeJS.ErrnoException).code);
}

/** The answer at the end of all redirects. */
async function follow(start: string, options: Terms): Promise<IncomingMessage> {
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
    } else {
      const passes = status >= 500 || status === 429 || status === 408;
      throw new DarkroomError(passes ? "unavailable" : "download-failed", `The server answers ${status}.`);
    }
  }
  throw new DarkroomError("download-failed", `More than ${MAX_REDIRECTS} redirects.`);
}

function parse(text: string, base?: URL): URL {
  const url = URL.canParse(text, base?.href) ? new URL(text, base) : undefined;
  if (url && (url.protocol === "http:" || url.protocol === "https:")) return url;
  throw new DarkroomError("bad-url");
}

function get(url: URL, { allowPrivate, signal, idleMs = IDLE_MS }: Terms): Promise<IncomingMessage> {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (!allowPrivate && isAddress(host) && !isPublicAddress(host)) throw new DarkroomError("private-address");
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
      reject(/private address/.test(error.message) ? new DarkroomError("private-address") : error),
    );
  });
}

async function* limited(response: IncomingMessage, maxBytes: number): AsyncGenerator<Buffer> {
  const tooLarge = new DarkroomError("too-large", `It has more than ${maxBytes} bytes.`);
  let size = Number(response.headers["content-length"] ?? 0);
  if (size > maxBytes) {
    response.destroy();
    throw tooLarge;
  }
  size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw tooLarge;
    yield chunk;
  }
}
