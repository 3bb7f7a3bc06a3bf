/**
 * Lambda's recursion detection: a trace header counts how often each function is in the chain of invocations that led
 * to a message (`Lineage=a87bd80c:1|68fd508a:5`), and a function that is in it for too long is invoked no more.
 */
import { createHash, randomBytes } from "node:crypto";

/** "Approximately 16 times", says Lambda's developer guide. */
export const MAX_HOPS = 16;

type Lineage = ReadonlyMap<string, number>;

/** Not the name itself: the header goes wherever the message goes. */
const digestOf = (name: string) => createHash("sha256").update(name).digest("hex").slice(0, 8);

function lineageOf(header: string | undefined): Lineage {
  const [, entries = ""] = /(?:^|;)\s*Lineage=([0-9a-f:|]*)/.exec(header ?? "") ?? [];
  return new Map(
    entries.split("|").flatMap((entry) => {
      const [digest, count] = entry.split(":");
      return digest && Number(count) > 0 ? [[digest, Number(count)] as const] : [];
    }),
  );
}

/** How often a function has been in the longest of these messages' chains. */
export function hopsOf(name: string, headers: readonly (string | undefined)[]): number {
  return Math.max(0, ...headers.map((header) => lineageOf(header).get(digestOf(name)) ?? 0));
}

/** The header of an invocation with these messages: its own trace, and the longest chain of each function with one more. */
export function nextTrace(name: string, headers: readonly (string | undefined)[] = []): string {
  const longest = new Map<string, number>();
  for (const header of headers)
    for (const [digest, count] of lineageOf(header))
      longest.set(digest, Math.max(count, longest.get(digest) ?? 0));
  longest.set(digestOf(name), hopsOf(name, headers) + 1);
  const lineage = [...longest].map((entry) => entry.join(":")).join("|");
  const root = `1-${Math.floor(Date.now() / 1000).toString(16)}-${randomBytes(12).toString("hex")}`;
  return `Root=${root};Parent=${randomBytes(8).toString("hex")};Sampled=0;Lineage=${lineage}`;
}
