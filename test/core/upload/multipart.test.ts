import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { beforeEach, test } from "node:test";
import fc from "fast-check";
import * as v from "valibot";
import type { Caller } from "../../../core/caller.ts";
import { DarkroomError, type ErrorCode } from "../../../core/errors.ts";
import {
  type Agreement,
  abortUpload,
  CompleteRequest,
  completeUpload,
  createUpload,
  holderOf,
  listParts,
  type MultipartDeps,
  type MultipartStore,
  openTicket,
  type Part,
  partSizeOf,
  signPart,
} from "../../../core/upload/multipart.ts";
import { seal } from "../../../core/upload/seal.ts";

const SECRET = "a-secret-of-at-least-thirty-two-bytes";
const START = Date.parse("2026-11-20T12:00:00Z");
const KEY = "originals/7jgpd2cmvm0rs8jd22bkqhf5kr";
const OTHER_KEY = "originals/qbbfm3f3cr98440ngmn6a6rh3w";
const MiB = 1_048_576;

const callerOf = (owner: string, ...scopes: ("upload" | "admin")[]): Caller => ({
  owner,
  scopes: new Set(scopes),
});
const me = callerOf("me", "upload");
const you = callerOf("you", "upload");
const admin = callerOf("operator", "admin");

/** S3's multipart calls as far as the rules see them; what was called is noted. */
class Store implements MultipartStore {
  readonly open = new Map<string, { key: string; metadata: Record<string, string>; parts: Part[] }>();
  readonly originals = new Map<string, { metadata: Record<string, string>; size: number }>();
  readonly calls: string[] = [];
  /** The next completion does its work, and its answer gets lost. */
  losesAnswer = false;

  async begun(key: string) {
    return [...this.open].flatMap(([id, upload]) => (upload.key === key ? [id] : []));
  }
  async create({ key, metadata }: Pick<Agreement, "key" | "type" | "metadata">) {
    const id = `s3-${this.open.size + this.originals.size + 1}`;
    this.open.set(id, { key, metadata, parts: [] });
    return id;
  }
  async listParts(_key: string, id: string) {
    return this.open.get(id)?.parts;
  }
  async complete(key: string, id: string, parts: readonly Omit<Part, "size">[], size: number) {
    this.calls.push(`complete ${parts.map(({ number }) => number)} of ${size} bytes`);
    const upload = this.open.get(id);
    if (!upload || this.originals.has(key)) return false;
    this.open.delete(id);
    this.originals.set(key, { metadata: upload.metadata, size });
    if (this.losesAnswer) throw new Error("socket hang up");
    return true;
  }
  async abort(_key: string, id: string) {
    this.calls.push("abort");
    this.open.delete(id);
  }
  async metadata(key: string) {
    return this.originals.get(key)?.metadata;
  }
}

let store: Store;
let time: number;
let deps: MultipartDeps;
const now = () => new Date(time);
const signed: unknown[][] = [];
let counted = 0;

beforeEach(() => {
  time = START;
  store = new Store();
  signed.length = 0;
  counted = 0;
  deps = {
    store,
    sign: async (...args) => {
      signed.push(args);
      return { url: "https://s3/", seconds: 300 };
    },
    tickets: seal(SECRET, "ticket", now),
    uploads: seal(SECRET, "multipart upload", now),
    passes: seal(SECRET, "pass", now),
    now,
    count: () => counted++,
  };
});

const agreement = (terms: Partial<Agreement> = {}): Agreement => ({
  key: KEY,
  owner: "me",
  type: "image/jpeg",
  metadata: { owner: "me", preset: "photo" },
  maxBytes: 25_000_000,
  ...terms,
});

async function begin(terms: Partial<Agreement> = {}) {
  const { key, uploadId } = await createUpload(deps, me, agreement(terms));
  assert.equal(key, KEY);
  return { key, uploadId };
}

