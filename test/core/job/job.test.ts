import assert from "node:assert/strict";
import test from "node:test";
import { dryRunJob } from "../../../core/job/dry-run.ts";
import { cancelJob, listJobs } from "../../../core/job/job.ts";
import { readPosition } from "../../../core/job/job-records.ts";
import { listAttention } from "../../../core/job/list-attention.ts";
import { scanOpenJobs } from "../../../core/job/scan-page.ts";
import { openKey, resultsPrefix } from "../../../core/job-keys.ts";
import { attentionKey, newId, originalKey } from "../../../core/keys.ts";
import { defineConfig } from "../../../core/preset.ts";
import { failMessage } from "../../../core/worker/handle-message.ts";
import { toyPixels } from "../../toy-pixels.ts";
import { type JobSystem, jobSystem, queueWith, recipe, watched } from "./job-system.ts";

const all = { status: "all" as const };
/** `scanned/queued: done skipped rejected failed` */
const figures = ({
  scanned,
  queued,
  done,
  skipped,
  rejected,
  failed,
  state,
}: Awaited<ReturnType<JobSystem["progress"]>>) =>
  `${state} ${scanned}/${queued}: ${done} ${skipped} ${rejected} ${failed}`;

async function many(
  system: JobSystem,
  count: number,
  ...options: Parameters<JobSystem["develop"]>
): Promise<string[]> {
  return Promise.all(Array.from({ length: count }, () => system.develop(...options)));
}

test("a job over everything, after the recipe changed: made, carried over, superseded, counted", async () => {
  const system = jobSystem();
  const ids = await many(system, 5);
  system.deps.config = recipe(32, 40);
  const { id: job, state } = await system.start({ select: all });
  assert.equal(state, "running");
  system.clock.advance(10_000);
  await system.drain();
  const progress = await system.progress(job);
  assert.equal(figures(progress), "done 5/5: 5 0 0 0");
  assert.equal(progress.total, 5);
  assert.equal(progress.rate, 0.5);
  for (const id of ids) {
    const { document } = await system.document(id);
    assert.deepEqual([document?.rev, document?.superseded.length, document?.variants.length], [2, 2, 4]);
  }
  // Once more: nothing is left to do, and it may be started again as the first is over.
  const again = await system.start({ select: all });
  await system.drain();
  assert.equal(figures(await system.progress(again.id)), "done 5/5: 0 5 0 0");
});

test("stale: only what another recipe made is queued", async () => {
  const system = jobSystem();
  const old = await many(system, 3);
  system.deps.config = recipe(32, 40);
  await many(system, 4);
  // Still to be developed: no recipe has made it.
  await system.upload();
  const { id } = await system.start({ select: { status: "stale" } });
  await system.drain();
  assert.equal(figures(await system.progress(id)), "done 8/3: 3 0 0 0");
  for (const one of old) assert.equal((await system.document(one)).document?.rev, 2);
});

test("a dead letter whose image cannot be marked is counted, and marks it when it comes again", async () => {
  const system = jobSystem();
  const id = await system.upload();
  const { id: job } = await system.start({ select: { ids: [id] } });
  await system.drain({ limit: 1 });
  const [message] = await system.queue.receive({ max: 1 });
  const letter = { body: message?.body ?? "", bucket: "uploads" };
  const away = async () => {
    throw new Error("away");
  };
  const { deps } = system;
  await assert.rejects(failMessage({ ...deps, media: { ...deps.media, put: away } }, letter), /away/);
  assert.equal(figures(await system.progress(job)), "done 1/1: 0 0 0 1");
  for (let times = 0; times < 2; times++) await failMessage(deps, letter);
  assert.equal((await system.document(id)).document?.status, "failed");
  assert.equal(figures(await system.progress(job)), "done 1/1: 0 0 0 1");
});

