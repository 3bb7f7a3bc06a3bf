import assert from "node:assert/strict";
import test from "node:test";
import * as v from "valibot";
import { FindQuery, findImages, listOrFind } from "../../../core/job/find-images.ts";
import { originalKey } from "../../../core/keys.ts";
import { writeUploadMetadata } from "../../../core/upload-metadata.ts";
import { toyPicture } from "../../toy-pixels.ts";
import { type JobSystem, jobSystem, watched } from "./job-system.ts";

type Query = v.InferInput<typeof FindQuery>;

/** All pages of what is found. */
async function find(system: JobSystem, query: Query, limit = 100): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await findImages(system.deps, v.parse(FindQuery, query), { limit, cursor });
    assert.ok(page.images.length <= limit);
    ids.push(...page.images.map(({ id }) => id));
    ({ cursor } = page);
  } while (cursor !== undefined);
  return ids;
}

async function named(system: JobSystem, owner: string, more: { ref?: string; clientRef?: string }) {
  const id = await system.upload({ owner });
  const metadata = writeUploadMetadata({ owner, preset: "photo", filename: "lake.jpg", ...more });
  await system.deps.uploads.put(originalKey(id), toyPicture("good", id), { metadata });
  await system.deps.backfill.send(JSON.stringify({ darkroom: "develop", id }));
  await system.drain();
  return id;
}

test("images are found by owner, reference, what became of them, preset and time, also together", async () => {
  const system = jobSystem();
  const [trusted, own] = [
    await named(system, "anna", { ref: "order 7 🛶" }),
    await named(system, "anna", { clientRef: "order 7 🛶" }),
  ];
  const other = await named(system, "bert", { ref: "order 7 🛶" });
  const face = await system.develop({ owner: "anna", preset: "avatar" });
  const bad = await system.develop({ owner: "bert", kind: "corrupt" });
  const noon = system.deps.now().toISOString();
  system.clock.advance(60_000);
  const minute = system.deps.now().toISOString();
  const late = await system.develop({ owner: "anna" });
  const waiting = await system.upload({ owner: "anna" });
  const gone = await system.develop({ owner: "carl" });
  await system.deps.uploads.delete(originalKey(gone));
  await system.deps.backfill.send(JSON.stringify({ darkroom: "develop", id: gone, force: true }));
  await system.drain();
  const cases: [Query, string[]][] = [
    [{ owner: "anna" }, [trusted, own, face, late]],
    [{ ref: "order 7 🛶" }, [trusted, own, other]],
    [{ owner: "anna", ref: "order 7 🛶" }, [trusted, own]],
    [{ ref: "order 8" }, []],
    [{ owner: "bert", status: "rejected" }, [bad]],
    [{ status: "rejected", preset: "photo" }, [bad]],
    [{ status: "all" }, [trusted, own, other, face, bad, late, waiting, gone]],
    [{ owner: "carl" }, [gone]],
    [{ preset: "avatar" }, [face]],
    [{ before: noon.slice(0, 10), owner: "anna" }, []],
    [{ after: minute, owner: "anna" }, [late]],
    [{ before: minute, owner: "anna" }, [trusted, own, face]],
  ];
  for (const [query, wanted] of cases)
    assert.deepEqual((await find(system, query)).sort(), [...wanted].sort(), JSON.stringify(query));
  for (const limit of [1, 2, 3])
    assert.deepEqual(
      (await find(system, { status: "all" }, limit)).sort(),
      (await find(system, { status: "all" })).sort(),
    );
});

test("what is found says whose it is, what for, and what is wrong", async () => {
  const system = jobSystem();
  const id = await named(system, "anna", { ref: "seven" });
  const [found] = (
    await findImages(system.deps, v.parse(FindQuery, { ref: "seven" }), { limit: 9, cursor: undefined })
  ).images;
  assert.deepEqual(found?.context, { owner: "anna", ref: "seven", clientRef: undefined, name: "lake.jpg" });
  assert.deepEqual([found?.id, found?.status, found?.preset, found?.code], [id, "ready", "photo", undefined]);
  assert.ok(found?.bytes && found.uploadedAt && found.thumbnail);
});

test("one request looks at so many images and no more, and goes on where it was", async () => {
  const system = jobSystem();
  for (let i = 0; i < 9; i++) await system.upload();
  let heads = 0;
  const uploads = watched(system.deps.uploads, (call) => {
    if (call.startsWith("head")) heads++;
  });
  const deps = { ...system.deps, uploads, most: 4 };
  const query = v.parse(FindQuery, { ref: "nothing" });
  const page = await findImages(deps, query, { limit: 2, cursor: undefined });
  assert.deepEqual([page.images, page.looked, heads], [[], 4, 4]);
  const rest = await findImages({ ...deps, most: 100 }, query, { limit: 2, cursor: page.cursor });
  assert.deepEqual([rest.images, rest.looked, rest.cursor], [[], 5, undefined]);
  const late = { ...deps, budgetMs: 0 };
  assert.equal((await findImages(late, query, { limit: 2, cursor: undefined })).looked, 2);
});

test("a query without a wish, of nonsense, or with a cursor of another list is refused", async () => {
  const system = jobSystem();
  const refused = (query: unknown) => v.safeParse(FindQuery, query).issues?.[0].message;
  assert.match(refused({}) ?? "", /say which images/);
  assert.match(refused({ limit: "5" }) ?? "", /say which images/);
  for (const query of [
    { ref: "x".repeat(10_000) },
    { ref: "" },
    { status: "lost" },
    { owner: "" },
    { after: "noon" },
  ])
    assert.ok(refused(query), JSON.stringify(query));
  for (const cursor of [
    "jobs/",
    "owners/bert/0000000000000-00000000000000000000000000",
    "originals",
    "../x",
  ]) {
    const found = findImages(system.deps, v.parse(FindQuery, { owner: "anna" }), { limit: 5, cursor });
    await assert.rejects(found, { code: "bad-request" }, cursor);
  }
  await assert.rejects(find(system, { preset: "unknown" }), { code: "bad-request" });
});

test("by what became of them alone it is the index, with its reasons", async () => {
  const system = jobSystem();
  const id = await system.develop({ kind: "corrupt" });
  const answer = await listOrFind(system.deps, v.parse(FindQuery, { status: "rejected" }), {
    limit: 5,
    cursor: undefined,
  });
  assert.deepEqual(
    answer.images.map((image) => [image.id, image.status, image.code]),
    [[id, "rejected", "corrupt"]],
  );
  assert.ok(!("looked" in answer));
});
