/** Which images a command is for, as several commands ask for it. */
import { text } from "node:stream/consumers";
import { type Command, Option } from "commander";
import { ATTENTION } from "../core/keys.ts";
import type { ApiOptions } from "./options.ts";

export interface SelectOptions extends ApiOptions {
  readonly owner?: string;
  readonly status?: string;
  readonly preset?: string;
  readonly after?: string;
  readonly before?: string;
}

/** As many ids as one job takes. */
const IDS_A_JOB = 2000;

export const withSelect = (command: Command): Command =>
  withFilters(command.argument("[ids...]", "these images; - reads ids from standard input, one to a line"));

export const withFilters = (command: Command): Command =>
  command
    .addOption(
      new Option(
        "-s, --status <status>",
        "what became of them; stale: made by another recipe than today's",
      ).choices([...ATTENTION, "stale", "all"]),
    )
    .option("-o, --owner <sub>", "images of this owner")
    .option("-p, --preset <name>", "images of this preset")
    .option("--after <time>", "uploaded at this time or later; a date or a time, ISO 8601")
    .option("--before <time>", "uploaded earlier than this");

export const selectOf = ({ owner, status, preset, after, before }: SelectOptions) => ({
  ...(owner === undefined ? {} : { owner }),
  ...(status ? { status } : {}),
  ...(preset ? { preset } : {}),
  ...(after ? { uploadedAfter: after } : {}),
  ...(before ? { uploadedBefore: before } : {}),
});

export async function idsFrom(given: readonly string[]): Promise<string[]> {
  const piped = given.includes("-") ? (await text(process.stdin)).split(/\s+/) : [];
  return [...given.filter((id) => id !== "-"), ...piped].filter((id) => id !== "");
}

/** One selection without ids, or as many as the ids take. */
export function batches(ids: readonly string[]): { ids?: string[] }[] {
  if (ids.length === 0) return [{}];
  return Array.from({ length: Math.ceil(ids.length / IDS_A_JOB) }, (_, i) => ({
    ids: ids.slice(i * IDS_A_JOB, (i + 1) * IDS_A_JOB),
  }));
}