test("a preset that has another name today is meant by the one it had; one that is gone is named", async () => {
  const system = jobSystem();
  const old = await many(system, 2);
  const faces = await many(system, 1, { preset: "avatar" });
  const renamed = (formerly: string[]) =>
    defineConfig({
      defaultPreset: "picture",
      presets: { picture: { formerly, accept: ["jpeg"], ladder: { widths: [40], formats: ["webp"] } } },
    });
  system.deps.config = renamed([]);
  const gone = await dryRunJob(system.deps, { status: "stale" }, false);
  assert.deepEqual([gone.images, gone.changed, gone.gone], [3, 0, { photo: 2, avatar: 1 }]);
  const lost = await system.start({ select: { status: "stale" } });
  await system.drain();
  assert.equal(figures(await system.progress(lost.id)), "done 3/3: 0 0 0 3");
  for (const id of [...old, ...faces]) {
    const { document } = await system.document(id);
    assert.deepEqual([document?.status, document?.lastError?.code], ["ready", "unknown-preset"]);
  }

  system.deps.config = renamed(["photo"]);
  const stale = await dryRunJob(system.deps, { status: "stale" }, false);
  assert.deepEqual([stale.images, stale.changed, stale.gone], [3, 2, { avatar: 1 }]);
  const job = await system.start({ select: { preset: "picture" } });
  await system.drain();
  assert.equal(figures(await system.progress(job.id)), "done 3/2: 2 0 0 0");
  for (const id of old) {
    const { document } = await system.document(id);
    assert.deepEqual([document?.preset, document?.variants.map(({ name }) => name)], ["picture", ["w40"]]);
  }
  // A token or a signature of before still says the old name.
  const late = await system.develop({ preset: "photo" });
  assert.equal((await system.document(late)).document?.preset, "picture");
});

test("images are selected by owner, preset, time, ids and what became of them, also together", async () => {
  const system = jobSystem();
  const mine = await many(system, 2, { owner: "me" });
  const faces = await many(system, 2, { owner: "me", preset: "avatar" });
  const yours = await many(system, 1, { owner: "you" });
  const bad = await many(system, 1, { owner: "you", kind: "corrupt" });
  const noon = system.deps.now().toISOString();
  system.clock.advance(60_000);
  const late = await many(system, 2, { owner: "you" });
  const gone = await system.upload({ owner: "me" });
  const unknown = newId(system.deps.random);
  await system.deps.uploads.delete(originalKey(gone));
  const minute = system.deps.now().toISOString();
  const cases: [Parameters<JobSystem["start"]>[0]["select"], string[]][] = [
    [{ owner: "me" }, [...mine, ...faces]],
    [{ owner: "me", preset: "avatar" }, faces],
    [{ preset: "avatar" }, faces],
    [{ owner: "nobody" }, []],
    [{ uploadedAfter: minute }, late],
    [{ uploadedBefore: minute }, [...mine, ...faces, ...yours, ...bad]],
    [{ uploadedAfter: noon, uploadedBefore: minute, owner: "you" }, [...yours, ...bad]],
    [{ status: "rejected" }, bad],
    [{ status: "rejected", owner: "you", uploadedBefore: minute }, bad],
    [{ status: "rejected", uploadedAfter: minute }, []],
    [{ status: "failed" }, []],
    [{ ids: [...yours, ...bad, unknown] }, [...yours, ...bad, unknown]],
    [{ ids: [...yours, ...bad, unknown], status: "rejected" }, bad],
    [{ ids: [...mine, ...yours], owner: "you" }, yours],
  ];
  for (const [select, expected] of cases) {
    const queued: string[] = [];
    const { backfill } = system.deps;
    system.deps.backfill = queueWith(backfill, {
      sendMany: async (bodies) => void queued.push(...bodies.map((body) => String(JSON.parse(body).id))),
    });
    await system.start({ select, force: true });
    await system.drain();
    system.deps.backfill = backfill;
    assert.deepEqual(queued.sort(), [...expected].sort(), JSON.stringify(select));
  }
});

