import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import {
  deliveryKey,
  digest,
  EVENTS,
  eventKey,
  isId,
  isOwner,
  newId,
  originalKey,
  ownerKey,
  ownerOf,
  parseDeliveryKey,
  parseEventKey,
  parseOriginalKey,
  parseOwnerKey,
  receiverOf,
} from "../../core/keys.ts";

const sixteen = fc.uint8Array({ minLength: 16, maxLength: 16 });

test("an id keeps all 128 bits in 26 characters of Crockford's alphabet", () => {
  fc.assert(
    fc.property(sixteen, sixteen, (a, b) => {
      const [left, right] = [newId(() => a), newId(() => b)];
      assert.match(left, /^[0-9a-hjkmnp-tv-z]{26}$/);
      assert.ok(isId(left));
      assert.equal(left === right, Buffer.compare(a, b) === 0);
    }),
  );
  // Two values worked out by hand: 5 bits a character, the last with two zero bits behind.
  assert.equal(
    newId(() => new Uint8Array(16)),
    "0".repeat(26),
  );
  assert.equal(
    newId(() => new Uint8Array(16).fill(255)),
    `${"z".repeat(25)}w`,
  );
});

test("only our own keys are taken apart", () => {
  fc.assert(
    fc.property(sixteen, (bytes) => {
      const id = newId(() => bytes);
      assert.equal(parseOriginalKey(originalKey(id)), id);
    }),
  );
  fc.assert(fc.property(fc.string(), (text) => assert.equal(parseOriginalKey(text), undefined)));
  const id = newId(() => new Uint8Array(16));
  for (const key of [
    `originals/${id}/`,
    `/originals/${id}`,
    `originals/../originals/${id}`,
    `originals/${id}\n`,
    `originals/${id.toUpperCase().replace("0", "O")}`,
  ]) {
    assert.equal(parseOriginalKey(key), undefined, key);
  }
});

test("owners are mapped one-to-one and always fit the grammar", () => {
  const subs = fc.oneof(
    fc.string({ minLength: 1 }),
    fc.string({ minLength: 1, unit: "grapheme" }),
    fc.stringMatching(/^[A-Za-z0-9_-]{1,140}$/),
    fc.string({ minLength: 90, maxLength: 300 }),
  );
  fc.assert(
    fc.property(subs, subs, (a, b) => {
      fc.pre(a.isWellFormed() && b.isWellFormed());
      assert.ok(isOwner(ownerOf(a)), ownerOf(a));
      assert.equal(ownerOf(a) === ownerOf(b), a === b);
      // What an owner maps to does not collide with an owner called just that.
      if (ownerOf(a) !== a) assert.notEqual(ownerOf(ownerOf(a)), ownerOf(a));
    }),
    { numRuns: 500 },
  );
  assert.equal(ownerOf("user-42"), "user-42");
  assert.equal(ownerOf("auth0|42"), "_YXV0aDB8NDI");
});

test("an owner's entries sort newest first and come apart again", () => {
  const time = fc.integer({ min: 0, max: 4_102_444_800_000 });
  fc.assert(
    fc.property(time, time, sixteen, (a, b, bytes) => {
      const id = newId(() => bytes);
      const [first, second] = [ownerKey("me", a, id), ownerKey("me", b, id)];
      assert.equal(Math.sign(a - b), first === second ? 0 : first < second ? 1 : -1);
      assert.deepEqual(parseOwnerKey(first), { owner: "me", uploadedAt: a, id });
    }),
  );
});

test("a digest keeps its parts apart", () => {
  assert.notEqual(digest("ab", "c"), digest("a", "bc"));
  assert.match(digest("x"), /^[0-9a-hjkmnp-tv-z]{16}$/);
});

test("a webhook's key says what is in it, of a later release's event too", () => {
  for (const type of ["image.ready", "image.original-gone"]) {
    const at = { id: "0".repeat(26), rev: 3, type };
    const delivery = { ...at, receiver: receiverOf("https://a.example/"), due: new Date(1_000) };
    assert.deepEqual(parseDeliveryKey(deliveryKey(delivery)), delivery);
    const event = { ...at, at: new Date(2_000) };
    assert.deepEqual(parseEventKey(eventKey(event)), event);
  }
});

test("events lie in the order of their time, and their keys say what is in them", () => {
  const times = fc.date({ min: new Date(0), max: new Date("2286-01-01"), noInvalidDate: true });
  fc.assert(
    fc.property(times, times, sixteen, fc.nat(), (a, b, bytes, rev) => {
      const rest = { id: newId(() => bytes), rev, type: "image.ready" };
      const [left, right] = [eventKey({ at: a, ...rest }), eventKey({ at: b, ...rest })];
      assert.deepEqual(parseEventKey(left), { at: a, ...rest });
      assert.equal(left < right, a < b);
      assert.ok(left.startsWith(EVENTS));
    }),
  );
  const id = "0".repeat(26);
  assert.equal(
    eventKey({ at: new Date("2026-11-20T09:05:00.007Z"), id, rev: 3, type: "image.ready" }),
    `events/2026-11-20/090500007-${id}-3-ready.json`,
  );
  assert.equal(parseEventKey(`events/2026-11-20/090500007-${id}-3-ready.json.bak`), undefined);
});
