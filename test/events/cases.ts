/** The sample events with what must come of them, and how to look at it. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { ListMultipartUploadsCommand } from "@aws-sdk/client-s3";
import { readText } from "../../core/commit.ts";
import { JOBS } from "../../core/job-keys.ts";
import { imagePrefix, metaKey, originalKey } from "../../core/keys.ts";
import { parseMetadata } from "../../core/metadata.ts";
import type { ObjectStore } from "../../core/ports.ts";
import type { SampleWorld } from "../../laptop/samples.ts";
import { assertMatches } from "./matches.ts";

export const EVENTS = new URL("../../events/", import.meta.url);

interface Expected {
  /** For people. */
  readonly is: string;
  /** Of the handler; `json` is the body of an HTTP answer, parsed. */
  readonly response: unknown;
  /** Keys of the uploads bucket at which an event is kept. */
  readonly kept?: readonly string[];
  /**
   * By id, once the handler has answered: whether the original is there, the metadata document, and how many uploads
   * in parts are open.
   */
  readonly images?: Readonly<Record<string, { original?: boolean; metadata?: unknown; uploads?: number }>>;
  /** By id: what lies under `jobs/{jobId}/`, by the rest of its key. */
  readonly jobs?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

export interface SampleEvent {
  /** `worker.put` */
  readonly name: string;
  /** `worker` */
  readonly fn: string;
  readonly event: unknown;
  /** Absent where nobody has stated what must come out. */
  readonly expected: Expected | undefined;
}

const json = (file: string): unknown => JSON.parse(readFileSync(new URL(file, EVENTS), "utf8"));
export const expectations = json("expected.json") as Readonly<Record<string, Expected>>;

export const sampleEvents: readonly SampleEvent[] = readdirSync(EVENTS).flatMap((file) => {
  const [, name, fn] = /^(([a-z]+)\.[a-z0-9-]+)\.json$/.exec(file) ?? [];
  return name && fn ? [{ name, fn, event: json(file), expected: expectations[name] }] : [];
});

/** What the handler answered, and what it left behind. */
export async function assertOutcome(
  { expected }: SampleEvent,
  answer: unknown,
  { uploads, media, s3, bucket }: Pick<SampleWorld, "uploads" | "media" | "s3" | "bucket">,
): Promise<void> {
  assert.ok(expected, "events/expected.json must state what comes of it");
  assertMatches(withParsedBody(answer), expected.response, "response");
  for (const key of expected.kept ?? []) assert.ok(await uploads.head(key), key);
  for (const [id, { original, metadata, uploads: open }] of Object.entries(expected.images ?? {})) {
    if (open !== undefined) {
      const Prefix = originalKey(id);
      const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix }));
      assert.equal(Uploads.length, open, `uploads in parts of ${id}`);
    }
    if (original !== undefined)
      assert.equal((await uploads.head(originalKey(id))) !== undefined, original, `original of ${id}`);
    if (metadata === undefined) continue;
    const stored = await media.get(metaKey(id));
    assertMatches(stored && JSON.parse(await readText(stored.body)), metadata, `metadata of ${id}`);
    if (stored) await assertHonest(id, media);
  }
  for (const [job, objects] of Object.entries(expected.jobs ?? {})) {
    for (const [name, wanted] of Object.entries(objects)) {
      const stored = await uploads.get(`${JOBS}${job}/${name}`);
      const text = stored && (await readText(stored.body));
      assertMatches(text?.startsWith("{") ? JSON.parse(text) : text, wanted, `${name} of job ${job}`);
    }
  }
}

/** A document names only what is there, and a tombstone is all there is. */
async function assertHonest(id: string, media: ObjectStore): Promise<void> {
  const stored = await media.get(metaKey(id));
  const { status, variants } = parseMetadata(stored ? await readText(stored.body) : "");
  const { objects } = await media.list(imagePrefix(id));
  const there = new Map(objects.map(({ key, size }) => [key, size]));
  for (const { key, bytes } of variants) assert.equal(there.get(key), bytes, key);
  if (status === "deleted") assert.deepEqual([...there.keys()], [metaKey(id)]);
}

function withParsedBody(answer: unknown): unknown {
  if (typeof answer !== "object" || answer === null || !("body" in answer) || typeof answer.body !== "string")
    return answer;
  return answer.body.startsWith("<") ? answer : { ...answer, json: JSON.parse(answer.body) };
}
