import assert from "node:assert/strict";
import test from "node:test";
import { type Metadata, parseMetadata, transition, type Variant, type Verdict } from "../../core/metadata.ts";

const ID = "0".repeat(26);
const AT = new Date("2026-11-20T12:00:00Z");
const variant = (key: string): Variant => ({
  name: "w32",
  format: "webp",
  type: "image/webp",
  width: 32,
  height: 20,
  bytes: 9,
  key,
  url: key,
});
const document = (changes: Partial<Metadata>): Metadata => ({
  schema: 1,
  id: ID,
  status: "ready",
  rev: 1,
  writeId: "w",
  sequencer: "01",
  source: { bytes: 1, etag: "a" },
  variants: [variant("old")],
  recipe: "r1",
  pending: [],
  processedAt: AT.toISOString(),
  superseded: [],
  deleting: [],
  ...changes,
});
const ready: Verdict = {
  status: "ready",
  sequencer: "01",
  source: { bytes: 1, etag: "a" },
  recipe: "r2",
  variants: [variant("new")],
};
const rejected: Verdict = {
  ...ready,
  status: "rejected",
  variants: [],
  error: { code: "corrupt", message: "broken" },
};
const failed: Verdict = {
  status: "failed",
  sequencer: "01",
  error: { code: "retries-exhausted", message: "ours" },
};
const after = (current: Metadata | undefined, verdict: Verdict) => {
  const next = transition(current, ID, verdict, AT);
  return "stop" in next ? next.stop : next.write;
};
const status = (current: Metadata | undefined, verdict: Verdict) => {
  const next = after(current, verdict);
  return typeof next === "string" ? next : next.status;
};
const problem = { code: "corrupt", message: "broken" } as const;

test("a failure says since when every try has failed; what ends it takes that away", () => {
  const first = after(undefined, failed) as Metadata;
  assert.equal(first.failedAt, AT.toISOString());
  const later = new Date(AT.getTime() + 86_400_000);
  const again = transition(first, ID, failed, later);
  assert.ok("write" in again && again.write.failedAt === first.failedAt);
  assert.equal((after(first, { ...ready, sequencer: "01" }) as Metadata).failedAt, undefined);
  const stayed = after(document({}), failed) as Metadata;
  assert.deepEqual([stayed.status, stayed.failedAt], ["ready", AT.toISOString()]);
  assert.equal((after(stayed, { ...ready, force: true }) as Metadata).failedAt, undefined);
});

test("which document follows which", () => {
  const states = {
    nothing: undefined,
    ready: document({}),
    rejected: document({ status: "rejected", variants: [], error: problem }),
    failed: document({
      status: "failed",
      variants: [],
      error: { code: "retries-exhausted", message: "ours" },
    }),
    deleted: document({ status: "deleted", variants: [] }),
  };
  const table: [keyof typeof states, Verdict, string][] = [
    ["nothing", ready, "ready"],
    ["nothing", rejected, "rejected"],
    ["nothing", failed, "failed"],
    ["ready", ready, "ready"],
    ["ready", rejected, "ready"],
    ["ready", failed, "ready"],
    ["rejected", ready, "ready"],
    ["rejected", rejected, "rejected"],
    ["rejected", failed, "done"],
    ["failed", ready, "ready"],
    ["failed", rejected, "rejected"],
    ["failed", failed, "failed"],
    ["deleted", ready, "deleted"],
    ["deleted", rejected, "deleted"],
    ["deleted", failed, "deleted"],
  ];
  for (const [state, verdict, expected] of table) {
    assert.equal(status(states[state], verdict), expected, `${state}, then ${verdict.status}`);
  }
});

test("what is newer stays, what is settled is not done again", () => {
  assert.equal(after(document({ sequencer: "02" }), ready), "superseded");
  assert.equal(after(document({ recipe: "r2" }), ready), "done");
  assert.equal(status(document({ recipe: "r2" }), { ...ready, force: true }), "ready");
  assert.equal(status(document({ recipe: "r2", pending: ["avif"] }), ready), "ready");
});

test("a failed try leaves a ready image as it is, and says so", () => {
  const next = after(document({}), rejected);
  assert.ok(typeof next === "object");
  assert.deepEqual(next.variants, [variant("old")]);
  assert.deepEqual(next.lastError, { ...problem, at: AT.toISOString() });
});

test("a rejection of other bytes replaces what the old ones gave", () => {
  const next = after(document({}), { ...rejected, sequencer: "02", source: { bytes: 2, etag: "b" } });
  assert.ok(typeof next === "object");
  assert.equal(next.status, "rejected");
  assert.deepEqual(
    next.superseded.map(({ key }) => key),
    ["old"],
  );
});

test("variants no longer named are superseded, and come back when they are wanted again", () => {
  const next = after(
    document({
      superseded: [
        { key: "older", at: AT.toISOString() },
        { key: "new", at: AT.toISOString() },
      ],
    }),
    ready,
  );
  assert.ok(typeof next === "object");
  assert.deepEqual(next.superseded.map(({ key }) => key).sort(), ["old", "older"]);
  assert.equal("lastError" in next, false);
});

test("a document of a later version is refused, not misread", () => {
  assert.throws(() => parseMetadata(JSON.stringify({ ...document({}), schema: 2 })));
  const { picture: _, ...read } = parseMetadata(JSON.stringify({ ...document({}), unheardOf: 1 }));
  assert.deepEqual(read, document({}));
});

test("what is ready says what its <picture> is made of; of one that an earlier release wrote, when it is read", () => {
  const next = after(undefined, ready);
  assert.ok(typeof next === "object");
  const picture = {
    sources: [],
    img: { src: "new", srcset: "new 32w", width: 32, height: 20 },
  };
  assert.deepEqual(next.picture, picture);
  const { picture: _, ...before } = next;
  assert.deepEqual(parseMetadata(JSON.stringify({ ...before, rev: 1, writeId: "w" })).picture, picture);
  const refused = after(undefined, { ...rejected, sequencer: "01" });
  assert.ok(typeof refused === "object" && refused.picture === undefined);
  const waiting = document({ variants: [], pending: ["avif"] });
  assert.equal(parseMetadata(JSON.stringify(waiting)).picture, undefined, "nothing to show yet");
});
