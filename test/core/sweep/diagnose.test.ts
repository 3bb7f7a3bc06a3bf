import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import {
  attachKey,
  editKey,
  homeKey,
  imagePrefix,
  metaKey,
  originalKey,
  variantKey,
} from "../../../core/keys.ts";
import { type Metadata, placeholder } from "../../../core/metadata.ts";
import { diagnose, needsDocument, PATIENCE, TOMBSTONE_MS } from "../../../core/sweep/diagnose.ts";
import type { Traces } from "../../../core/sweep/walk.ts";

const ID = "qbbfm3f3cr98440ngmn6a6rh3w";
const NOW = new Date("2026-11-20T12:00:00Z");
const [MINUTE, HOUR, DAY] = [60_000, 3_600_000, 86_400_000];
const ago = (ms: number) => new Date(NOW.getTime() - ms);
const keyOf = (name: string) => variantKey(ID, name, "0123456789abcdef", "webp");
const object = (key: string, age: number, etag = "e") => ({ key, etag, size: 1, lastModified: ago(age) });
const original = (age: number, etag = "e") => object(originalKey(ID), age, etag);
const wanted = (age: number) => object(attachKey(ID), age);
const edit = (age: number) => object(editKey(ID), age);
const attached = (age: number) => ({ ...wanted(age), size: 0 });
const traces = (over: Partial<Traces>): Traces => ({
  id: ID,
  original: undefined,
  document: undefined,
  variants: [],
  openUploads: [],
  attention: [],
  attach: undefined,
  held: [],
  edit: undefined,
  ...over,
});
const document = (over: Partial<Metadata>, age = HOUR): Metadata => ({
  schema: 1,
  id: ID,
  status: "ready",
  rev: 1,
  writeId: "w",
  source: { bytes: 1, etag: "e" },
  variants: [],
  pending: [],
  uploadedAt: ago(age).toISOString(),
  processedAt: ago(age).toISOString(),
  superseded: [],
  deleting: [],
  ...over,
});
const at = (name: string, age: number) => ({ key: keyOf(name), at: ago(age).toISOString() });
const meta = object(metaKey(ID), HOUR);
const open = { key: originalKey(ID), uploadId: "u", startedAt: ago(HOUR) };
const failed = { code: "corrupt", message: "…" };
const gone = document({ source: { bytes: 1, etag: "e", gone: ago(HOUR).toISOString() } });
const cleared: Metadata = { ...placeholder(ID, [keyOf("a")], ago(HOUR)), rev: 1, writeId: "w" };

