/** How late the CDN forgets what was deleted at once: the use case itself, every minute, against CloudFront's limits. */
import { memoryStore } from "../adapters/memory/memory-store.ts";
import { FORGETS, IMAGES, newId, parseImageKey } from "../core/keys.ts";
import { forgetNoted, noteForget } from "../core/tell/forget.ts";
import { Edge } from "../laptop/edge.ts";
import { generator } from "./burst.ts";
import type { Report } from "./report.ts";

const [MINUTE, HOUR] = [60_000, 3_600_000];
/** How long CloudFront takes for a path. */
const UNDER_WAY = MINUTE;

interface Late {
  /** Minutes from the deletes until the CDN has forgotten half of them, and the last. */
  readonly half: number;
  readonly last: number;
  readonly requests: number;
}

/** @param after hours since everything was forgotten for others; never where absent */
async function late(deletes: number, after?: number): Promise<Late> {
  let now = Date.parse("2026-11-20T12:00:00Z");
  const clock = () => new Date(now);
  const uploads = memoryStore({ now: clock });
  const edge = new Edge({ get: async () => undefined }, () => now);
  const random = generator(deletes);
  const bytes = (count: number) => Uint8Array.from({ length: count }, () => Math.floor(random() * 256));
  const open = new Set<string>();
  let requests = 0;
  const gone: number[] = [];
  const forget = async (paths: readonly string[], reference: string) => {
    if (!edge.forget(paths, reference)) return false;
    requests++;
    const isAll = paths.includes(`/${IMAGES}*`);
    for (const id of isAll ? [...open] : paths.flatMap((path) => parseImageKey(path.slice(1)) ?? []))
      if (open.delete(id)) gone.push(now + UNDER_WAY);
    return true;
  };
  const deps = { uploads, now: clock, random: bytes, forget };
  const turns = async () => {
    for (; (await uploads.list(FORGETS, { limit: 1 })).objects.length > 0; now += MINUTE)
      await forgetNoted(deps, new Date(now + MINUTE));
  };
  const note = async (count: number) => {
    const ids = Array.from({ length: count }, () => newId(bytes));
    for (const id of ids) await noteForget(deps, id);
    return ids;
  };
  if (after !== undefined) {
    await note(1000);
    now += 2000;
    await turns();
    now += after * HOUR;
  }
  const since = now;
  [requests, gone.length] = [0, 0];
  for (const id of await note(deletes)) open.add(id);
  // The schedule's next turn.
  now += MINUTE;
  await turns();
  gone.sort((a, b) => a - b);
  const minutes = (at = since) => Math.round((at - since) / MINUTE);
  return { half: minutes(gone[(gone.length - 1) >> 1]), last: minutes(gone.at(-1)), requests };
}

export async function forget(): Promise<Report> {
  const cases: [deletes: number, after?: number][] = [[1], [100], [900], [1000], [100_000], [100_000, 1]];
  const found: (Late & { deletes: number; after: number | undefined })[] = [];
  for (const [deletes, after] of cases) found.push({ deletes, after, ...(await late(deletes, after)) });
  return {
    title: "How late the CDN forgets what was deleted",
    on: "simulated: everything deleted at once, a turn of the schedule every minute, CloudFront as documented: 15 paths with a wildcard at a time, each for a minute.",
    rows: found.map(({ deletes, after, half, last, requests }) => ({
      "deletes at once":
        deletes.toLocaleString("en") +
        (after === undefined ? "" : ", an hour after everything was forgotten"),
      "half are forgotten after": `${half} min`,
      "the last after": `${last} min`,
      requests,
    })),
    figures: [
      {
        what: "the last of any number",
        value: Math.max(...found.map(({ last }) => last)),
        unit: "min",
        atMost: 1440,
      },
    ],
  };
}
