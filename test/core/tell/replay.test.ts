import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import test from "node:test";
import { ManualClock } from "local-aws/manual-clock";
import { MemoryQueue } from "../../../adapters/memory/memory-queue.ts";
import { memoryStore } from "../../../adapters/memory/memory-store.ts";
import { DELIVERIES, metaKey, newId } from "../../../core/keys.ts";
import type { Metadata } from "../../../core/metadata.ts";
import type { Queue } from "../../../core/ports.ts";
import { park, RETRY_SECONDS, Receivers } from "../../../core/tell/deliver.ts";
import { handleEvent } from "../../../core/tell/handle-event.ts";
import { failedWebhooks, type ReplayRequest, replayEvents, replayFailed } from "../../../core/tell/replay.ts";
import { eventOf } from "../../../core/tell/tell.ts";

const START = Date.parse("2026-11-20T23:00:00Z");
const MINUTE = 60_000;

/** An hour and a half over midnight in which every minute something was told, kept by the function itself. */
async function told(count = 90) {
  const clock = new ManualClock(START);
  const events = new MemoryQueue({ clock });
  const letters = new MemoryQueue({ clock });
  // A long poll would wait for a clock that stands still.
  const deadLetters: Pick<Queue, "send" | "receive" | "delete" | "retryIn"> = {
    send: (...args) => letters.send(...args),
    receive: ({ max, visibilitySeconds = 30 }) => letters.receive({ max, visibilitySeconds }),
    delete: (receipt) => letters.delete(receipt),
    retryIn: (...args) => letters.retryIn(...args),
  };
  const now = () => new Date(clock.now());
  const [uploads, media] = [memoryStore({ now }), memoryStore({ now })];
  const urls = ["https://one.example/hook?key=private", "https://two.example/"];
  const deps = {
    uploads,
    media,
    now,
    receivers: new Receivers({ uploads, now }),
    events,
    deadLetters,
    random: randomBytes,
    urls: [] as string[],
    post: async () => 204,
  };
  const ids = Array.from({ length: count }, () => newId(randomBytes));
  for (const [i, id] of ids.entries()) {
    const told = document(id, START + i * MINUTE, i % 3 === 0 ? "deleted" : "ready");
    const event = eventOf(told);
    // Of every third nothing is left by now, as after the tombstone's days.
    if (i % 3 !== 0) await media.put(metaKey(id), JSON.stringify(told));
    await handleEvent(deps, JSON.stringify({ darkroom: "event", event }), 1);
  }
  const replay = async (request: ReplayRequest) => {
    let sent = 0;
    let pages = 0;
    for (let cursor: string | undefined, first = true; first || cursor; first = false, pages++) {
      const page = await replayEvents(deps, { ...request, ...(cursor ? { cursor } : {}) });
      sent += page.sent;
      cursor = page.cursor;
    }
    const messages = [];
    for (
      let some = await events.receive({ max: 10 });
      some.length;
      some = await events.receive({ max: 10 })
    ) {
      for (const { body, receipt } of some) {
        messages.push(JSON.parse(body));
        await events.delete(receipt);
      }
    }
    assert.equal(messages.length, sent);
    assert.ok(messages.every(({ darkroom, replay }) => darkroom === "event" && replay === true));
    const minutes = messages.map(({ event }) => ids.indexOf(event.data.id)).sort((a, b) => a - b);
    return { minutes, pages };
  };
  return { deps: { ...deps, urls }, clock, letters, ids, replay };
}

const document = (id: string, at: number, status: Metadata["status"]): Metadata => ({
  schema: 1,
  id,
  status,
  rev: 1,
  writeId: "w",
  variants: [],
  pending: [],
  processedAt: new Date(at).toISOString(),
  superseded: [],
  deleting: [],
});
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
const at = (minute: number) => new Date(START + minute * MINUTE).toISOString();

