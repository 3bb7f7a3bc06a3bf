/** Sending bytes to S3. `fetch` has no upload progress in any browser, so this is XMLHttpRequest. */
import { DarkroomError, isPassing, networkError, retryAfterOf } from "./errors.ts";

export interface Outgoing {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body: Blob;
  /** Called with the bytes sent so far. */
  readonly onProgress?: ((sent: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A connection on which nothing has moved for so long is dead, whatever the browser believes. */
const STALL_MS = 60_000;

/**
 * One PUT. Resolves with the answer's ETag, without quotes; `undefined` when S3 says that it was written already.
 * @throws DarkroomError `expired` (for the caller, who signs again), `file-changed`, `upload-lost`, `upload-refused`;
 *   `busy`, `offline` and `unreachable` may pass
 */
export async function put(outgoing: Outgoing): Promise<string | undefined> {
  const { signal, body } = outgoing;
  signal?.throwIfAborted();
  const xhr = await transfer(outgoing);
  signal?.throwIfAborted();
  if (xhr.status === 412) return undefined;
  if (xhr.status >= 200 && xhr.status < 300) return xhr.getResponseHeader("etag")?.replaceAll('"', "");
  const error = xhr.status === 0 ? networkError() : refusal(xhr);
  // Browsers report a file that changed on disk as a network error, or send another length than was signed: reading it
  // tells the difference.
  if (xhr.status === 0 || error.code === "upload-refused") {
    await body
      .slice(0, 1)
      .arrayBuffer()
      .catch((cause: unknown) => {
        throw new DarkroomError("file-changed", undefined, { cause });
      });
  }
  throw error;
}

/** Resolves when it is over, however it ended; without an answer the status is 0. */
function transfer({ url, headers, body, onProgress, signal }: Outgoing): Promise<XMLHttpRequest> {
  return new Promise((resolve) => {
    const xhr = new XMLHttpRequest();
    const abort = () => xhr.abort();
    let stalled = setTimeout(abort, STALL_MS);
    const moved = () => {
      clearTimeout(stalled);
      stalled = setTimeout(abort, STALL_MS);
    };
    xhr.upload.onprogress = ({ loaded }) => {
      moved();
      onProgress?.(loaded);
    };
    xhr.onprogress = moved;
    xhr.onloadend = () => {
      clearTimeout(stalled);
      signal?.removeEventListener("abort", abort);
      resolve(xhr);
    };
    xhr.open("PUT", url);
    for (const [name, value] of Object.entries(headers ?? {})) xhr.setRequestHeader(name, value);
    signal?.addEventListener("abort", abort);
    xhr.send(body);
  });
}

/** https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
function refusal(xhr: XMLHttpRequest): DarkroomError {
  const { status, responseText: xml } = xhr;
  // Asked for by name, a header that the bucket's CORS rules do not show is an error in the console.
  const retryAfter = /^retry-after:\s*(\S+)/im.exec(xhr.getAllResponseHeaders())?.[1] ?? null;
  const code = /<Code>(\w+)<\/Code>/.exec(xml)?.[1] ?? "";
  const cause = { status, code };
  // ExpiredToken is the end of the credentials that signed; the rest, a URL that is late, or early by the clocks.
  if (
    /^(ExpiredToken|RequestTimeTooSkewed)$/.test(code) ||
    (status === 403 && /expired|not yet valid/i.test(xml))
  )
    return new DarkroomError("expired", undefined, { cause });
  // RequestTimeout: S3 closed a connection on which nothing came. 409: two writers, one of them us before.
  if (isPassing(status) || status === 409 || code === "RequestTimeout") {
    return new DarkroomError("busy", undefined, {
      retryable: true,
      retryAfter: retryAfterOf(retryAfter),
      cause,
    });
  }
  if (/^(BadDigest|IncompleteBody|XAmzContentChecksumMismatch|XAmzContentSHA256Mismatch)$/.test(code))
    return new DarkroomError("file-changed", undefined, { cause });
  return new DarkroomError(code === "NoSuchUpload" ? "upload-lost" : "upload-refused", undefined, { cause });
}