const cases: [string, Partial<Traces>, Metadata | undefined, string[]][] = [
  ["just uploaded", { original: original(MINUTE) }, undefined, []],
  ["its notification was lost", { original: original(2 * HOUR) }, undefined, ["develop"]],
  ["an upload in parts goes on", { openUploads: [open] }, undefined, []],
  ["variants and nothing else", { variants: [object(keyOf("a"), MINUTE)] }, undefined, ["stray 1"]],
  ["a first try goes on", { original: original(MINUTE), variants: [object(keyOf("a"), 0)] }, undefined, []],
  ["buried while it was listed", { document: meta, variants: [object(keyOf("a"), DAY)] }, undefined, []],
  ["listed as failed, and gone", { attention: ["failed"] }, undefined, ["index"]],
  [
    "to be attached",
    { original: original(DAY), document: meta, attach: wanted(DAY) },
    document({}),
    ["expire"],
  ],
  ["attached", { original: original(DAY), document: meta, attach: attached(DAY) }, document({}), []],
  [
    "an edit that its message was lost of",
    { original: original(DAY), document: meta, edit: edit(2 * HOUR) },
    document({}),
    ["develop"],
  ],
  ["just edited", { original: original(DAY), document: meta, edit: edit(MINUTE) }, document({}), []],
  [
    "an edit that is shown",
    { original: original(DAY), document: meta, edit: edit(DAY) },
    document({ edit: { rev: 1, etag: "e" } }),
    [],
  ],
  [
    "an edit that was tried",
    { original: original(DAY), document: meta, edit: edit(2 * HOUR), attention: ["rejected"] },
    document({ lastError: { ...failed, at: ago(HOUR).toISOString() } }),
    [],
  ],
  [
    "words for a picture whose original is gone",
    { document: meta, edit: edit(2 * HOUR), attention: ["original-gone"] },
    gone,
    ["develop"],
  ],
  [
    "edited while it was deleted",
    { document: meta, edit: edit(0) },
    document({ status: "deleted" }),
    ["stray 1"],
  ],
  ["an edit of which there is nothing else", { edit: edit(16 * DAY) }, undefined, ["vain"]],
  ["attached before it comes", { attach: attached(DAY) }, undefined, []],
  ["attached, and never came", { attach: attached(16 * DAY) }, undefined, ["vain"]],
  ["attached, and on its way", { attach: attached(16 * DAY), openUploads: [open] }, undefined, []],
  [
    "deleted, and attached by then",
    { document: meta, attach: attached(DAY) },
    document({ status: "deleted" }),
    ["stray 1"],
  ],
  ["in order", { original: original(DAY), document: meta }, document({}), []],
  ["its original is gone", { document: meta }, document({}), ["gone"]],
  ["gone, and it says so", { document: meta, attention: ["original-gone"] }, gone, []],
  [
    "gone, and come back",
    { original: original(DAY), document: meta, attention: ["original-gone"] },
    gone,
    ["back"],
  ],
  ["another sweep died while it cleared this", { document: meta }, cleared, ["stray 1"]],
  ["overwritten", { original: original(2 * HOUR, "f"), document: meta }, document({}), ["develop"]],
  ["overwritten just now", { original: original(MINUTE, "f"), document: meta }, document({}), []],
  [
    "overwritten, and tried in vain",
    { original: original(2 * HOUR, "f"), document: meta, attention: ["rejected"] },
    document({ lastError: { ...failed, at: ago(MINUTE).toISOString() } }),
    [],
  ],
  [
    "formats still to come",
    { original: original(DAY), document: meta },
    document({ pending: ["avif"] }, 2 * HOUR),
    ["develop"],
  ],
  [
    "superseded long ago, and lately",
    { original: original(DAY), document: meta },
    document({ superseded: [at("a", 31 * DAY), at("b", 29 * DAY)] }),
    [`retire ${keyOf("a")}`],
  ],
  [
    "a deletion broken off, and one that goes on",
    { original: original(DAY), document: meta },
    document({ deleting: [at("a", 21 * MINUTE), at("b", 19 * MINUTE)] }),
    [`retire ${keyOf("a")}`],
  ],
  [
    "forgotten variants, and fresh ones",
    {
      original: original(DAY),
      document: meta,
      variants: [object(keyOf("a"), 2 * DAY), object(keyOf("b"), HOUR)],
    },
    document({}),
    ["stray 1"],
  ],
  [
    "rejected, in no index",
    { original: original(DAY), document: meta },
    document({ status: "rejected", error: failed }),
    ["index"],
  ],
  [
    "ready, and listed as failed",
    { original: original(DAY), document: meta, attention: ["failed"] },
    document({}),
    ["index"],
  ],
  ["deleted", { document: meta }, document({ status: "deleted" }), []],
  [
    "written after its delete",
    { document: meta, original: original(0), attention: ["failed"] },
    document({ status: "deleted" }),
    ["stray 2"],
  ],
  [
    "being uploaded after its delete",
    { document: meta, openUploads: [open] },
    document({ status: "deleted" }),
    ["stray 1"],
  ],
  [
    "deleted long ago",
    { document: object(metaKey(ID), TOMBSTONE_MS + MINUTE) },
    document({ status: "deleted" }, TOMBSTONE_MS + MINUTE),
    ["ripe"],
  ],
  [
    "deleted long ago, and something is left",
    { document: object(metaKey(ID), TOMBSTONE_MS + MINUTE), variants: [object(keyOf("a"), 0)] },
    document({ status: "deleted" }, TOMBSTONE_MS + MINUTE),
    ["stray 1"],
  ],
];

for (const [name, over, found, expected] of cases) {
  test(name, () => {
    const remedies = diagnose(traces(over), found, NOW, { patience: PATIENCE, lastRound: undefined });
    const told = remedies.map((one) => {
      if (one.do === "stray") return `stray ${one.objects}`;
      return one.do === "retire" ? `retire ${one.keys}` : one.do;
    });
    assert.deepEqual(told, expected);
  });
}

/** When rounds that begin so many hours after the failure try again, each knowing when the one before began. */
function healing(found: Metadata, hours: readonly number[]): number[] {
  let lastRound = new Date(NOW.getTime() - MINUTE);
  return hours.filter((hour) => {
    const now = new Date(NOW.getTime() + hour * HOUR);
    const there = traces({ original: original(DAY), document: meta, attention: ["failed"] });
    const remedies = diagnose(there, found, now, { patience: PATIENCE, lastRound });
    lastRound = now;
    return remedies.some((one) => one.do === "retry");
  });
}
const hourly = Array.from({ length: 24 * 20 }, (_, hour) => hour + 0.5);
const ours = { code: "retries-exhausted", message: "…" };