test("an id nobody knows is skipped, and a selection that matches nothing is done at once", async () => {
  const system = jobSystem();
  await system.develop();
  const { id } = await system.start({ select: { ids: [newId(system.deps.random)] } });
  await system.drain();
  assert.equal(figures(await system.progress(id)), "done 1/1: 0 1 0 0");
  const nothing = await system.start({ select: { owner: "nobody" } });
  await system.drain();
  assert.equal(figures(await system.progress(nothing.id)), "done 0/0: 0 0 0 0");
});

test("what was rejected or failed is tried again, and leaves the list once the cause is gone", async () => {
  const system = jobSystem();
  const rejected = await many(system, 3, { kind: "corrupt" });
  const failed = await system.upload();
  const stayed = await system.develop();
  const failing = (id: string) =>
    failMessage(system.deps, { body: JSON.stringify({ darkroom: "develop", id }), bucket: "uploads" });
  await failing(failed);
  // A re-process went wrong, by a recipe that is back to what it was since: the image is up to date but for the note.
  system.deps.config = recipe(32, 40);
  await failing(stayed);
  system.deps.config = recipe(32, 48);
  const listed = async (status: "failed" | "rejected") =>
    (await listAttention(system.deps, status, { limit: 10, cursor: undefined })).images;
  assert.deepEqual(
    (await listed("failed")).map(({ id, code, ready }) => [id, code, ready]).sort(),
    [
      [failed, "retries-exhausted", false],
      [stayed, "retries-exhausted", true],
    ].sort(),
  );
  assert.match(
    (await listed("failed")).find(({ id }) => id === stayed)?.thumbnail ?? "",
    /^https:.*\/w32\..*\.(webp|jpg)$/,
  );
  assert.deepEqual(
    (await listed("rejected")).map(({ id }) => id),
    rejected.sort(),
  );

  const first = await system.start({ select: { status: "rejected" } });
  await system.drain();
  assert.equal(figures(await system.progress(first.id)), "done 3/3: 0 0 3 0");
  system.deps.pixels = {
    develop: (_, ...rest) => toyPixels().develop(Buffer.from("good"), ...rest),
  };
  const second = await system.start({ select: { status: "rejected" } });
  const third = await system.start({ select: { status: "failed" } });
  await system.drain();
  assert.equal(figures(await system.progress(second.id)), "done 3/3: 3 0 0 0");
  assert.equal(figures(await system.progress(third.id)), "done 2/2: 2 0 0 0");
  assert.deepEqual([...(await listed("rejected")), ...(await listed("failed"))], []);
  assert.equal((await system.document(stayed)).document?.lastError, undefined);
});

test("what needs attention comes in pages, without what was made good", async () => {
  const system = jobSystem();
  const ids = (await many(system, 5, { kind: "corrupt" })).sort();
  const good = await system.develop();
  await system.deps.uploads.put(attentionKey("rejected", good), "{}");
  const seen: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await listAttention(system.deps, "rejected", { limit: 2, cursor });
    seen.push(...page.images.map(({ id }) => id));
    cursor = page.cursor;
  } while (cursor !== undefined);
  assert.deepEqual(seen, ids);
  await assert.rejects(listAttention(system.deps, "rejected", { limit: 2, cursor: "../x" }), {
    code: "bad-request",
  });
});

test("every message may come twice, and counts once", async () => {
  for (const force of [false, true]) {
    const system = jobSystem();
    const ids = await many(system, 5);
    const { id } = await system.start({ select: all, force });
    await system.drain({ copies: 2 });
    assert.equal(figures(await system.progress(id)), force ? "done 5/5: 5 0 0 0" : "done 5/5: 0 5 0 0");
    for (const one of ids) assert.equal((await system.document(one)).document?.rev, force ? 2 : 1);
  }
});

