/** Messages between the wire and the engine. */
import { createHash } from "node:crypto";
import { sqsError } from "./errors.ts";
import {
  type Input,
  isRecord,
  optionalInteger,
  optionalText,
  requiredInteger,
  requiredText,
} from "./input.ts";
import {
  type MessageAttributes,
  md5OfAttributes,
  parseMessageAttributes,
  selectAttributes,
  sizeOfAttributes,
} from "./message-attributes.ts";
import { checkSize, parseReceipt } from "./queue-rules.ts";
import { ACCOUNT, type LocalQueue } from "./queues.ts";
import type { ReceivedMessage } from "./standard-queue.ts";

const md5 = (text: string) => createHash("md5").update(text).digest("hex");

/** What travels with a message besides its body; kept as JSON in the engine's `extra`. */
interface Extra {
  readonly attributes: MessageAttributes;
  readonly system: MessageAttributes;
  readonly group?: string;
}

/**
 * `SendMessage`, or one entry of `SendMessageBatch`.
 * @param trace the request's own trace header, which a message without one takes over
 */
export function sendMessage(
  { messages, attributes: { MaximumMessageSize } }: LocalQueue,
  input: Input,
  trace?: string,
) {
  const body = requiredText(input, "MessageBody");
  const attributes = parseMessageAttributes(input, "MessageAttributes");
  const system = parseMessageAttributes(input, "MessageSystemAttributes");
  const group = optionalText(input, "MessageGroupId");
  const deduplication = optionalText(input, "MessageDeduplicationId");
  if (deduplication !== undefined) {
    const reason = "The request include parameter that is not valid for this queue type.";
    const value = `Value ${deduplication} for parameter MessageDeduplicationId is invalid. Reason: ${reason}`;
    throw sqsError("InvalidParameterValue", value);
  }
  checkSize(sizeOfMessage(input), Number(MaximumMessageSize ?? MAX_BYTES));
  const inherited: MessageAttributes = trace
    ? { AWSTraceHeader: { DataType: "String", StringValue: trace } }
    : {};
  const extra: Extra = {
    attributes,
    system: { ...inherited, ...system },
    ...(group === undefined ? {} : { group }),
  };
  const delaySeconds = optionalInteger(input, "DelaySeconds");
  const { id } = messages.send(body, { delaySeconds, extra: JSON.stringify(extra) });
  return {
    MessageId: id,
    MD5OfMessageBody: md5(body),
    MD5OfMessageAttributes: md5OfAttributes(attributes),
    MD5OfMessageSystemAttributes: md5OfAttributes(system),
  };
}

/** Also the bound of all entries of one batch together. */
export const MAX_BYTES = 1_048_576;

/** Bytes of the body and of what is counted with it. */
export function sizeOfMessage(input: Input): number {
  const body = optionalText(input, "MessageBody") ?? "";
  return Buffer.byteLength(body) + sizeOfAttributes(parseMessageAttributes(input, "MessageAttributes"));
}

/** A received message as `ReceiveMessage` answers it, with the system and user attributes asked for. */
export function toWire(message: ReceivedMessage, system: readonly string[], user: readonly string[]) {
  const extra = parseExtra(message.extra);
  const all: Record<string, string | undefined> = {
    SenderId: ACCOUNT,
    SentTimestamp: String(message.sentAt),
    ApproximateReceiveCount: String(message.receives),
    ApproximateFirstReceiveTimestamp: String(message.firstReceivedAt),
    DeadLetterQueueSourceArn: message.deadLetteredFrom,
    MessageGroupId: extra.group,
    AWSTraceHeader: extra.system["AWSTraceHeader"]?.StringValue,
  };
  const asked = Object.entries(all).filter(
    ([name, value]) => value !== undefined && (system.includes(name) || system.includes("All")),
  );
  const attributes = selectAttributes(extra.attributes, user);
  const digest = md5OfAttributes(attributes);
  return {
    MessageId: message.id,
    ReceiptHandle: message.receipt,
    MD5OfBody: md5(message.body),
    Body: message.body,
    ...(asked.length > 0 ? { Attributes: Object.fromEntries(asked) } : {}),
    ...(digest === undefined ? {} : { MD5OfMessageAttributes: digest, MessageAttributes: attributes }),
  };
}

function parseExtra(text: string | undefined): Extra {
  const extra: unknown = text === undefined ? {} : JSON.parse(text);
  return isRecord(extra) && isRecord(extra["attributes"])
    ? (extra as unknown as Extra)
    : { attributes: {}, system: {} };
}

/** `DeleteMessage`, or one entry of `DeleteMessageBatch`. */
export function deleteMessage({ messages }: LocalQueue, input: Input): void {
  messages.delete(receiptOf(input));
}

/** `ChangeMessageVisibility`, or one entry of `ChangeMessageVisibilityBatch`. */
export function changeVisibility({ messages }: LocalQueue, input: Input): void {
  const receipt = receiptOf(input);
  if (messages.changeVisibility(receipt, requiredInteger(input, "VisibilityTimeout"))) return;
  const reason = "Message does not exist or is not available for visibility timeout change.";
  throw sqsError(
    "InvalidParameterValue",
    `Value ${receipt} for parameter ReceiptHandle is invalid. Reason: ${reason}`,
  );
}

function receiptOf(input: Input): string {
  const receipt = requiredText(input, "ReceiptHandle");
  if (parseReceipt(receipt)) return receipt;
  throw sqsError(
    "ReceiptHandleIsInvalid",
    `The input receipt handle "${receipt}" is not a valid receipt handle.`,
  );
}
