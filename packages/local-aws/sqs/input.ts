/** Reading a request's parameters. The Query protocol sends numbers as text, so text that is one will do. */
import { sqsError } from "./errors.ts";

export type Input = Readonly<Record<string, unknown>>;

export const isRecord = (value: unknown): value is Input =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const wrongType = (name: string) => sqsError("MalformedInput", `The parameter ${name} has the wrong type.`);

export function optionalText(input: Input, name: string): string | undefined {
  const value = input[name] ?? undefined;
  if (value !== undefined && typeof value !== "string") throw wrongType(name);
  return value;
}

export function requiredText(input: Input, name: string): string {
  return required(optionalText(input, name), name);
}

export function optionalInteger(input: Input, name: string): number | undefined {
  const value = input[name] ?? undefined;
  if (value === undefined) return undefined;
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (typeof number !== "number" || !Number.isInteger(number)) throw wrongType(name);
  return number;
}

export function requiredInteger(input: Input, name: string): number {
  return required(optionalInteger(input, name), name);
}

export function textList(input: Input, name: string): string[] {
  const value = input[name] ?? [];
  if (!Array.isArray(value) || !value.every((entry) => typeof entry === "string")) throw wrongType(name);
  return value;
}

export function textMap(input: Input, name: string): Record<string, string> {
  const value = input[name] ?? {};
  if (!isRecord(value)) throw wrongType(name);
  const entries = Object.entries(value).map(([key, entry]): [string, string] => {
    if (typeof entry !== "string") throw wrongType(name);
    return [key, entry];
  });
  return Object.fromEntries(entries);
}

export function recordList(input: Input, name: string): Input[] {
  const value = input[name] ?? [];
  if (!Array.isArray(value) || !value.every(isRecord)) throw wrongType(name);
  return value;
}

function required<T>(value: T | undefined, name: string): T {
  if (value === undefined)
    throw sqsError("MissingParameter", `The request must contain the parameter ${name}.`);
  return value;
}
