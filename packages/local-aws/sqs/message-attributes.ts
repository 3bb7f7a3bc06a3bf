/** Message attributes: what SQS takes, the digest that SDKs check, and which of them a receive asked for. */
import { createHash } from "node:crypto";
import { sqsError } from "./errors.ts";
import { type Input, isRecord, optionalText } from "./input.ts";

export interface MessageAttribute {
  readonly DataType: string;
  readonly StringValue?: string;
  /** Base64. */
  readonly BinaryValue?: string;
}
export type MessageAttributes = Readonly<Record<string, MessageAttribute>>;

const MAX_ATTRIBUTES = 10;

/** @throws QueueError InvalidParameterValue */
export function parseMessageAttributes(input: Input, parameter: string): MessageAttributes {
  const value = input[parameter] ?? {};
  if (!isRecord(value)) throw sqsError("MalformedInput", `The parameter ${parameter} has the wrong type.`);
  const entries = Object.entries(value);
  if (entries.length > MAX_ATTRIBUTES) {
    throw invalid(`Number of message attributes [${entries.length}] exceeds the allowed maximum [10].`);
  }
  return Object.fromEntries(entries.map(([name, entry]) => [name, parseAttribute(name, entry)]));
}

function parseAttribute(name: string, entry: unknown): MessageAttribute {
  const attribute = isRecord(entry) ? entry : {};
  const DataType = optionalText(attribute, "DataType") ?? "";
  const StringValue = optionalText(attribute, "StringValue");
  const BinaryValue = optionalText(attribute, "BinaryValue");
  if (!/^(?!\.)(?!(?:aws|amazon)\.)(?!.*\.\.)[A-Za-z0-9_.-]{1,256}(?<!\.)$/i.test(name)) {
    throw invalid(`Message (user) attribute name '${name}' is not valid.`);
  }
  const [kind] = DataType.split(".");
  if (!["String", "Number", "Binary"].includes(kind ?? "") || DataType.length > 256) {
    const prefixes = "You must use only the following supported type prefixes: Binary, Number, String.";
    throw invalid(`The type of message (user) attribute '${name}' is invalid. ${prefixes}`);
  }
  if ((kind === "Binary" ? BinaryValue : StringValue || undefined) === undefined) {
    throw invalid(`Message (user) attribute '${name}' must contain a non-empty value of type '${DataType}'.`);
  }
  if (kind === "Number" && !Number.isFinite(Number(StringValue))) {
    throw invalid(`Can't cast the value of message (user) attribute '${name}' to a number.`);
  }
  return {
    DataType,
    ...(StringValue === undefined ? {} : { StringValue }),
    ...(BinaryValue === undefined ? {} : { BinaryValue }),
  };
}

const invalid = (message: string) => sqsError("InvalidParameterValue", message);
const bytesOf = ({ StringValue, BinaryValue }: MessageAttribute) =>
  StringValue === undefined ? Buffer.from(BinaryValue ?? "", "base64") : Buffer.from(StringValue);

/** Names, types and values count towards a message's size. */
export function sizeOfAttributes(attributes: MessageAttributes): number {
  return Object.entries(attributes)
    .map(
      ([name, entry]) => Buffer.byteLength(name) + Buffer.byteLength(entry.DataType) + bytesOf(entry).length,
    )
    .reduce((sum, size) => sum + size, 0);
}

/**
 * MD5 over the attributes in the order of their names, each as name, type and value, all with their length in four
 * bytes before them, the value also with its kind ("Amazon SQS message metadata", calculating the MD5 digest).
 */
export function md5OfAttributes(attributes: MessageAttributes): string | undefined {
  const entries = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  if (entries.length === 0) return undefined;
  const hash = createHash("md5");
  const update = (bytes: Uint8Array) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    hash.update(length).update(bytes);
  };
  for (const [name, entry] of entries) {
    update(Buffer.from(name));
    update(Buffer.from(entry.DataType));
    hash.update(Buffer.of(entry.DataType.startsWith("Binary") ? 2 : 1));
    update(bytesOf(entry));
  }
  return hash.digest("hex");
}

/** Those that `names` name: exactly, as a prefix (`order.*`), or all (`All`, `.*`). */
export function selectAttributes(attributes: MessageAttributes, names: readonly string[]): MessageAttributes {
  const wanted = (attribute: string) =>
    names.some((name) =>
      name.endsWith(".*") ? attribute.startsWith(name.slice(0, -2)) : name === "All" || name === attribute,
    );
  return Object.fromEntries(Object.entries(attributes).filter(([name]) => wanted(name)));
}