test("a step may die at every call it makes, before or after its effect: nothing is lost or counted twice", async () => {
  let [deaths, at] = [0, 0];
  for (const after of [false, true]) {
    for (let n = 1; ; n++) {
      const system = jobSystem();
      const ids = await many(system, 5);
      const { id } = await system.start({ select: all, force: true });
      at = 0;
      const die = (when: boolean) => () => {
        if (when === after && ++at === n) throw new Error("died");
      };
      const { deps } = system;
      const whole = { uploads: deps.uploads, media: deps.media, backfill: deps.backfill };
      deps.uploads = watched(whole.uploads, die(false), die(true));
      deps.media = watched(whole.media, die(false), die(true));
      deps.backfill = watched(whole.backfill, die(false), die(true));
      await system.drain();
      Object.assign(deps, whole);
      if (at < n) break;
      deaths++;
      assert.equal(figures(await system.progress(id)), "done 5/5: 5 0 0 0", `death ${n}`);
      const { objects } = await deps.uploads.list(resultsPrefix(id));
      assert.deepEqual(objects.map(({ key }) => key.split("/").at(-1)).sort(), [...ids].sort());
    }
  }
  assert.ok(deaths > 100, `${deaths} places to die at`);
});

test("cancelled, a job stops within a page; what is queued does nothing, and it can be started anew", async () => {
  const system = jobSystem();
  const ids = await many(system, 8);
  const { id } = await system.start({ select: all, force: true });
  // The first page, of two images; then the one of them that comes first.
  await system.drain({ limit: 2 });
  const cancelled = await cancelJob(system.deps, id);
  assert.equal(figures(cancelled), "cancelled 2/2: 1 0 0 0");
  await system.drain();
  assert.equal(figures(await system.progress(id)), "cancelled 2/2: 1 0 0 0");
  const revs = await Promise.all(ids.map(async (one) => (await system.document(one)).document?.rev));
  assert.equal(revs.filter((rev) => rev === 2).length, 1);
  assert.deepEqual(await cancelJob(system.deps, id), await system.progress(id));
  await assert.rejects(system.start({ resume: id }), { code: "job-over" });
  const again = await system.start({ select: all, force: true });
  await system.drain();
  assert.equal(figures(await system.progress(again.id)), "done 8/8: 8 0 0 0");
});

test("an outage between two pages stops no job: the schedule goes on where it was", async () => {
  const system = jobSystem();
  await many(system, 7);
  const { id } = await system.start({ select: all, force: true });
  await system.drain({ limit: 3 });
  assert.equal(figures(await system.progress(id)), "running 2/2: 2 0 0 0");
  const end = outage(system);
  await system.drain();
  assert.equal(figures(await system.progress(id)), "running 4/4: 2 0 0 0");
  end();
  await system.drain();
  assert.equal(figures(await system.progress(id)), "done 7/7: 7 0 0 0");
});

test("a dead-lettered step leaves its job failed until the schedule is past it, or somebody resumes it", async () => {
  for (const resume of [false, true]) {
    const system = jobSystem();
    await many(system, 7);
    const { id } = await system.start({ select: all, force: true });
    const end = outage(system);
    await system.drain();
    await system.drainDead();
    const failed = await system.progress(id);
    assert.deepEqual([figures(failed), failed.page], ["failed 2/2: 0 0 0 0", 0]);
    end();
    if (resume) assert.equal((await system.start({ resume: id })).state, "running");
    await system.drain();
    assert.equal(figures(await system.progress(id)), "done 7/7: 7 0 0 0");
  }
});

/** Nothing can be sent until it ends. */
function outage({ deps }: JobSystem): () => void {
  const { backfill } = deps;
  deps.backfill = watched(backfill, (call) => {
    if (call.startsWith("sendMany")) throw new Error("SQS is away");
  });
  return () => {
    deps.backfill = backfill;
  };
}

