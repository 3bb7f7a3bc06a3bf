/** A call over HTTP and a queue's message through the real command, against a running stack; the slow test has all. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { s3Client, s3Store } from "../../adapters/aws/s3-store.ts";
import { type SampleWorld, seedSamples } from "../../laptop/samples.ts";
import { type Stack, startStack } from "../../laptop/stack.ts";
import { assertOutcome, sampleEvents } from "./cases.ts";
import { invokeLocal } from "./invoke-local.ts";

const data = mkdtempSync(join(tmpdir(), "darkroom-invoke-"));
let stack: Stack;
let world: SampleWorld;

before(async () => {
  stack = await startStack({ port: 0, data, poll: false, logLevel: "error" });
  const s3 = s3Client({ forcePathStyle: true });
  const [bucket = "", media = ""] = [stack.env["UPLOADS_BUCKET"], stack.env["MEDIA_BUCKET"]];
  world = { s3, bucket, uploads: s3Store(s3, bucket), media: s3Store(s3, media), consumed: false };
});
after(async () => {
  world?.s3.destroy();
  await stack?.close();
  rmSync(data, { recursive: true, force: true });
});

for (const name of ["presign.good", "worker.put"]) {
  test(name, async () => {
    const sample = sampleEvents.find((event) => event.name === name);
    assert.ok(sample);
    // Here nobody else would develop a new original, for which the command waits.
    await seedSamples(sample.event, world);
    const { status, answer, output } = await invokeLocal(data, sample.fn, "-p", `events/${name}.json`);
    assert.equal(status, 0, output);
    await assertOutcome(sample, answer, world);
  });
}

test("without a running stack the command says so", async () => {
  const { status, output } = await invokeLocal(
    join(data, "elsewhere"),
    "worker",
    "-p",
    "events/worker.put.json",
  );
  assert.equal(status, 1);
  assert.match(output, /The local stack is not running: there is no .*local\.json\. Start it .*npm start/);
});
