import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import test from "node:test";
import { ManualClock } from "local-aws/manual-clock";
import { memoryStore } from "../../../adapters/memory/memory-store.ts";
import { FORGETS, newId } from "../../../core/keys.ts";
import { forgetNoted, noteForget } from "../../../core/tell/forget.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** CloudFront as it is documented: 15 wildcards at a time, each under way for a minute, one reference asks once. */
function system() {
  const clock = new ManualClock(Date.parse("2026-11-20T12:00:00Z"));
  const now = () => new Date(clock.now());
  const uploads = memoryStore({ now });
  const asked: { paths: readonly string[]; at: number }[] = [];
  const references = new Set<string>();
  const forget = async (paths: readonly string[], reference: string) => {
    const underWay = asked
      .filter(({ at }) => Math.abs(clock.now() - at) < MINUTE)
      .flatMap(({ paths }) => paths);
    if (underWay.length + paths.length > 15) return false;
    if (!references.has(reference)) asked.push({ paths, at: clock.now() });
    references.add(reference);
    return true;
  };
  const deps = { uploads, now, random: randomBytes, forget };
  const note = async (count: number) => {
    const ids = Array.from({ length: count }, () => newId(randomBytes));
    for (const id of ids) await noteForget(deps, id);
    return ids;
  };
  const turn = (changes = {}) => forgetNoted({ ...deps, ...changes }, new Date(clock.now() + MINUTE));
  /** Turns of the schedule until nothing is noted; the minutes that took. */
  const settle = async () => {
    const start = clock.now();
    while ((await uploads.list(FORGETS)).objects.length > 0) {
      await turn();
      clock.advance(MINUTE);
    }
    return (clock.now() - start) / MINUTE;
  };
  return { clock, uploads, asked, deps, note, turn, settle };
}

test("a deleted image is forgotten within a minute, several with one request", async () => {
  const { asked, note, settle } = system();
  const ids = await note(10);
  assert.equal(await settle(), 1);
  assert.deepEqual(
    asked.map(({ paths }) => paths),
    [ids.sort().map((id) => `/images/${id}/*`)],
  );
});

test("as many as CloudFront works on at a time, and the rest a minute later", async () => {
  const { asked, note, settle } = system();
  const ids = await note(100);
  assert.equal(await settle(), 7);
  assert.equal(new Set(asked.flatMap(({ paths }) => paths)).size, ids.length);
});

test("what would take an hour is forgotten with everything, no more often than every six hours", async () => {
  const { clock, asked, note, settle } = system();
  await note(2_000);
  // What is noted in the very second of the request may be asked for again.
  clock.advance(2_000);
  assert.ok((await settle()) <= 2);
  assert.deepEqual(asked[0]?.paths, ["/images/*"]);
  await note(1_000);
  assert.equal(await settle(), 67, "one by one, as the cache has just been emptied");
  clock.advance(6 * HOUR);
  await note(1_000);
  clock.advance(2_000);
  assert.ok((await settle()) <= 2);
  assert.equal(asked.filter(({ paths }) => paths[0] === "/images/*").length, 2);
});

test("deleted once more while the CDN is asked, it is asked again under another reference", async () => {
  const { asked, deps, note, turn, clock } = system();
  const [id = ""] = await note(1);
  await turn({
    forget: async (paths: readonly string[], reference: string) => {
      await noteForget(deps, id);
      return deps.forget(paths, reference);
    },
  });
  clock.advance(MINUTE);
  await turn();
  assert.equal(asked.length, 2);
});

test("refused or failing, every note stays; a crash between asking and dropping asks once", async () => {
  const { asked, note, turn, uploads, clock } = system();
  await note(3);
  assert.deepEqual(await turn({ forget: async () => false }), { images: 0, waiting: true });
  await assert.rejects(turn({ forget: () => Promise.reject(new Error("down")) }), { message: "down" });
  assert.equal((await uploads.list(FORGETS)).objects.length, 3);
  const dying = { ...uploads, delete: () => Promise.reject(new Error("killed")) };
  await assert.rejects(turn({ uploads: dying }), { message: "killed" });
  await turn();
  clock.advance(MINUTE);
  assert.equal(asked.length, 1);
  assert.equal((await uploads.list(FORGETS)).objects.length, 0);
});

test("without a CDN notes go, and a clock that jumps keeps nothing for ever", async () => {
  const { note, turn, uploads, clock, asked, settle } = system();
  await note(1_500);
  await turn({ forget: undefined });
  assert.equal((await uploads.list(FORGETS)).objects.length, 0);
  clock.advance(24 * HOUR);
  await note(950);
  await turn();
  assert.deepEqual(asked.at(-1)?.paths, ["/images/*"]);
  clock.advance(-24 * HOUR);
  await note(20);
  assert.ok((await settle()) < 120);
});
