/** One JSON object per line on standard output, where Lambda's log group and a terminal pick it up. */
import type { Log } from "../core/ports.ts";

const levels = ["debug", "info", "warn", "error"] as const;

/** @param base fields of every line, such as the request's id */
export function jsonLog(minimum: string | undefined, base: Record<string, unknown> = {}): Log {
  const from = Math.max(0, levels.indexOf((minimum ?? "info") as (typeof levels)[number]));
  return (level, event, fields = {}) => {
    if (levels.indexOf(level) < from) return;
    process.stdout.write(
      `${JSON.stringify({ time: new Date().toISOString(), level, event, ...base, ...fields })}\n`,
    );
  };
}

/** What of an unexpected error may stand in a log: its kind and where, with signatures and tokens blacked out. */
export function errorFields(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { error: typeof error };
  const stack = (error.stack ?? error.message).replaceAll(
    /((?:X-Amz-(?:Signature|Security-Token|Credential)=)|(?:Bearer )|(?:\/t\/))[^\s&/"']+/gi,
    "$1…",
  );
  return { error: error.name, stack };
}
