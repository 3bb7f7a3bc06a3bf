/** Sending bytes to S3, and what its answers mean. */
import { DarkroomError, isPassing, networkError, retryAfterOf } from "./errors.ts";
import { read } from "./read.ts";
import type { Arrival, Outgoing, Transport } from "./transport.ts";

/**
 * One PUT. Resolves with the answer's ETag; `undefined` when S3 says that it was written already.
 * @throws DarkroomError `expired` (for the caller, who signs again), `file-changed`, `upload-lost`, `upload-refused`;
 *   `busy`, `offline` and `unreachable` may pass
 */
export async function put(send: Transport["send"], outgoing: Outgoing): Promise<string | undefined> {
  const arrival = await send(outgoing);
  const { status, header, cause } = arrival;
  if (status === 412) return undefined;
  if (status >= 200 && status < 300) return header("etag") ?? undefined;
  const error = status ? refusal(arrival) : networkError(cause);
  // Browsers report a file that changed on disk as a network error, or send another length than was signed: reading it
  // tells the difference.
  if (!status || error.code === "upload-refused") {
    await read(outgoing.body.slice(0, 1));
  }
  throw error;
}

/** https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
function refusal({ status, text: xml, header }: Arrival): DarkroomError {
  const said = /<Code>(\w+)<\/Code>/.exec(xml)?.[1] ?? "";
  const code =
    // ExpiredToken is the end of the credentials that signed; the rest, a URL that is late, or early by the clocks.
    /^(ExpiredToken|RequestTimeTooSkewed)$/.test(said) ||
    (status === 403 && /expired|not yet valid/i.test(xml))
      ? "expired"
      : // RequestTimeout: S3 closed a connection on which nothing came. 409: two writers, one of them us before.
        isPassing(status) || status === 409 || said === "RequestTimeout"
        ? "busy"
        : /^(BadDigest|IncompleteBody|XAmzContent\w+Mismatch)$/.test(said)
          ? "file-changed"
          : said === "NoSuchUpload"
            ? "upload-lost"
            : "upload-refused";
  return new DarkroomError(code, undefined, {
    retryable: code === "busy",
    retryAfter: retryAfterOf(header("retry-after")),
    cause: { status, code: said },
  });
}
