/** One JSON object per line on standard output, where Lambda's log group and a terminal pick it up. */
import type { Log } from "../core/ports.ts";

const levels = ["debug", "info", "warn", "error"] as const;

/** @param base fields of every line, such as the request's id */
export function jsonLog(minimum: string | undefined, base: Record<string, unknown> = {}): Log {
  // A level nobody knows is no reason to say everything.
  const known = levels.find((level) => level === minimum?.toLowerCase()) ?? "info";
  const from = levels.indexOf(known);
  return (level, event, fields = {}) => {
    if (levels.indexOf(level) < from) return;
    process.stdout.write(
      `${JSON.stringify({ time: new Date().toISOString(), level, event, ...base, ...fields })}\n`,
    );
  };
}

/** What names a secret, in URLs, headers and JSON, up to the secret itself. */
const SECRETS =
  /(x-amz-(?:signature|security-token|credential)["']?\s*[=:]\s*["']?|\bsignature=|\bbearer\s+|\/t\/)[^\s&/"',]+/gi;

/** What of an unexpected error may stand in a log: its kind and where, and why, with secrets blacked out. */
export function errorFields(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { error: typeof error };
  const stack = (error.stack ?? error.message).replaceAll(SECRETS, "$1…");
  const cause = error.cause === undefined ? {} : { cause: errorFields(error.cause) };
  return { error: error.name, stack, ...cause };
}
