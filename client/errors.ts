/** What can go wrong in the browser, and what a person should read then. The API's own codes come with sentences. */
const sentences = {
  offline: "You are offline. Connect to the internet and try again.",
  unreachable: "The server cannot be reached. Try again in a moment.",
  busy: "The server is busy. Try again in a moment.",
  "file-empty": "The file is empty.",
  "file-changed": "The file was changed or removed during its upload. Choose it again.",
  "token-refused": "You are not signed in, or no longer. Sign in again, then upload again.",
  "token-failed": "Permission to upload could not be fetched. Try again in a moment.",
  "clock-wrong": "The server's clock is wrong, so its storage refuses uploads. Tell whoever runs this site.",
  "upload-refused": "The storage refused the file. Try again, or tell whoever runs this site.",
  "upload-lost": "The upload was stopped. Start it again.",
  held: "The image has arrived. It is shown once somebody has looked at it.",
  "still-processing": "The image is not ready yet. Look again later.",
  "bad-answer": "The server's answer makes no sense. Is the endpoint right?",
} as const;

/** Made in the browser; every code of the API (`docs/api.md`) may stand in its place. */
export type ClientErrorCode = keyof typeof sentences;

// `declare`: a field of its own would be 12 bytes for every page.
/** The one error class. An upload that the caller aborts throws the signal's reason instead (an `AbortError`). */
export class DarkroomError extends Error {
  override readonly name = "DarkroomError";
  /** For programs: one of ours, or the API's. */
  declare readonly code: ClientErrorCode | (string & {});
  /** Whether the same may succeed a little later. */
  declare readonly retryable: boolean;
  /** Milliseconds that the server asked to wait. */
  declare readonly retryAfter: number | undefined;

  /** @param message for people; the code's own sentence where absent */
  constructor(
    code: ClientErrorCode | (string & {}),
    message?: string | undefined,
    {
      retryable = false,
      retryAfter,
      cause,
    }: { retryable?: boolean; retryAfter?: number | undefined; cause?: unknown } = {},
  ) {
    super(message ?? sentences[code as ClientErrorCode] ?? code, cause === undefined ? undefined : { cause });
    this.code = code;
    this.retryable = retryable;
    this.retryAfter = retryAfter;
  }
}

export const hasCode = (error: unknown, ...codes: string[]): error is DarkroomError =>
  error instanceof DarkroomError && codes.includes(error.code);

/** A request that got no answer. */
export function networkError(cause?: unknown): DarkroomError {
  return new DarkroomError(
    (navigator as object as { onLine?: boolean }).onLine === false ? "offline" : "unreachable",
    undefined,
    {
      retryable: true,
      cause,
    },
  );
}

/** Whether a server that answers so may answer better later. */
export const isPassing = (status: number) => status >= 500 || status === 429 || status === 408;

/** A longer wish is not followed: it may be nonsense. */
const MAX_RETRY_AFTER_MS = 300_000;

/** Milliseconds of a `Retry-After`. Dates are not followed: this computer's clock may be wrong. None is 0: that would be no rest. */
export function retryAfterOf(header: string | null): number | undefined {
  return header && /^[1-9]\d*$/.test(header)
    ? Math.min(Number(header) * 1000, MAX_RETRY_AFTER_MS)
    : undefined;
}
