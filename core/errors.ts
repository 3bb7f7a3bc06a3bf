/**
 * Every way things go wrong, one row each: add an error by adding a row.
 *
 * `outcome` is the whole error policy:
 * - `answer`   the caller's fault; the API answers with `status` and a problem document
 * - `rejected` the file's fault; ends the image, never retried
 * - `failed`   ours; ends the image, an operator may re-process it
 * - `retry`    will pass; goes back to the queue, the API answers with `status`
 * - `conflict` somebody else wrote first; the caller reads again and decides anew
 *
 * `sentence` is for the person who uploads: what is wrong and what to do about it.
 */
import type { Finding } from "./checks.ts";

const table = {
  "bad-request": {
    outcome: "answer",
    status: 400,
    sentence: "The request is not in the form this route expects.",
  },
  unauthenticated: { outcome: "answer", status: 401, sentence: "A valid bearer token is required." },
  forbidden: { outcome: "answer", status: 403, sentence: "This token does not allow that." },
  "not-found": { outcome: "answer", status: 404, sentence: "There is none of that name here." },
  gone: { outcome: "answer", status: 410, sentence: "This image was deleted." },
  "not-signed": {
    outcome: "answer",
    status: 501,
    sentence: "Private images are not served here: there is no key to sign for them.",
  },
  "no-forms": {
    outcome: "answer",
    status: 501,
    sentence: "The storage here takes no forms, and a file whose size is not said goes in no other way.",
  },
  archived: {
    outcome: "answer",
    status: 409,
    sentence: "The original lies in an archive, and has to be restored from there first.",
  },
  "not-deleted": { outcome: "answer", status: 409, sentence: "This image was not deleted; it is there." },
  "not-kept": {
    outcome: "answer",
    status: 410,
    sentence:
      "Nothing is kept of this image any more: the days to take a delete back are over, or the buckets keep no versions.",
  },
  "not-ready": { outcome: "answer", status: 409, sentence: "Only an image that is ready can be edited." },
  "edited-since": {
    outcome: "answer",
    status: 412,
    sentence: "Somebody has changed this image since you looked; look again.",
  },
  "job-running": { outcome: "answer", status: 409, sentence: "The same job is running already." },
  "job-over": { outcome: "answer", status: 409, sentence: "This job is over; start another." },
  "not-held": {
    outcome: "answer",
    status: 409,
    sentence: "This image does not wait for anybody's judgement, or no longer.",
  },
  "not-stopped": {
    outcome: "answer",
    status: 409,
    sentence: "The sweep does not stand at this stop, or no longer; look at it again.",
  },
  "body-too-large": { outcome: "answer", status: 413, sentence: "The request body is larger than 64 KB." },
  "type-not-accepted": { outcome: "answer", status: 422, sentence: "Files of this type are not accepted." },
  "file-too-large": { outcome: "answer", status: 422, sentence: "The file is larger than allowed." },
  "bad-url": { outcome: "answer", status: 422, sentence: "Only http and https URLs can be fetched." },
  "private-address": {
    outcome: "answer",
    status: 422,
    sentence: "It is at a private address, from which nothing is fetched.",
  },
  "download-failed": { outcome: "answer", status: 422, sentence: "It could not be fetched from there." },
  "file-empty": { outcome: "answer", status: 422, sentence: "The file is empty." },
  "rate-limited": {
    outcome: "answer",
    status: 429,
    sentence: "Too many uploads at once; wait a moment and try again.",
  },
  internal: { outcome: "retry", status: 500, sentence: "Something went wrong on our side; try again." },
  unavailable: { outcome: "retry", status: 503, sentence: "The service is busy; try again in a moment." },

  empty: { outcome: "rejected", status: 422, sentence: "The file is empty." },
  "unsupported-format": {
    outcome: "rejected",
    status: 422,
    sentence: "This is not an image of a format we accept.",
  },
  corrupt: { outcome: "rejected", status: 422, sentence: "The image is damaged and cannot be read." },
  truncated: { outcome: "rejected", status: 422, sentence: "The image is incomplete: its end is missing." },
  "too-many-pixels": {
    outcome: "rejected",
    status: 422,
    sentence: "The image has more pixels than we accept.",
  },
  "dimension-too-large": {
    outcome: "rejected",
    status: 422,
    sentence: "The image is wider or taller than we accept.",
  },
  "too-many-frames": {
    outcome: "rejected",
    status: 422,
    sentence: "The animation is longer than we accept.",
  },
  "too-large": { outcome: "rejected", status: 422, sentence: "The file is larger than we accept." },
  "checksum-mismatch": {
    outcome: "rejected",
    status: 422,
    sentence: "The file that arrived is not the one that was announced; upload it again.",
  },
  timeout: { outcome: "rejected", status: 422, sentence: "The image takes too long to read." },
  "over-quota": { outcome: "rejected", status: 422, sentence: "There is no room for another image." },
  "not-allowed": { outcome: "rejected", status: 422, sentence: "This image is not allowed here." },
  "decoder-crashed": { outcome: "rejected", status: 422, sentence: "The image cannot be read." },

  "retries-exhausted": {
    outcome: "failed",
    status: 500,
    sentence:
      "We could not develop this image after several tries. The original is kept; it can be processed again.",
  },
  "not-encoded": {
    outcome: "failed",
    status: 500,
    sentence:
      "We could not make the variants of this image. The original is kept; it can be processed again.",
  },
  "unknown-preset": {
    outcome: "failed",
    status: 500,
    sentence: "The preset this image was uploaded for no longer exists.",
  },
  "original-gone": {
    outcome: "failed",
    status: 410,
    sentence: "The original is gone: what was made of it stays, and nothing new can be.",
  },

  "precondition-failed": {
    outcome: "conflict",
    status: 412,
    sentence: "It was changed by somebody else in the meantime.",
  },
} as const satisfies Record<string, ErrorRow>;

