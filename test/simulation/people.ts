/** What people do: upload, delete, look, change the recipe, start jobs, redrive dead letters. */
import { buffer } from "node:stream/consumers";
import { DarkroomError, hasOutcome } from "../../core/errors.ts";
import { removeImage } from "../../core/image/images.ts";
import type { DryRunDeps } from "../../core/job/dry-run.ts";
import { cancelJob, type JobDeps, reprocess } from "../../core/job/job.ts";
import { newId, originalKey } from "../../core/keys.ts";
import type { ObjectStore } from "../../core/ports.ts";
import { writeUploadMetadata } from "../../core/upload-metadata.ts";
import { toyPicture } from "../toy-pixels.ts";
import { depsOf } from "./deps.ts";
import { Fault } from "./faults.ts";
import { OWNER } from "./promises.ts";
import { DAY, Expired, HOUR, MINUTE, type Scene } from "./scene.ts";
import type { Actor } from "./scheduler.ts";

const CALLER = { owner: OWNER, scopes: new Set(["upload"] as const) };

export async function browser(scene: Scene, actor: Actor): Promise<void> {
  const { random, scheduler, ports, promises, openUploads, climate } = scene;
  await dawdle(scene, actor, 100);
  if (climate.rough && random.chance(0.5)) await scheduler.sleep(actor, random.below(2 * DAY));
  const id = newId(random.bytes);
  const uploads = ports.store(actor, signed(scene, id));
  const metadata = writeUploadMetadata({ owner: OWNER, preset: "photo" });
  const put = (version: number) =>
    scene.untilDone(actor, () => uploads.put(originalKey(id), picture(scene, version), { metadata }));
  const inParts = { key: originalKey(id), uploadId: newId(random.bytes) };
  const alsoInParts = random.chance(0.2);
  if (alsoInParts) openUploads.begin({ ...inParts, startedAt: new Date(scheduler.now) });
  for (let versions = random.chance(0.2) ? 2 : 1; versions > 0; versions--) await put(versions);
  const accepted = promises.accepted.get(id);
  if (!accepted) return;
  await dawdle(scene, actor, 150);
  if (random.chance(0.4)) {
    await remove(scene, actor, id);
    // A signature that is still valid writes it once more, or completes what was begun.
    if (random.chance(0.3)) await put(9);
    await scheduler.turn(actor);
    if (alsoInParts && random.chance(0.5) && openUploads.take(inParts)) await put(8);
  } else if (random.chance(0.3)) {
    // In the console; somebody may bring it back.
    await dawdle(scene, actor, 600);
    const there = await scene.uploads.get(originalKey(id));
    const bytes = there ? await buffer(there.body) : "";
    accepted.gone = true;
    await scene.untilDone(actor, () => uploads.delete(originalKey(id)));
    if (!there || random.chance(0.5)) return;
    await dawdle(scene, actor, 150);
    const restored = ports.store(actor, scene.uploads);
    await scene.untilDone(actor, () => restored.put(originalKey(id), bytes, { metadata }));
  }
}

/** Lets others go first, in half of the cases. */
async function dawdle({ random, scheduler }: Scene, actor: Actor, turns: number): Promise<void> {
  for (let i = random.chance(0.5) ? random.below(turns) : 0; i > 0; i--) await scheduler.turn(actor);
}

export async function remove(scene: Scene, actor: Actor, id: string): Promise<void> {
  const accepted = scene.promises.accepted.get(id);
  if (accepted) accepted.asked = true;
  let unknown = false;
  const { gaps } = scene.promises;
  await scene.untilDone(actor, async () => {
    const wasAway = gaps.size > 0;
    try {
      await removeImage(depsOf(scene, actor), CALLER, id);
    } catch (error) {
      if (!(error instanceof DarkroomError && error.code === "not-found")) throw error;
      // Whoever is told so while a bucket is away asks again.
      if (wasAway || gaps.size > 0) throw new Fault("not found, for now");
      // Without an original and without a document there is nothing to delete, yet.
      if (accepted?.gone) unknown = true;
      // Gone already, by the first try whose answer was lost, before any metadata named its owner.
    }
  });
  if (accepted && !unknown) accepted.deleted = true;
}

/** An account is closed: all that it has is deleted within a second. */
export async function closeAccount(scene: Scene, actor: Actor): Promise<void> {
  await scene.scheduler.sleep(actor, scene.random.below(2 * DAY));
  scene.tally.count("deleted in bulk");
  const ids = [...scene.promises.accepted].filter(([, { asked }]) => !asked).map(([id]) => id);
  await Promise.all(ids.map((id) => remove(scene, actor, id)));
}

/** Looks at whatever is published, through the CDN. */
export async function viewer(scene: Scene, actor: Actor): Promise<void> {
  const { random, scheduler, promises, cdn } = scene;
  for (let looks = 3 + random.below(5); looks > 0; looks--) {
    await scheduler.sleep(actor, random.below(random.chance(0.5) ? MINUTE : 12 * HOUR));
    for (const key of await promises.publishedKeys()) if (random.chance(0.5)) await cdn.fetch(key);
  }
}