test("what failed is tried again after an hour, six, a day, then daily for two weeks", () => {
  const failedAt = NOW.toISOString();
  const found = document({ status: "failed", error: ours, failedAt });
  const days = Array.from({ length: 14 }, (_, day) => 24 * (day + 1) + 0.5);
  assert.deepEqual(healing(found, hourly), [1.5, 6.5, ...days]);
  const stayed = document({ lastError: { ...ours, at: failedAt }, failedAt });
  assert.deepEqual(healing(stayed, hourly), [1.5, 6.5, ...days]);
  // A round that was late for several of these times tries once.
  assert.deepEqual(healing(found, [100, 101, 200]), [100, 200]);
});

test("what the last release left failed is tried daily, until a try says since when", () => {
  const found = document({ status: "failed", error: ours, processedAt: ago(100 * DAY).toISOString() });
  assert.equal(healing(found, hourly).length, 20);
});

test("what was condemned by the deaths of workers is tried again, too, as weather kills them as well", () => {
  const crashed = { code: "decoder-crashed", message: "…" };
  const failedAt = NOW.toISOString();
  assert.equal(healing(document({ status: "rejected", error: crashed, failedAt }), hourly).length, 16);
  assert.equal(healing(document({ lastError: { ...crashed, at: failedAt }, failedAt }), hourly).length, 16);
});

test("what the file is to blame for is not tried again", () => {
  assert.deepEqual(
    healing(document({ status: "rejected", error: { code: "decoder-crashed", message: "…" } }), hourly),
    [],
  );
  assert.deepEqual(healing(document({ status: "rejected", error: failed }), hourly), []);
});

const anyName = fc.constantFrom("a", "b", "c", "d");
const anyAge = fc.integer({ min: 0, max: 40 * DAY });
const anyEntry = fc.tuple(anyName, anyAge).map(([name, age]) => at(name, age));

test("whatever there is: no variant that is shown is retired, and no tombstone goes before its time", () => {
  const world = fc.record({
    shown: fc.uniqueArray(anyName),
    superseded: fc.array(anyEntry),
    deleting: fc.array(anyEntry),
    variants: fc.uniqueArray(fc.tuple(anyName, anyAge), { selector: ([name]) => name }),
    status: fc.constantFrom("ready" as const, "deleted" as const),
    age: anyAge,
    uploaded: fc.option(anyAge),
  });
  fc.assert(
    fc.property(world, ({ shown, superseded, deleting, variants, status, age, uploaded }) => {
      const others = ({ key }: { key: string }) => !shown.some((name) => keyOf(name) === key);
      const variant = (name: string) => ({
        name,
        format: "webp",
        type: "image/webp",
        width: 1,
        height: 1,
        bytes: 1,
        key: keyOf(name),
        url: `https://cdn.example/${imagePrefix(ID)}`,
      });
      const found = document(
        {
          status,
          variants: shown.map(variant),
          superseded: superseded.filter(others),
          deleting: deleting.filter(others),
        },
        age,
      );
      const there = traces({
        document: object(metaKey(ID), age),
        original: uploaded === null ? undefined : original(uploaded),
        variants: variants.map(([name, old]) => object(keyOf(name), old)),
      });
      for (const remedy of diagnose(there, found, NOW, {
        patience: { upload: 0, orphan: 0, superseded: 0 },
        lastRound: undefined,
      })) {
        if (remedy.do === "retire")
          for (const name of shown) assert.ok(!remedy.keys.includes(keyOf(name)), name);
        if (remedy.do === "ripe") assert.ok(status === "deleted" && age > TOMBSTONE_MS && uploaded === null);
        if (remedy.do === "gone") assert.equal(uploaded, null);
      }
    }),
  );
});

test("a document is read where there may be something to do, and only there", () => {
  const old = { original: original(60 * DAY), document: object(metaKey(ID), 60 * DAY) };
  const horizon = ago(40 * DAY);
  assert.equal(needsDocument(traces(old), horizon), false);
  assert.equal(needsDocument(traces({ original: original(60 * DAY) }), horizon), false);
  const reasons: [string, Partial<Traces>][] = [
    ["committed since", { ...old, document: object(metaKey(ID), DAY) }],
    ["overwritten since", { ...old, original: original(DAY) }],
    ["a variant since", { ...old, variants: [object(keyOf("a"), DAY)] }],
    ["on its way into its owner's home since", { ...old, home: object(homeKey(ID), DAY) }],
    ["no original", { ...old, original: undefined }],
    ["listed as failed", { ...old, attention: ["failed"] }],
    ["being uploaded", { ...old, openUploads: [open] }],
  ];
  for (const [name, over] of reasons) assert.ok(needsDocument(traces(over), horizon), name);
  assert.ok(needsDocument(traces(old), undefined), "never settled");
  const goneForGood = { ...old, original: undefined, attention: ["original-gone" as const] };
  assert.equal(needsDocument(traces(goneForGood), horizon), false);
});
