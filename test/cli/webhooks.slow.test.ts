/** `darkroom webhooks` against the local stack. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { s3Client, s3Store } from "../../adapters/aws/s3-store.ts";
import { sqsClient, sqsQueue } from "../../adapters/aws/sqs-queue.ts";
import { metaKey } from "../../core/keys.ts";
import type { Metadata } from "../../core/metadata.ts";
import { eventOf, tell } from "../../core/tell/tell.ts";
import { type Stack, startStack } from "../../laptop/stack.ts";
import { darkroom } from "./darkroom.ts";

const ID = "qbbfm3f3cr98440ngmn6a6rh3w";
const data = mkdtempSync(join(tmpdir(), "darkroom-"));
const sqs = sqsClient();
let stack: Stack;
let invoked = () => {};

before(async () => {
  stack = await startStack({ port: 0, data, logLevel: "error", onInvocation: () => invoked() });
});
after(async () => {
  sqs.destroy();
  await stack.close();
  rmSync(data, { recursive: true, force: true });
});

const run = (...args: string[]) => darkroom(["webhooks", ...args], { env: { DARKROOM_DATA: data } });
const document = (): Metadata => ({
  schema: 1,
  id: ID,
  status: "ready",
  rev: 1,
  writeId: "w",
  variants: [],
  pending: [],
  processedAt: new Date().toISOString(),
  superseded: [],
  deleting: [],
});
/** Until the page's own receiver has so many. */
async function received(count: number): Promise<string[]> {
  for (;;) {
    const next = new Promise<void>((resolve) => {
      invoked = resolve;
    });
    const { webhooks } = (await (await fetch(`${stack.page}/webhooks.json`)).json()) as {
      webhooks: { id: string }[];
    };
    if (webhooks.length >= count) return webhooks.map(({ id }) => id);
    await next;
  }
}

test("what was told is sent again, under the same id", async () => {
  const s3 = s3Client({ forcePathStyle: true });
  await s3Store(s3, stack.env["MEDIA_BUCKET"] ?? "").put(metaKey(ID), JSON.stringify(document()));
  s3.destroy();
  await tell(sqsQueue(sqs, stack.env["EVENTS_QUEUE_URL"] ?? ""), document());
  await received(1);
  const { status, out, err } = await run("replay", "--since", "1h", "--type", "ready");
  assert.deepEqual([status, out], [0, "1 sent again.\n"], err);
  assert.deepEqual(await received(2), [`${ID}-1`, `${ID}-1`]);
  assert.equal((await run("replay", "--id", ID, "--type", "deleted", "--json")).out, '{"sent":0}\n');
});

test("what no receiver took is listed, and sent again", async () => {
  assert.match((await run("failed")).err, /Every webhook was taken/);
  const [url] = (stack.env["WEBHOOK_URLS"] ?? "").split(" ");
  const letter = { darkroom: "deliver", url, event: eventOf({ ...document(), rev: 2 }) };
  await sqsQueue(sqs, stack.env["EVENTS_DEAD_LETTERS_URL"] ?? "").send(JSON.stringify(letter));
  const listed = await run("failed");
  assert.match(listed.out, new RegExp(`^ {2}${ID}  image\\.ready  ${new URL(url ?? "").host}  \\d{4}-`, "m"));
  const [line = ""] = (await run("failed", "--json")).out.split("\n");
  assert.equal(JSON.parse(line).id, ID);
  assert.equal((await run("replay", "--failed")).out, "1 sent again.\n");
  assert.equal((await received(3))[0], `${ID}-2`);
});

test("what is meant has to be said", async () => {
  for (const [args, why] of [
    [["replay"], /--since, --id or --failed/],
    [["replay", "--failed", "--since", "1h"], /no other choice/],
    [["replay", "--since", "yesterday"], /A time such as/],
    [["replay", "--since", "1h", "--type", "lost"], /One or more of image\.ready/],
  ] as const) {
    const { status, err } = await run(...args);
    assert.equal(status, 2, err);
    assert.match(err, why);
  }
});