test("a message of the release before, whose pages sent one another, is gone on with", async () => {
  const system = jobSystem();
  await many(system, 7);
  const { id } = await system.start({ select: all, force: true });
  await system.drain({ limit: 5 });
  // What that release left: two pages chosen, a message for the third, and an older one delivered once more.
  const place = await readPosition(system.deps.uploads, id);
  assert.equal(place?.position.page, 2);
  await system.deps.uploads.delete(openKey(id));
  const send = (position: object) =>
    system.deps.backfill.send(JSON.stringify({ darkroom: "scan", job: id, ...position }));
  await send({ page: 0, scanned: 0, queued: 0 });
  await send(place.position);
  await system.drain();
  assert.equal(figures(await system.progress(id)), "done 7/7: 7 0 0 0");
});

test("of several at the same page all send what the first has chosen, and one goes on", async () => {
  const system = jobSystem();
  const ids = await many(system, 5);
  const { id } = await system.start({ select: all, force: true });
  const turn = () => scanOpenJobs({ ...system.deps, log: () => {} }, () => true);
  await Promise.all([turn(), turn(), turn()]);
  await system.drain();
  assert.equal(figures(await system.progress(id)), "done 5/5: 5 0 0 0");
  for (const one of ids) assert.equal((await system.document(one)).document?.rev, 2);
});

test("a job that cannot go on keeps no other waiting", async () => {
  const system = jobSystem();
  await many(system, 3);
  const { id } = await system.start({ select: all });
  const broken = await system.start({ select: all, force: true });
  await system.deps.uploads.put(openKey(broken.id), "not JSON");
  system.queue.purge();
  await scanOpenJobs({ ...system.deps, log: () => {} }, () => true);
  await system.drain();
  assert.equal(figures(await system.progress(id)), "done 3/3: 0 3 0 0");
});

test("messages that were lost, as by a purge, are sent again when the job is resumed", async () => {
  const system = jobSystem({ pageSize: 4 });
  const ids = await many(system, 7);
  const { id } = await system.start({ select: all, force: true });
  // The job's own message, the images of the first page, and one of the second's three.
  await system.drain({ limit: 6 });
  const { done, queued } = await system.progress(id);
  assert.deepEqual([queued, done], [7, 5]);
  system.queue.purge();
  assert.equal((await system.start({ resume: id })).state, "running");
  await system.drain();
  assert.equal(figures(await system.progress(id)), "done 7/7: 7 0 0 0");
  for (const one of ids) assert.equal((await system.document(one)).document?.rev, 2, "made once each");
});

test("an image that cannot be developed fails alone, and its job is done", async () => {
  const system = jobSystem();
  const ids = await many(system, 3);
  const { pixels } = system.deps;
  system.deps.pixels = {
    async develop(source, ...rest) {
      if (Buffer.from(source).includes(ids[0] ?? "")) throw new Error("the disk is full");
      return pixels.develop(source, ...rest);
    },
  };
  const { id } = await system.start({ select: all, force: true });
  await system.drain();
  assert.equal(figures(await system.progress(id)), "running 3/3: 2 0 0 0");
  await system.drainDead();
  assert.equal(figures(await system.progress(id)), "done 3/3: 2 0 0 1");
});

test("a document that cannot be read stops no page, and fails", async () => {
  const system = jobSystem();
  const [broken = ""] = await many(system, 3);
  system.deps.config = recipe(32, 40);
  await system.deps.media.put(`images/${broken}/meta.json`, "not JSON");
  const { id } = await system.start({ select: { status: "stale" } });
  await system.drain();
  await assert.rejects(system.drainDead());
  assert.equal(figures(await system.progress(id)), "done 3/3: 2 0 0 1");
});

