/** The attributes of a queue that can be set: add one by adding a row. */

import { sqsError } from "./errors.ts";
import type { QueueSettings } from "./standard-queue.ts";

interface SettableAttribute {
  /** Shown where nobody set it. */
  readonly byDefault?: string;
  /** A whole number from … to …; otherwise `valid` decides. */
  readonly range?: readonly [number, number];
  readonly valid?: (value: string) => boolean;
  /** What the number sets in the engine. */
  readonly setting?: Exclude<keyof QueueSettings, "redrive">;
}

const isJson = (value: string) => {
  try {
    return typeof JSON.parse(value) === "object";
  } catch {
    return false;
  }
};
/** Setting one of these to nothing removes it. */
const jsonText = { valid: (value: string) => value === "" || isJson(value) };

export const settable = {
  DelaySeconds: { byDefault: "0", range: [0, 900], setting: "delaySeconds" },
  MaximumMessageSize: { byDefault: "1048576", range: [1_024, 1_048_576], setting: "maxBytes" },
  MessageRetentionPeriod: { byDefault: "345600", range: [60, 1_209_600], setting: "retentionSeconds" },
  ReceiveMessageWaitTimeSeconds: { byDefault: "0", range: [0, 20], setting: "waitSeconds" },
  VisibilityTimeout: { byDefault: "30", range: [0, 43_200], setting: "visibilitySeconds" },
  Policy: jsonText,
  RedrivePolicy: jsonText,
  RedriveAllowPolicy: jsonText,
  KmsMasterKeyId: { valid: () => true },
  KmsDataKeyReusePeriodSeconds: { range: [60, 86_400] },
  SqsManagedSseEnabled: { byDefault: "true", valid: (value) => value === "true" || value === "false" },
} as const satisfies Record<string, SettableAttribute>;

const rows: Readonly<Record<string, SettableAttribute>> = settable;

/** @throws QueueError InvalidAttributeName, InvalidAttributeValue, UnsupportedOperation */
export function checkAttributes(attributes: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "FifoQueue" && value === "true") throw noFifo();
    const row = Object.hasOwn(rows, name) ? rows[name] : undefined;
    if (!row) throw sqsError("InvalidAttributeName", `Unknown Attribute ${name}.`);
    const [min, max] = row.range ?? [0, 0];
    const valid = row.range
      ? /^[0-9]+$/.test(value) && Number(value) >= min && Number(value) <= max
      : row.valid?.(value);
    if (!valid) throw sqsError("InvalidAttributeValue", `Invalid value for the parameter ${name}.`);
  }
}

export const noFifo = () =>
  sqsError("UnsupportedOperation", "This local SQS has standard queues only; FIFO queues are not supported.");

/** Every settable attribute that has a value, with the defaults. */
export function withDefaults(attributes: Readonly<Record<string, string>>): Record<string, string> {
  const shown = Object.entries(rows).map(([name, { byDefault }]) => [
    name,
    attributes[name] ?? byDefault ?? "",
  ]);
  return Object.fromEntries(shown.filter(([, value]) => value !== ""));
}

/** The part of the engine's settings that numbers decide. */
export function settingsOf(attributes: Readonly<Record<string, string>>): Partial<QueueSettings> {
  const values = withDefaults(attributes);
  const pairs = Object.entries(rows).flatMap(([name, { setting }]) =>
    setting ? [[setting, Number(values[name])]] : [],
  );
  return Object.fromEntries(pairs);
}

export interface RedrivePolicy {
  readonly deadLetterTargetArn: string;
  readonly maxReceiveCount: number;
}

/** @throws QueueError InvalidParameterValue, in SQS's words */
export function parseRedrivePolicy(value: string | undefined): RedrivePolicy | undefined {
  if (!value) return undefined;
  const refuse = (reason: string) =>
    sqsError(
      "InvalidParameterValue",
      `Value ${value} for parameter RedrivePolicy is invalid. Reason: ${reason}`,
    );
  const { deadLetterTargetArn, maxReceiveCount } = JSON.parse(value) ?? {};
  const isArn =
    typeof deadLetterTargetArn === "string" &&
    /^arn:aws:sqs:[^:]*:[0-9]{12}:[^:]+$/.test(deadLetterTargetArn);
  if (!isArn) throw refuse("Invalid value for deadLetterTargetArn.");
  const count = Number(maxReceiveCount);
  if (!Number.isInteger(count) || count < 1 || count > 1_000) {
    throw refuse(
      `Invalid value for maxReceiveCount: ${maxReceiveCount}, valid values are from 1 to 1000 both inclusive.`,
    );
  }
  return { deadLetterTargetArn, maxReceiveCount: count };
}