/** As S3 has them after the PUTs. */
function receive(...sizes: number[]): Omit<Part, "size">[] {
  const upload = [...store.open.values()].at(-1);
  assert.ok(upload);
  upload.parts = sizes.map((size, i) => ({
    number: i + 1,
    etag: createHash("md5").update(`${i}`).digest("hex"),
    size,
  }));
  return upload.parts.map(({ number, etag }) => ({ number, etag }));
}

const refused = (run: Promise<unknown>, code: ErrorCode) =>
  assert.rejects(run, (error: unknown) => error instanceof DarkroomError && error.code === code);

test("a ticket is for its owner, an admin, and nobody else, and for a while", () => {
  const ticket = deps.tickets.close(agreement(), START + 300_000);
  assert.deepEqual(openTicket(deps, me, ticket), agreement());
  assert.deepEqual(openTicket(deps, admin, ticket), agreement());
  const code = (caller: Caller, text = ticket) => {
    try {
      return openTicket(deps, caller, text);
    } catch (error) {
      return error instanceof DarkroomError ? error.code : error;
    }
  };
  assert.equal(code(you), "not-found");
  assert.equal(code(me, deps.uploads.close(agreement(), START + 300_000)), "not-found");
  time += 300_001;
  assert.equal(code(me), "not-found");
});

test("a pass is for one upload, as long as that may be open, and nothing else is one", async () => {
  const { uploadId, pass } = await createUpload(deps, me, agreement());
  const other = await createUpload(deps, you, agreement({ key: "originals/other", owner: "you" }));
  assert.deepEqual(holderOf(deps, pass, uploadId), { owner: "me", scopes: new Set(["upload"]) });
  for (const [sent, id] of [
    [pass, other.uploadId],
    [pass, undefined],
    [uploadId, uploadId],
    [deps.tickets.close(agreement(), START + 300_000), uploadId],
    ["a.b.c", uploadId],
  ] as const)
    assert.equal(holderOf(deps, sent, id), undefined);
  time += 24 * 3600 * 1000 + 1;
  assert.equal(holderOf(deps, pass, uploadId), undefined);
});

test("S3's own upload id, the owner and the file's name do not leave us", async () => {
  const filename = `${"secret".repeat(170)}.jpg`;
  const { uploadId } = await begin({ metadata: { owner: "me", preset: "photo", filename } });
  for (const text of ["s3-1", "secret", '"me"'])
    assert.ok(!Buffer.from(uploadId, "base64url").includes(text));
  // It stands in paths: what is only needed at the start is not in it.
  assert.ok(uploadId.length < 400, `${uploadId.length} characters`);
});

const verbs = {
  sign: (caller: Caller, ref: { uploadId: string; key: string | undefined }) =>
    signPart(deps, caller, ref, 1),
  list: (caller: Caller, ref: { uploadId: string; key: string | undefined }) => listParts(deps, caller, ref),
  complete: (caller: Caller, ref: { uploadId: string; key: string | undefined }) =>
    completeUpload(deps, caller, ref, receive(5 * MiB)),
  abort: (caller: Caller, ref: { uploadId: string; key: string | undefined }) =>
    abortUpload(deps, caller, ref),
};

for (const [name, run] of Object.entries(verbs)) {
  test(`${name}: an upload is its owner's, of its key, unaltered, for a day`, async () => {
    const ref = await begin();
    await refused(run(you, ref), "not-found");
    await refused(run(me, { ...ref, key: OTHER_KEY }), "not-found");
    await refused(run(me, { ...ref, uploadId: "s3-1" }), "not-found");
    const [first = "", ...rest] = ref.uploadId;
    await refused(run(me, { ...ref, uploadId: (first === "A" ? "B" : "A") + rest.join("") }), "not-found");
    const ticket = deps.tickets.close({ ...agreement(), uploadId: "s3-1" }, START + 1000);
    await refused(run(me, { ...ref, uploadId: ticket }), "not-found");
    time = START + 24 * 3_600_000 + 1;
    await refused(run(me, ref), "not-found");
    assert.deepEqual([store.calls, signed, store.open.size], [[], [], 1], "nothing was done");
    time = START + 24 * 3_600_000;
    await run(me, ref);
  });
}

