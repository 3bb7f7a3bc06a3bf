/** How a static file is served: its type by its name, how long it may be kept by what the user says. */
import { basename, posix } from "node:path";
import { contentType } from "mime-types";

/** A new version has new URLs, so what is under one never changes. */
const IMMUTABLE = "public, max-age=31536000, immutable";

/** @param text whether its content is text, for names that say nothing */
export function typeOf(path: string, text: boolean): string {
  return contentType(basename(path)) || (text ? "text/plain; charset=utf-8" : "application/octet-stream");
}

export interface CacheRule {
  readonly pattern: string;
  readonly value: string;
}

/** `*.html=no-cache` */
export function parseCacheRule(text: string): CacheRule | undefined {
  const [, pattern, value] = /^([^=]+)=([\x20-\x7e]+)$/.exec(text) ?? [];
  return pattern && value ? { pattern, value: value.trim() } : undefined;
}

/** The last rule that fits; a pattern without a slash is for the name, whatever the folder. */
export function cacheControlOf(path: string, rules: readonly CacheRule[]): string {
  const fits = ({ pattern }: CacheRule) =>
    posix.matchesGlob(pattern.includes("/") ? path : posix.basename(path), pattern);
  return rules.findLast(fits)?.value ?? IMMUTABLE;
}
