/**
 * Sample events through the real command, against a stack that consumes its queues as `npm start` does. Each starts Serverless,
 * for 2 s of CPU, and events.slow sends all of them through the same handlers: here are as many as it takes to meet all that
 * the command has a part in.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { s3Client, s3Store } from "../../adapters/aws/s3-store.ts";
import { samples, samplesIn } from "../../laptop/samples.ts";
import { type Stack, startStack } from "../../laptop/stack.ts";
import { assertOutcome, type SampleEvent, sampleEvents } from "./cases.ts";
import { invokeLocal, invokeManyLocal } from "./invoke-local.ts";

const data = mkdtempSync(join(tmpdir(), "darkroom-invoke-all-"));
const s3 = s3Client({ forcePathStyle: true });
let stack: Stack;
let stores: Parameters<typeof assertOutcome>[2];

before(async () => {
  stack = await startStack({ port: 0, data, logLevel: "error" });
  const [uploads = "", media = ""] = [stack.env["UPLOADS_BUCKET"], stack.env["MEDIA_BUCKET"]];
  stores = { uploads: s3Store(s3, uploads), media: s3Store(s3, media), s3, bucket: uploads };
});
after(async () => {
  s3.destroy();
  await stack?.close();
  rmSync(data, { recursive: true, force: true });
});

const partsOf = ({ fn, event }: SampleEvent) =>
  new Set([
    `function ${fn}`,
    ...samplesIn(event).map((id) => `state ${samples[id]?.state}`),
    ...Array.from(JSON.stringify(event).matchAll(/\$\{(\w+)/g), ([, name]) => `placeholder ${name}`),
  ]);
const events = sampleEvents.map((sample) => ({ sample, parts: partsOf(sample) }));
/** Always the one that adds most: 29 events meet what 42 do as they come. */
const played: SampleEvent[] = [];
for (const missing = new Set(events.flatMap(({ parts }) => [...parts])); missing.size > 0; ) {
  const added = ({ parts }: (typeof events)[0]) => [...parts].filter((part) => missing.has(part)).length;
  const { sample, parts } = events.reduce((best, event) => (added(event) > added(best) ? event : best));
  played.push(sample);
  for (const part of parts) missing.delete(part);
}

test("every function, every state of a sample, every placeholder", {
  concurrency: availableParallelism(),
}, async (t) => {
  const run = (sample: SampleEvent) =>
    t.test(sample.name, async () => {
      const { status, answer, output } = await invokeManyLocal(
        data,
        sample.fn,
        "-p",
        `events/${sample.name}.json`,
      );
      assert.equal(status, 0, output);
      await assertOutcome(sample, answer, stores);
    });
  // Events that speak of the same images would put them back under each other's eyes: one follows the other.
  const last = new Map<string, Promise<void>>();
  const runs = played
    .filter(({ fn }) => fn !== "sweep")
    .map((sample) => {
      const ids = samplesIn(sample.event);
      const turn = Promise.all(ids.map((id) => last.get(id))).then(() => run(sample));
      for (const id of ids) last.set(id, turn);
      return turn;
    });
  await Promise.all(runs);
  // A sweep mends whatever it meets, and of two the later one goes on.
  for (const sample of played.filter(({ fn }) => fn === "sweep")) await run(sample);
});

test("a second time, as at first", async () => {
  for (const name of ["worker.put", "images.delete"]) {
    const sample = sampleEvents.find((event) => event.name === name);
    assert.ok(sample);
    const { answer } = await invokeLocal(data, sample.fn, "-p", `events/${name}.json`);
    await assertOutcome(sample, answer, stores);
  }
});

test("a handler that throws ends the command with a status of 1", async () => {
  const { status, output } = await invokeLocal(data, "worker", "-d", "{}");
  assert.equal(status, 1, output);
  assert.match(output, /TypeError/);
});

test("an unknown placeholder is named", async () => {
  const { status, output } = await invokeLocal(
    data,
    "presign",
    "-d",
    // The placeholder, not a template of ours.
    `{"headers":{"authorization":"\${noToken}"}}`,
  );
  assert.equal(status, 1, output);
  assert.match(output, /\$\{noToken\} means nothing in an event; there are uploadToken/);
});
