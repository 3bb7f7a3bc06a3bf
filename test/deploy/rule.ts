/** A rule about a template, and how to break it. */
import { at, type Template } from "./packaged.ts";

/** A path and what stands there instead; undefined takes it away. */
export type Edit = readonly [path: string, value: unknown];
export interface Rule {
  /** What is wrong, a sentence each. */
  readonly check: (template: Template) => string[] | Promise<string[]>;
  readonly breaks: readonly Edit[];
}
export type Rules = Readonly<Record<string, Rule>>;

/** A copy of the template with one edit. @throws Error where there is no such place */
export function edited(template: Template, [path, value]: Edit): Template {
  const copy = structuredClone(template);
  const keys = path.split(".");
  const last = keys.pop() ?? "";
  const parent = at(copy, keys.join(".")) as Record<string, unknown> | undefined;
  if (typeof parent !== "object") throw new Error(`the template has no ${keys.join(".")}`);
  if (value === undefined) {
    if (!Object.hasOwn(parent, last)) throw new Error(`the template has no ${path}`);
    delete parent[last];
  } else {
    parent[last] = value;
  }
  return copy;
}

/** `what` for every entry that does not hold. */
export function each<T>(
  entries: readonly (readonly [string, T])[],
  what: string,
  holds: (entry: T, id: string) => boolean,
): string[] {
  return entries.filter(([id, entry]) => !holds(entry, id)).map(([id]) => `${id}: ${what}`);
}
