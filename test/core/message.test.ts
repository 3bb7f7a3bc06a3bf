import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { compareSequencers, decodeKey, developBody, parseMessage, scanBody } from "../../core/message.ts";
import { developMessage, failMessage } from "../../core/worker/handle-message.ts";

const ID = "0".repeat(26);
const record = (changes: { eventName?: string; bucket?: string; object?: object } = {}) => ({
  eventVersion: "2.6",
  eventSource: "aws:s3",
  eventName: changes.eventName ?? "ObjectCreated:Put",
  s3: {
    bucket: { name: changes.bucket ?? "uploads" },
    object: {
      key: `originals/${ID}`,
      size: 1,
      eTag: "abc",
      sequencer: "0055AED6DCD90281E5",
      ...changes.object,
    },
  },
});
const parse = (...records: object[]) => parseMessage(JSON.stringify({ Records: records }), "uploads");

test("every kind of creation is one, whatever the client used", () => {
  for (const name of ["Put", "Post", "Copy", "CompleteMultipartUpload"]) {
    assert.deepEqual(parse(record({ eventName: `ObjectCreated:${name}` })), [
      { kind: "created", id: ID, etag: "abc", sequencer: "0055AED6DCD90281E5" },
    ]);
  }
});

test("removals and expiries are one, also of versions", () => {
  for (const eventName of [
    "ObjectRemoved:Delete",
    "ObjectRemoved:DeleteMarkerCreated",
    "LifecycleExpiration:Delete",
  ]) {
    assert.deepEqual(parse(record({ eventName, object: { eTag: undefined } })), [
      { kind: "removed", id: ID, sequencer: "0055AED6DCD90281E5" },
    ]);
  }
});

test("what is not ours is ignored with a reason that quotes nothing", () => {
  const reason = (tasks: ReturnType<typeof parse>) =>
    tasks.map((task) => (task.kind === "ignored" ? task.reason : task.kind));
  assert.deepEqual(reason(parse(record({ bucket: "other" }))), ["another bucket"]);
  assert.deepEqual(reason(parse(record({ object: { key: "originals/red+flower.jpg" } }))), [
    "not a key of ours",
  ]);
  assert.deepEqual(reason(parse(record({ object: { key: "bad%zz" } }))), ["not a key of ours"]);
  assert.deepEqual(reason(parse(record({ eventName: "ObjectTagging:Put" }))), [
    "an event we did not ask for",
  ]);
  assert.deepEqual(parseMessage('{"Service":"Amazon S3","Event":"s3:TestEvent"}', "uploads"), []);
  assert.deepEqual(reason(parseMessage("{", "uploads")), ["not JSON"]);
  assert.deepEqual(reason(parseMessage("null", "uploads")), ["neither records nor a job"]);
  assert.deepEqual(reason(parseMessage('{"darkroom":"develop","id":"../x"}', "uploads")), [
    "job message without an image id",
  ]);
});

test("what has our mark and is not understood is left to the release that sent it", async () => {
  const body = '{"darkroom":"a kind of tomorrow","id":"0123456789abcdefghjkmnpqrs"}';
  assert.deepEqual(parseMessage(body, "uploads"), [{ kind: "later" }]);
  const anything = new Proxy({}, { get: () => assert.fail("nothing is asked of anybody") });
  const delivery = { body, receives: 1, bucket: "uploads" };
  for (const handle of [developMessage, failMessage])
    await assert.rejects(handle(anything as Parameters<typeof developMessage>[0], delivery), /later release/);
});

test("several records are several tasks", () => {
  assert.deepEqual(
    parse(record(), record({ bucket: "other" }), record({ eventName: "ObjectRemoved:Delete" })).map(
      ({ kind }) => kind,
    ),
    ["created", "ignored", "removed"],
  );
});

