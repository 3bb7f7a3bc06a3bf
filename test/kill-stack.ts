/** `npm run chaos -- --kill`: uploads to the local stack, which is killed outright again and again meanwhile. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { S3Client } from "@aws-sdk/client-s3";
import sharp from "sharp";
import { s3Store } from "../adapters/aws/s3-store.ts";
import { openFile } from "../cli/local-file.ts";
import { ORIGINALS, parseOriginalKey } from "../core/keys.ts";
import { inLanes } from "../core/lanes.ts";
import { listed } from "../core/listing.ts";
import { seeded } from "./simulation/random.ts";
import { startProcess } from "./stack-process.ts";

export interface Killing {
  readonly uploads: number;
  readonly kills: number;
  readonly seed: number;
  /** Told now and then. */
  readonly progress: (line: string) => void;
}

export interface Ends {
  /** By status, of all that S3 accepted: also of what was sent twice, as its first answer was lost. */
  readonly statuses: ReadonlyMap<string, number>;
  /** Answered with success, and not there. */
  readonly lost: number;
}

/** What is up now; whoever finds it gone waits for the next. */
class Victim {
  readonly data = mkdtempSync(join(tmpdir(), "darkroom-kill-"));
  #up = startProcess(this.data);

  get up(): ReturnType<typeof startProcess> {
    return this.#up;
  }

  async kill(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const { child } = await this.#up;
    await end(child, signal);
    if (signal === "SIGKILL") this.#up = startProcess(this.data);
  }
}

async function end(child: ChildProcess, signal: "SIGKILL" | "SIGTERM"): Promise<void> {
  const exit = once(child, "exit");
  child.kill(signal);
  await exit;
}

const LANES = 4;

export async function killStack({ uploads, kills, seed, progress }: Killing): Promise<Ends> {
  const random = seeded(seed);
  const victim = new Victim();
  const files = await pictures(victim.data, 20);
  const accepted: string[] = [];
  let [killed, uploaded] = [0, false];
  const upload = async (n: number) => {
    for (;;) {
      try {
        const { api } = await victim.up;
        accepted.push(await api.upload(await openFile(files[n % files.length] ?? "")));
        return;
      } catch {
        await setTimeout(50);
      }
    }
  };
  const killer = async () => {
    for (; killed < kills; killed++) {
      await victim.up;
      await setTimeout(500 + random.below(3000));
      await victim.kill("SIGKILL");
      if (killed % 10 === 9) progress(`${killed + 1} kills, ${accepted.length} uploads`);
      // While there is something to be killed over.
      if (uploaded) await setTimeout(random.below(500));
    }
  };
  const sender = inLanes(
    Array.from({ length: uploads }, (_, n) => n),
    LANES,
    upload,
  ).then(() => {
    uploaded = true;
  });
  await Promise.all([killer(), sender]);
  const statuses = await settled(await victim.up, progress);
  const lost = accepted.filter((id) => !statuses.has(id)).length;
  await victim.kill("SIGTERM");
  rmSync(victim.data, { recursive: true });
  return { statuses: counted(statuses.values()), lost };
}

/** Small, and each another one. */
async function pictures(folder: string, count: number): Promise<string[]> {
  return inLanes(
    Array.from({ length: count }, (_, n) => n),
    2,
    async (n) => {
      const path = join(folder, `${n}.jpg`);
      const background = { r: 10 * n, g: 200 - 5 * n, b: 90 };
      await sharp({ create: { width: 400, height: 300, channels: 3, background } })
        .jpeg()
        .toFile(path);
      return path;
    },
  );
}

/** By image, of every original that S3 has, once none is on its way any more. */
async function settled(
  { api, note }: Awaited<ReturnType<typeof startProcess>>,
  progress: (line: string) => void,
): Promise<Map<string, string>> {
  const { s3, buckets, region, credentials } = note;
  const client = new S3Client({
    endpoint: s3,
    region,
    forcePathStyle: true,
    ...(credentials ? { credentials } : {}),
  });
  const statuses = new Map<string, string>();
  for await (const { key } of listed(s3Store(client, buckets.uploads), ORIGINALS))
    statuses.set(parseOriginalKey(key) ?? key, "processing");
  for (let before = Number.NaN; ; ) {
    const open = [...statuses].filter(([, status]) => status === "processing");
    if (open.length === 0) return statuses;
    if (open.length !== before) progress(`${open.length} on their way`);
    before = open.length;
    for (const [id] of open)
      statuses.set(id, (await api.call<{ status: string }>("GET", `/images/${id}`)).status);
    await setTimeout(500);
  }
}

function counted(statuses: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const status of statuses) counts.set(status, (counts.get(status) ?? 0) + 1);
  return counts;
}
