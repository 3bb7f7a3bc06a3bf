/** The doctor as an operator calls it, on a whole stack and on one with a part taken out. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { DeleteBucketCorsCommand } from "@aws-sdk/client-s3";
import { s3Client, s3Store } from "../../adapters/aws/s3-store.ts";
import { type Stack, startStack } from "../../laptop/stack.ts";
import { darkroom } from "./darkroom.ts";

const data = mkdtempSync(join(tmpdir(), "darkroom-doctor-"));
const env = { DARKROOM_DATA: data };
let stack: Stack;
before(async () => {
  stack = await startStack({ port: 0, data, logLevel: "error" });
});
after(async () => {
  await stack.close();
  rmSync(data, { recursive: true, force: true });
});

test("healthy, then without CORS rules, then from outside, then with nothing there", async () => {
  const healthy = await darkroom(["doctor"], { env });
  assert.equal(healthy.status, 0, healthy.out);
  assert.match(healthy.out, /^(✓ .+\n){10}$/);
  assert.equal(healthy.err, "Nothing is wrong.\n");
  // The test image is gone.
  const client = s3Client({ forcePathStyle: true });
  const originals = await s3Store(client, stack.env["UPLOADS_BUCKET"] ?? "").list("originals/");
  assert.deepEqual(originals.objects, []);

  await client.send(new DeleteBucketCorsCommand({ Bucket: stack.env["UPLOADS_BUCKET"] ?? "" }));
  client.destroy();
  const broken = await darkroom(["doctor"], { env });
  assert.equal(broken.status, 1);
  assert.match(
    broken.out,
    /✗ CORS\n {4}The bucket darkroom-uploads has no CORS rules: no browser can upload\.\n {4}→ Stop it and start it again \(npm start\)/,
  );
  assert.equal(broken.err, "1 to see to.\n");
  const json = await darkroom(["doctor", "--json"], { env });
  const { problems, results } = JSON.parse(json.out) as { problems: number; results: { status: string }[] };
  assert.equal(json.status, 1);
  assert.equal(problems, 1);
  assert.deepEqual(results.map(({ status }) => status).sort(), [...Array(9).fill("ok"), "problem"]);

  // With nothing but the API: what only AWS credentials can see is said to be unseen.
  const outside = await darkroom(["doctor", "--api", stack.api, "--token", stack.uploadToken]);
  assert.equal(outside.status, 0, outside.out);
  assert.equal(outside.out.match(/^– .*: not checked, name its --stack/gm)?.length, 8);
  assert.match(outside.out, /✓ round trip/);

  const nowhere = await darkroom(["doctor"], { env: { DARKROOM_DATA: join(data, "none") } });
  assert.equal(nowhere.status, 1);
  assert.match(nowhere.err, /No local stack runs .*Start it with npm start, or name a --stack/);
});