test("the key may be left out, and an admin may do anything", async () => {
  const { uploadId } = await begin();
  await signPart(deps, admin, { uploadId, key: undefined }, 1);
  assert.deepEqual(signed, [[KEY, "s3-1", 1, undefined]]);
});

test("the parts of a file of known size cover it exactly, and none lies beyond", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 200 * MiB }), async (size) => {
      const partSize = partSizeOf(size);
      const ref = await begin({ size, partSize, maxBytes: size });
      const count = Math.ceil(size / partSize);
      signed.length = 0;
      for (let part = 1; part <= count; part++) await signPart(deps, me, ref, part);
      const sizes = signed.map(([, , , bytes]) => Number(bytes));
      assert.equal(
        sizes.reduce((sum, bytes) => sum + bytes, 0),
        size,
      );
      assert.ok(sizes.every((bytes, i) => bytes > 0 && (i === count - 1 || bytes >= 5 * MiB)));
      await refused(signPart(deps, me, ref, count + 1), "bad-request");
    }),
    { numRuns: 50 },
  );
});

test("no size needs more parts than S3 takes", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 * 1024 ** 4 }), (size) => {
      const partSize = partSizeOf(size);
      assert.ok(Number.isInteger(partSize) && partSize >= 5 * MiB && Math.ceil(size / partSize) <= 10_000);
    }),
  );
});

test("a part is a whole number from 1 to 10,000", async () => {
  const ref = await begin({ maxBytes: 1024 ** 5 });
  for (const part of [0, -1, 1.5, 10_001, Number.NaN, Number.POSITIVE_INFINITY])
    await refused(signPart(deps, me, ref, part), "bad-request");
  await refused(signPart(deps, me, ref, 10_000), "rate-limited");
});

test("of a file of unknown size one part is on its way at a time, and none without room", async () => {
  const ref = await begin({ maxBytes: 10 * MiB });
  await refused(signPart(deps, me, ref, 2), "rate-limited");
  await refused(signPart(deps, me, ref, 3), "file-too-large");
  assert.deepEqual(await signPart(deps, me, ref, 1), { url: "https://s3/", expires: 300 });
  receive(6 * MiB);
  await signPart(deps, me, ref, 2);
  receive(10 * MiB);
  await refused(signPart(deps, me, ref, 2), "file-too-large");
  assert.deepEqual(store.calls, []);
  await signPart(deps, me, ref, 1);
  receive(10 * MiB + 1);
  await refused(signPart(deps, me, ref, 2), "file-too-large");
  assert.deepEqual(store.calls, ["abort"]);
  await refused(signPart(deps, me, ref, 1), "not-found");
});

test("a ticket begins one upload: repeated, it names that one; of several at once the first stays", async () => {
  const { key, uploadId } = await begin();
  const again = await begin();
  assert.deepEqual(deps.uploads.open(again.uploadId), deps.uploads.open(uploadId));
  assert.deepEqual([store.open.size, counted], [1, 1]);
  await abortUpload(deps, me, { key, uploadId });
  const many = await Promise.all([1, 2, 3, 4, 5].map(() => begin()));
  assert.equal(store.open.size, 1);
  const [first] = store.open.keys();
  for (const one of many)
    assert.equal((deps.uploads.open(one.uploadId) as { uploadId: string }).uploadId, first);
});

test("complete: the original is there, by the parts in their order, however they were named", async () => {
  const ref = await begin();
  const parts = receive(5 * MiB, 5 * MiB, 1).reverse();
  assert.deepEqual(await completeUpload(deps, me, ref, parts), { key: KEY });
  assert.deepEqual(store.calls, [`complete 1,2,3 of ${10 * MiB + 1} bytes`]);
});