interface ErrorRow {
  readonly outcome: "answer" | "rejected" | "failed" | "retry" | "conflict";
  /** HTTP status, where the API answers with it. */
  readonly status: number;
  readonly sentence: string;
}

export type ErrorCode = keyof typeof table;
type CodesOf<O extends ErrorRow["outcome"]> = {
  [C in ErrorCode]: (typeof table)[C]["outcome"] extends O ? C : never;
}[ErrorCode];
export const errors: Readonly<Record<ErrorCode, ErrorRow>> = table;

/** The codes with the given outcome, in table order. */
export function codesOf<O extends ErrorRow["outcome"]>(outcome: O): CodesOf<O>[] {
  return (Object.keys(table) as ErrorCode[]).filter((c): c is CodesOf<O> => errors[c].outcome === outcome);
}

/** The one error class. `detail` replaces the row's sentence where more can be said; it may be shown to a user. */
export class DarkroomError extends Error {
  override readonly name = "DarkroomError";
  readonly code: ErrorCode;
  /** HTTP headers that go with the answer, such as `retry-after`. */
  readonly headers: Readonly<Record<string, string>>;
  /** What a look at a rejected file found. */
  readonly finding: Finding | undefined;

  constructor(
    code: ErrorCode,
    detail?: string,
    options: { cause?: unknown; headers?: Record<string, string>; finding?: Finding } = {},
  ) {
    super(detail ?? errors[code].sentence, "cause" in options ? { cause: options.cause } : {});
    this.code = code;
    this.headers = options.headers ?? {};
    this.finding = options.finding;
  }

  get row(): ErrorRow {
    return errors[this.code];
  }
}

/** True for the given outcome; anything that is not a DarkroomError is unexpected and counts as `retry`. */
export function hasOutcome(error: unknown, outcome: ErrorRow["outcome"]): error is DarkroomError {
  return error instanceof DarkroomError && error.row.outcome === outcome;
}
