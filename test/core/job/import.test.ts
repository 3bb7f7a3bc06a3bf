import assert from "node:assert/strict";
import test from "node:test";
import * as v from "valibot";
import { readText } from "../../../core/commit.ts";
import { DarkroomError } from "../../../core/errors.ts";
import { removeImage } from "../../../core/image/images.ts";
import { FETCH_TRIES, fetchMessage } from "../../../core/job/fetch-url.ts";
import { ImportRequest, importReport, startImport } from "../../../core/job/import.ts";
import { cancelJob } from "../../../core/job/job.ts";
import { originalKey } from "../../../core/keys.ts";
import { orderBody } from "../../../core/message.ts";
import { contextOf } from "../../../core/upload-metadata.ts";
import { developMessage } from "../../../core/worker/handle-message.ts";
import { toyPicture } from "../../toy-pixels.ts";
import { type JobSystem, jobSystem } from "./job-system.ts";

const HOST = "https://old.example";

/** What there is at the URLs, and how often each was asked for. */
function outside(pages: Readonly<Record<string, () => Uint8Array>>) {
  const asked: string[] = [];
  const fetch = async (url: string, maxBytes: number) => {
    const path = url.slice(HOST.length);
    asked.push(path);
    const page = pages[path];
    if (!page) throw new DarkroomError("download-failed", "The server answers 404.");
    const bytes = page();
    if (bytes.length > maxBytes) throw new DarkroomError("too-large");
    return bytes;
  };
  return { asked, fetch };
}
type Fetch = ReturnType<typeof outside>["fetch"];

const start = (system: JobSystem, request: v.InferInput<typeof ImportRequest>) =>
  startImport(system.deps, v.parse(ImportRequest, request));

/** Works on the imports' messages until there are none, each as often as it comes back. */
async function drain(system: JobSystem, fetch: Fetch): Promise<void> {
  for (;;) {
    const [message] = await system.imports.receive({ max: 1 });
    if (!message) {
      const { inFlight, delayed } = system.imports.count();
      if (inFlight + delayed === 0) return;
      system.clock.advance(60_000);
      continue;
    }
    try {
      await fetchMessage({ ...system.deps, fetch }, message.body, message.receives);
      await system.imports.delete(message.receipt);
    } catch {
      // Comes back when it is visible again.
    }
  }
}
const report = (system: JobSystem, job: string) => importReport(system.deps, job);
const picture = (salt = "") => toyPicture("good", salt);

test("a URL becomes an original like an upload's, and an image of it", async () => {
  const system = jobSystem();
  const { fetch } = outside({
    "/a%20b/gr%C3%BCn.jpg?size=1": () => picture("green"),
    "/named": () => picture(),
  });
  const { id, action, select, state, queued } = await start(system, {
    owner: "shop@example.com",
    images: [
      { url: `${HOST}/a%20b/gr%C3%BCn.jpg?size=1`, ref: "17" },
      { url: `${HOST}/named`, owner: "anna", preset: "avatar", name: "me.jpg" },
      { url: `${HOST}/named`, owner: "anna", preset: "avatar", name: "once.jpg" },
    ],
  });
  assert.deepEqual(
    { action, select, state, queued },
    { action: "import", select: { ids: 2 }, state: "running", queued: 2 },
  );
  await drain(system, fetch);
  const { job, images } = await report(system, id);
  assert.equal(job.state, "done");
  assert.equal(job.done, 2);
  const [green, me, once] = images;
  assert.deepEqual([green?.ref, green?.result, me?.result, once?.id], ["17", "done", "done", me?.id]);
  const originals = await Promise.all(
    images.slice(0, 2).map((one) => system.deps.uploads.get(originalKey(one.id))),
  );
  assert.deepEqual(
    originals.map((one) => one && contextOf(one.metadata)),
    [
      { owner: "_c2hvcEBleGFtcGxlLmNvbQ", ref: "17", clientRef: undefined, name: "grün.jpg" },
      { owner: "anna", ref: undefined, clientRef: undefined, name: "me.jpg" },
    ],
  );
  assert.deepEqual(
    originals.map((one) => [one?.type, one?.metadata["preset"]]),
    [
      ["image/jpeg", "photo"],
      ["image/jpeg", "avatar"],
    ],
  );
  assert.equal(originals[0] && (await readText(originals[0].body)).includes("green"), true);
});

