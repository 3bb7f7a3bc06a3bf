/** A small system with a backfill queue, in memory: images, jobs, and a worker that does one message at a time. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { ManualClock } from "local-aws/manual-clock";
import * as v from "valibot";
import { MemoryQueue } from "../../../adapters/memory/memory-queue.ts";
import { memoryStore } from "../../../adapters/memory/memory-store.ts";
import { memoryUploads } from "../../../adapters/memory/memory-uploads.ts";
import { readRevision } from "../../../core/commit.ts";
import type { SignDownload } from "../../../core/image/original.ts";
import { ReprocessRequest, reprocess } from "../../../core/job/job.ts";
import { jobProgress, type Progress } from "../../../core/job/job-progress.ts";
import { scanOpenJobs } from "../../../core/job/scan-page.ts";
import { newId, originalKey } from "../../../core/keys.ts";
import type { ObjectStore, OpenUploads, Pixels, Queue } from "../../../core/ports.ts";
import { type Config, defineConfig } from "../../../core/preset.ts";
import { writeUploadMetadata } from "../../../core/upload-metadata.ts";
import { developMessage, failMessage } from "../../../core/worker/handle-message.ts";
import { toyPicture, toyPixels } from "../../toy-pixels.ts";

export const recipe = (...widths: number[]): Config =>
  defineConfig({
    defaultPreset: "photo",
    presets: {
      photo: { accept: ["jpeg"], ladder: { widths, formats: ["webp", "jpeg"] } },
      avatar: { accept: ["jpeg"], named: { face: { width: 16, height: 16, format: "webp" } } },
    },
  });

export interface JobSystem {
  readonly clock: ManualClock;
  readonly deps: {
    uploads: ObjectStore;
    media: ObjectStore;
    openUploads: OpenUploads;
    backfill: Queue;
    readonly imports: Queue;
    readonly events: { send(body: string): Promise<void> };
    pixels: Pixels;
    config: Config;
    pageSize: number;
    messageMs: number;
    readonly mediaUrl: string;
    readonly now: () => Date;
    readonly random: (bytes: number) => Uint8Array;
    readonly signDownload: SignDownload;
  };
  readonly queue: MemoryQueue;
  readonly dead: MemoryQueue;
  readonly imports: MemoryQueue;
  upload(options?: { kind?: "good" | "corrupt"; owner?: string; preset?: string }): Promise<string>;
  /** `upload`, and the worker has been at it. */
  develop(...options: Parameters<JobSystem["upload"]>): Promise<string>;
  start(request: v.InferInput<typeof ReprocessRequest>): Promise<Progress>;
  /** Works on messages until there are none; those that fail come back, in the end as dead letters. */
  drain(options?: { copies?: number; limit?: number }): Promise<number>;
  drainDead(): Promise<void>;
  progress(job: string): Promise<Progress>;
  document(id: string): ReturnType<typeof readRevision>;
}

/** After so many turns of the schedule that brought no message, none will come. */
const IDLE_TURNS = 3;

export function jobSystem({ pageSize = 2 } = {}): JobSystem {
  const clock = new ManualClock();
  const now = () => new Date(clock.now());
  const dead = new MemoryQueue({ clock });
  const queue = new MemoryQueue({ clock, visibilitySeconds: 60, redrive: { to: dead, maxReceives: 3 } });
  const imports = new MemoryQueue({ clock, visibilitySeconds: 60, redrive: { to: dead, maxReceives: 12 } });
  const deps: JobSystem["deps"] = {
    uploads: memoryStore({ now }),
    media: memoryStore({ now }),
    openUploads: memoryUploads(),
    backfill: queue,
    imports,
    events: { send: async () => {} },
    pixels: toyPixels(),
    config: recipe(32, 48),
    pageSize,
    // One page: the schedule goes on.
    messageMs: 0,
    mediaUrl: "https://cdn.example",
    now,
    random: randomBytes,
    signDownload: async (key: string) => ({ url: `https://s3.example/${key}`, expiresAt: "" }),
  };
  /** The schedule's, of one page. It may die as any step may. */
  const turn = async () => {
    let left = 1;
    await scanOpenJobs({ ...deps, log: () => {} }, () => left-- > 0).catch(() => {});
  };
  const work = (body: string, receives: number) =>
    developMessage(deps, { body, receives, bucket: "uploads" });

  const system: JobSystem = {
    clock,
    deps,
    queue,
    dead,
    imports,
    async upload({ kind = "good", owner = "me", preset = "photo" } = {}) {
      const id = newId(randomBytes);
      const metadata = writeUploadMetadata({ owner, preset });
      await deps.uploads.put(originalKey(id), toyPicture(kind, id), { metadata });
      return id;
    },
    async develop(options) {
      const id = await system.upload(options);
      await work(JSON.stringify({ darkroom: "develop", id }), 1);
      return id;
    },
    async start(request) {
      const answer = await reprocess(deps, v.parse(ReprocessRequest, request));
      assert.ok(!("dryRun" in answer));
      return answer;
    },
    async drain({ copies = 1, limit = Number.POSITIVE_INFINITY } = {}) {
      let [handled, idle] = [0, 0];
      while (handled < limit) {
        const [message] = await queue.receive({ max: 1 });
        if (!message) {
          const { inFlight, delayed } = queue.count();
          if (inFlight + delayed === 0) {
            if (++idle > IDLE_TURNS) return handled;
            await turn();
            if (queue.count().visible > 0) continue;
          }
          clock.advance(60_000);
          continue;
        }
        handled++;
        idle = 0;
        try {
          for (let copy = 0; copy < copies; copy++) await work(message.body, message.receives);
          await queue.delete(message.receipt);
        } catch {
          // Comes back when it is visible again.
        }
      }
      return handled;
    },
    async drainDead() {
      for (
        let [message] = await dead.receive({ max: 1 });
        message;
        [message] = await dead.receive({ max: 1 })
      ) {
        await failMessage(deps, { body: message.body, bucket: "uploads" });
        await dead.delete(message.receipt);
      }
    },
    progress: (job) => jobProgress(deps, job),
    document: (id) => readRevision(deps.media, id),
  };
  return system;
}

/** The queue, where some methods are others. */
export const queueWith = (queue: Queue, others: Partial<Queue>): Queue => ({
  send: (...args) => queue.send(...args),
  sendMany: (...args) => queue.sendMany(...args),
  backlog: () => queue.backlog(),
  receive: (...args) => queue.receive(...args),
  delete: (...args) => queue.delete(...args),
  retryIn: (...args) => queue.retryIn(...args),
  ...others,
});

/** The store, where every call is first told to `before`, which may throw, and afterwards to `after`. */
export function watched<T extends object>(port: T, before: (call: string) => void, after = before): T {
  return new Proxy(port, {
    get(target, name) {
      const method = Reflect.get(target, name);
      if (typeof method !== "function") return method;
      return async (...args: unknown[]) => {
        const call = `${String(name)} ${typeof args[0] === "string" ? args[0] : ""}`;
        before(call);
        const result = await Reflect.apply(method, target, args);
        if (after !== before) after(call);
        return result;
      };
    },
  });
}