test("over the limit: the parts are taken away before the file is refused", async () => {
  for (const over of [1, 0]) {
    const ref = await begin({ maxBytes: 10 * MiB });
    const parts = receive(5 * MiB, 5 * MiB + over);
    if (over) {
      await refused(completeUpload(deps, me, ref, parts), "file-too-large");
      assert.deepEqual([store.calls, store.open.size, store.originals.size], [["abort"], 0, 0]);
      await refused(completeUpload(deps, me, ref, parts), "not-found");
    } else await completeUpload(deps, me, ref, parts);
  }
});

test("another size than agreed on is refused, and may still be put right", async () => {
  const ref = await begin({ size: 8 * MiB + 10, partSize: 8 * MiB });
  for (const last of [9, 11])
    await refused(completeUpload(deps, me, ref, receive(8 * MiB, last)), "bad-request");
  assert.deepEqual(store.calls, []);
  await completeUpload(deps, me, ref, receive(8 * MiB, 10));
});

test("the client's parts must be S3's: all of them, once each, with their ETags", async () => {
  const ref = await begin();
  const [one, two, three] = receive(5 * MiB, 5 * MiB, 5);
  assert.ok(one && two && three);
  const wrong = [
    [],
    [one, two],
    [one, two, three, { number: 4, etag: one.etag }],
    [one, two, two],
    [one, two, { ...three, etag: two.etag }],
    [one, two, { ...three, number: 5 }],
  ];
  for (const parts of wrong) await refused(completeUpload(deps, me, ref, parts), "bad-request");
  assert.deepEqual(store.calls, []);
  await completeUpload(deps, me, ref, [one, two, three]);
});

test("repeated after a lost answer, completing succeeds as often as one likes", async () => {
  const ref = await begin();
  const parts = receive(100);
  store.losesAnswer = true;
  await assert.rejects(completeUpload(deps, me, ref, parts), /socket hang up/);
  for (const _ of [1, 2]) assert.deepEqual(await completeUpload(deps, me, ref, parts), { key: KEY });
});

test("a ticket whose original is there begins nothing, and one that was faster leaves no parts behind", async () => {
  const first = await begin();
  const parts = receive(100);
  // Begun before tickets began one upload only.
  const second = await store.create(agreement());
  const ref = { key: KEY, uploadId: deps.uploads.close({ ...agreement(), uploadId: second }, START + 1000) };
  await completeUpload(deps, me, first, parts);
  assert.deepEqual(await completeUpload(deps, me, ref, receive(50)), { key: KEY });
  assert.equal(store.originals.get(KEY)?.size, 100);
  assert.equal(store.open.size, 0);
  await refused(begin(), "not-found");
});

test("an original of somebody else's is no proof that this upload was completed", async () => {
  const ref = await begin();
  const parts = receive(100);
  store.originals.set(KEY, { metadata: { owner: "you" }, size: 100 });
  await refused(completeUpload(deps, me, ref, parts), "not-found");
  assert.equal(store.originals.get(KEY)?.metadata["owner"], "you");
});

test("aborted, an upload is over; aborting again changes nothing", async () => {
  const ref = await begin();
  const parts = receive(100);
  await abortUpload(deps, me, ref);
  await abortUpload(deps, me, ref);
  assert.equal(store.open.size, 0);
  await refused(listParts(deps, me, ref), "not-found");
  await refused(completeUpload(deps, me, ref, parts), "not-found");
});

test("ETags are understood with quotes and without, mixed", () => {
  const parts = [
    { PartNumber: 1, ETag: "abc" },
    { PartNumber: 2, ETag: '"def"', Size: 5 },
  ];
  assert.deepEqual(v.parse(CompleteRequest, { parts }), {
    parts: [
      { number: 1, etag: "abc" },
      { number: 2, etag: "def" },
    ],
  });
  for (const wrong of [{}, { parts: [] }, { parts: [{ PartNumber: "1", ETag: "abc" }] }])
    assert.equal(v.is(CompleteRequest, wrong), false);
});