test("a job started twice is one job", async () => {
  const system = jobSystem();
  await many(system, 3);
  const first = await system.start({ select: { status: "all", owner: "me" } });
  const refused = { code: "job-running", message: new RegExp(first.id) };
  await assert.rejects(system.start({ select: { owner: "me", status: "all" } }), refused);
  // Another wish, and another recipe, are other jobs.
  await system.start({ select: { owner: "me", status: "all" }, force: true });
  system.deps.config = recipe(32, 40);
  await system.start({ select: { owner: "me", status: "all" } });
  system.deps.config = recipe(32, 48);
  await system.drain();
  await system.start({ select: { owner: "me", status: "all" } });

  // At the same moment: one of them wins, and the other's job does nothing.
  const at = jobSystem();
  await many(at, 3);
  const both = await Promise.allSettled([
    at.start({ select: all, force: true }),
    at.start({ select: all, force: true }),
  ]);
  assert.deepEqual(both.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  await at.drain();
  const { jobs } = await listJobs(at.deps, { limit: 10, cursor: undefined });
  assert.deepEqual(jobs.map(({ state }) => state).sort(), ["cancelled", "done"]);
});

test("jobs are listed newest first, in pages", async () => {
  const system = jobSystem();
  const started: string[] = [];
  for (let i = 0; i < 5; i++) {
    started.unshift((await system.start({ select: { owner: `o${i}` } })).id);
    system.clock.advance(1000);
  }
  await system.drain();
  const first = await listJobs(system.deps, { limit: 2, cursor: undefined });
  const second = await listJobs(system.deps, { limit: 3, cursor: first.cursor });
  assert.deepEqual(
    [...first.jobs, ...second.jobs].map(({ id }) => id),
    started,
  );
  assert.equal(second.cursor, undefined);
  assert.deepEqual(first.jobs[0]?.select, { owner: "o4" });
  await assert.rejects(listJobs(system.deps, { limit: 2, cursor: "../x" }), { code: "bad-request" });
});

test("a job that runs ahead waits for its messages to be worked on", async () => {
  const system = jobSystem();
  await many(system, 3);
  let backlog = 100_000;
  system.deps.backfill = queueWith(system.deps.backfill, { backlog: async () => backlog });
  const { id } = await system.start({ select: all });
  assert.equal(await system.drain(), 1);
  assert.equal(figures(await system.progress(id)), "running 0/0: 0 0 0 0");
  backlog = 99_999;
  await system.drain();
  assert.equal(figures(await system.progress(id)), "done 3/3: 0 3 0 0");
});

test("counting reads no result, and nothing twice that is complete", async () => {
  const system = jobSystem({ pageSize: 2 });
  await many(system, 60);
  const { id } = await system.start({ select: all });
  await system.drain({ limit: 50 });
  const calls: string[] = [];
  const { uploads } = system.deps;
  system.deps.uploads = watched(
    uploads,
    (call) => void calls.push(call),
    () => {},
  );
  const first = await system.progress(id);
  assert.ok(first.skipped > 40 && first.skipped < 60);
  assert.ok(calls.every((call) => !call.startsWith("get") || !call.includes("/results/")));
  const sums = calls.filter((call) => call.startsWith("put") && call.includes("/sums/")).length;
  assert.ok(sums >= 20 && sums <= first.skipped / 2, `${sums} pages summed up`);
  calls.length = 0;
  assert.equal(figures(await system.progress(id)), figures(first));
  assert.ok(calls.length < 15, calls.join("\n"));
  system.deps.uploads = uploads;
  await system.drain();
  assert.equal(figures(await system.progress(id)), "done 60/60: 0 60 0 0");
  system.deps.uploads = watched(
    uploads,
    (call) => void calls.push(call),
    () => {},
  );
  calls.length = 0;
  await system.progress(id);
  assert.equal(calls.length, 1, "what is over is read once");
});

test("without time to count all of it, progress says so and goes on the next time", async () => {
  const system = jobSystem({ pageSize: 2 });
  await many(system, 10);
  const { id } = await system.start({ select: all });
  await system.drain();
  const { now } = system.deps;
  let late = 0;
  const impatient = { ...system.deps, now: () => new Date(now().getTime() + 100 * late++), budgetMs: 50 };
  const { jobProgress } = await import("../../../core/job/job-progress.ts");
  assert.deepEqual(((p) => [p.state, p.counting])(await jobProgress(impatient, id)), ["running", true]);
  assert.equal((await system.progress(id)).state, "done");
});

test("a dry run counts what a job would do, and does nothing", async () => {
  const system = jobSystem();
  await many(system, 6);
  system.deps.config = recipe(32, 40);
  const late = await many(system, 2);
  const estimate = (select: Parameters<typeof dryRunJob>[1], force = false, more = {}) =>
    dryRunJob({ ...system.deps, ...more }, select, force);
  const writes: string[] = [];
  const { uploads } = system.deps;
  system.deps.uploads = watched(
    uploads,
    (call) => void (/^(put|delete)/.test(call) && writes.push(call)),
    () => {},
  );
  const stale = await estimate({ status: "stale" });
  assert.deepEqual(
    [stale.exact, stale.sample, stale.images, stale.changed, stale.variants],
    [true, 8, 6, 6, 12],
  );
  // One millisecond each, for four variants: half of it for two.
  assert.equal(stale.dollars > 0, true);
  const everything = await estimate({ status: "all" });
  assert.deepEqual([everything.images, everything.changed, everything.variants], [8, 6, 12]);
  const forced = await estimate({ status: "all" }, true);
  assert.deepEqual([forced.images, forced.changed, forced.variants], [8, 8, 32]);
  const none = await estimate({ owner: "nobody" });
  assert.deepEqual(
    [none.exact, none.images, none.changed, none.variants, none.dollars < 0.001],
    [true, 0, 0, 0, true],
  );
  assert.deepEqual((await estimate({ ids: late })).changed, 0);
  assert.deepEqual(writes, []);

  const sampled = await estimate({ status: "all" }, false, { sampleSize: 4 });
  assert.deepEqual([sampled.exact, sampled.sample, sampled.images], [false, 4, 8]);
  await assert.rejects(estimate({ preset: "bygone" }), { code: "bad-request" });
});

test("a dry run counts HDR's rungs, and nothing to make where a format only ends earlier", async () => {
  const system = jobSystem();
  const of = (upTo?: { jpeg: number }) =>
    defineConfig({
      defaultPreset: "photo",
      presets: {
        photo: {
          accept: ["jpeg"],
          hdr: true,
          ladder: { widths: [32, 48], formats: ["avif", "jpeg"], ...(upTo && { upTo }) },
        },
      },
    });
  system.deps.config = of();
  system.deps.pixels = toyPixels(undefined, { hdr: "pq" });
  const id = await system.develop();
  const made = async () => {
    const { document } = await system.document(id);
    return document?.variants.map(({ name, format }) => `${name}.${format}`);
  };
  const estimate = (force: boolean) => dryRunJob(system.deps, { status: "all" }, force);
  const rungs = ["w32-hdr.avif", "w48-hdr.avif", "w32.avif", "w32.jpeg", "w48.avif", "w48.jpeg"];
  assert.deepEqual(await made(), rungs);
  assert.equal((await estimate(true)).variants, 6);
  system.deps.config = of({ jpeg: 32 });
  const { changed, variants } = await estimate(false);
  assert.deepEqual([changed, variants], [1, 0]);
  await system.start({ select: { status: "stale" } });
  await system.drain();
  assert.deepEqual(await made(), rungs.slice(0, -1));
  assert.equal((await system.document(id)).document?.superseded.length, 1);
});

test("a dry run with no time to list everything extrapolates from where in the list it stopped", async () => {
  const system = jobSystem({ pageSize: 100 });
  await Promise.all(Array.from({ length: 800 }, () => system.upload()));
  let calls = 0;
  const now = () => new Date(1000 * calls++);
  const estimate = await dryRunJob({ ...system.deps, now, budgetMs: 1500 }, { status: "all" }, false);
  assert.equal(estimate.exact, false);
  // 200 to 300 of 800 were listed; random ids put the whole within a fifth of that.
  assert.ok(Math.abs(estimate.images - 800) < 200, `${estimate.images}`);
});
