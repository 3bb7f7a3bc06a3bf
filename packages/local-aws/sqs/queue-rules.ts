/** What SQS refuses, and its words for it. */

/** `code` is SQS's own. */
export class QueueError extends Error {
  override readonly name = "QueueError";
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** @throws QueueError InvalidParameterValue */
export function checkRange(parameter: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  const reason = `Must be between ${min} and ${max}, if provided.`;
  const words = `Value ${value} for parameter ${parameter} is invalid. Reason: ${reason}`;
  throw new QueueError("InvalidParameterValue", words);
}

/** @throws QueueError InvalidParameterValue */
export function checkSize(bytes: number, maxBytes: number): void {
  if (bytes <= maxBytes) return;
  const reason = `Message must be shorter than ${maxBytes} bytes.`;
  throw new QueueError("InvalidParameterValue", `One or more parameters are invalid. Reason: ${reason}`);
}

/** XML 1.0's characters, the only ones SQS takes. */
const CHARACTERS = /^[\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]*$/u;
const VALID = "#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF";

/** @throws QueueError MissingParameter, InvalidParameterValue, InvalidMessageContents */
export function checkBody(body: string, maxBytes: number): void {
  if (body === "") {
    throw new QueueError("MissingParameter", "The request must contain the parameter MessageBody.");
  }
  checkSize(Buffer.byteLength(body), maxBytes);
  if (CHARACTERS.test(body)) return;
  const words = `Invalid characters found. Valid unicode characters are ${VALID}`;
  throw new QueueError("InvalidMessageContents", words);
}

/** Made of what is kept of a message, so that a receipt given out before a restart is good after it. */
export function formatReceipt({ id, receives }: { id: string; receives: number }): string {
  return Buffer.from(`${receives}:${id}`).toString("base64url");
}

/** Undefined where a text is no receipt of any queue. */
export function parseReceipt(receipt: string): { id: string; receives: number } | undefined {
  const match = /^([1-9][0-9]*):(.+)$/.exec(Buffer.from(receipt, "base64url").toString());
  return match?.[2] === undefined ? undefined : { id: match[2], receives: Number(match[1]) };
}
