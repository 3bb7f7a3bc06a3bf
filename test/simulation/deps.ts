/** What the use cases of `core/` are given, in the name of one actor. */
import { memoryStore } from "../../adapters/memory/memory-store.ts";
import type { DevelopDeps } from "../../core/image/develop-image.ts";
import type { JobDeps } from "../../core/job/job.ts";
import type { ScanDeps } from "../../core/job/scan-page.ts";
import { MARKS } from "../../core/keys.ts";
import type { ObjectStore, Pixels, Queue } from "../../core/ports.ts";
import { type BringDeps, Receivers as ReceiverStates } from "../../core/tell/deliver.ts";
import type { ForgetDeps } from "../../core/tell/forget.ts";
import type { EventDeps } from "../../core/tell/handle-event.ts";
import { toyPixels } from "../toy-pixels.ts";
import type { Scene } from "./scene.ts";
import type { Actor } from "./scheduler.ts";
import type { TracedQueue } from "./traced-queue.ts";

const [OUT_OF_MEMORY, SEGFAULT] = [0.01, 0.02];

export function depsOf(
  scene: Scene,
  actor: Actor,
): DevelopDeps & ScanDeps & JobDeps & { readonly imports: Queue } {
  const { ports, sabotage } = scene;
  const wrap = sabotage.store ?? ((store) => store);
  const wrapOpen = sabotage.openUploads ?? ((open) => open);
  const wrapEvents = sabotage.events ?? ((events) => events);
  return {
    backfill: ports.queue(actor, lossy(scene, chained(scene, actor, scene.backfill))),
    imports: ports.queue(actor, chained(scene, actor, scene.imports)),
    // So that a few images are several pages.
    pageSize: scene.pageSize,
    events: ports.sender(actor, wrapEvents(chained(scene, actor, scene.events))),
    uploads: ports.store(actor, wrap(scene.uploads)),
    openUploads: ports.openUploads(actor, wrapOpen(scene.openUploads)),
    media: ports.store(actor, wrap(scene.media), "media"),
    pixels: pixelsOf(scene, actor),
    config: scene.config,
    mediaUrl: "https://cdn.example",
    now: () => scene.timeOf(actor),
    random: sabotage.random ?? scene.random.bytes,
  };
}

export function eventDepsOf(scene: Scene, actor: Actor): EventDeps {
  const wrap = scene.sabotage.store ?? ((store) => store);
  const stated = { uploads: scene.ports.store(actor, wrap(scene.uploads)), now: () => scene.timeOf(actor) };
  return {
    ...stated,
    random: scene.random.bytes,
    events: scene.ports.sender(actor, chained(scene, actor, scene.events)),
    urls: scene.sabotage.urls?.(scene.receivers.urls) ?? scene.receivers.urls,
    post: (url, _, body) => scene.receivers.post(actor, url, body),
    receivers: new ReceiverStates(stated),
  };
}

export function parkedDepsOf(scene: Scene, actor: Actor): BringDeps & ForgetDeps {
  const { cdn, sabotage, ports } = scene;
  const { uploads, urls, now, events } = eventDepsOf(scene, actor);
  return {
    uploads: { ...ports.store(actor, scene.uploads), ...uploads },
    media: ports.store(actor, scene.media),
    events: { ...events, backlog: () => scene.events.queue.backlog() },
    urls,
    now,
    forget: async (paths, reference) => {
      await scene.scheduler.turn(actor);
      return sabotage.forget === "never" || cdn.invalidate(paths, reference);
    },
  };
}

/** The promises are told of marks, as whoever writes and removes them sees it. */
export function marking({ promises }: Scene, store: ObjectStore): ObjectStore {
  return {
    ...store,
    put(key, ...rest) {
      if (key.startsWith(MARKS)) promises.marked(key);
      return store.put(key, ...rest);
    },
    async delete(key, ...rest) {
      const gone = key.startsWith(MARKS) ? promises.unmarking(key) : () => {};
      await store.delete(key, ...rest);
      gone();
    },
  };
}

/** The bucket of a name that is nobody's. */
export const emptyBucket = ({ ports, scheduler }: Scene, actor: Actor): ObjectStore =>
  ports.store(actor, memoryStore({ now: () => new Date(scheduler.now) }));

/** The SDK hands the chain of invocations on with every message, where its client was not told not to. */
function chained({ sabotage }: Scene, { chain }: Actor, traced: TracedQueue): Queue {
  const { inherits = () => false } = sabotage;
  return with_(traced.queue, {
    send: async (body, options) => traced.add(body, { ...options, ...(inherits(body) ? { chain } : {}) }),
  });
}

function lossy({ sabotage }: Scene, queue: Queue): Queue {
  return with_(queue, {
    send: async (body, options) => {
      if (!sabotage.loses?.(body)) await queue.send(body, options);
    },
  });
}

const with_ = (queue: Queue, changes: Partial<Queue>): Queue => ({
  send: (...args) => queue.send(...args),
  sendMany: (bodies) => queue.sendMany(bodies),
  backlog: () => queue.backlog(),
  receive: (...args) => queue.receive(...args),
  delete: (...args) => queue.delete(...args),
  retryIn: (...args) => queue.retryIn(...args),
  ...changes,
});

/** The pixel work, over which the child or the whole invocation may die. */
function pixelsOf({ scheduler, tally, random }: Scene, actor: Actor): Pixels {
  const toy = toyPixels(() => scheduler.turn(actor));
  const dies = () => {
    scheduler.end(actor, true);
    return new Promise<never>(() => {});
  };
  return {
    async develop(source, ...rest) {
      const text = Buffer.from(source).toString("latin1");
      const poison = actor.mortal && (["kills", "stalls"] as const).find((deed) => text.includes(deed));
      if (poison) {
        tally.count(`poison that ${poison} the worker`);
        return dies();
      }
      if (!scheduler.calm && actor.mortal && random.chance(OUT_OF_MEMORY)) {
        tally.count("out of memory");
        return dies();
      }
      if (!scheduler.calm && random.chance(SEGFAULT)) {
        tally.count("decoder crashed");
        await toy.develop(source, ...rest);
      }
      return toy.develop(source, ...rest);
    },
  };
}
