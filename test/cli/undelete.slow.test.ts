/** A delete is taken back on the running stack, whose buckets keep versions, by a process of its own. */
import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { setTimeout } from "node:timers/promises";
import { PutBucketVersioningCommand } from "@aws-sdk/client-s3";
import { s3Client, s3Store } from "../../adapters/aws/s3-store.ts";
import { readRevision } from "../../core/commit.ts";
import { originalKey } from "../../core/keys.ts";
import type { Metadata } from "../../core/metadata.ts";
import type { ObjectStore } from "../../core/ports.ts";
import { type Stack, startStack } from "../../laptop/stack.ts";
import { darkroom as run } from "./darkroom.ts";

const data = mkdtempSync(join(tmpdir(), "darkroom-"));
let stack: Stack;
let uploads: ObjectStore;
let media: ObjectStore;
const darkroom = (...args: string[]) => run(args, { env: { DARKROOM_DATA: data } });
const documentOf = async (id: string): Promise<Metadata | undefined> =>
  (await readRevision(media, id)).document;
/** In the bucket: the CDN holds what it was asked for until it has been told. */
const isThere = async ({ key }: Metadata["variants"][number]) => (await media.head(key)) !== undefined;

before(async () => {
  stack = await startStack({ port: 0, data, logLevel: "error" });
  const s3 = s3Client({ forcePathStyle: true });
  const buckets = [stack.env["UPLOADS_BUCKET"] ?? "", stack.env["MEDIA_BUCKET"] ?? ""] as const;
  [uploads, media] = [s3Store(s3, buckets[0]), s3Store(s3, buckets[1])];
  for (const Bucket of buckets)
    await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Enabled" } }));
});
after(async () => {
  await stack.close();
  rmSync(data, { recursive: true, force: true });
});

test("upload, find, delete, undelete: the picture is back under the URLs that it had", async () => {
  const file = join(data, "lake.jpg");
  copyFileSync("test/images/valid/base-progressive.jpg", file);
  const { out } = await darkroom("upload", "--json", file);
  const { id } = JSON.parse(out.trim().split("\n")[0] ?? "{}") as { id: string };
  // Formats that follow are written until a worker meets the tombstone.
  let was = await documentOf(id);
  while (was?.pending.length !== 0) {
    await setTimeout(50);
    was = await documentOf(id);
  }
  const [variant = assert.fail("no variants")] = was?.variants ?? [];
  assert.ok(await isThere(variant));
  assert.match((await darkroom("find", "--owner", "local")).out, new RegExp(id));
  assert.match((await darkroom("show", id)).out, /name +lake\.jpg/);

  // Nobody sits there, so it does nothing unasked.
  const unasked = await darkroom("delete", id);
  assert.deepEqual([unasked.status, (await documentOf(id))?.status], [2, "ready"]);
  assert.match((await darkroom("delete", id, "--yes")).out, /done: 1 deleted/);
  assert.deepEqual([await isThere(variant), (await documentOf(id))?.status], [false, "deleted"]);
  assert.equal(await uploads.head(originalKey(id)), undefined);
  assert.match((await darkroom("show", id)).err, /deleted/);

  assert.match((await darkroom("undelete", id, "--dry-run")).out, /would be back/);
  const back = await darkroom("undelete", id);
  assert.match(back.out, /is back with \d+ variants and its original/);
  const is = await documentOf(id);
  assert.deepEqual([is?.status, is?.variants], ["ready", was?.variants]);
  assert.ok((is?.rev ?? 0) > (was?.rev ?? 0) + 1);
  assert.ok(await isThere(variant));
  assert.equal((await uploads.head(originalKey(id)))?.metadata["owner"], "local");
  assert.match((await darkroom("undelete", id)).out, /back already/);
  // All of him goes, and what still names him is said: here what the buckets keep for an undelete.
  assert.match((await darkroom("delete", "--owner", "local", "--yes")).out, /done: 1 deleted/);
  const first = await darkroom("erased", "local");
  assert.deepEqual([first.status, /entries of deleted images +1,/.test(first.out)], [1, true]);
  const cleared = await darkroom("erased", "local", "--clear");
  assert.match(
    cleared.out,
    /entries of deleted images +none\n +counts of what he has +none\n +orders of jobs +none/,
  );
  assert.match(cleared.out, /kept versions +[1-9]/);
  assert.equal((await darkroom("erased", "nobody")).status, 0);

  const never = await darkroom("undelete", "qbbfm3f3cr98440ngmn6a6rh3w");
  assert.deepEqual([never.status, /none of that name/.test(never.err)], [1, true]);
});