test("what was told is sent again by time, kind and image", async () => {
  const { replay, ids } = await told();
  assert.deepEqual((await replay({ since: at(0) })).minutes, range(0, 90));
  // From the first minute named to before the last, over midnight.
  assert.deepEqual((await replay({ since: at(50), until: at(70) })).minutes, range(50, 70));
  assert.deepEqual(
    (await replay({ since: at(50), until: at(70), types: ["image.deleted"] })).minutes,
    range(50, 70).filter((minute) => minute % 3 === 0),
  );
  const id = ids[77] ?? "";
  assert.deepEqual((await replay({ id })).minutes, [77]);
  assert.deepEqual((await replay({ id, types: ["image.failed"] })).minutes, []);
  assert.deepEqual((await replay({ since: at(90) })).minutes, []);
});

test("a replay tells of an image as it is now: of one deleted since, that it is", async () => {
  const { deps, ids } = await told(2);
  const id = ids[1] ?? "";
  const replayed = async () => {
    await replayEvents(deps, { id });
    const [message] = await deps.events.receive({ max: 1 });
    await deps.events.delete(message?.receipt ?? "");
    const { event, rev } = JSON.parse(message?.body ?? "");
    return [event.type, event.data.rev, rev];
  };
  assert.deepEqual(await replayed(), ["image.ready", 1, 1]);
  const later = { ...document(id, START, "ready"), rev: 3 };
  await deps.media.put(metaKey(id), JSON.stringify(later));
  assert.deepEqual(await replayed(), ["image.ready", 3, 1]);
  await deps.media.put(metaKey(id), JSON.stringify({ ...document(id, START, "deleted"), rev: 4 }));
  assert.deepEqual(await replayed(), ["image.deleted", 4, 1]);
  await deps.media.delete(metaKey(id));
  assert.deepEqual(await replayed(), ["image.deleted", 2, 1]);
});

test("more than one request looks at is sent in several", async () => {
  const { replay } = await told(1001);
  const { minutes, pages } = await replay({ since: at(0) });
  assert.equal(minutes.length, 1001);
  assert.equal(pages, 2);
  assert.equal((await replay({ since: at(0), until: at(3) })).pages, 1);
});

test("nothing named is not everything, and a cursor is one of ours", async () => {
  const { deps } = await told(1);
  await assert.rejects(replayEvents(deps, {}), { code: "bad-request" });
  await assert.rejects(replayEvents(deps, { since: at(0), cursor: "x" }), { code: "bad-request" });
});

test("dead letters are listed without the secret part of a URL, stay, and go back when asked", async () => {
  const { deps, ids, letters, clock } = await told(1);
  const { deadLetters, events, urls } = deps;
  const id = ids[0] ?? "";
  const event = eventOf(document(id, START, "ready"));
  for (const url of urls) await deadLetters.send(JSON.stringify({ darkroom: "deliver", url, event }));
  await deadLetters.send(JSON.stringify({ darkroom: "forget", id, rev: 2 }));
  await deadLetters.send("none of ours");
  for (const url of urls) await park(deps, { url, event }, 900);
  for (let time = 0; time < 2; time++) {
    const { webhooks, more } = await failedWebhooks(deps);
    assert.equal(more, false);
    assert.deepEqual(webhooks.map(({ what, host, type }) => `${what} ${type} ${host ?? ""}`).sort(), [
      "deliver image.ready one.example",
      "deliver image.ready one.example",
      "deliver image.ready two.example",
      "deliver image.ready two.example",
      "forget image.deleted ",
    ]);
    assert.doesNotMatch(JSON.stringify(webhooks), /private/);
  }
  const until = new Date(clock.now() + MINUTE);
  assert.deepEqual(await replayFailed(deps, until), { sent: 6, more: false });
  assert.deepEqual((await deps.uploads.list(DELIVERIES)).objects, []);
  assert.equal(letters.count().visible + letters.count().inFlight, 0);
  const back = await events.receive({ max: 10 });
  assert.equal(back.length, 6);
  assert.ok(
    back.every(({ receives }) => receives === 1),
    `all ${RETRY_SECONDS.length} delays are before them`,
  );
});
