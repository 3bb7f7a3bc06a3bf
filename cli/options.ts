/** Options that several commands have, spelled and explained once. */
import { type Command, InvalidArgumentError, Option } from "commander";

/** For a command that talks to the API: what `connect` takes. */
export interface ApiOptions {
  readonly api?: string;
  readonly token?: string;
}

export function withApi(command: Command): Command {
  return command
    .addOption(new Option("--api <url>", "a deployed API; the local stack where absent").env("DARKROOM_API"))
    .addOption(new Option("--token <jwt>", "token for it").env("DARKROOM_TOKEN"));
}

/** With it, standard output holds nothing but JSON, one document per line. */
export function withJson(command: Command, what = "one JSON document per line, for scripts"): Command {
  return command.option("--json", what);
}

export function withExamples(command: Command, ...lines: string[]): Command {
  return command.addHelpText("after", `\nExamples:\n${lines.map((line) => `  darkroom ${line}`).join("\n")}`);
}

export function portNumber(text: string): number {
  const value = Number(text);
  if (!/^[0-9]{1,5}$/.test(text) || value > 65_535) throw new InvalidArgumentError("A port, 0 to 65535.");
  return value;
}

export function wholeNumber(text: string): number {
  return numberUpTo(text, 86_400);
}

export function byteCount(text: string): number {
  return numberUpTo(text, Number.MAX_SAFE_INTEGER);
}

function numberUpTo(text: string, max: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > max)
    throw new InvalidArgumentError("A whole number from 1.");
  return value;
}

/** `1%`, as a share. */
export function percentage(text: string): number {
  const share = /^\d+(\.\d+)?%$/.test(text) ? Number(text.slice(0, -1)) / 100 : 0;
  if (!(share > 0 && share <= 1)) throw new InvalidArgumentError("A share such as 1%, up to 100%.");
  return share;
}
