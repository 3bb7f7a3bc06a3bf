/** A job of 20 pages on the local stack, whose guard against recursion is on. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { Storage } from "local-aws/s3/storage";
import { newId, originalKey } from "../../core/keys.ts";
import { startStack } from "../../laptop/stack.ts";

const PAGES = 20;
const IMAGES = PAGES * 1000;

test("all pages of a job are chosen on the local stack, and no message of its is cut", async (t) => {
  const data = mkdtempSync(join(tmpdir(), "darkroom-pages-"));
  const first = await startStack({ port: 0, data, poll: false });
  const bucket = first.env["UPLOADS_BUCKET"] ?? "";
  await first.close();
  // Put there at once: uploads are not what is tested.
  const storage = new Storage(data);
  const empty = {
    etag: "d41d8cd98f00b204e9800998ecf8427e",
    size: 0,
    headers: {},
    segments: [],
    multipart: false,
  };
  storage.transaction(() => {
    for (let image = 0; image < IMAGES; image++)
      storage.putObject({
        ...empty,
        bucket,
        key: originalKey(newId(randomBytes)),
        modified: Date.now() - 60_000,
      });
  });
  storage.close();

  const cut: unknown[] = [];
  const taken = Promise.withResolvers<void>();
  const stack = await startStack({
    port: 0,
    data,
    logLevel: "error",
    onInvocation(name, event) {
      if (name === "failures") cut.push(event);
      if (JSON.stringify(event).includes(String.raw`\"darkroom\":\"scan\"`)) taken.resolve();
    },
  });
  t.after(async () => {
    await stack.close();
    rmSync(data, { recursive: true });
  });
  const admin = { authorization: `Bearer ${stack.adminToken}`, "content-type": "application/json" };
  const body = JSON.stringify({ select: { status: "all" } });
  const started = await fetch(`${stack.api}/admin/reprocess`, { method: "POST", headers: admin, body });
  const { id } = (await started.json()) as { id: string };
  await taken.promise;
  // What a busy machine did not get through in a message's minute is the schedule's, whose turn is a quarter of an hour away.
  await stack.invoke("sweep", {});
  let progress: { queued: number; rejected: number; failed: number };
  do progress = (await (await fetch(`${stack.api}/admin/jobs/${id}`, { headers: admin })).json()) as never;
  while (
    // A 429, as the throttle is on, says neither.
    !(progress.queued >= IMAGES && progress.rejected >= 100)
  );
  assert.deepEqual([progress.queued, progress.failed, cut], [IMAGES, 0, []]);
});