test("our own messages come back as they were sent, and say whether to make everything anew", () => {
  const job = "8204823999999abcdefg";
  const counted = { job, label: "0000012-1000" };
  for (const force of [true, false]) {
    for (const retry of [true, false]) {
      for (const rest of [{}, { counted }]) {
        const task = { id: ID, force, retry, ...rest };
        assert.deepEqual(parseMessage(developBody(task), "uploads"), [{ kind: "develop", ...task }]);
      }
    }
  }
  const scan = { kind: "scan" as const, job, page: 3, after: "originals/x", scanned: 3000, queued: 12 };
  assert.deepEqual(parseMessage(scanBody(scan), "uploads"), [scan]);
  assert.deepEqual(parseMessage(scanBody({ ...scan, lost: true }), "uploads"), [{ ...scan, lost: true }]);
  const parse = (body: object) =>
    parseMessage(JSON.stringify({ darkroom: "develop", id: ID, ...body }), "uploads");
  assert.deepEqual(parse({ force: "yes" }), [{ kind: "develop", id: ID, force: false, retry: false }]);
  // What would end up in a key has to be one of ours.
  for (const page of ["../x", "0000012-0", "12-1000", "0000012-1000/", 12]) {
    assert.deepEqual(parse({ job, page }), [{ kind: "develop", id: ID, force: false, retry: false }]);
  }
  for (const broken of [{ job: "x" }, { page: -1 }, { page: 0.5 }, { queued: "1" }, { scanned: null }]) {
    const body = JSON.stringify({ darkroom: "scan", job, page: 0, scanned: 0, queued: 0, ...broken });
    assert.equal(parseMessage(body, "uploads")[0]?.kind, "ignored", body);
  }
});

test("no body throws, however it is mangled", () => {
  fc.assert(
    fc.property(fc.string(), (body) => void parseMessage(body, "uploads")),
    { numRuns: 2000 },
  );
  fc.assert(
    fc.property(fc.json(), (body) => void parseMessage(body, "uploads")),
    { numRuns: 2000 },
  );
  fc.assert(
    fc.property(
      fc.array(fc.anything()),
      (Records) => void parseMessage(JSON.stringify({ Records }) ?? "", "uploads"),
    ),
  );
  const text = JSON.stringify({ Records: [record()] });
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.string({ maxLength: 4 }), (at, junk) => {
      const tasks = parseMessage(text.slice(0, at) + junk + text.slice(at + 1), "uploads");
      for (const task of tasks)
        if (task.kind === "created") assert.match(task.id, /^[0-9a-hjkmnp-tv-z]{26}$/);
    }),
    { numRuns: 2000 },
  );
});

test("keys are decoded as forms are", () => {
  assert.equal(decodeKey("red+flower.jpg"), "red flower.jpg");
  assert.equal(decodeKey("a%2Bb.jpg"), "a+b.jpg");
  assert.equal(decodeKey("100%25.jpg"), "100%.jpg");
  assert.equal(decodeKey("%E6%97%A5.jpg"), "日.jpg");
  for (const bad of ["bad%zz", "%E6%97", "%"]) assert.equal(decodeKey(bad), undefined);
  // As S3 writes them: form encoding of UTF-8, by code that is not ours.
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (key) => {
      fc.pre(key.isWellFormed());
      const encoded = new URLSearchParams({ key }).toString().slice("key=".length);
      assert.equal(decodeKey(encoded), key);
    }),
  );
});

test("sequencers are ordered right-padded", () => {
  // From AWS's description of the message structure; left-padded, the last two would come out the other way round.
  const cases: [string, string, number][] = [
    ["0055AED6DCD90281E5", "0055AED6DCD90281E6", -1],
    ["0055AED6DCD90281E5", "0055AED6DCD90281E500", 0],
    ["0055AED6DCD90281E5", "0055AED6DCD90281", 1],
    ["0055AED6DD", "0055AED6DCD90281E5", 1],
    ["0066", "005FFF", 1],
    ["00aa", "00AA", 0],
  ];
  for (const [a, b, order] of cases) assert.equal(compareSequencers(a, b), order, `${a} ${b}`);
  assert.equal(compareSequencers(undefined, "00"), -1);
  assert.equal(compareSequencers(undefined, undefined), 0);
  const hex = fc.option(fc.stringMatching(/^[0-9A-F]{1,20}$/), { nil: undefined });
  fc.assert(
    fc.property(hex, hex, hex, (a, b, c) => {
      assert.equal(compareSequencers(a, b), 0 - compareSequencers(b, a));
      if (compareSequencers(a, b) <= 0 && compareSequencers(b, c) <= 0)
        assert.ok(compareSequencers(a, c) <= 0);
    }),
    { numRuns: 5000 },
  );
});