test("of a job that is done each image has its result, whenever the job ends while somebody looks", async () => {
  const { fetch } = outside({ "/a.jpg": () => picture() });
  for (let at = 0, ended = true; ended; at++) {
    const system = jobSystem();
    const { id } = await start(system, { owner: "me", images: [{ url: `${HOST}/a.jpg` }] });
    ended = false;
    let left = at;
    const after =
      <A extends unknown[], R>(read: (...args: A) => Promise<R>) =>
      async (...args: A): Promise<R> => {
        const found = await read(...args);
        if (left-- > 0 || ended) return found;
        ended = true;
        await drain(system, fetch);
        return found;
      };
    const { head, get, list } = system.deps.uploads;
    const slow = { ...system.deps.uploads, head: after(head), get: after(get), list: after(list) };
    const { job, images } = await importReport({ ...system.deps, uploads: slow }, id);
    if (job.state === "done") assert.equal(images[0]?.result, "done");
  }
});

test("what cannot be had ends with a reason, and what may pass is tried again", async () => {
  const system = jobSystem();
  let times = 0;
  const { fetch, asked } = outside({
    "/flaky.jpg"() {
      if (++times < 3) throw new DarkroomError("unavailable", "The server answers 503.");
      return picture("flaky");
    },
    "/down.jpg"() {
      throw new DarkroomError("unavailable", "The server is sïlent.");
    },
    "/login": () => Buffer.from("<html>"),
    "/empty.jpg": () => new Uint8Array(),
    "/large.jpg": () => Buffer.alloc(25_000_001),
  });
  const paths = ["flaky.jpg", "down.jpg", "login", "empty.jpg", "large.jpg", "gone.jpg"];
  const { id } = await start(system, {
    owner: "me",
    images: paths.map((path) => ({ url: `${HOST}/${path}` })),
  });
  await drain(system, fetch);
  const { job, images } = await report(system, id);
  assert.deepEqual(
    images.map(({ result, error }) => [result, error?.code]),
    [
      ["done", undefined],
      ["failed", "download-failed"],
      ["failed", "type-not-accepted"],
      ["failed", "file-empty"],
      ["failed", "too-large"],
      ["failed", "download-failed"],
    ],
  );
  assert.equal(images[1]?.error?.message, "The server is sïlent.");
  assert.match(images[2]?.error?.message ?? "", /none of image\/jpeg/);
  assert.equal(images[5]?.error?.message, "The server answers 404.");
  assert.deepEqual([job.state, job.done, job.failed], ["done", 1, 5]);
  assert.equal(asked.filter((path) => path === "/down.jpg").length, FETCH_TRIES);
  assert.equal(asked.filter((path) => path === "/gone.jpg").length, 1);
});

test("the same wish is the same image: repeated it is not fetched, and deleted it stays deleted", async () => {
  const system = jobSystem();
  const { fetch, asked } = outside({ "/a.jpg": () => picture() });
  const wish = { owner: "me", images: [{ url: `${HOST}/a.jpg` }] };
  const ends = async (request = wish) => {
    const { id } = await start(system, request);
    await drain(system, fetch);
    const [image] = (await report(system, id)).images;
    return image;
  };
  const first = await ends();
  assert.equal(first?.result, "done");
  const again = await ends();
  assert.deepEqual([again?.id, again?.result], [first?.id, "skipped"]);
  assert.equal(asked.length, 1);
  // Developed, and its original has had its days.
  const id = first?.id ?? "";
  await developMessage(system.deps, {
    body: JSON.stringify({ darkroom: "develop", id }),
    receives: 1,
    bucket: "",
  });
  await system.deps.uploads.delete(originalKey(id));
  assert.equal((await ends())?.result, "skipped");
  await removeImage(system.deps, { owner: "me", scopes: new Set(["admin"]) }, id);
  const deleted = await ends();
  assert.deepEqual([deleted?.result, deleted?.error?.code], ["failed", "gone"]);
  const other = await ends({ owner: "me", images: [{ url: `${HOST}/a.jpg`, ref: "2" } as { url: string }] });
  assert.deepEqual([other?.result, other?.id === id], ["done", false]);
});