/** The originals as whoever signs for them allows: with a signature of a week, which is the longest there is. */
function signed({ scheduler, uploads, promises, tally }: Scene, id: string): ObjectStore {
  const until = scheduler.now + 7 * DAY;
  const put: ObjectStore["put"] = async (...args) => {
    if (scheduler.now > until) throw new Expired();
    const written = await uploads.put(...args);
    if (promises.accepted.has(id)) tally.count("overwritten after its event");
    promises.accept(id);
    return written;
  };
  return { ...uploads, put };
}

function picture({ random, climate }: Scene, version: number): Uint8Array {
  const chance = random();
  const poison = climate.expects.patience && climate.rough ? 0.1 : 0;
  const kind =
    chance < 0.15 ? "corrupt" : chance < 0.15 + poison ? (random.chance(0.5) ? "kills" : "stalls") : "good";
  return toyPicture(kind, `${version} ${random()}`);
}

/** Changes the recipe and re-processes everything, to and fro. */
export async function operator(scene: Scene, actor: Actor): Promise<void> {
  const { random, scheduler, promises, images } = scene;
  for (let changes = 1 + random.below(4); changes > 0; changes--) {
    for (let i = random.below(40) + 2; i > 0; i--) await scheduler.turn(actor);
    scene.config = scene.configs[changes % 2] ?? scene.configs[0];
    for (const id of promises.accepted.keys()) {
      const force = random.chance(0.2);
      images.add(JSON.stringify({ darkroom: "develop", id, force }));
    }
  }
}

/** Has dead letters tried again, as whoever looks at the queue's console can. */
export async function redrive(scene: Scene, actor: Actor): Promise<void> {
  const { random, scheduler, images, backfill, imports, deadLetters, tally, promises } = scene;
  for (let looks = 20; looks > 0; looks--) {
    await scheduler.sleep(actor, random.below(10 * MINUTE));
    for (const { body, receipt } of await deadLetters.receive(10)) {
      tally.count("dead letters redriven");
      promises.redriven = true;
      const of = /"(order|fetch)"/.test(body) ? imports : body.includes('"job"') ? backfill : images;
      of.add(body);
      await deadLetters.queue.delete(receipt);
    }
  }
}

/** Starts a job over everything, or what went wrong, may cancel it, and does not give up before it is acknowledged. */
export async function backOffice(scene: Scene, actor: Actor): Promise<void> {
  const { random, scheduler, promises } = scene;
  for (let i = random.below(150); i > 0; i--) await scheduler.turn(actor);
  if (random.chance(0.5)) scene.config = scene.configs[1];
  const status = (["all", "all", "failed", "rejected", "stale"] as const)[random.below(5)] ?? "all";
  const force = random.chance(0.4);
  const there = [...promises.accepted.keys()];
  const begin = (deps: JobDeps & DryRunDeps) => reprocess(deps, { select: { status }, force });
  const started = await order(scene, actor, begin, status === "all" ? there : []);
  if (!random.chance(0.25)) return;
  for (let i = random.below(40); i > 0; i--) await scheduler.turn(actor);
  for (const job of started) await scene.untilDone(actor, () => cancelJob(depsOf(scene, actor), job));
}

/** Deletes all that is an owner's, or some of it by name. What comes after the order nobody has meant. */
export async function clearing(scene: Scene, actor: Actor): Promise<void> {
  const { random, scheduler, promises, tally } = scene;
  for (let i = random.below(300); i > 0; i--) await scheduler.turn(actor);
  tally.count("deleted by a job");
  const all = random.chance(0.5);
  const meant = [...promises.accepted].filter(() => all || random.chance(0.5));
  for (const [, accepted] of meant) accepted.asked = true;
  const ids = meant.map(([id]) => id);
  if (!all && ids.length === 0) return;
  promises.bulk = all;
  const select = all ? { owner: OWNER } : { ids };
  await order(scene, actor, (deps) => reprocess(deps, { action: "delete", select }), []);
  promises.bulk = false;
}

/** Asks for a job until that is acknowledged. @param meant images that it has to choose */
export async function order(
  scene: Scene,
  actor: Actor,
  begin: (deps: ReturnType<typeof depsOf>) => ReturnType<typeof reprocess>,
  meant: readonly string[],
): Promise<string[]> {
  const { random, scheduler, jobs } = scene;
  const started: string[] = [];
  let acknowledged = false;
  while (!acknowledged) {
    // An invocation, which may die; whoever called it sees no answer then, and asks again.
    await new Promise<void>((ended) => {
      const post = async (mortal: Actor) => {
        try {
          const answer = await begin(depsOf(scene, mortal));
          if ("dryRun" in answer) return;
          started.push(answer.id);
          jobs.acknowledged.set(answer.id, meant);
          acknowledged = true;
        } catch (error) {
          // The first try did begin it.
          if (error instanceof DarkroomError && error.code === "job-running") acknowledged = true;
          else if (!(error instanceof Fault || hasOutcome(error, "retry"))) throw error;
        }
      };
      scheduler.start((mortal) => post(mortal).finally(ended), { lifetime: MINUTE, ended });
    });
    if (!acknowledged) await scheduler.sleep(actor, random.below(MINUTE));
  }
  return started;
}
