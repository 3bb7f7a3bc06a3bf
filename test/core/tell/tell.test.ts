import assert from "node:assert/strict";
import test from "node:test";
import { type Metadata, tombstone, transition, type Verdict } from "../../../core/metadata.ts";
import { eventId, eventOf } from "../../../core/tell/tell.ts";

const ID = "0".repeat(26);
const at = (minute: number) => new Date(Date.UTC(2026, 10, 20, 12, minute));
const source = (etag: string) => ({ bytes: 1, etag });
let minute = 0;

/** The document that follows on a verdict, a minute later, as a commit would number it. */
function next(current: Metadata | undefined, verdict: Verdict): Metadata {
  const made = transition(current, ID, verdict, at(minute++));
  assert.ok("write" in made);
  return { ...made.write, rev: (current?.rev ?? 0) + 1, writeId: "w" };
}

const ready = (recipe: string, etag = "a"): Verdict => ({ status: "ready", source: source(etag), recipe });
const rejected = (etag = "a"): Verdict => ({
  status: "rejected",
  source: source(etag),
  recipe: "r1",
  error: { code: "corrupt", message: "broken" },
});
const failed: Verdict = { status: "failed", error: { code: "retries-exhausted", message: "ours" } };

test("every end of an image has its event, and the document alone says which", () => {
  const first = next(undefined, ready("r1"));
  const remade = next(first, ready("r2"));
  const tried = next(remade, { ...failed, source: source("a") });
  const spoilt = next(tried, rejected("b"));
  const good = next(spoilt, ready("r1", "c"));
  const gone: Metadata = { ...tombstone(good, ID, undefined, at(minute++)), rev: 6, writeId: "w" };
  const lost = next(undefined, failed);
  const documents = [first, remade, tried, spoilt, good, gone, lost];
  assert.deepEqual(
    documents.map((document) => `${eventId(eventOf(document)).slice(26)} ${eventOf(document).type}`),
    [
      "-1 image.ready",
      "-2 image.updated",
      "-3 image.updated",
      "-4 image.rejected",
      "-5 image.ready",
      "-6 image.deleted",
      "-1 image.failed",
    ],
  );
  // When it came to this: for a try that changed nothing, when that ended.
  assert.deepEqual(
    documents.map((document) => eventOf(document).timestamp),
    documents.map((_, i) => at(i).toISOString()),
  );
  assert.equal(remade.readyAt, first.readyAt);
  // A document of an earlier release does not say since when it has been ready.
  const { readyAt: _, ...old } = first;
  assert.equal(eventOf(old).type, "image.ready");
  assert.equal(next(old, ready("r2")).readyAt, first.processedAt);
});
