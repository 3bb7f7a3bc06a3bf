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

const CALM_MS = 60_000;
/** More reasons than there are; should some hold an id, they are forgotten before they are many. */
const MOST_REASONS = 1000;

/**
 * Of lines with the same `reason` one a minute, the next one with how many there were between (`alike`): a receiver or
 * an S3 that is away is told of by every message. A line without a reason is written.
 */
export function calmer(now: () => number = Date.now): (log: Log) => Log {
  const told = new Map<string, { at: number; alike: number }>();
  return (log) =>
    (level, event, fields = {}) => {
      const reason = fields["reason"];
      if (reason === undefined) return log(level, event, fields);
      const key = `${event} ${reason}`;
      const { at, alike } = told.get(key) ?? { at: Number.NEGATIVE_INFINITY, alike: 0 };
      // A clock that jumped back makes nothing young.
      if (Math.abs(now() - at) < CALM_MS) return void told.set(key, { at, alike: alike + 1 });
      if (told.size >= MOST_REASONS) told.clear();
      told.set(key, { at: now(), alike: 0 });
      return log(level, event, alike === 0 ? fields : { ...fields, alike });
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