test("cancelled it fetches nothing more; lost messages are sent again, and what has a result is not", async () => {
  const system = jobSystem();
  const { fetch, asked } = outside({ "/a.jpg": () => picture("a"), "/b.jpg": () => picture("b") });
  const images = ["a", "b"].map((name) => ({ url: `${HOST}/${name}.jpg` }));
  const first = await start(system, { owner: "me", images });
  await cancelJob(system.deps, first.id);
  await drain(system, fetch);
  assert.deepEqual(asked, []);
  assert.equal((await system.progress(first.id)).state, "cancelled");

  const second = await start(system, { owner: "me", images });
  const deps = { ...system.deps, fetch };
  // The order was heard, and one of its two messages lost.
  await fetchMessage(
    { ...deps, imports: { sendMany: async ([one = ""]) => void (await deps.imports.send(one)) } },
    orderBody(second.id),
    1,
  );
  const [order] = await system.imports.receive({ max: 1 });
  await system.imports.delete(order?.receipt ?? "");
  await drain(system, fetch);
  assert.equal((await system.progress(second.id)).state, "running");
  await system.start({ resume: second.id });
  await drain(system, fetch);
  const { state, done } = await system.progress(second.id);
  assert.deepEqual([state, done, asked.length], ["done", 2, 2]);
});

test("what nobody could carry out is a dead letter: the URL has failed, or the job", async () => {
  const system = jobSystem();
  const { fetch } = outside({});
  const away: Fetch = () => Promise.reject(new TypeError("of our own making"));
  const { id } = await start(system, { owner: "me", images: [{ url: `${HOST}/a.jpg` }] });
  await drain(system, away);
  await system.drainDead();
  const { job, images } = await report(system, id);
  assert.deepEqual([job.state, images[0]?.error?.code], ["done", "download-failed"]);

  const other = await start(system, { owner: "me", images: [{ url: `${HOST}/b.jpg` }] });
  const [order] = await system.imports.receive({ max: 1 });
  await system.imports.delete(order?.receipt ?? "");
  await system.dead.send(orderBody(other.id));
  await system.drainDead();
  assert.equal((await system.progress(other.id)).state, "failed");
  await system.start({ resume: other.id });
  await drain(system, fetch);
  assert.equal((await system.progress(other.id)).state, "done");
});

test("what is asked for badly is refused by its place, and no other job is an import", async () => {
  const system = jobSystem();
  const refused = (request: unknown) => {
    const parsed = v.safeParse(ImportRequest, request);
    return parsed.success
      ? ""
      : parsed.issues.map((issue) => `${v.getDotPath(issue)}: ${issue.message}`).join();
  };
  assert.match(
    refused({ images: [{ url: "ftp://old.example/a.jpg" }] }),
    /^images\.0\.url: an http or https URL/,
  );
  assert.match(refused({ images: [] }), /at least one/);
  assert.match(refused({ images: Array(501).fill({ url: HOST }) }), /at most 500/);
  await assert.rejects(start(system, { images: [{ url: HOST }] }), /images\[0\]\.owner: whose is it/);
  await assert.rejects(
    start(system, { owner: "me", images: [{ url: HOST, preset: "x" }] }),
    /images\[0\]\.preset/,
  );
  await system.develop();
  const { id } = await system.start({ select: { status: "all" } });
  await assert.rejects(report(system, id), /no import/);
});
